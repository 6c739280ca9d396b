//! Congestion control: how much may be in flight.

mod controller;
mod cubic;
mod hystart;
mod newreno;

use std::time::{Duration, Instant};

use self::{cubic::Cubic, newreno::NewReno};
use crate::config::CongestionControl;

pub(crate) use self::controller::{Acked, Controller, Saved};

/// The controllers there are.
#[derive(Debug)]
pub(crate) enum Control {
    NewReno(NewReno),
    Cubic(Cubic),
}

impl Control {
    /// `packet` is what a packet has room for beside its header: the PMDCS of RFC 9260.
    pub(crate) fn new(which: CongestionControl, packet: usize, initial_packets: u32) -> Self {
        let initial = packet.saturating_mul(initial_packets as usize);
        match which {
            CongestionControl::NewReno => Self::NewReno(NewReno::new(packet, initial)),
            CongestionControl::Cubic => Self::Cubic(Cubic::new(packet, initial)),
        }
    }

    fn controller(&self) -> &dyn Controller {
        match self {
            Self::NewReno(it) => it,
            Self::Cubic(it) => it,
        }
    }

    fn controller_mut(&mut self) -> &mut dyn Controller {
        match self {
            Self::NewReno(it) => it,
            Self::Cubic(it) => it,
        }
    }

    pub(crate) fn in_slow_start(&self) -> bool {
        self.window() < self.threshold()
    }
}

impl Controller for Control {
    fn on_acked(&mut self, acked: &Acked) {
        self.controller_mut().on_acked(acked);
    }

    fn on_lost(&mut self, now: Instant) {
        self.controller_mut().on_lost(now);
    }

    fn on_timeout(&mut self, now: Instant, repeated: bool) {
        self.controller_mut().on_timeout(now, repeated);
    }

    fn on_spurious(&mut self, saved: Saved) {
        self.controller_mut().on_spurious(saved);
    }

    fn save(&self) -> Saved {
        self.controller().save()
    }

    fn on_idle(&mut self, idle: Duration, rto: Duration) {
        self.controller_mut().on_idle(idle, rto);
    }

    fn window(&self) -> usize {
        // Asked several times a packet.
        match self {
            Self::NewReno(it) => it.window(),
            Self::Cubic(it) => it.window(),
        }
    }

    fn threshold(&self) -> usize {
        self.controller().threshold()
    }
}

#[cfg(test)]
mod tests;
