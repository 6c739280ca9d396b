//! Header extensions whose values are encrypted one by one (RFC 6904).

use std::ops::Range;

use zeroize::Zeroizing;

use crate::{
    cipher::{Aes, iv},
    header::Header,
};

/// The key of the header extensions, in one direction.
pub(crate) struct HeaderKey {
    aes: Aes,
    salt: Zeroizing<[u8; 14]>,
}

impl HeaderKey {
    pub(crate) fn new(aes: Aes, salt: Zeroizing<[u8; 14]>) -> Self {
        Self { aes, salt }
    }

    /// Encrypts or decrypts, which is the same, the values of the extensions with these ids.
    pub(crate) fn apply(&self, packet: &mut [u8], header: &Header, index: u64, ids: &[bool; 256]) {
        let from = header.sources_end + Header::EXTENSION;
        let Some(extension) = packet.get_mut(from..header.len) else {
            return;
        };
        // RFC 6904 §3.2: the payload's initialization vector, with the salt of the headers.
        let iv = iv(&self.salt, header.ssrc, index);
        let mut elements = Elements::new(header.extension, extension);
        while let Some((id, value)) = elements.next(extension) {
            if ids.get(usize::from(id)).is_some_and(|encrypted| *encrypted) {
                // RFC 6904 §3.1: ids and lengths are skipped, their part of the keystream too.
                let at = value.start as u64;
                if let Some(value) = extension.get_mut(value) {
                    self.aes.apply(&iv, at, value);
                }
            }
        }
    }
}

/// The elements of an extension (RFC 8285 §4.2, §4.3), one after the other.
struct Elements {
    at: usize,
    end: usize,
    two_bytes: bool,
}

impl Elements {
    fn new(profile: Option<u16>, extension: &[u8]) -> Self {
        let two_bytes = profile.is_some_and(|profile| profile & 0xfff0 == 0x1000);
        let known = two_bytes || profile == Some(0xbede);
        Self {
            at: 0,
            end: if known { extension.len() } else { 0 },
            two_bytes,
        }
    }

    /// The next element's id, and where its value lies. Ids and lengths are never encrypted, so the bytes may be
    /// changed in between.
    fn next(&mut self, extension: &[u8]) -> Option<(u8, Range<usize>)> {
        loop {
            let rest = extension.get(self.at..self.end)?;
            let (id, head, len) = match *rest {
                [0, ..] => (0, 1, 0),
                [first, ..] if !self.two_bytes => {
                    // RFC 8285 §4.2: id 15 ends the reading, and so does id 0 with a length.
                    if matches!(first >> 4, 0 | 15) {
                        return None;
                    }
                    (first >> 4, 1, usize::from(first & 15) + 1)
                }
                [id, len, ..] => (id, 2, usize::from(len)),
                _ => return None,
            };
            let start = self.at + head;
            self.at = start + len;
            if self.at > self.end {
                return None;
            }
            if id != 0 {
                return Some((id, start..self.at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(profile: u16, extension: &[u8]) -> Vec<(u8, Range<usize>)> {
        let mut elements = Elements::new(Some(profile), extension);
        std::iter::from_fn(|| elements.next(extension)).collect()
    }

    #[test]
    fn finds_the_values() {
        let one = [0x10, 1, 0, 0x32, 2, 3, 4, 0, 0xf0, 1, 0x10, 1];
        assert_eq!(list(0xbede, &one), [(1, 1..2), (3, 4..7)]);
        let id_zero = [0x10, 1, 0x02, 9, 9, 9, 0x30, 5];
        assert_eq!(list(0xbede, &id_zero), [(1, 1..2)], "ends the reading");
        let two = [1, 0, 0, 2, 3, 1, 2, 3, 9, 200, 1];
        assert_eq!(list(0x1000, &two), [(1, 2..2), (2, 5..8)]);
        assert_eq!(list(0x100f, &two).len(), 2, "appbits are no part of it");
        assert_eq!(list(0xc0de, &one), [], "another profile");
        assert_eq!(list(0xbede, &[0x13, 1, 2]), [], "cut short");
        assert_eq!(list(0x1000, &[7]), [], "cut short");
    }
}
