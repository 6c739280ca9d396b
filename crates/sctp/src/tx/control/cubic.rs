//! CUBIC (RFC 9438).

use std::time::{Duration, Instant};

use super::{
    controller::{Acked, Controller, REMEMBERED, Saved, decayed},
    hystart::{HyStart, Pace},
};

/// The window comes back fast to where it was at the last loss, waits there, and then looks for more. Sizes are packets.
#[derive(Debug)]
pub(crate) struct Cubic {
    window: f64,
    threshold: f64,
    packet: f64,
    initial: f64,
    /// W_max.
    maximum: f64,
    /// cwnd_prior: the window at the last loss.
    prior: f64,
    epoch: Option<Epoch>,
    hystart: HyStart,
}

/// A stretch of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// W_max, or where the epoch began if that was more.
    maximum: f64,
    /// K: how long until the window is at its last maximum.
    k: f64,
    /// W_est: the window that Reno would have.
    reno: f64,
    /// When growth was last wanted: the time since does not count.
    last: Instant,
}

impl Cubic {
    pub(crate) fn new(packet: usize, initial: usize) -> Self {
        let (packet, initial) = (packet as f64, initial as f64);
        Self {
            window: initial / packet,
            threshold: f64::INFINITY,
            packet,
            initial: initial / packet,
            maximum: 0.0,
            prior: 0.0,
            epoch: None,
            hystart: HyStart::default(),
        }
    }

    /// RFC 9438 §4.6, §4.7.
    fn reduce(&mut self) {
        self.prior = self.window;
        self.maximum = if self.window < self.maximum {
            self.window * (1.0 + BETA) / 2.0
        } else {
            self.window
        };
        self.threshold = (self.window * BETA).max(MIN_WINDOW);
        self.epoch = None;
    }

    /// RFC 9438 §4.2 to §4.5.
    fn avoid(&mut self, acked: &Acked) {
        let packets = acked.limited as f64 / self.packet;
        let now = acked.now;
        if packets <= 0.0 {
            return;
        }
        let (window, maximum) = (self.window, self.maximum.max(self.window));
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            start: now,
            maximum,
            k: ((maximum - window) / C).cbrt(),
            reno: window,
            last: now,
        });
        // §5.8: time in which the window was not all in use is no time for growth.
        let pause = now.saturating_duration_since(epoch.last);
        if pause > acked.smoothed * 2 {
            epoch.start += pause - acked.smoothed;
        }
        epoch.last = now;
        let alpha = if epoch.reno >= self.prior { 1.0 } else { ALPHA };
        epoch.reno += alpha * packets / self.window;
        let curve = |time: f64| C * (time - epoch.k).powi(3) + epoch.maximum;
        let time = now.saturating_duration_since(epoch.start).as_secs_f64();
        if curve(time) < epoch.reno {
            // §4.3: where Reno would have more, as much as Reno.
            self.window = self.window.max(epoch.reno);
            return;
        }
        let target = curve(time + acked.smoothed.as_secs_f64());
        let target = target.clamp(self.window, self.window * 1.5);
        self.window += (target - self.window) / self.window * packets;
    }
}

impl Controller for Cubic {
    fn on_acked(&mut self, acked: &Acked) {
        if self.window >= self.threshold {
            self.avoid(acked);
            return;
        }
        match self.hystart.on_acked(acked) {
            Pace::Grow(divisor) => {
                self.window += acked.limited as f64 / self.packet / divisor as f64;
                self.window = self.window.min(self.threshold);
            }
            Pace::End => self.threshold = self.window,
        }
    }

    fn on_lost(&mut self, _now: Instant) {
        self.reduce();
        self.window = self.threshold;
    }

    fn on_timeout(&mut self, _now: Instant, repeated: bool) {
        if !repeated {
            self.reduce();
        }
        self.epoch = None;
        self.window = 1.0;
        self.hystart.restart();
    }

    fn on_spurious(&mut self, saved: Saved) {
        self.window = self.window.max(saved.window / self.packet);
        self.threshold = self.threshold.max(saved.threshold / self.packet);
        self.maximum = saved.maximum / self.packet;
        self.prior = saved.prior / self.packet;
        self.epoch = None;
    }

    fn save(&self) -> Saved {
        Saved {
            window: self.window * self.packet,
            threshold: self.threshold * self.packet,
            maximum: self.maximum * self.packet,
            prior: self.prior * self.packet,
        }
    }

    fn on_idle(&mut self, idle: Duration, rto: Duration) {
        let window = decayed(self.window, self.initial, idle, rto);
        if window < self.window {
            self.threshold = self.threshold.max(self.window * REMEMBERED);
            self.window = window;
            self.epoch = None;
            self.hystart.restart();
        }
    }

    fn on_packet_size(&mut self, packet: usize) {
        let packet = packet as f64;
        for packets in [
            &mut self.window,
            &mut self.threshold,
            &mut self.initial,
            &mut self.maximum,
            &mut self.prior,
        ] {
            *packets *= self.packet / packet;
        }
        self.packet = packet;
        // K is a time that belongs to the old unit.
        self.epoch = None;
    }

    fn window(&self) -> usize {
        (self.window * self.packet) as usize
    }

    fn threshold(&self) -> usize {
        (self.threshold * self.packet) as usize
    }
}

/// C and the multiplicative decrease of RFC 9438 §4.1, §4.6; alpha of §4.3 follows from the latter.
const C: f64 = 0.4;
const BETA: f64 = 0.7;
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// RFC 9260 §7.2.3: no less than four packets after a loss.
const MIN_WINDOW: f64 = 4.0;
