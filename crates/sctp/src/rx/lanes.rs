//! Putting interleaved messages together (RFC 8260 §2.2): a lane a message, with its pieces in their order.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeInclusive,
};

use super::reassembly::{Outcome, Reassembly};
use crate::{Mid, StreamId, Tsn, account::Account, effort, packet::Data, serial::Seq};

/// The messages that are not complete.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Key, Lane>,
    /// Those that were given up, freed piece by piece.
    dropped: VecDeque<Lane>,
    limit: usize,
    cost: Account,
    /// How long the last message was: the next is likely to be alike.
    expected: usize,
    /// What was done beside taking chunks, since that was asked.
    effort: usize,
}

/// Stream, whether unordered, and the message's number.
type Key = (StreamId, bool, u32);

#[derive(Debug)]
struct Lane {
    pieces: Reassembly,
    bytes: usize,
    highest: u32,
    /// The number of the last piece, once it is here.
    end: Option<u32>,
}

impl Lanes {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            lanes: BTreeMap::new(),
            dropped: VecDeque::new(),
            limit,
            cost: Account::default(),
            expected: 0,
            effort: 0,
        }
    }

    /// No more room than this is to be made for a message before it has come.
    pub(crate) fn expect_at_most(&mut self, room: usize) {
        self.expected = self.expected.min(room);
    }

    /// What was done beside taking chunks, since this was asked last.
    pub(crate) fn take_effort(&mut self) -> usize {
        std::mem::take(&mut self.effort)
    }

    pub(crate) fn cost(&self) -> usize {
        self.cost.total()
    }

    /// What a chunk adds at most.
    pub(crate) fn cost_of(payload: usize) -> usize {
        Reassembly::cost_of(payload) + LANE_COST
    }

    /// Takes a piece with this number of its message; its SSN is 0 and its PPID counts in the first one only.
    pub(crate) fn insert(&mut self, data: &Data<'_>, mid: Mid, fsn: u32) -> Outcome {
        let (begin, end) = (data.has(Data::BEGIN), data.has(Data::END));
        if begin != (fsn == 0) || fsn > MAX_PIECES {
            return Outcome::Contradiction;
        }
        let key = (data.stream, data.has(Data::UNORDERED), mid.0);
        // Only where no other message is incomplete, so that what is kept ready stays bounded.
        let expected = if self.lanes.is_empty() {
            self.expected
        } else {
            0
        };
        let (limit, cost) = (self.limit, &mut self.cost);
        let lane = self.lanes.entry(key).or_insert_with(|| {
            cost.add(LANE_COST);
            Lane {
                pieces: Reassembly::of_one_message(limit, expected),
                bytes: 0,
                highest: 0,
                end: None,
            }
        });
        if lane.end.is_some_and(|last| end || fsn > last) || (end && fsn < lane.highest) {
            return Outcome::Contradiction;
        }
        lane.bytes += data.payload.len();
        if lane.bytes > limit {
            return Outcome::TooLarge;
        }
        lane.highest = lane.highest.max(fsn);
        lane.end = lane.end.or(end.then_some(fsn));
        let (before, at) = (lane.pieces.cost(), Seq::first(Tsn(fsn)));
        if lane.pieces.append(at, data) {
            self.effort += lane.pieces.take_effort();
            self.cost.add(lane.pieces.cost() - before);
            return Outcome::Stored;
        }
        // TSNs that have come are told apart before; the numbers of pieces are the peer's word.
        if lane.pieces.has(at) {
            return Outcome::Contradiction;
        }
        let outcome = lane.pieces.insert_at(at, data);
        self.effort += lane.pieces.take_effort();
        self.cost.add(lane.pieces.cost());
        self.cost.take(before);
        if let Outcome::Complete(message) = &outcome {
            self.expected = Reassembly::expected_after(message.payload.len());
            self.lanes.remove(&key);
            self.cost.take(LANE_COST);
        }
        outcome
    }

    /// Gives up the messages of a range. False if what is `left` did not suffice.
    fn drop_range(&mut self, range: RangeInclusive<Key>, left: &mut usize) -> bool {
        while let Some((&key, _)) = self.lanes.range(range.clone()).next() {
            if !effort::take(left, effort::TOUCHED) {
                return false;
            }
            self.dropped.extend(self.lanes.remove(&key));
        }
        true
    }

    /// Frees what was given up. False if what is `left` did not suffice.
    pub(crate) fn sweep(&mut self, left: &mut usize) -> bool {
        while let Some(lane) = self.dropped.front_mut() {
            let before = lane.pieces.cost();
            let gone = *left > 0 && lane.pieces.clear(left);
            self.cost.take(before - lane.pieces.cost());
            if !gone {
                return false;
            }
            self.dropped.pop_front();
            self.cost.take(LANE_COST);
            // Nobody reckons for its room, and the last of them may have many pieces.
            if self.dropped.capacity() > 2 * self.dropped.len() {
                self.dropped.shrink_to_fit();
            }
        }
        true
    }

    /// Whether `sweep` has something to free.
    pub(crate) fn is_sweeping(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// RFC 8260 §2.3.1: the sender gave up this message and those before it. False if what is `left` did
    /// not suffice.
    pub(crate) fn skip(
        &mut self,
        stream: StreamId,
        unordered: bool,
        mid: Mid,
        left: &mut usize,
    ) -> bool {
        // Numbers wrap: what is less than half of them back is before.
        let half = mid.0.wrapping_sub(u32::MAX / 2);
        let parts = match half <= mid.0 {
            true => [(half, mid.0), (1, 0)],
            false => [(0, mid.0), (half, u32::MAX)],
        };
        parts.into_iter().all(|(first, last)| {
            let range = (stream, unordered, first)..=(stream, unordered, last);
            first > last || self.drop_range(range, left)
        })
    }

    /// The stream begins anew. False if what is `left` did not suffice.
    pub(crate) fn reset(&mut self, stream: StreamId, left: &mut usize) -> bool {
        self.drop_range((stream, false, 0)..=(stream, true, u32::MAX), left)
    }

    /// All streams begin anew.
    pub(crate) fn reset_all(&mut self, left: &mut usize) -> bool {
        self.drop_range((0, false, 0)..=(StreamId::MAX, true, u32::MAX), left)
    }

    /// Compares the account with what it counts.
    pub(crate) fn check(&self) {
        let lanes = self.lanes.values().chain(&self.dropped);
        let counted = lanes.map(|lane| {
            lane.pieces.check();
            lane.pieces.cost() + LANE_COST
        });
        assert_eq!(self.cost.total(), counted.sum(), "lanes");
    }

    /// Frees, in steps, what was not complete of messages that are not interleaved.
    pub(crate) fn give_up(&mut self, pieces: Reassembly) {
        if pieces.cost() > 0 {
            self.cost.add(LANE_COST + pieces.cost());
            self.dropped.push_back(Lane {
                pieces,
                bytes: 0,
                highest: 0,
                end: None,
            });
        }
    }
}

/// What a lane costs beside its pieces.
const LANE_COST: usize = 640;
/// The highest number of a piece: a message of the most bytes in pieces of one.
const MAX_PIECES: u32 = 1 << 30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Ssn;
    use crate::effort::TOUCHED;

    fn piece(flags: u8, payload: &[u8]) -> Data<'_> {
        Data {
            flags,
            tsn: Tsn(0),
            stream: 3,
            ssn: Ssn(0),
            ppid: 51,
            payload,
        }
    }

    #[test]
    fn contradictions_are_found() {
        let insert = |lanes: &mut Lanes, fsn, flags| lanes.insert(&piece(flags, b"x"), Mid(1), fsn);
        for wrong in [
            vec![(0, 0)],
            vec![(1, Data::BEGIN)],
            vec![(2, Data::END), (3, 0)],
            vec![(2, Data::END), (1, Data::END)],
            vec![(3, 0), (2, Data::END)],
            vec![(0, Data::BEGIN), (0, Data::BEGIN)],
            vec![(5, 0), (5, 0)],
            vec![(4, 0), (5, 0), (6, 0), (5, 0)],
            vec![(2, 0), (5, Data::END), (2, 0)],
            vec![(u32::MAX, 0)],
        ] {
            let mut lanes = Lanes::new(100);
            let outcomes = wrong
                .iter()
                .map(|(fsn, flags)| insert(&mut lanes, *fsn, *flags));
            assert_eq!(outcomes.last(), Some(Outcome::Contradiction), "{wrong:?}");
        }
        let mut lanes = Lanes::new(2);
        for fsn in [1, 3] {
            assert_eq!(insert(&mut lanes, fsn, 0), Outcome::Stored);
        }
        assert_eq!(insert(&mut lanes, 5, 0), Outcome::TooLarge);
    }

    #[test]
    fn what_is_skipped_is_dropped_and_numbers_wrap() {
        let mut lanes = Lanes::new(100);
        for mid in [u32::MAX - 1, u32::MAX, 0, 1, 2] {
            lanes.insert(&piece(Data::BEGIN, b"x"), Mid(mid), 0);
        }
        assert!(lanes.skip(3, true, Mid(1), &mut { TOUCHED }));
        assert_eq!(lanes.lanes.len(), 5);
        assert!(
            !lanes.skip(3, false, Mid(0), &mut (2 * TOUCHED))
                && lanes.skip(3, false, Mid(0), &mut { TOUCHED })
        );
        assert_eq!(Vec::from_iter(lanes.lanes.keys().map(|key| key.2)), [1, 2]);
        assert!(!lanes.reset(3, &mut { TOUCHED }) && lanes.reset(3, &mut { TOUCHED }));
        assert_eq!(lanes.lanes.len(), 0);
        assert!(
            lanes.is_sweeping()
                && !lanes.sweep(&mut (9 * TOUCHED))
                && lanes.sweep(&mut (9 * TOUCHED))
        );
        assert_eq!((lanes.cost(), lanes.is_sweeping()), (0, false));
    }

    /// RFC 6525 §5.2.2: the numbers of both begin anew.
    #[test]
    fn a_reset_drops_ordered_and_unordered() {
        let mut lanes = Lanes::new(100);
        for flags in [0, Data::UNORDERED] {
            lanes.insert(&piece(flags | Data::BEGIN, b"x"), Mid(0), 0);
        }
        assert_eq!(lanes.lanes.len(), 2);
        assert!(lanes.reset(3, &mut (10 * TOUCHED)) && lanes.sweep(&mut (10 * TOUCHED)));
        assert_eq!((lanes.cost(), lanes.lanes.len()), (0, 0));
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(300))]

        /// Any order of the pieces of three messages of one stream gives the three messages.
        #[test]
        fn any_order(lengths in proptest::collection::vec(2usize..8, 3),
                     order in Just((0..24usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut pieces = Vec::new();
            for (mid, length) in lengths.iter().enumerate() {
                for fsn in 0..*length {
                    let mut flags = if fsn == 0 { Data::BEGIN } else { 0 };
                    flags |= if fsn + 1 == *length { Data::END } else { 0 };
                    pieces.push((mid as u32, fsn as u32, flags));
                }
            }
            let mut lanes = Lanes::new(1000);
            let mut complete = 0;
            for index in order.into_iter().filter(|index| *index < pieces.len()) {
                let (mid, fsn, flags) = pieces[index];
                let payload = [mid as u8, fsn as u8];
                let data = Data { ppid: if fsn == 0 { 51 } else { 0 }, ..piece(flags, &payload) };
                if let Outcome::Complete(message) = lanes.insert(&data, Mid(mid), fsn) {
                    let payload = message.payload.concat();
                    prop_assert_eq!(payload.len(), 2 * lengths[usize::from(payload[0])]);
                    prop_assert!(payload.chunks(2).enumerate().all(|(fsn, it)| usize::from(it[1]) == fsn));
                    prop_assert_eq!(message.ppid, 51);
                    complete += 1;
                }
            }
            prop_assert_eq!((complete, lanes.cost(), lanes.lanes.len()), (3, 0, 0));
        }
    }
}
