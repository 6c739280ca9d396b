//! What a context counts.

use std::ops::AddAssign;

/// Counters since the context was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets of RTP.
    pub rtp: Counters,
    /// Packets of RTCP.
    pub rtcp: Counters,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        for (own, other) in [(&mut self.rtp, other.rtp), (&mut self.rtcp, other.rtcp)] {
            own.protected += other.protected;
            own.refused += other.refused;
            own.opened += other.opened;
            own.forged += other.forged;
            own.replayed += other.replayed;
            own.short += other.short;
            own.over_limit += other.over_limit;
        }
    }
}

/// Counters of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets protected: how often the key was used.
    pub protected: u64,
    /// Packets that were not protected since their index was used before.
    pub refused: u64,
    /// Packets that were authentic and new.
    pub opened: u64,
    /// Packets whose tag did not fit.
    pub forged: u64,
    /// Packets that had come before, or are too old to tell.
    pub replayed: u64,
    /// Packets too short for header and tag, or of another version.
    pub short: u64,
    /// Authentic packets of an SSRC beyond the limit.
    pub over_limit: u64,
}
