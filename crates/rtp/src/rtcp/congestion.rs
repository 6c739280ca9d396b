//! When the packets of streams arrived (RFC 8888).

use byteorder::{BigEndian, ByteOrder};

use super::{RTPFB, finish, start};
use crate::{
    reader::Reader,
    writer::{write_u16, write_u32},
};

/// When the packets of streams arrived, and whether the path marked them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CongestionFeedback<'a> {
    /// Who says so.
    pub sender: u32,
    /// When it was said: the middle 32 bits of an NTP time.
    pub time: u32,
    streams: Reader<'a>,
}

/// What is said of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CongestionStream<'a> {
    /// The stream.
    pub ssrc: u32,
    /// The first number that is told of.
    pub first: u16,
    blocks: &'a [u8],
}

/// One packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The mark of explicit congestion notification, two bits.
    pub ecn: u8,
    /// How long before the feedback it arrived, in 1/1024 s; `None` beyond 8 s.
    pub before: Option<u16>,
}

impl<'a> CongestionFeedback<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let sender = body.u32()?;
        let streams = Reader(body.take(body.len().checked_sub(4)?)?);
        let time = body.u32()?;
        let mut rest = streams;
        while !rest.is_empty() {
            next(&mut rest)?;
        }
        Some(Self {
            sender,
            time,
            streams,
        })
    }

    /// The streams.
    pub fn streams(&self) -> impl Iterator<Item = CongestionStream<'a>> + use<'a> {
        let mut rest = self.streams;
        std::iter::from_fn(move || next(&mut rest))
    }
}

fn next<'a>(rest: &mut Reader<'a>) -> Option<CongestionStream<'a>> {
    let (ssrc, first, count) = (rest.u32()?, rest.u16()?, rest.u16()?);
    let blocks = rest.take(usize::from(count) * 2)?;
    rest.take(usize::from(count % 2) * 2)?;
    Some(CongestionStream {
        ssrc,
        first,
        blocks,
    })
}

impl<'a> CongestionStream<'a> {
    /// Each packet's number, and its arrival if it has arrived.
    pub fn arrivals(&self) -> impl ExactSizeIterator<Item = (u16, Option<Arrival>)> + use<'a> {
        let first = self.first;
        self.blocks
            .chunks_exact(2)
            .enumerate()
            .map(move |(at, block)| {
                let block = BigEndian::read_u16(block);
                let before = block & 0x1fff;
                let arrival = Arrival {
                    ecn: (block >> 13 & 3) as u8,
                    // RFC 8888 §3.1: 0x1FFE is more than can be told, 0x1FFF unknown.
                    before: (before < 0x1ffe).then_some(before),
                };
                let number = first.wrapping_add(at as u16);
                (number, (block & 0x8000 != 0).then_some(arrival))
            })
    }
}

/// Appends feedback on streams: each with its SSRC, its first number, and the arrivals from there.
pub fn write_congestion(
    buf: &mut Vec<u8>,
    sender: u32,
    time: u32,
    streams: &[(u32, u16, &[Option<Arrival>])],
) {
    let at = start(buf, RTPFB, 11);
    write_u32(buf, sender);
    for (ssrc, first, arrivals) in streams {
        let arrivals = arrivals.get(..MOST).unwrap_or(arrivals);
        write_u32(buf, *ssrc);
        write_u16(buf, *first);
        write_u16(buf, arrivals.len() as u16);
        for arrival in arrivals {
            let block = arrival.map_or(0, |it| {
                let before = it.before.map_or(0x1ffe, |before| before.min(0x1ffd));
                0x8000 | u16::from(it.ecn & 3) << 13 | before
            });
            write_u16(buf, block);
        }
        buf.resize(buf.len() + arrivals.len() % 2 * 2, 0);
    }
    write_u32(buf, time);
    finish(buf, at);
}

/// RFC 8888 §3.1: a stream is told of at most so many packets at a time.
const MOST: usize = 16_384;
