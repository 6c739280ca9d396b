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
mod encoding;
mod error;
mod extension;
mod media;
mod negotiator;
mod numbers;
mod outline;
mod parameters;
mod section;
mod signaling;
mod simulcast;
mod source;
mod state;
mod transceiver;
mod validate;

pub use oxirtc_sdp as sdp;

pub use candidates::CandidateInit;
pub use change::{Change, DtlsRole, IceRole, MediaSection, Sctp, TransportId};
pub use codec::{Codec, Codecs, Format, Levels, PayloadTypes, Red};
pub use config::{BundlePolicy, Capabilities, Config, Fingerprint};
pub use credentials::Credentials;
pub use description::{Description, SdpType};
pub use encoding::Encoding;
pub use error::Error;
pub use extension::{Extension, ExtensionIds, NumberedExtension};
pub use media::MediaAgreement;
pub use negotiator::{Negotiator, OfferOptions, TransceiverInit, check_rids};
pub use parameters::{Announced, ReceiveParameters, SendEncoding, SendParameters};
pub use signaling::SignalingState;
pub use simulcast::{Layer, Layers};
pub use source::Source;
pub use transceiver::{MediaKind, Origin, Transceiver, TransceiverId};
