//! Numbers by which the things of an engine are named.

use oxirtc_datachannel as datachannel;

/// The number of a channel. Never used twice by one engine; W3C's id is another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(super) datachannel::ChannelId);

/// The number of a transport. Never used twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub(super) u32);
