//! What is left of an association whose channels go on with another.

use std::collections::BTreeSet;

use crate::channel::ChannelId;

/// Channels whose association is another now, and which are told of it one after the other.
#[derive(Debug)]
pub(super) struct Carrying {
    /// The next of them, and the first that is none of them.
    pub(super) next: ChannelId,
    pub(super) end: ChannelId,
    /// Those of them that were carried over before their turn.
    pub(super) early: BTreeSet<ChannelId>,
    /// The stream to look at next, when all channels are over; `None` behind the last.
    pub(super) stream: Option<u16>,
}
