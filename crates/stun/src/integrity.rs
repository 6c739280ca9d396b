//! Keys of MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256.

use std::{fmt, sync::Arc};

use md5::{Digest, Md5};
use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::{Error, attribute::PasswordAlgorithm, opaque_string};

/// A key for the integrity of messages, ready for both HMACs: their inner and outer pads are computed once.
///
/// A clone is a reference; `Debug` shows nothing. The strings and digests it is made from are erased at once, the pads that `ring`
/// keeps are not.
#[derive(Clone)]
pub struct IntegrityKey(Arc<Pads>);

struct Pads {
    sha1: hmac::Key,
    sha256: hmac::Key,
}

/// Which of the two integrity attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Integrity {
    /// MESSAGE-INTEGRITY, with HMAC-SHA1; the one that ICE uses.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

impl IntegrityKey {
    /// The key of the short-term credential mechanism (RFC 8489 §9.1.1), which ICE uses too.
    ///
    /// # Errors
    /// [`Error::InvalidString`] if the password is empty or has characters that OpaqueString disallows. Passwords of ICE never do.
    pub fn short_term(password: &str) -> Result<Self, Error> {
        let password = opaque_string::prepare(password)?;
        Ok(Self::from_bytes(password.as_bytes()))
    }

    /// The key of the long-term credential mechanism (RFC 8489 §9.2.2): the digest of `username:realm:password`. Realm and password
    /// are prepared as OpaqueString here; the username is taken as it stands in USERNAME, quotes of the realm are to be removed before.
    ///
    /// # Errors
    /// [`Error::InvalidString`] or [`Error::UnsupportedAlgorithm`].
    pub fn long_term(
        username: &str,
        realm: &str,
        password: &str,
        algorithm: PasswordAlgorithm<'_>,
    ) -> Result<Self, Error> {
        let (realm, password) = (
            opaque_string::prepare(realm)?,
            opaque_string::prepare(password)?,
        );
        // With its full capacity from the start, no copy of the password is left behind by growth.
        let length = username.len() + realm.len() + password.len() + 2;
        let mut input = Zeroizing::new(Vec::with_capacity(length));
        for part in [username, ":", &realm, ":", &password] {
            input.extend_from_slice(part.as_bytes());
        }
        match algorithm.algorithm {
            PasswordAlgorithm::MD5_NUMBER => {
                let digest: Zeroizing<[u8; 16]> = Zeroizing::new(Md5::digest(&*input).into());
                Ok(Self::from_bytes(&*digest))
            }
            PasswordAlgorithm::SHA256_NUMBER => Ok(Self::from_bytes(
                digest::digest(&digest::SHA256, &input).as_ref(),
            )),
            other => Err(Error::UnsupportedAlgorithm(other)),
        }
    }

    /// A key that was computed elsewhere, for example one that a server stores instead of a password.
    pub fn from_bytes(key: &[u8]) -> Self {
        let sha1 = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let sha256 = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self(Arc::new(Pads { sha1, sha256 }))
    }

    pub(crate) fn sha1(&self) -> &hmac::Key {
        &self.0.sha1
    }

    pub(crate) fn sha256(&self) -> &hmac::Key {
        &self.0.sha256
    }
}

/// The value of USERHASH: the SHA-256 of `username:realm`, both prepared as OpaqueString (RFC 8489 §14.4).
///
/// # Errors
/// [`Error::InvalidString`].
pub fn userhash(username: &str, realm: &str) -> Result<[u8; 32], Error> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(opaque_string::prepare(username)?.as_bytes());
    context.update(b":");
    context.update(opaque_string::prepare(realm)?.as_bytes());
    context
        .finish()
        .as_ref()
        .try_into()
        .or(Err(Error::InvalidString))
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print() {
        let key = IntegrityKey::short_term("secret").expect("valid");
        assert_eq!(format!("{key:?}"), "IntegrityKey(..)");
    }

    #[test]
    fn refuses_what_cannot_be_a_key() {
        assert_eq!(
            IntegrityKey::short_term("").err(),
            Some(Error::InvalidString)
        );
        let other = PasswordAlgorithm {
            algorithm: 3,
            parameters: &[],
        };
        let key = IntegrityKey::long_term("u", "r", "p", other);
        assert_eq!(key.err(), Some(Error::UnsupportedAlgorithm(3)));
    }
}
