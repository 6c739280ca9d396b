//! What sessions count. What is not known is `None`, never zero.

use std::time::{Duration, Instant};

use crate::{Ntp, Recent, breaker::CircuitBreak};

/// Counters of one stream that is received.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReceiveStats {
    /// How many streams its session had before it: an SSRC that said goodbye and comes again is another stream.
    pub number: u64,
    /// The payload type of the last packet.
    pub payload_type: Option<u8>,
    /// The SSRC of its retransmissions, once it is known.
    pub rtx: Option<u32>,
    /// The SSRC of its parity, once it is known.
    pub fec: Option<u32>,
    /// Packets, without duplicates; retransmissions and parity within RED among them.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Bytes of everything else in them: header, padding, what RTX and RED put before a payload.
    pub header_bytes: u64,
    /// When the last packet came.
    pub last: Option<Instant>,
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
    /// Bytes of payload in those.
    pub parity_bytes: u64,
    /// Those of them that brought nothing back: nothing was missing, too much was, or they came too late.
    pub parity_unused: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Packets that were expected and have not come (RFC 3550 §6.4.1); negative with duplicates.
    pub lost: i64,
    /// Packets that were dropped since their number is far from all others: two in order are a restart of the source.
    pub stray: u64,
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
    /// Frames that came whole in several packets.
    pub assembled: u64,
    /// The sum of the time between the first and the last packet of those.
    pub assembly: Duration,
    /// Frames that were given up.
    pub frames_dropped: u64,
    /// Frames that were read; of audio, samples at the clock of its timestamps.
    pub emitted: u64,
    /// Key frames among them.
    pub key_emitted: u64,
    /// When frames of video were read, of late.
    pub read: Recent,
    /// The sum of the time that those waited between their first packet and being read, in seconds: of audio for each sample.
    pub jitter_delay: f64,
    /// The sum of how long the fastest of them were to wait when they were read, in seconds, likewise.
    pub jitter_targets: f64,
    /// The sum of how long that would have been if nobody had asked for more, in seconds, likewise.
    pub jitter_minimums: f64,
    /// How much audio was read.
    pub played: Duration,
    /// How loud it was, as its sender says: the square of the level, from 0 to 1, by the seconds.
    pub energy: f64,
    /// The level of what was read last, from 0 to 1.
    pub level: Option<f64>,
    /// When what was read last was captured, by the clock of its sender, and when it was read.
    pub playout: Option<(Ntp, Instant)>,
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
    /// When the last of them came.
    pub sender_reported: Option<Instant>,
    /// The round trip, as a receiver measures it (RFC 3611 §4.5).
    pub round_trip: Option<Duration>,
    /// The sum of these round trips, and how many were measured.
    pub round_trips: (Duration, u64),
}

/// Counters of one stream that is sent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SendStats {
    /// The payload type of the last packet.
    pub payload_type: Option<u8>,
    /// The SSRC of its retransmissions.
    pub rtx: Option<u32>,
    /// False when it is to send nothing.
    pub active: bool,
    /// Why its circuit breaker has stopped it.
    pub broken: Option<CircuitBreak>,
    /// Packets, without retransmissions and parity in a stream of its own; parity within RED among them.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Bytes of header and padding in them.
    pub header_bytes: u64,
    /// Packets sent again.
    pub resent: u64,
    /// Bytes of payload in those.
    pub resent_bytes: u64,
    /// Bytes of everything else in those.
    pub resent_header_bytes: u64,
    /// The sum of the time that packets waited here until they were sent the first time.
    pub send_delay: Duration,
    /// Packets of parity.
    pub parity: u64,
    /// Frames, by their last packets.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Frames of video that were 2.5 times as large as the mean, or larger.
    pub huge_frames: u64,
    /// Frames of video that the source gave, sent or not.
    pub given: u64,
    /// Key frames among those.
    pub key_given: u64,
    /// When those were given, of late.
    pub given_at: Recent,
    /// Width and height of the last key frame that was sent.
    pub size: Option<(u16, u16)>,
    /// Packets that were asked for.
    pub nacks: u64,
    /// Requests of missing packets.
    pub nack_requests: u64,
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
    /// When the peer's last report came.
    pub reported: Option<Instant>,
    /// The peer's last report: packets that it has received in all.
    pub received: Option<u64>,
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
    /// Packets that nobody has read by [`poll_batch`](crate::Session::poll_batch) when too many waited.
    pub unread: u64,
    /// Packets that were meant for a section and left out before they came here, as [`lag`](crate::Session::lag) has told.
    pub lagged: u64,
    /// Datagrams that were no RTCP.
    pub rtcp_malformed: u64,
    /// RTCP packets that were broken.
    pub rtcp_broken: u64,
    /// RTCP packets that nobody knows.
    pub rtcp_unknown: u64,
    /// SSRCs of ours that made way, as the peer used them too.
    pub collisions: u64,
    /// Packets sent with a transport-wide number.
    pub transport_sent: u64,
    /// Those that the peer has seen.
    pub transport_acked: u64,
    /// Those that it has not.
    pub transport_lost: u64,
}
