use std::ops::Range;

use crate::{message::HEADER_LEN, outgoing::ranges::Ranges};

/// One message, or `change_cipher_spec`, that was said.
pub(crate) struct Said {
    pub(super) epoch: u16,
    /// `None` stands for `change_cipher_spec`.
    pub(super) kind: Option<u8>,
    pub(super) sequence: u16,
    pub(super) body: Vec<u8>,
    /// What the peer has of it. An empty body counts as one byte.
    pub(super) acked: Ranges,
}

impl Said {
    pub(super) fn new(epoch: u16, kind: Option<u8>, sequence: u16, body: &[u8]) -> Self {
        Self {
            epoch,
            kind,
            sequence,
            body: body.to_vec(),
            acked: Ranges::default(),
        }
    }

    /// What is still to be acknowledged, in bytes of the body.
    pub(super) fn missing(&self) -> Vec<Range<usize>> {
        let missing = self.acked.missing(self.body.len().max(1));
        let end = self.body.len();
        missing
            .map(|it| it.start.min(end)..it.end.min(end))
            .collect()
    }

    /// The peer has these bytes; whether that is new.
    pub(super) fn acknowledge(&mut self, range: &Range<usize>) -> bool {
        let before = self.acked.clone();
        let empty = self.body.is_empty();
        self.acked.insert(if empty { 0..1 } else { range.clone() });
        self.acked != before
    }

    pub(super) fn is_acked(&self) -> bool {
        self.acked.missing(self.body.len().max(1)).next().is_none()
    }

    /// The handshake header of a piece.
    pub(super) fn header(&self, piece: &Range<usize>) -> [u8; HEADER_LEN] {
        let u24 = |number: usize| {
            let [.., a, b, c] = number.to_be_bytes();
            [a, b, c]
        };
        let [l0, l1, l2] = u24(self.body.len());
        let [s0, s1] = self.sequence.to_be_bytes();
        let [o0, o1, o2] = u24(piece.start);
        let [p0, p1, p2] = u24(piece.len());
        let kind = self.kind.unwrap_or_default();
        [kind, l0, l1, l2, s0, s1, o0, o1, o2, p0, p1, p2]
    }
}
