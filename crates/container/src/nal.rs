//! Units of H.264 and H.265 in a byte stream (ITU-T H.264 Annex B, H.265 Annex B).

use crate::Codec;

/// What a unit says about the picture that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It comes before the first slice of a picture.
    Before,
    /// The first slice of a picture.
    First,
    /// Something of the picture that has begun.
    Within,
}

/// The codec that a stream's first unit shows.
pub(crate) fn codec(unit: &[u8]) -> Option<Codec> {
    let [first, rest @ ..] = unit else {
        return None;
    };
    let [second, ..] = rest else { return None };
    // H.265 §7.3.1.2: forbidden bit, type, layer, temporal id; a stream begins with its parameter sets, or a delimiter.
    let is_hevc = *second == 1 && matches!(first >> 1, 32..=35);
    match first & 0x9f {
        _ if is_hevc => Some(Codec::H265),
        7 | 9 => Some(Codec::H264),
        _ => None,
    }
}

/// Whether a unit may be one of this codec.
pub(crate) fn is_of(codec: Codec, unit: &[u8]) -> bool {
    let [first, rest @ ..] = unit else {
        return true;
    };
    if first & 0x80 != 0 {
        return false;
    }
    if codec == Codec::H265 {
        // H.265 §7.3.1.2, table 7-1: no temporal id is 0, and of the types without a meaning two are in use by others.
        let temporal = rest.first().is_some_and(|it| it & 7 != 0);
        return temporal && !matches!(first >> 1, 48..=61);
    }
    // H.264 table 7-1: without a meaning.
    !matches!(first & 0x1f, 0 | 24..=31)
}

/// Where a unit belongs.
pub(crate) fn place(codec: Codec, unit: &[u8]) -> Place {
    let [first, rest @ ..] = unit else {
        return Place::Within;
    };
    if codec == Codec::H265 {
        let begins = rest.get(1).is_some_and(|it| it & 0x80 != 0);
        return match first >> 1 & 0x3f {
            0..=31 if begins => Place::First,
            // H.265 §7.4.2.4.4: parameter sets, delimiters and prefix messages.
            32..=35 | 39 | 41..=44 | 48..=55 => Place::Before,
            _ => Place::Within,
        };
    }
    // H.264 §7.3.3: `first_mb_in_slice` 0 is a single 1 bit.
    let begins = rest.first().is_some_and(|it| it & 0x80 != 0);
    match first & 0x1f {
        1 | 2 | 5 if begins => Place::First,
        // H.264 §7.4.1.2.3.
        6..=9 | 14..=18 => Place::Before,
        _ => Place::Within,
    }
}

/// Whether a unit carries a slice of a picture, or its first partition.
pub(crate) fn is_slice(codec: Codec, unit: &[u8]) -> bool {
    unit.first().is_some_and(|first| match codec {
        Codec::H265 => matches!(first >> 1 & 0x3f, 0..=31),
        _ => matches!(first & 0x1f, 1 | 2 | 5),
    })
}

/// Whether something stands behind a unit's header, where something has to.
pub(crate) fn has_content(codec: Codec, unit: &[u8]) -> bool {
    let Some(first) = unit.first() else {
        return false;
    };
    // The ends of a sequence and of a stream are headers alone.
    match codec {
        Codec::H265 if matches!(first >> 1 & 0x3f, 36 | 37) => unit.len() > 1,
        Codec::H265 => unit.len() > 2,
        _ => unit.len() > 1 || matches!(first & 0x1f, 10 | 11),
    }
}
