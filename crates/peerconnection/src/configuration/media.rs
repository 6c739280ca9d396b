//! What a peer can make a connection hold of its media.

use std::time::Duration;

/// Limits of each transport, and of each stream on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaLimits {
    /// Bytes of a frame.
    pub(crate) frame: usize,
    /// SSRCs of the peer on a transport.
    pub(crate) streams: usize,
    /// Packets of a stream that wait for one before them.
    pub(crate) reorder: usize,
    /// Packets of a stream that are asked for.
    pub(crate) missing: usize,
    /// What can be sent again of a stream of ours.
    pub(crate) history: (Duration, usize),
    /// Bytes of frames that are held until they are read.
    pub(crate) buffered: usize,
}

impl Default for MediaLimits {
    fn default() -> Self {
        Self {
            frame: oxirtc_rtp::payload::MOST_FRAME,
            streams: 256,
            reorder: 512,
            missing: 1000,
            history: (Duration::from_secs(1), 1024),
            buffered: 64 << 20,
        }
    }
}
