use std::time::Duration;

/// What is known of the path to the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) round_trip: Option<Duration>,
    pub(crate) consent: bool,
}

impl Path {
    /// Twice the round trip that ICE measured, for a peer that has to think; a second without
    /// (RFC 6347 §4.2.4.1).
    pub(crate) fn initial(&self) -> Duration {
        let twice = self.round_trip.map(|it| it.saturating_mul(2));
        twice.map_or(FIRST, |twice| twice.clamp(SHORTEST, LONGEST))
    }

    /// How long to wait after so many expirations. Doubling; while the peer consents the path is known to
    /// work, so there is no reason to fall silent.
    pub(crate) fn interval(&self, expirations: u32) -> Duration {
        let cap = if self.consent {
            LONGEST
        } else {
            LONGEST_WITHOUT_CONSENT
        };
        let doubled = self.initial().saturating_mul(1 << expirations.min(16));
        doubled.min(cap)
    }
}

const FIRST: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(3);
const LONGEST_WITHOUT_CONSENT: Duration = Duration::from_secs(60);
