//! A data channel, as W3C shows it.

use std::collections::VecDeque;

use oxirtc_datachannel as datachannel;

use crate::{DataChannelState, Message, Priority};

/// The number of a channel. Never used twice by one engine; W3C's id is another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(super) u32);

/// A data channel (W3C §6.2).
#[derive(Debug)]
pub struct Channel {
    /// Its name in the session; gone when it is closed.
    pub(super) inner: Option<datachannel::ChannelId>,
    pub(super) attributes: Attributes,
    pub(super) stream: Option<u16>,
    pub(super) state: DataChannelState,
    /// The buffered amount that its threshold is compared with.
    pub(super) threshold: u64,
    /// What was buffered when it was closed: W3C goes on showing it.
    pub(super) left_behind: u64,
    /// It ended before the peer had acknowledged everything.
    pub(super) lost: bool,
    pub(super) inbox: Inbox,
    pub(super) counts: Counts,
}

/// What does not change about a channel.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) label: String,
    pub(super) protocol: String,
    pub(super) ordered: bool,
    pub(super) max_packet_life_time: Option<u16>,
    pub(super) max_retransmits: Option<u16>,
    pub(super) negotiated: bool,
    pub(super) priority: Priority,
}

/// What came and was not read.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Messages of a stream that was reset: the stream may be another channel's already.
    pub(super) tail: VecDeque<Message>,
    /// The user was told, and has not found it empty since.
    pub(super) told: bool,
    /// Nobody will read.
    pub(super) discards: bool,
}

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) messages_sent: u64,
    pub(super) bytes_sent: u64,
    pub(super) messages_received: u64,
    pub(super) bytes_received: u64,
}

impl Channel {
    pub(super) fn new(inner: datachannel::ChannelId, attributes: Attributes) -> Self {
        Self {
            inner: Some(inner),
            attributes,
            stream: None,
            state: DataChannelState::Connecting,
            threshold: 0,
            left_behind: 0,
            lost: false,
            inbox: Inbox::default(),
            counts: Counts::default(),
        }
    }

    /// `label`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.attributes.label
    }

    /// `protocol`.
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.attributes.protocol
    }

    /// `ordered`.
    #[must_use]
    pub fn ordered(&self) -> bool {
        self.attributes.ordered
    }

    /// `maxPacketLifeTime`, in milliseconds.
    #[must_use]
    pub fn max_packet_life_time(&self) -> Option<u16> {
        self.attributes.max_packet_life_time
    }

    /// `maxRetransmits`.
    #[must_use]
    pub fn max_retransmits(&self) -> Option<u16> {
        self.attributes.max_retransmits
    }

    /// `negotiated`.
    #[must_use]
    pub fn negotiated(&self) -> bool {
        self.attributes.negotiated
    }

    /// `priority`.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.attributes.priority
    }

    /// `id`: the SCTP stream; `None` until it is known.
    #[must_use]
    pub fn id(&self) -> Option<u16> {
        self.stream
    }

    /// `readyState`.
    #[must_use]
    pub fn ready_state(&self) -> DataChannelState {
        self.state
    }

    /// `bufferedAmountLowThreshold`.
    #[must_use]
    pub fn buffered_amount_low_threshold(&self) -> u64 {
        self.threshold
    }

    /// It ended before the peer had acknowledged everything.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.lost
    }

    /// Messages that were sent on it.
    #[must_use]
    pub fn messages_sent(&self) -> u64 {
        self.counts.messages_sent
    }

    /// Bytes of the messages that were sent.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.counts.bytes_sent
    }

    /// Messages that were read from it.
    #[must_use]
    pub fn messages_received(&self) -> u64 {
        self.counts.messages_received
    }

    /// Bytes of the messages that were read.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.counts.bytes_received
    }
}
