//! H.265 (RFC 7798): single units, aggregation packets, fragmentation units; no decoding order numbers.

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;

use super::{
    nal::{Cutting, ParameterSets, push_unit, unescaped, units},
    piece::{Facts, Joined, Piece, Prefix, Refused},
};
use crate::reader::{Bits, Reader};

pub(super) fn cut(
    frame: &Bytes,
    most: usize,
    sets: &mut ParameterSets,
    pieces: &mut Vec<Piece>,
) -> Result<(), Refused> {
    let mut list: Vec<Bytes> = units(frame).map(|unit| frame.slice(unit)).collect();
    if list.is_empty() || list.iter().any(|unit| kind(unit).is_none_or(|it| it >= AP)) {
        return Err(Refused::Malformed);
    }
    if list.iter().any(|unit| kind(unit) == Some(SPS)) {
        let of_sets = list
            .iter()
            .filter(|unit| matches!(kind(unit), Some(VPS..=PPS)));
        sets.last = of_sets.map(|unit| Bytes::copy_from_slice(unit)).collect();
    } else if let Some(at) = list
        .iter()
        .position(|unit| kind(unit).is_some_and(is_random_access))
    {
        list.splice(at..at, sets.last.iter().cloned());
    }
    let cutting = Cutting {
        most,
        header: 2,
        // RFC 7798 §4.4.2: the lowest layer and temporal id of those inside.
        aggregate: |units| {
            let heads = || {
                units
                    .iter()
                    .filter_map(|unit| unit.first_chunk::<2>().copied())
            };
            let forbidden = heads().fold(0, |it, [high, _]| it | high & 0x80);
            let layer = heads()
                .map(|[high, low]| BigEndian::read_u16(&[high & 1, low & 0xf8]))
                .min();
            let temporal = heads().map(|[_, low]| low & 7).min().unwrap_or(1);
            let mut head = [0; 2];
            BigEndian::write_u16(&mut head, layer.unwrap_or(0));
            let [high, low] = head;
            Prefix::new(&[forbidden | AP << 1 | high, low | temporal])
        },
        fragment: |unit, first, last| {
            let &[high, low, ..] = unit else { return None };
            let ends = u8::from(first) << 7 | u8::from(last) << 6;
            Some(Prefix::new(&[
                high & 0x81 | FU << 1,
                low,
                ends | high >> 1 & 63,
            ]))
        },
        peek,
    };
    cutting.cut(&list, pieces)
}

fn kind(unit: &[u8]) -> Option<u8> {
    unit.get(1)?;
    unit.first().map(|first| first >> 1 & 63)
}

/// IDR, CRA and BLA pictures, and those reserved for more of that kind.
fn is_random_access(kind: u8) -> bool {
    (16..24).contains(&kind)
}

pub(super) fn peek(payload: &[u8]) -> Option<Facts> {
    let [_, second, ..] = *payload else {
        return None;
    };
    let mut facts = Facts {
        temporal: (second & 7).saturating_sub(1),
        ..Facts::default()
    };
    match kind(payload)? {
        AP => {
            let mut reader = Reader(payload.get(2..)?);
            let mut at_beginning = true;
            while !reader.is_empty() {
                let len = reader.u16()?;
                note(&mut facts, reader.take(len.into())?, at_beginning);
                at_beginning = false;
            }
        }
        FU => {
            let head = *payload.get(2)?;
            payload.get(3)?;
            facts.key = is_random_access(head & 63);
        }
        0..AP => note(&mut facts, payload, true),
        _ => return None,
    }
    Some(facts)
}

/// What one unit tells of its frame.
fn note(facts: &mut Facts, unit: &[u8], at_beginning: bool) {
    let Some(kind) = kind(unit) else { return };
    // These stand before all slices of their frame (H.265 §7.4.2.4.4).
    facts.begins |= at_beginning && matches!(kind, VPS | DELIMITER);
    facts.key |= is_random_access(kind) || kind == SPS;
    if kind == SPS {
        facts.size = size(unit);
    }
}

pub(super) fn join<'a>(
    payloads: impl Iterator<Item = &'a [u8]>,
    frame: &mut Joined<'_>,
) -> Result<(), Refused> {
    let mut inside = None;
    for payload in payloads {
        let of = kind(payload).ok_or(Refused::Malformed)?;
        if inside.is_some() && of != FU {
            return Err(Refused::Malformed);
        }
        match of {
            0..AP => push_unit(frame, payload)?,
            AP => {
                let mut reader = Reader(payload.get(2..).unwrap_or_default());
                while !reader.is_empty() {
                    let len = reader.u16().ok_or(Refused::Malformed)?;
                    push_unit(frame, reader.take(len.into()).ok_or(Refused::Malformed)?)?;
                }
            }
            FU => {
                let [high, low, head, part @ ..] = payload else {
                    return Err(Refused::Malformed);
                };
                let (begins, ends, kind) = (head & 0x80 != 0, head & 0x40 != 0, head & 63);
                if begins != inside.is_none() || inside.is_some_and(|it| it != kind) {
                    return Err(Refused::Malformed);
                }
                if begins {
                    push_unit(frame, &[high & 0x81 | kind << 1, *low])?;
                }
                frame.append(part)?;
                inside = (!ends).then_some(kind);
            }
            _ => return Err(Refused::Malformed),
        }
    }
    if inside.is_some() {
        return Err(Refused::Malformed);
    }
    Ok(())
}

/// Width and height that a sequence parameter set tells (H.265 §7.3.2.2.1).
pub fn size(unit: &[u8]) -> Option<(u16, u16)> {
    let raw = unescaped(unit.get(2..)?);
    let mut bits = Bits::new(&raw);
    bits.bits(4)?;
    let more_layers = bits.bits(3)?;
    bits.bit()?;
    bits.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..more_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if more_layers > 0 {
        bits.skip(2 * (8 - more_layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.ue()?;
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.bit()?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let mut crop = [0; 4];
    if bits.bit()? {
        for it in &mut crop {
            *it = bits.ue()?;
        }
    }
    let (across, down) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = crop;
    let cut = |whole: u32, a: u32, b: u32, unit: u32| {
        u16::try_from(whole.checked_sub(a.checked_add(b)?.checked_mul(unit)?)?).ok()
    };
    Some((
        cut(width, left, right, across)?,
        cut(height, top, bottom, down)?,
    ))
}

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
const AP: u8 = 48;
const FU: u8 = 49;
