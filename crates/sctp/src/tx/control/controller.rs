//! What a congestion controller is.

use std::time::{Duration, Instant};

use crate::tx::flown::PacketNo;

/// What a controller decides. All sizes are bytes, chunk headers and padding included.
pub(crate) trait Controller {
    /// A verdict brought news, outside of a recovery.
    fn on_acked(&mut self, acked: &Acked);
    /// Losses of a new generation: once for all of them.
    fn on_lost(&mut self, now: Instant);
    /// The retransmission timer expired; `repeated` if it did before and nothing came in between.
    fn on_timeout(&mut self, now: Instant, repeated: bool);
    /// The last reduction was for nothing: as it was before.
    fn on_spurious(&mut self, saved: Saved);
    /// What may come to be restored.
    fn save(&self) -> Saved;
    /// Nothing was in flight for `idle`; something is about to leave.
    fn on_idle(&mut self, idle: Duration, rto: Duration);
    /// A packet holds so much from now on: the PMDCS of RFC 9260, in which windows grow and below which none falls. The window
    /// stays.
    fn on_packet_size(&mut self, packet: usize);
    /// How much may be in flight.
    fn window(&self) -> usize;
    /// Where slow start ends.
    fn threshold(&self) -> usize;
}

/// What was newly acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    pub(crate) now: Instant,
    /// Of what was sent while the window was all in use: only that shows that a wider one would be used.
    pub(crate) limited: usize,
    /// How many packets were newly acknowledged.
    pub(crate) packets: u32,
    /// The newest packet that was acknowledged so far, and the one that leaves next: they bound the rounds.
    pub(crate) newest: PacketNo,
    pub(crate) next: PacketNo,
    /// The round trip of one of them.
    pub(crate) sample: Option<Duration>,
    pub(crate) smoothed: Duration,
}

/// A window and a threshold to come back to, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Saved {
    pub(crate) window: f64,
    pub(crate) threshold: f64,
    /// CUBIC's last maximum and what stood before it.
    pub(crate) maximum: f64,
    pub(crate) prior: f64,
}

impl Saved {
    /// All of it so many times as wide.
    pub(crate) fn scaled(self, gain: f64) -> Self {
        Self {
            window: self.window * gain,
            threshold: self.threshold * gain,
            maximum: self.maximum * gain,
            prior: self.prior * gain,
        }
    }
}

/// RFC 9260 §7.2.1: what was learnt of the path loses its worth while nothing is sent. The floor is what an association
/// begins with.
pub(crate) fn decayed(window: f64, initial: f64, idle: Duration, rto: Duration) -> f64 {
    let mut window = window;
    let mut left = idle;
    while left >= rto && window > initial && !rto.is_zero() {
        window = (window / 2.0).max(initial);
        left -= rto;
    }
    window
}

/// How much of a window that decays is remembered, as the place where slow start ends: no less than what was known before, as nobody has
/// tried more (RFC 7661).
pub(crate) const REMEMBERED: f64 = 0.75;
