//! Which protocol a datagram belongs to (RFC 7983 §7, RFC 5761 §4, RFC 9443).

/// What a payload is by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// DTLS.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP: the payload type tells it from SRTP.
    Rtcp,
    /// Nothing that is known. STUN and TURN never come this far.
    Unknown,
}

impl Kind {
    pub(super) fn of(payload: &[u8]) -> Self {
        match *payload {
            [20..=63, ..] => Self::Dtls,
            // RFC 5761 §4: 64 to 95 after the marker bit is taken off.
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, ..] => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_place() {
        assert_eq!(Kind::of(&[]), Kind::Unknown);
        for first in 0..=255 {
            let expected = match first {
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Unknown,
            };
            assert_eq!(Kind::of(&[first, 96, 0, 0]), expected, "{first}");
        }
        assert_eq!(Kind::of(&[0x80, 200]), Kind::Rtcp);
        assert_eq!(Kind::of(&[0x80]), Kind::Rtp);
    }
}
