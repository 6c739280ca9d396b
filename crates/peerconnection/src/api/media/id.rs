//! Ids that nobody has had before (Media Capture §4.3: those of tracks and streams).

use std::fmt::Write as _;

use ring::rand::SecureRandom;

/// A random UUID (RFC 9562 §5.4).
pub(super) fn unique() -> String {
    let mut bytes = [0; 16];
    #[expect(
        clippy::disallowed_methods,
        reason = "tracks and streams are made without an engine that could give a seed"
    )]
    let random = ring::rand::SystemRandom::new();
    // Without randomness ids repeat, which only names things: no connection works without it anyway.
    if random.fill(&mut bytes).is_err() {
        log::warn!("the system has no randomness for ids of tracks");
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let (one, two) = (unique(), unique());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        let at = |index| one.as_bytes()[index];
        assert_eq!((at(8), at(14), at(23)), (b'-', b'4', b'-'));
        assert!(matches!(at(19), b'8' | b'9' | b'a' | b'b'));
    }
}
