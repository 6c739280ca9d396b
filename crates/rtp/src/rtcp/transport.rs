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
            let chunk = Chunk(body.u16()?);
            let len = chunk.len().min(usize::from(count) - statuses);
            bytes += chunk.deltas(len);
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

    /// The runs of packets that have not arrived, and each that has: in their order, without going through a run.
    pub(crate) fn each(&self, mut tell: impl FnMut(Told)) {
        let (mut chunks, mut deltas) = (self.chunks, self.deltas);
        let mut time = i64::from(self.reference) * UNITS;
        let (mut at, mut left) = (self.base, self.count);
        while left > 0
            && let Some(chunk) = chunks.u16().map(Chunk)
        {
            let len = u16::try_from(chunk.len()).unwrap_or(u16::MAX).min(left);
            if chunk.run().is_some_and(|it| size(it) == 0) {
                tell(Told::Missing(at, len));
            } else {
                for (step, symbol) in (0..len).zip(chunk.symbols()) {
                    let number = at.wrapping_add(step);
                    let delta = read_delta(symbol, &mut deltas);
                    time += delta.unwrap_or_default();
                    tell(match delta {
                        Some(_) => Told::Arrived(number, time),
                        None => Told::Missing(number, 1),
                    });
                }
            }
            (at, left) = (at.wrapping_add(len), left - len);
        }
    }

    /// Each packet's number, and when it arrived: in units of 250 µs, on the scale of the reference time. `None` if it
    /// has not arrived.
    pub fn arrivals(&self) -> impl Iterator<Item = (u16, Option<i64>)> + use<'a> {
        let (mut chunks, mut deltas) = (self.chunks, self.deltas);
        let (base, count) = (self.base, self.count);
        let mut time = i64::from(self.reference) * UNITS;
        let symbols = std::iter::from_fn(move || Some(Chunk(chunks.u16()?).symbols()));
        let statuses = symbols.flatten().take(count.into());
        statuses.enumerate().map(move |(at, symbol)| {
            let delta = read_delta(symbol, &mut deltas);
            if let Some(delta) = delta {
                time += delta;
            }
            (base.wrapping_add(at as u16), delta.map(|_| time))
        })
    }
}

/// What feedback tells of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// So many, from this one on, have not arrived.
    Missing(u16, u16),
    /// This one has, then.
    Arrived(u16, i64),
}

/// One word of statuses: 0 not received, 1 small delta, 2 large delta.
#[derive(Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    /// How many statuses it has.
    fn len(self) -> usize {
        match self.0 >> 14 {
            // A run of none would tell nothing, and is no way to make the reader go on for ever.
            0 | 1 => usize::from(self.0 & 0x1fff).max(1),
            2 => 14,
            _ => 7,
        }
    }

    /// The status of all, where it is a run.
    fn run(self) -> Option<u8> {
        (self.0 >> 15 == 0).then_some((self.0 >> 13 & 3) as u8)
    }

    fn symbols(self) -> impl Iterator<Item = u8> {
        let (run, len, word) = (self.run(), self.len(), self.0);
        let width = 14 / len.min(14) as u16;
        (0..len as u16).map(move |at| match run {
            Some(symbol) => symbol,
            None => (word >> (14 - width * (at + 1)) & ((1 << width) - 1)) as u8,
        })
    }

    /// How many bytes of deltas belong to the first `len` of them. A run is not gone through: a word may tell of thousands.
    fn deltas(self, len: usize) -> usize {
        match self.run() {
            Some(symbol) => size(symbol) * len,
            None => self.symbols().take(len).map(size).sum(),
        }
    }
}

/// How many bytes the delta of a status has; the fourth status is reserved.
fn size(symbol: u8) -> usize {
    usize::from(symbol) % 3
}

fn read_delta(symbol: u8, deltas: &mut Reader<'_>) -> Option<i64> {
    match symbol {
        1 => deltas.u8().map(i64::from),
        2 => deltas.u16().map(|it| i64::from(it.cast_signed())),
        _ => None,
    }
}

/// Appends feedback on `arrivals`: numbers that rise, with times in units of 250 µs that are rounded already. Numbers
/// between them have not arrived. Ends early where a delta does not fit or `room` bytes are full, and returns how many
/// of the arrivals went in; appends nothing where none did.
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
    if taken == 0 {
        return 0;
    }
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
