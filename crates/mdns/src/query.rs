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

    /// Whether it is to be asked for now.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        if self.next.is_none_or(|at| now < at) {
            return false;
        }
        // RFC 6762 §5.2: the second question a second after the first, the third two later, the fourth four.
        self.next = (self.asked < 3).then(|| now + Duration::from_secs(1 << self.asked));
        self.asked += 1;
        true
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
const PATIENCE: Duration = Duration::from_secs(10);
