//! Integers of the wire, which are big-endian. Arrays say how long they are, so nothing is read beyond its end.

use byteorder::{BigEndian, ByteOrder};

pub(crate) fn read_u16(bytes: [u8; 2]) -> u16 {
    BigEndian::read_u16(&bytes)
}

pub(crate) fn read_u32(bytes: [u8; 4]) -> u32 {
    BigEndian::read_u32(&bytes)
}

pub(crate) fn read_u64(bytes: [u8; 8]) -> u64 {
    BigEndian::read_u64(&bytes)
}

pub(crate) fn write_u16(bytes: &mut [u8; 2], value: u16) {
    BigEndian::write_u16(bytes, value);
}

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    let mut bytes = [0; 2];
    BigEndian::write_u16(&mut bytes, value);
    out.extend_from_slice(&bytes);
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    let mut bytes = [0; 4];
    BigEndian::write_u32(&mut bytes, value);
    out.extend_from_slice(&bytes);
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; 8];
    BigEndian::write_u64(&mut bytes, value);
    out.extend_from_slice(&bytes);
}
