//! As much of a packet's header as its protection needs.

use byteorder::{BigEndian, ByteOrder};

/// Where the parts of an RTP packet lie (RFC 3550 §5.1).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// |                           timestamp                           |
/// |           synchronization source (SSRC) identifier            |
/// |            contributing source (CSRC) identifiers             |
/// |      defined by profile       |    length of the extension    |
/// |                        header extension                       |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Where the contributing sources end and the extension begins.
    pub(crate) sources_end: usize,
    /// What the extension's first 16 bits say, if there is one.
    pub(crate) extension: Option<u16>,
    /// Where the payload begins.
    pub(crate) len: usize,
}

impl Header {
    /// The length of a header without sources and extension.
    pub(crate) const FIXED: usize = 12;
    /// The length of what introduces the extension.
    pub(crate) const EXTENSION: usize = 4;

    /// `None` if the packet is not whole as far as its payload, or not of version 2.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_at_checked(Self::FIXED)?;
        let &[first, _, ..] = fixed else { return None };
        if first >> 6 != 2 {
            return None;
        }
        let sources = usize::from(first & 15) * 4;
        let extension = rest.get(sources..)?;
        let (extension, words) = if first & 0x10 == 0 {
            (None, 0)
        } else {
            let intro = extension.get(..Self::EXTENSION)?;
            let words = Self::EXTENSION + 4 * usize::from(BigEndian::read_u16(intro.get(2..)?));
            (Some(BigEndian::read_u16(intro)), words)
        };
        let sources_end = Self::FIXED + sources;
        let len = sources_end + words;
        (packet.len() >= len).then_some(Self {
            ssrc: BigEndian::read_u32(fixed.get(8..)?),
            sequence: BigEndian::read_u16(fixed.get(2..)?),
            sources_end,
            extension,
            len,
        })
    }
}

/// The SSRC of an RTCP packet's sender: the first packet of a compound names it (RFC 3711 §3.4). `None` if the packet is
/// not whole as far as that, or not of version 2.
pub(crate) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let head = packet.get(..RTCP_HEADER)?;
    (head.first()? >> 6 == 2).then(|| head.get(4..).map(BigEndian::read_u32))?
}

/// How much of an RTCP packet is not encrypted.
pub(crate) const RTCP_HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_whole() {
        let packet = [
            0x92, 0x60, 0x12, 0x34, 0, 0, 0, 9, 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1, 0, 0, 0, 2,
            0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 0xaa,
        ];
        let header = Header {
            ssrc: 0xcafe_babe,
            sequence: 0x1234,
            sources_end: 20,
            extension: Some(0xbede),
            len: 28,
        };
        assert_eq!(Header::parse(&packet), Some(header));
        for len in 0..28 {
            assert_eq!(Header::parse(&packet[..len]), None, "{len}");
        }
        assert_eq!(Header::parse(&packet[..28]), Some(header));
        let mut other = packet;
        other[0] = 0x52;
        assert_eq!(Header::parse(&other), None, "version 1");
        assert_eq!(rtcp_ssrc(&[0x80, 200, 0, 0, 1, 2, 3, 4]), Some(0x0102_0304));
        assert_eq!(rtcp_ssrc(&[0x80, 200, 0, 0, 1, 2, 3]), None);
        assert_eq!(rtcp_ssrc(&[0x40, 200, 0, 0, 1, 2, 3, 4]), None);
    }
}
