//! Payload types that mean something without `a=rtpmap`.

/// The encoding name and clock rate of a fixed payload type.
pub(super) fn name(payload: u8) -> Option<(&'static str, u32)> {
    let mut fixed = FIXED.iter();
    let (_, name, rate) = fixed.find(|(it, ..)| *it == payload)?;
    Some((name, *rate))
}

/// Those that are fixed.
pub(super) fn payloads() -> impl Iterator<Item = u8> {
    FIXED.iter().map(|(payload, ..)| *payload)
}

/// RFC 3551 §6, of those that are in use.
const FIXED: [(u8, &str, u32); 4] = [
    (0, "PCMU", 8000),
    (8, "PCMA", 8000),
    (9, "G722", 8000),
    (13, "CN", 8000),
];
