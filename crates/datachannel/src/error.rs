//! What a wrong call is answered with.

/// Why a call was refused. What a peer does wrong is no error of a call: it is counted or ends a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The label has more than 65,535 bytes (W3C: `TypeError`).
    #[error("the label is longer than 65535 bytes")]
    LabelTooLong,
    /// The protocol has more than 65,535 bytes (W3C: `TypeError`).
    #[error("the protocol is longer than 65535 bytes")]
    ProtocolTooLong,
    /// The id 65,535, which no channel has (W3C: `TypeError`).
    #[error("65535 is not the id of a channel")]
    InvalidId,
    /// Another channel has the id, or is not wholly closed yet (W3C: `OperationError`).
    #[error("another channel has this id")]
    IdInUse,
    /// All ids of this side are taken (W3C: `OperationError`).
    #[error("all ids are taken")]
    NoIdLeft,
    /// The association has no such stream (W3C: `OperationError`).
    #[error("the id is not below the number of channels of the association")]
    IdAboveLimit,
    /// The channel is not open (W3C: `InvalidStateError`).
    #[error("the channel is not open")]
    NotOpen,
    /// There is no such channel.
    #[error("there is no such channel")]
    UnknownChannel,
}
