//! A DTLS client over UDP that sends a line and prints what comes back and the exported key:
//! `cargo run -p oxirtc-dtls --example client -- 127.0.0.1:5684 'sha-256 AB:CD:…' [rsa]`.

mod driver;

use std::net::UdpSocket;

use oxirtc_dtls::Role;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments
        .next()
        .ok_or("usage: client ADDRESS:PORT FINGERPRINT [rsa]")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    driver::run(&socket, Role::Client, arguments)
}
