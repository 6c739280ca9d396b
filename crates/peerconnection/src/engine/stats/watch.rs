//! What statistics were at the last look, for who is told of what ends.

use std::time::{Duration, Instant};

use crate::stats::StatsReport;

/// What there was at the last look.
pub(in crate::engine) struct Watch {
    pub(super) last: StatsReport,
    pub(super) at: Instant,
    /// Something has happened since that may have ended something.
    pub(super) touched: bool,
}

impl Watch {
    /// When to look whether what has come has ended something.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<Instant> {
        self.touched.then(|| self.at + SOON)
    }
}

/// What has ended is told as soon as this.
const SOON: Duration = Duration::from_millis(100);
