//! What only reads.

use crate::{
    CipherSuite, Error, Group, Peer, Role, SrtpProfile, Stats, Version,
    connection::{Connection, State},
    exporter,
};

impl Connection {
    /// Bytes in front of a payload: exact once connected, the worst case before.
    pub fn headroom(&self) -> usize {
        self.records.headroom()
    }

    /// Bytes behind a payload: exact once connected, the worst case before.
    pub fn tailroom(&self) -> usize {
        let new = self.config.versions.contains(&Version::Dtls13);
        let worst = if new {
            Version::Dtls13
        } else {
            Version::Dtls12
        };
        self.records.tailroom(worst)
    }

    /// The role, once it is known.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// How far the association is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether payload flows.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Keying material for another protocol (RFC 5705): both sides get the same for the same label and
    /// context.
    ///
    /// # Errors
    /// [`Error::NotConnected`], and [`Error::Export`] for a label of the handshake itself, and for a context
    /// or output of more than 65,535 bytes. In 1.3 (RFC 8446 §7.5) also for a label of more than 249 bytes, and
    /// an output of more than 255 times the suite's hash: 8,160 bytes with SHA-256, 12,240 with SHA-384.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let session = self.session().ok_or(Error::NotConnected)?;
        exporter::export(session, label, context, out)
    }

    /// The SRTP profile that was agreed on, once connected.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.session()?.negotiated.srtp_profile
    }

    /// The peer's certificates in DER, its own first; none before it is connected. Where the owner judges
    /// them ([`Peer::Owner`](crate::Peer)), from [`Event::CertificateReceived`] on.
    ///
    /// [`Event::CertificateReceived`]: crate::Event::CertificateReceived
    pub fn remote_certificates(&self) -> &[Vec<u8>] {
        let known = self.trust.trusted().is_some() && self.session.is_some();
        match known || self.config.peer == Peer::Owner {
            true => self.trust.chain(),
            false => &[],
        }
    }

    /// The application protocol that was agreed on, once connected.
    pub fn alpn(&self) -> Option<&str> {
        self.session()?.negotiated.alpn.as_deref()
    }

    /// The version spoken, as it is on the wire, once connected.
    pub fn protocol_version(&self) -> Option<u16> {
        Some(self.session()?.negotiated.version.id())
    }

    /// The cipher suite, once connected.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        Some(self.session()?.negotiated.suite)
    }

    /// The group of the key agreement, once connected.
    pub fn group(&self) -> Option<Group> {
        Some(self.session()?.group)
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }
}
