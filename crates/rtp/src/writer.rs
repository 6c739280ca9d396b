//! Integers, appended as they stand on the wire.

use byteorder::{BigEndian, ByteOrder};

pub(crate) fn write_u16(buf: &mut Vec<u8>, number: u16) {
    let mut bytes = [0; 2];
    BigEndian::write_u16(&mut bytes, number);
    buf.extend_from_slice(&bytes);
}

/// The low 24 bits.
pub(crate) fn write_u24(buf: &mut Vec<u8>, number: u32) {
    let mut bytes = [0; 3];
    BigEndian::write_u24(&mut bytes, number & 0xff_ffff);
    buf.extend_from_slice(&bytes);
}

pub(crate) fn write_u32(buf: &mut Vec<u8>, number: u32) {
    let mut bytes = [0; 4];
    BigEndian::write_u32(&mut bytes, number);
    buf.extend_from_slice(&bytes);
}

pub(crate) fn write_u64(buf: &mut Vec<u8>, number: u64) {
    let mut bytes = [0; 8];
    BigEndian::write_u64(&mut bytes, number);
    buf.extend_from_slice(&bytes);
}
