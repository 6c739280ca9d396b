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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::BaseId;

    fn key(port: u16) -> PairKey {
        PairKey {
            base: BaseId(0),
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    /// Four datagrams, or eight kibibytes; what was handed up or forgotten leaves its room.
    #[test]
    fn room_is_bounded_and_comes_back() {
        let mut held = Held::default();
        let half = [7; 4096];
        for _ in 0..3 {
            assert!(held.push(key(1), &half) && held.push(key(2), &half));
            assert!(!held.push(key(1), &[7]));
            assert_eq!(held.pop(|of| of == key(2)), Some((key(2), half.to_vec())));
            assert!(!held.push(key(2), &[7; 4097]));
            assert!(held.push(key(2), &half) && !held.push(key(2), &[7]));
            assert_eq!(held.retain(|of| of == key(1)), 1);
            assert_eq!(held.pop(|_| true), Some((key(1), half.to_vec())));
            assert!(held.is_empty() && held.pop(|_| true).is_none());
        }
        for number in 0..6 {
            assert_eq!(held.push(key(number), &[7]), number < 4);
        }
    }
}
