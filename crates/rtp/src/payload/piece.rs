//! Pieces of frames, and what they tell.

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;

/// What a payload tells of its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Certainly the first of its frame. H.264, H.265 and AV1 cannot always tell.
    pub begins: bool,
    /// Certainly the last of its frame; the marker says the same for most.
    pub ends: bool,
    /// Belongs to a frame that needs none before it. For formats with many units in a frame, this unit says so.
    pub key: bool,
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// From this frame on the receiver may take this temporal layer in.
    pub switch: bool,
    /// No later frame needs this one.
    pub discardable: bool,
    /// The picture's number, 7 or 15 bits.
    pub picture: Option<u16>,
    /// Counts the frames of the lowest temporal layer.
    pub tl0: Option<u8>,
    /// The frame's number in the dependency descriptor, if it came with one.
    pub frame: Option<u16>,
    /// Width and height, on key frames.
    pub size: Option<(u16, u16)>,
}

/// Up to 15 bytes that stand before the piece of a frame in a payload.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; 15],
    len: u8,
}

/// One payload, cut from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What stands before.
    pub prefix: Prefix,
    /// A slice of the frame, or of what was aggregated from it.
    pub payload: Bytes,
    /// What the payload tells.
    pub facts: Facts,
    /// The marker of the RTP header.
    pub marker: bool,
}

/// Why a frame was not cut, or payloads were not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing in it.
    #[error("the frame is empty")]
    Empty,
    /// It is larger than the limit, [`MOST_FRAME`] by default, or a unit that may not be cut does not fit.
    #[error("the frame is too large")]
    TooLarge,
    /// It is not what its codec defines.
    #[error("the frame is not of its codec")]
    Malformed,
}

/// A frame that payloads make, within a limit.
pub(super) struct Joined<'f> {
    frame: &'f mut Vec<u8>,
    start: usize,
    most: usize,
}

impl Prefix {
    /// These bytes, of which more than 15 are cut.
    pub fn new(bytes: &[u8]) -> Self {
        let mut prefix = Self::default();
        bytes.iter().for_each(|byte| prefix.push(*byte));
        prefix
    }

    pub(super) fn push_u16(&mut self, number: u16) {
        let mut bytes = [0; 2];
        BigEndian::write_u16(&mut bytes, number);
        bytes.into_iter().for_each(|byte| self.push(byte));
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = byte;
            self.len += 1;
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x?}", self.as_bytes())
    }
}

impl Piece {
    /// How long the payload is on the wire.
    pub fn len(&self) -> usize {
        usize::from(self.prefix.len) + self.payload.len()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload as it goes on the wire.
    pub fn to_vec(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), &self.payload].concat()
    }
}

impl<'f> Joined<'f> {
    /// Behind what is there, at most so many bytes.
    pub(super) fn new(frame: &'f mut Vec<u8>, most: usize) -> Self {
        let start = frame.len();
        Self { frame, start, most }
    }

    /// How long the frame is so far.
    pub(super) fn len(&self) -> usize {
        self.frame.len() - self.start
    }

    /// Appends a part of the frame.
    pub(super) fn append(&mut self, part: &[u8]) -> Result<(), Refused> {
        self.check(self.len() + part.len())?;
        self.frame.extend_from_slice(part);
        Ok(())
    }

    /// Whether a frame, or a unit of it, may be so long.
    pub(super) fn check(&self, len: usize) -> Result<(), Refused> {
        if len > self.most {
            return Err(Refused::TooLarge);
        }
        Ok(())
    }
}

/// Into how many pieces of at most `most` bytes `len` bytes are cut, and how long each is but the last: all are equally
/// long, so that they leave as one batch.
pub(super) fn even(len: usize, most: usize) -> (usize, usize) {
    let count = len.div_ceil(most.max(1)).max(1);
    (count, len.div_ceil(count).max(1))
}

/// The largest frame that is cut or joined, as long as nothing else was set: 4 MiB.
pub const MOST_FRAME: usize = 4 << 20;
