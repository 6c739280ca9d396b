//! DTLS attributes (RFC 8122, 8842, 4145).

use std::fmt;

use crate::scan::{field, is_token};

/// `a=fingerprint`: the hash of a certificate (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// The hash function as it was written: `sha-256`. It compares without regard to case.
    pub algorithm: &'a str,
    hash: &'a str,
}

/// `a=setup`: which end is the DTLS client (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// This end is the client.
    Active,
    /// This end is the server.
    Passive,
    /// The other end chooses.
    ActPass,
    /// Neither, for now; forbidden in WebRTC (RFC 8842 §5.1).
    HoldConn,
}

impl<'a> Fingerprint<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (algorithm, hash) = field(value);
        let length = expected_length(algorithm);
        let mut count = 0_usize;
        for byte in hash.split(':') {
            if byte.len() != 2 || !byte.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            count += 1;
        }
        let correct = is_token(algorithm) && length.is_none_or(|length| length == count);
        correct.then_some(Self { algorithm, hash })
    }

    /// The bytes of the hash.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.hash
            .split(':')
            .filter_map(|byte| u8::from_str_radix(byte, 16).ok())
    }
}

impl Setup {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let value = value.trim_ascii();
        [Self::Active, Self::Passive, Self::ActPass, Self::HoldConn]
            .into_iter()
            .find(|setup| value.eq_ignore_ascii_case(setup.as_str()))
    }

    /// The word that stands in the description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

/// The length in bytes of a hash of a known function.
fn expected_length(algorithm: &str) -> Option<usize> {
    HASHES
        .iter()
        .find(|(name, _)| algorithm.eq_ignore_ascii_case(name))
        .map(|(_, length)| *length)
}

/// `a=tls-id`: 20 to 255 characters (RFC 8842 §4).
pub(crate) fn is_tls_id(value: &str) -> bool {
    (20..=255).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

impl fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.hash)
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// RFC 8122 §5
const HASHES: [(&str, usize); 7] = [
    ("sha-256", 32),
    ("sha-384", 48),
    ("sha-512", 64),
    ("sha-1", 20),
    ("sha-224", 28),
    ("md5", 16),
    ("md2", 16),
];
