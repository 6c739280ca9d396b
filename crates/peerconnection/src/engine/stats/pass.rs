//! A report while it is made.

use std::time::{Instant, SystemTime};

use oxirtc_rtp::Recent;

use crate::{
    engine::{equipment::Equipment, ids::TransceiverId},
    path::Anchor,
    stats::{Ids, Stats, StatsReport, StatsType},
};

/// A report while it is made.
pub(super) struct Pass {
    pub(super) ids: Ids,
    anchor: Anchor,
    pub(super) now: Instant,
    pub(super) report: StatsReport,
    /// The streams of senders, by their ids.
    pub(super) sent: Vec<(TransceiverId, String)>,
    /// The streams of receivers, by their ids.
    pub(super) received: Vec<(TransceiverId, String)>,
}

impl Pass {
    pub(super) fn new(equipment: &Equipment, now: Instant) -> Self {
        Self {
            ids: Ids::new(equipment.seed.derive("stats", 0)),
            anchor: equipment.trace.anchor,
            now,
            report: StatsReport::new(),
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    /// What an object of this type begins with.
    pub(super) fn stats(&self, kind: StatsType, key: &str) -> Stats {
        let timestamp = self.millis(self.now);
        self.ids.stats(kind, key.as_bytes(), timestamp)
    }

    /// Frames of the last second.
    pub(super) fn rate(&self, frames: &Recent) -> Option<f64> {
        frames.rate(self.now).map(|it| it as f64)
    }

    /// W3C's time: milliseconds since 1970, by the wall clock that the connection was made with.
    pub(super) fn millis(&self, at: Instant) -> f64 {
        let since = self.anchor.wall.duration_since(SystemTime::UNIX_EPOCH);
        let passed = at.saturating_duration_since(self.anchor.instant);
        (since.unwrap_or_default() + passed).as_secs_f64() * 1000.0
    }
}

/// W3C gives many counters 32 bits: they begin anew, as an `unsigned long` does.
pub(super) fn low(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
