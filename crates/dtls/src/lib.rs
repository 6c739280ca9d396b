#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

// The harness of `tests/` is the unit tests' too, and names the crate from outside.
#[cfg(test)]
extern crate self as oxirtc_dtls;

mod ack;
mod alert;
mod certificate;
mod config;
mod connection;
mod crypto;
mod error;
mod event;
mod exporter;
mod fingerprint;
mod handshake;
mod keylog;
pub mod message;
mod outgoing;
mod pem;
mod reassembly;
pub mod record;
mod role;
mod signer;
mod stats;
#[cfg(test)]
mod tests;
mod timer;
mod trust;
mod version;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use certificate::Certificate;
pub use config::{Config, Peer, SrtpProfile};
pub use connection::{Connection, State};
pub use crypto::group::Group;
pub use crypto::key::KeyType;
pub use crypto::signature::SignatureScheme;
pub use crypto::suite::CipherSuite;
pub use error::Error;
pub use event::{Event, Failure, Initiator};
pub use fingerprint::{Fingerprint, HashAlgorithm};
pub use keylog::KeyLog;
pub use role::Role;
pub use signer::{Signature, SignatureRequest, Signer, SignerError};
pub use stats::Stats;
pub use version::Version;
