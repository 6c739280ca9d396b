//! Reading without indexing, and writing: integers of the wire are big-endian.

use byteorder::{BigEndian, ByteOrder, LittleEndian};

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.bytes(2).map(BigEndian::read_u16)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes(4).map(BigEndian::read_u32)
    }

    pub(crate) fn u32_little(&mut self) -> Option<u32> {
        self.bytes(4).map(LittleEndian::read_u32)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes(8).map(BigEndian::read_u64)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Pairs of 16 bits, one after another; what is left over is not looked at.
pub(crate) fn pairs(bytes: &[u8]) -> impl Iterator<Item = (u16, u16)> + Clone + use<'_> {
    let (pairs, _) = bytes.as_chunks::<4>();
    let pair =
        |&[a, b, c, d]: &[u8; 4]| (BigEndian::read_u16(&[a, b]), BigEndian::read_u16(&[c, d]));
    pairs.iter().map(pair)
}

/// A header of a known length, filled from its front: one append for all of it.
pub(crate) struct Fields<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Fields<N> {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; N],
            at: 0,
        }
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = value;
        }
        self.at += 1;
        self
    }

    pub(crate) fn u16(mut self, value: u16) -> Self {
        if let Some(place) = self.bytes.get_mut(self.at..self.at + 2) {
            BigEndian::write_u16(place, value);
        }
        self.at += 2;
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        if let Some(place) = self.bytes.get_mut(self.at..self.at + 4) {
            BigEndian::write_u32(place, value);
        }
        self.at += 4;
        self
    }

    /// All of them, and what follows, padded to four bytes.
    pub(crate) fn write(&self, buf: &mut Vec<u8>, value: &[u8]) {
        debug_assert_eq!(self.at, N);
        buf.extend_from_slice(&self.bytes);
        buf.extend_from_slice(value);
        let padding = value.len().next_multiple_of(4) - value.len();
        if padding > 0 {
            buf.resize(buf.len() + padding, 0);
        }
    }
}

/// Appending integers.
pub(crate) trait Write {
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
}

impl Write for Vec<u8> {
    fn put_u16(&mut self, value: u16) {
        let mut bytes = [0; 2];
        BigEndian::write_u16(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }

    fn put_u32(&mut self, value: u32) {
        let mut bytes = [0; 4];
        BigEndian::write_u32(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }

    fn put_u64(&mut self, value: u64) {
        let mut bytes = [0; 8];
        BigEndian::write_u64(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }
}
