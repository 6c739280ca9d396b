//! The retransmission timeout towards one server.

use std::time::{Duration, Instant};

/// Estimates the RTO from measured round trips (RFC 8489 §6.2.1, RFC 6298 §2).
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrip {
    estimate: Option<Estimate>,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
    at: Instant,
}

impl RoundTrip {
    /// Without a measurement yet.
    pub const fn new() -> Self {
        Self { estimate: None }
    }

    /// Takes a round trip in, as [`Transaction::round_trip`](crate::Transaction::round_trip) gives it.
    pub fn sample(&mut self, round_trip: Duration, now: Instant) {
        let round_trip = round_trip.min(MAX_RTO);
        let (smoothed, variation) = match self.current(now) {
            None => (round_trip, round_trip / 2),
            Some(Estimate {
                smoothed,
                variation,
                ..
            }) => {
                // RFC 6298 §2.3: alpha is 1/8, beta is 1/4; the variation goes first.
                let difference = smoothed.abs_diff(round_trip);
                (
                    (smoothed * 7 + round_trip) / 8,
                    (variation * 3 + difference) / 4,
                )
            }
        };
        self.estimate = Some(Estimate {
            smoothed,
            variation,
            at: now,
        });
    }

    /// The smoothed round trip, if one was measured within the last ten minutes.
    pub fn smoothed(&self, now: Instant) -> Option<Duration> {
        self.current(now).map(|estimate| estimate.smoothed)
    }

    /// The RTO to start a transaction with: 500 ms before a measurement, then from 100 ms to 60 s.
    pub fn rto(&self, now: Instant) -> Duration {
        self.current(now).map_or(INITIAL_RTO, |estimate| {
            // RFC 8489 §6.2.1: kept at a millisecond's accuracy, not rounded up to a second.
            let margin = (estimate.variation * 4).max(GRANULARITY);
            (estimate.smoothed + margin).clamp(MIN_RTO, MAX_RTO)
        })
    }

    /// RFC 8489 §6.2.1: after ten minutes without a transaction the estimate is stale.
    fn current(&self, now: Instant) -> Option<Estimate> {
        self.estimate
            .filter(|estimate| now.saturating_duration_since(estimate.at) < STALE)
    }
}

const INITIAL_RTO: Duration = Duration::from_millis(500);
const GRANULARITY: Duration = Duration::from_millis(1);
const MIN_RTO: Duration = Duration::from_millis(100);
const MAX_RTO: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(600);
