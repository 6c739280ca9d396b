//! SACK (RFC 9260 §3.3.4).

use byteorder::{BigEndian, ByteOrder};

use super::{
    CHUNK_HEADER, ChunkKind, Reader, begin, end,
    reader::{Write, pairs},
};
use crate::Tsn;

/// What has been received.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 3    |  Chunk Flags  |         Chunk Length          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      Cumulative TSN Ack                       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Advertised Receiver Window Credit (a_rwnd)           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                              ...                              /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                        Duplicate TSN 1                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                              ...                              /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sack<'a> {
    /// The last TSN before the first gap.
    pub cumulative: Tsn,
    /// The receive window that is left, in bytes.
    pub window: u32,
    gaps: &'a [u8],
    duplicates: &'a [u8],
}

/// A SACK that is kept while it waits.
#[derive(Debug)]
pub(crate) struct KeptSack {
    cumulative: Tsn,
    window: u32,
    gaps: Vec<u8>,
    duplicates: Vec<u8>,
}

impl KeptSack {
    /// How many bytes of it are kept.
    pub(crate) fn len(&self) -> usize {
        self.gaps.len() + self.duplicates.len()
    }

    pub(crate) fn get(&self) -> Sack<'_> {
        Sack {
            cumulative: self.cumulative,
            window: self.window,
            gaps: &self.gaps,
            duplicates: &self.duplicates,
        }
    }
}

impl<'a> Sack<'a> {
    /// The length of a SACK without gaps or duplicates.
    pub const LEN: usize = CHUNK_HEADER + 12;

    /// Looks at the value of a SACK chunk.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let (cumulative, window) = (Tsn(reader.u32()?), reader.u32()?);
        let (gaps, duplicates) = (reader.u16()?, reader.u16()?);
        Some(Self {
            cumulative,
            window,
            gaps: reader.bytes(usize::from(gaps) * 4)?,
            duplicates: reader.bytes(usize::from(duplicates) * 4)?,
        })
    }

    /// What a SHUTDOWN says: a cumulative TSN alone.
    pub(crate) fn without_gaps(cumulative: Tsn, window: u32) -> Self {
        Self {
            cumulative,
            window,
            gaps: &[],
            duplicates: &[],
        }
    }

    /// It with so many of the duplicates at most.
    pub(crate) fn keep(&self, duplicates: usize) -> KeptSack {
        let length = self.duplicates.len().min(duplicates * 4);
        let duplicates = self.duplicates.get(..length).unwrap_or_default();
        KeptSack {
            cumulative: self.cumulative,
            window: self.window,
            gaps: self.gaps.to_vec(),
            duplicates: duplicates.to_vec(),
        }
    }

    /// The blocks received beyond the first gap: first and last, as distances from the cumulative TSN.
    pub fn gaps(&self) -> impl Iterator<Item = (u16, u16)> + Clone + use<'a> {
        pairs(self.gaps)
    }

    /// The TSNs received more than once.
    pub fn duplicates(&self) -> impl Iterator<Item = Tsn> + Clone + use<'a> {
        let (tsns, _) = self.duplicates.as_chunks::<4>();
        tsns.iter().map(|tsn| Tsn(BigEndian::read_u32(tsn)))
    }

    /// Appends a SACK chunk of at most `room` bytes; gaps go before duplicates, and what does not fit is left out.
    pub fn write(
        buf: &mut Vec<u8>,
        room: usize,
        (cumulative, window): (Tsn, u32),
        gaps: impl Iterator<Item = (u16, u16)>,
        duplicates: impl Iterator<Item = Tsn>,
    ) {
        let start = begin(buf, ChunkKind::SACK, 0);
        buf.put_u32(cumulative.0);
        buf.put_u32(window);
        buf.extend_from_slice(&[0; 4]);
        let mut left = (room.min(MAX_LEN) / 4).saturating_sub(Self::LEN / 4);
        let mut counts = [0u16; 2];
        for (first, last) in gaps.take(left) {
            buf.put_u16(first);
            buf.put_u16(last);
            counts[0] += 1;
        }
        left -= usize::from(counts[0]);
        for tsn in duplicates.take(left) {
            buf.put_u32(tsn.0);
            counts[1] += 1;
        }
        if let Some(field) = buf.get_mut(start + 12..start + 16) {
            BigEndian::write_u16_into(&counts, field);
        }
        end(buf, start);
    }
}

/// A chunk's length is a `u16`.
const MAX_LEN: usize = 65_532;
