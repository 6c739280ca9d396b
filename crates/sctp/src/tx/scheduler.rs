//! Which stream sends next.

use std::{collections::BTreeMap, ops::Bound};

use crate::StreamId;

/// Weighted fair queueing in virtual time: a turn moves a stream on by its cost, which is less for a stream of more weight, and the
/// stream that is least far on after its next turn has it. A turn is a whole message; with I-DATA (RFC 8260) it is a piece.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    current: Option<Turn>,
    /// By where each ends, and by who came first.
    waiting: BTreeMap<(u64, u64), Turn>,
    /// Streams that may not have their turns yet, by how far on they are, and by who came first; and which was looked at last.
    parked: BTreeMap<(u64, u64), Turn>,
    looked: (u64, u64),
    /// Where each stream stands in `waiting` or `parked`.
    places: BTreeMap<StreamId, (u64, u64)>,
    /// How far on all streams that have something to send are on the whole: what one of them sends moves this on by its part among all. Who
    /// has something to send again begins here.
    clock: u64,
    /// The weights of those that have a turn to come, and what was sent and has not moved the clock on.
    weights: u64,
    rest: u64,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    stream: StreamId,
    /// How far on the stream is.
    begin: u64,
    /// How far on it is expected to be after the turn.
    end: u64,
    weight: u16,
    /// What others have had while it was parked: so much of it costs nothing, up to `MOST_DUE`.
    due: u64,
}

impl Turn {
    /// Where its stream is among those that are parked.
    fn place(&self) -> u64 {
        self.begin.saturating_sub(self.due)
    }
}

impl Scheduler {
    /// The stream has something to send again, `position` is where it last stood, and `cost` what its turn is expected to cost.
    pub(crate) fn activate(&mut self, stream: StreamId, position: u64, weight: u16, cost: u64) {
        let begin = position.max(self.clock);
        self.weights += u64::from(weight);
        self.wait(Turn {
            stream,
            begin,
            end: begin.wrapping_add(cost),
            weight,
            due: 0,
        });
    }

    /// The stream whose turn it is may not have it yet. It keeps its position.
    pub(crate) fn park(&mut self) {
        if let Some(turn) = self.current.take() {
            self.arrivals = self.arrivals.wrapping_add(1);
            let place = (turn.place(), self.arrivals);
            self.weights -= u64::from(turn.weight);
            self.parked.insert(place, turn);
            self.places.insert(turn.stream, place);
        }
    }

    /// How many streams are parked.
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Of those that are parked the one that is least far on, and how far that is.
    pub(crate) fn first_parked(&self) -> Option<(StreamId, u64)> {
        let (_, turn) = self.parked.first_key_value()?;
        Some((turn.stream, turn.place()))
    }

    /// Another of them each time, and how far on it is.
    pub(crate) fn another_parked(&mut self) -> Option<(StreamId, u64)> {
        let behind = (Bound::Excluded(self.looked), Bound::Unbounded);
        let mut behind = self.parked.range(behind);
        let (place, turn) = behind.next().or_else(|| self.parked.first_key_value())?;
        self.looked = *place;
        Some((turn.stream, turn.place()))
    }

    /// Whether it is the turn of a stream that is so far on.
    pub(crate) fn is_due(&self, begin: u64) -> bool {
        let current = self.current.is_none_or(|turn| begin <= turn.end);
        let first = self.waiting.first_key_value();
        current && first.is_none_or(|(place, _)| begin <= place.0)
    }

    /// It is the turn of a stream that is parked; whose turn it was waits for the next.
    pub(crate) fn turn_to(&mut self, stream: StreamId) {
        let place = self.places.get(&stream);
        let Some(mut turn) = place.and_then(|place| self.parked.remove(place)) else {
            return;
        };
        self.places.remove(&stream);
        // It has waited all the while, so what is due to it is not lost; and what is short does not wait until it has caught up, as it would if
        // it began where it was parked.
        let cost = turn.end.wrapping_sub(turn.begin);
        let place = turn.place();
        turn.begin = place.max(self.clock);
        turn.due = turn.begin - place;
        turn.end = turn.begin.wrapping_add(cost);
        self.weights += u64::from(turn.weight);
        if let Some(current) = self.current.replace(turn) {
            self.wait(current);
        }
    }

    /// The stream whose turn it is. It stays so until its turn is ended.
    pub(crate) fn current(&mut self) -> Option<StreamId> {
        if self.current.is_none() {
            let (_, turn) = self.waiting.pop_first()?;
            self.places.remove(&turn.stream);
            self.clock = self.clock.max(turn.begin);
            self.current = Some(turn);
        }
        self.current.map(|turn| turn.stream)
    }

    /// How far on the stream is whose turn it is, or was when it was parked.
    pub(crate) fn position(&self) -> Option<u64> {
        self.current.map(|turn| turn.place())
    }

    /// Whether another stream waits for its turn.
    pub(crate) fn is_contended(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many streams have a turn to come.
    pub(crate) fn active(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }

    pub(crate) fn is_current(&self, stream: StreamId) -> bool {
        self.current.is_some_and(|turn| turn.stream == stream)
    }

    /// Ends the current turn, which had this cost, and returns where its stream stands now. If it has more to send its next turn is expected to
    /// cost so much, and its weight is this.
    pub(crate) fn end_turn(&mut self, cost: u64, weight: u16, next: Option<u64>) -> u64 {
        let Some(mut turn) = self.current.take() else {
            return self.clock;
        };
        let due = turn.due.min(MOST_DUE);
        let free = due.min(cost);
        let paid = cost - free;
        let begin = turn.begin.wrapping_add(paid);
        self.advance(begin, paid.saturating_mul(weight.into()));
        self.weights -= u64::from(turn.weight);
        turn.due = due - free;
        turn.begin = begin;
        if let Some(next) = next {
            self.weights += u64::from(weight);
            turn.weight = weight;
            turn.end = begin.wrapping_add(next);
            if self.waiting.is_empty() {
                self.current = Some(turn);
            } else {
                self.wait(turn);
            }
        }
        begin
    }

    /// Someone else arrived between two messages of the current stream: it may be their turn.
    pub(crate) fn yield_turn(&mut self) {
        if let Some(current) = self.current
            && let Some((first, _)) = self.waiting.first_key_value()
            && first.0 < current.end
        {
            self.current = None;
            self.wait(current);
        }
    }

    /// The stream has nothing to send any more without having had its turn.
    pub(crate) fn deactivate(&mut self, stream: StreamId) {
        let turn = match self.places.remove(&stream) {
            Some(place) if self.parked.remove(&place).is_some() => None,
            Some(place) => self.waiting.remove(&place),
            None => self.current.take_if(|turn| turn.stream == stream),
        };
        self.weights -= turn.map_or(0, |turn| turn.weight.into());
    }

    /// Compares the weights with those of who has a turn.
    ///
    /// # Panics
    /// When they are others.
    pub(crate) fn check(&self) {
        let turns = self.waiting.values().chain(&self.current);
        let weights: u64 = turns.map(|turn| u64::from(turn.weight)).sum();
        assert_eq!(self.weights, weights, "of those that have a turn");
    }

    /// Takes a stream out; false if there is none.
    pub(crate) fn forget_one(&mut self) -> bool {
        let place = self.places.pop_first().is_some();
        let parked = self.parked.pop_first().is_some();
        self.waiting.pop_first().is_some() || parked || place
    }

    /// Who has had a turn is so far on, and its work moves the clock by its part among all; not past its own stream, as others have left then
    /// that had more than their parts.
    fn advance(&mut self, end: u64, work: u64) {
        let all = work.saturating_add(self.rest);
        let weights = self.weights.max(1);
        self.rest = all % weights;
        let clock = end.min(self.clock + all / weights);
        self.clock = self.clock.max(clock);
    }

    fn wait(&mut self, turn: Turn) {
        self.arrivals = self.arrivals.wrapping_add(1);
        let place = (turn.end, self.arrivals);
        self.waiting.insert(place, turn);
        self.places.insert(turn.stream, place);
    }
}

/// What a turn of 256 KiB costs with the least priority of RFC 8831 §6.4, 128.
const MOST_DUE: u64 = 2 << 20;

#[cfg(test)]
mod tests;
