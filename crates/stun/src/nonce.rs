//! The cookie that a nonce may begin with.

/// What a server's nonce says that it supports, protected from bidding down (RFC 8489 §9.2, §18.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SecurityFeatures {
    /// PASSWORD-ALGORITHMS is in use.
    pub password_algorithms: bool,
    /// USERHASH is in use.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// Reads them from a nonce; `None` if it does not begin with the cookie.
    ///
    /// The registry counts bits from the most significant one, the example of appendix B.1 from the least. No other bit is assigned,
    /// so both are read.
    pub fn from_nonce(nonce: &[u8]) -> Option<Self> {
        let encoded = nonce.strip_prefix(COOKIE)?.first_chunk::<4>()?;
        let mut bits = 0;
        for character in encoded {
            let digit = BASE64.iter().position(|digit| digit == character)?;
            bits = bits << 6 | u32::try_from(digit).ok()?;
        }
        Some(Self {
            password_algorithms: bits & (PASSWORD_ALGORITHMS | 1) != 0,
            username_anonymity: bits & (USERNAME_ANONYMITY | 2) != 0,
        })
    }

    /// The 13 characters that a server's nonce begins with to say so.
    pub fn cookie(self) -> String {
        let bit = |on: bool, bit: u32| if on { bit } else { 0 };
        let bits = bit(self.password_algorithms, PASSWORD_ALGORITHMS)
            | bit(self.username_anonymity, USERNAME_ANONYMITY);
        let digits = [18, 12, 6, 0].map(|shift| bits >> shift & 63);
        let digits = digits
            .iter()
            .filter_map(|digit| BASE64.get(usize::try_from(*digit).ok()?));
        COOKIE
            .iter()
            .chain(digits)
            .map(|byte| char::from(*byte))
            .collect()
    }
}

const COOKIE: &[u8] = b"obMatJos2";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// RFC 8489 §18.1: bit 0, the leftmost of 24.
const PASSWORD_ALGORITHMS: u32 = 1 << 23;
/// RFC 8489 §18.1: bit 1.
const USERNAME_ANONYMITY: u32 = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_as_they_are_written() {
        for bits in 0..4 {
            let features = SecurityFeatures {
                password_algorithms: bits & 1 != 0,
                username_anonymity: bits & 2 != 0,
            };
            let nonce = features.cookie() + "anything";
            assert_eq!(
                SecurityFeatures::from_nonce(nonce.as_bytes()),
                Some(features)
            );
        }
    }

    #[test]
    fn reads_the_nonce_of_appendix_b1() {
        let nonce = b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";
        let features = SecurityFeatures {
            password_algorithms: false,
            username_anonymity: true,
        };
        assert_eq!(SecurityFeatures::from_nonce(nonce), Some(features));
    }

    #[test]
    fn other_nonces_have_no_cookie() {
        for nonce in [
            "",
            "f//499k954d6OL34oL9FSTvy64sA",
            "obMatJos2AAA",
            "obMatJos2AA A",
        ] {
            assert_eq!(
                SecurityFeatures::from_nonce(nonce.as_bytes()),
                None,
                "{nonce}"
            );
        }
    }
}
