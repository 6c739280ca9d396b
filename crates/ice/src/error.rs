//! What a wrong call is answered with.

/// Why a call was refused.
///
/// Nothing that a peer sends ends up here: it is dropped and counted in [`Stats`](crate::Stats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The agent was closed.
    #[error("the agent is closed")]
    Closed,
    /// A username fragment or password has a length or a character that RFC 8839 §5.4 does not allow.
    #[error("a username fragment has 4 to 256 ice-chars, a password 22 to 256")]
    InvalidCredentials,
    /// No generation of the plan has these remote credentials.
    #[error("no generation of the plan has this remote fragment")]
    UnknownGeneration,
    /// There is no path that payload may take now.
    #[error("no path has consent")]
    NoPath,
    /// The way is not the present one any more: the datagram is to be built anew.
    #[error("another pair has taken the place of this way")]
    Stale,
}
