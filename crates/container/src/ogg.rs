//! Opus in Ogg (RFC 3533, RFC 7845).
//!
//! ```text
//! "OggS" | version | flags | granule position | serial | page number | CRC | segments | a length each
//!   4         1        1            8             4          4           4       1
//! ```

use std::{
    collections::VecDeque,
    io::{Read, Write},
    time::Duration,
};

use crate::{
    Error, Frame,
    input::{Append as _, Fields, Input},
    opus,
};

/// Reads Opus from Ogg.
#[derive(Debug)]
pub struct OggReader<R> {
    input: Input<R>,
    serial: Option<u32>,
    channels: u8,
    next_page: u32,
    /// Whole packets.
    packets: VecDeque<Vec<u8>>,
    /// The beginning of one that goes on in the next page.
    begun: Option<Vec<u8>>,
    /// Samples so far.
    samples: u64,
    /// The last page of the stream has come.
    ended: bool,
}

/// Writes Opus to Ogg.
#[derive(Debug)]
pub struct OggWriter<W: Write> {
    output: W,
    serial: u32,
    page: u32,
    /// Packets that wait for their page, and what is in them.
    segments: Vec<u8>,
    body: Vec<u8>,
    /// Samples so far, with those of the encoder's delay.
    samples: u64,
    /// The first byte of the last packet.
    last: Option<u8>,
}

impl<R: Read> OggReader<R> {
    pub(crate) fn begin(input: Input<R>) -> Result<Self, Error> {
        let mut reader = Self {
            input,
            serial: None,
            channels: 0,
            next_page: 0,
            packets: VecDeque::new(),
            begun: None,
            samples: 0,
            ended: false,
        };
        let head = reader.header()?;
        let mut fields = Fields(&head);
        let malformed = |what| Error::Malformed { at: 0, what };
        if fields.take(8) != Some(HEAD) {
            return Err(malformed("a stream other than Opus"));
        }
        // RFC 7845 §5.1: versions below 16 can be read.
        let version = fields.u8().filter(|it| *it < 16);
        let channels = fields.u8().filter(|it| *it > 0);
        reader.channels = version
            .and(channels)
            .ok_or(malformed("no header of Opus"))?;
        let tags = reader.header()?;
        if !tags.starts_with(TAGS) {
            return Err(malformed("no comment header of Opus"));
        }
        Ok(reader)
    }

    fn header(&mut self) -> Result<Vec<u8>, Error> {
        let what = "the headers";
        let at = self.input.at();
        self.packet()?.ok_or(Error::Cut { at, what })
    }

    /// How many channels there are.
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    ///
    /// The system refuses, the file ends in the middle of something, or a page is broken.
    pub fn read(&mut self) -> Result<Option<Frame>, Error> {
        let at = self.input.at();
        let Some(payload) = self.packet()? else {
            return Ok(None);
        };
        let what = "a packet that is none of Opus";
        let samples = opus::samples(&payload).ok_or(Error::Malformed { at, what })?;
        let time = Duration::from_micros(self.samples.saturating_mul(125) / 6);
        self.samples += samples;
        Ok(Some(Frame { payload, time }))
    }

    fn packet(&mut self) -> Result<Option<Vec<u8>>, Error> {
        while self.packets.is_empty() {
            if !self.page()? {
                let at = self.input.at();
                let what = match self.begun.take() {
                    Some(_) => "a packet",
                    None if self.ended => return Ok(None),
                    None => "a stream: its last page is missing",
                };
                return Err(Error::Cut { at, what });
            }
        }
        Ok(self.packets.pop_front())
    }

    /// False at the end of the file.
    fn page(&mut self) -> Result<bool, Error> {
        let at = self.input.at();
        let malformed = |what| Error::Malformed { at, what };
        let Some(head) = self.input.take(PAGE, "a page's header")? else {
            return Ok(false);
        };
        let segments = self
            .input
            .need(head.last().copied().unwrap_or(0).into(), "a page's header")?;
        let len = segments.iter().map(|it| usize::from(*it)).sum();
        let body = self.input.need(len, "a page")?;
        let mut fields = Fields(&head);
        if fields.take(4) != Some(MAGIC) || fields.u8() != Some(0) {
            return Err(malformed("no page of Ogg"));
        }
        let flags = fields.u8().unwrap_or(0);
        fields.u64();
        let (serial, number, sum) = (fields.u32(), fields.u32(), fields.u32());
        let mut whole = head.clone();
        if let Some(sum) = whole.get_mut(SUM_AT..SUM_AT + 4) {
            sum.fill(0);
        }
        whole.extend_from_slice(&segments);
        whole.extend_from_slice(&body);
        if sum != Some(crc(&whole)) {
            return Err(malformed("a page whose checksum is wrong"));
        }
        if *self.serial.get_or_insert(serial.unwrap_or(0)) != serial.unwrap_or(0) {
            return Err(malformed("another stream: one is all that is played"));
        }
        if number != Some(self.next_page) {
            return Err(malformed("a page is missing"));
        }
        self.next_page = self.next_page.wrapping_add(1);
        if (flags & CONTINUED != 0) != self.begun.is_some() {
            return Err(malformed("a packet without its beginning or its end"));
        }
        self.sort(&segments, &body, at)?;
        // RFC 3533 §6: without this mark something is missing, also where a page ends.
        self.ended |= flags & LAST != 0;
        Ok(true)
    }

    /// RFC 3533 §5: a packet ends with the first length below 255.
    fn sort(&mut self, segments: &[u8], mut body: &[u8], at: u64) -> Result<(), Error> {
        for len in segments {
            let (part, rest) = body.split_at_checked((*len).into()).unwrap_or_default();
            body = rest;
            let packet = self.begun.get_or_insert_default();
            packet.extend_from_slice(part);
            if packet.len() > LONGEST_PACKET {
                let what = "a packet of more than 64 KiB";
                return Err(Error::Malformed { at, what });
            }
            if *len < 255 {
                self.packets.extend(self.begun.take());
            }
        }
        Ok(())
    }
}

impl<W: Write> OggWriter<W> {
    /// Begins a file of one or two channels. `serial` tells its stream from others.
    ///
    /// # Errors
    ///
    /// The system refuses, or there are more channels.
    pub fn new(output: W, channels: u8, serial: u32) -> Result<Self, Error> {
        if !matches!(channels, 1 | 2) {
            return Err(Error::Unfit("one or two channels are written"));
        }
        let mut writer = Self {
            output,
            serial,
            page: 0,
            segments: Vec::new(),
            body: Vec::new(),
            samples: 0,
            last: None,
        };
        // RFC 7845 §5.1: version, channels, samples to skip, rate of the input, gain, mapping.
        let mut head = HEAD.to_vec();
        head.extend_from_slice(&[1, channels]);
        head.u16(PRE_SKIP);
        head.u32(48_000);
        head.extend_from_slice(&[0, 0, 0]);
        writer.append(&head);
        writer.flush_page(FIRST, 0)?;
        let vendor = b"oxirtc";
        let mut tags = TAGS.to_vec();
        tags.u32(vendor.len() as u32);
        tags.extend_from_slice(vendor);
        tags.u32(0);
        writer.append(&tags);
        writer.flush_page(0, 0)?;
        Ok(writer)
    }

    /// Writes a packet.
    ///
    /// # Errors
    ///
    /// The system refuses, or it is no packet of Opus.
    pub fn write(&mut self, packet: &[u8]) -> Result<(), Error> {
        let samples = opus::samples(packet).ok_or(Error::Unfit("it is no packet of Opus"))?;
        if packet.len() > LONGEST_PACKET {
            return Err(Error::Unfit("a packet of more than 64 KiB"));
        }
        let room = packet.len() / 255 + 1;
        if self.segments.len() + room > 255 || self.body.len() > PAGE_FULL {
            self.flush_page(0, self.samples)?;
        }
        self.append(packet);
        self.samples += samples;
        self.last = packet.first().copied();
        Ok(())
    }

    /// Writes that so much is missing: packets without sound (RFC 7845 §4.1), which players conceal, so that what follows keeps its
    /// time. What is shorter than a packet is left out. Returns how much was written.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn write_missing(&mut self, time: Duration) -> Result<Duration, Error> {
        // One frame without a byte, of the kind of the packets before it.
        let packet = [self.last.unwrap_or(SILENCE) & 0xfc];
        let samples = opus::samples(&packet).unwrap_or(960);
        let wanted = u64::try_from(time.as_micros() * 6 / 125).unwrap_or(u64::MAX);
        let count = wanted / samples;
        for _ in 0..count {
            self.write(&packet)?;
        }
        Ok(Duration::from_micros(count * samples * 125 / 6))
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn finish(mut self) -> Result<W, Error> {
        self.flush_page(LAST, self.samples)?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn append(&mut self, packet: &[u8]) {
        let whole = packet.len() / 255;
        self.segments.extend(std::iter::repeat_n(255, whole));
        self.segments.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
    }

    fn flush_page(&mut self, flags: u8, granule: u64) -> Result<(), Error> {
        let mut page = MAGIC.to_vec();
        page.extend_from_slice(&[0, flags]);
        page.u64(granule);
        page.u32(self.serial);
        page.u32(self.page);
        page.u32(0);
        page.push(self.segments.len() as u8);
        page.append(&mut self.segments);
        page.append(&mut self.body);
        let mut sum = Vec::with_capacity(4);
        sum.u32(crc(&page));
        if let Some(at) = page.get_mut(SUM_AT..SUM_AT + 4) {
            at.copy_from_slice(&sum);
        }
        self.output.write_all(&page)?;
        self.page += 1;
        Ok(())
    }
}

/// RFC 3533 §6: the polynomial 0x04c11db7, the high bit first, from zero. Sound is too little for a table to matter.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| {
        let next = |sum: u32, _bit| (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
        (0..8).fold(sum ^ u32::from(*byte) << 24, next)
    })
}

pub(crate) const MAGIC: &[u8] = b"OggS";
const HEAD: &[u8] = b"OpusHead";
const TAGS: &[u8] = b"OpusTags";
const PAGE: usize = 27;
const SUM_AT: usize = 22;
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
const LONGEST_PACKET: usize = 64 * 1024 - 1;
/// A page is written when it has so much.
const PAGE_FULL: usize = 8 * 1024;
/// What encoders of Opus take to begin, at 48 kHz.
const PRE_SKIP: u16 = 312;
/// Full band, 20 ms.
const SILENCE: u8 = 0xf8;
