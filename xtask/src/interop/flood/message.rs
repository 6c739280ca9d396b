//! What is forged.

/// One message of each kind in turn: what a check looks like, and everything else that STUN has. Nothing of it is authentic.
pub(super) fn write(buf: &mut Vec<u8>, number: u64, fragment: &str) {
    let start = buf.len();
    let kind = number % 8;
    let class: u16 = match kind {
        5 => SUCCESS,
        6 => ERROR,
        7 => INDICATION,
        _ => REQUEST,
    };
    buf.extend_from_slice(&class.to_be_bytes());
    buf.extend_from_slice(&[0; 2]);
    buf.extend_from_slice(&COOKIE.to_be_bytes());
    let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    buf.extend_from_slice(&id.to_be_bytes());
    buf.extend_from_slice(&[0; 4]);
    let integrity = id.to_be_bytes().repeat(3);
    match class {
        SUCCESS => attribute(buf, 0x0020, &[0, 1, 0x21, 0x1B, 0x2B, 0x5F, 0xA4, 0x21]),
        ERROR => attribute(buf, 0x0009, &[0, 0, 4, 87]),
        _ => {
            let name = match kind {
                4 => format!("nobody{number}:somebody"),
                _ => format!("{fragment}:somebody"),
            };
            attribute(buf, 0x0006, name.as_bytes());
            attribute(buf, 0x0024, &[0x6E, 0, 0x1E, 0xFF]);
            let role = if kind < 2 { 0x8029 } else { 0x802A };
            attribute(buf, role, &[0xFF; 8]);
            attribute(buf, 0x0025, &[]);
        }
    }
    if kind != 3 {
        attribute(buf, 0x0008, integrity.get(..20).unwrap_or_default());
    }
    let length = u16::try_from(buf.len() - start - HEADER).unwrap_or(u16::MAX);
    if let Some(field) = buf.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// RFC 8489 §14: type, length, value, and padding to four bytes.
fn attribute(buf: &mut Vec<u8>, kind: u16, value: &[u8]) {
    buf.extend_from_slice(&kind.to_be_bytes());
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    buf.extend_from_slice(&length.to_be_bytes());
    buf.extend_from_slice(value);
    buf.resize(buf.len().next_multiple_of(4), 0);
}

const HEADER: usize = 20;
const COOKIE: u32 = 0x2112_A442;
const REQUEST: u16 = 0x0001;
const INDICATION: u16 = 0x0011;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;
