//! What is left to do when the association is there.

use crate::channel::ChannelId;

/// Channels that wait for an association which is there now.
#[derive(Debug)]
pub(super) struct Opening {
    /// The next of which is not known whether there is such a stream.
    pub(super) unchecked: ChannelId,
    /// The next that is to be started.
    pub(super) next: ChannelId,
}
