//! VP9 (RFC 9628).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |I|P|L|F|B|E|V|Z|
//! |M| PICTURE ID  |   if I: 7 bits, or 15 if M
//! | TID |U| SID |D|   if L
//! |   TL0PICIDX   |   if L and not F
//! | P_DIFF      |N|   if F and P, up to three
//! | N_S |Y|G|-|-|-|   if V: the scalability structure
//! ```

use super::{
    piece::{Facts, Joined, Prefix, Refused},
    vp8::{read_picture, write_picture},
};
use crate::reader::{Bits, Reader};

/// The payload descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The picture's number.
    pub picture: Option<u16>,
    /// The frame needs earlier pictures (P).
    pub inter: bool,
    /// Where it lies among layers.
    pub layers: Option<LayerIndices>,
    /// Counts the pictures of the lowest layers; only without flexible mode.
    pub tl0: Option<u8>,
    /// Flexible mode (F): how many pictures back those lie that are needed; zeroes are none.
    pub flexible: Option<[u8; 3]>,
    /// The first packet of a frame of a layer (B).
    pub begins: bool,
    /// The last packet of a frame of a layer (E).
    pub ends: bool,
    /// No frame of a higher spatial layer needs this one (Z).
    pub not_needed_above: bool,
    /// The size in the scalability structure: the highest layer's.
    pub size: Option<(u16, u16)>,
}

/// Where a frame lies among layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerIndices {
    /// The temporal layer, 0 to 7.
    pub temporal: u8,
    /// From here on its temporal layer may be taken in (U).
    pub switch: bool,
    /// The spatial layer, 0 to 7.
    pub spatial: u8,
    /// It needs the spatial layer below (D).
    pub needs_below: bool,
}

/// A frame of one spatial layer within a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerFrame {
    /// What its packets tell of it.
    pub descriptor: Descriptor,
    /// How many bytes of the picture are its own.
    pub bytes: usize,
}

/// As much of a frame's uncompressed header as tells a key frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncompressed {
    /// Width and height, if it is a key frame.
    pub size: Option<(u16, u16)>,
}

impl Descriptor {
    /// Reads the descriptor; the rest of the payload follows it.
    pub fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(payload);
        let first = reader.u8()?;
        let has = |bit: u8| first >> bit & 1 == 1;
        let mut descriptor = Self {
            inter: has(6),
            begins: has(3),
            ends: has(2),
            not_needed_above: has(0),
            ..Self::default()
        };
        if has(7) {
            descriptor.picture = Some(read_picture(&mut reader)?);
        }
        let is_flexible = has(4);
        if has(5) {
            let byte = reader.u8()?;
            descriptor.layers = Some(LayerIndices {
                temporal: byte >> 5,
                switch: byte & 0x10 != 0,
                spatial: byte >> 1 & 7,
                needs_below: byte & 1 != 0,
            });
            if !is_flexible {
                descriptor.tl0 = Some(reader.u8()?);
            }
        }
        if is_flexible {
            let mut differences = [0; 3];
            if descriptor.inter {
                let mut more = true;
                // RFC 9628 §4.2: at most three, the last without N.
                for difference in &mut differences {
                    if more {
                        let byte = reader.u8()?;
                        (*difference, more) = (byte >> 1, byte & 1 == 1);
                    }
                }
                if more {
                    return None;
                }
            }
            descriptor.flexible = Some(differences);
        }
        if has(1) {
            descriptor.size = read_structure(&mut reader)?;
        }
        Some((descriptor, reader.0))
    }

    /// The descriptor as bytes, with a picture number of 15 bits, and a scalability structure of one layer if there is
    /// a size.
    pub fn to_prefix(&self) -> Prefix {
        let mut prefix = Prefix::default();
        let bit = |on: bool, at: u8| u8::from(on) << at;
        prefix.push(
            bit(self.picture.is_some(), 7)
                | bit(self.inter, 6)
                | bit(self.layers.is_some(), 5)
                | bit(self.flexible.is_some(), 4)
                | bit(self.begins, 3)
                | bit(self.ends, 2)
                | bit(self.size.is_some(), 1)
                | bit(self.not_needed_above, 0),
        );
        if let Some(picture) = self.picture {
            prefix.push_u16(picture | 0x8000);
        }
        if let Some(it) = self.layers {
            prefix.push(
                it.temporal << 5
                    | bit(it.switch, 4)
                    | (it.spatial & 7) << 1
                    | bit(it.needs_below, 0),
            );
            if self.flexible.is_none() {
                prefix.push(self.tl0.unwrap_or(0));
            }
        }
        if let Some(differences) = self.flexible.filter(|_| self.inter) {
            let count = differences.iter().take_while(|it| **it != 0).count().max(1);
            for (at, difference) in differences.iter().take(count).enumerate() {
                prefix.push(difference << 1 | bit(at + 1 < count, 0));
            }
        }
        if let Some((width, height)) = self.size {
            prefix.push(0x10);
            prefix.push_u16(width);
            prefix.push_u16(height);
        }
        prefix
    }
}

/// Reads a scalability structure. Its size is the highest layer's.
fn read_structure(reader: &mut Reader<'_>) -> Option<Option<(u16, u16)>> {
    let first = reader.u8()?;
    let mut size = None;
    if first & 0x10 != 0 {
        for _ in 0..=first >> 5 {
            size = Some((reader.u16()?, reader.u16()?));
        }
    }
    if first & 8 != 0 {
        for _ in 0..reader.u8()? {
            let references = reader.u8()? >> 2 & 3;
            reader.take(references.into())?;
        }
    }
    Some(size)
}

/// Writes picture number and TL0PICIDX over those of a payload, each in the width that it has there.
pub fn patch(payload: &mut [u8], picture: u16, tl0: Option<u8>) {
    let Some((first, mut rest)) = payload.split_first_mut() else {
        return;
    };
    if *first & 0x80 != 0 {
        rest = write_picture(rest, picture);
    }
    // The layers' byte, then TL0PICIDX, only without flexible mode.
    if let (Some(tl0), [_, byte, ..]) = (tl0.filter(|_| *first & 0x30 == 0x20), rest) {
        *byte = tl0;
    }
}

impl Uncompressed {
    /// Reads the beginning of a frame (VP9 bitstream specification §6.2). `None` if it is no VP9.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(frame);
        if bits.bits(2)? != 2 {
            return None;
        }
        let profile = bits.bits(1)? | bits.bits(1)? << 1;
        if profile == 3 {
            bits.bit()?;
        }
        let shows_existing = bits.bit()?;
        if shows_existing || bits.bit()? {
            return Some(Self::default());
        }
        bits.bits(2)?;
        if bits.bits(24)? != 0x49_8342 {
            return None;
        }
        if profile >= 2 {
            bits.bit()?;
        }
        if bits.bits(3)? != 7 {
            bits.bit()?;
            if profile & 1 == 1 {
                bits.bits(3)?;
            }
        } else if profile & 1 == 1 {
            bits.bit()?;
        }
        let (width, height) = (bits.bits(16)? as u16, bits.bits(16)? as u16);
        let larger = |it: u16| it.saturating_add(1);
        Some(Self {
            size: Some((larger(width), larger(height))),
        })
    }
}

pub(super) fn peek(payload: &[u8]) -> Option<Facts> {
    let (descriptor, frame) = Descriptor::parse(payload)?;
    frame.first()?;
    let layers = descriptor.layers.unwrap_or_default();
    let begins = descriptor.begins && layers.spatial == 0;
    Some(Facts {
        begins,
        ends: descriptor.ends,
        key: !descriptor.inter && layers.spatial == 0,
        spatial: layers.spatial,
        temporal: layers.temporal,
        switch: layers.switch,
        discardable: false,
        picture: descriptor.picture,
        tl0: descriptor.tl0,
        size: descriptor.size.or_else(|| {
            let header = Uncompressed::parse(frame).filter(|_| begins);
            header.and_then(|it| it.size)
        }),
        frame: None,
    })
}

/// The frames of a picture, one for each spatial layer; its payloads are whole and in order.
pub(crate) fn layers<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<LayerFrame> {
    let mut layers: Vec<LayerFrame> = Vec::new();
    for (descriptor, part) in payloads.filter_map(Descriptor::parse) {
        if descriptor.begins {
            let bytes = 0;
            layers.push(LayerFrame { descriptor, bytes });
        }
        if let Some(last) = layers.last_mut() {
            last.bytes += part.len();
        }
    }
    layers
}

pub(super) fn join<'a>(
    payloads: impl Iterator<Item = &'a [u8]>,
    frame: &mut Joined<'_>,
) -> Result<(), Refused> {
    let (mut picture, mut inside) = (None, false);
    for payload in payloads {
        let (descriptor, part) = Descriptor::parse(payload).ok_or(Refused::Malformed)?;
        let same = *picture.get_or_insert(descriptor.picture) == descriptor.picture;
        // Frames of layers follow each other, each whole.
        if descriptor.begins == inside || !same {
            return Err(Refused::Malformed);
        }
        inside = !descriptor.ends;
        frame.append(part)?;
    }
    if inside {
        return Err(Refused::Malformed);
    }
    Ok(())
}

/// The longest descriptor that we write.
pub(super) const MOST_DESCRIPTOR: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn descriptors_come_back(flags: (bool, bool, bool, bool), picture in prop::option::of(0_u16..0x8000), layers in prop::option::of((0_u8..8, any::<bool>(), 0_u8..8, any::<bool>())), differences in prop::option::of(1_usize..4), size: Option<(u16, u16)>) {
            let flexible = differences.map(|count| std::array::from_fn(|at| if at < count && flags.0 { at as u8 * 40 + 1 } else { 0 }));
            let descriptor = Descriptor {
                picture, inter: flags.0, begins: flags.1, ends: flags.2, not_needed_above: flags.3, flexible, size,
                layers: layers.map(|it| LayerIndices { temporal: it.0, switch: it.1, spatial: it.2, needs_below: it.3 }),
                tl0: (layers.is_some() && flexible.is_none()).then_some(77),
            };
            let prefix = descriptor.to_prefix();
            prop_assert!(prefix.as_bytes().len() <= MOST_DESCRIPTOR);
            prop_assert_eq!(Descriptor::parse(prefix.as_bytes()), Some((descriptor, &[][..])));
            let mut payload = prefix.as_bytes().to_vec();
            patch(&mut payload, 0x1234, Some(9));
            let (patched, _) = Descriptor::parse(&payload).unwrap();
            let expected = Descriptor { picture: picture.map(|_| 0x1234), tl0: descriptor.tl0.map(|_| 9), ..descriptor };
            prop_assert_eq!(patched, expected);
        }
    }

    #[test]
    fn structures_are_read_over() {
        // Two spatial layers with sizes, a group of two pictures, one reference each.
        let payload = [
            0x0a, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x04, 1, 0x44, 2, 0x99,
        ];
        let (descriptor, rest) = Descriptor::parse(&payload).unwrap();
        assert_eq!((descriptor.size, rest), (Some((640, 360)), &[0x99][..]));
        for len in 0..payload.len() - 1 {
            assert_eq!(Descriptor::parse(&payload[..len]), None, "{len}");
        }
        assert_eq!(
            Descriptor::parse(&[0x50, 3, 5, 7, 9]),
            None,
            "four references"
        );
    }
}
