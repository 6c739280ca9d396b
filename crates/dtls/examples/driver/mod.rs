//! Drives one connection over a connected UDP socket.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::{
    io::ErrorKind,
    net::UdpSocket,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_dtls::{
    Certificate, Config, Connection, Event, Fingerprint, HashAlgorithm, KeyType, Role,
};
use ring::rand::{SecureRandom, SystemRandom};

/// `arguments`: the fingerprint of the peer's certificate, and `rsa` for an RSA certificate of our own.
pub(crate) fn run(
    socket: &UdpSocket,
    role: Role,
    mut arguments: impl Iterator<Item = String>,
) -> Result<(), Box<dyn std::error::Error>> {
    let expected = arguments
        .next()
        .ok_or("the fingerprint of the peer is missing")?;
    let expected: Fingerprint = expected.parse()?;
    let key_type = match arguments.next().as_deref() {
        Some("rsa") => KeyType::Rsa2048,
        _ => KeyType::EcdsaP256,
    };
    let certificate =
        Certificate::generate(key_type, SystemTime::now(), Certificate::DEFAULT_LIFETIME)?;
    if let Some(fingerprint) = certificate.fingerprint(&HashAlgorithm::Sha256) {
        println!("we are {fingerprint}");
    }
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| "no randomness")?;
    let mut connection = Connection::new(Config::new(certificate), seed, Instant::now());
    connection.set_role(Instant::now(), role)?;
    connection.set_remote_fingerprints(Instant::now(), &[expected], &mut |_| {});
    connection.start(Instant::now());

    let mut buf = Vec::with_capacity(2048);
    let mut datagram = [0; 2048];
    loop {
        while connection.poll_transmit(Instant::now(), 1200, &mut buf) {
            socket.send(&buf)?;
            buf.clear();
        }
        while let Some(event) = connection.poll_event() {
            println!("{event:?}");
            match event {
                Event::Connected => {
                    describe(&connection)?;
                    if role == Role::Client {
                        send(&mut connection, socket, b"hello from oxirtc\n")?;
                    }
                }
                _ => return Ok(()),
            }
        }
        let now = Instant::now();
        let wait = connection
            .poll_timeout()
            .map_or(IDLE, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(Duration::from_millis(1), IDLE)))?;
        match socket.recv(&mut datagram) {
            Ok(len) => {
                let datagram = &mut datagram[..len];
                let mut received = Vec::new();
                let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
                connection.handle_datagram(Instant::now(), datagram, &mut sink);
                for payload in received {
                    println!("received: {}", String::from_utf8_lossy(&payload).trim_end());
                    if role == Role::Server {
                        send(&mut connection, socket, &payload)?;
                    }
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        connection.handle_timeout(Instant::now());
    }
}

fn describe(connection: &Connection) -> Result<(), oxirtc_dtls::Error> {
    if let (Some(suite), Some(group)) = (connection.cipher_suite(), connection.group()) {
        println!("{suite} {group} {:?}", connection.srtp_profile());
    }
    let mut key = [0; 60];
    connection.export("EXTRACTOR-dtls_srtp", None, &mut key)?;
    let hex: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
    println!("Keying material: {hex}");
    Ok(())
}

fn send(
    connection: &mut Connection,
    socket: &UdpSocket,
    payload: &[u8],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut record = vec![0; connection.headroom()];
    record.extend(payload);
    connection.seal(&mut record, 0)?;
    socket.send(&record)?;
    Ok(())
}

const IDLE: Duration = Duration::from_secs(1);
