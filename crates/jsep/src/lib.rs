#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod candidates;
mod change;
mod compose;
mod config;
mod credentials;
mod description;
mod error;
mod layout;
mod negotiator;
mod signaling;
mod state;
mod table;
mod validate;

pub use oxirtc_sdp as sdp;

pub use candidates::{CandidateInit, MediaSection};
pub use change::{Change, DtlsRole, IceRole, Sctp, TransportId};
pub use config::{BundlePolicy, Config, Fingerprint};
pub use credentials::Credentials;
pub use description::{Description, SdpType};
pub use error::Error;
pub use negotiator::{Negotiator, OfferOptions};
pub use signaling::SignalingState;
