//! What happens to channels.

use crate::channel::ChannelId;
use crate::end::{Failure, Initiator};

/// What happened to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer opened a channel. It is open: no [`Opened`](Self::Opened) follows.
    Announced {
        /// The new channel.
        channel: ChannelId,
    },
    /// A channel that was opened before the DTLS role was known has got its id.
    IdAssigned {
        /// The channel.
        channel: ChannelId,
        /// Its id, which is the number of its stream.
        stream: u16,
    },
    /// A channel of this side is open: user messages can be sent.
    Opened {
        /// The channel.
        channel: ChannelId,
    },
    /// The peer closes a channel, or it is closed because of what the peer sent. Not said when this side
    /// [closes](crate::Session::close) it.
    Closing {
        /// The channel.
        channel: ChannelId,
    },
    /// A channel is closed. Its id on the wire may be used again; the session knows it until it is
    /// [forgotten](crate::Session::forget).
    Closed {
        /// The channel.
        channel: ChannelId,
        /// Who closed it.
        by: Initiator,
        /// What went wrong, if anything did.
        failure: Option<Failure>,
    },
}
