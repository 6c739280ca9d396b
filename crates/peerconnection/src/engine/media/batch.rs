//! What a source gives in one go.

use std::sync::Arc;

use oxirtc_rtp::Batch;

use crate::{RtpPacket, engine::convert};

/// Packets that one source gave in one go, of one lane. All who send them on share them, and nobody writes to them.
#[derive(Clone, Debug)]
pub struct MediaBatch {
    lane: u8,
    inner: Arc<Batch>,
}

impl MediaBatch {
    pub(in crate::engine) fn new(lane: u8, inner: Arc<Batch>) -> Self {
        Self { lane, inner }
    }

    pub(in crate::engine) fn inner(&self) -> &Arc<Batch> {
        &self.inner
    }

    /// Which of the parallel streams of its source: the place of its rid, 0 without simulcast.
    pub fn lane(&self) -> u8 {
        self.lane
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.inner.packets.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.inner.packets.is_empty()
    }

    /// Bytes of all payloads.
    pub fn bytes(&self) -> usize {
        self.inner.packets.iter().map(|it| it.payload_len()).sum()
    }

    /// Whether it brings a key frame, or its beginning.
    pub fn has_key(&self) -> bool {
        self.inner.packets.iter().any(|it| it.facts.key)
    }

    /// The packets, of a codec that there are frames of.
    pub fn packets(&self) -> impl Iterator<Item = RtpPacket> + '_ {
        self.inner.packets.iter().filter_map(convert::shown_packet)
    }
}
