//! Messages and the options of a channel.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A message on a data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A string.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// `RTCDataChannelInit` (W3C §6.2), with the priority of W3C's webrtc-priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[doc(alias = "RTCDataChannelInit")]
pub struct DataChannelInit {
    /// Messages arrive in the order in which they were sent. Default: true.
    pub ordered: bool,
    /// Milliseconds for which a message is sent again; then it is given up. Default: for ever.
    pub max_packet_life_time: Option<u16>,
    /// How often a message is sent again; then it is given up. Default: for ever.
    pub max_retransmits: Option<u16>,
    /// The subprotocol. Default: empty.
    pub protocol: String,
    /// The application has agreed on the channel itself, and gives its id at both ends. Default:
    /// false, and the channel is announced to the peer.
    pub negotiated: bool,
    /// The id of a negotiated channel, 0 to 65,534.
    pub id: Option<u16>,
    /// Against other channels. Default: low.
    pub priority: Priority,
}

/// `RTCPriorityType` (webrtc-priority §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCPriorityType")]
pub enum Priority {
    /// Below the others.
    VeryLow,
    /// What a channel has by default.
    #[default]
    Low,
    /// Above the default.
    Medium,
    /// Above all others.
    High,
}

/// Messages of a channel and their bytes (webrtc-stats, `RTCDataChannelStats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages that were read.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// Why [`Engine::send`](crate::engine::Engine::send) did not take a message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The send buffer is full: later it goes.
    #[error("the send buffer is full")]
    Full,
    /// It does not go: see the error.
    #[error(transparent)]
    Refused(Error),
}

impl Message {
    /// Its bytes; UTF-8 for a string.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// It has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

impl Default for DataChannelInit {
    fn default() -> Self {
        Self {
            ordered: true,
            max_packet_life_time: None,
            max_retransmits: None,
            protocol: String::new(),
            negotiated: false,
            id: None,
            priority: Priority::default(),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_the_browsers_json() {
        let text = r#"{"ordered":false,"maxRetransmits":0,"priority":"very-low"}"#;
        let init: DataChannelInit = serde_json::from_str(text).unwrap();
        assert!(!init.ordered);
        assert_eq!(init.max_retransmits, Some(0));
        assert_eq!(init.priority, Priority::VeryLow);
        assert_eq!(
            serde_json::from_str::<DataChannelInit>("{}").unwrap(),
            DataChannelInit::default()
        );
        // [6-06]
        assert!(serde_json::from_str::<DataChannelInit>(r#"{"maxRetransmits":65536}"#).is_err());
        assert!(serde_json::from_str::<DataChannelInit>(r#"{"id":-1}"#).is_err());
    }
}
