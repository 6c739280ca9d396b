//! What the DTLS connection of a transport tells.

use std::time::Instant;

use oxirtc_dtls as dtls;

use super::Transport;
use crate::{
    DtlsTransportState, Error, ErrorDetail,
    engine::{
        convert,
        equipment::Equipment,
        task::{DtlsTransportEvent, Event},
        up::Up,
    },
};

impl Transport {
    /// A new association in the place of the one that was (RFC 8842 §4).
    pub(in crate::engine) fn renew_dtls(
        &mut self,
        equipment: &Equipment,
        generation: u32,
        now: Instant,
    ) {
        let config = convert::dtls_config(&equipment.certificate, &equipment.settings, self.label);
        let label = format!("dtls {generation}");
        self.dtls = dtls::Connection::new(config, equipment.seed.derive(&label, self.id.0), now);
        if let Some(media) = &mut self.media {
            media.retire_keys(now);
        }
        self.succession = None;
        self.started = false;
        self.renewed = true;
        self.shown.dtls = DtlsTransportState::New;
        self.shown.remote_certificates.clear();
    }

    /// There is a pair: once per association, however many pairs or restarts there are.
    pub(in crate::engine) fn start_dtls(&mut self, now: Instant) {
        if self.started || self.payload_way(now).is_none() {
            return;
        }
        if let Some(round_trip) = self.ice.rtt() {
            self.dtls.set_round_trip(round_trip);
        }
        self.dtls.start(now);
        self.started = true;
    }

    pub(super) fn ascend_dtls(&mut self, now: Instant, up: &mut Up<'_>) {
        self.succeed(now, up);
        self.tell_dtls(now, up);
        self.dtls_connecting(up);
    }

    pub(super) fn tell_dtls(&mut self, now: Instant, up: &mut Up<'_>) {
        while let Some(event) = self.dtls.poll_event() {
            self.dtls_connecting(up);
            match event {
                dtls::Event::Connected => self.dtls_connected(now, up),
                dtls::Event::Closed { by } => self.dtls_closed(now, by, up),
                dtls::Event::Failed { cause } => self.dtls_failed(now, &cause, up),
                _ => {}
            }
        }
    }

    fn dtls_connected(&mut self, now: Instant, up: &mut Up<'_>) {
        up.tasks.peer_is_there();
        self.shown.remote_certificates = self.dtls.remote_certificates().to_vec();
        self.dtls_changed(DtlsTransportState::Connected, None, up);
        let round_trip = self.round_trip();
        if let Some(media) = &mut self.media
            && !media.set_keys(now, &self.dtls, round_trip)
        {
            log::warn!("{}: DTLS has agreed on no keys for media", self.label);
        }
        if up.data.is_on(self.id) {
            up.data.connect(now, round_trip, self.is_recent());
        }
    }

    fn dtls_closed(&mut self, now: Instant, by: dtls::Initiator, up: &mut Up<'_>) {
        match by {
            dtls::Initiator::Remote if self.await_another(now, None, up) => {}
            dtls::Initiator::Remote => self.peer_closed(up),
            _ => self.end_dtls(up),
        }
    }

    fn dtls_failed(&mut self, now: Instant, cause: &dtls::Failure, up: &mut Up<'_>) {
        let error = dtls_failure(cause);
        if !self.await_another(now, Some(&error), up) {
            self.fail_dtls(error, up);
        }
    }

    pub(super) fn peer_closed(&mut self, up: &mut Up<'_>) {
        self.end_dtls(up);
        up.data.ended_by_peer(up.tasks);
    }

    /// [6.1.2-02]
    fn end_dtls(&mut self, up: &mut Up<'_>) {
        self.dtls_changed(DtlsTransportState::Closed, None, up);
        self.end_data(None, up);
    }

    /// DTLS has failed, and what stands on it.
    pub(in crate::engine) fn fail_dtls(&mut self, error: Error, up: &mut Up<'_>) {
        self.dtls_changed(DtlsTransportState::Failed, Some(error.clone()), up);
        self.end_data(Some(&error), up);
    }

    fn end_data(&self, error: Option<&Error>, up: &mut Up<'_>) {
        if up.data.is_on(self.id) {
            up.data.end(error, up.tasks);
        }
        up.data.cut_off(self.id);
    }

    /// The handshake has begun, from either side.
    fn dtls_connecting(&mut self, up: &mut Up<'_>) {
        let begun = self.dtls.state() != dtls::State::New;
        if begun && self.shown.dtls == DtlsTransportState::New {
            self.dtls_changed(DtlsTransportState::Connecting, None, up);
        }
    }

    /// [5.5-02], [5.5-03], and the state of the connection in a task of its own ([4.4.1.3-01]).
    pub(super) fn dtls_changed(
        &mut self,
        state: DtlsTransportState,
        error: Option<Error>,
        up: &mut Up<'_>,
    ) {
        if self.shown.dtls == state || self.shown.dtls == DtlsTransportState::Failed {
            return;
        }
        self.shown.dtls = state;
        let error = error.map(|it| Event::DtlsTransport(self.id, DtlsTransportEvent::Error(it)));
        let change = Event::DtlsTransport(self.id, DtlsTransportEvent::StateChange(state));
        up.tasks.push(error.into_iter().chain([change]).collect());
        let mut events = Vec::new();
        up.update_connection(self, &mut events);
        up.tasks.push(events);
    }
}

/// [11-03]
fn dtls_failure(cause: &dtls::Failure) -> Error {
    let message = match cause {
        dtls::Failure::FingerprintMismatch => {
            "the peer's certificate is not the one of its description"
        }
        dtls::Failure::FingerprintTimeout => "no description said which certificate to expect",
        dtls::Failure::HandshakeTimeout => "the DTLS handshake did not end in time",
        dtls::Failure::AlertReceived(_) => "the peer has ended DTLS with an alert",
        dtls::Failure::AlertSent(_) => "the DTLS handshake has failed",
        _ => "DTLS has failed",
    };
    let detail = match cause {
        dtls::Failure::FingerprintMismatch => ErrorDetail::FingerprintFailure,
        _ => ErrorDetail::DtlsFailure {
            received_alert: cause.received_alert(),
            sent_alert: cause.sent_alert(),
        },
    };
    Error::with_detail(detail, message)
}
