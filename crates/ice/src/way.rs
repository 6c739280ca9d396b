//! How a datagram leaves.

use crate::{Path, generation::GenerationId, pair::PairId};

/// Where a datagram goes, and what is written around it.
///
/// A way is of the moment: [`Agent::wrap`](crate::Agent::wrap) refuses one that another pair has taken
/// the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Way {
    /// The socket it leaves from and the address it goes to.
    pub path: Path,
    /// Bytes that [`Agent::wrap`](crate::Agent::wrap) writes before the datagram.
    pub headroom: usize,
    /// Bytes that it writes behind the datagram, at most.
    pub tailroom: usize,
    pub(crate) generation: Option<GenerationId>,
    pub(crate) pair: Option<PairId>,
    pub(crate) stamp: u32,
    pub(crate) mapping: u32,
}

impl Way {
    /// A way without anything around its datagrams.
    pub(crate) fn plain(path: Path) -> Self {
        Self {
            path,
            headroom: 0,
            tailroom: 0,
            generation: None,
            pair: None,
            stamp: 0,
            mapping: 0,
        }
    }

    /// Counts the addresses that the peer has seen us at on this pair. Where it is another one in the middle of a call, a NAT has forgotten
    /// the one before: what was on its way then is lost.
    pub fn mapping(&self) -> u32 {
        self.mapping
    }

    /// The generation whose pair it takes; `None` for checks and responses.
    pub fn generation(&self) -> Option<GenerationId> {
        self.generation
    }
}
