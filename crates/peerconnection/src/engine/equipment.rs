//! What transports are made with.

use std::time::{Instant, SystemTime};

use oxirtc_rtp::Ntp;

use super::{seed::Seed, trace::Trace};
use crate::{Certificate, IceTransportPolicy, Interface, Settings};

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
    pub(super) ice_servers: Vec<oxirtc_ice::Server>,
    /// What the log calls the connection, and the time.
    pub(super) trace: Trace,
    /// What all streams of the connection are called (RFC 7022): random.
    pub(super) cname: String,
}

impl Equipment {
    /// The wall clock at a moment that may lie a little before the one that it was read at.
    pub(super) fn wall_at(&self, now: Instant) -> (Instant, SystemTime) {
        let elapsed = now.saturating_duration_since(self.trace.anchor.instant);
        (now, self.trace.anchor.wall + elapsed)
    }

    /// The wall clock.
    pub(super) fn wall(&self, now: Instant) -> Ntp {
        let since = self
            .trace
            .anchor
            .wall
            .duration_since(SystemTime::UNIX_EPOCH);
        let elapsed = now.saturating_duration_since(self.trace.anchor.instant);
        Ntp::from_unix(since.unwrap_or_default() + elapsed)
    }
}
