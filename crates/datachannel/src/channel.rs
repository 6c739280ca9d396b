//! One channel.

use bytes::Bytes;

use crate::end::{Failure, Initiator};
use crate::parameters::{Priority, Reliability};
use crate::payload::{Parts, Payload, Unusable, ppid};

/// A channel of a session: a pair of streams with the same number and what was agreed on for them.
#[derive(Debug)]
pub struct Channel {
    pub(crate) stream: Option<u16>,
    pub(crate) state: State,
    pub(crate) origin: Origin,
    /// Whether the peer is known to have the channel.
    pub(crate) acknowledged: bool,
    pub(crate) agreed: Agreed,
    pub(crate) end: (Initiator, Option<Failure>),
    /// Nobody asks about it any more: it goes when it is closed.
    pub(crate) forgotten: bool,
    pub(crate) parts: Option<Box<Parts>>,
    pub(crate) stats: ChannelStats,
}

/// Names a channel in its session. It is never used again, while the id on the wire may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) u64);

/// Where a channel is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting for the association, for an id, or for its OPEN to be taken.
    Connecting,
    /// User messages can be sent.
    Open,
    /// The streams are being reset.
    Closing,
    /// Both streams were reset, or the association is gone.
    Closed,
}

/// What went through a channel. Sizes are those of user messages: an empty one has 0 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelStats {
    /// Messages given to the association.
    pub messages_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Bytes of these.
    pub bytes_received: u64,
}

/// How a channel came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Opened by this side with DCEP.
    Local,
    /// Opened by the peer with DCEP.
    Remote,
    /// Agreed on otherwise.
    Negotiated,
}

/// The properties of a channel that never change.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) label: Box<str>,
    pub(crate) protocol: Box<str>,
    pub(crate) ordered: bool,
    pub(crate) reliability: Reliability,
    pub(crate) priority: Priority,
}

impl Channel {
    pub(crate) fn new(origin: Origin, agreed: Agreed) -> Self {
        Self {
            stream: None,
            state: State::Connecting,
            origin,
            // A negotiated channel has no handshake to wait for.
            acknowledged: origin != Origin::Local,
            agreed,
            end: (Initiator::User, None),
            forgotten: false,
            parts: None,
            stats: ChannelStats::default(),
        }
    }

    /// The id on the wire, when it is known. A closed channel shows the one it had.
    pub fn stream(&self) -> Option<u16> {
        self.stream
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its name.
    pub fn label(&self) -> &str {
        &self.agreed.label
    }

    /// The subprotocol, or the empty string.
    pub fn protocol(&self) -> &str {
        &self.agreed.protocol
    }

    /// Whether messages are delivered in the order they were sent in.
    pub fn ordered(&self) -> bool {
        self.agreed.ordered
    }

    /// How hard is tried to deliver a message.
    pub fn reliability(&self) -> Reliability {
        self.agreed.reliability
    }

    /// Its share of the association.
    pub fn priority(&self) -> Priority {
        self.agreed.priority
    }

    /// Whether it was agreed on without DCEP.
    pub fn is_negotiated(&self) -> bool {
        self.origin == Origin::Negotiated
    }

    /// Whether the peer is known to have the channel; until then user messages are sent in order (RFC 8832 §6).
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// What went through it.
    pub fn stats(&self) -> ChannelStats {
        self.stats
    }

    /// Takes a part of a message, or the end of one in parts.
    #[cold]
    pub(crate) fn next_in_parts(
        &mut self,
        ppid: u32,
        payload: Bytes,
        limit: usize,
    ) -> Result<Option<Payload>, Unusable> {
        let is_part = matches!(ppid, ppid::STRING_PARTIAL | ppid::BINARY_PARTIAL);
        // RFC 8831 §6.6: parts were for reliable and ordered channels only.
        let whole = self.agreed.ordered && self.agreed.reliability == Reliability::Reliable;
        let result = if is_part && !whole {
            Err(Unusable::Parts)
        } else {
            Parts::next(&mut self.parts, ppid, payload, limit)
        };
        if result.is_err() {
            self.parts = None;
        }
        result
    }

    pub(crate) fn held_by_parts(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.len())
    }
}

impl Agreed {
    pub(crate) fn text(&self) -> usize {
        self.label.len() + self.protocol.len()
    }
}
