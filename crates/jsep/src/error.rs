//! What a wrong call is told, by the names of the W3C API.

use oxirtc_sdp::{ParseError, Reason};

/// A call that could not be done. Nothing has changed.
///
/// The variants are the names of the W3C API (§4.4.1.4 of it for descriptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `InvalidStateError`: not in this signalling state.
    #[error("invalid state: {0}")]
    InvalidState(&'static str),
    /// `InvalidAccessError`: the description follows the grammar, but cannot be accepted.
    #[error("invalid access: {0}")]
    InvalidAccess(&'static str),
    /// `InvalidModificationError`: the description is not the one that was created last.
    #[error("invalid modification: {0}")]
    InvalidModification(&'static str),
    /// `OperationError`: the operation failed for a reason of its own.
    #[error("operation failed: {0}")]
    Operation(&'static str),
    /// `TypeError`: what was given is not complete.
    #[error("type error: {0}")]
    Type(&'static str),
    /// `RTCError`, an `OperationError` with `errorDetail` `sdp-syntax-error` and `sdpLineNumber`.
    #[error("SDP syntax error in line {line}: {reason}")]
    SdpSyntax {
        /// The line at fault, from 1.
        line: u32,
        /// What is wrong with it.
        reason: Reason,
    },
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::SdpSyntax {
            line: error.line,
            reason: error.reason,
        }
    }
}
