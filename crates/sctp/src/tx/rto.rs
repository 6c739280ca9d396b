//! The retransmission timeout (RFC 9260 §6.3.1).

use std::time::{Duration, Instant};

use crate::{Tsn, config::Timing};

/// Round trip and timeout, and the one chunk that is being timed.
#[derive(Debug)]
pub(crate) struct Rto {
    smoothed: Option<Duration>,
    variation: Duration,
    timeout: Duration,
    min: Duration,
    max: Duration,
    timed: Option<(Tsn, Instant)>,
}

impl Rto {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            smoothed: None,
            variation: Duration::ZERO,
            timeout: timing.rto_initial,
            min: timing.rto_min,
            max: timing.rto_max,
            timed: None,
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

    /// A round trip that another layer measured on the same path; it counts until we have our own.
    pub(crate) fn hint(&mut self, round_trip: Duration) {
        if self.smoothed.is_none() {
            self.timeout = (round_trip * 3).clamp(self.min, self.max);
        }
    }

    /// RFC 9260 §6.3.1 C4: one measurement a round trip.
    pub(crate) fn chunk_sent(&mut self, tsn: Tsn, now: Instant) {
        self.timed.get_or_insert((tsn, now));
    }

    /// RFC 9260 §6.3.1 C5 (Karn): what was sent twice is not measured.
    pub(crate) fn chunk_resent(&mut self, tsn: Tsn) {
        self.timed.take_if(|(timed, _)| *timed == tsn);
    }

    /// The chunk was acknowledged or given up; true when it was the one that is timed.
    pub(crate) fn chunk_done(&mut self, tsn: Tsn, acknowledged: bool, now: Instant) {
        if let Some((_, sent)) = self.timed.take_if(|(timed, _)| *timed == tsn)
            && acknowledged
        {
            self.measured(now.saturating_duration_since(sent));
        }
    }

    /// RFC 9260 §6.3.1 C2, C3.
    pub(crate) fn measured(&mut self, sample: Duration) {
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
        let smoothed = self.smoothed.unwrap_or(sample);
        let variation = self.variation.max(GRANULARITY);
        self.timeout = (smoothed + variation * 4).clamp(self.min, self.max);
    }

    /// What is measured counts again, and not how often it was doubled.
    pub(crate) fn forgive(&mut self) {
        if let Some(smoothed) = self.smoothed {
            let variation = self.variation.max(GRANULARITY);
            self.timeout = (smoothed + variation * 4).clamp(self.min, self.max);
        }
    }

    /// RFC 9260 §6.3.3 E2.
    pub(crate) fn back_off(&mut self) {
        self.timeout = (self.timeout * 2).min(self.max);
        self.timed = None;
    }
}

const GRANULARITY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn follows_the_formula_and_stays_within_bounds() {
        let millis = Duration::from_millis;
        let mut rto = Rto::new(
            &Config::default()
                .rto(millis(1000), millis(10), millis(3000))
                .timing,
        );
        assert_eq!(rto.timeout(), millis(1000));
        rto.measured(millis(100));
        assert_eq!(rto.timeout(), millis(300)); // SRTT 100, RTTVAR 50
        rto.measured(millis(100));
        assert_eq!(rto.timeout(), Duration::from_micros(250_000)); // RTTVAR 37.5
        for _ in 0..8 {
            rto.back_off();
        }
        assert_eq!(rto.timeout(), millis(3000));
        rto.measured(millis(100));
        assert!(rto.timeout() < millis(300));
    }

    #[test]
    fn a_chunk_sent_twice_is_not_measured() {
        let mut rto = Rto::new(&Config::default().timing);
        #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
        let now = Instant::now();
        rto.chunk_sent(Tsn(1), now);
        rto.chunk_resent(Tsn(1));
        rto.chunk_done(Tsn(1), true, now + Duration::from_millis(5));
        assert_eq!(rto.smoothed(), None);
        rto.chunk_sent(Tsn(2), now);
        rto.chunk_sent(Tsn(3), now);
        rto.chunk_done(Tsn(2), true, now + Duration::from_millis(5));
        assert_eq!(rto.smoothed(), Some(Duration::from_millis(5)));
    }
}
