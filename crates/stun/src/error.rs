//! What can be wrong with a message, a key or a request to write one.

use crate::attribute::AttributeType;

/// What is wrong with a message that was read, with a message that was to be written, or with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end before the header or before an attribute does.
    #[error("the message is truncated")]
    Truncated,
    /// The first two bits are not zero or the magic cookie is absent (RFC 8489 §5).
    #[error("not a STUN message")]
    NotStun,
    /// The length of the header is not a multiple of four or not that of the datagram.
    #[error("the header's length does not fit the message")]
    Length,
    /// An attribute stands behind FINGERPRINT, which has to be the last (RFC 8489 §14.7).
    #[error("an attribute follows FINGERPRINT")]
    AfterFingerprint,
    /// The value of an attribute does not have the form its type wants.
    #[error("malformed attribute {0:?}")]
    Malformed(AttributeType),
    /// The attribute that was to be verified is not in the message.
    #[error("{0:?} is missing")]
    Missing(AttributeType),
    /// The message does not have the integrity or the fingerprint that its attribute claims.
    #[error("{0:?} does not match")]
    Mismatch(AttributeType),
    /// A value is longer than its attribute may be, or a message longer than 65,535 bytes behind its header.
    #[error("too long")]
    TooLong,
    /// An attribute was to be written behind one that must come later.
    #[error("{0:?} cannot follow what the message ends with")]
    Order(AttributeType),
    /// The string is empty or has characters that RFC 8265 OpaqueString disallows.
    #[error("the string is not a valid OpaqueString")]
    InvalidString,
    /// The password algorithm is not one of RFC 8489 §18.5.
    #[error("unsupported password algorithm {0}")]
    UnsupportedAlgorithm(u16),
    /// A transaction wants a request.
    #[error("the message is not a request")]
    NotRequest,
}
