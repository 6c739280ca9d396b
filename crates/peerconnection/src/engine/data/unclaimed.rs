//! Messages on streams that no open channel has: of a negotiated channel that the peer opened first, or
//! of one whose stream is still being reset.
//!
//! They wait beside the receive window, so that they cannot stop the channels that there are.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use oxirtc_sctp as sctp;

/// What waits for a channel.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    streams: BTreeMap<u16, Waiting>,
    /// What has got no channel, and is still to be dropped.
    refused: Vec<Waiting>,
    /// What all cost together, in bytes.
    cost: usize,
}

#[derive(Debug)]
struct Waiting {
    until: Instant,
    messages: Vec<sctp::Message>,
    cost: usize,
}

impl Unclaimed {
    /// Takes a message, unless the stream, or all together, have as much as they may. `most` is for all
    /// together, in bytes.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        stream: u16,
        message: sctp::Message,
        most: usize,
    ) -> bool {
        let cost = message.payload.len() + size_of::<sctp::Message>();
        let held = self.streams.get(&stream).map_or(0, |it| it.cost);
        if held + cost > MAX_STREAM || self.cost + cost > most {
            return false;
        }
        let waiting = self.streams.entry(stream).or_insert_with(|| Waiting {
            until: now + MAX_WAIT,
            messages: Vec::new(),
            cost: 0,
        });
        waiting.messages.push(message);
        waiting.cost += cost;
        self.cost += cost;
        true
    }

    pub(super) fn has(&self, stream: u16) -> bool {
        self.streams.contains_key(&stream)
    }

    /// What waited on a stream, in order.
    pub(super) fn take(&mut self, stream: u16) -> Vec<sctp::Message> {
        let Some(waiting) = self.streams.remove(&stream) else {
            return Vec::new();
        };
        debug_assert!(waiting.cost <= self.cost, "an account is exact");
        self.cost -= waiting.cost;
        waiting.messages
    }

    /// What waited on a stream gets no channel; answers how many messages that were.
    pub(super) fn refuse(&mut self, stream: u16) -> u64 {
        let Some(waiting) = self.streams.remove(&stream) else {
            return 0;
        };
        let count = waiting.messages.len();
        self.refused.push(waiting);
        count as u64
    }

    /// Drops a few messages that got no channel. False when there are none.
    pub(super) fn drop_some(&mut self) -> bool {
        let Some(last) = self.refused.last_mut() else {
            return false;
        };
        let left = last.messages.len().saturating_sub(DROPPED);
        last.messages.truncate(left);
        if left == 0 {
            self.cost -= last.cost;
            self.refused.pop();
        }
        true
    }

    /// How many messages wait.
    pub(super) fn count(&self) -> u64 {
        let streams = self.streams.values();
        streams.map(|it| it.messages.len() as u64).sum()
    }

    /// Lets go of a message, or of a stream that has none; answers how many that were, or `None` when there is nothing.
    pub(super) fn forget_one(&mut self) -> Option<u64> {
        if self.drop_some() {
            return Some(0);
        }
        let mut entry = self.streams.first_entry()?;
        let message = entry.get_mut().messages.pop();
        if message.is_none() {
            entry.remove();
        }
        Some(message.into_iter().count() as u64)
    }

    /// A stream whose time is over.
    pub(super) fn due(&self, now: Instant) -> Option<u16> {
        let mut streams = self.streams.iter();
        let due = streams.find(|(_, it)| it.until <= now);
        due.map(|(stream, _)| *stream)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.streams.values().map(|it| it.until).min()
    }
}

/// What one stream may hold, in bytes.
const MAX_STREAM: usize = 64 << 10;
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How many messages are dropped at once.
const DROPPED: usize = 2;
