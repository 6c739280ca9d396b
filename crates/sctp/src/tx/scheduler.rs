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
    parked: BTreeMap<(u64, u64), StreamId>,
    looked: (u64, u64),
    /// Where each stream stands in `waiting` or `parked`.
    places: BTreeMap<StreamId, (u64, u64)>,
    /// Who has something to send again begins here: where the least far on are.
    clock: u64,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    stream: StreamId,
    /// How far on the stream is.
    begin: u64,
    /// How far on it is expected to be after the turn.
    end: u64,
}

impl Scheduler {
    /// The stream has something to send again, `position` is where it last stood, and `cost` what its turn is expected to cost.
    pub(crate) fn activate(&mut self, stream: StreamId, position: u64, cost: u64) {
        let begin = position.max(self.clock);
        self.enqueue(stream, begin, cost);
    }

    /// The stream whose turn it is may not have it yet. It keeps its position.
    pub(crate) fn park(&mut self) {
        if let Some(Turn { stream, begin, .. }) = self.current.take() {
            self.arrivals = self.arrivals.wrapping_add(1);
            let place = (begin, self.arrivals);
            self.parked.insert(place, stream);
            self.places.insert(stream, place);
        }
    }

    /// How many streams are parked.
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Of those that are parked the one that is least far on, and how far that is.
    pub(crate) fn first_parked(&self) -> Option<(StreamId, u64)> {
        let ((begin, _), stream) = self.parked.first_key_value()?;
        Some((*stream, self.clock.max(*begin)))
    }

    /// Another of them each time, and how far on it is.
    pub(crate) fn another_parked(&mut self) -> Option<(StreamId, u64)> {
        let behind = (Bound::Excluded(self.looked), Bound::Unbounded);
        let mut behind = self.parked.range(behind);
        let (place, stream) = behind.next().or_else(|| self.parked.first_key_value())?;
        self.looked = *place;
        Some((*stream, self.clock.max(place.0)))
    }

    /// Whether it is the turn of a stream that is so far on.
    pub(crate) fn is_due(&self, begin: u64) -> bool {
        let current = self.current.is_none_or(|turn| begin <= turn.end);
        let first = self.waiting.first_key_value();
        current && first.is_none_or(|(place, _)| begin <= place.0)
    }

    /// It is the turn of a stream that is parked; whose turn it was waits for the next.
    pub(crate) fn turn_to(&mut self, stream: StreamId) {
        let Some(place) = self.places.get(&stream) else {
            return;
        };
        if self.parked.remove(place).is_none() {
            return;
        }
        // It has waited all the while, so what is due to it is not lost.
        let begin = self.clock.max(place.0);
        self.places.remove(&stream);
        let turn = Turn {
            stream,
            begin,
            end: begin,
        };
        if let Some(current) = self.current.replace(turn) {
            self.wait(current);
        }
    }

    /// The stream whose turn it is. It stays so until its turn is ended.
    pub(crate) fn current(&mut self) -> Option<StreamId> {
        if self.current.is_none() {
            let (_, turn) = self.waiting.pop_first()?;
            self.places.remove(&turn.stream);
            self.advance(turn.begin);
            self.current = Some(turn);
        }
        self.current.map(|turn| turn.stream)
    }

    /// How far on the stream is whose turn it is.
    pub(crate) fn position(&self) -> Option<u64> {
        self.current.map(|turn| turn.begin)
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

    /// Ends the current turn, and returns where its stream stands now. If it has more to send its next turn is expected to cost so much.
    pub(crate) fn end_turn(&mut self, cost: u64, next: Option<u64>) -> u64 {
        let Some(Turn { stream, begin, .. }) = self.current.take() else {
            return self.clock;
        };
        let begin = begin.wrapping_add(cost);
        match next {
            None => {}
            Some(next) if self.waiting.is_empty() => {
                self.advance(begin);
                let end = begin.wrapping_add(next);
                self.current = Some(Turn { stream, begin, end });
            }
            Some(next) => self.enqueue(stream, begin, next),
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
        if let Some(place) = self.places.remove(&stream) {
            if self.waiting.remove(&place).is_none() {
                self.parked.remove(&place);
            }
        } else {
            self.current.take_if(|turn| turn.stream == stream);
        }
    }

    /// Takes a stream out; false if there is none.
    pub(crate) fn forget_one(&mut self) -> bool {
        let place = self.places.pop_first().is_some();
        let parked = self.parked.pop_first().is_some();
        self.waiting.pop_first().is_some() || parked || place
    }

    /// A stream that is so far on has its turn. Those that are parked are not left behind by that, or whoever comes later would
    /// wait until they have caught up; nor do they hold the clock for ever, or whoever comes later would have all the turns until it has had
    /// as much as others meanwhile.
    fn advance(&mut self, begin: u64) {
        let first = self.parked.first_key_value().map(|(place, _)| place.0);
        let held = first.map_or(begin, |first| {
            first.min(begin).max(begin.saturating_sub(MOST_BEHIND))
        });
        self.clock = self.clock.max(held);
    }

    fn enqueue(&mut self, stream: StreamId, begin: u64, cost: u64) {
        let end = begin.wrapping_add(cost);
        self.wait(Turn { stream, begin, end });
    }

    fn wait(&mut self, turn: Turn) {
        self.arrivals = self.arrivals.wrapping_add(1);
        let place = (turn.end, self.arrivals);
        self.waiting.insert(place, turn);
        self.places.insert(turn.stream, place);
    }
}

/// What a turn of 256 KiB costs with the least priority of RFC 8831 §6.4, 128.
const MOST_BEHIND: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: u64 = 1 << 10;

    fn run(costs: &[u64], turns: usize) -> Vec<StreamId> {
        let mut scheduler = Scheduler::default();
        for (stream, cost) in costs.iter().enumerate() {
            scheduler.activate(stream as StreamId, 0, *cost);
        }
        let mut order = Vec::new();
        for _ in 0..turns {
            let stream = scheduler.current().unwrap();
            assert_eq!(scheduler.current(), Some(stream));
            let cost = costs[usize::from(stream)];
            scheduler.end_turn(cost, Some(cost));
            order.push(stream);
        }
        order
    }

    #[test]
    fn equal_costs_take_turns() {
        assert_eq!(run(&[TURN; 3], 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn half_a_cost_has_two_turns() {
        let order = run(&[TURN, TURN / 2], 300);
        assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 200);
    }

    #[test]
    fn who_leaves_has_no_turn_and_the_others_keep_theirs() {
        let mut scheduler = Scheduler::default();
        for stream in 0..6 {
            scheduler.activate(stream, 0, TURN);
        }
        assert_eq!(scheduler.current(), Some(0));
        scheduler.end_turn(TURN, Some(TURN));
        assert_eq!(scheduler.current(), Some(1));
        for stream in [0, 1, 4] {
            scheduler.deactivate(stream);
        }
        scheduler.activate(1, 2 * TURN, TURN);
        let mut order = Vec::new();
        while let Some(stream) = scheduler.current() {
            scheduler.end_turn(TURN, None);
            order.push(stream);
        }
        assert_eq!(order, [2, 3, 5, 1]);
        assert!(scheduler.waiting.is_empty() && scheduler.places.is_empty());
    }

    #[test]
    fn a_late_stream_does_not_catch_up() {
        let mut scheduler = Scheduler::default();
        scheduler.activate(0, 0, TURN);
        for _ in 0..100 {
            scheduler.current();
            scheduler.end_turn(TURN, Some(TURN));
        }
        scheduler.activate(1, 0, TURN);
        let mut order = Vec::new();
        for _ in 0..4 {
            scheduler.yield_turn();
            order.extend(scheduler.current());
            scheduler.end_turn(TURN, Some(TURN));
        }
        assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 2);
    }

    /// What is short goes before what is long, though both come from where the others are.
    #[test]
    fn a_short_turn_is_next() {
        let mut scheduler = Scheduler::default();
        for stream in 0..3 {
            scheduler.activate(stream, 0, TURN);
        }
        scheduler.current();
        scheduler.activate(7, 0, 1);
        scheduler.end_turn(TURN, Some(TURN));
        assert_eq!(scheduler.current(), Some(7));
    }

    /// Who comes while others go on begins where a stream stands that is parked, and so does that one when it is its turn; but no
    /// farther behind the others than the longest turn takes them on.
    #[test]
    fn whoever_is_parked_is_not_left_behind() {
        let most = (MOST_BEHIND / TURN) as usize;
        for (turns, ahead) in [(100, 100), (3 * most, most)] {
            let mut scheduler = Scheduler::default();
            scheduler.activate(0, 0, 0);
            assert_eq!(scheduler.current(), Some(0));
            scheduler.park();
            scheduler.activate(1, 0, 0);
            for _ in 0..turns {
                assert_eq!(scheduler.current(), Some(1));
                scheduler.end_turn(TURN, Some(0));
            }
            scheduler.activate(2, 0, 0);
            let (first, position) = scheduler.first_parked().unwrap();
            assert!(first == 0 && scheduler.is_due(position));
            scheduler.turn_to(0);
            let mut had = [0_usize; 3];
            while had[1] == 0 {
                scheduler.yield_turn();
                let stream = scheduler.current().unwrap();
                scheduler.end_turn(TURN, Some(0));
                had[usize::from(stream)] += 1;
            }
            assert!(had[0].abs_diff(ahead) <= 2, "{had:?}");
            assert!(had[2].abs_diff(ahead) <= 2, "{had:?}");
        }
    }
}
