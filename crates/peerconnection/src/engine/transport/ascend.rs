//! The way up through a transport.

use std::time::Instant;

use super::Transport;
use crate::engine::up::Up;

impl Transport {
    /// Lifts what the layers tell, once from the bottom: a layer affects only those above it.
    pub(in crate::engine) fn ascend(&mut self, now: Instant, up: &mut Up<'_>) {
        self.ascend_ice(now, up);
        self.ascend_dtls(now, up);
        self.ascend_media(&mut up.negotiation.negotiator, up.media, up.tasks);
    }
}
