//! FORWARD TSN (RFC 3758 §3.2).

use super::{
    CHUNK_HEADER, ChunkKind, Reader, begin, end,
    reader::{Write, pairs},
};
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
        pairs(self.streams).map(|(stream, ssn)| (stream, Ssn(ssn)))
    }

    /// Appends the chunk.
    pub fn write(
        buf: &mut Vec<u8>,
        cumulative: Tsn,
        streams: impl Iterator<Item = (StreamId, Ssn)>,
    ) {
        let start = begin(buf, ChunkKind::FORWARD_TSN, 0);
        buf.put_u32(cumulative.0);
        for (stream, ssn) in streams {
            buf.put_u16(stream);
            buf.put_u16(ssn.0);
        }
        end(buf, start);
    }
}
