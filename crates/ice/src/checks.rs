//! The check list (RFC 8445 §6.1.2 and §6.1.4): which pair is checked next.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use oxirtc_stun::TransactionId;

use crate::{
    base::{BaseId, PairKey},
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

    pub(crate) fn at(&self, key: PairKey) -> Option<&CandidatePair> {
        self.pairs.iter().find(|pair| pair.key == key)
    }

    /// The pair that sent this request; the one of `key` is looked at first, as answers come back the
    /// way the request went.
    pub(crate) fn with_request(
        &mut self,
        key: PairKey,
        id: &TransactionId,
    ) -> Option<&mut CandidatePair> {
        let on_way = |pair: &CandidatePair| pair.key == key && pair.has_request(id);
        let at = self.pairs.iter().position(on_way);
        let at = at.or_else(|| self.pairs.iter().position(|pair| pair.has_request(id)))?;
        self.pairs.get_mut(at)
    }

    /// Adds a pair. When the list is full, a pair that is no loss gives way; `urgent` is a pair that
    /// the peer just checked.
    pub(crate) fn insert(
        &mut self,
        mut pair: CandidatePair,
        limit: usize,
        urgent: bool,
    ) -> Inserted {
        if urgent {
            self.drop_oldest_learnt();
        }
        let full = self.pairs.len() >= limit;
        if full {
            let Some(victim) = self.least_useful(urgent) else {
                return Inserted::Refused;
            };
            let Some(weakest) = self.pairs.get(victim) else {
                return Inserted::Refused;
            };
            let is_loss = weakest.is_pending() && weakest.priority >= pair.priority;
            if is_loss && !urgent {
                return Inserted::Refused;
            }
            self.untrigger(weakest.id);
            self.pairs.swap_remove(victim);
        }
        let foundation = pair.foundation;
        // RFC 8838 §12: a new pair waits behind one of its foundation that is being checked, and
        // not behind one that succeeded.
        let mut alike = self
            .pairs
            .iter()
            .filter(|other| other.foundation == foundation);
        pair.state = if alike.any(holds_back) {
            PairState::Frozen
        } else {
            PairState::Waiting
        };
        self.pairs.push(pair);
        if full {
            Inserted::Replaced
        } else {
            Inserted::Added
        }
    }

    /// Pairs that requests of the peer brought and that have not proved to work are few: whoever may
    /// send requests might send them from anywhere.
    fn drop_oldest_learnt(&mut self) {
        let learnt = |pair: &&CandidatePair| pair.learnt && !pair.is_valid() && pair.is_pending();
        if self.pairs.iter().filter(learnt).count() >= MAX_LEARNT
            && let Some(oldest) = self.pairs.iter().filter(learnt).map(|pair| pair.id).min()
        {
            self.untrigger(oldest);
            self.pairs.retain(|pair| pair.id != oldest);
        }
    }

    /// Takes pairs out of service that have lost what they go on; which they were.
    pub(crate) fn end(&mut self, over: impl Fn(PairKey) -> bool) -> Vec<PairId> {
        let mut ended = Vec::new();
        for pair in self.pairs.iter_mut().filter(|pair| over(pair.key)) {
            pair.fail();
            ended.push(pair.id);
        }
        self.triggered.retain(|id| !ended.contains(id));
        ended
    }

    /// RFC 8445 §6.1.2.5: pairs of low priority are let go first; never one that is in use. What the peer has just checked comes before
    /// what is being checked and was never asked for: a whole list may be of addresses that nobody has.
    fn least_useful(&self, urgent: bool) -> Option<usize> {
        let is_checked = |pair: &CandidatePair| pair.is_in_state(PairState::InProgress);
        let free = self.pairs.iter().enumerate().filter(|(_, pair)| {
            let gives_way = urgent && pair.counters.requests_received == 0;
            !pair.is_valid()
                && (!is_checked(pair) || gives_way)
                && !self.triggered.contains(&pair.id)
        });
        free.min_by_key(|(_, pair)| (pair.is_pending(), is_checked(pair), pair.priority))
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
            if pair.foundation == foundation && pair.state == PairState::Frozen {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// RFC 8445 §6.1.4.2: triggered checks first, then those to repeat, then the ordinary ones.
    pub(crate) fn next_turn(&mut self, now: Instant) -> Option<Turn> {
        while let Some(at) = self.first_triggered() {
            let id = self.triggered.remove(at)?;
            if self
                .get(id)
                .is_some_and(|pair| !pair.expired && pair.state != PairState::Failed)
            {
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

    /// The first triggered check that gets through.
    fn first_triggered(&self) -> Option<usize> {
        let open = |id: &PairId| self.get(*id).is_none_or(|pair| !pair.shut);
        self.triggered.iter().position(open)
    }

    fn next_ordinary(&self) -> Option<PairId> {
        let best = |state: PairState| {
            self.pairs
                .iter()
                .filter(move |pair| pair.is_in_state(state) && !pair.shut)
                .filter(move |pair| state == PairState::Waiting || self.may_thaw(pair))
                .max_by_key(|pair| pair.priority)
                .map(|pair| pair.id)
        };
        best(PairState::Waiting).or_else(|| best(PairState::Frozen))
    }

    /// RFC 8445 §6.1.4.2: a frozen pair is checked when no pair of its foundation is about to be.
    fn may_thaw(&self, frozen: &CandidatePair) -> bool {
        let foundation = frozen.foundation;
        let mut alike = self
            .pairs
            .iter()
            .filter(|other| other.foundation == foundation);
        !alike.any(holds_back)
    }

    /// Something waits that goes before ordinary checks.
    pub(crate) fn is_urgent(&self) -> bool {
        self.first_triggered().is_some()
    }

    /// Whether a pair may be added without the loss of one that is of use.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.pairs
            .iter()
            .filter(|pair| pair.state != PairState::Failed)
            .count()
            < limit
    }

    /// When [`next_turn`](Self::next_turn) has something.
    pub(crate) fn ready(&self, now: Instant) -> Option<Instant> {
        if self.first_triggered().is_some() || self.next_ordinary().is_some() {
            return Some(now);
        }
        self.pairs
            .iter()
            .filter_map(CandidatePair::wants_repetition)
            .min()
    }

    /// When a check ends that was sent as often as it may.
    pub(crate) fn exhaustion(&self) -> Option<Instant> {
        let last = self
            .pairs
            .iter()
            .filter(|pair| pair.wants_repetition().is_none());
        last.filter_map(|pair| pair.check.map(|check| check.due))
            .min()
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

    /// The best pair that may still prove to work of each base that has none which does.
    pub(crate) fn ways_out(&self) -> Vec<PairId> {
        let works = |base: BaseId| {
            let mut pairs = self.pairs.iter().filter(|pair| pair.key.base == base);
            pairs.any(CandidatePair::is_valid)
        };
        let mut pending: Vec<_> = self.pairs.iter().filter(|pair| pair.is_pending()).collect();
        pending.sort_by_key(|pair| std::cmp::Reverse(pair.priority));
        let mut bases = Vec::new();
        pending.retain(|pair| {
            let first = !bases.contains(&pair.key.base);
            bases.push(pair.key.base);
            first && !works(pair.key.base)
        });
        pending
            .into_iter()
            .take(MAX_WAYS_OUT)
            .map(|pair| pair.id)
            .collect()
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

    /// Puts back on the list what was taken off it, as nothing is nominated any more.
    pub(crate) fn restore(&mut self) {
        for pair in &mut self.pairs {
            pair.cancelled = false;
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

/// What became of a pair that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Added,
    /// It took the place of another one.
    Replaced,
    /// The list is full of better ones.
    Refused,
}

impl Inserted {
    pub(crate) fn is_in(self) -> bool {
        self != Self::Refused
    }

    pub(crate) fn is_full(self) -> bool {
        self != Self::Added
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
/// Pairs that are still checked after nomination.
const MAX_WAYS_OUT: usize = 4;
/// Pairs learnt from requests and not valid yet.
const MAX_LEARNT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Request;

    fn pair(number: u64, foundation: usize, priority: u64) -> CandidatePair {
        let remote = format!("10.0.0.9:{}", number + 1).parse().unwrap();
        let key = PairKey {
            base: BaseId(0),
            remote,
        };
        let mut pair = CandidatePair::new(key, (0, 0), (0, foundation), priority);
        pair.id = PairId(number);
        pair
    }

    fn start(list: &mut CheckList, id: PairId, now: Instant) {
        let request = Request {
            id: TransactionId::new([0; 12]),
            sent: now,
            repeated: false,
            nominates: None,
            epoch: 0,
            priority: 1,
        };
        list.get_mut(id).unwrap().start(now, MIN_RTO, request);
    }

    /// RFC 8445 §6.1.2.6 and §6.1.4.2: one pair of a foundation at a time, the best first, until one
    /// works or is not answered at once.
    #[test]
    fn foundations_freeze_and_thaw() {
        let now = oxirtc_netsim::epoch();
        let mut list = CheckList::default();
        for (number, foundation, priority) in [(0, 1, 10), (1, 1, 20), (2, 2, 5)] {
            assert!(
                list.insert(pair(number, foundation, priority), 100, false)
                    .is_in()
            );
        }
        assert_eq!(list.get(PairId(1)).unwrap().state, PairState::Frozen);
        for expected in [0, 2] {
            assert_eq!(list.next_turn(now), Some(Turn::Start(PairId(expected))));
            start(&mut list, PairId(expected), now);
        }
        assert_eq!(list.next_turn(now), None);
        assert_eq!(list.ready(now), Some(now + MIN_RTO));
        let later = now + MIN_RTO;
        for expected in [0, 2] {
            assert_eq!(list.next_turn(later), Some(Turn::Repeat(PairId(expected))));
            list.get_mut(PairId(expected)).unwrap().repeat(later);
        }
        assert_eq!(list.next_turn(later), Some(Turn::Start(PairId(1))));
        list.unfreeze((0, 1));
        assert_eq!(list.get(PairId(1)).unwrap().state, PairState::Waiting);
    }

    #[test]
    fn triggered_checks_come_first() {
        let now = oxirtc_netsim::epoch();
        let mut list = CheckList::default();
        for number in 0..3 {
            list.insert(
                pair(number, usize::try_from(number).unwrap(), number),
                100,
                false,
            );
        }
        list.trigger(PairId(0));
        list.trigger(PairId(0));
        assert_eq!(list.next_turn(now), Some(Turn::Start(PairId(0))));
        assert_eq!(list.next_turn(now), Some(Turn::Start(PairId(2))));
    }

    /// RFC 8445 §6.1.2.5: the lowest give way to better ones, and to what the peer asks for.
    #[test]
    fn a_full_list_keeps_what_matters() {
        let now = oxirtc_netsim::epoch();
        let mut list = CheckList::default();
        for number in 0..4 {
            list.insert(
                pair(number, usize::try_from(number).unwrap(), 10 + number),
                4,
                false,
            );
        }
        start(&mut list, PairId(0), now);
        assert_eq!(list.insert(pair(4, 4, 5), 4, false), Inserted::Refused);
        assert!(list.insert(pair(5, 5, 50), 4, false).is_in());
        assert!(list.get(PairId(1)).is_none() && list.get(PairId(0)).is_some());
        assert!(list.insert(pair(6, 6, 1), 4, true).is_in());
        list.trigger(PairId(6));
        assert!(list.insert(pair(7, 7, 60), 4, false).is_in());
        assert!(list.get(PairId(6)).is_some() && list.iter().count() == 4);
    }

    /// Where all of them are being checked, the lowest gives way to what the peer has checked, and to nothing else; what the peer has
    /// checked itself does not.
    #[test]
    fn a_list_that_is_being_checked_has_room_for_the_peer() {
        let now = oxirtc_netsim::epoch();
        let mut list = CheckList::default();
        for (number, foundation) in (0..4).zip(0..) {
            list.insert(pair(number, foundation, 10 + number), 4, false);
            start(&mut list, PairId(number), now);
        }
        list.get_mut(PairId(0)).unwrap().counters.requests_received = 1;
        assert_eq!(list.insert(pair(4, 4, 50), 4, false), Inserted::Refused);
        assert_eq!(list.insert(pair(5, 5, 1), 4, true), Inserted::Replaced);
        let left: Vec<_> = list.iter().map(|it| it.id.0).collect();
        assert_eq!(left, [0, 3, 2, 5], "the second was the lowest");
    }

    /// RFC 8445 §14.3.
    #[test]
    fn the_rto_grows_with_the_list() {
        let pacing = Duration::from_millis(50);
        let mut list = CheckList::default();
        assert_eq!(list.rto(pacing), MIN_RTO);
        for number in 0..40 {
            list.insert(
                pair(number, usize::try_from(number).unwrap(), number),
                100,
                false,
            );
        }
        assert_eq!(list.rto(pacing), Duration::from_secs(2));
    }
}
