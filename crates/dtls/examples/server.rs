//! A DTLS server over UDP for one client: it echoes what comes and prints the exported key. Against OpenSSL:
//!
//! ```text
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=peer -keyout key.pem -out cert.pem
//! openssl x509 -in cert.pem -noout -fingerprint -sha256
//! cargo run -p oxirtc-dtls --example server -- 127.0.0.1:5684 'sha-256 AB:CD:…' [--cookie] [--room 300]
//!     [--version 'DTLS 1.2'] [--suite NAME] [--group NAME] [--key p-256|p-384|ed25519|rsa] [--key-log]
//! openssl s_client -dtls1_2 -connect 127.0.0.1:5684 -cert cert.pem -key key.pem \
//!     -use_srtp SRTP_AEAD_AES_128_GCM -keymatexport EXTRACTOR-dtls_srtp -keymatexportlen 60
//! ```
//!
//! The fingerprint is the client's, as `openssl x509` prints it, with `sha-256` before it.

mod driver;

use std::net::UdpSocket;

use oxirtc_dtls::Role;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .ok_or("usage: server ADDRESS:PORT FINGERPRINT [FLAG…]")?;
    let flags = driver::Flags::parse(arguments)?;
    let socket = UdpSocket::bind(address)?;
    println!("listening on {}", socket.local_addr()?);
    let mut first = [0; 2048];
    let (_, client) = socket.peek_from(&mut first)?;
    socket.connect(client)?;
    driver::run(&socket, Role::Server, flags)
}
