//! What always holds of what waits.

use std::collections::BTreeMap;

use super::{MESSAGE_OVERHEAD, Queue};
use crate::StreamId;

impl Queue {
    /// Compares every account with what it counts; `under_way` are the chunks that were sent and not released: stream,
    /// length, and whether a message ends.
    ///
    /// # Panics
    /// When one is wrong.
    pub(crate) fn check(&self, under_way: impl Iterator<Item = (StreamId, usize, bool)>) {
        let messages = self.streams.values().map(|it| it.messages.len());
        if messages.sum::<usize>() + self.streams.len() > MAX_CHECKED {
            return;
        }
        let (mut held, mut sent) = (0, BTreeMap::<_, usize>::new());
        for (stream, length, end) in under_way {
            held += length + if end { MESSAGE_OVERHEAD } else { 0 };
            *sent.entry(stream).or_default() += length;
        }
        let mut unacknowledged: usize = sent.values().sum();
        let (mut buffered, mut begun_left) = (0, 0);
        for (stream, outgoing) in &self.streams {
            let lengths = outgoing.messages.iter().map(|it| it.payload.len());
            let waits = lengths.sum::<usize>();
            let counted = outgoing.messages.iter().filter(|it| it.counts);
            let counted = counted.map(|it| it.payload.len()).sum::<usize>();
            assert_eq!(
                outgoing.buffered.total(),
                counted,
                "what stream {stream} has"
            );
            let sent = sent.remove(stream).unwrap_or_default();
            let all = outgoing.unacknowledged.total() + outgoing.earlier.total();
            assert_eq!(all, waits + sent, "what stream {stream} has and has sent");
            let front = outgoing.messages.front();
            let begun = outgoing.begun.is_some();
            assert!(front.is_some() || !begun, "what has begun is there");
            begun_left += front.filter(|_| begun).map_or(0, |it| it.payload.len());
            buffered += waits;
            held += waits + MESSAGE_OVERHEAD * outgoing.messages.len();
        }
        let waiting = self.streams.values().filter(|it| !it.messages.is_empty());
        let known = self.scheduler.active() + self.scheduler.parked();
        assert_eq!(known, waiting.count(), "who waits has a turn or is parked");
        self.scheduler.check();
        unacknowledged += buffered;
        assert!(sent.is_empty(), "streams are known until the end: {sent:?}");
        let accounts = [
            self.held,
            self.buffered,
            self.unacknowledged,
            self.begun_left,
        ];
        let counted = [held, buffered, unacknowledged, begun_left];
        assert_eq!(accounts.map(|it| it.total()), counted);
    }
}

/// What is more than that is not counted.
const MAX_CHECKED: usize = 512;
