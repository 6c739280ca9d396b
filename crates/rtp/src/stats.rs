//! What sessions count. What is not known is `None`, never zero.

use std::time::Duration;

use crate::Ntp;

/// Counters of one stream that is received.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReceiveStats {
    /// Packets, without duplicates, however they came.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Bytes of header and padding in them.
    pub header_bytes: u64,
    /// Packets that came as retransmissions.
    pub retransmitted: u64,
    /// Bytes of payload in those.
    pub retransmitted_bytes: u64,
    /// Packets that parity has recovered.
    pub recovered: u64,
    /// Packets that came as redundancy.
    pub redundant: u64,
    /// Packets of parity.
    pub parity: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Packets that were expected and have not come (RFC 3550 §6.4.1); negative with duplicates.
    pub lost: i64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that were no payload of their format.
    pub malformed: u64,
    /// Jitter in units of the timestamp.
    pub jitter: u32,
    /// The clock of the timestamp in Hz.
    pub clock: u32,
    /// Packets asked for, and requests.
    pub nacks: u64,
    /// Requests of missing packets.
    pub nack_requests: u64,
    /// Picture loss indications sent.
    pub plis: u64,
    /// Full intra requests sent.
    pub firs: u64,
    /// Frames that were whole.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Frames that were given up.
    pub frames_dropped: u64,
    /// The sum of the time that frames waited between their first packet and being read, and the number of those.
    pub jitter_delay: Duration,
    /// How long frames wait to be played, now.
    pub jitter_target: Duration,
    /// Times in which no frame came for long (W3C `freezeCount`).
    pub freezes: u64,
    /// How long they were.
    pub freeze_duration: Duration,
    /// Width and height of the last key frame.
    pub size: Option<(u16, u16)>,
    /// The sender's clock in its last report.
    pub sender_clock: Option<Ntp>,
    /// What the sender has sent, by its last report: packets and bytes.
    pub sender_counts: Option<(u32, u32)>,
    /// How many reports of the sender have come.
    pub sender_reports: u64,
    /// The round trip, as a receiver measures it (RFC 3611 §4.5).
    pub round_trip: Option<Duration>,
}

/// Counters of one stream that is sent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SendStats {
    /// Packets, without retransmissions and parity.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Bytes of header and padding in them.
    pub header_bytes: u64,
    /// Packets sent again.
    pub resent: u64,
    /// Bytes of payload in those.
    pub resent_bytes: u64,
    /// Packets of parity.
    pub parity: u64,
    /// Frames, by their last packets.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Packets that were asked for.
    pub nacks: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
    /// Packets dropped since they waited too long.
    pub dropped_old: u64,
    /// Packets dropped since they were larger than a datagram may be.
    pub dropped_large: u64,
    /// Packets dropped since their codec was not negotiated.
    pub dropped_codec: u64,
    /// How often the source or its layer was switched.
    pub switches: u64,
    /// The peer's last report: packets lost in all.
    pub lost: Option<i32>,
    /// The peer's last report: what part was lost, 0 to 1.
    pub fraction: Option<f64>,
    /// The peer's last report: jitter in units of the timestamp.
    pub jitter: Option<u32>,
    /// The last round trip.
    pub round_trip: Option<Duration>,
    /// The sum of round trips, and how many were measured.
    pub round_trips: (Duration, u64),
    /// What the peer allows, in bits a second.
    pub allowed: Option<u64>,
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Packets that were no RTP.
    pub malformed: u64,
    /// Packets that belong to no section.
    pub unrouted: u64,
    /// Packets that repair we do not know what.
    pub unbound: u64,
    /// Packets of SSRCs beyond the limit.
    pub over_limit: u64,
    /// Datagrams that were no RTCP.
    pub rtcp_malformed: u64,
    /// RTCP packets that were broken.
    pub rtcp_broken: u64,
    /// RTCP packets that nobody knows.
    pub rtcp_unknown: u64,
    /// SSRCs of ours that the peer used too.
    pub collisions: u64,
    /// Packets sent with a transport-wide number.
    pub transport_sent: u64,
    /// Those that the peer has seen.
    pub transport_acked: u64,
    /// Those that it has not.
    pub transport_lost: u64,
}
