#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod attribute;
mod builder;
mod error;
mod getters;
mod header;
mod integrity;
mod message;
mod nonce;
mod opaque_string;
mod round_trip;
mod transaction;
mod wire;

pub use self::{
    attribute::{
        AddressFamily, Attribute, AttributeType, AttributeTypes, ErrorCode, Icmp,
        PasswordAlgorithm, PasswordAlgorithms, RawAttribute,
    },
    builder::Builder,
    error::Error,
    header::{Class, HEADER_LENGTH, MAGIC_COOKIE, Method, TransactionId, is_stun},
    integrity::{Integrity, IntegrityKey, userhash},
    message::Message,
    nonce::SecurityFeatures,
    round_trip::RoundTrip,
    transaction::{Event, Schedule, Transaction},
};
