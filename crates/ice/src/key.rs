//! What bases and pairs are known by.

use std::net::SocketAddr;

/// Names a base for as long as its agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BaseId(pub(crate) u64);

/// What a pair is: the base that it sends from and the address that it sends to. Where its bytes go
/// follows from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairKey {
    pub(crate) base: BaseId,
    pub(crate) remote: SocketAddr,
}
