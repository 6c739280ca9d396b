use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context, Result};
use bytes::BytesMut;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType},
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;

use crate::end::{End, Identity, Role, Stack, Version, Wire};

pub struct Rtc;

struct Theirs {
    endpoint: Endpoint,
    peer: SocketAddr,
    connected: bool,
    received: u64,
}

impl Stack for Rtc {
    fn speaks(&self, version: Version) -> bool {
        version == Version::Dtls12
    }

    fn identities(&self) -> Result<[Identity; 2]> {
        let provider = rtc_crypto::default_provider()?;
        let make = || Certificate::generate_self_signed(vec!["peer".to_owned()], provider.crypto());
        Ok([Box::new(make()?), Box::new(make()?)])
    }

    fn end(
        &self,
        _: Version,
        role: Role,
        [client, server]: &[Identity; 2],
    ) -> Result<Box<dyn End>> {
        let addresses: [SocketAddr; 2] =
            [([127, 0, 0, 1], 4001).into(), ([127, 0, 0, 1], 4002).into()];
        let [ours, peer] = addresses;
        let (identity, ours, peer) = match role {
            Role::Client => (client, ours, peer),
            Role::Server => (server, peer, ours),
        };
        let identity = identity.downcast_ref::<Certificate>();
        let identity = identity.context("another stack's certificate")?;
        let config = ConfigBuilder::default()
            .with_crypto_provider(rtc_crypto::default_provider()?)
            .with_certificates(vec![identity.clone()])
            .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .build(role == Role::Client, Some(peer))?;
        let config = Arc::new(config);
        let server = (role == Role::Server).then(|| config.clone());
        let mut endpoint = Endpoint::new(ours, TransportProtocol::UDP, server);
        if role == Role::Client {
            endpoint.connect(Instant::now(), peer, config, None)?;
        }
        Ok(Box::new(Theirs {
            endpoint,
            peer,
            connected: false,
            received: 0,
        }))
    }
}

impl Theirs {
    fn drain(&mut self, wire: &mut Wire) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            wire.push(&transmit.message);
        }
    }
}

impl End for Theirs {
    fn transmit(&mut self, now: Instant, wire: &mut Wire) -> Result<()> {
        if self.endpoint.get_connection_state(self.peer).is_some() {
            self.endpoint.handle_timeout(self.peer, now)?;
        }
        self.drain(wire);
        Ok(())
    }

    fn handle(&mut self, now: Instant, datagram: &mut [u8]) -> Result<()> {
        let datagram = BytesMut::from(&*datagram);
        for event in self.endpoint.read(now, self.peer, None, datagram)? {
            match event {
                EndpointEvent::HandshakeComplete => self.connected = true,
                EndpointEvent::ApplicationData(payload) => self.received += payload.len() as u64,
                _ => {}
            }
        }
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn send(&mut self, now: Instant, payload: &[u8], wire: &mut Wire) -> Result<()> {
        self.endpoint.write(now, self.peer, payload)?;
        self.drain(wire);
        Ok(())
    }

    fn received(&self) -> u64 {
        self.received
    }
}
