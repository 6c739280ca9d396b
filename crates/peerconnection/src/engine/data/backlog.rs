//! What came and is still to be dealt with.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    time::Instant,
};

use super::unclaimed::Unclaimed;
use crate::engine::task::Tasks;

/// Streams in their order, and what has no place in the association.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Streams to look at, in order.
    pub(super) ready: VecDeque<u16>,
    /// Streams with an OPEN at their head that waits until the user has read some events, and whether
    /// the peer has reset them since.
    pub(super) waiting: BTreeMap<u16, bool>,
    /// Streams that the peer has reset.
    pub(super) resets: VecDeque<u16>,
    /// The peer has reset all of them, and those that there were then are being listed.
    pub(super) all: Option<All>,
    /// Those of them whose unread messages have no room beside the window yet.
    pub(super) unfinished: BTreeSet<u16>,
    /// There is more room beside the window than when the unfinished ones were tried last.
    pub(super) room_came: bool,
    /// Since when there is more to do than a step takes.
    pub(super) more: Option<Instant>,
    pub(super) unclaimed: Unclaimed,
    /// Bytes in the tails of channels.
    pub(super) tails: usize,
}

/// A reset of all streams of the peer. It is a few bytes, and there may be very many streams.
#[derive(Debug, Default)]
pub(super) struct All {
    /// The stream to go on with.
    pub(super) next: u16,
    /// Those that a channel of ours has got since: they were free.
    pub(super) newer: BTreeSet<u16>,
}

impl Backlog {
    /// Something may stand at the head of a stream.
    pub(super) fn look_at(&mut self, stream: u16) {
        self.ready.push_back(stream);
    }

    /// The next stream to look at.
    pub(super) fn next_stream(&mut self, tasks: &Tasks) -> Option<u16> {
        if let Some(stream) = self.ready.pop_front() {
            return Some(stream);
        }
        if tasks.is_full() {
            return None;
        }
        let (stream, reset) = self.waiting.pop_first()?;
        if reset {
            self.resets.push_back(stream);
        }
        Some(stream)
    }

    /// The peer has reset its side of a stream: first it is looked at.
    pub(super) fn handle_reset(&mut self, stream: u16) {
        self.look_at(stream);
        self.resets.push_back(stream);
    }

    /// All that lay unread on a stream was read where it lay. If that is what its reset has waited for, it is dealt with now.
    pub(super) fn read_out(&mut self, stream: u16) {
        if self.unfinished.remove(&stream) {
            self.resets.push_back(stream);
        }
    }

    /// So many resets are still to be dealt with that no more are asked for: a peer can bring about more of them than a step deals with.
    pub(super) fn is_long(&self) -> bool {
        self.resets.len() >= MANY
    }

    /// Lets go of something; answers how many messages that nobody claimed that were, or `None` when there is nothing.
    pub(super) fn forget_one(&mut self) -> Option<u64> {
        if let Some(messages) = self.unclaimed.forget_one() {
            return Some(messages);
        }
        let waiting = self.waiting.pop_first().is_some();
        let all = self.all.as_mut();
        let newer = all.and_then(|it| it.newer.pop_first()).is_some();
        let unfinished = self.unfinished.pop_first().is_some();
        (waiting || newer || unfinished).then_some(0)
    }

    /// The association is another; answers what there was of the one before.
    pub(super) fn renew(&mut self) -> Self {
        let fresh = Self {
            tails: self.tails,
            ..Self::default()
        };
        mem::replace(self, fresh)
    }

    /// The same at once; answers how many messages nobody claimed.
    pub(super) fn begin_anew(&mut self) -> u64 {
        self.renew().unclaimed.count()
    }
}

const MANY: usize = 32;
