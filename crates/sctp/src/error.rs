//! What a wrong call is answered with.

use crate::StreamId;

/// A call that could not be carried out. What the peer does wrong is never an `Error`: it is counted or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The association has ended, or is ending and takes no new data.
    #[error("the association is closed or closing")]
    Closed,
    /// There is no such stream.
    #[error("stream {stream} does not exist: there are {limit}")]
    InvalidStream {
        /// The stream asked for.
        stream: StreamId,
        /// How many there are.
        limit: u16,
    },
    /// The stream waits for its reset to be done.
    #[error("stream {stream} is being reset")]
    StreamResetting {
        /// The stream asked for.
        stream: StreamId,
    },
    /// The message is larger than the peer accepts.
    #[error("a message of {size} bytes is larger than the peer's limit of {limit}")]
    MessageTooLarge {
        /// The size of the message in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Too much waits to be acknowledged; `Event::Writable` says when to try again.
    #[error("the send buffer is full")]
    BufferFull,
    /// SCTP has no empty messages (RFC 9260 §3.3.1; RFC 8831 §6.6 sends one byte instead).
    #[error("a message may not be empty")]
    EmptyMessage,
    /// The peer does not know stream re-configuration (RFC 6525).
    #[error("the peer does not support stream re-configuration")]
    ReconfigurationUnsupported,
}
