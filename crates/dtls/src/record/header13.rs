//! The unified header of DTLS 1.3 (RFC 9147 §4).

use byteorder::{BigEndian, ByteOrder};

/// What the first byte says.
///
/// ```text
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// |0|0|1|C|S|L|E E|
/// +-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unified {
    /// The low two bits of the epoch.
    pub(crate) low: u8,
    /// Whether the number has 16 bits, or 8.
    pub(crate) wide: bool,
    /// The length of what follows the header; `None` when it reaches to the end of the datagram.
    pub(crate) length: Option<usize>,
}

impl Unified {
    /// Reads the header at the front. `None` when it is another kind of record, cut short, or has a
    /// connection id: none is negotiated, so nobody knows its length.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        if !is_unified(first) || first & CONNECTION_ID != 0 {
            return None;
        }
        let wide = first & WIDE_NUMBER != 0;
        let length = match first & WITH_LENGTH != 0 {
            true => {
                let at = 1 + number_len(wide);
                Some(usize::from(BigEndian::read_u16(bytes.get(at..at + 2)?)))
            }
            false => None,
        };
        let header = Self {
            low: first & EPOCH,
            wide,
            length,
        };
        (bytes.len() >= header.len()).then_some(header)
    }

    /// The length of the header itself.
    pub(crate) fn len(self) -> usize {
        let length = if self.length.is_some() { 2 } else { 0 };
        1 + number_len(self.wide) + length
    }
}

/// The header that we write: with a wide number and a length, so that records can share a datagram.
pub(crate) fn write(header: &mut [u8; LEN], epoch: u16, sequence: u64, length: usize) {
    let [first, rest @ ..] = header;
    let (number, count) = rest.split_at_mut(2);
    *first = FIXED | WIDE_NUMBER | WITH_LENGTH | (epoch as u8 & EPOCH);
    BigEndian::write_u16(number, sequence as u16);
    BigEndian::write_u16(count, length as u16);
}

pub(crate) fn is_unified(first: u8) -> bool {
    first & 0b1110_0000 == FIXED
}

pub(crate) fn number_len(wide: bool) -> usize {
    if wide { 2 } else { 1 }
}

/// Of the header that we write.
pub(crate) const LEN: usize = 5;
const FIXED: u8 = 0b0010_0000;
const CONNECTION_ID: u8 = 0b0001_0000;
const WIDE_NUMBER: u8 = 0b0000_1000;
const WITH_LENGTH: u8 = 0b0000_0100;
const EPOCH: u8 = 0b0000_0011;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for epoch in [2, 3, 4, 65_535] {
            let mut header = [0; LEN];
            write(&mut header, epoch, 0x12_3456, 0x0102);
            assert_eq!(header[1..], [0x34, 0x56, 1, 2]);
            let parsed = Unified::parse(&header).unwrap();
            assert_eq!(parsed.low, (epoch & 3) as u8);
            assert_eq!((parsed.wide, parsed.length), (true, Some(0x0102)));
            assert_eq!(parsed.len(), LEN);
            for end in 0..LEN {
                assert_eq!(Unified::parse(&header[..end]), None);
            }
        }
    }

    #[test]
    fn all_first_bytes() {
        for first in 0..=255_u8 {
            let parsed = Unified::parse(&[first, 1, 2, 3, 4]);
            let readable = first >> 5 == 1 && first & 0x10 == 0;
            assert_eq!(parsed.is_some(), readable, "{first:#x}");
        }
        let short = Unified::parse(&[0x22, 7]).unwrap();
        assert_eq!((short.len(), short.wide, short.length), (2, false, None));
        let length = Unified::parse(&[0x27, 7, 0, 9]).unwrap();
        assert_eq!((length.len(), length.length), (4, Some(9)));
    }
}
