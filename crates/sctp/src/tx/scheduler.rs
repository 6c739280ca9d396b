//! Which stream sends next.

use std::collections::BTreeMap;

use crate::StreamId;

/// Weighted fair queueing in virtual time: a turn moves a stream on by its cost, which is less for a stream of more weight, and the
/// stream that is least far on after its next turn has it. A turn is a whole message; with I-DATA (RFC 8260) it is a piece.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    current: Option<Turn>,
    /// By where each ends, and by who came first.
    waiting: BTreeMap<(u64, u64), Turn>,
    /// Where each stream stands in `waiting`.
    places: BTreeMap<StreamId, (u64, u64)>,
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

    /// The same, and it is its turn now; whose turn it was waits for the next.
    pub(crate) fn turn_to(&mut self, stream: StreamId, position: u64) {
        let begin = position.max(self.clock);
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
            self.clock = self.clock.max(turn.begin);
            self.current = Some(turn);
        }
        self.current.map(|turn| turn.stream)
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
                self.clock = begin;
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
            self.waiting.remove(&place);
        } else {
            self.current.take_if(|turn| turn.stream == stream);
        }
    }

    /// Takes a stream out; false if there is none.
    pub(crate) fn forget_one(&mut self) -> bool {
        let place = self.places.pop_first();
        self.waiting.pop_first().is_some() || place.is_some()
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
}
