//! What of media is dropped as it comes.

/// Packets of RTP and RTCP that came by a transport and were dropped before anything was made of them, since it began. Those of all keys are
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaDrops {
    /// SRTP did not authenticate them.
    pub forged: u64,
    /// They had come before, or too late to tell.
    pub replayed: u64,
    /// They were no packets, or broken.
    pub malformed: u64,
    /// They were of more SSRCs than are followed.
    pub over_limit: u64,
    /// They belong to no section, or repair nothing that is known.
    pub unrouted: u64,
}
