//! Payload formats: frames cut into payloads, and payloads joined into frames.
//!
//! [`Packetizer`] cuts a frame of an encoder. [`Codec::peek`] tells from one payload what a receiver or forwarder needs
//! to know, and [`Codec::join`] makes a frame of payloads that follow each other without a gap.

mod audio;
pub mod av1;
pub mod h264;
pub mod h265;
mod nal;
pub mod opus;
mod packetizer;
pub mod telephone;
pub mod vp8;
pub mod vp9;

use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;

pub use self::packetizer::{Layering, Packetizer};

/// A codec, as RTP carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 (RFC 3551 §4.5.2); its clock says 8000, though it samples at 16000.
    G722,
    /// Linear samples of 16 bits, the higher byte first (RFC 3551 §4.5.11).
    L16,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Tones and events (RFC 4733).
    TelephoneEvent,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// AV1 (RTP payload format for AV1, version 1.0).
    Av1,
    /// H.264 (RFC 6184), packetization modes 0 and 1.
    H264,
    /// H.265 (RFC 7798), without decoding order numbers.
    H265,
}

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
    /// It is larger than [`MOST_FRAME`], or a unit that may not be cut does not fit.
    #[error("the frame is too large")]
    TooLarge,
    /// It is not what its codec defines.
    #[error("the frame is not of its codec")]
    Malformed,
}

impl Codec {
    /// True for audio, whose every packet stands alone.
    pub const fn is_audio(self) -> bool {
        matches!(
            self,
            Self::Opus
                | Self::Pcmu
                | Self::Pcma
                | Self::G722
                | Self::L16
                | Self::ComfortNoise
                | Self::TelephoneEvent
        )
    }

    /// True if each payload says whether it is the first of its frame.
    pub const fn tells_beginning(self) -> bool {
        !matches!(self, Self::Av1 | Self::H264 | Self::H265)
    }

    /// What a payload tells; `None` if it is not one of the format.
    pub fn peek(self, payload: &[u8]) -> Option<Facts> {
        match self {
            Self::Vp8 => vp8::peek(payload),
            Self::Vp9 => vp9::peek(payload),
            Self::Av1 => av1::peek(payload),
            Self::H264 => h264::peek(payload),
            Self::H265 => h265::peek(payload),
            _ => audio::peek(self, payload),
        }
    }

    /// How many samples a payload has at the clock of its timestamps, and how long it plays; `None` for what is no audio, or does
    /// not tell.
    #[must_use]
    pub fn plays(self, payload: &[u8]) -> Option<(u64, Duration)> {
        let samples = match self {
            Self::Opus => {
                let plays = opus::duration(payload)?;
                return Some((plays.as_micros() as u64 * 48 / 1000, plays));
            }
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len() as u64,
            _ => return None,
        };
        Some((samples, Duration::from_micros(samples * 125)))
    }

    /// Appends the frame that these payloads make, which follow each other, the first of the frame first.
    ///
    /// # Errors
    /// [`Refused`] if they make none; `frame` then holds rubbish behind its old end.
    pub fn join<'a>(
        self,
        payloads: impl Iterator<Item = &'a [u8]>,
        frame: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let start = frame.len();
        match self {
            Self::Vp8 => vp8::join(payloads, frame)?,
            Self::Vp9 => vp9::join(payloads, frame)?,
            Self::Av1 => av1::join(payloads, frame)?,
            Self::H264 => h264::join(payloads, frame)?,
            Self::H265 => h265::join(payloads, frame)?,
            _ => audio::join(self, payloads, frame)?,
        }
        if frame.len() == start {
            return Err(Refused::Empty);
        }
        Ok(())
    }
}

impl Prefix {
    /// These bytes, of which more than 15 are cut.
    pub fn new(bytes: &[u8]) -> Self {
        let mut prefix = Self::default();
        bytes.iter().for_each(|byte| prefix.push(*byte));
        prefix
    }

    fn push_u16(&mut self, number: u16) {
        let mut bytes = [0; 2];
        BigEndian::write_u16(&mut bytes, number);
        bytes.into_iter().for_each(|byte| self.push(byte));
    }

    fn push(&mut self, byte: u8) {
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

/// Appends a part of a frame, within [`MOST_FRAME`].
fn append(frame: &mut Vec<u8>, part: &[u8]) -> Result<(), Refused> {
    if frame.len() + part.len() > MOST_FRAME {
        return Err(Refused::TooLarge);
    }
    frame.extend_from_slice(part);
    Ok(())
}

/// Into how many pieces of at most `most` bytes `len` bytes are cut, and how long each is but the last: all are equally
/// long, so that they leave as one batch.
fn even(len: usize, most: usize) -> (usize, usize) {
    let count = len.div_ceil(most.max(1)).max(1);
    (count, len.div_ceil(count).max(1))
}

/// The largest frame that is cut or joined: 4 MiB.
pub const MOST_FRAME: usize = 4 << 20;

#[cfg(test)]
mod tests;
