//! AV1 (RTP payload format for AV1, version 1.0).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |Z|Y| W |N|-|-|-|   then OBU elements, each with its length but the last if W says how many
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::piece::{Facts, Joined, Piece, Prefix, Refused, even};
use crate::reader::{Bits, Reader, leb128_len, write_leb128};

/// The units of a temporal unit in the low-overhead format (AV1 specification §5.2): header and extension without the
/// length, then the content. `None` if it is broken.
fn units(frame: &[u8]) -> Option<Vec<(Prefix, std::ops::Range<usize>)>> {
    let mut reader = Reader(frame);
    let mut list = Vec::new();
    while !reader.is_empty() {
        let first = reader.u8()?;
        if first & 0x80 != 0 {
            return None;
        }
        let mut head = Prefix::new(&[first & !2]);
        if first & 4 != 0 {
            head.push(reader.u8()?);
        }
        let len = if first & 2 != 0 {
            reader.leb128()? as usize
        } else {
            reader.len()
        };
        let start = frame.len() - reader.len();
        reader.take(len)?;
        list.push((head, start..start + len));
    }
    Some(list)
}

/// Parts a temporal unit where its units pass to the next spatial layer: the bytes of each. `None` if it is broken.
pub fn layers(frame: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut layers: Vec<std::ops::Range<usize>> = Vec::new();
    let mut below = None;
    for (head, body) in units(frame)? {
        let from = layers.last().map_or(0, |it| it.end);
        // What has no extension is of no layer, and stays with what came before.
        let spatial = head.as_bytes().get(1).map(|it| it >> 3 & 3);
        let rises = below.is_some_and(|below| spatial.is_some_and(|it| it > below));
        if layers.is_empty() || rises {
            layers.push(from..from);
        }
        below = spatial.or(below);
        layers.last_mut()?.end = body.end;
    }
    Some(layers)
}

pub(super) fn cut(frame: &Bytes, most: usize, pieces: &mut Vec<Piece>) -> Result<(), Refused> {
    let list = units(frame).ok_or(Refused::Malformed)?;
    let kind = |head: &Prefix| head.as_bytes().first().map_or(0, |it| it >> 3 & 15);
    // §5 of the format: delimiters and tile lists are left out; padding says nothing.
    let list = list
        .into_iter()
        .filter(|it| !matches!(kind(&it.0), DELIMITER | TILE_LIST | PADDING));
    let list: Vec<_> = list.collect();
    if list.is_empty() {
        return Err(Refused::Empty);
    }
    let sequence = list.iter().find(|it| kind(&it.0) == SEQUENCE);
    let facts = Facts {
        key: sequence.is_some(),
        size: sequence.and_then(|it| size(frame.get(it.1.clone())?)),
        ..Facts::default()
    };
    // One buffer for all payloads: the headers change, so the units are copied once.
    let total: usize = list
        .iter()
        .map(|it| it.0.as_bytes().len() + it.1.len())
        .sum();
    let lengths: usize = list
        .iter()
        .map(|it| leb128_len(it.1.len() as u32 + 2))
        .sum();
    let (count, target) = even(total + lengths, most - OVERHEAD);
    let target = (target + OVERHEAD).min(most);
    let mut out = BytesMut::with_capacity(total + lengths + (count + 2) * OVERHEAD);
    let mut ends = Vec::with_capacity(count + 1);
    let parts = list.iter().flat_map(|(head, body)| {
        [
            (head.as_bytes(), true),
            (frame.get(body.clone()).unwrap_or_default(), false),
        ]
    });
    let parts = parts.filter(|(part, _)| !part.is_empty());
    write_payloads(parts, target, facts.key, &mut out, &mut ends);
    let out = out.freeze();
    let mut from = 0;
    for to in ends {
        pieces.push(Piece {
            prefix: Prefix::default(),
            payload: out.slice(from..to),
            facts,
            marker: false,
        });
        from = to;
    }
    Ok(())
}

/// Writes the heads (true) and bodies of units into payloads of `target` bytes, and notes where each ends.
fn write_payloads<'a>(
    mut parts: impl Iterator<Item = (&'a [u8], bool)>,
    target: usize,
    key: bool,
    out: &mut BytesMut,
    ends: &mut Vec<usize>,
) {
    let mut open = parts.next();
    let mut continues = false;
    let mut is_first = true;
    while let Some((_, is_head)) = open {
        let mut elements: Vec<Vec<&[u8]>> = Vec::new();
        let mut room = target - 1;
        let begins_inside = continues || !is_head;
        while let Some((part, is_head)) = open {
            if is_head || elements.is_empty() {
                // A unit that would bring less than a few bytes begins in the next payload.
                if room < 8 && !elements.is_empty() {
                    break;
                }
                elements.push(Vec::new());
                room = room.saturating_sub(LENGTH);
            }
            let taken = part.len().min(room);
            let (now, later) = part.split_at_checked(taken).unwrap_or((part, &[]));
            room -= now.len();
            if let Some(element) = elements.last_mut() {
                element.push(now);
            }
            continues = !later.is_empty();
            if continues {
                open = Some((later, false));
                break;
            }
            open = parts.next();
            // The body of a head that just fitted comes next.
            continues = open.is_some_and(|it| !it.1) && room == 0;
            if continues {
                break;
            }
        }
        let flags = (begins_inside && !is_first, continues, is_first && key);
        write_payload(out, flags, &elements);
        ends.push(out.len());
        is_first = false;
    }
}

fn write_payload(out: &mut BytesMut, (z, y, n): (bool, bool, bool), elements: &[Vec<&[u8]>]) {
    let counted = elements.len() <= 3;
    let w = if counted { elements.len() as u8 } else { 0 };
    out.put_u8(u8::from(z) << 7 | u8::from(y) << 6 | w << 4 | u8::from(n) << 3);
    let mut length = Vec::with_capacity(LENGTH);
    for (at, element) in elements.iter().enumerate() {
        if !counted || at + 1 < elements.len() {
            length.clear();
            write_leb128(&mut length, element.iter().map(|it| it.len() as u32).sum());
            out.put_slice(&length);
        }
        element.iter().for_each(|part| out.put_slice(part));
    }
}

/// The elements of a payload. `None` if it is broken.
fn elements(payload: &[u8]) -> Option<(u8, Vec<&[u8]>)> {
    let mut reader = Reader(payload);
    let header = reader.u8()?;
    let count = header >> 4 & 3;
    let mut list = Vec::new();
    while !reader.is_empty() {
        let is_last = count != 0 && list.len() + 1 == usize::from(count);
        let len = if is_last {
            reader.len()
        } else {
            reader.leb128()? as usize
        };
        list.push(reader.take(len)?);
    }
    (!list.is_empty() && (count == 0 || list.len() == usize::from(count))).then_some((header, list))
}

pub(super) fn peek(payload: &[u8]) -> Option<Facts> {
    let mut reader = Reader(payload);
    let header = reader.u8()?;
    // The first element is enough: it tells the layer, and a sequence header stands first.
    let len = if header >> 4 & 3 == 1 {
        reader.len()
    } else {
        reader.leb128()? as usize
    };
    let first = reader.take(len)?;
    let mut facts = Facts {
        key: header & 8 != 0,
        begins: header & 0x88 == 8,
        ..Facts::default()
    };
    if header & 0x80 == 0 {
        let [head, rest @ ..] = first else {
            return None;
        };
        let mut body = rest;
        if head & 4 != 0 {
            let (extension, rest) = rest.split_first()?;
            (facts.temporal, facts.spatial, body) = (extension >> 5, extension >> 3 & 3, rest);
        }
        if head >> 3 & 15 == SEQUENCE {
            facts.size = size(body);
        }
    }
    Some(facts)
}

pub(super) fn join<'a>(
    payloads: impl Iterator<Item = &'a [u8]>,
    frame: &mut Joined<'_>,
) -> Result<(), Refused> {
    frame.append(&[DELIMITER << 3 | 2, 0])?;
    let start = frame.len();
    let mut unit: Vec<u8> = Vec::new();
    let mut inside = false;
    for payload in payloads {
        let (header, list) = elements(payload).ok_or(Refused::Malformed)?;
        if (header & 0x80 != 0) != inside {
            return Err(Refused::Malformed);
        }
        let count = list.len();
        for (at, element) in list.into_iter().enumerate() {
            frame.check(unit.len() + element.len())?;
            unit.extend_from_slice(element);
            inside = at + 1 == count && header & 0x40 != 0;
            if !inside {
                push_unit(frame, &unit)?;
                unit.clear();
            }
        }
    }
    if inside || frame.len() == start {
        return Err(Refused::Malformed);
    }
    Ok(())
}

/// Appends a unit with its length.
fn push_unit(frame: &mut Joined<'_>, unit: &[u8]) -> Result<(), Refused> {
    let &first = unit.first().ok_or(Refused::Malformed)?;
    let head = if first & 4 != 0 { 2 } else { 1 };
    let (head, mut body) = unit.split_at_checked(head).ok_or(Refused::Malformed)?;
    if first & 2 != 0 {
        // A sender should leave the length out, but need not.
        let mut reader = Reader(body);
        let len = reader.leb128().ok_or(Refused::Malformed)?;
        body = reader.take(len as usize).ok_or(Refused::Malformed)?;
    }
    if matches!(first >> 3 & 15, DELIMITER | TILE_LIST) {
        return Ok(());
    }
    frame.append(&[first | 2])?;
    frame.append(head.get(1..).unwrap_or_default())?;
    let mut length = Vec::with_capacity(5);
    write_leb128(&mut length, body.len() as u32);
    frame.append(&length)?;
    frame.append(body)
}

/// The greatest width and height that a sequence header allows (AV1 specification §5.5.1).
pub fn size(sequence: &[u8]) -> Option<(u16, u16)> {
    let mut bits = Bits::new(sequence);
    bits.bits(3)?;
    bits.bit()?;
    if bits.bit()? {
        bits.bits(5)?;
    } else {
        let mut delays = None;
        if bits.bit()? {
            bits.skip(64)?;
            if bits.bit()? {
                bits.ue()?;
            }
            if bits.bit()? {
                delays = Some(bits.bits(5)? + 1);
                bits.skip(42)?;
            }
        }
        let has_display_delay = bits.bit()?;
        for _ in 0..=bits.bits(5)? {
            bits.bits(12)?;
            if bits.bits(5)? > 7 {
                bits.bit()?;
            }
            if let Some(delay) = delays
                && bits.bit()?
            {
                bits.skip(2 * delay as usize + 1)?;
            }
            if has_display_delay && bits.bit()? {
                bits.bits(4)?;
            }
        }
    }
    let (across, down) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let larger = |it: u32| u16::try_from(it + 1).ok();
    Some((larger(bits.bits(across)?)?, larger(bits.bits(down)?)?))
}

const SEQUENCE: u8 = 1;
const DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;
/// The length of an element in a payload below 16 KiB.
const LENGTH: usize = 2;
/// What a payload costs beside its elements: the header and the length of a piece.
const OVERHEAD: usize = 1 + 2 * LENGTH;
