//! Formats of audio whose every payload is a frame.

use bytes::Bytes;

use super::{
    codec::Codec,
    opus,
    piece::{Facts, Joined, Piece, Prefix, Refused, even},
};

pub(super) fn peek(codec: Codec, payload: &[u8]) -> Option<Facts> {
    is_valid(codec, payload).then_some(Facts {
        begins: true,
        ends: true,
        key: true,
        switch: true,
        ..Facts::default()
    })
}

fn is_valid(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => opus::duration(payload).is_some(),
        Codec::L16 => !payload.is_empty() && payload.len().is_multiple_of(2),
        Codec::TelephoneEvent => payload.len() >= 4,
        _ => !payload.is_empty(),
    }
}

pub(super) fn join<'a>(
    codec: Codec,
    payloads: impl Iterator<Item = &'a [u8]>,
    frame: &mut Joined<'_>,
) -> Result<(), Refused> {
    for payload in payloads {
        if !is_valid(codec, payload) {
            return Err(Refused::Malformed);
        }
        frame.append(payload)?;
    }
    Ok(())
}

/// Samples may be cut anywhere between two; what is coded goes whole.
pub(super) fn cut(
    codec: Codec,
    frame: &Bytes,
    most: usize,
    pieces: &mut Vec<Piece>,
) -> Result<(), Refused> {
    let facts = peek(codec, frame).ok_or(Refused::Malformed)?;
    let unit = match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
        // Four bytes: a sample of two channels is not torn apart.
        Codec::L16 => 4,
        _ if frame.len() > most => return Err(Refused::TooLarge),
        _ => frame.len(),
    };
    let (count, len) = if frame.len() > most {
        even(frame.len(), most / unit * unit)
    } else {
        (1, frame.len())
    };
    let len = len.next_multiple_of(unit);
    for at in 0..count {
        let end = ((at + 1) * len).min(frame.len());
        let payload = frame.slice((at * len).min(end)..end);
        if !payload.is_empty() {
            pieces.push(Piece {
                prefix: Prefix::default(),
                payload,
                facts,
                marker: false,
            });
        }
    }
    Ok(())
}
