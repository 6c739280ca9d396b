//! H.264 (RFC 6184): single units, STAP-A, FU-A.

use bytes::Bytes;

use super::{
    nal::{Cutting, ParameterSets, push_unit, unescaped, units},
    piece::{Facts, Joined, Piece, Prefix, Refused},
};
use crate::reader::{Bits, Reader};

pub(super) fn cut(
    frame: &Bytes,
    most: usize,
    single_unit: bool,
    sets: &mut ParameterSets,
    pieces: &mut Vec<Piece>,
) -> Result<(), Refused> {
    let mut list: Vec<Bytes> = units(frame).map(|unit| frame.slice(unit)).collect();
    let kind = |unit: &Bytes| unit.first().map_or(0, |first| first & 31);
    if list.is_empty() || list.iter().any(|unit| !(1..24).contains(&kind(unit))) {
        return Err(Refused::Malformed);
    }
    if list.iter().any(|unit| kind(unit) == SPS) {
        let of_sets = list.iter().filter(|unit| matches!(kind(unit), SPS | PPS));
        sets.last = of_sets.map(|unit| Bytes::copy_from_slice(unit)).collect();
    } else if let Some(at) = list.iter().position(|unit| kind(unit) == IDR) {
        // RFC 7742 §6.2: parameter sets go in the stream, so a key frame never goes without them.
        list.splice(at..at, sets.last.iter().cloned());
    }
    if single_unit {
        if list.iter().any(|unit| unit.len() > most) {
            return Err(Refused::TooLarge);
        }
        for payload in list {
            pieces.push(Piece {
                prefix: Prefix::default(),
                facts: peek(&payload).ok_or(Refused::Malformed)?,
                payload,
                marker: false,
            });
        }
        return Ok(());
    }
    let cutting = Cutting {
        most,
        header: 1,
        // RFC 6184 §5.7: the highest importance of those inside.
        aggregate: |units| {
            let heads = || units.iter().filter_map(|unit| unit.first());
            let forbidden = heads().fold(0, |it, head| it | head & 0x80);
            let importance = heads().map(|head| head & 0x60).max().unwrap_or(0);
            Prefix::new(&[forbidden | importance | STAP_A])
        },
        fragment: |unit, first, last| {
            let head = unit.first()?;
            let ends = u8::from(first) << 7 | u8::from(last) << 6;
            Some(Prefix::new(&[head & 0xe0 | FU_A, ends | head & 31]))
        },
        peek,
    };
    cutting.cut(&list, pieces)
}

pub(super) fn peek(payload: &[u8]) -> Option<Facts> {
    let first = *payload.first()?;
    let mut facts = Facts::default();
    match first & 31 {
        1..24 => note(&mut facts, payload, true),
        STAP_A => {
            let mut reader = Reader(payload.get(1..)?);
            let mut at_beginning = true;
            while !reader.is_empty() {
                let len = reader.u16()?;
                note(&mut facts, reader.take(len.into())?, at_beginning);
                at_beginning = false;
            }
        }
        FU_A => {
            let head = *payload.get(1)?;
            payload.get(2)?;
            facts.key = head & 31 == IDR;
        }
        _ => return None,
    }
    facts.discardable = first & 0x60 == 0;
    Some(facts)
}

/// What one unit tells of its frame.
fn note(facts: &mut Facts, unit: &[u8], at_beginning: bool) {
    let Some(kind) = unit.first().map(|first| first & 31) else {
        return;
    };
    // A delimiter or a sequence parameter set stands before all slices of its frame (H.264 §7.4.1.2.3).
    facts.begins |= at_beginning && matches!(kind, SPS | DELIMITER);
    facts.key |= matches!(kind, IDR | SPS);
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
        let first = *payload.first().ok_or(Refused::Malformed)?;
        if inside.is_some() && first & 31 != FU_A {
            return Err(Refused::Malformed);
        }
        match first & 31 {
            1..24 => push_unit(frame, payload)?,
            STAP_A => {
                let mut reader = Reader(payload.get(1..).unwrap_or_default());
                while !reader.is_empty() {
                    let len = reader.u16().ok_or(Refused::Malformed)?;
                    push_unit(frame, reader.take(len.into()).ok_or(Refused::Malformed)?)?;
                }
            }
            FU_A => {
                let [indicator, head, part @ ..] = payload else {
                    return Err(Refused::Malformed);
                };
                let (begins, ends, kind) = (head & 0x80 != 0, head & 0x40 != 0, head & 31);
                if begins != inside.is_none() || inside.is_some_and(|it| it != kind) {
                    return Err(Refused::Malformed);
                }
                if begins {
                    push_unit(frame, &[indicator & 0xe0 | kind])?;
                }
                frame.append(part)?;
                inside = (!ends).then_some(kind);
            }
            // STAP-B, MTAP and FU-B need interleaved mode, which nobody negotiates.
            _ => return Err(Refused::Malformed),
        }
    }
    if inside.is_some() {
        return Err(Refused::Malformed);
    }
    Ok(())
}

/// Width and height that a sequence parameter set tells (H.264 §7.3.2.1.1).
pub fn size(unit: &[u8]) -> Option<(u16, u16)> {
    let raw = unescaped(unit.get(1..)?);
    let mut bits = Bits::new(&raw);
    let profile = bits.bits(8)?;
    bits.bits(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = bits.ue()?;
        if chroma == 3 {
            bits.bit()?;
        }
        bits.ue()?;
        bits.ue()?;
        bits.bit()?;
        if bits.bit()? {
            skip_scaling(&mut bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue()?.min(255) {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.bit()?;
    let (width, height) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.bit()?;
    }
    bits.bit()?;
    let mut crop = [0; 4];
    if bits.bit()? {
        for it in &mut crop {
            *it = bits.ue()?;
        }
    }
    let fields = if frames_only { 1 } else { 2 };
    let (across, down) = match chroma {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let [left, right, top, bottom] = crop;
    let cut = |blocks: u32, a: u32, b: u32, unit: u32| {
        let whole = blocks.checked_mul(16)?;
        u16::try_from(whole.checked_sub(a.checked_add(b)?.checked_mul(unit)?)?).ok()
    };
    Some((
        cut(width, left, right, across)?,
        cut(height.checked_mul(fields)?, top, bottom, down)?,
    ))
}

fn skip_scaling(bits: &mut Bits<'_>, lists: usize) -> Option<()> {
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        let (mut last, mut next) = (8_i32, 8_i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = last.wrapping_add(bits.se()?) & 255;
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
