//! Username fragments and passwords.

use std::fmt;

use oxirtc_stun::IntegrityKey;
use rand_core::Rng;
use zeroize::Zeroize;

use crate::Error;

/// The short-term credential of one side and one generation (RFC 8445 §5.3).
///
/// `Debug` hides the password, which is wiped from memory when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The username fragment: 4 to 256 ice-chars. It is no secret.
    pub ufrag: String,
    /// The password: 22 to 256 ice-chars.
    pub password: String,
}

/// Credentials with the key that they make.
pub(crate) struct Keys {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
}

impl Credentials {
    /// Credentials out of their two parts, unchecked: the agent checks them when it is given them.
    pub fn new(ufrag: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            ufrag: ufrag.into(),
            password: password.into(),
        }
    }

    /// RFC 8445 §5.3 asks for 24 bits in the fragment and 128 in the password; these have 48 and 144.
    pub(crate) fn generate(random: &mut impl Rng) -> Self {
        Self {
            ufrag: ice_chars(random, UFRAG_LENGTH),
            password: ice_chars(random, PASSWORD_LENGTH),
        }
    }

    /// RFC 8839 §5.4: the lengths and characters of both; `-`, `=`, `#` and `_` are no ice-chars, but
    /// deployed peers send them. Ours have ice-chars only.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = |text: &str, least: usize| {
            (least..=256).contains(&text.len())
                && text
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || b"+/-=#_".contains(&c))
        };
        match fits(&self.ufrag, 4) && fits(&self.password, 22) {
            true => Ok(()),
            false => Err(Error::InvalidCredentials),
        }
    }
}

impl Keys {
    pub(crate) fn new(credentials: Credentials) -> Result<Self, Error> {
        credentials.check()?;
        let key = IntegrityKey::short_term(&credentials.password);
        let key = key.map_err(|_| Error::InvalidCredentials)?;
        Ok(Self { credentials, key })
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }
}

fn ice_chars(random: &mut impl Rng, length: usize) -> String {
    let mut bytes = vec![0; length];
    random.fill_bytes(&mut bytes);
    let text = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 63)))
        .map(|c| char::from(*c))
        .collect();
    bytes.zeroize();
    text
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const UFRAG_LENGTH: usize = 8;
const PASSWORD_LENGTH: usize = 24;

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn generated_credentials_are_allowed_and_differ() {
        let mut random = ChaCha20Rng::from_seed([1; 32]);
        let (one, two) = (
            Credentials::generate(&mut random),
            Credentials::generate(&mut random),
        );
        assert_ne!(one, two);
        assert!(Keys::new(one).is_ok() && Keys::new(two).is_ok());
    }

    /// [5.6.1-01]: 4 to 256 ice-chars in the fragment, 22 to 256 in the password.
    #[test]
    fn lengths_and_characters_are_checked() {
        let (short, long) = ("a".repeat(22), "a".repeat(256));
        for (ufrag, password, good) in [
            ("abcd", short.as_str(), true),
            (&long, &long, true),
            ("abc", &short, false),
            ("abcd", &short[1..], false),
            ("a-=#_", &format!("{short}-=#_"), true),
            ("ab:d", &short, false),
            ("ab d", &short, false),
            ("ab!d", &short, false),
            ("äbcd", &short, false),
            (&"a".repeat(257), &short, false),
            ("abcd", &"a".repeat(257), false),
        ] {
            assert_eq!(Keys::new(Credentials::new(ufrag, password)).is_ok(), good);
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let shown = format!(
            "{:?}",
            Credentials::new("fragment", "secretsecretsecretsecret")
        );
        assert!(shown.contains("fragment") && !shown.contains("secret"));
    }
}
