//! Numbers by which the things of an engine are named.

use oxirtc_datachannel as datachannel;
use oxirtc_jsep as jsep;

/// The number of a channel. Never used twice by one engine; W3C's id is another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(super) datachannel::ChannelId);

/// The number of a transport. Never used twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub(super) u32);

/// The number of a transceiver, and of its sender and receiver. Never used twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransceiverId(pub(super) jsep::TransceiverId);

/// The caller's number of a track that a sender has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u64);
