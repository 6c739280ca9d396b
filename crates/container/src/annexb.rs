//! Byte streams of H.264 and H.265: units behind start codes, an access unit a frame.

use std::{
    io::{Read, Write},
    time::Duration,
};

use crate::{
    Codec, Error, Frame,
    input::{Input, LONGEST},
    nal::{self, Place},
};

/// Reads H.264 or H.265 from a byte stream, which has no times: each picture comes one tick after the one before it.
///
/// Nor has it lengths: a slice ends with its last bit that is 1, and whatever is left of one has such a bit. A last slice that is cut is
/// therefore read as it is. That a file is cut is told where it ends with a unit of which nothing but the header is there, with
/// parameter sets or messages and no picture, or with a picture of fewer slices than each of the many before it has.
#[derive(Debug)]
pub struct AnnexBReader<R> {
    input: Input<R>,
    codec: Codec,
    interval: Duration,
    frames: u32,
    /// How many slices each picture has had so far; `None` where they differ.
    slices: Option<u32>,
    /// The unit that begins the next access unit, without its start code.
    next: Option<Vec<u8>>,
    /// A start code was read, and the unit behind it was not.
    begun: bool,
}

/// Writes H.264 or H.265 to a byte stream.
#[derive(Debug)]
pub struct AnnexBWriter<W> {
    output: W,
}

impl<R: Read> AnnexBReader<R> {
    pub(crate) fn begin(mut input: Input<R>) -> Result<Self, Error> {
        let at = input.at();
        // Zeroes may stand before the first start code.
        while input.peek(4)?.starts_with(&[0, 0, 0]) {
            input.skip(1);
        }
        let what = "no byte stream that begins with a delimiter or parameter sets";
        let malformed = Error::Malformed { at, what };
        if !input.peek(3)?.starts_with(START) {
            return Err(malformed);
        }
        input.skip(START.len());
        let (first, begun) = unit(&mut input)?;
        let codec = nal::codec(&first).ok_or(malformed)?;
        Ok(Self {
            input,
            codec,
            interval: Duration::from_secs(1) / 30,
            frames: 0,
            slices: None,
            next: Some(first),
            begun,
        })
    }

    /// What is in it.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The time from picture to picture; default a thirtieth of a second.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// The next access unit, with start codes; `None` at the end.
    ///
    /// # Errors
    ///
    /// The system refuses, an access unit is longer than 4 MiB or has a unit of another codec, or the file is seen to be cut.
    pub fn read(&mut self) -> Result<Option<Frame>, Error> {
        let at = self.input.at();
        let mut payload = Vec::new();
        let mut slices = 0;
        while let Some(unit) = self.unit()? {
            let place = nal::place(self.codec, &unit);
            if slices > 0 && place != Place::Within {
                self.next = Some(unit);
                break;
            }
            if place == Place::First || slices > 0 {
                slices += u32::from(nal::is_slice(self.codec, &unit));
            }
            if !unit.is_empty() {
                payload.extend_from_slice(&[0, 0, 0, 1]);
                payload.extend_from_slice(&unit);
            }
            if payload.len() > LONGEST {
                let what = "a picture of more than 4 MiB";
                return Err(Error::Malformed { at, what });
            }
        }
        if payload.is_empty() {
            return Ok(None);
        }
        self.count(slices)?;
        let time = self.interval.saturating_mul(self.frames);
        self.frames = self.frames.saturating_add(1);
        Ok(Some(Frame { payload, time }))
    }

    /// The next unit of this codec; `None` at the end.
    fn unit(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(unit) = self.next.take() {
            return Ok(Some(unit));
        }
        if !self.begun {
            return Ok(None);
        }
        let at = self.input.at();
        let (unit, begun) = unit(&mut self.input)?;
        self.begun = begun;
        if !begun && !nal::has_content(self.codec, &unit) {
            let (at, what) = (self.input.at(), "a unit");
            return Err(Error::Cut { at, what });
        }
        if !nal::is_of(self.codec, &unit) {
            let what = match self.codec {
                Codec::H265 => "a unit that is none of H.265, as all of the file are to be",
                _ => "a unit that is none of H.264, as all of the file are to be",
            };
            return Err(Error::Malformed { at, what });
        }
        Ok(Some(unit))
    }

    /// Counts the slices of a picture: of the last one some may be missing.
    fn count(&mut self, slices: u32) -> Result<(), Error> {
        let is_short = self.slices.is_some_and(|each| slices < each) && self.frames >= MANY;
        let what = match slices {
            0 => "a picture: its slices are missing",
            _ if is_short && self.next.is_none() => "a picture: each before it has more slices",
            _ => {
                let same = self.frames == 0 || self.slices == Some(slices);
                self.slices = same.then_some(slices);
                return Ok(());
            }
        };
        let at = self.input.at();
        Err(Error::Cut { at, what })
    }
}

/// The bytes up to the next start code, which is taken away, or to the end; and whether there was one.
fn unit<R: Read>(input: &mut Input<R>) -> Result<(Vec<u8>, bool), Error> {
    let at = input.at();
    let mut unit = Vec::new();
    let mut is_followed = false;
    loop {
        let ahead = input.peek(CHUNK)?;
        let is_last = ahead.len() < CHUNK;
        if let Some(end) = ahead.windows(START.len()).position(|it| it == START) {
            unit.extend_from_slice(ahead.get(..end).unwrap_or_default());
            input.skip(end + START.len());
            is_followed = true;
            break;
        }
        // A start code may lie across the border.
        let keep = if is_last { 0 } else { START.len() - 1 };
        let len = ahead.len() - keep;
        unit.extend_from_slice(ahead.get(..len).unwrap_or_default());
        input.skip(len);
        if is_last {
            break;
        }
        if unit.len() > LONGEST {
            let what = "a unit of more than 4 MiB";
            return Err(Error::Malformed { at, what });
        }
    }
    // A unit never ends with zeroes: they belong to the next start code, or to nothing.
    let len = unit.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
    unit.truncate(len);
    Ok((unit, is_followed))
}

impl<W: Write> AnnexBWriter<W> {
    /// Begins a file.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes an access unit.
    ///
    /// # Errors
    ///
    /// The system refuses, or the unit does not begin with a start code.
    pub fn write(&mut self, payload: &[u8]) -> Result<(), Error> {
        let is_stream = payload.starts_with(START) || payload.starts_with(&[0, 0, 0, 1]);
        if !is_stream {
            return Err(Error::Unfit("an access unit begins with a start code"));
        }
        Ok(self.output.write_all(payload)?)
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn finish(mut self) -> Result<W, Error> {
        self.output.flush()?;
        Ok(self.output)
    }
}

const START: &[u8] = &[0, 0, 1];
const CHUNK: usize = 4096;
/// That so many pictures have as many slices each is no chance.
const MANY: u32 = 8;
