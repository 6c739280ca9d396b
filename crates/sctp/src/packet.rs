//! The wire: packets, chunks, parameters and error causes (RFC 9260 §3).
//!
//! Each `parse` takes a chunk's value or a whole packet, checks every length and copies nothing; each `write` appends.

mod abort;
mod cause;
mod data;
mod forward_tsn;
mod i_data;
mod i_forward_tsn;
mod init;
mod parameter;
mod reader;
mod reconfig;
mod sack;

use byteorder::{BigEndian, ByteOrder, LittleEndian};

pub use abort::Abort;
pub use cause::{Cause, CauseCode, Causes};
pub use data::Data;
pub use forward_tsn::ForwardTsn;
pub use i_data::IData;
pub use i_forward_tsn::IForwardTsn;
pub use init::Init;
pub use parameter::{Parameter, ParameterKind, Parameters};
pub use reconfig::{Reconfig, Request, ResetResult};
pub(crate) use sack::KeptSack;
pub use sack::Sack;

pub(crate) use reader::{Reader, Write};
pub(crate) use reconfig::stream_list;

/// A packet: the common header, and chunks that are looked at one by one.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |       Source Port Number      |    Destination Port Number    |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                       Verification Tag                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                           Checksum                            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// The verification tag.
    pub tag: u32,
    chunks: &'a [u8],
}

/// A chunk whose length has been checked, its value not.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Chunk Type   |  Chunk Flags  |         Chunk Length          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                          Chunk Value                          /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What it is.
    pub kind: ChunkKind,
    /// Its flags, whose meaning depends on the type.
    pub flags: u8,
    /// What stands after its header, without padding.
    pub value: &'a [u8],
}

/// The chunks of a packet. It ends at the first chunk whose length cannot be right.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    broken: bool,
}

/// A chunk type (RFC 9260 §3.2, with RFC 3758, 4820, 6525 and 8260).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkKind(pub u8);

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Shorter than a header and one chunk.
    #[error("the packet is too short")]
    TooShort,
    /// The CRC-32c is not that of the bytes.
    #[error("the checksum is wrong")]
    Checksum,
}

impl<'a> Packet<'a> {
    /// Looks at `bytes` and verifies the checksum.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (packet, checksum) = Self::read(bytes)?;
        packet.verify(bytes, checksum)?;
        Ok(packet)
    }

    /// Looks at `bytes` where the lower layer finds errors itself: a checksum of 0 is none, but not in a packet that
    /// opens an association (RFC 9653 §5.3).
    pub fn parse_unsummed(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (packet, checksum) = Self::read(bytes)?;
        let opens =
            |chunk: Chunk<'_>| matches!(chunk.kind, ChunkKind::INIT | ChunkKind::COOKIE_ECHO);
        // RFC 9260 §3.3.2, §5.1: elsewhere than first neither opens anything.
        if checksum != 0 || packet.chunks().next().is_some_and(opens) {
            packet.verify(bytes, checksum)?;
        }
        Ok(packet)
    }

    fn verify(&self, bytes: &[u8], checksum: u32) -> Result<(), ParseError> {
        let (head, _) = bytes.split_at_checked(8).ok_or(ParseError::TooShort)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(head), &[0; 4]);
        if crc32c::crc32c_append(crc, self.chunks) != checksum {
            return Err(ParseError::Checksum);
        }
        Ok(())
    }

    fn read(bytes: &'a [u8]) -> Result<(Self, u32), ParseError> {
        let mut reader = Reader(bytes);
        let mut header = || {
            let (source, destination) = (reader.u16()?, reader.u16()?);
            // RFC 9260 Appendix A: the checksum comes with its least significant byte first.
            Some((source, destination, reader.u32()?, reader.u32_little()?))
        };
        let (source, destination, tag, checksum) = header().ok_or(ParseError::TooShort)?;
        if reader.0.len() < 4 {
            return Err(ParseError::TooShort);
        }
        let packet = Self {
            source,
            destination,
            tag,
            chunks: reader.0,
        };
        Ok((packet, checksum))
    }

    /// Its chunks.
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks {
            rest: self.chunks,
            broken: false,
        }
    }

    /// Appends a common header with no checksum yet; [`finish`](Self::finish) fills it in.
    pub fn start(buf: &mut Vec<u8>, source: u16, destination: u16, tag: u32) {
        buf.put_u16(source);
        buf.put_u16(destination);
        buf.put_u32(tag);
        buf.put_u32(0);
    }

    /// Writes the checksum of the packet that begins at `start`.
    pub fn finish(buf: &mut [u8], start: usize) {
        let Some(packet) = buf.get_mut(start..) else {
            return;
        };
        if let Some(field) = packet.get_mut(8..HEADER) {
            field.fill(0);
        }
        let crc = crc32c::crc32c(packet);
        if let Some(field) = packet.get_mut(8..HEADER) {
            LittleEndian::write_u32(field, crc);
        }
    }
}

impl<'a> Chunk<'a> {
    /// Looks at one chunk that stands alone, outside a packet.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut chunks = Chunks {
            rest: bytes,
            broken: false,
        };
        let chunk = chunks.next()?;
        chunks.rest.is_empty().then_some(chunk)
    }

    /// Appends a chunk with this value, padded to a multiple of four.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let start = begin(buf, self.kind, self.flags);
        buf.extend_from_slice(self.value);
        end(buf, start);
    }

    /// How many bytes [`write`](Self::write) appends.
    pub fn padded_len(&self) -> usize {
        (CHUNK_HEADER + self.value.len()).next_multiple_of(4)
    }
}

impl Chunks<'_> {
    /// Whether the iterator ended at a chunk whose length was wrong.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        if self.rest.is_empty() || self.broken {
            return None;
        }
        let bytes = self.rest;
        let parse = || {
            let &[kind, flags, high, low] = bytes.first_chunk::<CHUNK_HEADER>()?;
            let length = usize::from(BigEndian::read_u16(&[high, low]));
            let chunk = Chunk {
                kind: ChunkKind(kind),
                flags,
                // A length below the header's own would never move on, and is no range.
                value: bytes.get(CHUNK_HEADER..length)?,
            };
            Some((chunk, length))
        };
        let Some((chunk, length)) = parse() else {
            self.broken = true;
            return None;
        };
        // RFC 9260 §3.2: padding is not counted; the last chunk's may be missing.
        let padded = length.next_multiple_of(4);
        self.rest = bytes.get(padded..).unwrap_or_default();
        Some(chunk)
    }
}

impl ChunkKind {
    /// DATA.
    pub const DATA: Self = Self(0);
    /// INIT.
    pub const INIT: Self = Self(1);
    /// INIT ACK.
    pub const INIT_ACK: Self = Self(2);
    /// SACK.
    pub const SACK: Self = Self(3);
    /// HEARTBEAT.
    pub const HEARTBEAT: Self = Self(4);
    /// HEARTBEAT ACK.
    pub const HEARTBEAT_ACK: Self = Self(5);
    /// ABORT.
    pub const ABORT: Self = Self(6);
    /// SHUTDOWN.
    pub const SHUTDOWN: Self = Self(7);
    /// SHUTDOWN ACK.
    pub const SHUTDOWN_ACK: Self = Self(8);
    /// ERROR.
    pub const ERROR: Self = Self(9);
    /// COOKIE ECHO.
    pub const COOKIE_ECHO: Self = Self(10);
    /// COOKIE ACK.
    pub const COOKIE_ACK: Self = Self(11);
    /// SHUTDOWN COMPLETE.
    pub const SHUTDOWN_COMPLETE: Self = Self(14);
    /// I-DATA (RFC 8260).
    pub const I_DATA: Self = Self(64);
    /// RE-CONFIG (RFC 6525).
    pub const RECONFIG: Self = Self(130);
    /// PAD (RFC 4820).
    pub const PAD: Self = Self(132);
    /// FORWARD TSN (RFC 3758).
    pub const FORWARD_TSN: Self = Self(192);
    /// I-FORWARD-TSN (RFC 8260).
    pub const I_FORWARD_TSN: Self = Self(194);

    /// RFC 9260 §3.2: whether what follows an unknown chunk of this type is still processed.
    pub fn skip_if_unknown(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// RFC 9260 §3.2: whether an unknown chunk of this type is reported.
    pub fn report_if_unknown(self) -> bool {
        self.0 & 0x40 != 0
    }
}

/// Appends a chunk's header with no length yet and says where it began.
pub(crate) fn begin(buf: &mut Vec<u8>, kind: ChunkKind, flags: u8) -> usize {
    let start = buf.len();
    buf.extend_from_slice(&[kind.0, flags, 0, 0]);
    start
}

/// Fills in the length of the chunk or parameter that began at `start`, and pads.
pub(crate) fn end(buf: &mut Vec<u8>, start: usize) {
    let length = buf.len().saturating_sub(start);
    if let Some(slot) = buf.get_mut(start + 2..start + 4) {
        BigEndian::write_u16(slot, u16::try_from(length).unwrap_or(u16::MAX));
    }
    buf.resize(buf.len() + length.next_multiple_of(4) - length, 0);
}

/// The length of the common header.
pub(crate) const HEADER: usize = 12;
/// The length of a chunk's header.
pub(crate) const CHUNK_HEADER: usize = 4;

#[cfg(test)]
mod tests;
