//! The elements of a header extension, one after the other (RFC 8285).

use crate::reader::Reader;

/// How header extensions are framed (RFC 8285 §4.2, §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Ids 1 to 14, values of 1 to 16 bytes.
    #[default]
    OneByte,
    /// Ids 1 to 255, values of 0 to 255 bytes.
    TwoBytes,
}

impl Form {
    /// How many bytes a value of so many takes; none where the form cannot hold it.
    pub fn len(self, value: usize) -> usize {
        match self {
            Self::OneByte if (1..=16).contains(&value) => 1 + value,
            Self::TwoBytes if value <= 255 => 2 + value,
            _ => 0,
        }
    }
}

/// The elements of one packet's header extension: an iterator of ids and values. What follows a broken element is left
/// out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elements<'a> {
    rest: Reader<'a>,
    two_bytes: bool,
}

impl<'a> Elements<'a> {
    /// The elements in `body`, framed as `profile` (the first 16 bits of the extension) says; none if it is another's.
    pub fn new(profile: u16, body: &'a [u8]) -> Self {
        // RFC 8285 §4.3: the low four bits are the application's.
        let two_bytes = profile & 0xfff0 == 0x1000;
        let known = two_bytes || profile == 0xbede;
        Self {
            rest: Reader(if known { body } else { &[] }),
            two_bytes,
        }
    }

    /// How they are framed.
    pub fn form(&self) -> Form {
        if self.two_bytes {
            Form::TwoBytes
        } else {
            Form::OneByte
        }
    }

    fn read(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let first = self.rest.u8()?;
            if first == 0 {
                continue; // RFC 8285 §4.1.1: padding
            }
            if self.two_bytes {
                let len = self.rest.u8()?;
                return Some((first, self.rest.take(len.into())?));
            }
            // RFC 8285 §4.2: id 15 ends the reading, and so does id 0 with a length.
            return match first >> 4 {
                0 | 15 => None,
                id => Some((id, self.rest.take(usize::from(first & 15) + 1)?)),
            };
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read();
        if next.is_none() {
            self.rest = Reader(&[]);
        }
        next
    }
}

impl PartialEq for Elements<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.rest.0, self.two_bytes) == (other.rest.0, other.two_bytes)
    }
}

impl Eq for Elements<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(profile: u16, body: &[u8]) -> Vec<(u8, &[u8])> {
        Elements::new(profile, body).collect()
    }

    #[test]
    fn both_forms() {
        let one = [0x10, 7, 0, 0x22, 1, 2, 3, 0, 0x30, 5, 0xf0, 1, 0x10, 1];
        assert_eq!(
            list(0xbede, &one),
            [(1, &[7][..]), (2, &[1, 2, 3]), (3, &[5])]
        );
        let id_zero = [0x10, 7, 0x02, 9, 9, 9, 0x30, 5];
        assert_eq!(list(0xbede, &id_zero), [(1, &[7][..])], "ends the reading");
        let two = [1, 0, 0, 2, 3, 1, 2, 3, 9, 200, 1];
        assert_eq!(list(0x1000, &two), [(1, &[][..]), (2, &[1, 2, 3])]);
        assert_eq!(list(0x100f, &two).len(), 2);
        assert_eq!(list(0x1234, &two), []);
        for len in 0..two.len() {
            list(0x1000, &two[..len]);
            list(0xbede, &one[..len]);
        }
    }
}
