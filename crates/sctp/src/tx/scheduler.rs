//! Which stream sends next.

use std::collections::{BTreeMap, BTreeSet};

use crate::StreamId;

/// Weighted round robin in virtual time: a turn moves a stream on by its cost divided by its weight, and the stream
/// that is least far on is next. A turn is a whole message; with I-DATA (RFC 8260) it is a piece, and its cost the piece's
/// length.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    current: Option<(u64, StreamId)>,
    waiting: BTreeSet<(u64, u64, StreamId)>,
    /// Where each stream stands in `waiting`.
    places: BTreeMap<StreamId, (u64, u64)>,
    clock: u64,
    arrivals: u64,
}

impl Scheduler {
    /// The stream has something to send again; `position` is where it last stood.
    pub(crate) fn activate(&mut self, stream: StreamId, position: u64) {
        self.enqueue(position.max(self.clock), stream);
    }

    /// The same, and it is its turn now; whose turn it was waits for the next.
    pub(crate) fn turn_to(&mut self, stream: StreamId, position: u64) {
        let position = position.max(self.clock);
        if let Some((at, current)) = self.current.replace((position, stream)) {
            self.enqueue(at, current);
        }
    }

    /// The stream whose turn it is. It stays so until its turn is ended.
    pub(crate) fn current(&mut self) -> Option<StreamId> {
        if self.current.is_none() {
            let (position, _, stream) = self.waiting.pop_first()?;
            self.places.remove(&stream);
            self.clock = position;
            self.current = Some((position, stream));
        }
        self.current.map(|(_, stream)| stream)
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
        self.current.is_some_and(|(_, current)| current == stream)
    }

    /// Ends the current turn and returns where the stream stands now.
    pub(crate) fn end_turn(&mut self, weight: u16, cost: u64, more: bool) -> u64 {
        let Some((position, stream)) = self.current.take() else {
            return self.clock;
        };
        let position = position.wrapping_add(cost / u64::from(weight.max(1)));
        if !more {
            return position;
        }
        if self.waiting.is_empty() {
            self.clock = position;
            self.current = Some((position, stream));
        } else {
            self.enqueue(position, stream);
        }
        position
    }

    /// Someone else arrived between two messages of the current stream: it may be their turn.
    pub(crate) fn yield_turn(&mut self) {
        if let Some((position, stream)) = self.current
            && let Some((first, ..)) = self.waiting.first()
            && *first < position
        {
            self.current = None;
            self.enqueue(position, stream);
        }
    }

    /// The stream has nothing to send any more without having had its turn.
    pub(crate) fn deactivate(&mut self, stream: StreamId) {
        if let Some((position, arrival)) = self.places.remove(&stream) {
            self.waiting.remove(&(position, arrival, stream));
        } else {
            self.current.take_if(|(_, current)| *current == stream);
        }
    }

    /// Takes a stream out; false if there is none.
    pub(crate) fn forget_one(&mut self) -> bool {
        let place = self.places.pop_first();
        self.waiting.pop_first().is_some() || place.is_some()
    }

    fn enqueue(&mut self, position: u64, stream: StreamId) {
        self.arrivals = self.arrivals.wrapping_add(1);
        self.waiting.insert((position, self.arrivals, stream));
        self.places.insert(stream, (position, self.arrivals));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: u64 = 1 << 20;

    fn run(weights: &[u16], turns: usize) -> Vec<StreamId> {
        let mut scheduler = Scheduler::default();
        for stream in 0..weights.len() {
            scheduler.activate(stream as StreamId, 0);
        }
        let mut order = Vec::new();
        for _ in 0..turns {
            let stream = scheduler.current().unwrap();
            assert_eq!(scheduler.current(), Some(stream));
            scheduler.end_turn(weights[usize::from(stream)], TURN, true);
            order.push(stream);
        }
        order
    }

    #[test]
    fn equal_weights_take_turns() {
        assert_eq!(run(&[256, 256, 256], 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_double_weight_has_two_turns() {
        let order = run(&[256, 512], 300);
        assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 200);
    }

    #[test]
    fn who_leaves_has_no_turn_and_the_others_keep_theirs() {
        let mut scheduler = Scheduler::default();
        for stream in 0..6 {
            scheduler.activate(stream, 0);
        }
        assert_eq!(scheduler.current(), Some(0));
        scheduler.end_turn(256, TURN, true);
        assert_eq!(scheduler.current(), Some(1));
        for stream in [0, 1, 4] {
            scheduler.deactivate(stream);
        }
        scheduler.activate(1, 2 * TURN);
        let mut order = Vec::new();
        while let Some(stream) = scheduler.current() {
            scheduler.end_turn(256, TURN, false);
            order.push(stream);
        }
        assert_eq!(order, [2, 3, 5, 1]);
        assert!(scheduler.waiting.is_empty() && scheduler.places.is_empty());
    }

    #[test]
    fn a_late_stream_does_not_catch_up() {
        let mut scheduler = Scheduler::default();
        scheduler.activate(0, 0);
        for _ in 0..100 {
            scheduler.current();
            scheduler.end_turn(256, TURN, true);
        }
        scheduler.activate(1, 0);
        let mut order = Vec::new();
        for _ in 0..4 {
            scheduler.yield_turn();
            order.extend(scheduler.current());
            scheduler.end_turn(256, TURN, true);
        }
        assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 2);
    }
}
