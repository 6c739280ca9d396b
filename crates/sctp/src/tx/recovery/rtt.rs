//! The round trip and the retransmission timeout (RFC 9260 §6.3.1).

use std::time::{Duration, Instant};

use crate::{config::Timing, tx::flown::PacketNo};

/// Round trip and timeout.
#[derive(Debug)]
pub(crate) struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
    timeout: Duration,
    min: Duration,
    max: Duration,
    /// The least of late, and when it was measured; and the least of all.
    least: Option<(Duration, Instant)>,
    shortest: Duration,
    /// RFC 9260 §6.3.1 C4: the next measurement is of this packet, or a later one.
    next_packet: PacketNo,
}

impl Rtt {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            smoothed: None,
            variation: Duration::ZERO,
            timeout: timing.rto_initial,
            min: timing.rto_min,
            max: timing.rto_max,
            least: None,
            shortest: LONGEST,
            next_packet: 0,
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// What a round trip takes at most as far as is known: the timeout without its least.
    pub(crate) fn longest(&self) -> Option<Duration> {
        let smoothed = self.smoothed?;
        Some(smoothed + self.variation.max(GRANULARITY) * 4)
    }

    /// The shortest round trip of the last seconds; 0 before there is any.
    pub(crate) fn least(&self) -> Duration {
        self.least.map_or(Duration::ZERO, |(least, _)| least)
    }

    /// The shortest of all round trips: a queue that has stood for long makes none shorter than what comes when it is gone.
    pub(crate) fn shortest(&self) -> Duration {
        self.least.map_or(Duration::ZERO, |_| self.shortest)
    }

    /// A round trip that another layer measured on the same path; it counts until we have our own.
    pub(crate) fn hint(&mut self, round_trip: Duration) {
        if self.smoothed.is_none() {
            self.timeout = round_trip.saturating_mul(3).clamp(self.min, self.max);
        }
    }

    /// A packet's round trip; `next` is the packet that leaves next.
    pub(crate) fn packet_measured(
        &mut self,
        now: Instant,
        (packet, sample): (PacketNo, Duration),
        next: PacketNo,
    ) {
        let stale = |at: Instant| now.saturating_duration_since(at) > LEAST_SPAN;
        let sample = sample.min(LONGEST);
        self.shortest = self.shortest.min(sample);
        if self
            .least
            .is_none_or(|(least, at)| sample <= least || stale(at))
        {
            self.least = Some((sample, now));
        }
        if packet >= self.next_packet {
            self.next_packet = next;
            self.measured(sample);
        }
    }

    /// RFC 9260 §6.3.1 C2, C3.
    pub(crate) fn measured(&mut self, sample: Duration) {
        let sample = sample.min(LONGEST);
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.variation = sample / 2;
            }
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(sample)) / 4;
                self.smoothed = Some((smoothed * 7 + sample) / 8);
            }
        }
        self.forgive();
    }

    /// RFC 9260 §6.3.3 E2.
    pub(crate) fn back_off(&mut self) {
        self.timeout = (self.timeout * 2).min(self.max);
    }

    /// What is measured counts again, and not how often it was doubled.
    pub(crate) fn forgive(&mut self) {
        if let Some(longest) = self.longest() {
            self.timeout = longest.clamp(self.min, self.max);
        }
    }
}

const GRANULARITY: Duration = Duration::from_millis(1);
/// No round trip takes longer: a clock that leaps is none.
const LONGEST: Duration = Duration::from_secs(3600);
/// Over how long the least round trip is taken (RFC 8985 §6.2 step 1).
const LEAST_SPAN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn follows_the_formula_and_stays_within_bounds() {
        let millis = Duration::from_millis;
        let mut rtt = Rtt::new(
            &Config::default()
                .rto(millis(1000), millis(10), millis(3000))
                .timing,
        );
        assert_eq!(rtt.timeout(), millis(1000));
        rtt.measured(millis(100));
        assert_eq!(rtt.timeout(), millis(300)); // SRTT 100, RTTVAR 50
        rtt.measured(millis(100));
        assert_eq!(rtt.timeout(), Duration::from_micros(250_000)); // RTTVAR 37.5
        for _ in 0..8 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), millis(3000));
        rtt.forgive();
        assert_eq!(rtt.timeout(), millis(250));
    }

    /// Whoever measures, and whatever a clock says.
    #[test]
    fn a_leap_of_the_clock_is_no_overflow() {
        let mut rtt = Rtt::new(&Config::default().timing);
        rtt.hint(Duration::MAX);
        assert_eq!(rtt.timeout(), rtt.max());
        for sample in [Duration::MAX, Duration::ZERO, Duration::MAX, Duration::MAX] {
            rtt.measured(sample);
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), rtt.max());
        assert!(rtt.smoothed() <= Some(LONGEST));
    }

    #[test]
    fn one_measurement_a_round_trip_and_the_least_of_late() {
        let millis = Duration::from_millis;
        let mut rtt = Rtt::new(&Config::default().timing);
        let now = oxirtc_netsim::epoch();
        rtt.packet_measured(now, (1, millis(50)), 11);
        rtt.packet_measured(now, (10, millis(90)), 21);
        assert_eq!(
            (rtt.smoothed(), rtt.least()),
            (Some(millis(50)), millis(50))
        );
        rtt.packet_measured(now, (11, millis(58)), 31);
        assert_eq!(rtt.smoothed(), Some(millis(51)));
        rtt.packet_measured(now + millis(11_000), (12, millis(70)), 31);
        assert_eq!(rtt.least(), millis(70));
    }
}
