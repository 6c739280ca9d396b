use std::ops::Range;

use crate::{message::Fragment, outgoing::ranges::Ranges};

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

    /// Appends the handshake header of a piece.
    pub(super) fn write_header(&self, piece: &Range<usize>, out: &mut Vec<u8>) {
        let fragment = Fragment {
            kind: self.kind.unwrap_or_default(),
            length: self.body.len(),
            sequence: self.sequence,
            offset: piece.start,
            body: &[],
        };
        fragment.write_header(piece.len(), out);
    }
}
