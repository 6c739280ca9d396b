//! Dropping in steps what waited when the peer restarted the association (RFC 9260 §5.2.4).

use super::{Queue, before::Before};
use crate::{StreamId, effort};

impl Queue {
    /// Forgets all messages and resets; thresholds and weights stay. What is forgotten is dropped by `go_on_dropping`.
    pub(crate) fn discard(&mut self) {
        let mut old = std::mem::take(self);
        self.interleaved = old.interleaved;
        self.before = std::mem::take(&mut old.before);
        // A peer may restart again and again.
        if old.streams.is_empty() {
            return;
        }
        self.before.push_back(Before {
            streams: std::mem::take(&mut old.streams),
            scheduler: std::mem::take(&mut old.scheduler),
            begun: std::mem::take(&mut old.begun),
            limit: StreamId::MAX,
        });
    }

    /// Forgets all streams, and what was set of them. What is forgotten is dropped by `go_on_dropping`.
    pub(crate) fn forget(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        self.discard();
        if let Some(before) = self.before.back_mut() {
            before.limit = 0;
        }
    }

    /// Whether `go_on_dropping` has something to drop.
    pub(crate) fn is_dropping(&self) -> bool {
        !self.before.is_empty()
    }

    /// Drops what was forgotten. False if that was more than there is `left`.
    pub(crate) fn go_on_dropping(&mut self, left: &mut usize) -> bool {
        // What was set last counts.
        while let Some(before) = self.before.back_mut() {
            while let Some(mut entry) = before.streams.first_entry() {
                while entry.get_mut().messages.pop_back().is_some() {
                    if *left == 0 {
                        return false;
                    }
                    *left = left.saturating_sub(effort::MESSAGE);
                }
                if *left == 0 {
                    return false;
                }
                *left = left.saturating_sub(4 * effort::MESSAGE);
                let (stream, old) = entry.remove_entry();
                if stream < before.limit && old.is_set() {
                    self.streams
                        .entry(stream)
                        .or_insert_with(|| Box::new(old.anew()));
                }
            }
            while before.begun.pop_first().is_some() || before.scheduler.forget_one() {
                if *left == 0 {
                    return false;
                }
                *left = left.saturating_sub(effort::MESSAGE);
            }
            self.before.pop_back();
        }
        true
    }
}
