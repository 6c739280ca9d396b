//! What is found to have been lost.

use std::time::Instant;

use super::{flown::PacketNo, outstanding::Batch};

/// What is known of the packet that left first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding {
    /// Nothing yet; perhaps that it is lost, when this time comes.
    NotYet(Option<Instant>),
    /// It should have come, and the last SACK could not speak of it.
    Unsaid,
    /// It is lost, or passed over; a loss is to blame on the path.
    Lost { blame: bool },
}

/// What is found to be lost at once.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) packets: u32,
    /// The last of them.
    pub(super) newest: PacketNo,
    /// With headers and padding.
    pub(super) bytes: usize,
    /// Chunks of those that left since the last reduction, which did not answer for them.
    pub(super) fresh: u32,
}

/// A T3-rtx that has expired, and what is lost by it.
#[derive(Debug)]
pub(super) struct TimedOut {
    pub(super) at: Instant,
    /// All that was in flight went out in packets longer than what every path carries.
    pub(super) all_long: bool,
    /// The packet that left first.
    pub(super) first: Option<PacketNo>,
    /// How many chunks.
    pub(super) lost: u32,
}

/// A verdict that is more than one step.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) batch: Batch,
    /// What was in flight before.
    pub(super) flight: usize,
    /// How much has been proven, and found.
    pub(super) proven: usize,
    pub(super) found: Found,
}
