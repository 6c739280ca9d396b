//! What happens to channels.

use crate::channel::{ChannelId, ChannelStats};

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
    /// A channel is closed and no more known to the session. Its id may be used again.
    Closed {
        /// The channel.
        channel: ChannelId,
        /// The id it had.
        stream: Option<u16>,
        /// Who closed it.
        by: Initiator,
        /// What went wrong, if anything did.
        failure: Option<Failure>,
        /// What went through it.
        stats: ChannelStats,
    },
}

/// Who closed a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The user of this side.
    User,
    /// The peer.
    Remote,
    /// This library, for a [`Failure`].
    Library,
    /// Nobody: the association has ended or was restarted.
    Transport,
}

/// Why a channel failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// There is no id left for it, or the association has no such stream (W3C: `data-channel-failure`).
    IdUnavailable,
    /// The peer reset the stream without having accepted the channel (RFC 8832 §6).
    Rejected,
    /// The peer sent on the channel's stream what it must not.
    Violation,
}
