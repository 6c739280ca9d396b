//! Dropping in steps what waited on streams that the peer does not take (RFC 9260 §5.1.1).

use super::Queue;
use crate::{StreamId, effort};

impl Queue {
    /// The peer takes streams below `limit`. What waits on others is dropped by `go_on_limiting`.
    pub(crate) fn limit_streams(&mut self, limit: StreamId) {
        for before in &mut self.before {
            before.limit = before.limit.min(limit);
        }
        let limit = self.limit.map_or(limit, |it| it.min(limit));
        self.limit = self.streams.range(limit..).next().map(|_| limit);
    }

    /// Whether `go_on_limiting` has something to drop.
    pub(crate) fn is_limiting(&self) -> bool {
        self.limit.is_some()
    }

    /// Drops what waits on streams that the peer does not take, and counts it. False if that was more than there is `left`.
    pub(crate) fn go_on_limiting(&mut self, left: &mut usize, dropped: &mut u64) -> bool {
        while let Some(limit) = self.limit {
            let last = self.streams.last_key_value();
            let Some((&stream, outgoing)) = last.filter(|(stream, _)| **stream >= limit) else {
                self.limit = None;
                break;
            };
            if *left == 0 {
                return false;
            }
            *left = left.saturating_sub(2 * effort::MESSAGE);
            if outgoing.messages.is_empty() {
                self.streams.remove(&stream);
            } else {
                self.drop_front(stream);
                *dropped += 1;
            }
        }
        true
    }
}
