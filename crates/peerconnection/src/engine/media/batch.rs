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

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{Codec, EncodedFrame, engine::Cutter};

    /// A batch says how much it has, and whether a decoder can begin with it.
    #[test]
    fn a_batch_says_what_it_has() {
        let mut cutter = Cutter::new();
        for (first, has_key) in [(0, true), (1, false)] {
            let mut payload = vec![7; 3000];
            payload[..10].copy_from_slice(&[first, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let frame = EncodedFrame::new(Codec::Vp8, payload);
            let batch = cutter.cut_frame(epoch(), 2, &frame).unwrap();
            assert_eq!((batch.lane(), batch.len()), (2, 3));
            assert_eq!(batch.packets().count(), 3);
            assert!(batch.bytes() > 3000 && batch.bytes() < 3100);
            assert_eq!(batch.has_key(), has_key);
            assert!(!batch.is_empty());
        }
        let packets = Vec::new();
        let empty = MediaBatch::new(0, Arc::new(Batch { packets }));
        assert!(empty.is_empty() && !empty.has_key());
        assert_eq!((empty.len(), empty.bytes()), (0, 0));
    }
}
