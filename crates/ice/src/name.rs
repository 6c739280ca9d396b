//! Candidates of the peer that are names, while they are being resolved.

use std::{collections::VecDeque, time::Instant};

use crate::{RequestId, generation::SideId};

/// Names that are to be resolved: a few at once, the others in the order in which they came.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) asked: Vec<Name>,
    /// Sides, and the places of their candidates.
    pub(crate) waiting: VecDeque<(SideId, usize)>,
}

/// A name that is being resolved.
pub(crate) struct Name {
    pub(crate) id: RequestId,
    pub(crate) side: SideId,
    /// The place of its candidate.
    pub(crate) at: usize,
    /// Until when it is waited for.
    pub(crate) until: Instant,
}

impl Names {
    /// Whether nothing is waited for.
    pub(crate) fn are_done(&self) -> bool {
        self.asked.is_empty() && self.waiting.is_empty()
    }
}
