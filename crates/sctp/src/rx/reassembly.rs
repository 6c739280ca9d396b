//! Putting messages together from DATA chunks.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Ssn, StreamId, Tsn, packet::Data};

/// A message of which all chunks have come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) stream: StreamId,
    pub(crate) ssn: Ssn,
    pub(crate) ppid: u32,
    pub(crate) ordered: bool,
    pub(crate) payload: Payload,
}

/// The bytes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Whole(Bytes),
    /// In order, not put together yet.
    Parts {
        length: usize,
        parts: VecDeque<Vec<u8>>,
    },
}

/// What became of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It waits for others.
    Stored,
    /// It was the last one missing.
    Complete(Completed),
    /// The message grows beyond the limit.
    TooLarge,
    /// It contradicts its neighbours.
    Contradiction,
}

/// Neighbouring pieces of one message. The chunks of a message have consecutive TSNs (RFC 9260 §6.9), so that a run is
/// found by its TSNs alone, and there are at most two incomplete ones a range of received TSNs.
#[derive(Debug)]
struct Run {
    first: Tsn,
    last: Tsn,
    begin: bool,
    stream: StreamId,
    ssn: Ssn,
    ppid: u32,
    ordered: bool,
    end: bool,
    length: usize,
    /// In order; one only unless the message is long or pieces came out of order.
    parts: VecDeque<Vec<u8>>,
}

/// The messages that are not complete.
#[derive(Debug)]
pub(crate) struct Reassembly {
    runs: VecDeque<Run>,
    limit: usize,
    cost: usize,
    /// All pieces are of one message, and only the first one says what it is (RFC 8260 §2.1).
    one_message: bool,
    /// How long the last message of several chunks was: the next is likely to be alike.
    expected: usize,
}

impl Reassembly {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            runs: VecDeque::new(),
            limit,
            cost: 0,
            one_message: false,
            expected: 0,
        }
    }

    /// For the pieces of one message, with their numbers in place of TSNs, which is likely to be so long.
    pub(crate) fn of_one_message(limit: usize, expected: usize) -> Self {
        Self {
            one_message: true,
            expected,
            ..Self::new(limit)
        }
    }

    /// What room to make for a message after one that was so long.
    pub(crate) fn expected_after(length: usize) -> usize {
        length.min(MAX_EXPECTED)
    }

    /// The memory that incomplete messages take.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// What a chunk adds at most.
    pub(crate) fn cost_of(payload: usize) -> usize {
        payload + RUN_COST + PART_COST
    }

    pub(crate) fn insert(&mut self, data: &Data<'_>) -> Outcome {
        let (begin, end) = (data.has(Data::BEGIN), data.has(Data::END));
        if data.payload.len() > self.limit {
            return Outcome::TooLarge;
        }
        let index = match self.runs.back() {
            Some(run) if run.first < data.tsn => self.runs.len(),
            _ => self.runs.partition_point(|run| run.first < data.tsn),
        };
        let (mut index, mut left) = self.left(index, data.tsn, begin);
        if begin && end && !left {
            return Outcome::Complete(Completed {
                stream: data.stream,
                ssn: data.ssn,
                ppid: data.ppid,
                ordered: !data.has(Data::UNORDERED),
                payload: Payload::Whole(Bytes::copy_from_slice(data.payload)),
            });
        }
        if left {
            index -= 1;
            let Some(run) = self.runs.get_mut(index) else {
                return Outcome::Contradiction;
            };
            if !self.one_message && run.says() != says(data) {
                return Outcome::Contradiction;
            }
            if run.length + data.payload.len() > self.limit {
                return Outcome::TooLarge;
            }
            let before = run.cost();
            run.append(data.payload);
            (run.last, run.end) = (data.tsn, end);
            self.cost += run.cost() - before;
        } else {
            // Only a message at the front has room made for it, so that what is kept ready stays bounded.
            let room = if self.runs.is_empty() && begin {
                self.expected
            } else {
                0
            };
            let run = Run::new(data, room);
            self.cost += run.cost();
            self.runs.insert(index, run);
            left = true;
        }
        debug_assert!(left);
        self.join_right(index)
    }

    /// Whether the run before `index` goes on with this TSN. A run that should, but cannot, will never be complete.
    fn left(&mut self, index: usize, tsn: Tsn, begin: bool) -> (usize, bool) {
        let Some(before) = index.checked_sub(1) else {
            return (index, false);
        };
        match self.runs.get(before) {
            Some(run) if run.last.next() == tsn && !run.end => {
                if begin {
                    self.remove(before);
                    (before, false)
                } else {
                    (index, true)
                }
            }
            _ => (index, false),
        }
    }

    fn join_right(&mut self, index: usize) -> Outcome {
        let Some(run) = self.runs.get(index) else {
            return Outcome::Contradiction;
        };
        let (next, end) = (run.last.next(), run.end);
        if let Some(right) = self.runs.get(index + 1)
            && right.first == next
            && !end
        {
            if right.begin {
                // The message here has no end: its sender gave it up.
                self.remove(index);
                return Outcome::Stored;
            }
            let Some(right) = self.runs.remove(index + 1) else {
                return Outcome::Contradiction;
            };
            self.cost -= RUN_COST.min(self.cost);
            let Some(run) = self.runs.get_mut(index) else {
                return Outcome::Contradiction;
            };
            if !self.one_message && run.says() != right.says() {
                return Outcome::Contradiction;
            }
            if run.length + right.length > self.limit {
                return Outcome::TooLarge;
            }
            (run.last, run.end) = (right.last, right.end);
            run.length += right.length;
            run.join(right.parts);
        }
        let complete = self.runs.get(index).is_some_and(|run| run.begin && run.end);
        if !complete {
            return Outcome::Stored;
        }
        match self.remove(index) {
            Some(run) => {
                self.expected = Self::expected_after(run.length);
                Outcome::Complete(run.complete())
            }
            None => Outcome::Stored,
        }
    }

    fn remove(&mut self, index: usize) -> Option<Run> {
        let run = self.runs.remove(index)?;
        self.cost -= run.cost().min(self.cost);
        Some(run)
    }

    /// The cumulative TSN moved: what can no longer become complete is dropped. Looks at the front only, as one run at
    /// most reaches the cumulative TSN without an end.
    pub(crate) fn cumulative_moved(&mut self, cumulative: Tsn) {
        while let Some(run) = self.runs.front()
            && (run.last < cumulative || (!run.begin && run.first <= cumulative.next()))
        {
            self.remove(0);
        }
    }

    /// RFC 3758 §3.6: the sender gave up what is up to here.
    pub(crate) fn forward(&mut self, skipped: Tsn) {
        while let Some(run) = self.runs.front()
            && run.first <= skipped
        {
            self.remove(0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.cost = 0;
    }
}

impl Run {
    fn new(data: &Data<'_>, room: usize) -> Self {
        let mut segment = Vec::with_capacity(room.max(data.payload.len()));
        segment.extend_from_slice(data.payload);
        Self {
            first: data.tsn,
            last: data.tsn,
            begin: data.has(Data::BEGIN),
            end: data.has(Data::END),
            stream: data.stream,
            ssn: data.ssn,
            ppid: data.ppid,
            ordered: !data.has(Data::UNORDERED),
            length: data.payload.len(),
            parts: VecDeque::from([segment]),
        }
    }

    /// What all pieces of a message say alike.
    fn says(&self) -> (StreamId, Option<Ssn>, u32) {
        (self.stream, self.ordered.then_some(self.ssn), self.ppid)
    }

    fn cost(&self) -> usize {
        self.length + RUN_COST + self.parts.len() * PART_COST
    }

    fn append(&mut self, payload: &[u8]) {
        self.length += payload.len();
        let part = self.parts.back_mut();
        let Some(part) = part.filter(|part| part.len() + payload.len() <= MAX_PART) else {
            let mut part = Vec::with_capacity(payload.len());
            part.extend_from_slice(payload);
            self.parts.push_back(part);
            return;
        };
        if part.capacity() - part.len() < payload.len() {
            // By a quarter: what is reserved and not used stays a small part of the window.
            part.reserve_exact(payload.len().max(part.len() / 4));
        }
        part.extend_from_slice(payload);
    }

    /// Appends what came after it; the fewer parts move.
    fn join(&mut self, mut right: VecDeque<Vec<u8>>) {
        if self.parts.len() >= right.len() {
            self.parts.append(&mut right);
        } else {
            while let Some(part) = self.parts.pop_back() {
                right.push_front(part);
            }
            self.parts = right;
        }
    }

    fn complete(mut self) -> Completed {
        let payload = match self.parts.len() {
            1 => {
                let mut whole = self.parts.pop_back().unwrap_or_default();
                whole.shrink_to_fit();
                Payload::Whole(Bytes::from(whole))
            }
            _ => Payload::Parts {
                length: self.length,
                parts: self.parts,
            },
        };
        Completed {
            stream: self.stream,
            ssn: self.ssn,
            ppid: self.ppid,
            ordered: self.ordered,
            payload,
        }
    }
}

/// RFC 9260 §3.3.1: the number of an unordered message says nothing.
fn says(data: &Data<'_>) -> (StreamId, Option<Ssn>, u32) {
    let ordered = !data.has(Data::UNORDERED);
    (data.stream, ordered.then_some(data.ssn), data.ppid)
}

impl Payload {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts { length, .. } => *length,
        }
    }

    /// The memory it takes.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts { length, parts } => length + parts.len() * PART_COST,
        }
    }

    pub(crate) fn concat(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Parts { mut parts, .. } => Bytes::from(parts.make_contiguous().concat()),
        }
    }
}

/// What a run costs beside its bytes.
const RUN_COST: usize = 192;
/// What a part of a message costs beside its bytes.
const PART_COST: usize = 64;
/// A part is not made longer than this: what is copied at once when one grows stays small.
const MAX_PART: usize = 256 << 10;
/// The most that is made ready for a message before it has come.
const MAX_EXPECTED: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(tsn: u32, flags: u8, payload: &[u8]) -> Data<'_> {
        Data {
            flags,
            tsn: Tsn(tsn),
            stream: 3,
            ssn: Ssn(9),
            ppid: 51,
            payload,
        }
    }

    #[test]
    fn a_new_beginning_ends_what_was_open() {
        let mut reassembly = Reassembly::new(100);
        assert_eq!(
            reassembly.insert(&chunk(1, Data::BEGIN, b"ab")),
            Outcome::Stored
        );
        let Outcome::Complete(message) =
            reassembly.insert(&chunk(2, Data::BEGIN | Data::END, b"c"))
        else {
            panic!("a message in one chunk is complete");
        };
        assert_eq!(&*message.payload.concat(), b"c");
        assert_eq!((reassembly.cost(), reassembly.runs.len()), (0, 0));
    }

    #[test]
    fn neighbours_of_another_stream_contradict() {
        let end = || chunk(2, Data::END, b"c");
        let other = [
            (end(), true),
            (Data { stream: 4, ..end() }, false),
            (Data { ppid: 50, ..end() }, false),
            (
                Data {
                    ssn: Ssn(8),
                    ..end()
                },
                false,
            ),
            (unordered(end()), false),
        ];
        // Whichever of them comes first.
        for (other, alike) in other {
            for early in [false, true] {
                let mut pieces = [&chunk(1, Data::BEGIN, b"ab"), &other];
                pieces.rotate_left(usize::from(early));
                let mut reassembly = Reassembly::new(100);
                assert_eq!(reassembly.insert(pieces[0]), Outcome::Stored);
                let contradicts = reassembly.insert(pieces[1]) == Outcome::Contradiction;
                assert_eq!(contradicts, !alike, "{other:?}, early: {early}");
            }
        }
    }

    fn unordered(data: Data<'_>) -> Data<'_> {
        let flags = data.flags | Data::UNORDERED;
        Data { flags, ..data }
    }

    /// RFC 9260 §3.3.1: whatever stands there.
    #[test]
    fn unordered_pieces_have_no_number() {
        let begin = unordered(chunk(1, Data::BEGIN, b"ab"));
        let end = unordered(Data {
            ssn: Ssn(8),
            ..chunk(2, Data::END, b"c")
        });
        for pieces in [[&begin, &end], [&end, &begin]] {
            let mut reassembly = Reassembly::new(100);
            assert_eq!(reassembly.insert(pieces[0]), Outcome::Stored);
            let complete = reassembly.insert(pieces[1]);
            assert!(matches!(complete, Outcome::Complete(_)), "{complete:?}");
        }
    }

    #[test]
    fn the_limit_holds_over_all_chunks() {
        let mut reassembly = Reassembly::new(5);
        reassembly.insert(&chunk(1, Data::BEGIN, b"abc"));
        assert_eq!(
            reassembly.insert(&chunk(3, Data::END, b"def")),
            Outcome::Stored
        );
        assert_eq!(reassembly.insert(&chunk(2, 0, b"x")), Outcome::TooLarge);
    }

    #[test]
    fn orphans_are_dropped() {
        let mut reassembly = Reassembly::new(100);
        reassembly.insert(&chunk(5, 0, b"abc"));
        reassembly.insert(&chunk(8, Data::BEGIN, b"abc"));
        reassembly.cumulative_moved(Tsn(3));
        assert_eq!(reassembly.runs.len(), 2);
        reassembly.cumulative_moved(Tsn(5));
        assert_eq!(reassembly.runs.len(), 1);
        reassembly.forward(Tsn(8));
        assert_eq!((reassembly.cost(), reassembly.runs.len()), (0, 0));
    }

    /// The pieces of a message, the last first: joining moves the fewer parts.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
    fn a_piece_before_others_costs_little() {
        crate::cost::stays("a piece before others", 3000, |state| {
            let mut reassembly = Reassembly::new(1 << 20);
            let state = state as u32;
            for tsn in (200..200 + state).rev() {
                reassembly.insert(&chunk(tsn, 0, b"x"));
            }
            let start = std::time::Instant::now();
            for tsn in (1..200).rev() {
                reassembly.insert(&chunk(tsn, 0, b"x"));
            }
            (std::time::Instant::now() - start, 199)
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Any order of the chunks of three messages gives the three messages.
        #[test]
        fn any_order(start in any::<u32>(), lengths in proptest::collection::vec(1usize..8, 3),
                     order in Just((0..24usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut chunks = Vec::new();
            for (message, length) in lengths.iter().enumerate() {
                for index in 0..*length {
                    let mut flags = if index == 0 { Data::BEGIN } else { 0 };
                    flags |= if index + 1 == *length { Data::END } else { 0 };
                    chunks.push((flags, vec![message as u8; index + 1], message as u16));
                }
            }
            let mut reassembly = Reassembly::new(1000);
            let mut complete = 0;
            for index in order.into_iter().filter(|index| *index < chunks.len()) {
                let (flags, payload, ssn) = &chunks[index];
                let data = Data { ssn: Ssn(*ssn), ..chunk(start.wrapping_add(index as u32), *flags, payload) };
                match reassembly.insert(&data) {
                    Outcome::Complete(message) => {
                        let length = lengths[usize::from(message.ssn.0)];
                        prop_assert_eq!(message.payload.len(), length * (length + 1) / 2);
                        let payload = message.payload.concat();
                        prop_assert!(payload.iter().all(|b| u16::from(*b) == message.ssn.0));
                        complete += 1;
                    }
                    outcome => prop_assert_eq!(outcome, Outcome::Stored),
                }
            }
            prop_assert_eq!((complete, reassembly.cost(), reassembly.runs.len()), (3, 0, 0));
        }
    }
}
