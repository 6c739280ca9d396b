//! Text of certificates and keys (RFC 7468). What may be a key is in memory that is wiped, and is never moved while it grows.

use zeroize::Zeroizing;

use crate::Error;

/// What stands between two lines of dashes.
pub(crate) struct Block<'t> {
    pub(crate) label: &'t str,
    pub(crate) contents: Zeroizing<Vec<u8>>,
}

/// The blocks of a text; what stands between them is passed over.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = Result<Block<'_>, Error>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, found) = rest.split_once(BEGIN)?;
        let block = block(found);
        rest = block.as_ref().map_or("", |(_, tail)| tail);
        Some(block.map_or(Err(Error::InvalidCertificate), |(block, _)| Ok(block)))
    })
}

/// The block whose label begins here, and what stands behind it.
fn block(text: &str) -> Option<(Block<'_>, &str)> {
    let (label, text) = text.split_once(DASHES)?;
    let (base64, text) = text.split_once(END)?;
    let text = text.strip_prefix(label)?.strip_prefix(DASHES)?;
    let contents = decode(base64)?;
    Some((Block { label, contents }, text))
}

/// Bytes of base64 among white space; `None` for anything else.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let (mut bits, mut count, mut padding) = (0_u32, 0, 0);
    for digit in text.bytes().filter(|it| !it.is_ascii_whitespace()) {
        let sextet = match digit {
            b'=' => 0,
            _ if padding > 0 => return None,
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        padding += usize::from(digit == b'=');
        bits = bits << 6 | u32::from(sextet);
        count += 1;
        if count == 4 {
            let group = [bits >> 16, bits >> 8, bits].map(|it| it as u8);
            bytes.extend(group.get(..3_usize.checked_sub(padding)?)?);
            (bits, count) = (0, 0);
            if padding > 2 {
                return None;
            }
        }
    }
    (count == 0).then_some(bytes)
}

/// Appends a block, in lines of 64.
pub(crate) fn write(label: &str, der: &[u8], text: &mut String) {
    let digit = |sextet: u32| match sextet & 63 {
        n @ 0..26 => (b'A' + n as u8) as char,
        n @ 26..52 => (b'a' + (n - 26) as u8) as char,
        n @ 52..62 => (b'0' + (n - 52) as u8) as char,
        62 => '+',
        _ => '/',
    };
    text.extend([BEGIN, label, DASHES, "\n"]);
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |index| group.get(index).copied().map_or(0, u32::from);
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for index in 0..4_usize {
                let padding = index > group.len();
                text.push(match padding {
                    true => '=',
                    false => digit(bits >> (18 - 6 * index)),
                });
            }
        }
        text.push('\n');
    }
    text.extend([END, label, DASHES, "\n"]);
}

/// How many bytes [`write`] appends.
pub(crate) fn len(label: &str, der: &[u8]) -> usize {
    let frame = BEGIN.len() + END.len() + 2 * (label.len() + DASHES.len() + 1);
    frame + der.len().div_ceil(3) * 4 + der.len().div_ceil(48)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_length_survive_a_round_trip_in_the_room_that_was_made() {
        for length in 0..200_u8 {
            let der: Vec<u8> = (0..length).map(|at| at.wrapping_mul(37)).collect();
            let room = len("A KEY", &der);
            let mut text = String::with_capacity(room);
            let place = text.as_ptr();
            write("A KEY", &der, &mut text);
            assert_eq!(text.len(), room, "{length}");
            assert_eq!(text.as_ptr(), place, "nothing is left where it was before");
            assert!(text.lines().all(|line| line.len() <= 64));
            let surrounded = format!("words\n{text}more\r\n{text}");
            let read: Vec<_> = blocks(&surrounded).map(Result::unwrap).collect();
            assert_eq!(read.len(), 2);
            for block in read {
                assert_eq!((block.label, &block.contents[..]), ("A KEY", &der[..]));
                let room = text.len() / 4 * 3 + 3;
                assert!(block.contents.capacity() <= room);
            }
        }
    }

    #[test]
    fn what_is_no_base64_or_has_no_end_is_refused() {
        let read = |text: &str| {
            let mut blocks = blocks(text).map(|it| it.map(|block| block.contents.to_vec()));
            (blocks.next(), blocks.next())
        };
        let body = |base64: &str| format!("-----BEGIN X-----\n{base64}\n-----END X-----\n");
        for (base64, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Z m\r\n8=", b"fo"),
            ("Zm9v", b"foo"),
            ("+/+/", &[0xFB, 0xFF, 0xBF]),
        ] {
            assert_eq!(read(&body(base64)), (Some(Ok(bytes.to_vec())), None));
        }
        let refused = (Some(Err(Error::InvalidCertificate)), None);
        for base64 in [
            "Zg=", "Zg", "Z", "Zg==Zg==", "Z===", "====", "Zm9v=", "Zm9v!", "Zg==\0", "Pr-c: 4",
        ] {
            assert_eq!(read(&body(base64)), refused, "{base64}");
        }
        for text in [
            "-----BEGIN X",
            "-----BEGIN X-----\nZg==",
            "-----BEGIN X-----\nZg==\n-----END Y-----",
            "-----BEGIN X-----\nZg==\n-----END X",
        ] {
            assert_eq!(read(text), refused, "{text}");
        }
        assert_eq!(read("nothing at all"), (None, None));
    }
}
