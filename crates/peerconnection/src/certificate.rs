//! Certificates.

use std::time::{Duration, SystemTime};

use oxirtc_dtls as dtls;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

/// `RTCCertificate` (W3C §4.9.2): a key with a self-signed certificate. Cheap to clone.
///
/// One can serve several connections, which then have the same fingerprint. The key is never shown;
/// [`to_pem`](Self::to_pem) keeps it for the next start of the program.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "RTCCertificate")]
pub struct Certificate {
    inner: dtls::Certificate,
}

/// The keys that can be generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256: what every peer takes.
    #[default]
    EcdsaP256,
    /// RSASSA-PKCS1-v1_5 of 2048 bits with SHA-256. Takes up to 150 ms to generate.
    Rsa2048,
}

/// `RTCDtlsFingerprint` (W3C §5.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "RTCDtlsFingerprint")]
pub struct DtlsFingerprint {
    /// The hash function: `sha-256`.
    pub algorithm: String,
    /// Lower case hex with colons.
    pub value: String,
}

impl Certificate {
    /// `getSupportedAlgorithms()`, of W3C's drafts until 2018: what can be generated, the default one first.
    #[doc(alias = "getSupportedAlgorithms")]
    pub const fn supported_algorithms() -> &'static [KeyAlgorithm] {
        &[KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048]
    }

    /// Generates a key and its certificate, which expires after `lifetime`, or 30 days; at most 365
    /// days are given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Operation`] when the crypto library refuses.
    pub fn generate_at(
        algorithm: KeyAlgorithm,
        now: SystemTime,
        lifetime: Option<Duration>,
    ) -> Result<Self, Error> {
        let key_type = match algorithm {
            KeyAlgorithm::EcdsaP256 => dtls::KeyType::EcdsaP256,
            KeyAlgorithm::Rsa2048 => dtls::KeyType::Rsa2048,
        };
        let lifetime = lifetime.unwrap_or(dtls::Certificate::DEFAULT_LIFETIME);
        let inner = dtls::Certificate::generate(key_type, now, lifetime).map_err(|error| {
            let message = "a certificate could not be generated";
            Error::new(ErrorKind::Operation, message).with_source(error)
        })?;
        Ok(Self { inner })
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote: a certificate and its PKCS #8 key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Syntax`] when it is not that.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let inner = dtls::Certificate::from_pem(pem).map_err(|error| {
            Error::new(ErrorKind::Syntax, "not a certificate with its key").with_source(error)
        })?;
        Ok(Self { inner })
    }

    /// The certificate and its private key, to be kept as a secret.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidAccess`] when the key lives elsewhere and cannot be written.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        self.inner.to_pem().map_err(|error| {
            Error::new(
                ErrorKind::InvalidAccess,
                "the private key cannot be written",
            )
            .with_source(error)
        })
    }

    /// When it expires.
    pub fn expires(&self) -> SystemTime {
        self.inner.not_after()
    }

    /// `getFingerprints()`: what a description says of it.
    pub fn fingerprints(&self) -> Vec<DtlsFingerprint> {
        let fingerprint = self.inner.fingerprint(&dtls::HashAlgorithm::Sha256);
        let shown = fingerprint.map(|it| {
            let text = it.to_string();
            let value = text.split_once(' ').map_or("", |(_, value)| value);
            let algorithm = it.algorithm().to_string();
            DtlsFingerprint {
                algorithm,
                value: value.to_ascii_lowercase(),
            }
        });
        shown.into_iter().collect()
    }

    pub(crate) fn inner(&self) -> &dtls::Certificate {
        &self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [4.10-01] Each that is told can be generated, and the first is what a connection has by itself.
    #[test]
    fn what_is_supported_can_be_generated() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let all = Certificate::supported_algorithms();
        assert_eq!(all.first(), Some(&KeyAlgorithm::default()));
        let lengths = all.iter().map(|it| {
            let made = Certificate::generate_at(*it, now, None).unwrap();
            made.to_pem().unwrap().len()
        });
        let lengths: Vec<_> = lengths.collect();
        assert!(
            lengths.len() == 2 && lengths[1] > 2 * lengths[0],
            "{lengths:?}"
        );
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    /// [4.10-02] [4.10.2-01]
    #[test]
    fn a_certificate_lives_as_long_as_is_asked_and_allowed() {
        let now = now();
        let day = Duration::from_secs(24 * 3600);
        for (asked, given) in [
            (None, 30 * day),
            (Some(day), day),
            (Some(400 * day), 365 * day),
        ] {
            let it = Certificate::generate_at(KeyAlgorithm::EcdsaP256, now, asked).unwrap();
            let lifetime = it.expires().duration_since(now).unwrap();
            assert_eq!(lifetime.as_secs(), given.as_secs());
        }
    }

    /// [4.10-01] [4.10-04] [4.10.2-02] [4.10.2-03] [5.5.1-01]
    #[test]
    fn a_certificate_survives_its_text_form() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
            let it = Certificate::generate_at(algorithm, now(), None).unwrap();
            let back = Certificate::from_pem(&it.to_pem().unwrap()).unwrap();
            assert_eq!(back.fingerprints(), it.fingerprints());
            let fingerprint = &it.fingerprints()[0];
            assert_eq!(fingerprint.algorithm, "sha-256");
            assert_eq!(fingerprint.value.len(), 32 * 3 - 1);
            assert_eq!(fingerprint.value, fingerprint.value.to_ascii_lowercase());
            assert!(!format!("{it:?}").contains("PRIVATE"));
        }
        assert_eq!(
            Certificate::from_pem("no").unwrap_err().kind(),
            ErrorKind::Syntax
        );
    }
}
