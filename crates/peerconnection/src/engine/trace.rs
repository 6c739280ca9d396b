//! What the log tells at trace level: packets in the clear.

use std::{
    fmt::Write as _,
    time::{Duration, Instant, UNIX_EPOCH},
};

use crate::{label::Label, path::Anchor};

/// The trace of one connection.
#[derive(Clone, Copy)]
pub(super) struct Trace {
    pub(super) label: Label,
    /// It gives a line the time of day.
    pub(super) anchor: Anchor,
}

/// Which way a packet went, in the letters of text2pcap.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    In,
    Out,
}

impl Trace {
    /// A packet as it is before it is encrypted, or after it was decrypted, on a line that text2pcap reads.
    #[inline]
    pub(super) fn packet(self, now: Instant, direction: Direction, protocol: &str, packet: &[u8]) {
        if is_on() {
            self.tell(now, direction, protocol, packet);
        }
    }

    #[cold]
    fn tell(self, now: Instant, direction: Direction, protocol: &str, packet: &[u8]) {
        let letter = match direction {
            Direction::In => 'I',
            Direction::Out => 'O',
        };
        let mut line = format!("{letter} {} 0000", self.time_of_day(now));
        for byte in packet {
            // Writing to a String does not fail.
            let _ = write!(line, " {byte:02x}");
        }
        log::trace!("{line} # {} {protocol}", self.label);
    }

    /// UTC, to the microsecond.
    fn time_of_day(self, now: Instant) -> String {
        let wall = self.anchor.wall + now.saturating_duration_since(self.anchor.instant);
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let seconds = since.as_secs() % (24 * 60 * 60);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let (seconds, micros) = (seconds % 60, since.subsec_micros());
        format!("{hours:02}:{minutes:02}:{seconds:02}.{micros:06}")
    }
}

/// Whether somebody reads it.
pub(super) fn is_on() -> bool {
    log::log_enabled!(log::Level::Trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_goes_on_with_the_clock() {
        let instant = oxirtc_netsim::epoch();
        let trace = Trace {
            label: Label([0, 1]),
            anchor: Anchor {
                instant,
                wall: UNIX_EPOCH + Duration::from_micros(86_399_999_999),
            },
        };
        assert_eq!(trace.time_of_day(instant), "23:59:59.999999");
        let later = instant + Duration::from_millis(3_723_004);
        assert_eq!(trace.time_of_day(later), "01:02:03.003999");
    }
}
