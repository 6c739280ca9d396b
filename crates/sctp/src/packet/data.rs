//! DATA (RFC 9260 §3.3.1).

use super::{CHUNK_HEADER, Chunk, ChunkKind, Reader, reader::Fields};
use crate::{Ssn, StreamId, Tsn};

/// A piece of a user message.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 0    |  Res  |I|U|B|E|            Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                              TSN                              |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |      Stream Identifier S      |   Stream Sequence Number n    |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                  Payload Protocol Identifier                  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                 User Data (seq n of Stream S)                 /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// I, U, B and E.
    pub flags: u8,
    /// Its transmission sequence number.
    pub tsn: Tsn,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// The message's number in its stream; without meaning when unordered.
    pub ssn: Ssn,
    /// What the upper layer says the message is.
    pub ppid: u32,
    /// The piece itself.
    pub payload: &'a [u8],
}

impl<'a> Data<'a> {
    /// E: the last piece.
    pub const END: u8 = 1;
    /// B: the first piece.
    pub const BEGIN: u8 = 2;
    /// U: delivered without regard to order.
    pub const UNORDERED: u8 = 4;
    /// I: to be acknowledged at once (RFC 7053).
    pub const IMMEDIATE: u8 = 8;
    /// The bytes before the payload.
    pub const HEADER: usize = LENGTH;

    /// Looks at a DATA chunk. An empty payload is for the caller to refuse: it has an error cause of its own.
    pub fn parse(chunk: Chunk<'a>) -> Option<Self> {
        let (header, payload) = chunk.value.split_first_chunk::<FIELDS>()?;
        let mut reader = Reader(header);
        Some(Self {
            flags: chunk.flags & 0xf,
            tsn: Tsn(reader.u32()?),
            stream: reader.u16()?,
            ssn: Ssn(reader.u16()?),
            ppid: reader.u32()?,
            payload,
        })
    }

    /// Appends the chunk.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let length = Self::HEADER + self.payload.len();
        Fields::<LENGTH>::new()
            .u8(ChunkKind::DATA.0)
            .u8(self.flags)
            .u16(u16::try_from(length).unwrap_or(u16::MAX))
            .u32(self.tsn.0)
            .u16(self.stream)
            .u16(self.ssn.0)
            .u32(self.ppid)
            .write(buf, self.payload);
    }

    /// Whether one of these flags is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it is a message by itself.
    pub fn is_whole(&self) -> bool {
        self.has(Self::BEGIN) && self.has(Self::END)
    }

    /// How many bytes a piece of `payload` bytes takes in a packet.
    pub fn padded_len(payload: usize) -> usize {
        (Self::HEADER + payload).next_multiple_of(4)
    }
}

const FIELDS: usize = 12;
const LENGTH: usize = CHUNK_HEADER + FIELDS;
