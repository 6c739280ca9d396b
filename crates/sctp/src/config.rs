//! What can be chosen about an association.

use std::time::Duration;

/// Settings of an [`Association`](crate::Association). The defaults are right for WebRTC over DTLS; where they differ
/// from the recommendations of RFC 9260 §16 the setter says so.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) max_packet: usize,
    pub(crate) receive_window: u32,
    pub(crate) max_message_size: usize,
    pub(crate) send_buffer: usize,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) timing: Timing,
    pub(crate) max_retransmissions: Option<u32>,
    pub(crate) max_init_retransmissions: Option<u32>,
    pub(crate) initial_window_packets: u32,
    pub(crate) congestion_control: CongestionControl,
    pub(crate) zero_checksum: bool,
    pub(crate) interleaving: bool,
}

/// How an association shares the path with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CongestionControl {
    /// RFC 9260 §7.2, with HyStart++ (RFC 9406): half of the window is left after a loss, and a packet a round trip is
    /// gained. A queue of less than a bandwidth-delay product runs empty after each loss.
    NewReno,
    /// RFC 9438, with HyStart++: 0.7 of the window is left after a loss, and it comes back within seconds whatever the
    /// round trip. On short paths it takes what NewReno would.
    #[default]
    Cubic,
    /// A model of the path (draft-ietf-ccwg-bbr): the window follows what the path delivers and how short it is, and single
    /// losses say nothing. Where losses are random it is many times as fast as the others, and beside them in a short queue it
    /// takes more than they do.
    Bbr,
}

/// The times among the settings.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub(crate) rto_initial: Duration,
    pub(crate) rto_min: Duration,
    pub(crate) rto_max: Duration,
    pub(crate) cookie_lifetime: Duration,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) delayed_ack: Duration,
}

impl Config {
    /// The SCTP ports; 5000 on both sides by default, as `a=sctp-port` announces (RFC 8841).
    #[must_use]
    pub fn ports(mut self, local: u16, remote: u16) -> Self {
        (self.local_port, self.remote_port) = (local, remote);
        self
    }

    /// The largest packet to build, in bytes, and so the size of fragments; rounded down to a multiple of four, at
    /// least 512. Default 1112: a 1200-byte datagram without IPv6 and UDP headers (48) and a DTLS record (37). Larger
    /// packets cost less each, but are lost on a path that cannot carry them.
    #[must_use]
    pub fn max_packet(mut self, bytes: usize) -> Self {
        self.max_packet = bytes.clamp(MIN_PACKET, MAX_PACKET) & !3;
        self
    }

    /// The memory for data that was received and not read, in bytes; default 4 MiB, which carries 640 Mbit/s over a
    /// round trip of 50 ms. It is raised to [`max_message_size`](Self::max_message_size) and 64 KiB when that is
    /// more, as a message is put together inside it. A smaller window bounds memory, a larger one throughput over
    /// long paths; nothing of it is allocated before data comes.
    #[must_use]
    pub fn receive_window(mut self, bytes: u32) -> Self {
        self.receive_window = bytes.max(MIN_WINDOW);
        self
    }

    /// The largest message to accept from the peer, in bytes; default 256 KiB, as `a=max-message-size` should then
    /// announce. A larger one aborts the association at the first chunk over the limit. 0 is no limit, as in the
    /// attribute (RFC 8841 §6): 1 GiB, the most there can be, and the receive window is raised to that.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = match bytes {
            0 => MAX_MESSAGE,
            bytes => bytes.min(MAX_MESSAGE),
        };
        self
    }

    /// How much may wait to be acknowledged over all streams, in bytes with 128 a message added; default 16 MiB. One
    /// message larger than that is accepted while nothing else waits. As much again, with 128 a chunk added, is kept of what the peer has
    /// acknowledged beyond a gap, as it may take it back; nothing new leaves while it is more.
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// How many streams to offer in each direction; default 65535 both, at least 1. A stream that is not used costs
    /// nothing.
    #[must_use]
    pub fn streams(mut self, outbound: u16, inbound: u16) -> Self {
        (self.outbound_streams, self.inbound_streams) = (outbound.max(1), inbound.max(1));
        self
    }

    /// The retransmission timeout: before a measurement, at least and at most. Default 1 s, 400 ms and 3 s: with
    /// consent freshness below, a long silence is a broken path and not a reason to wait. RFC 9260 §16 recommends 1 s,
    /// 1 s and 60 s. None is longer than an hour.
    #[must_use]
    pub fn rto(mut self, initial: Duration, min: Duration, max: Duration) -> Self {
        let max = max.clamp(Duration::from_millis(10), LONGEST);
        let min = min.clamp(Duration::from_millis(10), max);
        self.timing.rto_max = max;
        self.timing.rto_min = min;
        self.timing.rto_initial = initial.clamp(min, max);
        self
    }

    /// Association.Max.Retrans: how many timeouts in a row end the association. Default `None`: no limit while there
    /// is consent, 10 (the recommendation of RFC 9260 §16) without.
    #[must_use]
    pub fn max_retransmissions(mut self, limit: Option<u32>) -> Self {
        self.max_retransmissions = limit;
        self
    }

    /// Max.Init.Retransmits: how often INIT or COOKIE ECHO is repeated. Default `None`: no limit while there is
    /// consent, 8 (the recommendation of RFC 9260 §16) without.
    #[must_use]
    pub fn max_init_retransmissions(mut self, limit: Option<u32>) -> Self {
        self.max_init_retransmissions = limit;
        self
    }

    /// Valid.Cookie.Life: how long a cookie that we gave out may come back; default 60 s, at most an hour.
    #[must_use]
    pub fn cookie_lifetime(mut self, lifetime: Duration) -> Self {
        self.timing.cookie_lifetime = lifetime.min(LONGEST);
        self
    }

    /// HB.interval: how long the association is idle before a HEARTBEAT; default 30 s, at most an hour, `None` sends none.
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Option<Duration>) -> Self {
        self.timing.heartbeat_interval =
            interval.map(|i| i.clamp(Duration::from_millis(10), LONGEST));
        self
    }

    /// How long an acknowledgement may wait for a second packet; default 200 ms, at most 500 ms (RFC 9260 §6.2).
    #[must_use]
    pub fn delayed_ack(mut self, delay: Duration) -> Self {
        self.timing.delayed_ack = delay.min(Duration::from_millis(500));
        self
    }

    /// The congestion window at the start, in packets; default 10, as TCP has it (RFC 6928). RFC 9260 §7.2.1 says
    /// 4 at most.
    #[must_use]
    pub fn initial_window_packets(mut self, packets: u32) -> Self {
        self.initial_window_packets = packets.clamp(1, 64);
        self
    }

    /// How the congestion window follows the path; default [`CongestionControl::Cubic`].
    #[must_use]
    pub fn congestion_control(mut self, control: CongestionControl) -> Self {
        self.congestion_control = control;
        self
    }

    /// Whether packets without a checksum are accepted and, if the peer accepts them too, sent (RFC 9653). Default true,
    /// as the layer below is DTLS, which finds every error itself.
    #[must_use]
    pub fn zero_checksum(mut self, accept: bool) -> Self {
        self.zero_checksum = accept;
        self
    }

    /// Whether messages of different streams share the association piece by piece, if the peer can (RFC 8260); default
    /// true. Without it a large message holds up all others until its last piece is out.
    #[must_use]
    pub fn interleaving(mut self, offer: bool) -> Self {
        self.interleaving = offer;
        self
    }

    /// The receive window in force: a whole message always fits it.
    pub(crate) fn window(&self) -> usize {
        let message = self.max_message_size.saturating_add(64 << 10);
        (self.receive_window as usize).max(message)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            local_port: 5000,
            remote_port: 5000,
            max_packet: 1112,
            receive_window: 4 << 20,
            max_message_size: 256 << 10,
            send_buffer: 16 << 20,
            outbound_streams: u16::MAX,
            inbound_streams: u16::MAX,
            timing: Timing {
                rto_initial: Duration::from_secs(1),
                rto_min: Duration::from_millis(400),
                rto_max: Duration::from_secs(3),
                cookie_lifetime: Duration::from_secs(60),
                heartbeat_interval: Some(Duration::from_secs(30)),
                delayed_ack: Duration::from_millis(200),
            },
            max_retransmissions: None,
            max_init_retransmissions: None,
            initial_window_packets: 10,
            congestion_control: CongestionControl::default(),
            zero_checksum: true,
            interleaving: true,
        }
    }
}

/// Nobody waits longer, and what is added to a time stays one.
const LONGEST: Duration = Duration::from_secs(3600);
const MIN_PACKET: usize = 512;
const MAX_PACKET: usize = 65_532;
/// RFC 9260 §3.3.2: a window below 1500 bytes may not be announced.
const MIN_WINDOW: u32 = 4096;
const MAX_MESSAGE: usize = 1 << 30;
