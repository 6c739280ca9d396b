//! What the ICE agent of a transport tells.

use std::{collections::VecDeque, time::Instant};

use oxirtc_ice as ice;
use oxirtc_sdp as sdp;

use super::{IceCandidatePair, Transport};
use crate::{
    IceCandidate, IceCandidateError, IceCandidateInit, IceGatheringState,
    IceServerTransportProtocol, IceTransportState, Route,
    engine::{
        convert,
        task::{Event, IceTransportEvent},
        up::Up,
    },
};

impl Transport {
    pub(super) fn ascend_ice(&mut self, now: Instant, up: &mut Up<'_>) {
        // [5.6-07]: the pair changes with the state, in one task and before it.
        let mut pair = None;
        let mut states = Vec::new();
        let early = std::mem::take(&mut self.early);
        let mut early = early.into_iter();
        while let Some(event) = self.ice.poll_event().or_else(|| early.next()) {
            match event {
                ice::Event::GatheringStateChanged(state) => self.gathering_changed(state, up),
                ice::Event::CandidateGathered {
                    candidate,
                    ufrag,
                    url,
                    relay,
                } => {
                    let relay = relay.map(convert::relay_protocol);
                    self.surface(&candidate, &ufrag, (url, relay), up);
                }
                ice::Event::CandidateError {
                    url,
                    code,
                    reason,
                    from,
                } => {
                    // [4.8.3-01]
                    let error = IceCandidateError {
                        address: from.map(|it| it.ip().to_string()),
                        port: from.map(|it| it.port()),
                        url,
                        error_code: code,
                        error_text: reason,
                    };
                    up.tasks.push_one(Event::IceCandidateError(error));
                }
                ice::Event::StateChanged(state) => states.push(convert::ice_state(state)),
                ice::Event::PairChanged(changed) => {
                    self.traffic.pair_changes += 1;
                    let (ours, theirs) =
                        (&self.shown.local_candidates, &self.shown.remote_candidates);
                    pair = Some(convert::shown_pair(&changed, (ours, theirs)));
                }
                ice::Event::PathAuthenticated(path) => {
                    let path = convert::path(path);
                    up.claims.reserve(self.id, path);
                    up.routes.push_back(Route::Reserve(path));
                }
                ice::Event::PathValidated(path) => {
                    let path = convert::path(path);
                    if up.claims.claim(self.id, path) {
                        up.routes.push_back(Route::Path(path));
                    }
                }
                ice::Event::PathReleased(path) => {
                    let path = convert::path(path);
                    if up.claims.release(self.id, path) {
                        up.routes.push_back(Route::PathReleased(path));
                    }
                }
                ice::Event::RoleChanged(role) => self.shown.role = convert::shown_role(role),
                _ => {}
            }
        }
        self.ice_changed(pair, &states, up);
        self.update_consent(now, up);
    }

    /// W3C §5.6, "change the selected candidate pair and state", as often as the state changed.
    fn ice_changed(
        &mut self,
        pair: Option<IceCandidatePair>,
        states: &[IceTransportState],
        up: &mut Up<'_>,
    ) {
        let mut events = Vec::new();
        if let Some(pair) = pair {
            self.shown.pair = Some(pair.clone());
            let change = IceTransportEvent::SelectedCandidatePairChange(Some(Box::new(pair)));
            events.push(Event::IceTransport(self.id, change));
        }
        for &state in states {
            self.shown.ice = state;
            let change = IceTransportEvent::StateChange(state);
            events.push(Event::IceTransport(self.id, change));
            up.update_connection(self, &mut events);
            up.tasks.push(std::mem::take(&mut events));
        }
        up.tasks.push(events);
    }

    /// W3C §5.6: [5.6-01] when it begins, [5.6-04] and [5.6-05] when it ends.
    fn gathering_changed(&mut self, state: ice::GatheringState, up: &mut Up<'_>) {
        let state = convert::gathering_state(state);
        if state == IceGatheringState::Complete {
            let ufrag = self.ice.local_credentials().map(|it| it.ufrag.clone());
            let ufrag = ufrag.unwrap_or_default();
            let negotiator = &mut up.negotiation.negotiator;
            if let Some(section) = negotiator.set_local_end_of_candidates(self.name, &ufrag) {
                let end = IceCandidate::read(IceCandidateInit {
                    candidate: String::new(),
                    sdp_mid: Some(section.mid),
                    sdp_m_line_index: Some(section.index),
                    username_fragment: Some(ufrag),
                });
                up.tasks.push_one(Event::IceCandidate(Some(end)));
            }
        }
        self.shown.gathering = state;
        let change = IceTransportEvent::GatheringStateChange(state);
        let mut events = vec![Event::IceTransport(self.id, change)];
        up.update_gathering(self, &mut events);
        up.tasks.push(events);
    }

    /// [5.6-03]. A candidate of a generation that no local description has (a rollback has undone it)
    /// is not told.
    fn surface(
        &mut self,
        candidate: &ice::Candidate,
        ufrag: &str,
        (url, relay): (Option<String>, Option<IceServerTransportProtocol>),
        up: &mut Up<'_>,
    ) {
        let line: sdp::Candidate = convert::local_candidate(candidate, ufrag);
        let text = line.to_string();
        let negotiator = &mut up.negotiation.negotiator;
        let Some(section) = negotiator.add_local_candidate(self.name, ufrag, line) else {
            return;
        };
        let candidate = IceCandidate::read(IceCandidateInit {
            candidate: text,
            sdp_mid: Some(section.mid),
            sdp_m_line_index: Some(section.index),
            username_fragment: Some(ufrag.to_owned()),
        });
        let candidate = candidate.of_server(url, relay);
        self.shown.local_candidates.push(candidate.clone());
        up.tasks.push_one(Event::IceCandidate(Some(candidate)));
    }

    /// A pair became usable, or none is any more: DTLS starts once, timers above know.
    fn update_consent(&mut self, now: Instant, up: &mut Up<'_>) {
        self.start_dtls(now);
        let consent = self.ice.has_consent(now);
        if !self.started || consent == self.consent {
            return;
        }
        self.consent = consent;
        self.dtls.set_consent(consent);
        if let Some(succession) = &mut self.succession {
            succession.set_consent(consent);
        }
        if let Some(association) = up.data.association_on(self.id) {
            association.set_consent(consent);
        }
    }

    pub(in crate::engine) fn set_ufrag(&mut self, ufrag: &str, routes: &mut VecDeque<Route>) {
        if self.ufrags.back().is_some_and(|last| last == ufrag) {
            return;
        }
        self.ufrags.retain(|it| it != ufrag);
        self.ufrags.push_back(ufrag.to_owned());
        routes.push_back(Route::Ufrag(ufrag.to_owned()));
        // The old pair lives until the new one is selected, and a rollback may bring it back: however many offers replace each other
        // meanwhile, what the agent answers to stays.
        while self.ufrags.len() > KEPT_UFRAGS
            && let Some(oldest) = self.oldest_unused(ufrag)
        {
            routes.push_back(Route::UfragReleased(oldest));
        }
    }

    /// Takes out the oldest fragment, beside this new one, that no generation of the agent has.
    fn oldest_unused(&mut self, new: &str) -> Option<String> {
        let unused = |it: &String| it != new && !self.ice.has_fragment(it);
        let at = self.ufrags.iter().position(unused)?;
        self.ufrags.remove(at)
    }

    /// Nobody is expected under its ufrags any more, but for those that others have as well.
    pub(in crate::engine) fn release_ufrags<'a>(
        &mut self,
        others: impl Iterator<Item = &'a Self> + Clone,
        routes: &mut VecDeque<Route>,
    ) {
        let shared = |ufrag: &String| others.clone().any(|it| it.ufrags.contains(ufrag));
        let own = self.ufrags.drain(..).filter(|it| !shared(it));
        routes.extend(own.map(Route::UfragReleased));
    }
}

/// The current generation, the one before it, and one that an open offer may bring: where the agent has no more than those.
const KEPT_UFRAGS: usize = 3;
