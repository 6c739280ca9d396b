use std::{fmt, str::FromStr};

use ring::digest;

use crate::Error;

/// A hash over a certificate's DER, as `a=fingerprint` carries it (RFC 8122 §5).
///
/// Text of any case is read; upper case is printed.
///
/// ```
/// use oxirtc_dtls::{Fingerprint, HashAlgorithm};
///
/// let text = ["SHA-256 ab", &":CD".repeat(31)].concat();
/// let fingerprint: Fingerprint = text.parse()?;
/// assert_eq!(fingerprint.algorithm(), &HashAlgorithm::Sha256);
/// assert_eq!(fingerprint.to_string(), ["sha-256 AB", &":CD".repeat(31)].concat());
/// # Ok::<(), oxirtc_dtls::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    value: Vec<u8>,
}

/// The hash function of a fingerprint, from the IANA registry of textual names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// `sha-1`: recognised, and never good enough.
    Sha1,
    /// `sha-256`, which everybody sends.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
    /// Any other name, in lower case: passed over.
    Other(String),
}

impl Fingerprint {
    /// A fingerprint of its parts.
    pub fn new(algorithm: HashAlgorithm, value: Vec<u8>) -> Self {
        Self { algorithm, value }
    }

    /// The hash function.
    pub fn algorithm(&self) -> &HashAlgorithm {
        &self.algorithm
    }

    /// The hash.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The fingerprint of a certificate; `None` for a hash that is not used for it.
    pub(crate) fn of(der: &[u8], algorithm: &HashAlgorithm) -> Option<Self> {
        let digest = digest::digest(algorithm.digest()?, der);
        Some(Self::new(algorithm.clone(), digest.as_ref().to_vec()))
    }
}

impl HashAlgorithm {
    fn digest(&self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::Sha256 => Some(&digest::SHA256),
            Self::Sha384 => Some(&digest::SHA384),
            Self::Sha512 => Some(&digest::SHA512),
            Self::Sha1 | Self::Other(_) => None,
        }
    }

    fn output_len(&self) -> Option<usize> {
        match self {
            Self::Sha1 => Some(20),
            _ => self.digest().map(digest::Algorithm::output_len),
        }
    }
}

/// Whether the certificate is the one that was announced.
///
/// RFC 8122 §5: of the hash functions we know, the strongest that is used counts, and one fingerprint
/// of it must match. Without any such fingerprint nothing does.
pub(crate) fn matches(expected: &[Fingerprint], der: &[u8]) -> bool {
    for algorithm in [
        HashAlgorithm::Sha512,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha256,
    ] {
        let mut candidates = expected
            .iter()
            .filter(|f| f.algorithm == algorithm)
            .peekable();
        if candidates.peek().is_some() {
            let actual = Fingerprint::of(der, &algorithm);
            return candidates.any(|candidate| Some(candidate) == actual.as_ref());
        }
    }
    false
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.algorithm)?;
        for (index, byte) in self.value.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (algorithm, value) = text
            .trim()
            .split_once(' ')
            .ok_or(Error::InvalidFingerprint)?;
        let algorithm: HashAlgorithm = algorithm.into();
        let byte = |pair: &str| match pair.len() == 2 && pair.bytes().all(|c| c.is_ascii_hexdigit())
        {
            true => u8::from_str_radix(pair, 16).map_err(|_| Error::InvalidFingerprint),
            false => Err(Error::InvalidFingerprint),
        };
        let value: Vec<u8> = value
            .trim()
            .split(':')
            .map(byte)
            .collect::<Result<_, _>>()?;
        match algorithm.output_len() {
            Some(len) if len != value.len() => Err(Error::InvalidFingerprint),
            _ => Ok(Self { algorithm, value }),
        }
    }
}

impl From<&str> for HashAlgorithm {
    /// Any case; a name that is not known becomes [`HashAlgorithm::Other`].
    fn from(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "sha-1" => Self::Sha1,
            "sha-256" => Self::Sha256,
            "sha-384" => Self::Sha384,
            "sha-512" => Self::Sha512,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_fingerprint_is_refused() {
        let good = ["sha-256 00", &":11".repeat(31)].concat();
        assert!(good.parse::<Fingerprint>().is_ok());
        let short = ["sha-256 00", &":11".repeat(30)].concat();
        for bad in [
            "",
            "sha-256",
            "sha-256 ",
            "sha-256 0",
            "sha-256 +1:22",
            "sha-1 zz",
            &short,
        ] {
            assert_eq!(
                bad.parse::<Fingerprint>(),
                Err(Error::InvalidFingerprint),
                "{bad}"
            );
        }
        let other: Fingerprint = "md2 01:02".parse().unwrap();
        assert_eq!(other.algorithm(), &HashAlgorithm::Other("md2".into()));
    }

    #[test]
    fn the_strongest_known_hash_decides() {
        let (der, other) = (b"certificate", b"another");
        let of = |der: &[u8], algorithm| Fingerprint::of(der, &algorithm).unwrap();
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        let right = of(der, Sha256);
        assert!(matches(&[of(other, Sha256), right.clone()], der));
        assert!(!matches(&[of(other, Sha512), right.clone()], der));
        assert!(matches(&[of(other, Sha256), of(der, Sha384)], der));
        let unknown = Fingerprint::new(HashAlgorithm::Other("md2".into()), vec![1]);
        assert!(matches(&[unknown.clone(), right], der));
        assert!(!matches(&[unknown], der));
        assert!(!matches(
            &[Fingerprint::new(HashAlgorithm::Sha1, vec![0; 20])],
            der
        ));
        assert!(!matches(&[], der));
    }
}
