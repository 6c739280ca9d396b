//! The timers of an association.

use std::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// T1-init and T1-cookie (RFC 9260 §5.1): never both at once.
    Setup,
    /// The delayed acknowledgement (RFC 9260 §6.2).
    Acknowledgement,
    /// The next HEARTBEAT, or the answer to the last (RFC 9260 §8.3).
    Heartbeat,
    /// T2-shutdown (RFC 9260 §9.2).
    Shutdown,
    /// T5-shutdown-guard (RFC 9260 §9.2).
    ShutdownGuard,
    /// The re-configuration timer (RFC 6525 §5.1.1).
    Reconfiguration,
    /// What is done in steps, a reset or the skipping of many streams, has steps left.
    Sweep,
}

impl Timer {
    /// Every timer, in the order in which they are served.
    pub(crate) const ALL: [Self; 7] = [
        Self::Setup,
        Self::Acknowledgement,
        Self::Heartbeat,
        Self::Shutdown,
        Self::ShutdownGuard,
        Self::Reconfiguration,
        Self::Sweep,
    ];
}

/// One deadline a timer; `None` is a timer that does not run.
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = Some(at);
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = None;
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// Whether the timer has expired; it is stopped then.
    pub(crate) fn expire(&mut self, timer: Timer, now: Instant) -> bool {
        let slot = self.0.get_mut(timer as usize);
        slot.is_some_and(|slot| slot.take_if(|at| *at <= now).is_some())
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }
}
