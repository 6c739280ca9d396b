//! I-FORWARD-TSN (RFC 8260 §2.3.1).

use super::{ChunkKind, Reader, begin, end, reader::Write};
use crate::{Mid, StreamId, Tsn};

/// What the sender has given up, where messages are interleaved.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 194  |  Flags = 0x00 |       Length = Variable       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      New Cumulative TSN                       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |       Stream Identifier       |          Reserved           |U|
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                       Message Identifier                      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                              ...                              /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IForwardTsn<'a> {
    /// The TSN to take as the last received in order.
    pub cumulative: Tsn,
    messages: &'a [u8],
}

impl<'a> IForwardTsn<'a> {
    /// Looks at the value of an I-FORWARD-TSN chunk.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let cumulative = Tsn(reader.u32()?);
        let messages = reader.rest();
        messages.len().is_multiple_of(8).then_some(Self {
            cumulative,
            messages,
        })
    }

    /// Stream, whether unordered, and the last message of it that was given up.
    pub fn messages(&self) -> impl Iterator<Item = (StreamId, bool, Mid)> + use<'a> {
        let (entries, _) = self.messages.as_chunks::<8>();
        entries.iter().filter_map(|entry| {
            let mut reader = Reader(entry);
            let (stream, flags) = (reader.u16()?, reader.u16()?);
            Some((stream, flags & 1 != 0, Mid(reader.u32()?)))
        })
    }

    /// Appends the chunk.
    pub fn write(
        buf: &mut Vec<u8>,
        cumulative: Tsn,
        messages: impl Iterator<Item = (StreamId, bool, Mid)>,
    ) {
        let start = begin(buf, ChunkKind::I_FORWARD_TSN, 0);
        buf.put_u32(cumulative.0);
        for (stream, unordered, mid) in messages {
            buf.put_u16(stream);
            buf.put_u16(u16::from(unordered));
            buf.put_u32(mid.0);
        }
        end(buf, start);
    }
}
