//! The deadlines of an agent.

use std::time::Instant;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// The next check, retransmission, or end of a check.
    Check,
    /// The next consent check, or the end of consent.
    Consent,
    /// The end of the wait for a better pair than the best valid one.
    Nomination,
    /// The end of patience (RFC 8863).
    Patience,
    /// The moment when a silent peer counts as disconnected.
    Silence,
    /// The moment when a pair in use becomes suspect, or is returned to.
    Selection,
    /// The end of a session that was replaced.
    Fading,
    /// Something that servers are asked for.
    Gathering,
    /// The peer is asked, as no payload of its comes.
    OneWay,
}

/// One deadline for each [`Timer`].
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; 9]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = at;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = [None; 9];
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }
}
