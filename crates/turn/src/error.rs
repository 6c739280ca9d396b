//! What a wrong call is answered with.

/// Why a call was refused. Nothing that a server sends ends up here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no allocation: not yet, or not any more.
    #[error("there is no allocation")]
    NoAllocation,
    /// No permission for this peer was granted.
    #[error("the server has not permitted this peer")]
    NotPermitted,
    /// The allocation has no relayed address of the peer's family.
    #[error("the allocation has no address of this family")]
    Family,
    /// There are too many peers.
    #[error("the client has as many peers as it keeps")]
    Full,
    /// The datagram is longer than one message holds, or there is no headroom before it.
    #[error("the datagram does not fit into a message")]
    Length,
}
