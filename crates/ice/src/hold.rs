//! Payload that waits for its pair to become valid.

use std::collections::VecDeque;

use crate::base::PairKey;

/// Datagrams from pairs that are authenticated and not valid yet: a ClientHello must not be lost to a
/// race with the response to a check.
#[derive(Debug, Default)]
pub(crate) struct Held {
    datagrams: VecDeque<(PairKey, Vec<u8>)>,
    bytes: usize,
}

impl Held {
    /// Whether there was room.
    pub(crate) fn push(&mut self, key: PairKey, datagram: &[u8]) -> bool {
        let fits = self.datagrams.len() < MAX_DATAGRAMS && self.bytes + datagram.len() <= MAX_BYTES;
        if fits {
            self.bytes += datagram.len();
            self.datagrams.push_back((key, datagram.to_vec()));
        }
        fits
    }

    /// The first datagram for which `valid` holds, in order of arrival.
    pub(crate) fn pop(
        &mut self,
        mut valid: impl FnMut(PairKey) -> bool,
    ) -> Option<(PairKey, Vec<u8>)> {
        let at = self.datagrams.iter().position(|(key, _)| valid(*key))?;
        let (key, datagram) = self.datagrams.remove(at)?;
        self.bytes -= datagram.len();
        Some((key, datagram))
    }

    /// Forgets what came on pairs for which `keep` does not hold; returns how many were forgotten.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(PairKey) -> bool) -> usize {
        let before = self.datagrams.len();
        self.datagrams.retain(|(key, _)| keep(*key));
        self.bytes = self.datagrams.iter().map(|(_, held)| held.len()).sum();
        before - self.datagrams.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}

const MAX_DATAGRAMS: usize = 4;
const MAX_BYTES: usize = 8192;
