//! When RTCP is due, and what waits for it.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::{
    Config, Ntp,
    rtcp::{App, write_app},
};

/// What is due when.
#[derive(Debug, Default)]
pub(super) struct Timers {
    pub(super) report: Option<Instant>,
    /// SSRCs that say goodbye.
    pub(super) farewells: Vec<u32>,
    /// Packets that are sent as they are.
    pub(super) answer: Vec<u8>,
    /// Packets of the application, for the next report.
    pub(super) apps: Vec<u8>,
    /// Receivers' clocks that are answered with the next report.
    pub(super) clocks: Vec<(u32, Ntp, Instant)>,
    /// The round trip. It falls at once and rises slowly: one that was measured over a stall must not slow repair down.
    pub(super) round_trip: Option<Duration>,
    /// Which stream is reported on next, when not all fit.
    pub(super) turn: usize,
    /// Which of ours reports next.
    pub(super) sender: usize,
}

impl Timers {
    pub(super) fn due(&self) -> Option<Instant> {
        self.report
    }

    pub(super) fn measured(&mut self, trip: Duration) {
        self.round_trip = Some(
            self.round_trip
                .map_or(trip, |mean| trip.min((mean * 7 + trip) / 8)),
        );
    }

    /// Reports begin with the first packet (RFC 3550 §6.2: the first after half the time).
    pub(super) fn start(&mut self, now: Instant, config: &Config, rng: &mut ChaCha8Rng) {
        if self.report.is_none() {
            self.report = Some(now + draw(config.report / 2, rng));
        }
    }

    /// The next report is due now.
    pub(super) fn soon(&mut self, now: Instant) {
        self.report = Some(self.report.map_or(now, |it| it.min(now)));
    }

    /// Keeps a packet of the application for the next report, which is due now. False if too many wait.
    pub(super) fn app(&mut self, now: Instant, app: &App<'_>) -> bool {
        let fits = self.apps.len() + app.data.len() + 12 <= MOST_APPS;
        if fits {
            write_app(&mut self.apps, app);
            self.soon(now);
        }
        fits
    }

    /// Bytes of what waits for a report.
    pub(super) fn waiting(&self) -> usize {
        self.answer.len() + self.apps.len() + self.clocks_len()
    }

    /// Bytes of the block that answers clocks (RFC 3611 §4.5), in a packet of its own.
    pub(super) fn clocks_len(&self) -> usize {
        match self.clocks.len() {
            0 => 0,
            count => 8 + 4 + 12 * count,
        }
    }

    pub(super) fn answer_clock(&mut self, now: Instant, ssrc: u32, time: Ntp) {
        if let Some(known) = self.clocks.iter_mut().find(|it| it.0 == ssrc) {
            *known = (ssrc, time, now);
        } else if self.clocks.len() < MOST_CLOCKS {
            self.clocks.push((ssrc, time, now));
        }
    }
}

/// Between half and one and a half of it (RFC 3550 §6.3.1).
pub(super) fn draw(mean: Duration, rng: &mut ChaCha8Rng) -> Duration {
    mean / 2 + mean.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

const MOST_CLOCKS: usize = 8;
/// What the applications' packets take of one datagram at most, in bytes.
const MOST_APPS: usize = 600;
