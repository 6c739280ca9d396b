//! What is dropped: counted, and at trace level told with its reason.

use std::fmt;

use crate::connection::Connection;

impl Connection {
    pub(super) fn drop_record(&mut self, reason: &str) {
        self.stats.records_dropped += 1;
        self.trace_drop("record", reason);
    }

    pub(super) fn drop_message(&mut self, reason: impl fmt::Display) {
        self.stats.messages_dropped += 1;
        self.trace_drop("message", reason);
    }

    pub(super) fn trace_drop(&self, what: &str, reason: impl fmt::Display) {
        log::trace!("{}a {what} is dropped: {reason}", self.config.label);
    }
}
