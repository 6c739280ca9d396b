//! What is left of an association that is gone.

use std::collections::BTreeMap;

use crate::channel::ChannelId;
use crate::stream::Stream;

/// Channels whose association is gone, one after the other.
#[derive(Debug)]
pub(super) struct Ending {
    /// The next of them, and the first that is none of them.
    pub(super) next: ChannelId,
    pub(super) end: ChannelId,
    /// What was known of their streams, which are free.
    pub(super) streams: Vec<BTreeMap<u16, Stream>>,
}
