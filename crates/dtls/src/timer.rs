use std::time::{Duration, Instant};

/// The things a connection waits for, apart from the retransmission of a flight, which the flight
/// computes itself.
#[derive(Clone, Copy)]
pub(crate) enum Timer {
    /// The handshake must be complete.
    Handshake,
    /// A fault that anybody could have forged counts as real when the handshake made no progress.
    Doubt,
    /// The fingerprints of the peer must be known.
    Fingerprint,
}

#[derive(Default)]
pub(crate) struct Timers([Option<Instant>; 3]);

impl Timers {
    /// A wait that no instant can end, as the owner's settings may be, is for ever.
    pub(crate) fn set(&mut self, timer: Timer, now: Instant, wait: Duration) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = now.checked_add(wait);
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = None;
        }
    }

    pub(crate) fn stop_all(&mut self) {
        self.0 = [None; 3];
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Whether the timer is due; it is stopped then.
    pub(crate) fn expired(&mut self, timer: Timer, now: Instant) -> bool {
        let slot = self.0.get_mut(timer as usize);
        slot.is_some_and(|slot| slot.take_if(|at| *at <= now).is_some())
    }
}
