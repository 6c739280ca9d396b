//! Asking the path for more, now and then, and what it bore (§5.3.3).

use std::time::{Duration, Instant};

/// Where the probing for bandwidth stands, and what it has found.
#[derive(Debug)]
pub(crate) struct Cycle {
    pub(super) count: u64,
    pub(super) stamp: Option<Instant>,
    /// inflight_longterm: what may be in flight without too much loss.
    pub(super) ceiling: usize,
    pub(super) wait: Duration,
    pub(super) rounds_since: u64,
    /// Losses are still those of the probe.
    pub(super) sampling: bool,
    pub(super) feedback: Feedback,
    pub(super) up_rounds: u32,
    pub(super) up_count: usize,
    pub(super) up_acked: usize,
}

/// What acknowledgements are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feedback {
    None,
    Starting,
    Probe,
    Stopping,
}

impl Cycle {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            stamp: None,
            ceiling: usize::MAX,
            wait: Duration::from_secs(2),
            rounds_since: 0,
            sampling: false,
            feedback: Feedback::None,
            up_rounds: 0,
            up_count: usize::MAX,
            up_acked: 0,
        }
    }

    /// What leaves others room to come in.
    pub(super) fn with_headroom(&self, packet: usize) -> usize {
        if self.ceiling == usize::MAX {
            return usize::MAX;
        }
        let headroom = (self.ceiling * 15 / 100).max(packet);
        self.ceiling.saturating_sub(headroom)
    }

    pub(super) fn stop_probing(&mut self) {
        self.feedback = Feedback::Stopping;
    }
}
