//! IVF: a header of 32 bytes, and before each frame its length and its time.
//!
//! ```text
//! "DKIF" | version | header length | FourCC | width | height | rate | scale | frames | unused
//!   4         2           2            4        2       2       4       4        4        4
//! ```

use std::{
    io::{Read, Seek, SeekFrom, Write},
    time::Duration,
};

use crate::{
    Codec, Error, Frame,
    input::{Append as _, Fields, Input, LONGEST},
};

/// Reads VP8, VP9 or AV1 from IVF.
#[derive(Debug)]
pub struct IvfReader<R> {
    input: Input<R>,
    codec: Codec,
    size: (u16, u16),
    /// Ticks a second, as a fraction.
    rate: u32,
    scale: u32,
    /// What the header says of the whole.
    told: u32,
    /// How many frames have come, and in ticks when the first and the last are shown and the longest time between two.
    frames: u32,
    first: u64,
    last: u64,
    longest: u64,
}

/// Writes VP8, VP9 or AV1 to IVF.
#[derive(Debug)]
pub struct IvfWriter<W> {
    output: W,
    codec: Codec,
    frames: u32,
    last: Option<u64>,
}

impl<R: Read> IvfReader<R> {
    pub(crate) fn begin(mut input: Input<R>) -> Result<Self, Error> {
        let at = input.at();
        let malformed = |what| Error::Malformed { at, what };
        let header = input.need(HEADER, "the header")?;
        let mut fields = Fields(&header);
        let name = fields.take(4);
        if name != Some(MAGIC) {
            return Err(malformed("no header of IVF"));
        }
        let (_version, len) = (fields.u16(), fields.u16());
        let codec = match fields.take(4) {
            Some(b"VP80") => Codec::Vp8,
            Some(b"VP90") => Codec::Vp9,
            Some(b"AV01") => Codec::Av1,
            _ => return Err(malformed("a codec other than VP8, VP9 and AV1")),
        };
        let size = fields.u16().zip(fields.u16());
        let clock = fields.u32().zip(fields.u32());
        let (Some(len), Some(size), Some((rate, scale))) = (len, size, clock) else {
            return Err(malformed("no header of IVF"));
        };
        if rate == 0 || scale == 0 {
            return Err(malformed("a clock that stands still"));
        }
        let told = fields.u32().unwrap_or(0);
        let more = usize::from(len).saturating_sub(HEADER);
        input.need(more, "the header")?;
        Ok(Self {
            input,
            codec,
            size,
            rate,
            scale,
            told,
            frames: 0,
            first: 0,
            last: 0,
            longest: 0,
        })
    }

    /// What is in it.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Width and height, as the header has them.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    ///
    /// The system refuses, the file ends in the middle of a frame or before the frames do that its header counts, a frame is longer
    /// than 4 MiB, or it is of another codec.
    pub fn read(&mut self) -> Result<Option<Frame>, Error> {
        let at = self.input.at();
        let Some(header) = self.input.take(FRAME_HEADER, "a frame's header")? else {
            let what = "the frames that its header counts";
            let whole = self.is_whole();
            return whole.then_some(None).ok_or(Error::Cut { at, what });
        };
        let mut fields = Fields(&header);
        let (len, ticks) = (fields.u32(), fields.u64().unwrap_or(0));
        let len = len.map_or(0, |len| len as usize);
        if len > LONGEST {
            let what = "a frame of more than 4 MiB";
            return Err(Error::Malformed { at, what });
        }
        let payload = self.input.need(len, "a frame")?;
        if !is_of(self.codec, &payload) {
            let what = match self.codec {
                Codec::Vp8 => "a frame that is none of VP8, as all of the file are to be",
                Codec::Vp9 => "a frame that is none of VP9, as all of the file are to be",
                _ => "a frame that is none of AV1, as all of the file are to be",
            };
            return Err(Error::Malformed { at, what });
        }
        self.count(ticks);
        let time =
            u128::from(ticks) * u128::from(self.scale) * 1_000_000_000 / u128::from(self.rate);
        let time = Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX));
        Ok(Some(Frame { payload, time }))
    }

    fn count(&mut self, ticks: u64) {
        if self.frames == 0 {
            self.first = ticks;
        } else {
            self.longest = self.longest.max(ticks.saturating_sub(self.last));
        }
        self.last = ticks;
        self.frames = self.frames.saturating_add(1);
    }

    /// Whether as much has come as the header says, which is the number of frames, or, by ffmpeg, the ticks that all of them last, or
    /// nothing. How long a single frame lasts is not known: one that would last longer than half a second is not all there was.
    fn is_whole(&self) -> bool {
        let half_seconds = 2 * u128::from(self.told) * u128::from(self.scale);
        let is_alone = self.frames == 1 && half_seconds <= u128::from(self.rate);
        let until_last = self.last.saturating_sub(self.first);
        let lasts = u64::from(self.told).checked_sub(until_last);
        let is_time =
            lasts.is_some_and(|it| 0 < it && it <= self.longest.saturating_add(self.longest / 2));
        matches!(self.told, 0 | u32::MAX) || self.told <= self.frames || is_alone || is_time
    }
}

impl<W: Write + Seek> IvfWriter<W> {
    /// Begins a file. Times are written in ticks of 90 kHz, as RTP has them.
    ///
    /// # Errors
    ///
    /// The system refuses, or the codec is none of VP8, VP9 and AV1.
    pub fn new(mut output: W, codec: Codec, (width, height): (u16, u16)) -> Result<Self, Error> {
        let name = match codec {
            Codec::Vp8 => b"VP80",
            Codec::Vp9 => b"VP90",
            Codec::Av1 => b"AV01",
            _ => return Err(Error::Unfit("IVF is for VP8, VP9 and AV1")),
        };
        let mut header = MAGIC.to_vec();
        header.u16(0);
        header.u16(HEADER as u16);
        header.extend_from_slice(name);
        header.u16(width);
        header.u16(height);
        header.u32(RATE);
        header.u32(1);
        header.u64(0);
        output.write_all(&header)?;
        Ok(Self {
            output,
            codec,
            frames: 0,
            last: None,
        })
    }

    /// Writes a frame, which is shown at this time from the beginning.
    ///
    /// # Errors
    ///
    /// The system refuses, or the frame is longer than 4 MiB.
    pub fn write(&mut self, time: Duration, payload: &[u8]) -> Result<(), Error> {
        // Players want a delimiter before each temporal unit, which RTP leaves out.
        let before: &[u8] = match (self.codec, payload) {
            (Codec::Av1, [first, ..]) if first >> 3 & 15 != 2 => &[0x12, 0],
            _ => &[],
        };
        let len = before.len() + payload.len();
        if len > LONGEST {
            return Err(Error::Unfit("a frame of more than 4 MiB"));
        }
        let ticks = (time.as_nanos() * u128::from(RATE) + 500_000_000) / 1_000_000_000;
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        // Times rise: players drop what does not.
        let ticks = self
            .last
            .map_or(ticks, |last| ticks.max(last.saturating_add(1)));
        self.last = Some(ticks);
        let mut header = Vec::with_capacity(FRAME_HEADER + before.len());
        header.u32(len as u32);
        header.u64(ticks);
        header.extend_from_slice(before);
        self.output.write_all(&header)?;
        self.output.write_all(payload)?;
        self.frames = self.frames.saturating_add(1);
        Ok(())
    }

    /// Ends the file: how many frames there are stands in its header.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn finish(mut self) -> Result<W, Error> {
        let mut count = Vec::with_capacity(4);
        count.u32(self.frames);
        self.output.seek(SeekFrom::Start(COUNT_AT))?;
        self.output.write_all(&count)?;
        self.output.seek(SeekFrom::End(0))?;
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Whether a frame may be one of this codec. An empty one, which encoders write for a picture that they leave out, is one of each.
fn is_of(codec: Codec, frame: &[u8]) -> bool {
    let Some(first) = frame.first() else {
        return true;
    };
    match codec {
        // RFC 6386 §9.1: a key frame has a start code behind its tag.
        Codec::Vp8 => first & 1 == 1 || frame.get(3..6) == Some(&[0x9d, 1, 0x2a][..]),
        // VP9 bitstream specification §6.2: a marker, the profile, whether an earlier frame is shown; a key frame has a start code.
        Codec::Vp9 => {
            let is_key = first & 0x0c == 0 && first & 0x30 != 0x30;
            first >> 6 == 2 && (!is_key || frame.get(1..4) == Some(&[0x49, 0x83, 0x42][..]))
        }
        // AV1 bitstream specification §5.3.2: two bits are zero, and of the types some are reserved.
        _ => first & 0x81 == 0 && matches!(first >> 3 & 15, 1..=8 | 15),
    }
}

pub(crate) const MAGIC: &[u8] = b"DKIF";
const HEADER: usize = 32;
const FRAME_HEADER: usize = 12;
const COUNT_AT: u64 = 24;
const RATE: u32 = 90_000;
