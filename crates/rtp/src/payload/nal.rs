//! What H.264 and H.265 share: units in a byte stream, and parameter sets.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::piece::{Facts, Joined, Piece, Prefix, Refused, even};

/// The parameter sets that came last, to go before a key frame that comes without.
#[derive(Clone, Debug, Default)]
pub(super) struct ParameterSets {
    pub(super) last: Vec<Bytes>,
}

/// The units of a byte stream (H.264 Annex B), without start codes and the zeroes after them.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = next_code(stream, 0).map(|it| it.1);
    std::iter::from_fn(move || {
        let from = at?;
        let next = next_code(stream, from);
        at = next.map(|it| it.1);
        let end = next.map_or(stream.len(), |it| it.0);
        // Zeroes at the end belong to the next start code, or to nothing.
        let body = stream.get(from..end).unwrap_or_default();
        let zeroes = body.iter().rev().take_while(|byte| **byte == 0).count();
        Some(from..end - zeroes)
    })
    .filter(|unit| !unit.is_empty())
}

/// Where the next start code begins and ends.
fn next_code(stream: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = stream.get(from..)?;
    let at = rest.windows(3).position(|it| *it == [0, 0, 1])?;
    Some((from + at, from + at + 3))
}

/// Appends a unit with its start code.
pub(super) fn push_unit(frame: &mut Joined<'_>, unit: &[u8]) -> Result<(), Refused> {
    if unit.is_empty() {
        return Err(Refused::Malformed);
    }
    frame.append(&START)?;
    frame.append(unit)
}

/// What is not part of a parameter set but keeps start codes out of it, taken out (H.264 §7.3.1). Only so much as holds
/// the size.
pub(super) fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(unit.len().min(MOST_SET));
    let mut zeroes = 0;
    for byte in unit.iter().take(MOST_SET) {
        if zeroes >= 2 && *byte == 3 {
            zeroes = 0;
            continue;
        }
        zeroes = if *byte == 0 { zeroes + 1 } else { 0 };
        raw.push(*byte);
    }
    raw
}

/// How a format aggregates units, and cuts those that are too large.
pub(super) struct Cutting {
    pub(super) most: usize,
    /// The length of a unit's header.
    pub(super) header: usize,
    /// Makes the header of a payload with several units from the headers of them.
    pub(super) aggregate: fn(&[&[u8]]) -> Prefix,
    /// Makes the header of a piece of a unit: first, last.
    pub(super) fragment: fn(&[u8], bool, bool) -> Option<Prefix>,
    /// What a payload tells.
    pub(super) peek: fn(&[u8]) -> Option<Facts>,
}

impl Cutting {
    /// Appends the payloads of these units: small ones that follow each other go together, large ones are cut.
    pub(super) fn cut(&self, units: &[Bytes], pieces: &mut Vec<Piece>) -> Result<(), Refused> {
        let mut rest = units;
        while let Some((first, after)) = rest.split_first() {
            let mut len = self.header + 2 + first.len();
            let more = after.iter().take_while(|unit| {
                len += 2 + unit.len();
                len <= self.most
            });
            let count = 1 + more.count();
            if count > 1 {
                let (together, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                pieces.push(self.together(together));
                rest = after;
                continue;
            }
            rest = after;
            if first.len() <= self.most {
                pieces.push(Piece {
                    prefix: Prefix::default(),
                    payload: first.clone(),
                    facts: (self.peek)(first).ok_or(Refused::Malformed)?,
                    marker: false,
                });
            } else {
                self.apart(first, pieces)?;
            }
        }
        Ok(())
    }

    fn together(&self, units: &[Bytes]) -> Piece {
        let views: Vec<&[u8]> = units.iter().map(|unit| &unit[..]).collect();
        let mut payload = BytesMut::with_capacity(self.most);
        for unit in &views {
            payload.put_u16(unit.len() as u16);
            payload.put_slice(unit);
        }
        let mut piece = Piece {
            prefix: (self.aggregate)(&views),
            payload: payload.freeze(),
            facts: Facts::default(),
            marker: false,
        };
        piece.facts = (self.peek)(&piece.to_vec()).unwrap_or_default();
        piece
    }

    fn apart(&self, unit: &Bytes, pieces: &mut Vec<Piece>) -> Result<(), Refused> {
        let body = unit.slice(self.header.min(unit.len())..);
        let (count, len) = even(body.len(), self.most - self.header - 1);
        for at in 0..count {
            let (first, last) = (at == 0, at + 1 == count);
            let prefix = (self.fragment)(unit, first, last).ok_or(Refused::Malformed)?;
            let end = ((at + 1) * len).min(body.len());
            let payload = body.slice((at * len).min(end)..end);
            // One byte more than the header is enough to be looked at.
            let mut head = prefix;
            payload
                .first()
                .into_iter()
                .for_each(|byte| head.push(*byte));
            let facts = (self.peek)(head.as_bytes());
            pieces.push(Piece {
                prefix,
                payload,
                facts: facts.unwrap_or_default(),
                marker: false,
            });
        }
        Ok(())
    }
}

const START: [u8; 4] = [0, 0, 0, 1];
const MOST_SET: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_units() {
        let stream = [
            9, 0, 0, 0, 1, 5, 6, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8, 0, 0, 3, 1, 0,
        ];
        let found: Vec<_> = units(&stream).map(|it| stream[it].to_vec()).collect();
        assert_eq!(found, [vec![5, 6], vec![7], vec![8, 0, 0, 3, 1]]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
        assert_eq!(units(&[0, 0, 1]).count(), 0);
        assert_eq!(unescaped(&[1, 0, 0, 3, 1, 0, 0, 3]), [1, 0, 0, 1, 0, 0]);
    }
}
