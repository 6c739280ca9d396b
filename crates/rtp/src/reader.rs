//! A checked reader: nothing is read beyond the end.

use byteorder::{BigEndian, ByteOrder};

/// What is left to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(BigEndian::read_u16)
    }

    pub(crate) fn u24(&mut self) -> Option<u32> {
        self.take(3).map(BigEndian::read_u24)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4).map(BigEndian::read_u32)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8).map(BigEndian::read_u64)
    }

    /// A number of AV1's `leb128()`: at most eight bytes, seven bits each, the lowest first, below 2^32.
    pub(crate) fn leb128(&mut self) -> Option<u32> {
        let mut value = 0_u64;
        for at in 0..8 {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Appends a number in the form of [`Reader::leb128`].
pub(crate) fn write_leb128(buf: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    buf.push(value as u8);
}

/// How many bytes [`write_leb128`] appends.
pub(crate) const fn leb128_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Reads bits, the highest of each byte first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }

    /// Up to 32 bits.
    pub(crate) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// A number below `most`, in the form `ns(n)` of AV1.
    pub(crate) fn ns(&mut self, most: u32) -> Option<u32> {
        let width = u32::BITS - most.leading_zeros();
        let short = (1_u32 << width) - most;
        let value = self.bits(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + u32::from(self.bit()?))
    }

    /// An Exp-Golomb number, as H.264 and H.265 write them.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeroes = 0;
        while !self.bit()? {
            zeroes += 1;
            if zeroes > 31 {
                return None;
            }
        }
        Some((1 << zeroes) - 1 + self.bits(zeroes)?)
    }

    /// The signed form of [`ue`](Self::ue).
    pub(crate) fn se(&mut self) -> Option<i32> {
        let coded = i64::from(self.ue()?);
        let half = (coded + 1) / 2;
        i32::try_from(if coded % 2 == 0 { -half } else { half }).ok()
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }
}

/// Writes bits, the highest of each byte first, and zeroes to the end of the last byte.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    pub(crate) bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> at & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }

    pub(crate) fn bit(&mut self, value: bool) {
        self.bits(value.into(), 1);
    }

    /// The form `ns(n)` of AV1.
    pub(crate) fn ns(&mut self, value: u32, most: u32) {
        let width = u32::BITS - most.leading_zeros();
        let short = (1_u32 << width) - most;
        if value < short {
            self.bits(value, width.saturating_sub(1));
        } else {
            self.bits(value + short, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn numbers_come_back(value: u32, most in 1_u32..200, small: u32) {
            let mut buf = Vec::new();
            write_leb128(&mut buf, value);
            prop_assert_eq!(buf.len(), leb128_len(value));
            prop_assert_eq!(Reader(&buf).leb128(), Some(value));
            let mut bits = BitWriter::default();
            bits.bits(5, 3);
            bits.ns(small % most, most);
            bits.bits(value, 32);
            let mut reader = Bits::new(&bits.bytes);
            prop_assert_eq!(reader.bits(3), Some(5));
            prop_assert_eq!(reader.ns(most), Some(small % most));
            prop_assert_eq!(reader.bits(32), Some(value));
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert_eq!(Reader(&[0x80; 9]).leb128(), None);
        assert_eq!(
            Reader(&[0xff, 0xff, 0xff, 0xff, 0x7f]).leb128(),
            None,
            "2^35"
        );
        assert_eq!(Bits::new(&[0; 8]).ue(), None);
        assert_eq!(Bits::new(&[0b0010_1000]).ue(), Some(4));
        assert_eq!(Bits::new(&[0b0010_1000]).se(), Some(-2));
        assert_eq!(Bits::new(&[1]).bits(9), None);
    }
}
