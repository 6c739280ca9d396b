//! When packets were captured, by the clock of who captured them (abs-capture-time).

use crate::{Ntp, extension::AbsoluteCapture};

/// When something was captured, by the clock of who captured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The time of capture.
    pub time: Ntp,
    /// By how much the capturer's clock is ahead of the sender's, as the sender takes it and has last told it: in units of 2^-32
    /// seconds.
    pub offset: Option<i64>,
}

/// What one stream has told of capture last.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    of: Place,
    captured: Captured,
}

/// Where a packet stands on whose line of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The first CSRC, or the SSRC of a packet that has none: who has captured it.
    pub(crate) system: u32,
    pub(crate) timestamp: u32,
    /// The rate of timestamps in Hz.
    pub(crate) clock: u32,
}

impl Captures {
    /// When a packet was captured: as it says itself, or as far from the last one that did as its timestamp is.
    pub(crate) fn note(&mut self, of: Place, told: Option<AbsoluteCapture>) -> Option<Captured> {
        // A mixer that turns to another capturer says so anew: its clock and its timestamps are others.
        let last = self.last.filter(|it| it.of.system == of.system);
        let before = last.and_then(|it| it.captured.offset);
        let Some(told) = told else {
            return self.reach(of);
        };
        let captured = Captured {
            time: told.time,
            offset: told.offset.or(before),
        };
        self.last = Some(Last { of, captured });
        Some(captured)
    }

    /// When a packet was captured that does not say so itself.
    pub(crate) fn reach(&self, of: Place) -> Option<Captured> {
        let last = self.last.filter(|it| it.of.system == of.system);
        last?.reach(of)
    }
}

impl Last {
    /// Extrapolates to another packet, which may be an earlier one. Timestamps of another rate do not compare.
    fn reach(self, to: Place) -> Option<Captured> {
        if self.of.clock != to.clock || to.clock == 0 {
            return None;
        }
        let ahead = to.timestamp.wrapping_sub(self.of.timestamp).cast_signed();
        let ahead = (i64::from(ahead) << 32) / i64::from(to.clock);
        Some(Captured {
            time: Ntp(self.captured.time.0.wrapping_add_signed(ahead)),
            ..self.captured
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1 << 32;

    fn at(system: u32, timestamp: u32) -> Place {
        Place {
            system,
            timestamp,
            clock: 48_000,
        }
    }

    fn told(seconds: u64, offset: Option<i64>) -> Option<AbsoluteCapture> {
        Some(AbsoluteCapture {
            time: Ntp(seconds << 32),
            offset,
        })
    }

    fn captured(halves: u64, offset: Option<i64>) -> Option<Captured> {
        Some(Captured {
            time: Ntp(halves << 31),
            offset,
        })
    }

    #[test]
    fn what_is_not_told_is_extrapolated() {
        let mut captures = Captures::default();
        // Nothing was told yet.
        assert_eq!(captures.note(at(1, 0), None), None);
        let first = captures.note(at(1, u32::MAX), told(100, None));
        assert_eq!(first, captured(200, None));
        // A second and a half later, over the end of the numbers, and half a second before.
        assert_eq!(captures.note(at(1, 71_999), None), captured(203, None));
        let early = u32::MAX - 24_000;
        assert_eq!(captures.note(at(1, early), None), captured(199, None));
        // What is told stands, wherever the last one leads.
        let jump = captures.note(at(1, 96_000), told(500, None));
        assert_eq!(jump, captured(1000, None));
        assert_eq!(captures.note(at(1, 120_000), None), captured(1001, None));
    }

    #[test]
    fn the_last_offset_stands_until_another_is_told() {
        let mut captures = Captures::default();
        captures.note(at(1, 0), told(1, None));
        assert_eq!(captures.note(at(1, 0), None), captured(2, None));
        captures.note(at(1, 0), told(1, Some(-SECOND)));
        assert_eq!(captures.note(at(1, 0), None), captured(2, Some(-SECOND)));
        // The short form leaves it out.
        let short = captures.note(at(1, 48_000), told(2, None));
        assert_eq!(short, captured(4, Some(-SECOND)));
        let other = captures.note(at(1, 96_000), told(3, Some(5)));
        assert_eq!(other, captured(6, Some(5)));
    }

    #[test]
    fn another_capturer_or_another_rate_tells_nothing() {
        let mut captures = Captures::default();
        captures.note(at(1, 0), told(1, Some(7)));
        assert_eq!(captures.note(at(2, 0), None), None);
        let slower = Place {
            clock: 8000,
            ..at(1, 0)
        };
        assert_eq!(captures.note(slower, None), None);
        assert_eq!(captures.note(at(1, 0), None), captured(2, Some(7)));
        assert_eq!(captures.note(at(2, 0), told(9, None)), captured(18, None));
        assert_eq!(
            captures.note(at(1, 0), None),
            None,
            "it is the last that counts"
        );
    }
}
