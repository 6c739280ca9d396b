//! What the log tells at trace level: packets in the clear, and why something was dropped.

use std::{
    fmt::Write as _,
    time::{Duration, Instant, UNIX_EPOCH},
};

use super::{Engine, data::Data, transport::Transport};
use crate::{Path, label::Label, path::Anchor};

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
    pub(super) fn packet(self, now: Instant, direction: Direction, protocol: &str, packet: &[u8]) {
        if !is_on() {
            return;
        }
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

/// What was dropped so far, by reason. The counters of the layers are the one truth; the log tells which of them has grown.
pub(super) struct Drops(Vec<(&'static str, u64)>);

impl Engine {
    /// What was dropped so far; `None` when nobody reads the trace.
    pub(super) fn drops(&self) -> Option<Drops> {
        is_on().then(|| {
            let mut drops = vec![("it is for no transport and no layer", self.counters.dropped)];
            for transport in self.transports.iter() {
                of_transport(transport, &mut drops);
            }
            of_data(&self.data, &mut drops);
            Drops(drops)
        })
    }

    /// Tells what was dropped of a datagram.
    pub(super) fn trace_drops(&self, before: Option<Drops>, path: Path) {
        let (Some(before), Some(after)) = (before, self.drops()) else {
            return;
        };
        let label = self.equipment.trace.label;
        for (old, (reason, count)) in before.0.into_iter().zip(after.0) {
            if count > old.1 {
                let (local, remote) = (path.local, path.remote);
                log::trace!("{label}: dropped, from {remote} to {local}: {reason}");
            }
        }
    }
}

fn of_transport(transport: &Transport, drops: &mut Vec<(&'static str, u64)>) {
    let ice = transport.ice.stats().drops;
    let dtls = transport.dtls.stats();
    drops.extend([
        ("STUN that is malformed", ice.malformed),
        ("STUN with other credentials", ice.unauthenticated),
        ("STUN that nobody waits for", ice.unexpected),
        ("a check that comes too late", ice.late),
        ("an answer from another address", ice.asymmetric),
        ("payload on a path that is not validated", ice.payload),
        ("a DTLS record out of place", dtls.records_dropped),
        (
            "a DTLS record that does not authenticate",
            dtls.records_forged,
        ),
        ("a DTLS record that came before", dtls.records_replayed),
        ("a DTLS message out of place", dtls.messages_dropped),
    ]);
}

fn of_data(data: &Data, drops: &mut Vec<(&'static str, u64)>) {
    let sctp = data.association_stats().unwrap_or_default();
    drops.extend([
        ("an SCTP packet that is malformed", sctp.dropped_malformed),
        ("an SCTP packet with another tag", sctp.dropped_wrong_tag),
        ("an SCTP chunk out of place", sctp.dropped_chunks),
        (
            "SCTP data for which there is no room",
            sctp.dropped_out_of_window,
        ),
        ("a cookie of SCTP that is not ours", sctp.dropped_cookies),
        ("SCTP data that came before", sctp.duplicates),
        ("a message for no channel", data.messages_dropped()),
    ]);
}

fn is_on() -> bool {
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
