//! Doubt: when something hints that a pair has ceased to work, it is asked at once.

use std::time::Instant;

use super::Agent;
use crate::{
    ChecklistSet, GenerationId, Path,
    pair::{CandidatePair, PairId},
};

impl Agent {
    /// The system says that a datagram on this path cannot leave: no route, no network. An ICMP refusal
    /// of the other side is no reason to call this, as anybody can forge one.
    pub fn handle_unreachable(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        let Some(key) = self.gatherer.bases.locate(path.normalized()) else {
            return;
        };
        for session in &mut self.tables.sessions {
            let pair = session.list.iter_mut().find(|pair| pair.key == key);
            if let Some(pair) = pair.filter(|pair| pair.is_valid()) {
                pair.unreachable = true;
                if let Some(consent) = &mut pair.consent {
                    consent.hasten(now);
                }
            }
        }
        self.settle(now, set);
    }

    /// The networks are others: where nothing works any more, all that is left is checked anew. A system may have sent what goes
    /// from one address by the way of another, until that was gone.
    pub(super) fn begin_again(&mut self, now: Instant) {
        let bases = &self.gatherer.bases;
        let listed = self.tables.sessions.iter_mut().filter(|it| it.is_listed());
        for session in listed.filter(|it| !it.failed && it.bereft == Some(now)) {
            let mut pairs = session.list.iter();
            if pairs.any(|pair| pair.is_usable(now)) {
                continue;
            }
            drop(pairs);
            let left = session.list.iter_mut();
            let left = left.filter(|it| !it.expired && bases.get(it.key.base).is_some());
            left.for_each(CandidatePair::begin_again);
        }
    }

    /// Another connection has had an answer from the other end of this path, on the same socket: a NAT may have given the
    /// port of a peer that is gone to somebody else. A pair that is not answered within two seconds ends.
    pub fn handle_challenge(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        let Some(key) = self.gatherer.bases.locate(path.normalized()) else {
            return;
        };
        for session in &mut self.tables.sessions {
            let pair = session.list.iter_mut().find(|pair| pair.key == key);
            if let Some(consent) = pair.and_then(|pair| pair.consent.as_mut()) {
                consent.challenge(now);
            }
        }
        self.settle(now, set);
    }

    /// The peer has checked a pair that works and is not in use: perhaps the one in use does not work
    /// any more in its direction. Both are asked.
    pub(super) fn doubt(&mut self, now: Instant, id: GenerationId, pair: PairId) {
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        if session.in_use == Some(pair) || session.in_use.is_none() {
            return;
        }
        if let Some(consent) = session
            .list
            .get_mut(pair)
            .and_then(|pair| pair.consent.as_mut())
        {
            consent.hasten(now);
        }
        self.doubt_in_use(now, id);
    }

    /// Asks the pair that payload goes on, when nothing has come on it for a while.
    pub(super) fn ask_when_silent(&mut self, now: Instant) {
        let Some(key) = self.silence.take_due(now) else {
            return;
        };
        let valid = self.tables.validated(key);
        if let Some(session) = valid.and_then(|id| self.tables.session_mut(id)) {
            let pair = session.list.iter_mut().find(|pair| pair.key == key);
            if let Some(consent) = pair.and_then(|pair| pair.consent.as_mut()) {
                consent.hasten(now);
            }
        }
    }

    /// The peer has begun to use another pair, or comes from where nobody has known it: it has probably lost the one in use, and
    /// does not hear what goes there.
    pub(super) fn doubt_strongly(&mut self, now: Instant, id: GenerationId) {
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let pair = session.in_use.and_then(|id| session.list.get_mut(id));
        if let Some(consent) = pair.and_then(|pair| pair.consent.as_mut()) {
            consent.doubt(now);
        }
    }

    pub(super) fn doubt_in_use(&mut self, now: Instant, id: GenerationId) {
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let pair = session.in_use.and_then(|id| session.list.get_mut(id));
        if let Some(consent) = pair.and_then(|pair| pair.consent.as_mut()) {
            consent.hasten(now);
        }
    }
}
