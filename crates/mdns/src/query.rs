//! Names that are asked for.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// A name whose address is wanted.
pub(crate) struct Query {
    pub(crate) name: String,
    /// When it is asked for next; then how often it was.
    next: Option<Instant>,
    asked: u32,
    ends: Instant,
}

impl Query {
    pub(crate) fn new(now: Instant, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            next: Some(now),
            asked: 0,
            ends: now + PATIENCE,
        }
    }

    /// Whether it is to be asked for now; `true` inside for an answer to us alone.
    pub(crate) fn ask(&mut self, now: Instant) -> Option<bool> {
        self.next.filter(|at| *at <= now)?;
        // RFC 6762 §5.4: the first question may be answered to who asks alone. §5.2: then a second and
        // two more later.
        self.next = (self.asked < 2).then(|| now + Duration::from_secs(1 << self.asked));
        self.asked += 1;
        Some(self.asked == 1)
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends <= now
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        self.next.map_or(self.ends, |next| next.min(self.ends))
    }
}

/// Whether a peer may stand for this address: whoever answers first is believed, so that it has to
/// be one that a candidate could have.
pub(crate) fn is_usable(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(ip) if ip.is_broadcast());
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast)
}

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
