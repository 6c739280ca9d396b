//! How a channel ends.

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
    /// Its OPEN is longer than the messages that the peer takes (W3C: `data-channel-failure`).
    OpenTooLong,
    /// The peer reset the stream without having accepted the channel (RFC 8832 §6).
    Rejected,
    /// The peer sent on the channel's stream what it must not.
    Violation,
}
