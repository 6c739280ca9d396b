//! ULPFEC (RFC 5109 §7.3, §7.4), one level.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |E|L|P|X|  CC   |M| PT recovery |            SN base            |
//! |                          TS recovery                          |
//! |        length recovery        |       protection length       |
//! |             mask              |   mask, continued, if L       |
//! ```

use super::{Repair, Sum};
use crate::{
    reader::Reader,
    writer::{write_u16, write_u32},
};

/// Reads a packet of parity: the block within RED.
pub fn parse(payload: &[u8]) -> Option<Repair> {
    let mut reader = Reader(payload);
    let (first, second) = (reader.u8()?, reader.u8()?);
    let base = reader.u16()?;
    let mut sum = Sum {
        head: [first & 0x3f, second],
        timestamp: reader.u32()?,
        len: reader.u16()?,
        rest: Vec::new(),
    };
    let protected = reader.u16()?;
    let short = u128::from(reader.u16()?);
    let mut mask = reverse(short, 16);
    if first & 0x40 != 0 {
        let more = u128::from(reader.u32()?);
        mask |= reverse(more, 32) << 16;
    }
    sum.rest = reader.take(protected.into())?.to_vec();
    (mask != 0).then_some(Repair { base, mask, sum })
}

/// Appends a packet of parity, of at most 48 packets.
pub fn write(buf: &mut Vec<u8>, repair: &Repair) {
    let is_long = repair.mask >> 16 != 0;
    let [first, second] = repair.sum.head;
    buf.extend_from_slice(&[first & 0x3f | u8::from(is_long) << 6, second]);
    write_u16(buf, repair.base);
    write_u32(buf, repair.sum.timestamp);
    write_u16(buf, repair.sum.len);
    write_u16(buf, repair.sum.rest.len() as u16);
    write_u16(buf, reverse(repair.mask, 16) as u16);
    if is_long {
        write_u32(buf, reverse(repair.mask >> 16, 32) as u32);
    }
    buf.extend_from_slice(&repair.sum.rest);
}

/// The lowest `count` bits in the other order: on the wire the first packet is the highest bit.
pub(super) fn reverse(mask: u128, count: u32) -> u128 {
    mask.reverse_bits() >> (128 - count)
}
