//! A DTLS server over UDP for one client: it echoes what comes and prints the exported key:
//! `cargo run -p oxirtc-dtls --example server -- 127.0.0.1:5684 'sha-256 AB:CD:…' [rsa]`.

mod driver;

use std::net::UdpSocket;

use oxirtc_dtls::Role;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .ok_or("usage: server ADDRESS:PORT FINGERPRINT [rsa]")?;
    let socket = UdpSocket::bind(address)?;
    let mut first = [0; 2048];
    let (_, client) = socket.peek_from(&mut first)?;
    socket.connect(client)?;
    driver::run(&socket, Role::Server, arguments)
}
