//! Feedback on loss and requests of key frames.

use byteorder::{BigEndian, ByteOrder};

use super::{PSFB, RTPFB, finish, start};
use crate::{
    reader::Reader,
    writer::{write_u16, write_u32},
};

/// Packets that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender: u32,
    /// The stream.
    pub media: u32,
    items: &'a [u8],
}

/// A picture was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender: u32,
    /// The stream.
    pub media: u32,
}

/// Slices were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sli<'a> {
    /// Who asks.
    pub sender: u32,
    /// The stream.
    pub media: u32,
    items: &'a [u8],
}

/// A run of macroblocks that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliItem {
    /// The first macroblock, 13 bits.
    pub first: u16,
    /// How many, 13 bits.
    pub count: u16,
    /// The picture, 6 bits.
    pub picture: u8,
}

/// A reference picture is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rpsi<'a> {
    /// Who asks.
    pub sender: u32,
    /// The stream.
    pub media: u32,
    /// The payload type that the bits are of.
    pub payload_type: u8,
    /// The bits, as the codec defines them.
    pub bits: &'a [u8],
}

/// Key frames are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender: u32,
    items: &'a [u8],
}

/// A key frame of one stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirItem {
    /// The stream.
    pub ssrc: u32,
    /// Counts the requests: one that is repeated asks for nothing new.
    pub number: u8,
}

impl<'a> Nack<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let (sender, media) = (body.u32()?, body.u32()?);
        Some(Self {
            sender,
            media,
            items: body.0,
        })
    }

    /// The numbers that are missing.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.items.chunks_exact(4).flat_map(|item| {
            let item = BigEndian::read_u32(item);
            let (first, mask) = ((item >> 16) as u16, item as u16);
            let more = (0..16).filter(move |bit| mask >> bit & 1 == 1);
            std::iter::once(first).chain(more.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

impl Pli {
    pub(super) fn read(mut body: Reader<'_>) -> Option<Self> {
        Some(Self {
            sender: body.u32()?,
            media: body.u32()?,
        })
    }
}

impl<'a> Sli<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let (sender, media) = (body.u32()?, body.u32()?);
        Some(Self {
            sender,
            media,
            items: body.0,
        })
    }

    /// The runs that were lost.
    pub fn items(&self) -> impl ExactSizeIterator<Item = SliItem> + use<'a> {
        self.items.chunks_exact(4).map(|item| {
            let item = BigEndian::read_u32(item);
            SliItem {
                first: (item >> 19) as u16,
                count: (item >> 6 & 0x1fff) as u16,
                picture: (item & 63) as u8,
            }
        })
    }
}

impl<'a> Rpsi<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let (sender, media) = (body.u32()?, body.u32()?);
        let (padding, payload_type) = (body.u8()?, body.u8()?);
        // RFC 4585 §6.3.3.2: so many bits at the end are none.
        let len = body.len().checked_sub(usize::from(padding) / 8)?;
        Some(Self {
            sender,
            media,
            payload_type: payload_type & 0x7f,
            bits: body.take(len)?,
        })
    }
}

impl<'a> Fir<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let sender = body.u32()?;
        body.u32()?; // RFC 5104 §4.3.1.1: the media's SSRC stands with each item
        Some(Self {
            sender,
            items: body.0,
        })
    }

    /// The streams.
    pub fn items(&self) -> impl ExactSizeIterator<Item = FirItem> + use<'a> {
        self.items.chunks_exact(8).map(|item| {
            let item = BigEndian::read_u64(item);
            FirItem {
                ssrc: (item >> 32) as u32,
                number: (item >> 24) as u8,
            }
        })
    }
}

/// Appends a request of these packets, whose numbers rise; as many as fit into `room` bytes. Returns how many.
pub fn write_nack(
    buf: &mut Vec<u8>,
    room: usize,
    sender: u32,
    media: u32,
    numbers: impl IntoIterator<Item = u16>,
) -> usize {
    let at = start(buf, RTPFB, 1);
    write_u32(buf, sender);
    write_u32(buf, media);
    let mut count = 0;
    let mut item: Option<(u16, u16)> = None;
    for number in numbers {
        match &mut item {
            Some((first, mask)) if (1..=16).contains(&number.wrapping_sub(*first)) => {
                *mask |= 1 << (number.wrapping_sub(*first) - 1);
            }
            _ => {
                // What is begun and what is to begin both need their word.
                if buf.len() - at + 8 > room {
                    break;
                }
                if let Some((first, mask)) = item.replace((number, 0)) {
                    write_u16(buf, first);
                    write_u16(buf, mask);
                }
            }
        }
        count += 1;
    }
    match item {
        Some((first, mask)) => {
            write_u16(buf, first);
            write_u16(buf, mask);
            finish(buf, at);
        }
        None => buf.truncate(at),
    }
    count
}

/// Appends a picture loss indication.
pub fn write_pli(buf: &mut Vec<u8>, sender: u32, media: u32) {
    let at = start(buf, PSFB, 1);
    write_u32(buf, sender);
    write_u32(buf, media);
    finish(buf, at);
}

/// Appends a full intra request.
pub fn write_fir(buf: &mut Vec<u8>, sender: u32, items: &[FirItem]) {
    let at = start(buf, PSFB, 4);
    write_u32(buf, sender);
    buf.extend_from_slice(&[0; 4]);
    for item in items {
        write_u32(buf, item.ssrc);
        buf.extend_from_slice(&[item.number, 0, 0, 0]);
    }
    finish(buf, at);
}
