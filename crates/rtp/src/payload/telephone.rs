//! Tones and events (RFC 4733).

use byteorder::{BigEndian, ByteOrder};

use crate::reader::Reader;

/// A named event, as far as it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Which: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D.
    pub code: u8,
    /// True if it has ended.
    pub ends: bool,
    /// How loud, 0 to 63, in -dBm0.
    pub volume: u8,
    /// How long it has lasted, in units of the timestamp.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        Self::all(payload).next()
    }

    /// All events of a payload (RFC 4733 §2.5.1.5).
    pub fn all(payload: &[u8]) -> impl Iterator<Item = Self> + '_ {
        let mut reader = Reader(payload);
        std::iter::from_fn(move || {
            let (code, second) = (reader.u8()?, reader.u8()?);
            Some(Self {
                code,
                ends: second & 0x80 != 0,
                volume: second & 63,
                duration: reader.u16()?,
            })
        })
    }

    /// The payload.
    pub fn to_bytes(self) -> [u8; 4] {
        let ends = u8::from(self.ends) << 7;
        let mut bytes = [self.code, ends | self.volume & 63, 0, 0];
        let [_, _, duration @ ..] = &mut bytes;
        BigEndian::write_u16(duration, self.duration);
        bytes
    }

    /// The tone of an event, as `insertDTMF` writes it. `None` for what is none: a flash, a ringing.
    pub const fn tone(code: u8) -> Option<char> {
        Some(match code {
            0..=9 => (b'0' + code) as char,
            10 => '*',
            11 => '#',
            12..=15 => (b'A' + code - 12) as char,
            _ => return None,
        })
    }

    /// The event of a tone that `insertDTMF` takes: digits, letters A to D in either case, `*`, `#`.
    pub const fn of_tone(tone: char) -> Option<u8> {
        Some(match tone {
            '0'..='9' => tone as u8 - b'0',
            '*' => 10,
            '#' => 11,
            'A'..='D' => tone as u8 - b'A' + 12,
            'a'..='d' => tone as u8 - b'a' + 12,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back() {
        for code in 0..=255 {
            let event = Event {
                code,
                ends: code % 2 == 0,
                volume: code & 63,
                duration: u16::from(code) * 200,
            };
            assert_eq!(Event::parse(&event.to_bytes()), Some(event));
            for len in 0..4 {
                assert_eq!(Event::parse(&event.to_bytes()[..len]), None);
            }
        }
        let codes: Vec<_> = "09*#AdE,".chars().map(Event::of_tone).collect();
        let some = [0, 9, 10, 11, 12, 15].map(Some);
        assert_eq!(codes, [&some[..], &[None, None]].concat());
        assert_eq!(Event::all(&[0; 11]).count(), 2);
    }
}
