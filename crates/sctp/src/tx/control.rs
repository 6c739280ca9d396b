//! Congestion control: how much may be in flight.

mod bbr;
mod controller;
mod cubic;
mod hystart;
mod newreno;
mod rate;

use std::time::{Duration, Instant};

use self::{bbr::Bbr, cubic::Cubic, newreno::NewReno};
use crate::config::CongestionControl;

pub(crate) use self::{
    bbr::MIN_PACKETS,
    controller::{Acked, Controller, Saved},
    rate::{Rates, Verdict},
};

/// The controllers there are.
#[derive(Debug)]
pub(crate) enum Control {
    NewReno(NewReno),
    Cubic(Cubic),
    Bbr(Box<Bbr>),
}

impl Control {
    /// `packet` is what a packet has room for beside its header: the PMDCS of RFC 9260.
    pub(crate) fn new(which: CongestionControl, packet: usize, initial_packets: u32) -> Self {
        let initial = packet.saturating_mul(initial_packets as usize);
        match which {
            CongestionControl::NewReno => Self::NewReno(NewReno::new(packet, initial)),
            CongestionControl::Cubic => Self::Cubic(Cubic::new(packet, initial)),
            CongestionControl::Bbr => Self::Bbr(Box::new(Bbr::new(packet, initial))),
        }
    }

    fn controller(&self) -> &dyn Controller {
        match self {
            Self::NewReno(it) => it,
            Self::Cubic(it) => it,
            Self::Bbr(it) => &**it,
        }
    }

    fn controller_mut(&mut self) -> &mut dyn Controller {
        match self {
            Self::NewReno(it) => it,
            Self::Cubic(it) => it,
            Self::Bbr(it) => &mut **it,
        }
    }

    /// It measures what the path delivers, and answers to losses by their share: recoveries reduce nothing.
    pub(crate) fn model(&mut self) -> Option<&mut Bbr> {
        match self {
            Self::Bbr(it) => Some(it),
            Self::NewReno(_) | Self::Cubic(_) => None,
        }
    }

    /// Bytes a second, of a controller that knows them; otherwise the window's worth a round trip.
    pub(crate) fn pacing_rate(&self) -> Option<u64> {
        match self {
            Self::Bbr(it) => it.pacing_rate(),
            Self::NewReno(_) | Self::Cubic(_) => None,
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

    fn on_packet_size(&mut self, packet: usize) {
        self.controller_mut().on_packet_size(packet);
    }

    fn window(&self) -> usize {
        // Asked several times a packet.
        match self {
            Self::NewReno(it) => it.window(),
            Self::Cubic(it) => it.window(),
            Self::Bbr(it) => it.window(),
        }
    }

    fn threshold(&self) -> usize {
        self.controller().threshold()
    }
}

#[cfg(test)]
mod tests;
