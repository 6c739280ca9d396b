//! What a channel is opened with.

use std::time::Duration;

use crate::error::Error;

/// What a channel is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The name of the channel; it need not be unique. At most 65,535 bytes.
    pub label: String,
    /// The subprotocol, or the empty string. At most 65,535 bytes.
    pub protocol: String,
    /// Whether messages are delivered in the order they were sent in. Default: yes.
    pub ordered: bool,
    /// How hard is tried to deliver a message. Default: until it is.
    pub reliability: Reliability,
    /// The share of the association the channel gets. Default: [`Priority::Low`], which RFC 8831 calls normal.
    pub priority: Priority,
    /// The id of a channel that the peer opens with the same id by itself, agreed on by other means. Default: none;
    /// the channel is announced to the peer by DCEP and gets an id of its own.
    pub negotiated: Option<u16>,
}

/// How hard is tried to deliver a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reliability {
    /// Until it is delivered.
    #[default]
    Reliable,
    /// At most this many retransmissions.
    Retransmits(u16),
    /// For this time after it was given to the association; a message of several packets that has waited for half of it, and could not
    /// leave in the rest, does not begin where others wait. Whole milliseconds, at most 2³² − 1, are told to the peer.
    Lifetime(Duration),
}

/// The share of the association a channel gets, compared with others: each has twice that of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// RFC 8831 §6.4: below normal, 128.
    VeryLow,
    /// Normal, 256.
    #[default]
    Low,
    /// High, 512.
    Medium,
    /// Extra high, 1024.
    High,
}

impl Parameters {
    /// A reliable, ordered channel that is announced by DCEP.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// Whether a channel can be opened with this.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.label.len() > usize::from(u16::MAX) {
            return Err(Error::LabelTooLong);
        }
        if self.protocol.len() > usize::from(u16::MAX) {
            return Err(Error::ProtocolTooLong);
        }
        if self.negotiated.is_some_and(|id| id > MAX_ID) {
            return Err(Error::InvalidId);
        }
        Ok(())
    }
}

impl Priority {
    /// The weight that stands for it (RFC 8831 §6.4).
    pub fn weight(self) -> u16 {
        match self {
            Self::VeryLow => 128,
            Self::Low => 256,
            Self::Medium => 512,
            Self::High => 1024,
        }
    }

    /// The priority that a peer means by a weight, which may be any.
    pub fn from_weight(weight: u16) -> Self {
        match weight {
            0..=128 => Self::VeryLow,
            129..=256 => Self::Low,
            257..=512 => Self::Medium,
            513.. => Self::High,
        }
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            label: String::new(),
            protocol: String::new(),
            ordered: true,
            reliability: Reliability::Reliable,
            priority: Priority::Low,
            negotiated: None,
        }
    }
}

/// The largest id of a channel: 65,535 is no stream (RFC 8832 §4, RFC 8831 §6.2).
pub(crate) const MAX_ID: u16 = 65_534;

#[cfg(test)]
mod tests {
    use super::*;

    /// [4.9.1-01] Numbers of priorities.
    #[test]
    fn weights() {
        use Priority::{High, Low, Medium, VeryLow};
        for (priority, weight) in [(VeryLow, 128), (Low, 256), (Medium, 512), (High, 1024)] {
            assert_eq!(priority.weight(), weight);
            assert_eq!(Priority::from_weight(weight), priority);
        }
        for (weight, priority) in [
            (0, VeryLow),
            (129, Low),
            (257, Medium),
            (513, High),
            (u16::MAX, High),
        ] {
            assert_eq!(Priority::from_weight(weight), priority);
        }
        assert_eq!(Priority::default(), Low);
    }
}
