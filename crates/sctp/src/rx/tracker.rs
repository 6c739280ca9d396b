//! Which TSNs have been received.

use std::collections::VecDeque;

use crate::Tsn;

/// The cumulative TSN, and the ranges received beyond it.
#[derive(Debug)]
pub(crate) struct Tracker {
    cumulative: Tsn,
    /// First and last of each range, in order, never touching each other.
    ranges: VecDeque<(Tsn, Tsn)>,
    duplicates: Vec<Tsn>,
}

/// What a TSN is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next in order.
    Next,
    /// Beyond a gap.
    Ahead,
    /// Received before.
    Duplicate,
    /// Further ahead than can be reported, or one range too many.
    OutOfReach,
}

impl Tracker {
    pub(crate) fn new(initial: Tsn) -> Self {
        Self {
            cumulative: initial.previous(),
            ranges: VecDeque::new(),
            duplicates: Vec::new(),
        }
    }

    pub(crate) fn cumulative(&self) -> Tsn {
        self.cumulative
    }

    pub(crate) fn has_gaps(&self) -> bool {
        !self.ranges.is_empty()
    }

    pub(crate) fn classify(&self, tsn: Tsn) -> Arrival {
        let ahead = tsn.distance(self.cumulative);
        if ahead == 1 {
            return Arrival::Next;
        }
        if tsn <= self.cumulative {
            return Arrival::Duplicate;
        }
        // A gap ack block counts its distance in 16 bits.
        if ahead > u32::from(u16::MAX) {
            return Arrival::OutOfReach;
        }
        let index = self.position(tsn);
        let before = index.checked_sub(1).and_then(|i| self.ranges.get(i));
        if before.is_some_and(|(_, last)| tsn <= *last) {
            return Arrival::Duplicate;
        }
        let joins = before.is_some_and(|(_, last)| last.next() == tsn)
            || self
                .ranges
                .get(index)
                .is_some_and(|(first, _)| tsn.next() == *first);
        if !joins && self.ranges.len() >= MAX_RANGES {
            return Arrival::OutOfReach;
        }
        Arrival::Ahead
    }

    /// Notes a TSN that `classify` called `Next` or `Ahead`.
    pub(crate) fn insert(&mut self, tsn: Tsn) {
        if tsn == self.cumulative.next() {
            self.cumulative = tsn;
            self.absorb();
            return;
        }
        let index = self.position(tsn);
        let joins_next = self
            .ranges
            .get(index)
            .is_some_and(|(first, _)| tsn.next() == *first);
        let before = index.checked_sub(1).and_then(|i| self.ranges.get_mut(i));
        match before {
            Some((_, last)) if last.next() == tsn => {
                *last = tsn;
                if joins_next && let Some((_, end)) = self.ranges.remove(index) {
                    let before = index.checked_sub(1).and_then(|i| self.ranges.get_mut(i));
                    if let Some((_, last)) = before {
                        *last = end;
                    }
                }
            }
            _ if joins_next => {
                if let Some((first, _)) = self.ranges.get_mut(index) {
                    *first = tsn;
                }
            }
            _ => self.ranges.insert(index, (tsn, tsn)),
        }
    }

    /// RFC 3758 §3.6: takes all up to `tsn` as received. False if it is nothing new.
    pub(crate) fn forward(&mut self, tsn: Tsn) -> bool {
        if tsn <= self.cumulative {
            return false;
        }
        self.cumulative = tsn;
        self.absorb();
        true
    }

    /// Takes in the ranges that the cumulative TSN has reached.
    fn absorb(&mut self) {
        while let Some((first, last)) = self.ranges.front().copied()
            && first <= self.cumulative.next()
        {
            if last > self.cumulative {
                self.cumulative = last;
            }
            self.ranges.pop_front();
        }
    }

    /// How many ranges begin at or before `tsn`; the last one is looked at first, as most arrive in order.
    fn position(&self, tsn: Tsn) -> usize {
        match self.ranges.back() {
            Some((first, _)) if *first <= tsn => self.ranges.len(),
            _ => self.ranges.partition_point(|(first, _)| *first <= tsn),
        }
    }

    pub(crate) fn note_duplicate(&mut self, tsn: Tsn) {
        if self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(tsn);
        }
    }

    /// The ranges as distances from the cumulative TSN.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        let distance = |tsn: Tsn| u16::try_from(tsn.distance(self.cumulative)).unwrap_or(u16::MAX);
        let ranges = self.ranges.iter().take(MAX_REPORTED);
        ranges.map(move |(first, last)| (distance(*first), distance(*last)))
    }

    pub(crate) fn duplicates(&self) -> impl Iterator<Item = Tsn> + '_ {
        self.duplicates.iter().copied()
    }

    /// A SACK went out: duplicates are reported once.
    pub(crate) fn reported(&mut self) {
        self.duplicates.clear();
    }
}

/// More ranges than this are not kept: 8 KiB, and a bound to what inserting costs.
const MAX_RANGES: usize = 1024;
/// More are not put into a SACK.
const MAX_REPORTED: usize = 200;
const MAX_DUPLICATES: usize = 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_join() {
        let mut tracker = Tracker::new(Tsn(1));
        for tsn in [3, 5, 4, 8, 7] {
            assert_eq!(tracker.classify(Tsn(tsn)), Arrival::Ahead);
            tracker.insert(Tsn(tsn));
        }
        assert_eq!(Vec::from_iter(tracker.gaps()), [(3, 5), (7, 8)]);
        assert_eq!(tracker.classify(Tsn(4)), Arrival::Duplicate);
        assert_eq!(tracker.classify(Tsn(0)), Arrival::Duplicate);
        assert_eq!(tracker.classify(Tsn(70_000)), Arrival::OutOfReach);
        tracker.insert(Tsn(1));
        tracker.insert(Tsn(2));
        assert_eq!((tracker.cumulative(), tracker.ranges.len()), (Tsn(5), 1));
        assert!(tracker.forward(Tsn(6)) && !tracker.forward(Tsn(6)));
        assert_eq!((tracker.cumulative(), tracker.ranges.len()), (Tsn(8), 0));
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let mut tracker = Tracker::new(Tsn(0));
        for index in 0..4000 {
            let tsn = Tsn(2 + 2 * index);
            if tracker.classify(tsn) == Arrival::Ahead {
                tracker.insert(tsn);
            }
        }
        assert_eq!(tracker.ranges.len(), MAX_RANGES);
        assert_eq!(tracker.classify(Tsn(0)), Arrival::Next);
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(300))]

        /// Against a set, from a start that wraps.
        #[test]
        fn agrees_with_a_set(start in any::<u32>(), offsets in proptest::collection::vec(0u32..60, 1..80)) {
            let mut tracker = Tracker::new(Tsn(start));
            let mut seen = BTreeSet::new();
            for offset in offsets {
                let tsn = Tsn(start).advanced(offset);
                let arrival = tracker.classify(tsn);
                prop_assert_eq!(arrival == Arrival::Duplicate, !seen.insert(offset));
                if arrival != Arrival::Duplicate {
                    tracker.insert(tsn);
                }
                let cumulative = (0..).take_while(|o| seen.contains(o)).count() as u32;
                prop_assert_eq!(tracker.cumulative(), Tsn(start).advanced(cumulative).previous());
                let reported: u32 = tracker.gaps().map(|(a, b)| u32::from(b - a) + 1).sum();
                prop_assert_eq!(reported + cumulative, seen.len() as u32);
            }
        }
    }
}
