//! When the packets of a transport arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      base sequence number     |      packet status count      |
//! |                 reference time                | fb pkt. count |
//! |          packet chunk         |         packet chunk          |
//! |         recv delta        ...                                 |
//! ```

use super::{RTPFB, finish, start};
use crate::{
    reader::Reader,
    writer::{write_u16, write_u32},
};

/// When the packets of a transport arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Who says so.
    pub sender: u32,
    /// Some stream of the transport.
    pub media: u32,
    /// The number of the first packet that this tells of.
    pub base: u16,
    /// How many packets it tells of.
    pub count: u16,
    /// A time of the receiver's clock, in units of 64 ms; 24 bits with a sign.
    pub reference: i32,
    /// Counts these packets, so that their loss can be told.
    pub number: u8,
    chunks: Reader<'a>,
    deltas: Reader<'a>,
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let (sender, media) = (body.u32()?, body.u32()?);
        let (base, count) = (body.u16()?, body.u16()?);
        let reference = (body.u24()? << 8).cast_signed() >> 8;
        let number = body.u8()?;
        let all = body;
        // How long the chunks are is known only from what they say; and the deltas they announce must be there.
        let (mut statuses, mut bytes) = (0, 0);
        while statuses < usize::from(count) {
            let (symbols, len) = Chunk(body.u16()?).symbols();
            for symbol in symbols.take((usize::from(count) - statuses).min(len)) {
                bytes += usize::from(symbol.min(2)) % 3;
            }
            statuses += len;
        }
        let chunks = Reader(all.0.get(..all.len() - body.len())?);
        (body.len() >= bytes).then_some(Self {
            sender,
            media,
            base,
            count,
            reference,
            number,
            chunks,
            deltas: body,
        })
    }

    /// Each packet's number, and when it arrived: in units of 250 µs, on the scale of the reference time. `None` if it
    /// has not arrived.
    pub fn arrivals(&self) -> impl Iterator<Item = (u16, Option<i64>)> + use<'a> {
        let (mut chunks, mut deltas) = (self.chunks, self.deltas);
        let (base, count) = (self.base, self.count);
        let mut time = i64::from(self.reference) * UNITS;
        let symbols = std::iter::from_fn(move || {
            let (symbols, len) = Chunk(chunks.u16()?).symbols();
            Some(symbols.take(len))
        });
        let statuses = symbols.flatten().take(count.into());
        statuses.enumerate().map(move |(at, symbol)| {
            let delta = match symbol {
                1 => deltas.u8().map(i64::from),
                2 => deltas.u16().map(|it| i64::from(it.cast_signed())),
                _ => None,
            };
            if let Some(delta) = delta {
                time += delta;
            }
            (base.wrapping_add(at as u16), delta.map(|_| time))
        })
    }
}

/// One word of statuses.
#[derive(Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    /// The statuses: 0 not received, 1 small delta, 2 large delta. And how many there are.
    fn symbols(self) -> (impl Iterator<Item = u8>, usize) {
        let word = self.0;
        let (run, len, width) = match word >> 14 {
            0 | 1 => (Some((word >> 13 & 3) as u8), usize::from(word & 0x1fff), 1),
            2 => (None, 14, 1),
            _ => (None, 7, 2),
        };
        // A run of none would tell nothing, and is no way to make the reader go on for ever.
        let len = len.max(1);
        let symbols = (0..len).map(move |at| match run {
            Some(symbol) => symbol,
            None => (word >> (14 - width * (at + 1)) & ((1 << width) - 1)) as u8,
        });
        (symbols, len)
    }
}

/// Appends feedback on `arrivals`: numbers that rise, with times in units of 250 µs that are rounded already. Numbers
/// between them have not arrived. Ends early where a delta does not fit or `room` bytes are full, and returns how many
/// of the arrivals went in.
pub fn write_transport(
    buf: &mut Vec<u8>,
    room: usize,
    [sender, media]: [u32; 2],
    number: u8,
    arrivals: &[(u64, i64)],
) -> usize {
    let Some(&(base, first)) = arrivals.first() else {
        return 0;
    };
    let reference = first.div_euclid(UNITS);
    let (statuses, taken) = plan(room, reference * UNITS, arrivals);
    let at = start(buf, RTPFB, 15);
    write_u32(buf, sender);
    write_u32(buf, media);
    write_u16(buf, base as u16);
    write_u16(buf, statuses as u16);
    let reference = (reference as u32) << 8;
    write_u32(buf, reference | u32::from(number));
    let arrived = arrivals.get(..taken).unwrap_or_default();
    write_chunks(buf, first.div_euclid(UNITS) * UNITS, statuses, arrived);
    let mut time = first.div_euclid(UNITS) * UNITS;
    for (_, arrival) in arrived {
        let delta = arrival - time;
        time = *arrival;
        match u8::try_from(delta) {
            Ok(small) => buf.push(small),
            Err(_) => write_u16(buf, delta as i16 as u16),
        }
    }
    finish(buf, at);
    taken
}

/// How many numbers, and how many arrivals among them, one packet holds.
fn plan(room: usize, mut time: i64, arrivals: &[(u64, i64)]) -> (u64, usize) {
    let base = arrivals.first().map_or(0, |it| it.0);
    let (mut taken, mut bytes, mut statuses) = (0, HEADER, 0);
    for (number, arrival) in arrivals {
        let delta = arrival - time;
        let count = number - base + 1;
        // At worst each chunk holds seven numbers; a run of lost ones is told as one.
        let gap = number - base - statuses;
        let chunks = if gap > 7 {
            2 + gap as usize / 0x1fff
        } else {
            1
        };
        bytes += if u8::try_from(delta).is_ok() { 1 } else { 2 } + 2 * chunks;
        let fits = i16::try_from(delta).is_ok() && count <= 0x7fff && bytes + 3 <= room;
        if !fits {
            break;
        }
        // Seven that follow each other share a chunk: what was reserved for them is given back.
        if gap == 0 && taken % 7 != 0 {
            bytes -= 2;
        }
        (time, taken, statuses) = (*arrival, taken + 1, count);
    }
    (statuses, taken)
}

/// Runs where they pay, else vectors of seven symbols of two bits.
fn write_chunks(buf: &mut Vec<u8>, mut time: i64, statuses: u64, arrivals: &[(u64, i64)]) {
    let base = arrivals.first().map_or(0, |it| it.0);
    let mut next = arrivals.iter().peekable();
    let mut symbols = (0..statuses)
        .map(|at| {
            let Some((_, arrival)) = next.next_if(|it| it.0 == base + at) else {
                return 0;
            };
            let delta = arrival - time;
            time = *arrival;
            if u8::try_from(delta).is_ok() { 1 } else { 2 }
        })
        .peekable();
    while let Some(symbol) = symbols.next() {
        let mut run = 1_u16;
        while run < 0x1fff && symbols.next_if_eq(&symbol).is_some() {
            run += 1;
        }
        if run >= 7 || symbols.peek().is_none() {
            write_u16(buf, symbol << 13 | run);
            continue;
        }
        let mut word = 3_u16;
        for at in 0..7 {
            let symbol = if at < run {
                symbol
            } else {
                symbols.next().unwrap_or(0)
            };
            word = word << 2 | symbol;
        }
        write_u16(buf, word);
    }
}

/// How many units of 250 µs a reference time has.
const UNITS: i64 = 256;
const HEADER: usize = 20;
