//! What is found to have been lost.

use super::{flown::PacketNo, outstanding::Batch};

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
