//! What each codec's format tells of a payload, and makes of several.

use std::time::Duration;

use super::{
    audio, av1,
    codec::Codec,
    h264, h265, opus,
    piece::{Facts, Joined, MOST_FRAME, Refused},
    vp8, vp9,
};

impl Codec {
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
    /// [`Refused`] if they make none, or one of more than [`MOST_FRAME`] bytes; `frame` then holds rubbish behind its old end.
    pub fn join<'a>(
        self,
        payloads: impl Iterator<Item = &'a [u8]>,
        frame: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        self.join_within(MOST_FRAME, payloads, frame)
    }

    /// As [`join`](Self::join), with another limit in bytes.
    ///
    /// # Errors
    /// [`Refused`] if they make no frame, or a longer one; `frame` then holds rubbish behind its old end.
    pub fn join_within<'a>(
        self,
        most: usize,
        payloads: impl Iterator<Item = &'a [u8]>,
        frame: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let frame = &mut Joined::new(frame, most);
        match self {
            Self::Vp8 => vp8::join(payloads, frame)?,
            Self::Vp9 => vp9::join(payloads, frame)?,
            Self::Av1 => av1::join(payloads, frame)?,
            Self::H264 => h264::join(payloads, frame)?,
            Self::H265 => h265::join(payloads, frame)?,
            _ => audio::join(self, payloads, frame)?,
        }
        if frame.len() == 0 {
            return Err(Refused::Empty);
        }
        Ok(())
    }
}
