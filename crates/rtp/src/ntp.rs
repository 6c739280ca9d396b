//! Times of the wall clock as RTCP writes them.

use std::time::Duration;

/// Seconds since 1900 in units of 2^-32 (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ntp(pub u64);

impl Ntp {
    /// This much after the Unix epoch.
    pub const fn from_unix(since: Duration) -> Self {
        let seconds = since.as_secs().wrapping_add(UNIX) << 32;
        Self(seconds | fraction(since.subsec_nanos()))
    }

    /// How much after the Unix epoch, or `None` before it.
    pub fn to_unix(self) -> Option<Duration> {
        let seconds = (self.0 >> 32).checked_sub(UNIX)?;
        let nanos = ((self.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
        Some(Duration::new(seconds, nanos as u32))
    }

    /// The middle 32 bits: what reports name a sender report by (RFC 3550 §6.4.1).
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// This much later.
    #[must_use]
    pub const fn after(self, by: Duration) -> Self {
        let by = by.as_secs() << 32 | fraction(by.subsec_nanos());
        Self(self.0.wrapping_add(by))
    }

    /// The time from `earlier` to this, negative if it is later: in units of 2^-32 seconds.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}

/// A duration in the units of 1/65536 second that reports use, at most 18 hours.
pub fn to_short(duration: Duration) -> u32 {
    let units = duration.as_nanos() * 65_536 / 1_000_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The duration of that many units of 1/65536 second.
pub fn from_short(units: u32) -> Duration {
    Duration::from_nanos(u64::from(units) * 1_000_000_000 / 65_536)
}

const fn fraction(nanos: u32) -> u64 {
    ((nanos as u64) << 32) / 1_000_000_000
}

/// From 1900 to 1970 in seconds.
const UNIX: u64 = 2_208_988_800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts() {
        let time = Duration::new(1_700_000_000, 500_000_000);
        let ntp = Ntp::from_unix(time);
        assert_eq!(ntp.0 & 0xffff_ffff, 0x8000_0000);
        assert_eq!(ntp.to_unix(), Some(time));
        assert_eq!(ntp.middle() & 0xffff, 0x8000);
        let later = ntp.after(Duration::from_millis(250));
        assert_eq!(later.since(ntp), 1 << 30);
        assert_eq!(ntp.since(later), -(1 << 30));
        assert_eq!(to_short(Duration::from_millis(500)), 0x8000);
        assert_eq!(from_short(0x1_8000), Duration::from_millis(1500));
        assert_eq!(Ntp(0).to_unix(), None);
    }
}
