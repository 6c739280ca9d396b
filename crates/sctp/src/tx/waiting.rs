//! SACKs that are taken in steps.

use std::time::Instant;

use crate::packet::KeptSack;

/// A SACK of which some is still to be noted, or all.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sack: KeptSack,
    pub(super) place: Place,
}

/// How far a SACK has been noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// When it came.
    pub(super) at: Instant,
    /// It has been begun.
    pub(super) begun: bool,
    /// The gap ack block to go on with.
    pub(super) block: usize,
    /// How many of its duplicates have been looked at.
    pub(super) duplicates: usize,
    /// It reports something that was sent again as received twice.
    pub(super) duplicate: bool,
    /// The cumulative TSN has moved.
    pub(super) moved: bool,
}
