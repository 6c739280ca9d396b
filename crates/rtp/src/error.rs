//! What a wrong call is answered with, and what is no packet.

/// Bytes that are not what they should be: cut short, of another version, with lengths that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;
