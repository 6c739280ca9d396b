//! Extensions about time and order.

use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};

use super::{Ids, Kind};
use crate::{Ntp, packet::Writer, reader::Reader};

/// When a frame was captured, by the clock of who captured it (abs-capture-time).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteCapture {
    /// The time of capture.
    pub time: Ntp,
    /// By how much the capturer's clock is ahead of that of who sends to us, as the latter takes it: what to add to the sender's time to
    /// get the capturer's, in units of 2^-32 seconds. Without it the last one that was told holds.
    pub offset: Option<i64>,
}

impl AbsoluteCapture {
    /// Reads a value of 8 or 16 bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        Some(Self {
            time: Ntp(reader.u64()?),
            offset: match reader.len() {
                0 => None,
                _ => Some(reader.u64()?.cast_signed()),
            },
        })
    }

    /// The value, and how long it is.
    pub fn to_bytes(self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        let (time, offset) = bytes.split_at_mut(8);
        BigEndian::write_u64(time, self.time.0);
        BigEndian::write_i64(offset, self.offset.unwrap_or(0));
        (bytes, if self.offset.is_some() { 16 } else { 8 })
    }

    /// Appends it, if it was negotiated.
    pub fn write(self, writer: &mut Writer<'_>, ids: &Ids) {
        let (bytes, len) = self.to_bytes();
        let value = bytes.get(..len).unwrap_or_default();
        if let Some(id) = ids.id(Kind::AbsoluteCaptureTime) {
            writer.extend(id, value);
        }
    }
}

/// The value of abs-send-time: 24 bits of seconds, 18 of them behind the point.
pub fn absolute_send(since_start: Duration) -> [u8; 3] {
    let units = (since_start.as_nanos() << 18) / 1_000_000_000;
    let mut bytes = [0; 3];
    BigEndian::write_u24(&mut bytes, units as u32 & 0xff_ffff);
    bytes
}

/// Reads a transport-wide number of 16 bits, and the request of feedback that may follow it: whether with arrival
/// times, and for how many packets.
pub fn read_transport(value: &[u8]) -> Option<(u16, Option<(bool, u16)>)> {
    let mut reader = Reader(value);
    let number = reader.u16()?;
    let request = reader.u16().map(|it| (it & 0x8000 != 0, it & 0x7fff));
    Some((number, request.filter(|request| request.1 > 0)))
}

/// Reads a transmission offset (RFC 5450): 24 bits with a sign, in units of the timestamp.
pub fn read_offset(value: &[u8]) -> Option<i32> {
    (value.len() == 3).then(|| BigEndian::read_i24(value))
}

/// The value of a transmission offset, which is cut to 24 bits.
pub fn write_offset(offset: i32) -> [u8; 3] {
    let mut bytes = [0; 3];
    BigEndian::write_i24(&mut bytes, offset.clamp(-(1 << 23), (1 << 23) - 1));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        for offset in [None, Some(0), Some(-5), Some(i64::MAX)] {
            let capture = AbsoluteCapture {
                time: Ntp(0x0123_4567_89ab_cdef),
                offset,
            };
            let (bytes, len) = capture.to_bytes();
            assert_eq!(AbsoluteCapture::parse(&bytes[..len]), Some(capture));
            assert_eq!(AbsoluteCapture::parse(&bytes[..len - 1]), None);
        }
        for offset in [0, 1, -1, 8_388_607, -8_388_608] {
            assert_eq!(read_offset(&write_offset(offset)), Some(offset));
        }
        assert_eq!(read_offset(&[0; 2]), None);
        assert_eq!(absolute_send(Duration::from_millis(1500)), [6, 0, 0]);
        assert_eq!(absolute_send(Duration::from_secs(64)), [0, 0, 0], "wraps");
        assert_eq!(read_transport(&[1, 2]), Some((0x0102, None)));
        assert_eq!(
            read_transport(&[1, 2, 0x80, 5]),
            Some((0x0102, Some((true, 5))))
        );
        assert_eq!(read_transport(&[1]), None);
    }

    /// transport-wide-cc-02: a request for no packets is none.
    #[test]
    fn a_transport_wide_number_has_the_bytes_of_the_document() {
        for (value, request) in [
            (&[0x30, 0x39][..], None),
            (&[0x30, 0x39, 0x00, 0x00][..], None),
            (&[0x30, 0x39, 0x80, 0x00][..], None),
            (&[0x30, 0x39, 0x80, 0x03][..], Some((true, 3))),
            (&[0x30, 0x39, 0x7f, 0xff][..], Some((false, 32_767))),
        ] {
            assert_eq!(read_transport(value), Some((12_345, request)), "{value:?}");
        }
    }
}
