//! Putting messages together from DATA chunks.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::{Ssn, StreamId, Tsn, account::Account, effort, packet::Data, serial::Seq};

/// A message of which all chunks have come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) stream: StreamId,
    pub(crate) ssn: Ssn,
    pub(crate) ppid: u32,
    pub(crate) ordered: bool,
    pub(crate) payload: Payload,
}

/// The bytes of a message. Very many short ones may wait to be read, so it is small.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Whole(Bytes),
    Parts(Box<Parts>),
}

/// What is not put together yet, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    length: usize,
    /// What was reserved in them and is not used.
    spare: usize,
    parts: VecDeque<Vec<u8>>,
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
/// found by its TSNs alone.
#[derive(Debug)]
struct Run {
    last: Seq,
    begin: bool,
    stream: StreamId,
    ssn: Ssn,
    ppid: u32,
    ordered: bool,
    end: bool,
    /// It should go on and cannot.
    broken: bool,
    length: usize,
    /// What is reserved in its parts and not used yet.
    spare: usize,
    /// In order; one only unless the message is long or pieces came out of order.
    parts: VecDeque<Vec<u8>>,
}

/// The messages that are not complete.
#[derive(Debug)]
pub(crate) struct Reassembly {
    /// By the number of the first piece.
    runs: BTreeMap<Seq, Box<Run>>,
    limit: usize,
    cost: Account,
    /// What can no longer become complete; `None` if all pieces are of one message, of which only the first says what it is
    /// (RFC 8260 §2.1).
    passed: Option<Passed>,
    /// How long the last message of several chunks was: the next is likely to be alike.
    expected: usize,
    /// What was done beside taking chunks, since that was asked.
    effort: usize,
}

/// How far all has come, or was given up.
#[derive(Clone, Copy, Debug)]
struct Passed {
    cumulative: Seq,
    /// RFC 3758 §3.6: the sender gave up what is up to here.
    skipped: Seq,
}

impl Reassembly {
    /// One whose first chunk will have this TSN.
    pub(crate) fn new(limit: usize, initial: Tsn) -> Self {
        let before = Seq::first(initial).previous();
        let passed = Passed {
            cumulative: before,
            skipped: before,
        };
        Self {
            runs: BTreeMap::new(),
            limit,
            cost: Account::default(),
            passed: Some(passed),
            expected: 0,
            effort: 0,
        }
    }

    /// For the pieces of one message, with their numbers in place of TSNs, which is likely to be so long.
    pub(crate) fn of_one_message(limit: usize, expected: usize) -> Self {
        Self {
            passed: None,
            expected,
            ..Self::new(limit, Tsn(0))
        }
    }

    /// What room to make for a message after one that was so long.
    pub(crate) fn expected_after(length: usize) -> usize {
        length.min(MAX_EXPECTED)
    }

    /// No more room than this is to be made for a message before it has come.
    pub(crate) fn expect_at_most(&mut self, room: usize) {
        self.expected = self.expected.min(room);
    }

    /// What was done beside taking chunks, since this was asked last.
    pub(crate) fn take_effort(&mut self) -> usize {
        std::mem::take(&mut self.effort)
    }

    /// The memory that incomplete messages take.
    pub(crate) fn cost(&self) -> usize {
        self.cost.total()
    }

    /// What a chunk adds at most, beside what is reserved for those that follow it: an eighth of a MiB at most.
    pub(crate) fn cost_of(payload: usize) -> usize {
        payload + RUN_COST + PART_COST
    }

    pub(crate) fn insert(&mut self, data: &Data<'_>) -> Outcome {
        if self.runs.is_empty() && data.is_whole() {
            return self.whole(data);
        }
        let at = match self.passed {
            Some(passed) => passed.cumulative.near(data.tsn),
            None => Seq::first(data.tsn),
        };
        match self.append(at, data) {
            true => Outcome::Stored,
            false => self.insert_at(at, data),
        }
    }

    /// Takes a chunk with this number in place of its TSN, which is not here yet.
    pub(crate) fn insert_at(&mut self, at: Seq, data: &Data<'_>) -> Outcome {
        let (begin, end) = (data.has(Data::BEGIN), data.has(Data::END));
        let left = self.left(at, begin);
        if data.is_whole() {
            return self.whole(data);
        }
        if data.payload.len() > self.limit {
            return Outcome::TooLarge;
        }
        let Some(first) = left else {
            // Only a message at the front has room made for it, so that what is kept ready stays bounded.
            let room = if self.runs.is_empty() && begin {
                self.expected
            } else {
                0
            };
            let run = Run::new(data, at, room);
            self.cost.add(run.cost());
            self.runs.insert(at, Box::new(run));
            return self.join_right(at);
        };
        let one_message = self.passed.is_none();
        let Some(run) = self.runs.get_mut(&first) else {
            return Outcome::Contradiction;
        };
        if !one_message && run.says() != says(data) {
            return Outcome::Contradiction;
        }
        if run.length + data.payload.len() > self.limit {
            return Outcome::TooLarge;
        }
        let before = run.cost();
        let grown = run.append(data.payload, end, self.limit);
        self.effort += match end {
            true => effort::ENDED,
            false if grown => effort::GROWN,
            false => 0,
        };
        (run.last, run.end) = (at, end);
        self.cost.add(run.cost() - before);
        self.join_right(first)
    }

    /// Takes a chunk that is a message.
    #[inline]
    fn whole(&self, data: &Data<'_>) -> Outcome {
        if data.payload.len() > self.limit {
            return Outcome::TooLarge;
        }
        Outcome::Complete(Completed {
            stream: data.stream,
            ssn: data.ssn,
            ppid: data.ppid,
            ordered: !data.has(Data::UNORDERED),
            payload: Payload::Whole(Bytes::copy_from_slice(data.payload)),
        })
    }

    /// Takes a piece as most are: it goes on where the last run ends, and begins and ends nothing. False if this one does not.
    /// What was given up may grow here and never becomes complete: [`insert_at`](Self::insert_at) joins no end to it.
    pub(crate) fn append(&mut self, at: Seq, data: &Data<'_>) -> bool {
        if data.has(Data::BEGIN) || data.has(Data::END) {
            return false;
        }
        let Some(mut last) = self.runs.last_entry() else {
            return false;
        };
        let run = last.get_mut();
        let goes_on = run.last.next() == at && !run.end;
        let alike = self.passed.is_none() || run.says() == says(data);
        if !goes_on || !alike || run.length + data.payload.len() > self.limit {
            return false;
        }
        let before = run.cost();
        if run.append(data.payload, false, self.limit) {
            self.effort += effort::GROWN;
        }
        run.last = at;
        self.cost.add(run.cost() - before);
        true
    }

    /// Whether a chunk with this number is here.
    pub(crate) fn has(&self, at: Seq) -> bool {
        let before = self.runs.range(..=at).next_back();
        before.is_some_and(|(_, run)| run.last >= at)
    }

    /// The run that goes on with this number. One that should, but cannot, will never be complete.
    fn left(&mut self, at: Seq, begin: bool) -> Option<Seq> {
        let passed = self.passed;
        let (first, run) = self.runs.range_mut(..at).next_back()?;
        if run.last.next() != at || run.end || run.is_over(*first, passed) {
            return None;
        }
        run.broken = begin;
        (!begin).then_some(*first)
    }

    fn join_right(&mut self, first: Seq) -> Outcome {
        let passed = self.passed;
        let Some(run) = self.runs.get_mut(&first) else {
            return Outcome::Contradiction;
        };
        let (next, end) = (run.last.next(), run.end);
        let is_last = self.runs.last_key_value().is_some_and(|it| *it.0 == first);
        if !end
            && !is_last
            && let Some(right) = self.runs.get(&next)
            && !right.is_over(next, passed)
        {
            let begins = right.begin;
            let right = if begins {
                None
            } else {
                self.runs.remove(&next)
            };
            let Some(run) = self.runs.get_mut(&first) else {
                return Outcome::Contradiction;
            };
            let Some(right) = right else {
                // The message here has no end: its sender gave it up.
                run.broken = true;
                return Outcome::Stored;
            };
            let before = run.cost() + right.cost();
            if passed.is_some() && run.says() != right.says() {
                return Outcome::Contradiction;
            }
            if run.length + right.length > self.limit {
                return Outcome::TooLarge;
            }
            (run.last, run.end) = (right.last, right.end);
            run.join(*right);
            self.effort += effort::JOINED;
            self.cost.add(run.cost());
            self.cost.take(before);
        }
        let complete = self.runs.get(&first).is_some_and(|it| it.begin && it.end);
        if complete && let Some(run) = self.runs.remove(&first) {
            self.cost.take(run.cost());
            self.expected = Self::expected_after(run.length);
            return Outcome::Complete(run.complete());
        }
        Outcome::Stored
    }

    /// The cumulative TSN moved: `sweep` drops what can no longer become complete.
    pub(crate) fn cumulative_moved(&mut self, cumulative: Tsn) {
        if let Some(passed) = &mut self.passed {
            passed.cumulative = passed.cumulative.near(cumulative);
        }
    }

    /// RFC 3758 §3.6: the sender gave up what is up to here.
    pub(crate) fn forward(&mut self, skipped: Tsn) {
        if let Some(passed) = &mut self.passed {
            passed.skipped = passed.cumulative.near(skipped);
        }
    }

    /// Drops what can no longer become complete. False if what is `left` did not suffice. Looks at the front
    /// only, as one run at most reaches the cumulative TSN without an end.
    pub(crate) fn sweep(&mut self, left: &mut usize) -> bool {
        self.drop_while(|first, run, passed| run.is_over(first, passed), left)
    }

    /// Drops all there is. False if what is `left` did not suffice.
    pub(crate) fn clear(&mut self, left: &mut usize) -> bool {
        self.drop_while(|_, _, _| true, left)
    }

    /// Whether `sweep` has something to drop.
    pub(crate) fn is_sweeping(&self) -> bool {
        let first = self.runs.first_key_value();
        first.is_some_and(|(first, run)| run.is_over(*first, self.passed))
    }

    /// Compares the account with what it counts.
    pub(crate) fn check(&self) {
        let counted = self.runs.values().map(|run| {
            let spare = run.parts.iter().map(|it| it.capacity() - it.len());
            assert_eq!(run.spare, spare.sum(), "what is reserved");
            run.cost()
        });
        assert_eq!(self.cost.total(), counted.sum(), "what is not complete");
    }

    fn drop_while(
        &mut self,
        is_over: impl Fn(Seq, &Run, Option<Passed>) -> bool,
        left: &mut usize,
    ) -> bool {
        while let Some(mut entry) = self.runs.first_entry()
            && is_over(*entry.key(), entry.get(), self.passed)
        {
            let run = entry.get_mut();
            let before = run.cost();
            let gone = free(&mut run.parts, (&mut run.length, &mut run.spare), left);
            self.cost.take(before - run.cost());
            if !gone {
                return false;
            }
            self.cost.take(entry.remove().cost());
        }
        true
    }
}

/// Frees parts of a message that nobody will read, one after the other, as there may be thousands. False if what is `left` did not suffice.
fn free(
    parts: &mut VecDeque<Vec<u8>>,
    (length, spare): (&mut usize, &mut usize),
    left: &mut usize,
) -> bool {
    while effort::take(left, effort::TOUCHED) {
        match parts.pop_back() {
            Some(part) => {
                *length -= part.len();
                *spare -= part.capacity() - part.len();
            }
            None => return true,
        }
    }
    false
}

/// What parts cost beside their bytes. A list that is freed in steps keeps its room to the last of them, so what it does not use is part
/// of it; one that grows has room for twice as many at most.
fn parts_cost(parts: &VecDeque<Vec<u8>>) -> usize {
    let left = parts.capacity().saturating_sub(2 * parts.len());
    parts.len() * PART_COST + left * size_of::<Vec<u8>>()
}

impl Run {
    fn new(data: &Data<'_>, at: Seq, room: usize) -> Self {
        let mut segment = Vec::with_capacity(room.max(data.payload.len()));
        segment.extend_from_slice(data.payload);
        Self {
            last: at,
            begin: data.has(Data::BEGIN),
            end: data.has(Data::END),
            stream: data.stream,
            ssn: data.ssn,
            ppid: data.ppid,
            ordered: !data.has(Data::UNORDERED),
            broken: false,
            length: data.payload.len(),
            spare: segment.capacity() - segment.len(),
            parts: VecDeque::from([segment]),
        }
    }

    /// Whether it will never be complete: its message was given up, or its beginning cannot come any more.
    fn is_over(&self, first: Seq, passed: Option<Passed>) -> bool {
        let over = |it: Passed| {
            first <= it.skipped
                || self.last < it.cumulative
                || (!self.begin && first <= it.cumulative.next())
        };
        self.broken || passed.is_some_and(over)
    }

    /// What all pieces of a message say alike.
    fn says(&self) -> (StreamId, Option<Ssn>, u32) {
        (self.stream, self.ordered.then_some(self.ssn), self.ppid)
    }

    fn cost(&self) -> usize {
        self.length + self.spare + RUN_COST + parts_cost(&self.parts)
    }

    /// `limit` is how long it can become, so that no more is reserved, and nothing behind its end. True if room was made.
    fn append(&mut self, payload: &[u8], end: bool, limit: usize) -> bool {
        let left = limit.saturating_sub(self.length);
        // What is reserved and not used counts, so it stays little where very many messages are begun. Of an interleaving peer's as many may
        // end in a packet as it has chunks, so little is copied for each.
        let (growth, short) = match end {
            true => (0, SHORT_PARTS),
            false => ((self.length / 4).min(MAX_GROWTH).min(left), MAX_GROWTH),
        };
        self.length += payload.len();
        let (mut rest, mut grown) = (payload, false);
        if let Some(part) = self.parts.back_mut() {
            let mut free = part.capacity() - part.len();
            // A long part does not grow, as it would be copied by that.
            if free < payload.len() && part.len() < short {
                part.reserve_exact(payload.len().max(growth));
                self.spare += part.capacity() - part.len() - free;
                free = part.capacity() - part.len();
                grown = true;
            }
            let (here, beyond) = payload.split_at(free.min(payload.len()));
            part.extend_from_slice(here);
            self.spare -= here.len();
            rest = beyond;
        }
        if rest.is_empty() {
            return grown;
        }
        let mut part = Vec::with_capacity(rest.len().max(growth));
        part.extend_from_slice(rest);
        self.spare += part.capacity() - part.len();
        self.parts.push_back(part);
        true
    }

    /// Gives back what was reserved for pieces that are not going to be in its last part.
    fn fit(&mut self) {
        let Some(part) = self.parts.back_mut() else {
            return;
        };
        let before = part.capacity();
        if before - part.len() > WORTH_GIVING_BACK {
            part.shrink_to_fit();
        }
        self.spare -= before - part.capacity();
    }

    /// Appends what came after it; the fewer parts move.
    fn join(&mut self, mut right: Self) {
        self.length += right.length;
        self.merge(&mut right);
        self.spare += right.spare;
        if right.parts.is_empty() {
            return;
        }
        self.fit();
        let mut parts = right.parts;
        if self.parts.len() >= parts.len() {
            self.parts.append(&mut parts);
        } else {
            let count = self.parts.len();
            parts.append(&mut self.parts);
            parts.rotate_right(count);
            self.parts = parts;
        }
    }

    /// Makes one part of the two that become neighbours, if both are short: a message has few parts however it came, and few move when
    /// others join.
    fn merge(&mut self, right: &mut Self) {
        let (part, next) = (self.parts.back_mut(), right.parts.front());
        if let (Some(part), Some(next)) = (part, next)
            && part.len() + next.len() <= SHORT_PARTS
        {
            let before = part.capacity();
            part.reserve_exact(next.len());
            part.extend_from_slice(next);
            self.spare += part.capacity() - before;
            self.spare -= next.len();
            right.spare -= next.capacity() - next.len();
            right.parts.pop_front();
        }
    }

    fn complete(mut self) -> Completed {
        if let Some(part) = self.parts.back_mut() {
            self.spare -= part.capacity() - part.len();
            part.shrink_to_fit();
            self.spare += part.capacity() - part.len();
        }
        let payload = match self.parts.len() {
            1 => Payload::Whole(Bytes::from(self.parts.pop_back().unwrap_or_default())),
            _ => Payload::Parts(Box::new(Parts {
                length: self.length,
                spare: self.spare,
                parts: self.parts,
            })),
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
            Self::Parts(it) => it.length,
        }
    }

    /// The memory it takes.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts(it) => size_of::<Parts>() + it.length + it.spare + parts_cost(&it.parts),
        }
    }

    /// Frees it in steps. False if what is `left` did not suffice.
    pub(crate) fn free(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Parts(it) => free(&mut it.parts, (&mut it.length, &mut it.spare), left),
        }
    }

    #[inline]
    pub(crate) fn concat(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Parts(mut it) => Bytes::from(it.parts.make_contiguous().concat()),
        }
    }
}

/// What a run costs beside its bytes.
const RUN_COST: usize = 192;
/// What a part of a message costs beside its bytes.
const PART_COST: usize = 64;
/// Two neighbours together are longer than this, so that no message has more parts than twice what it has of this.
const SHORT_PARTS: usize = 2048;
/// No more than this is reserved beyond what comes, and no part that is longer grows.
const MAX_GROWTH: usize = 8 << 10;
/// So much that was reserved in a part is worth giving back.
const WORTH_GIVING_BACK: usize = 1024;
/// The most that is made ready for a message before it has come.
const MAX_EXPECTED: usize = 128 << 10;

#[cfg(test)]
mod tests;
