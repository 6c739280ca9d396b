//! What an agent shows of itself.

use std::time::{Duration, Instant};

use super::Agent;
use crate::{
    Candidate, Credentials, GatheringState, GenerationId, Pair, PairState, PairStats, State, Stats,
    generation::{LocalSide, Session, describe},
    pair::{CandidatePair, Nomination},
};

impl Agent {
    /// The local credentials of the newest generation.
    pub fn local_credentials(&self) -> Option<&Credentials> {
        self.tables
            .newest_local()
            .map(|side| &side.keys.credentials)
    }

    /// The remote credentials of the newest generation that has some.
    pub fn remote_credentials(&self) -> Option<&Credentials> {
        self.tables
            .newest_remote()
            .map(|side| &side.keys.credentials)
    }

    /// Whether a side of ours has this fragment: the peer may check by it. Beside those of the plan it is the one whose session carries
    /// payload until another has a nominated pair.
    pub fn has_fragment(&self, ufrag: &str) -> bool {
        self.tables.locals.iter().any(|side| side.ufrag() == ufrag)
    }

    /// Whether the peer consents to receive payload (RFC 7675).
    pub fn has_consent(&self, now: Instant) -> bool {
        self.payload_way(now, GenerationId::default()).is_some()
    }

    /// State of the transport.
    pub fn state(&self) -> State {
        self.outcome.state
    }

    /// State of gathering.
    pub fn gathering_state(&self) -> GatheringState {
        self.outcome.gathering
    }

    /// The pair that payload goes on, from the first one on; after its loss the last one. `None` in
    /// the states `New` and `Closed`.
    pub fn selected_pair(&self) -> Option<&Pair> {
        let is_shown = !matches!(self.outcome.state, State::New | State::Closed);
        self.outcome.shown.as_ref().filter(|_| is_shown)
    }

    /// The local candidates of the newest generation, peer-reflexive ones included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        let sides = self.tables.newest_local().into_iter();
        sides.flat_map(|side: &LocalSide| side.candidates.iter().map(|local| &local.candidate))
    }

    /// The signalled candidates of the peer in the newest generation that has some, names included.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        let sides = self.tables.newest_remote().into_iter();
        let remotes = sides.flat_map(|side| side.candidates.iter());
        remotes
            .filter(|remote| remote.signalled)
            .map(|remote| &remote.candidate)
    }

    /// The pairs of the newest session.
    pub fn pairs(&self) -> impl Iterator<Item = PairStats> {
        let sessions = self.tables.newest_listed().into_iter();
        sessions.flat_map(|session| {
            session
                .list
                .iter()
                .filter_map(|pair| self.pair_stats(session, pair))
        })
    }

    /// The smoothed round trip of the pair in use.
    pub fn rtt(&self) -> Option<Duration> {
        let in_use = self.outcome.payload?;
        let pair = self.tables.session(in_use.session)?.list.get(in_use.pair)?;
        pair.counters.smoothed_round_trip
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(super) fn describe(&self, session: &Session, pair: &CandidatePair) -> Option<Pair> {
        let local = self.tables.local(session.local)?;
        let remote = self.tables.remote(session.remote)?;
        describe(&self.gatherer.bases, local, remote, pair)
    }

    fn pair_stats(&self, session: &Session, pair: &CandidatePair) -> Option<PairStats> {
        let counters = &pair.counters;
        Some(PairStats {
            pair: self.describe(session, pair)?,
            state: if pair.cancelled {
                PairState::Frozen
            } else {
                pair.state
            },
            priority: pair.priority,
            nominated: matches!(pair.nomination, Nomination::Done(_)),
            current_round_trip: counters.last_round_trip,
            total_round_trip: counters.total_round_trip,
            requests_sent: counters.requests_sent,
            retransmissions_sent: counters.retransmissions_sent,
            consent_requests_sent: counters.consent_requests_sent,
            requests_received: counters.requests_received,
            responses_sent: counters.responses_sent,
            responses_received: counters.responses_received,
        })
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("state", &self.outcome.state)
            .field("payload", &self.outcome.payload)
            .finish_non_exhaustive()
    }
}
