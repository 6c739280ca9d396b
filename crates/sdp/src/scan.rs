//! The terminals that the grammars share.

use std::str::FromStr;

/// A number of digits only: no sign, as every number of SDP.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.as_bytes().first()?.is_ascii_digit() {
        text.parse().ok()
    } else {
        None
    }
}

/// One or more digits of any size.
pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

// RFC 8866 §9: token-char
fn is_token_char(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x27 | 0x2A | 0x2B | 0x2D | 0x2E | 0x30..=0x39 | 0x41..=0x5A | 0x5E..=0x7E)
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_char)
}

// RFC 8839 §5.1: ice-char; '-', '=', '#' and '_' are no part of it, but deployed peers send them and others accept them
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'=' | b'#' | b'_')
}

pub(crate) fn is_ice_text(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(is_ice_char)
}

/// Splits at the first space: the first field and what follows it.
pub(crate) fn field(text: &str) -> (&str, &str) {
    let text = text.trim_ascii();
    match text.split_once(' ') {
        Some((first, rest)) => (first, rest.trim_ascii_start()),
        None => (text, ""),
    }
}

/// What stands between fields: SDP has spaces only, tabs are tolerated.
pub(crate) fn fields(text: &str) -> std::str::SplitAsciiWhitespace<'_> {
    text.split_ascii_whitespace()
}
