//! What is left of an association whose channels go on with another.

use oxirtc_sctp as sctp;

use super::backlog::Backlog;

/// Channels on their way from one association to the one in its place.
pub(super) struct Carrying {
    /// Where those are that are still to be carried over.
    pub(super) former: Box<sctp::Association>,
    pub(super) backlog: Backlog,
}
