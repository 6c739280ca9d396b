//! VP8 (RFC 7741).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |X|R|N|S|R| PID |
//! |I|L|T|K|  RSV  |   if X
//! |M| PictureID   |   if I: 7 bits, or 15 if M
//! |   TL0PICIDX   |   if L
//! |TID|Y| KEYIDX  |   if T or K
//! ```

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use super::piece::{Facts, Joined, Prefix, Refused};
use crate::reader::Reader;

/// The payload descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// No later frame needs this one.
    pub discardable: bool,
    /// A partition begins here.
    pub begins: bool,
    /// Which partition.
    pub partition: u8,
    /// The picture's number; more than 7 bits are written as 15.
    pub picture: Option<u16>,
    /// Counts the frames of the lowest temporal layer.
    pub tl0: Option<u8>,
    /// The temporal layer, and whether it needs only the lowest (Y).
    pub temporal: Option<(u8, bool)>,
    /// Counts the key frames, 5 bits.
    pub key: Option<u8>,
}

impl Descriptor {
    /// Reads the descriptor; the rest of the payload follows it.
    pub fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(payload);
        let first = reader.u8()?;
        let mut descriptor = Self {
            discardable: first & 0x20 != 0,
            begins: first & 0x10 != 0,
            partition: first & 7,
            ..Self::default()
        };
        let more = if first & 0x80 == 0 { 0 } else { reader.u8()? };
        if more & 0x80 != 0 {
            descriptor.picture = Some(read_picture(&mut reader)?);
        }
        if more & 0x40 != 0 {
            descriptor.tl0 = Some(reader.u8()?);
        }
        if more & 0x30 != 0 {
            let byte = reader.u8()?;
            descriptor.temporal = (more & 0x20 != 0).then_some((byte >> 6, byte & 0x20 != 0));
            descriptor.key = (more & 0x10 != 0).then_some(byte & 31);
        }
        Some((descriptor, reader.0))
    }

    /// The descriptor as bytes, with a picture number of 15 bits.
    pub fn to_prefix(&self) -> Prefix {
        let mut prefix = Prefix::default();
        let bit = |on: bool, at: u8| u8::from(on) << at;
        let more = bit(self.picture.is_some(), 7)
            | bit(self.tl0.is_some(), 6)
            | bit(self.temporal.is_some(), 5)
            | bit(self.key.is_some(), 4);
        prefix.push(
            bit(more != 0, 7) | bit(self.discardable, 5) | bit(self.begins, 4) | self.partition & 7,
        );
        if more != 0 {
            prefix.push(more);
        }
        if let Some(picture) = self.picture {
            prefix.push_u16(picture | 0x8000);
        }
        if let Some(tl0) = self.tl0 {
            prefix.push(tl0);
        }
        if self.temporal.is_some() || self.key.is_some() {
            let (temporal, switch) = self.temporal.unwrap_or_default();
            prefix.push(temporal << 6 | bit(switch, 5) | self.key.unwrap_or(0) & 31);
        }
        prefix
    }
}

/// A number of 7 bits, or of 15 if its first bit is set.
pub(super) fn read_picture(reader: &mut Reader<'_>) -> Option<u16> {
    let first = reader.u8()?;
    if first & 0x80 == 0 {
        return Some(first.into());
    }
    Some(u16::from(first & 0x7f) << 8 | u16::from(reader.u8()?))
}

/// Writes picture number and TL0PICIDX over those of a payload, each in the width that it has there.
pub fn patch(payload: &mut [u8], picture: u16, tl0: Option<u8>) {
    let Some((first, rest)) = payload.split_first_mut() else {
        return;
    };
    let Some((more, mut rest)) = rest.split_first_mut().filter(|_| *first & 0x80 != 0) else {
        return;
    };
    if *more & 0x80 != 0 {
        rest = write_picture(rest, picture);
    }
    if let (Some(tl0), Some(byte)) = (tl0.filter(|_| *more & 0x40 != 0), rest.first_mut()) {
        *byte = tl0;
    }
}

/// Writes a number over the one that stands there, in its width. Returns what follows.
pub(super) fn write_picture(bytes: &mut [u8], picture: u16) -> &mut [u8] {
    let len = match bytes.first() {
        Some(first) if first & 0x80 != 0 => 2,
        _ => 1,
    };
    let Some((number, rest)) = bytes.split_at_mut_checked(len) else {
        return &mut [];
    };
    match number {
        [short] => *short = picture as u8 & 0x7f,
        long => BigEndian::write_u16(long, picture | 0x8000),
    }
    rest
}

pub(super) fn peek(payload: &[u8]) -> Option<Facts> {
    let (descriptor, frame) = Descriptor::parse(payload)?;
    let begins = descriptor.begins && descriptor.partition == 0;
    let (temporal, switch) = descriptor.temporal.unwrap_or_default();
    frame.first()?;
    Some(Facts {
        begins,
        key: begins && is_key(frame),
        temporal,
        switch,
        discardable: descriptor.discardable,
        picture: descriptor.picture,
        tl0: descriptor.tl0,
        size: if begins { size(frame) } else { None },
        ..Facts::default()
    })
}

pub(super) fn join<'a>(
    payloads: impl Iterator<Item = &'a [u8]>,
    frame: &mut Joined<'_>,
) -> Result<(), Refused> {
    let mut picture = None;
    for (at, payload) in payloads.enumerate() {
        let (descriptor, part) = Descriptor::parse(payload).ok_or(Refused::Malformed)?;
        let begins = descriptor.begins && descriptor.partition == 0;
        let same = *picture.get_or_insert(descriptor.picture) == descriptor.picture;
        if begins != (at == 0) || !same {
            return Err(Refused::Malformed);
        }
        frame.append(part)?;
    }
    Ok(())
}

/// True if the frame needs none before it (RFC 6386 §9.1).
pub fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 == 0)
}

/// Width and height of a key frame.
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    let [first, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *frame else {
        return None;
    };
    let number = |low, high| LittleEndian::read_u16(&[low, high]) & 0x3fff;
    (first & 1 == 0).then(|| (number(w0, w1), number(h0, h1)))
}

/// The longest descriptor that we write.
pub(super) const MOST_DESCRIPTOR: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn descriptors_come_back(flags: (bool, bool), partition in 0_u8..8, picture in prop::option::of(0_u16..0x8000), tl0: Option<u8>, temporal in prop::option::of((0_u8..4, any::<bool>())), key in prop::option::of(0_u8..32)) {
            let descriptor = Descriptor { discardable: flags.0, begins: flags.1, partition, picture, tl0, temporal, key };
            let prefix = descriptor.to_prefix();
            prop_assert!(prefix.as_bytes().len() <= MOST_DESCRIPTOR);
            prop_assert_eq!(Descriptor::parse(prefix.as_bytes()), Some((descriptor, &[][..])));
            let mut payload = prefix.as_bytes().to_vec();
            patch(&mut payload, 0x1234, Some(9));
            let (patched, _) = Descriptor::parse(&payload).unwrap();
            let expected = Descriptor { picture: picture.map(|_| 0x1234), tl0: tl0.map(|_| 9), ..descriptor };
            prop_assert_eq!(patched, expected);
        }
    }

    #[test]
    fn short_picture_numbers_stay_short() {
        let mut payload = [0x90, 0xc0, 0x11, 7, 0];
        patch(&mut payload, 0x1234, Some(9));
        assert_eq!(payload, [0x90, 0xc0, 0x34, 9, 0]);
    }
}
