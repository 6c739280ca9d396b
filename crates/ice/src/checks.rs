//! The check list (RFC 8445 §6.1.2 and §6.1.4): which pair is checked next.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use oxirtc_stun::TransactionId;

use crate::{
    Path,
    pair::{CandidatePair, PairId, PairState},
};

/// The pairs of one generation, at most as many as the configuration allows.
#[derive(Default)]
pub(crate) struct CheckList {
    pairs: Vec<CandidatePair>,
    triggered: VecDeque<PairId>,
}

/// What a turn of the pacing timer is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A check of this pair starts.
    Start(PairId),
    /// The check of this pair is sent again.
    Repeat(PairId),
}

impl CheckList {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CandidatePair> {
        self.pairs.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut CandidatePair> {
        self.pairs.iter_mut()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&CandidatePair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut CandidatePair> {
        self.pairs.iter_mut().find(|pair| pair.id == id)
    }

    pub(crate) fn on_path(&self, path: Path) -> Option<&CandidatePair> {
        self.pairs.iter().find(|pair| pair.path == path)
    }

    /// The pair that sent this request; `path` is looked at first, as answers come back the way
    /// the request went.
    pub(crate) fn with_request(
        &mut self,
        path: Path,
        id: &TransactionId,
    ) -> Option<&mut CandidatePair> {
        let on_path = |pair: &CandidatePair| pair.path == path && pair.has_request(id);
        let at = self.pairs.iter().position(on_path);
        let at = at.or_else(|| self.pairs.iter().position(|pair| pair.has_request(id)))?;
        self.pairs.get_mut(at)
    }

    /// Adds a pair. When the list is full, a pair that is no loss gives way; `urgent` is a pair that
    /// the peer just checked. Returns whether there was room.
    pub(crate) fn insert(&mut self, mut pair: CandidatePair, limit: usize, urgent: bool) -> bool {
        if self.pairs.len() >= limit {
            let Some(victim) = self.least_useful() else {
                return false;
            };
            let Some(weakest) = self.pairs.get(victim) else {
                return false;
            };
            let is_loss = weakest.is_pending() && weakest.priority >= pair.priority;
            if is_loss && !urgent {
                return false;
            }
            self.pairs.swap_remove(victim);
        }
        let foundation = pair.candidates.foundation;
        // RFC 8838 §12: a new pair waits behind one of its foundation that is being checked, and
        // not behind one that succeeded.
        let mut alike = self
            .pairs
            .iter()
            .filter(|other| other.candidates.foundation == foundation);
        pair.state = if alike.any(holds_back) {
            PairState::Frozen
        } else {
            PairState::Waiting
        };
        self.pairs.push(pair);
        true
    }

    /// RFC 8445 §6.1.2.5: pairs of low priority are let go first; never one that is in use.
    fn least_useful(&self) -> Option<usize> {
        let free = self.pairs.iter().enumerate().filter(|(_, pair)| {
            !pair.is_valid()
                && !pair.is_in_state(PairState::InProgress)
                && !self.triggered.contains(&pair.id)
        });
        free.min_by_key(|(_, pair)| (pair.is_pending(), pair.priority))
            .map(|(at, _)| at)
    }

    /// RFC 8445 §7.3.1.4: checks this pair before all ordinary ones.
    pub(crate) fn trigger(&mut self, id: PairId) {
        if !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }

    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.retain(|queued| *queued != id);
    }

    /// RFC 8445 §7.2.5.3.3: what shares the foundation of a pair that works is worth a check.
    pub(crate) fn unfreeze(&mut self, foundation: (usize, usize)) {
        for pair in &mut self.pairs {
            if pair.candidates.foundation == foundation && pair.state == PairState::Frozen {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// RFC 8445 §6.1.4.2: triggered checks first, then those to repeat, then the ordinary ones.
    pub(crate) fn next_turn(&mut self, now: Instant) -> Option<Turn> {
        while let Some(id) = self.triggered.pop_front() {
            if self.get(id).is_some_and(|pair| !pair.expired) {
                return Some(Turn::Start(id));
            }
        }
        let due = |pair: &&CandidatePair| pair.wants_repetition().is_some_and(|due| due <= now);
        let repeat = self
            .pairs
            .iter()
            .filter(due)
            .min_by_key(|pair| pair.wants_repetition());
        if let Some(pair) = repeat {
            return Some(Turn::Repeat(pair.id));
        }
        self.next_ordinary().map(Turn::Start)
    }

    fn next_ordinary(&self) -> Option<PairId> {
        let best = |state: PairState| {
            self.pairs
                .iter()
                .filter(move |pair| pair.is_in_state(state))
                .filter(move |pair| state == PairState::Waiting || self.may_thaw(pair))
                .max_by_key(|pair| pair.priority)
                .map(|pair| pair.id)
        };
        best(PairState::Waiting).or_else(|| best(PairState::Frozen))
    }

    /// RFC 8445 §6.1.4.2: a frozen pair is checked when no pair of its foundation is about to be.
    fn may_thaw(&self, frozen: &CandidatePair) -> bool {
        let foundation = frozen.candidates.foundation;
        let mut alike = self
            .pairs
            .iter()
            .filter(|other| other.candidates.foundation == foundation);
        !alike.any(holds_back)
    }

    /// When [`next_turn`](Self::next_turn) has something, if turns are to be had from `turn` on.
    pub(crate) fn deadline(&self, turn: Instant) -> Option<Instant> {
        let repeat = self
            .pairs
            .iter()
            .filter_map(CandidatePair::wants_repetition);
        let repeat = repeat.min().map(|due| due.max(turn));
        let exhausted = self
            .pairs
            .iter()
            .filter_map(|pair| match pair.wants_repetition() {
                Some(_) => None,
                None => pair.check.map(|check| check.due),
            });
        let ready = !self.triggered.is_empty() || self.next_ordinary().is_some();
        let ready = ready.then_some(turn);
        ready.into_iter().chain(repeat).chain(exhausted).min()
    }

    /// RFC 8445 §14.3: the RTO grows with the number of checks that share the pacing.
    pub(crate) fn rto(&self, pacing: Duration) -> Duration {
        let sharing = self.pairs.iter().filter(|pair| {
            pair.is_in_state(PairState::Waiting) || pair.is_in_state(PairState::InProgress)
        });
        let sharing = u32::try_from(sharing.count()).unwrap_or(u32::MAX);
        MIN_RTO.max(pacing.saturating_mul(sharing))
    }

    /// Whether any check may still succeed without the peer's doing.
    pub(crate) fn is_pending(&self) -> bool {
        self.pairs.iter().any(CandidatePair::is_pending)
    }

    pub(crate) fn best_usable(&self, now: Instant) -> Option<&CandidatePair> {
        let usable = self.pairs.iter().filter(|pair| pair.is_usable(now));
        usable.max_by_key(|pair| pair.priority)
    }

    /// Takes pairs off the list for which `cancel` holds.
    pub(crate) fn cancel(&mut self, mut cancel: impl FnMut(&CandidatePair) -> bool) {
        for pair in &mut self.pairs {
            if pair.is_pending() && cancel(pair) {
                pair.cancel();
                self.triggered.retain(|queued| *queued != pair.id);
            }
        }
    }

    pub(crate) fn stop(&mut self) {
        self.triggered.clear();
        for pair in &mut self.pairs {
            pair.check = None;
            pair.in_flight.clear();
        }
    }
}

/// Whether pairs of the same foundation wait for this one. One that was not answered at once holds
/// nobody back: a peer that gives all its candidates one foundation is not to cost 39.5 s.
fn holds_back(pair: &CandidatePair) -> bool {
    pair.is_in_state(PairState::Waiting)
        || pair.is_in_state(PairState::InProgress)
            && pair.check.is_some_and(|check| check.transmissions < 2)
}

/// RFC 8445 §14.3: the least RTO of a check.
const MIN_RTO: Duration = Duration::from_millis(500);
