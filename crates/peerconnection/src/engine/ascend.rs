//! The way up: what the layers tell, lifted once from the bottom.

use std::time::Instant;

use oxirtc_dtls as dtls;
use oxirtc_ice as ice;
use oxirtc_sdp as sdp;

use super::{
    Engine, TransportId, convert,
    task::{DtlsTransportEvent, Event, IceTransportEvent},
    transport::IceCandidatePair,
};
use crate::{
    DtlsTransportState, Error, IceCandidate, IceCandidateInit, IceGatheringState,
    IceTransportState, Route, RtcErrorDetail, state,
};

impl Engine {
    /// A layer affects only those above it, so one pass from the bottom settles.
    pub(super) fn ascend(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        for index in 0..self.transports.len() {
            self.ascend_ice(index, now);
            self.ascend_dtls(index, now);
        }
        self.data.ascend(now, &mut self.tasks);
    }

    fn ascend_ice(&mut self, index: usize, now: Instant) {
        // [5.6-07]: the pair changes with the state, in one task and before it.
        let mut pair = None;
        let mut states = Vec::new();
        while let Some(event) = self
            .transports
            .get_mut(index)
            .and_then(|it| it.ice.poll_event())
        {
            match event {
                ice::Event::GatheringStateChanged(state) => self.gathering_changed(index, state),
                ice::Event::CandidateGathered { candidate, ufrag } => {
                    self.surface(index, &candidate, &ufrag);
                }
                ice::Event::StateChanged(state) => states.push(convert::ice_state(state)),
                ice::Event::PairChanged(changed) => pair = Some(convert::shown_pair(&changed)),
                ice::Event::PathAuthenticated(path) => {
                    self.routes.push_back(Route::Path(convert::path(path)));
                }
                ice::Event::PathReleased(path) => {
                    self.routes
                        .push_back(Route::PathReleased(convert::path(path)));
                }
                ice::Event::RoleChanged(role) => {
                    if let Some(transport) = self.transports.get_mut(index) {
                        transport.view.role = convert::shown_role(role);
                    }
                }
                _ => {}
            }
        }
        self.ice_changed(index, pair, &states);
        self.update_consent(index, now);
    }

    /// W3C §5.6, "change the selected candidate pair and state", as often as the state changed.
    fn ice_changed(
        &mut self,
        index: usize,
        pair: Option<IceCandidatePair>,
        states: &[IceTransportState],
    ) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let id = transport.id;
        let mut events = Vec::new();
        if let Some(pair) = pair {
            transport.view.pair = Some(pair.clone());
            let change = IceTransportEvent::SelectedCandidatePairChange(Some(Box::new(pair)));
            events.push(Event::IceTransport(id, change));
        }
        for &state in states {
            if let Some(transport) = self.transports.get_mut(index) {
                transport.view.ice = state;
            }
            events.push(Event::IceTransport(
                id,
                IceTransportEvent::StateChange(state),
            ));
            self.update_connection(&mut events);
            self.tasks.push(std::mem::take(&mut events));
        }
        self.tasks.push(events);
    }

    /// The states of the connection, and what to tell when they have changed.
    fn update_connection(&mut self, events: &mut Vec<Event>) {
        let (ice, connection) = self.derive_states();
        if self.states.ice != ice {
            self.states.ice = ice;
            events.push(Event::IceConnectionStateChange(ice));
        }
        if self.states.connection != connection {
            self.states.connection = connection;
            events.push(Event::ConnectionStateChange(connection));
        }
    }

    /// A transport was removed (W3C §4.3.4: any state may follow).
    pub(super) fn transports_changed(&mut self) {
        let mut events = Vec::new();
        self.update_gathering(&mut events);
        self.update_connection(&mut events);
        self.tasks.push(events);
    }

    fn update_gathering(&mut self, events: &mut Vec<Event>) -> bool {
        let states = self.transports.iter().map(|it| it.view.gathering);
        let gathering = state::ice_gathering(states);
        let changed = self.states.gathering != gathering;
        if changed {
            self.states.gathering = gathering;
            events.push(Event::IceGatheringStateChange(gathering));
        }
        changed
    }

    /// W3C §5.6: [5.6-01] when it begins, [5.6-04] and [5.6-05] when it ends.
    fn gathering_changed(&mut self, index: usize, state: ice::GatheringState) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let (id, name) = (transport.id, transport.name);
        let state = convert::gathering_state(state);
        if state == IceGatheringState::Complete {
            let ufrag = transport.ice.local_credentials().map(|it| it.ufrag.clone());
            let ufrag = ufrag.unwrap_or_default();
            let negotiator = &mut self.negotiation.negotiator;
            if let Some(section) = negotiator.set_local_end_of_candidates(name, &ufrag) {
                let end = IceCandidate::read(IceCandidateInit {
                    candidate: String::new(),
                    sdp_mid: Some(section.mid),
                    sdp_m_line_index: Some(section.index),
                    username_fragment: Some(ufrag),
                });
                self.tasks.push_one(Event::IceCandidate(Some(end)));
            }
        }
        if let Some(transport) = self.transports.get_mut(index) {
            transport.view.gathering = state;
        }
        let change = IceTransportEvent::GatheringStateChange(state);
        let mut events = vec![Event::IceTransport(id, change)];
        let changed = self.update_gathering(&mut events);
        if changed && self.states.gathering == IceGatheringState::Complete {
            events.push(Event::IceCandidate(None));
        }
        self.tasks.push(events);
    }

    /// [5.6-03]. A candidate of a generation that no local description has (a rollback has undone it)
    /// is not told.
    fn surface(&mut self, index: usize, candidate: &ice::Candidate, ufrag: &str) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let line: sdp::Candidate = convert::local_candidate(candidate, ufrag);
        let text = line.to_string();
        let negotiator = &mut self.negotiation.negotiator;
        let Some(section) = negotiator.add_local_candidate(transport.name, ufrag, line) else {
            return;
        };
        let candidate = IceCandidate::read(IceCandidateInit {
            candidate: text,
            sdp_mid: Some(section.mid),
            sdp_m_line_index: Some(section.index),
            username_fragment: Some(ufrag.to_owned()),
        });
        transport.view.local_candidates.push(candidate.clone());
        self.tasks.push_one(Event::IceCandidate(Some(candidate)));
    }

    /// A pair became usable, or none is any more: DTLS starts once, timers above know.
    fn update_consent(&mut self, index: usize, now: Instant) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        transport.start_dtls(now);
        let consent = transport.ice.has_consent(now);
        if !transport.started || consent == transport.consent {
            return;
        }
        transport.consent = consent;
        transport.dtls.set_consent(consent);
        if self
            .data
            .transport
            .as_ref()
            .is_some_and(|it| it.on == transport.id)
        {
            self.data.set_consent(consent);
        }
    }

    fn ascend_dtls(&mut self, index: usize, now: Instant) {
        while let Some(event) = self
            .transports
            .get_mut(index)
            .and_then(|it| it.dtls.poll_event())
        {
            let Some(id) = self.transports.get(index).map(|it| it.id) else {
                return;
            };
            self.dtls_connecting(index);
            let carries_data = self.data.transport.as_ref().is_some_and(|it| it.on == id);
            match event {
                dtls::Event::Connected => {
                    self.dtls_changed(index, DtlsTransportState::Connected, None);
                    if carries_data {
                        let round_trip = self.transports.get(index).and_then(|it| it.round_trip());
                        self.data.connect(now, round_trip);
                    }
                }
                dtls::Event::Closed { .. } => {
                    // [6.1.2-02]
                    self.dtls_changed(index, DtlsTransportState::Closed, None);
                    if carries_data {
                        self.data.end(None, &mut self.tasks);
                    }
                }
                dtls::Event::Failed { cause } => {
                    let error = dtls_failure(&cause);
                    self.dtls_changed(index, DtlsTransportState::Failed, Some(error.clone()));
                    if carries_data {
                        self.data.end(Some(&error), &mut self.tasks);
                    }
                }
                _ => {}
            }
        }
        self.dtls_connecting(index);
    }

    /// The handshake has begun, from either side.
    fn dtls_connecting(&mut self, index: usize) {
        let Some(transport) = self.transports.get(index) else {
            return;
        };
        let begun = transport.dtls.state() != dtls::State::New;
        if begun && transport.view.dtls == DtlsTransportState::New {
            self.dtls_changed(index, DtlsTransportState::Connecting, None);
        }
    }

    /// [5.5-02], [5.5-03], and the state of the connection in a task of its own ([4.4.1.3-01]).
    pub(super) fn dtls_changed(
        &mut self,
        index: usize,
        state: DtlsTransportState,
        error: Option<Error>,
    ) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        if transport.view.dtls == state || transport.view.dtls == DtlsTransportState::Failed {
            return;
        }
        transport.view.dtls = state;
        let id: TransportId = transport.id;
        let error = error.map(|it| Event::DtlsTransport(id, DtlsTransportEvent::Error(it)));
        let change = Event::DtlsTransport(id, DtlsTransportEvent::StateChange(state));
        self.tasks.push(error.into_iter().chain([change]).collect());
        let mut events = Vec::new();
        self.update_connection(&mut events);
        self.tasks.push(events);
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
        dtls::Failure::FingerprintMismatch => RtcErrorDetail::FingerprintFailure,
        _ => RtcErrorDetail::DtlsFailure {
            received_alert: cause.received_alert(),
            sent_alert: cause.sent_alert(),
        },
    };
    Error::with_detail(detail, message)
}
