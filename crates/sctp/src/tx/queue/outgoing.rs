//! The sending side of a stream, and the messages that wait on it.

use std::time::Instant;

use bytes::Bytes;

use crate::{account::Account, blocks, tx::scheduler::Scheduler};

/// When a message is given up (RFC 7496).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How often a chunk of it may be sent again; `u16::MAX` is no limit.
    pub(crate) retransmissions: u16,
    /// How long it may live, in milliseconds, and when that is over.
    pub(crate) life: u32,
    pub(crate) expires: Option<Instant>,
}

impl Limit {
    pub(crate) const NONE: Self = Self {
        retransmissions: u16::MAX,
        life: 0,
        expires: None,
    };

    /// Whether a chunk that was sent `transmissions` times may not be sent again.
    pub(crate) fn is_reached(&self, transmissions: u16, now: Instant) -> bool {
        let limited = self.retransmissions != u16::MAX;
        (limited && transmissions > self.retransmissions)
            || self.expires.is_some_and(|at| at <= now)
    }
}

/// A message, or what is left of it. Very many may wait, so it is small.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    pub(crate) ordered: bool,
    /// Its bytes are part of the buffered amount.
    pub(crate) counts: bool,
    pub(crate) limit: Limit,
}

impl Queued {
    /// Takes a piece off its front.
    pub(super) fn split_to(&mut self, size: usize) -> Self {
        Self {
            payload: self.payload.split_to(size),
            ..*self
        }
    }
}

/// What is known of a message of which a piece has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    /// Under which it stands in the list of chunks under way.
    pub(super) key: Option<u32>,
    /// Its number in its stream.
    pub(super) number: u32,
    /// The number of its next piece.
    pub(super) fsn: u32,
    /// How long it was when it began.
    pub(super) total: usize,
}

/// The sending side of a stream.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) messages: blocks::Queue<Queued>,
    /// Of the first of them, if a piece of it has left.
    pub(super) begun: Option<Begun>,
    /// The next numbers of ordered and of unordered messages.
    pub(super) next_ordered: u32,
    pub(super) next_unordered: u32,
    pub(super) buffered: Account,
    pub(super) unacknowledged: Account,
    /// What of an earlier life is not acknowledged.
    pub(super) earlier: Account,
    pub(super) threshold: usize,
    pub(super) weight: u16,
    pub(super) position: u64,
    pub(super) resetting: bool,
    /// It was reset, and something of its earlier life was not acknowledged then.
    pub(super) ended: bool,
    /// Ordered messages that the cumulative TSN has not passed.
    pub(super) numbered: u16,
}

impl Outgoing {
    /// So much has left. True if what is left has fallen to the threshold by that.
    pub(super) fn left(&mut self, length: usize) -> bool {
        let above = self.buffered.total() > self.threshold;
        self.buffered.take(length);
        above && self.buffered.total() <= self.threshold
    }

    /// What a turn costs in which so many bytes leave.
    pub(super) fn cost(&self, length: usize) -> u64 {
        self.way(length.clamp(SHORTEST_TURN, LONGEST_TURN))
    }

    /// How far on so many bytes take it.
    pub(super) fn way(&self, length: usize) -> u64 {
        ((length as u64) << 10) / u64::from(self.weight)
    }

    /// What its next turn costs, if there is one, in which no more than so many bytes leave.
    pub(super) fn next_cost(&self, longest: usize) -> Option<u64> {
        let next = self.messages.front()?;
        Some(self.cost(next.payload.len().min(longest)))
    }

    /// Its turn is over in which so many bytes left.
    pub(super) fn end_turn(&mut self, scheduler: &mut Scheduler, length: usize, longest: usize) {
        let (cost, next) = (self.cost(length), self.next_cost(longest));
        self.position = scheduler.end_turn(cost, self.weight, next);
    }

    /// One with the same threshold and weight.
    pub(super) fn anew(&self) -> Self {
        Self {
            threshold: self.threshold,
            weight: self.weight,
            ..Self::default()
        }
    }

    /// Whether nothing of any life is under way.
    pub(super) fn has_all_acknowledged(&self) -> bool {
        self.unacknowledged.total() + self.earlier.total() == 0 && self.numbered == 0
    }

    /// Whether nothing of its life has been said or sent.
    pub(super) fn is_fresh(&self) -> bool {
        let numbers = (self.next_ordered, self.next_unordered);
        self.messages.is_empty() && numbers == (0, 0) && !self.resetting && !self.is_set()
    }

    /// Whether either was set.
    pub(super) fn is_set(&self) -> bool {
        (self.threshold, self.weight) != (0, NORMAL_PRIORITY)
    }

    pub(super) fn unset(&mut self) {
        (self.threshold, self.weight) = (0, NORMAL_PRIORITY);
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            messages: blocks::Queue::new(),
            begun: None,
            next_ordered: 0,
            next_unordered: 0,
            buffered: Account::default(),
            unacknowledged: Account::default(),
            earlier: Account::default(),
            threshold: 0,
            weight: NORMAL_PRIORITY,
            position: 0,
            resetting: false,
            ended: false,
            numbered: 0,
        }
    }
}

/// A message that is longer costs no more: it would wait until all others have sent as much.
const LONGEST_TURN: usize = 256 << 10;
/// Nor does one that is shorter cost less: it has a header of its own.
const SHORTEST_TURN: usize = 64;
/// RFC 8831 §6.4.
const NORMAL_PRIORITY: u16 = 256;
