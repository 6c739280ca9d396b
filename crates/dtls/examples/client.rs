//! A DTLS client over UDP that sends a line and prints what comes back and the exported key. Against OpenSSL:
//!
//! ```text
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=peer -keyout key.pem -out cert.pem
//! openssl s_server -dtls1_2 -accept 127.0.0.1:5684 -cert cert.pem -key key.pem -verify 1 \
//!     -use_srtp SRTP_AEAD_AES_128_GCM -keymatexport EXTRACTOR-dtls_srtp -keymatexportlen 60
//! openssl x509 -in cert.pem -noout -fingerprint -sha256
//! cargo run -p oxirtc-dtls --example client -- 127.0.0.1:5684 'sha-256 AB:CD:…' [--once] [--room 300]
//!     [--version 'DTLS 1.2'] [--suite NAME] [--group NAME] [--key p-256|p-384|ed25519|rsa] [--key-log]
//! ```
//!
//! The fingerprint is the one that `openssl x509` prints, with `sha-256` before it. `s_server` sends what is typed there.
//! `--key-log` writes the secrets to the file that `SSLKEYLOGFILE` names, for Wireshark.

mod driver;

use std::net::UdpSocket;

use oxirtc_dtls::Role;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments
        .next()
        .ok_or("usage: client ADDRESS:PORT FINGERPRINT [FLAG…]")?;
    let flags = driver::Flags::parse(arguments)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    driver::run(&socket, Role::Client, flags)
}
