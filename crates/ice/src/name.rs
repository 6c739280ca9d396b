//! A candidate of the peer that is a name, while it is being resolved.

use std::time::Instant;

use crate::{RequestId, generation::SideId};

/// A name that is being resolved.
pub(crate) struct Name {
    pub(crate) id: RequestId,
    pub(crate) side: SideId,
    /// The place of its candidate.
    pub(crate) at: usize,
    /// Until when it is waited for.
    pub(crate) until: Instant,
}
