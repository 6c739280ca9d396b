//! Descriptions as the application sees them.

use std::fmt;

/// A description with its type: W3C's `RTCSessionDescriptionInit`.
///
/// `Debug` does not show the text, as it holds the ICE password.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    /// What it is.
    pub kind: SdpType,
    /// The text; may be empty for a rollback, and for a local description to be made on the spot.
    pub sdp: String,
}

/// W3C's `RTCSdpType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SdpType {
    /// It opens an exchange.
    Offer,
    /// A provisional answer: it leaves the exchange open.
    Pranswer,
    /// It ends the exchange.
    Answer,
    /// Back to the last stable state.
    Rollback,
}

impl Description {
    /// A description of this type.
    pub fn new(kind: SdpType, sdp: impl Into<String>) -> Self {
        Self {
            kind,
            sdp: sdp.into(),
        }
    }

    /// A rollback.
    pub fn rollback() -> Self {
        Self::new(SdpType::Rollback, "")
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
