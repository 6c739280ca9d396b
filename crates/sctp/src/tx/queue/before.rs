//! What messages waited when the peer restarted the association (RFC 9260 §5.2.4).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{NORMAL_PRIORITY, Outgoing, Queue, Scheduler};
use crate::{StreamId, tx::outstanding::effort};

/// The streams of an association that the peer has restarted, of which thresholds and weights stay.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) streams: BTreeMap<StreamId, Outgoing>,
    scheduler: Scheduler,
    begun: BTreeSet<(usize, StreamId)>,
    /// From here on there are none any more.
    pub(super) limit: StreamId,
}

impl Queue {
    /// Forgets all messages and resets; thresholds and weights stay. What is forgotten is dropped by `go_on_dropping`.
    pub(crate) fn discard(&mut self) {
        let mut old = std::mem::take(self);
        self.interleaved = old.interleaved;
        self.before = std::mem::take(&mut old.before);
        self.before.push_back(Before {
            streams: std::mem::take(&mut old.streams),
            scheduler: std::mem::take(&mut old.scheduler),
            begun: std::mem::take(&mut old.begun),
            limit: StreamId::MAX,
        });
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
                *left = left.saturating_sub(2 * effort::MESSAGE + effort::LOST);
                let (stream, old) = entry.remove_entry();
                if stream < before.limit && old.is_set() {
                    self.streams.entry(stream).or_insert_with(|| old.anew());
                }
            }
            while before.begun.pop_first().is_some() || before.scheduler.forget_one() {
                if *left == 0 {
                    return false;
                }
                *left = left.saturating_sub(effort::LOST);
            }
            self.before.pop_back();
        }
        true
    }
}

/// The stream, as it begins if nothing is known of it but what stays at a restart.
pub(super) fn outgoing<'a>(
    streams: &'a mut BTreeMap<StreamId, Outgoing>,
    before: &VecDeque<Before>,
    stream: StreamId,
) -> &'a mut Outgoing {
    streams.entry(stream).or_insert_with(|| {
        let mut before = before.iter().rev().filter(|it| stream < it.limit);
        let old = before.find_map(|it| it.streams.get(&stream));
        old.map(Outgoing::anew).unwrap_or_default()
    })
}

impl Outgoing {
    /// One with the same threshold and weight.
    fn anew(&self) -> Self {
        Self {
            threshold: self.threshold,
            weight: self.weight,
            ..Self::default()
        }
    }

    /// Whether either was set.
    fn is_set(&self) -> bool {
        (self.threshold, self.weight) != (0, NORMAL_PRIORITY)
    }

    pub(super) fn unset(&mut self) {
        (self.threshold, self.weight) = (0, NORMAL_PRIORITY);
    }
}
