//! The congestion window (RFC 9260 §7.2).

use std::time::{Duration, Instant};

use crate::Tsn;

/// Slow start, congestion avoidance and fast recovery. All counts are bytes, chunk headers and padding included.
#[derive(Debug)]
pub(crate) struct Congestion {
    window: usize,
    threshold: usize,
    partial_bytes_acked: usize,
    packet: usize,
    /// Fast recovery lasts until this TSN is acknowledged.
    recovery_exit: Option<Tsn>,
    last_sent: Option<Instant>,
}

impl Congestion {
    pub(crate) fn new(packet: usize, initial_packets: u32) -> Self {
        Self {
            window: packet.saturating_mul(initial_packets as usize),
            threshold: usize::MAX,
            partial_bytes_acked: 0,
            packet,
            recovery_exit: None,
            last_sent: None,
        }
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn in_recovery(&self) -> bool {
        self.recovery_exit.is_some()
    }

    /// Called before new data goes out, with what is in flight by then.
    pub(crate) fn sending(&mut self, now: Instant, in_flight: usize, rto: Duration) {
        if let Some(last) = self.last_sent
            && in_flight == 0
        {
            self.decay(now.saturating_duration_since(last), rto);
        }
        self.last_sent = Some(now);
    }

    /// RFC 9260 §7.2.1: what was learnt of the path loses its worth while nothing is sent.
    fn decay(&mut self, idle: Duration, rto: Duration) {
        let floor = self.packet * 4;
        let mut left = idle;
        while left >= rto && self.window > floor {
            if left == idle {
                self.threshold = self.window;
            }
            self.window = (self.window / 2).max(floor);
            left -= rto;
        }
    }

    /// `flight` is what was in flight before the SACK, `advanced` whether its cumulative TSN moved.
    pub(crate) fn acknowledged(&mut self, bytes: usize, flight: usize, advanced: bool) {
        // A packet does not always fit exactly: a window with no room for one more is fully used.
        let fully_used = flight + self.packet > self.window;
        if self.window <= self.threshold {
            if fully_used && advanced && self.recovery_exit.is_none() {
                self.window += bytes.min(SLOW_START_PACKETS * self.packet);
            }
            return;
        }
        self.partial_bytes_acked = self.partial_bytes_acked.saturating_add(bytes);
        if self.partial_bytes_acked >= self.window {
            if fully_used && self.recovery_exit.is_none() {
                self.partial_bytes_acked -= self.window;
                self.window += self.packet;
            } else {
                self.partial_bytes_acked = self.window;
            }
        }
    }

    /// RFC 9260 §7.2.2: all that was sent has been acknowledged.
    pub(crate) fn drained(&mut self) {
        self.partial_bytes_acked = 0;
    }

    /// RFC 9260 §7.2.4: chunks were found missing; true when that begins a fast recovery.
    pub(crate) fn lost(&mut self, highest_outstanding: Tsn) -> bool {
        if self.recovery_exit.is_some() {
            return false;
        }
        self.threshold = (self.window / 2).max(self.packet * 4);
        self.window = self.threshold;
        self.partial_bytes_acked = 0;
        self.recovery_exit = Some(highest_outstanding);
        true
    }

    /// Ends fast recovery once its exit point is acknowledged.
    pub(crate) fn cumulative_moved(&mut self, cumulative: Tsn) {
        self.recovery_exit.take_if(|exit| cumulative >= *exit);
    }

    /// RFC 9260 §7.2.3: the T3-rtx timer expired.
    pub(crate) fn timed_out(&mut self) {
        self.threshold = (self.window / 2).max(self.packet * 4);
        self.window = self.packet;
        self.partial_bytes_acked = 0;
        self.recovery_exit = None;
    }
}

/// L of RFC 9260 §7.2.1 (RFC 3465): with one SACK for two packets, 2 doubles the window each round trip.
const SLOW_START_PACKETS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1000;

    #[test]
    fn slow_start_needs_a_full_window_and_a_new_cumulative_tsn() {
        let mut congestion = Congestion::new(PACKET, 10);
        congestion.acknowledged(2000, 5000, true);
        assert_eq!(congestion.window(), 10_000);
        congestion.acknowledged(2000, 10_000, false);
        assert_eq!(congestion.window(), 10_000);
        congestion.acknowledged(9000, 9500, true);
        assert_eq!(congestion.window(), 12_000);
        congestion.acknowledged(500, 12_000, true);
        assert_eq!(congestion.window(), 12_500);
    }

    #[test]
    fn loss_halves_once_a_recovery_and_then_grows_by_a_packet_a_window() {
        let mut congestion = Congestion::new(PACKET, 40);
        assert!(congestion.lost(Tsn(100)));
        assert!(!congestion.lost(Tsn(120)));
        assert_eq!(congestion.window(), 20_000);
        congestion.cumulative_moved(Tsn(99));
        assert!(congestion.in_recovery());
        congestion.acknowledged(30_000, 20_000, true);
        assert_eq!(congestion.window(), 20_000);
        congestion.cumulative_moved(Tsn(100));
        assert!(!congestion.in_recovery());
        congestion.threshold = 19_000; // beyond slow start
        congestion.acknowledged(20_000, 20_000, true);
        assert_eq!(congestion.window(), 21_000);
    }

    #[test]
    fn a_timeout_leaves_one_packet() {
        let mut congestion = Congestion::new(PACKET, 40);
        congestion.timed_out();
        assert_eq!((congestion.window(), congestion.threshold), (1000, 20_000));
        congestion.timed_out();
        assert_eq!((congestion.window(), congestion.threshold), (1000, 4000));
    }

    #[test]
    fn an_idle_window_decays_to_four_packets() {
        let mut congestion = Congestion::new(PACKET, 64);
        #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
        let now = Instant::now();
        let rto = Duration::from_secs(1);
        congestion.sending(now, 0, rto);
        congestion.sending(now + rto * 2, 5, rto);
        assert_eq!(congestion.window(), 64_000);
        congestion.sending(now + rto * 4, 0, rto);
        assert_eq!(
            (congestion.window(), congestion.threshold),
            (16_000, 64_000)
        );
        congestion.sending(now + rto * 4000, 0, rto);
        assert_eq!(congestion.window(), 4000);
    }
}
