use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use oxirtc_dtls::{
    Certificate, CipherSuite, Config, Connection, Event, Fingerprint, Group, HashAlgorithm,
    KeyType, SrtpProfile,
};

use crate::end::{End, Identity, Role, Stack, Version, Wire};

pub struct Oxirtc;

pub struct Ours {
    pub connection: Connection,
    received: u64,
    connected: bool,
}

impl Stack for Oxirtc {
    fn speaks(&self, _: Version) -> bool {
        true
    }

    fn identities(&self) -> Result<[Identity; 2]> {
        Ok([Box::new(certificate()?), Box::new(certificate()?)])
    }

    fn end(
        &self,
        version: Version,
        role: Role,
        identities: &[Identity; 2],
    ) -> Result<Box<dyn End>> {
        let [client, server] = identities
            .each_ref()
            .map(|identity| identity.downcast_ref::<Certificate>());
        let (ours, theirs) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let theirs = theirs.context("another stack's certificate")?;
        let config = config(version, ours.context("another stack's certificate")?);
        let expected = theirs.fingerprint(&HashAlgorithm::Sha256);
        let end = Ours::new(config, role, expected.context("no fingerprint")?)?;
        Ok(Box::new(end))
    }
}

pub fn certificate() -> Result<Certificate> {
    let lifetime = Duration::from_secs(86_400);
    let made = Certificate::generate(KeyType::EcdsaP256, SystemTime::now(), lifetime);
    made.context("no certificate")
}

pub fn config(version: Version, certificate: &Certificate) -> Config {
    Config::new(certificate.clone())
        .versions(&[self::version(version)])
        .groups(&[Group::X25519])
        .cipher_suites(&[CipherSuite::Aes128Gcm, CipherSuite::EcdheEcdsaAes128Gcm])
        .srtp_profiles(&[SrtpProfile::AeadAes128Gcm])
        .alpn(&[])
}

pub fn version(version: Version) -> oxirtc_dtls::Version {
    match version {
        Version::Dtls12 => oxirtc_dtls::Version::Dtls12,
        Version::Dtls13 => oxirtc_dtls::Version::Dtls13,
    }
}

impl Ours {
    pub fn new(config: Config, role: Role, expected: Fingerprint) -> Result<Self> {
        let now = Instant::now();
        let mut connection = Connection::new(config, seed(now), now);
        connection.set_remote_fingerprints(now, &[expected], &mut |_| {});
        let role = match role {
            Role::Client => oxirtc_dtls::Role::Client,
            Role::Server => oxirtc_dtls::Role::Server,
        };
        connection.set_role(now, role)?;
        connection.start(now);
        Ok(Self {
            connection,
            received: 0,
            connected: false,
        })
    }

    fn note(&mut self) -> Result<()> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected => self.connected = true,
                other => bail!("oxirtc: {other:?}"),
            }
        }
        Ok(())
    }
}

/// Randoms of hellos alone hang on it, and nothing here is a secret.
fn seed(now: Instant) -> [u8; 32] {
    let mut seed = [0; 32];
    let text = format!("{now:?}");
    let bytes = text.bytes().rev();
    seed.iter_mut()
        .zip(bytes)
        .for_each(|(byte, digit)| *byte = digit);
    seed
}

impl Ours {
    /// What both ends export for SRTP with AEAD_AES_128_GCM (RFC 5764 §4.2).
    pub fn exported(&self) -> Result<Vec<u8>> {
        let mut exported = vec![0; 56];
        self.connection
            .export("EXTRACTOR-dtls_srtp", None, &mut exported)?;
        Ok(exported)
    }
}

impl End for Ours {
    fn transmit(&mut self, now: Instant, wire: &mut Wire) -> Result<()> {
        while self.connection.poll_transmit(now, 1200, &mut wire.bytes) {
            wire.seal();
        }
        self.note()
    }

    fn handle(&mut self, now: Instant, datagram: &mut [u8]) -> Result<()> {
        let received = &mut self.received;
        self.connection
            .handle_datagram(now, datagram, &mut |payload: &mut [u8]| {
                *received += payload.len() as u64;
            });
        self.note()
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn send(&mut self, _: Instant, payload: &[u8], wire: &mut Wire) -> Result<()> {
        let start = wire.bytes.len();
        let headroom = self.connection.headroom();
        wire.bytes.resize(start + headroom, 0);
        wire.bytes.extend_from_slice(payload);
        self.connection.seal(&mut wire.bytes, start)?;
        wire.seal();
        Ok(())
    }

    fn received(&self) -> u64 {
        self.received
    }
}
