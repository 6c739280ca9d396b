//! FORWARD TSN (RFC 3758 §3.2).

use super::{CHUNK_HEADER, ChunkKind, Reader, begin, end};
use crate::{Ssn, StreamId, Tsn};

/// What the sender has given up.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 192  |  Flags = 0x00 |        Length = Variable      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      New Cumulative TSN                       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |         Stream-1              |       Stream Sequence-1       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                              ...                              /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardTsn<'a> {
    /// The TSN to take as the last received in order.
    pub cumulative: Tsn,
    streams: &'a [u8],
}

impl<'a> ForwardTsn<'a> {
    /// The length without streams.
    pub(crate) const LEN: usize = CHUNK_HEADER + 4;

    /// Looks at the value of a FORWARD TSN chunk.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let cumulative = Tsn(reader.u32()?);
        let streams = reader.rest();
        (streams.len() % 4 == 0).then_some(Self {
            cumulative,
            streams,
        })
    }

    /// The ordered streams concerned, each with the last number that was given up.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, Ssn)> + use<'a> {
        let (pairs, _) = self.streams.as_chunks::<4>();
        let pair =
            |&[a, b, c, d]: &[u8; 4]| (u16::from_be_bytes([a, b]), Ssn(u16::from_be_bytes([c, d])));
        pairs.iter().map(pair)
    }

    /// Appends the chunk.
    pub fn write(
        buf: &mut Vec<u8>,
        cumulative: Tsn,
        streams: impl Iterator<Item = (StreamId, Ssn)>,
    ) {
        let start = begin(buf, ChunkKind::FORWARD_TSN, 0);
        buf.extend_from_slice(&cumulative.0.to_be_bytes());
        for (stream, ssn) in streams {
            buf.extend_from_slice(&stream.to_be_bytes());
            buf.extend_from_slice(&ssn.0.to_be_bytes());
        }
        end(buf, start);
    }
}
