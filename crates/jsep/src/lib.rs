#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod agreement;
mod candidates;
mod change;
mod codec;
mod compose;
mod config;
mod credentials;
mod description;
mod error;
mod extension;
mod negotiator;
mod outline;
mod section;
mod signaling;
mod simulcast;
mod state;
mod transceiver;
mod validate;

pub use oxirtc_sdp as sdp;

pub use candidates::{CandidateInit, MediaSection};
pub use change::{Change, DtlsRole, IceRole, Sctp, TransportId};
pub use codec::{Codec, Codecs, Format, Levels, PayloadTypes, Red};
pub use config::{BundlePolicy, Config, Fingerprint};
pub use credentials::Credentials;
pub use description::{Description, SdpType};
pub use error::Error;
pub use extension::{Extension, ExtensionIds, NumberedExtension};
pub use negotiator::{Negotiator, OfferOptions};
pub use signaling::SignalingState;
pub use simulcast::{Layer, Layers};
pub use transceiver::{Described, MediaKind, Origin, Transceiver};
