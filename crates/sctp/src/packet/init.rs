//! INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3).

use super::{ChunkKind, Parameters, Reader, begin, end, reader::Write};
use crate::Tsn;

/// What opens an association, or answers that.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Type = 1, 2  |  Chunk Flags  |      Chunk Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                         Initiate Tag                          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           Advertised Receiver Window Credit (a_rwnd)          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Number of Outbound Streams   |   Number of Inbound Streams   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                          Initial TSN                          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \              Optional/Variable-Length Parameters              /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The tag that packets to the sender shall carry.
    pub tag: u32,
    /// The sender's receive window in bytes.
    pub window: u32,
    /// On how many streams the sender wants to send.
    pub outbound: u16,
    /// On how many streams the sender can receive.
    pub inbound: u16,
    /// The number of the sender's first DATA chunk.
    pub initial_tsn: Tsn,
    /// The parameters as they stand.
    pub parameters: &'a [u8],
}

impl<'a> Init<'a> {
    /// Looks at the value of an INIT or INIT ACK chunk.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(value);
        Some(Self {
            tag: reader.u32()?,
            window: reader.u32()?,
            outbound: reader.u16()?,
            inbound: reader.u16()?,
            initial_tsn: Tsn(reader.u32()?),
            parameters: reader.rest(),
        })
    }

    /// Appends the chunk as an INIT or INIT ACK.
    pub fn write(&self, kind: ChunkKind, buf: &mut Vec<u8>) {
        let start = begin(buf, kind, 0);
        buf.put_u32(self.tag);
        buf.put_u32(self.window);
        buf.put_u16(self.outbound);
        buf.put_u16(self.inbound);
        buf.put_u32(self.initial_tsn.0);
        buf.extend_from_slice(self.parameters);
        end(buf, start);
    }

    /// Its parameters, one by one.
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters::parse(self.parameters)
    }
}
