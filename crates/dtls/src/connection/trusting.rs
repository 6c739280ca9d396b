//! Whether the peer is the right one.

use std::time::Instant;

use crate::{
    AlertDescription, Event, Failure, Fingerprint,
    connection::{Connection, Sink, State},
    trust::Verdict,
};

impl Connection {
    /// Says which certificates the peer may have, and verifies the one it has, now or as soon as it
    /// comes. Payload that was held for that goes to the sink, after [`Event::Connected`].
    ///
    /// When none fits, the association fails: [`Failure::FingerprintMismatch`]. A later call with other
    /// fingerprints is held against the same certificate.
    ///
    /// Where [`Config::peer`](crate::Config::peer) lets the owner judge, or nobody, fingerprints are not looked at:
    /// one that does not match ends nothing there.
    pub fn set_remote_fingerprints(
        &mut self,
        now: Instant,
        fingerprints: &[Fingerprint],
        sink: &mut impl FnMut(&mut [u8]),
    ) {
        let _ = now; // like every input
        if self.is_over() {
            return;
        }
        match self.trust.set_expected(fingerprints) {
            Verdict::Mismatch => self.fail(
                Failure::FingerprintMismatch,
                Some(AlertDescription::BAD_CERTIFICATE),
            ),
            Verdict::Open => {}
            Verdict::Verified(_) => self.settle(sink),
        }
    }

    /// Says whether the certificates that the peer has shown are good, where the owner judges
    /// ([`Peer::Owner`](crate::Peer::Owner)) and [`Event::CertificateReceived`] has asked him; otherwise
    /// nothing happens. A no ends the association: [`Failure::CertificateRefused`]; so does silence for 30 s behind
    /// the handshake, a time that no setting changes: [`Failure::FingerprintTimeout`]. Payload that was held
    /// for a yes goes to the sink, after [`Event::Connected`].
    pub fn trust(&mut self, now: Instant, accepted: bool, sink: &mut impl FnMut(&mut [u8])) {
        let _ = now; // like every input
        if self.is_over() || !self.trust.asks_owner() {
            return;
        }
        match self.trust.set_accepted(accepted) {
            Verdict::Mismatch => self.fail(
                Failure::CertificateRefused,
                // RFC 8446 §6.2: the owner does not say what is wrong with it.
                Some(AlertDescription::CERTIFICATE_UNKNOWN),
            ),
            Verdict::Open => {}
            Verdict::Verified(_) => self.settle(sink),
        }
    }

    /// Tells the owner that there is something to judge, once.
    pub(super) fn ask_owner(&mut self) {
        if self.trust.asks_owner() && !std::mem::replace(&mut self.asked_owner, true) {
            self.outbox.events.push_back(Event::CertificateReceived);
        }
    }

    /// Connects when the handshake is complete and the certificate is verified.
    pub(super) fn settle(&mut self, sink: Sink<'_>) {
        let ready = self.session.is_some() && self.trust.trusted().is_some();
        if self.state != State::Connecting || !ready {
            return;
        }
        self.timers.stop_all();
        self.state = State::Connected;
        self.outbox.events.push_back(Event::Connected);
        if let Some(session) = &self.session {
            let (version, suite) = (session.negotiated.version, session.negotiated.suite);
            let group = session.group;
            let (label, role) = (&self.config.label, self.role);
            log::debug!("{label}DTLS is connected as {role:?}: {version}, {suite}, {group}");
        }
        let held = std::mem::take(&mut self.held.payload);
        self.held.payload_len = 0;
        for mut payload in held {
            self.deliver(&mut payload[..], sink);
        }
        if self.held.closed {
            self.close_by_peer();
        }
    }
}
