//! I-DATA (RFC 8260 §2.1).

use super::{CHUNK_HEADER, Chunk, ChunkKind, Reader, reader::Fields};
use crate::{Mid, StreamId, Tsn};

/// A piece of a user message between which pieces of others may stand.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                              TSN                              |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Stream Identifier      |           Reserved            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      Message Identifier                       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |    Payload Protocol Identifier / Fragment Sequence Number     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                           User Data                           /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IData<'a> {
    /// I, U, B and E, as in [`Data`](super::Data).
    pub flags: u8,
    /// Its transmission sequence number.
    pub tsn: Tsn,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The message's number among the ordered or the unordered ones of its stream.
    pub mid: Mid,
    /// In the first piece what the upper layer says the message is; in others the piece's number in its message.
    pub ppid_or_fsn: u32,
    /// The piece itself.
    pub payload: &'a [u8],
}

impl<'a> IData<'a> {
    /// The bytes before the payload.
    pub const HEADER: usize = LENGTH;

    /// Looks at an I-DATA chunk. An empty payload is for the caller to refuse.
    pub fn parse(chunk: Chunk<'a>) -> Option<Self> {
        let mut reader = Reader(chunk.value);
        let (tsn, stream) = (Tsn(reader.u32()?), reader.u16()?);
        reader.u16()?;
        Some(Self {
            flags: chunk.flags & 0xf,
            tsn,
            stream,
            mid: Mid(reader.u32()?),
            ppid_or_fsn: reader.u32()?,
            payload: reader.rest(),
        })
    }

    /// Appends the chunk.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let length = Self::HEADER + self.payload.len();
        Fields::<LENGTH>::new()
            .u8(ChunkKind::I_DATA.0)
            .u8(self.flags)
            .u16(u16::try_from(length).unwrap_or(u16::MAX))
            .u32(self.tsn.0)
            .u16(self.stream)
            .u16(0)
            .u32(self.mid.0)
            .u32(self.ppid_or_fsn)
            .write(buf, self.payload);
    }
}

const LENGTH: usize = CHUNK_HEADER + 16;
