use byteorder::{BigEndian, ByteOrder};

use crate::record::wire::MAX_PLAINTEXT;

/// The header in front of every record.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | content_type  |            version            |     epoch     :
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// :               |                sequence_number                :
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// :                               |            length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record carries, by its registry number.
    pub content_type: u8,
    /// Any version of DTLS.
    pub version: u16,
    /// Which keys protect the record; 0 for none.
    pub epoch: u16,
    /// 48 bits.
    pub sequence: u64,
    /// The length of what follows, in bytes.
    pub length: usize,
}

impl Header {
    /// Takes the first record off a datagram: its header, its fragment, and the rest. `None` when what
    /// is left is no whole record with such a header, of DTLS 1.0 to 1.2 or in the clear.
    pub fn split(datagram: &mut [u8]) -> Option<(Self, &mut [u8], &mut [u8])> {
        let header = Self::parse(datagram)?;
        let (_, rest) = datagram.split_at_mut_checked(HEADER_LEN)?;
        let (fragment, rest) = rest.split_at_mut_checked(header.length)?;
        Some((header, fragment, rest))
    }

    /// Reads the header at the front; `None` for another version or too long a record.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[content_type, ref rest @ ..] = bytes.first_chunk::<HEADER_LEN>()?;
        let header = Self {
            content_type,
            version: BigEndian::read_u16(rest.first_chunk::<2>()?),
            epoch: BigEndian::read_u16(rest.get(2..4)?),
            sequence: BigEndian::read_u48(rest.get(4..10)?),
            length: usize::from(BigEndian::read_u16(rest.get(10..12)?)),
        };
        (header.version >> 8 == 0xFE && header.length <= MAX_FRAGMENT).then_some(header)
    }

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [self.content_type; HEADER_LEN];
        let [_, version @ .., _, _, _, _, _, _, _, _, _, _] = &mut bytes;
        BigEndian::write_u16(version, self.version);
        let [_, _, _, number @ .., _, _] = &mut bytes;
        BigEndian::write_u64(number, self.number());
        let [_, _, _, _, _, _, _, _, _, _, _, length @ ..] = &mut bytes;
        BigEndian::write_u16(length, self.length as u16);
        bytes
    }

    /// Epoch and sequence number in one, as nonces and additional data have them.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.epoch) << 48 | self.sequence
    }
}

/// The length of a record header, in bytes.
pub const HEADER_LEN: usize = 13;
/// RFC 5246 §6.2.3: what protection may add.
const MAX_FRAGMENT: usize = MAX_PLAINTEXT + 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{HANDSHAKE, VERSION};

    /// RFC 5246 §6.2.3: 2^14 bytes, and 2048 that protection may add.
    #[test]
    fn a_fragment_has_a_largest_length() {
        for (length, fits) in [(18_432, true), (18_433, false)] {
            let header = Header {
                content_type: HANDSHAKE,
                version: VERSION,
                epoch: 0,
                sequence: 0,
                length,
            };
            assert_eq!(Header::parse(&header.to_bytes()).is_some(), fits);
        }
    }

    #[test]
    fn headers_survive_a_round_trip_and_short_datagrams_are_refused() {
        let header = Header {
            content_type: HANDSHAKE,
            version: VERSION,
            epoch: 3,
            sequence: 0x0102_0304_0506,
            length: 2,
        };
        let expected = [22, 0xFE, 0xFD, 0, 3, 1, 2, 3, 4, 5, 6, 0, 2];
        assert_eq!(header.to_bytes(), expected);
        let mut datagram = [&header.to_bytes()[..], &[1, 2, 9]].concat();
        let (parsed, fragment, rest) = Header::split(&mut datagram).unwrap();
        assert_eq!(
            (parsed, &fragment[..], &rest[..]),
            (header, &[1, 2][..], &[9][..])
        );
        for end in 0..15 {
            assert!(Header::split(&mut datagram[..end]).is_none());
        }
        datagram[1] = 3;
        assert!(Header::split(&mut datagram).is_none(), "TLS, not DTLS");
    }
}
