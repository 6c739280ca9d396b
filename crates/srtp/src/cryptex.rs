//! All header extensions and contributing sources encrypted (RFC 9335): the marks on the packet.

use byteorder::{BigEndian, ByteOrder};

use crate::{Error, header::Header};

/// What an extension's first 16 bits become when it is encrypted. `None` leaves the packet as it is: RFC 9335 §5 is for
/// the extensions of RFC 8285 only.
fn mark(profile: u16) -> Result<Option<u16>, Error> {
    match profile {
        0xbede => Ok(Some(ONE_BYTE)),
        0x1000 => Ok(Some(TWO_BYTES)),
        0x1001..=0x100f => Err(Error::Appbits),
        _ => Ok(None),
    }
}

/// What has to be done before a packet is encrypted: `None` if Cryptex has nothing to do with it, otherwise the mark.
pub(crate) fn plan(header: &Header) -> Result<Option<u16>, Error> {
    match header.extension {
        Some(profile) => mark(profile),
        // RFC 9335 §5.1: sources alone get an empty extension, so that the receiver can tell.
        None if header.sources_end > Header::FIXED => Ok(Some(ONE_BYTE)),
        None => Ok(None),
    }
}

/// Writes the mark into the packet at `buf[start..]`, with an empty extension if there is none. The header is then as
/// returned.
pub(crate) fn begin(buf: &mut Vec<u8>, start: usize, header: Header, mark: u16) -> Header {
    let at = start + header.sources_end;
    if header.extension.is_none() {
        buf.extend_from_slice(&[0; Header::EXTENSION]);
        if let Some(moved) = buf.get_mut(at..) {
            moved.rotate_right(Header::EXTENSION);
        }
        if let Some(first) = buf.get_mut(start) {
            *first |= 0x10;
        }
    }
    if let Some(profile) = buf.get_mut(at..at + 2) {
        BigEndian::write_u16(profile, mark);
    }
    Header {
        extension: Some(mark),
        len: header.len.max(header.sources_end + Header::EXTENSION),
        ..header
    }
}

/// True if this packet says that it is encrypted so.
pub(crate) fn is_marked(header: &Header) -> bool {
    matches!(header.extension, Some(ONE_BYTE | TWO_BYTES))
}

/// Takes the mark off a packet that was decrypted.
pub(crate) fn end(packet: &mut [u8], header: &Header) {
    let profile = if header.extension == Some(ONE_BYTE) {
        0xbede
    } else {
        0x1000
    };
    let at = header.sources_end;
    if let Some(field) = packet.get_mut(at..at + 2) {
        BigEndian::write_u16(field, profile);
    }
}

/// The encrypted form of one-byte extensions.
const ONE_BYTE: u16 = 0xc0de;
/// The encrypted form of two-byte extensions.
const TWO_BYTES: u16 = 0xc2de;
