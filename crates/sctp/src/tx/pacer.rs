//! How fast a window leaves.

use std::time::{Duration, Instant};

/// A bucket of bytes that fills at a rate. It owns no packets: it says whether one may leave. It may go one packet below
/// nothing, so a wait is never for a part of a packet.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Bytes a second; 0 before it is known.
    rate: u64,
    level: i64,
    at: Option<Instant>,
    /// The most that may leave at one instant.
    quantum: i64,
    /// Something waits for the bucket.
    awaited: bool,
    /// What may leave before the next input where no bucket is asked.
    burst: usize,
    packet: usize,
}

impl Pacer {
    pub(crate) fn new(packet: usize) -> Self {
        Self {
            rate: 0,
            level: 0,
            at: None,
            quantum: (packet * MIN_PACKETS) as i64,
            awaited: false,
            burst: UNPACED,
            packet,
        }
    }

    /// So many bytes a second shall leave. The shortest round trip says whether there is a path at all: what is beyond it are
    /// queues, and where all of them are this machine's a timer is too coarse.
    pub(crate) fn set(&mut self, now: Instant, rate: u64, least: Duration) {
        self.fill(now);
        self.rate = if least < MIN_ROUND_TRIP { 0 } else { rate };
        let quantum = (rate / 1000) as usize;
        self.quantum = quantum.min(MAX_BURST).max(self.packet * MIN_PACKETS) as i64;
        // What left while no bucket was asked is not waited for.
        self.level = self.level.clamp(-self.quantum, self.most());
    }

    /// An input: what it acknowledges may be followed by as much.
    pub(crate) fn input(&mut self) {
        self.burst = UNPACED;
    }

    /// Nothing was in flight: the bucket is full.
    pub(crate) fn idle(&mut self) {
        self.level = self.quantum;
    }

    /// Whether the bucket is asked at all: where a timer would be worth less than a batch it is not.
    fn is_asked(&self) -> bool {
        self.rate > 0 && self.rate / 1000 < MAX_BURST as u64
    }

    /// Bytes a second, if they are counted.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.is_asked().then_some(self.rate)
    }

    /// When the next packet may leave; `None` is now. Where the bucket is not asked and the burst is out the next input
    /// decides, and the instant is not known.
    pub(crate) fn held(&mut self, now: Instant) -> Option<Until> {
        if !self.is_asked() {
            return (self.burst == 0).then_some(Until::Input);
        }
        self.fill(now);
        self.awaited = self.level <= 0;
        if !self.awaited {
            return None;
        }
        let missing = (1 - self.level) as u64;
        let wait = Duration::from_micros(missing.saturating_mul(1_000_000) / self.rate + 1);
        Some(Until::Instant(now + wait.max(MIN_WAIT)))
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.level -= bytes as i64;
        self.burst = self.burst.saturating_sub(bytes);
    }

    fn fill(&mut self, now: Instant) {
        let last = *self.at.get_or_insert(now);
        let micros = now.saturating_duration_since(last).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX).min(1_000_000);
        let more = self.rate.saturating_mul(micros) / 1_000_000;
        if more > 0 {
            self.level = (self.level + more as i64).min(self.most());
            self.at = Some(now);
        }
    }

    /// What the bucket holds. A timer that comes late is no reason to send less: what should have left meanwhile may
    /// leave then.
    fn most(&self) -> i64 {
        self.quantum * if self.awaited { LATE } else { 1 }
    }
}

/// So many bytes a second are a window a round trip, or as many hundredths of it.
pub(crate) fn rate_over(window: usize, round_trip: Duration, gain: u64) -> u64 {
    let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
    (window as u64).saturating_mul(gain * 10_000) / micros.max(1)
}

/// For what a packet waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Instant(Instant),
    /// A packet of the peer's, or a timer.
    Input,
}

/// A timer is worth a millisecond of data.
const MIN_WAIT: Duration = Duration::from_millis(1);
const MIN_PACKETS: usize = 10;
const MAX_BURST: usize = 128 << 10;
/// As much leaves without a pacer until something comes: four of what the system takes as one, and not a few packets more. With half
/// of it both ends wait for each other on one machine; with four times as much bulk is a fifth faster there, and receivers with small
/// buffers lose the rest.
const UNPACED: usize = 240 << 10;
/// Below that a round trip is no path.
const MIN_ROUND_TRIP: Duration = Duration::from_millis(1);
/// How many quanta a bucket holds that something has waited for.
const LATE: i64 = 4;

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;

    /// How much leaves in a second, and on how many timers.
    fn run(window: usize, round_trip: Duration) -> (usize, usize) {
        let start = epoch();
        let mut now = start;
        let mut pacer = Pacer::new(1100);
        pacer.set(now, rate_over(window, round_trip, 100), round_trip);
        let (mut sent, mut timers) = (0, 0);
        while now < start + Duration::from_secs(1) {
            pacer.input();
            let until = loop {
                match pacer.held(now) {
                    None => {
                        pacer.sent(1100);
                        sent += 1100;
                    }
                    Some(until) => break until,
                }
            };
            let Until::Instant(at) = until else {
                return (sent, 0);
            };
            assert!(at >= now + Duration::from_millis(1));
            now = at;
            timers += 1;
        }
        (sent, timers)
    }

    #[test]
    fn a_window_leaves_over_a_round_trip() {
        for window in [20_000, 625_000, 4 << 20] {
            let (sent, timers) = run(window, Duration::from_millis(50));
            let expected = window * 20;
            assert!(
                sent.abs_diff(expected) < expected / 50 + 12_000,
                "{sent} of {expected}"
            );
            assert!(timers <= 1001, "{timers}");
        }
    }

    /// Timers have a grain of a millisecond, and come late on a busy machine.
    #[test]
    fn late_timers_cost_no_rate() {
        let start = epoch();
        let mut now = start;
        let mut pacer = Pacer::new(1100);
        let round_trip = Duration::from_millis(50);
        pacer.set(now, rate_over(625_000, round_trip, 100), round_trip);
        let mut sent = 0;
        while now < start + Duration::from_secs(1) {
            while pacer.held(now).is_none() {
                pacer.sent(1100);
                sent += 1100;
            }
            now += Duration::from_micros(2900);
        }
        assert!((12_300_000..12_700_000).contains(&sent), "{sent}");
    }

    /// What has left for minutes without a bucket is no debt.
    #[test]
    fn a_path_that_becomes_longer_is_not_waited_for() {
        let now = epoch();
        let mut pacer = Pacer::new(1100);
        pacer.set(now, 10_000_000, Duration::from_micros(400));
        pacer.sent(1 << 30);
        pacer.set(now, 10_000_000, Duration::from_millis(20));
        let Some(Until::Instant(at)) = pacer.held(now) else {
            panic!("all that a bucket holds has left");
        };
        assert!(at <= now + Duration::from_millis(2), "{:?}", at - now);
    }

    #[test]
    fn a_fast_path_has_no_timers() {
        assert_eq!(run(1 << 20, Duration::from_micros(200)), (246_400, 0));
        assert_eq!(run(16 << 20, Duration::from_millis(50)), (246_400, 0));
    }
}
