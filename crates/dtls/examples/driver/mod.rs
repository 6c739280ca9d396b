//! Drives one connection over a connected UDP socket.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

mod flags;
mod key_log;

use std::{
    error::Error,
    io::ErrorKind,
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_dtls::{Certificate, Config, Connection, Event, HashAlgorithm, Role, Version};
use ring::rand::{SecureRandom, SystemRandom};

pub(crate) use flags::Flags;

/// Runs until either side closes; a client says a line and waits for an answer first.
pub(crate) fn run(socket: &UdpSocket, role: Role, flags: Flags) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now();
    let certificate = Certificate::generate(flags.key, now, Certificate::DEFAULT_LIFETIME)?;
    if let Some(fingerprint) = certificate.fingerprint(&HashAlgorithm::Sha256) {
        println!("we are {fingerprint}");
    }
    let mut config = flags.configure(Config::new(certificate));
    if flags.key_log {
        config = config.key_log(Arc::new(key_log::File::of_environment()?));
    }
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| "no randomness")?;
    let mut connection = Connection::new(config, seed, Instant::now());
    connection.set_role(Instant::now(), role)?;
    connection.set_remote_fingerprints(Instant::now(), &[flags.expected], &mut |_| {});
    connection.start(Instant::now());

    let mut buf = Vec::with_capacity(2048);
    let mut datagram = [0; 2048];
    loop {
        while connection.poll_transmit(Instant::now(), flags.room, &mut buf) {
            transmit(socket, &buf)?;
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
                Event::Closed { .. } => return Ok(()),
                other => return Err(format!("it ended: {other:?}").into()),
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
                    match role {
                        Role::Server => send(&mut connection, socket, &payload)?,
                        Role::Client if flags.once => connection.close(Instant::now()),
                        Role::Client => {}
                    }
                }
            }
            // Nobody listens yet: a datagram more is lost.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        connection.handle_timeout(Instant::now());
    }
}

fn describe(connection: &Connection) -> Result<(), oxirtc_dtls::Error> {
    if let (Some(version), Some(suite), Some(group)) = (
        connection.protocol_version().and_then(Version::from_id),
        connection.cipher_suite(),
        connection.group(),
    ) {
        println!("{version} {suite} {group} {:?}", connection.srtp_profile());
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
) -> Result<(), Box<dyn Error>> {
    let mut record = vec![0; connection.headroom()];
    record.extend(payload);
    connection.seal(&mut record, 0)?;
    transmit(socket, &record)?;
    Ok(())
}

/// One that nobody listens for is lost, as any other may be.
fn transmit(socket: &UdpSocket, datagram: &[u8]) -> std::io::Result<()> {
    match socket.send(datagram) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        sent => sent.map(drop),
    }
}

const IDLE: Duration = Duration::from_secs(1);
