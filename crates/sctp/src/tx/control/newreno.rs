//! Slow start and congestion avoidance of RFC 9260 §7.2.

use std::time::{Duration, Instant};

use super::{
    controller::{Acked, Controller, REMEMBERED, Saved, decayed},
    hystart::{HyStart, Pace},
};

/// The window halves at a loss and grows by a packet a round trip.
#[derive(Debug)]
pub(crate) struct NewReno {
    window: usize,
    threshold: usize,
    partial_bytes_acked: usize,
    packet: usize,
    initial: usize,
    hystart: HyStart,
}

impl NewReno {
    pub(crate) fn new(packet: usize, initial: usize) -> Self {
        Self {
            window: initial,
            threshold: usize::MAX,
            partial_bytes_acked: 0,
            packet,
            initial,
            hystart: HyStart::default(),
        }
    }

    fn reduced(&self) -> usize {
        (self.window / 2).max(self.packet * 4)
    }
}

impl Controller for NewReno {
    fn on_acked(&mut self, acked: &Acked) {
        if self.window < self.threshold {
            match self.hystart.on_acked(acked) {
                Pace::Grow(divisor) => {
                    self.window = self.window.saturating_add(acked.limited / divisor);
                    if self.window <= self.threshold {
                        return;
                    }
                    // What is beyond the threshold is for congestion avoidance.
                    self.partial_bytes_acked = self.window - self.threshold;
                    self.window = self.threshold;
                }
                Pace::End => self.threshold = self.window,
            }
        } else {
            // RFC 9260 §7.2.2.
            self.partial_bytes_acked += acked.limited;
        }
        while self.partial_bytes_acked >= self.window {
            self.partial_bytes_acked -= self.window;
            self.window += self.packet;
        }
    }

    fn on_lost(&mut self, _now: Instant) {
        // RFC 9260 §7.2.3.
        self.threshold = self.reduced();
        self.window = self.threshold;
        self.partial_bytes_acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant, repeated: bool) {
        if !repeated {
            self.threshold = self.reduced();
        }
        self.window = self.packet;
        self.partial_bytes_acked = 0;
        self.hystart.restart();
    }

    fn on_spurious(&mut self, saved: Saved) {
        self.window = self.window.max(saved.window as usize);
        self.threshold = self.threshold.max(saved.threshold as usize);
    }

    fn save(&self) -> Saved {
        Saved {
            window: self.window as f64,
            threshold: self.threshold as f64,
            maximum: 0.0,
            prior: 0.0,
        }
    }

    fn on_idle(&mut self, idle: Duration, rto: Duration) {
        let window = decayed(self.window as f64, self.initial as f64, idle, rto) as usize;
        if window < self.window {
            self.threshold = self
                .threshold
                .max((self.window as f64 * REMEMBERED) as usize);
            self.window = window;
            self.partial_bytes_acked = 0;
            self.hystart.restart();
        }
    }

    fn on_packet_size(&mut self, packet: usize) {
        self.packet = packet;
    }

    fn window(&self) -> usize {
        self.window
    }

    fn threshold(&self) -> usize {
        self.threshold
    }
}
