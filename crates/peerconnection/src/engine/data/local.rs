//! What the application's side adds to a channel of the session.

use std::collections::VecDeque;

use crate::Message;

/// The application's side of a channel. All else is the session's.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// The buffered amount that its threshold is compared with.
    pub(super) threshold: u64,
    /// What was buffered when it was closed: W3C goes on showing it.
    pub(super) left_behind: u64,
    /// It ended before the peer had acknowledged everything.
    pub(super) lost: bool,
    /// Messages that have no place in the association: what came before a reset, as the stream may be
    /// another channel's soon, or before the channel was there.
    pub(super) tail: VecDeque<Message>,
    /// The user was told, and has not found it empty since.
    pub(super) told: bool,
    /// What came last had no room when its association was over. What follows is dropped as well.
    pub(super) cut: bool,
    /// Nobody will read.
    pub(super) discards: bool,
}
