use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result};
use dimpl::{
    Config, ConfigBuilder, Dtls, DtlsCertificate, NamedGroup, Output, certificate,
    crypto::{Dtls12CipherSuite, Dtls13CipherSuite},
};

use crate::end::{End, Identity, Role, Stack, Version, Wire};

pub struct Dimpl;

pub struct Theirs {
    dtls: Dtls,
    buf: Vec<u8>,
    connected: bool,
    received: u64,
    exported: Vec<u8>,
    /// The leaf that the peer has shown.
    pub peer: Vec<u8>,
}

impl Stack for Dimpl {
    fn speaks(&self, _: Version) -> bool {
        true
    }

    fn identities(&self) -> Result<[Identity; 2]> {
        Ok([
            Box::new(certificate::generate_self_signed_certificate()?),
            Box::new(certificate::generate_self_signed_certificate()?),
        ])
    }

    fn end(
        &self,
        version: Version,
        role: Role,
        [client, server]: &[Identity; 2],
    ) -> Result<Box<dyn End>> {
        let ours = match role {
            Role::Client => client,
            Role::Server => server,
        };
        let ours = ours.downcast_ref::<DtlsCertificate>();
        let ours = ours.context("another stack's certificate")?;
        let config = config().use_server_cookie(false).build()?;
        let end = Theirs::new(Some(version), role, config, ours.clone())?;
        Ok(Box::new(end))
    }
}

pub fn config() -> ConfigBuilder {
    Config::builder()
        .kx_groups(&[NamedGroup::X25519])
        .dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
        .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256])
}

impl Theirs {
    /// Without a version it finds out by itself.
    pub fn new(
        version: Option<Version>,
        role: Role,
        config: Config,
        certificate: DtlsCertificate,
    ) -> Result<Self> {
        let (config, now) = (Arc::new(config), Instant::now());
        let mut dtls = match version {
            Some(Version::Dtls12) => Dtls::new_12(config, certificate, now),
            Some(Version::Dtls13) => Dtls::new_13(config, certificate, now),
            None => Dtls::new_auto(config, certificate, now),
        };
        dtls.set_active(role == Role::Client);
        // Its clock starts with the first timeout.
        dtls.handle_timeout(now)?;
        Ok(Self {
            dtls,
            buf: vec![0; 4096],
            connected: false,
            received: 0,
            exported: Vec::new(),
            peer: Vec::new(),
        })
    }

    fn drain(&mut self, wire: Option<&mut Wire>) {
        let mut wire = wire;
        loop {
            match self.dtls.poll_output(&mut self.buf) {
                Output::Packet(datagram) => {
                    if let Some(wire) = &mut wire {
                        wire.push(datagram);
                    }
                }
                Output::Connected => self.connected = true,
                Output::PeerCert(leaf) => self.peer = leaf.to_vec(),
                Output::KeyingMaterial(keys, _) => self.exported = keys.to_vec(),
                Output::ApplicationData(payload) => self.received += payload.len() as u64,
                Output::BufferTooSmall { needed } => self.buf.resize(needed, 0),
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }
}

impl Theirs {
    /// What both ends export for SRTP with AEAD_AES_128_GCM (RFC 5764 §4.2).
    pub fn exported(&self) -> Result<Vec<u8>> {
        Ok(self.exported.clone())
    }
}

impl End for Theirs {
    fn transmit(&mut self, now: Instant, wire: &mut Wire) -> Result<()> {
        self.dtls.handle_timeout(now)?;
        self.drain(Some(wire));
        Ok(())
    }

    fn handle(&mut self, _: Instant, datagram: &mut [u8]) -> Result<()> {
        self.dtls.handle_packet(datagram)?;
        // Once connected it has nothing to send but what `transmit` and `send` ask for.
        if self.connected {
            self.drain(None);
        }
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn send(&mut self, _: Instant, payload: &[u8], wire: &mut Wire) -> Result<()> {
        self.dtls.send_application_data(payload)?;
        self.drain(Some(wire));
        Ok(())
    }

    fn received(&self) -> u64 {
        self.received
    }
}
