//! Extended reports (RFC 3611): the round trip as a receiver measures it.

use byteorder::{BigEndian, ByteOrder};

use super::{XR, finish, start};
use crate::{
    Ntp,
    reader::Reader,
    writer::{write_u16, write_u32, write_u64},
};

/// An extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: Reader<'a>,
}

/// A block of an extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedBlock<'a> {
    /// A receiver's clock (RFC 3611 §4.4).
    ReferenceTime(Ntp),
    /// How long ago receivers' clocks came (RFC 3611 §4.5): items of 12 bytes.
    Dlrr(DlrrItems<'a>),
    /// A block that we do not know.
    Unknown(u8),
}

/// The items of a DLRR block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlrrItems<'a>(&'a [u8]);

/// How long ago the clock of one receiver came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dlrr {
    /// The receiver.
    pub ssrc: u32,
    /// The middle 32 bits of its clock.
    pub last: u32,
    /// How long ago it came, in 1/65536 s.
    pub delay: u32,
}

impl<'a> Extended<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let ssrc = body.u32()?;
        let mut rest = body;
        while !rest.is_empty() {
            next(&mut rest)?;
        }
        Some(Self { ssrc, blocks: body })
    }

    /// The blocks.
    pub fn blocks(&self) -> impl Iterator<Item = ExtendedBlock<'a>> + use<'a> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || next(&mut rest))
    }
}

fn next<'a>(rest: &mut Reader<'a>) -> Option<ExtendedBlock<'a>> {
    let (kind, _) = (rest.u8()?, rest.u8()?);
    let words = rest.u16()?;
    let mut body = Reader(rest.take(usize::from(words) * 4)?);
    Some(match (kind, words) {
        (RRTR, 2) => ExtendedBlock::ReferenceTime(Ntp(body.u64()?)),
        (DLRR, _) => ExtendedBlock::Dlrr(DlrrItems(body.0)),
        _ => ExtendedBlock::Unknown(kind),
    })
}

impl<'a> DlrrItems<'a> {
    /// The items.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Dlrr> + use<'a> {
        self.0.chunks_exact(12).map(|item| {
            let (ssrc, rest) = item.split_at(4);
            let (last, delay) = rest.split_at(4);
            Dlrr {
                ssrc: BigEndian::read_u32(ssrc),
                last: BigEndian::read_u32(last),
                delay: BigEndian::read_u32(delay),
            }
        })
    }
}

/// Appends an extended report with our clock.
pub fn write_rrtr(buf: &mut Vec<u8>, ssrc: u32, now: Ntp) {
    let at = start(buf, XR, 0);
    write_u32(buf, ssrc);
    buf.extend_from_slice(&[RRTR, 0, 0, 2]);
    write_u64(buf, now.0);
    finish(buf, at);
}

/// Appends an extended report that answers receivers' clocks.
pub fn write_dlrr(buf: &mut Vec<u8>, ssrc: u32, items: &[Dlrr]) {
    let at = start(buf, XR, 0);
    write_u32(buf, ssrc);
    buf.extend_from_slice(&[DLRR, 0]);
    write_u16(buf, (items.len() * 3) as u16);
    for item in items {
        for number in [item.ssrc, item.last, item.delay] {
            write_u32(buf, number);
        }
    }
    finish(buf, at);
}

const RRTR: u8 = 4;
const DLRR: u8 = 5;
