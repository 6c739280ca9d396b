//! Text of certificates and keys (RFC 7468). What may be a key is in memory that is wiped, and is never moved while it grows.

use base64::{Engine as _, decoded_len_estimate, engine::general_purpose::STANDARD};
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
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    digits.extend(text.bytes().filter(|it| !it.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; decoded_len_estimate(digits.len())]);
    let length = STANDARD.decode_slice(&digits[..], &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// Appends a block, in lines of 64.
pub(crate) fn write(label: &str, der: &[u8], text: &mut String) {
    text.extend([BEGIN, label, DASHES, "\n"]);
    let mut line = Zeroizing::new([0; 64]);
    for part in der.chunks(48) {
        // It fits, and is ASCII.
        let length = STANDARD.encode_slice(part, &mut line[..]).unwrap_or(0);
        let digits = line.get(..length).map(str::from_utf8);
        text.push_str(digits.and_then(Result::ok).unwrap_or_default());
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
            let of_windows = text.replace('\n', "\r\n");
            let surrounded = format!("words\n{text}more\r\n{of_windows}{text}");
            let read: Vec<_> = blocks(&surrounded).map(Result::unwrap).collect();
            assert_eq!(read.len(), 3);
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
