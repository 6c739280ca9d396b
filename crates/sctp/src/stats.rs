//! What an association counts.

use std::time::Duration;

/// Counters since the association was made, and its measures of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// SCTP packets built.
    pub packets_sent: u64,
    /// SCTP packets accepted.
    pub packets_received: u64,
    /// Bytes of the packets built, without anything below SCTP.
    pub bytes_sent: u64,
    /// Bytes of the packets accepted.
    pub bytes_received: u64,
    /// DATA chunks sent, retransmissions included.
    pub data_chunks_sent: u64,
    /// DATA chunks that were new.
    pub data_chunks_received: u64,
    /// User messages taken from the user.
    pub messages_sent: u64,
    /// User messages put together.
    pub messages_received: u64,
    /// DATA chunks sent again.
    pub retransmissions: u64,
    /// How often fast recovery began (RFC 9260 §7.2.4).
    pub fast_recoveries: u64,
    /// How many probes were sent because the end of what was sent stayed without answer (RFC 8985 §7).
    pub probes: u64,
    /// How many of them repaired a loss.
    pub probe_losses: u64,
    /// How many reductions of the window were taken back, as nothing had been lost.
    pub spurious_recoveries: u64,
    /// How often the T3-rtx timer expired.
    pub retransmission_timeouts: u64,
    /// How many packets were sent to see whether the path carries longer ones (RFC 8899).
    pub path_probes: u64,
    /// How many of them stayed without an answer.
    pub path_probe_losses: u64,
    /// How often longer packets seemed to vanish on a path that had carried them.
    pub black_holes: u64,
    /// Messages given up before a part of them was sent (RFC 7496 §4.3).
    pub abandoned_unsent: u64,
    /// Messages given up after a part of them was sent (RFC 7496 §4.3).
    pub abandoned_sent: u64,
    /// DATA chunks received more than once.
    pub duplicates: u64,
    /// DATA chunks dropped because the receive window was full or the TSN out of reach.
    pub dropped_out_of_window: u64,
    /// Packets dropped for their form: length, checksum, ports.
    pub dropped_malformed: u64,
    /// Packets dropped for their verification tag.
    pub dropped_wrong_tag: u64,
    /// Chunks dropped: not valid, or not for this state.
    pub dropped_chunks: u64,
    /// Cookies that were not ours or were changed.
    pub dropped_cookies: u64,
    /// The longest SCTP packet that the path is known to carry, in bytes.
    pub max_packet: u64,
    /// The congestion window in bytes.
    pub congestion_window: u64,
    /// Bytes sent and neither acknowledged nor deemed lost.
    pub in_flight: u64,
    /// The peer's receive window as last announced, in bytes.
    pub peer_window: u64,
    /// The receive window as we would announce it now, in bytes.
    pub receive_window: u64,
    /// The smoothed round trip.
    pub round_trip: Option<Duration>,
    /// The shortest round trip of the last seconds.
    pub min_round_trip: Option<Duration>,
    /// How fast the window leaves, in bytes a second; `None` where it leaves at once.
    pub pacing_rate: Option<u64>,
    /// The retransmission timeout in force.
    pub retransmission_timeout: Duration,
}
