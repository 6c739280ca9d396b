//! Counters of an engine.

use std::time::Duration;

/// What an engine has counted, and a few figures of the layers below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Datagrams that went.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Batches that they went in.
    pub batches_sent: u64,
    /// Payload whose first byte is nothing that this connection carries (RFC 7983 §7), or that
    /// belongs to no transport; and what came to a shared port while the connection was busy, and found no room.
    pub dropped: u64,
    /// Datagrams that could not be built.
    pub unbuildable: u64,
    /// Datagrams that were built and did not leave: the system has refused them, or they were for a stream that the other side does not
    /// read.
    pub unsent: u64,
    /// Messages for no channel, or that nobody will read.
    pub messages_dropped: u64,
    /// The round trip of the path in use, from its STUN checks.
    pub round_trip: Option<Duration>,
    /// Channels that were opened, by either side.
    pub channels_opened: u64,
    /// Channels that were closed.
    pub channels_closed: u64,
}
