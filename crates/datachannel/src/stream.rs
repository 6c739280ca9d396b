//! What the session knows of a stream in use.

use crate::channel::{Agreed, ChannelId};

/// A stream that is not free.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) occupant: Occupant,
    /// How far the reset of our direction is.
    pub(crate) outgoing: Reset,
    /// Whether the peer has reset its direction.
    pub(crate) incoming_reset: bool,
    /// Whether it has reset it once more when it may have seen both directions reset: a life in which it said nothing may have ended.
    pub(crate) reset_again: bool,
    /// What came for the next life of the stream.
    pub(crate) next: Option<Box<Next>>,
}

/// Who uses a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupant {
    Channel(ChannelId),
    /// Nobody: what the peer wanted there was refused, and it is being reset.
    Refused,
    /// Nobody yet: user messages wait for a negotiated channel.
    Unclaimed,
}

/// How far the reset of an outgoing stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reset {
    Unasked,
    /// Waiting to be taken by `poll_reset`.
    Queued,
    /// With the association.
    Underway,
    Performed,
}

/// A channel that the peer has after it saw both directions reset, while we do not know yet that ours was.
#[derive(Debug)]
pub(crate) struct Next {
    /// What its OPEN says. `None`: user messages came without one, as on a negotiated channel.
    pub(crate) agreed: Option<Agreed>,
    /// The peer has already closed it again.
    pub(crate) closed: bool,
    /// It came to nothing: the stream is to be reset once more.
    pub(crate) refused: bool,
}

impl Stream {
    pub(crate) fn new(occupant: Occupant) -> Self {
        Self {
            occupant,
            outgoing: Reset::Unasked,
            incoming_reset: false,
            reset_again: false,
            next: None,
        }
    }

    /// Whether both directions are reset, so that the number is free again.
    pub(crate) fn is_over(&self) -> bool {
        self.incoming_reset && self.outgoing == Reset::Performed
    }

    /// Whether the peer may have seen both directions reset.
    pub(crate) fn may_be_over_for_peer(&self) -> bool {
        self.incoming_reset && self.outgoing >= Reset::Underway
    }
}
