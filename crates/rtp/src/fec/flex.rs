//! FlexFEC (draft-ietf-payload-flexible-fec-scheme-03 §4.2.2), of one stream.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|F|P|X|  CC   |M| PT recovery |        length recovery        |
//! |                          TS recovery                          |
//! |   SSRCCount   |                    reserved                   |
//! |                             SSRC_i                            |
//! |           SN base_i           |k|          mask [0-14]        |
//! |k|                   mask [15-45], if the first k is 0         |
//! |                     mask [46-109], if the second k is 0       |
//! ```

use super::{Repair, Sum, ulp::reverse};
use crate::{
    reader::Reader,
    writer::{write_u16, write_u32},
};

/// Reads a packet of parity. Returns the stream that it repairs.
pub fn parse(payload: &[u8]) -> Option<(u32, Repair)> {
    let mut reader = Reader(payload);
    let (first, second) = (reader.u8()?, reader.u8()?);
    // R: a retransmission, F: a fixed form; nobody sends either.
    if first & 0xc0 != 0 {
        return None;
    }
    let len = reader.u16()?;
    let timestamp = reader.u32()?;
    if reader.u8()? != 1 {
        return None;
    }
    reader.u24()?;
    let ssrc = reader.u32()?;
    let base = reader.u16()?;
    let word = u128::from(reader.u16()?);
    let mut mask = reverse(word & 0x7fff, 15);
    if word & 0x8000 == 0 {
        let word = u128::from(reader.u32()?);
        mask |= reverse(word & 0x7fff_ffff, 31) << 15;
        if word & 0x8000_0000 == 0 {
            mask |= reverse(u128::from(reader.u64()?), 64) << 46;
        }
    }
    let sum = Sum {
        head: [first & 0x3f, second],
        timestamp,
        len,
        rest: reader.0.to_vec(),
    };
    (mask != 0).then_some((ssrc, Repair { base, mask, sum }))
}

/// Appends a packet of parity, of at most 46 packets of this stream.
pub fn write(buf: &mut Vec<u8>, ssrc: u32, repair: &Repair) {
    let [first, second] = repair.sum.head;
    buf.extend_from_slice(&[first & 0x3f, second]);
    write_u16(buf, repair.sum.len);
    write_u32(buf, repair.sum.timestamp);
    buf.extend_from_slice(&[1, 0, 0, 0]);
    write_u32(buf, ssrc);
    write_u16(buf, repair.base);
    let more = repair.mask >> 15;
    let last = if more == 0 { 0x8000 } else { 0 };
    write_u16(buf, reverse(repair.mask, 15) as u16 | last);
    if more != 0 {
        write_u32(buf, reverse(more, 31) as u32 | 1 << 31);
    }
    buf.extend_from_slice(&repair.sum.rest);
}
