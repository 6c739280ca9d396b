use std::fmt;

use ring::{aead, digest, hmac};

use crate::Version;

/// A cipher suite with forward secrecy and authenticated encryption: of 1.3 (RFC 8446 §B.4), where
/// certificate and group are chosen apart from it, or of 1.2 (RFC 5289, RFC 7905).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CipherSuite {
    /// `TLS_AES_128_GCM_SHA256` (0x1301), of 1.3.
    Aes128Gcm,
    /// `TLS_AES_256_GCM_SHA384` (0x1302), of 1.3.
    Aes256Gcm,
    /// `TLS_CHACHA20_POLY1305_SHA256` (0x1303), of 1.3.
    ChaCha20Poly1305,
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256` (0xC02B), the one RFC 8827 §6.5 requires.
    EcdheEcdsaAes128Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384` (0xC02C).
    EcdheEcdsaAes256Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256` (0xCCA9).
    EcdheEcdsaChaCha20Poly1305,
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` (0xC02F).
    EcdheRsaAes128Gcm,
    /// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384` (0xC030).
    EcdheRsaAes256Gcm,
    /// `TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256` (0xCCA8).
    EcdheRsaChaCha20Poly1305,
}

/// What the server of a suite signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Ecdsa,
    Rsa,
}

impl CipherSuite {
    /// Every suite, in the default order of preference.
    pub const ALL: [Self; 9] = [
        Self::Aes128Gcm,
        Self::ChaCha20Poly1305,
        Self::Aes256Gcm,
        Self::EcdheEcdsaAes128Gcm,
        Self::EcdheRsaAes128Gcm,
        Self::EcdheEcdsaChaCha20Poly1305,
        Self::EcdheRsaChaCha20Poly1305,
        Self::EcdheEcdsaAes256Gcm,
        Self::EcdheRsaAes256Gcm,
    ];

    /// The number of the TLS Cipher Suites registry.
    pub fn id(self) -> u16 {
        match self {
            Self::Aes128Gcm => 0x1301,
            Self::Aes256Gcm => 0x1302,
            Self::ChaCha20Poly1305 => 0x1303,
            Self::EcdheEcdsaAes128Gcm => 0xC02B,
            Self::EcdheEcdsaAes256Gcm => 0xC02C,
            Self::EcdheRsaAes128Gcm => 0xC02F,
            Self::EcdheRsaAes256Gcm => 0xC030,
            Self::EcdheRsaChaCha20Poly1305 => 0xCCA8,
            Self::EcdheEcdsaChaCha20Poly1305 => 0xCCA9,
        }
    }

    /// The suite of a registry number, if it is one of these.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id() == id)
    }

    /// The version that speaks it.
    pub fn version(self) -> Version {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305 => Version::Dtls13,
            _ => Version::Dtls12,
        }
    }

    /// What the server of a suite of 1.2 signs with; suites of 1.3 do not say.
    pub(crate) fn authentication(self) -> Option<Authentication> {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305 => None,
            Self::EcdheEcdsaAes128Gcm
            | Self::EcdheEcdsaAes256Gcm
            | Self::EcdheEcdsaChaCha20Poly1305 => Some(Authentication::Ecdsa),
            Self::EcdheRsaAes128Gcm | Self::EcdheRsaAes256Gcm | Self::EcdheRsaChaCha20Poly1305 => {
                Some(Authentication::Rsa)
            }
        }
    }

    pub(crate) fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm | Self::EcdheEcdsaAes128Gcm | Self::EcdheRsaAes128Gcm => {
                &aead::AES_128_GCM
            }
            Self::Aes256Gcm | Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => {
                &aead::AES_256_GCM
            }
            Self::ChaCha20Poly1305
            | Self::EcdheEcdsaChaCha20Poly1305
            | Self::EcdheRsaChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Aes256Gcm | Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => {
                &digest::SHA384
            }
            _ => &digest::SHA256,
        }
    }

    pub(crate) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Aes256Gcm | Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => {
                hmac::HMAC_SHA384
            }
            _ => hmac::HMAC_SHA256,
        }
    }

    /// The suites of one version.
    #[cfg(test)]
    pub(crate) fn of(version: Version) -> Vec<Self> {
        let mut suites = Self::ALL.to_vec();
        suites.retain(|suite| suite.version() == version);
        suites
    }
}

impl fmt::Display for CipherSuite {
    /// The name of the registry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes128Gcm => "TLS_AES_128_GCM_SHA256",
            Self::Aes256Gcm => "TLS_AES_256_GCM_SHA384",
            Self::ChaCha20Poly1305 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::EcdheEcdsaAes128Gcm => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256Gcm => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaChaCha20Poly1305 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaAes128Gcm => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256Gcm => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaChaCha20Poly1305 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_suites_agree() {
        for suite in CipherSuite::ALL {
            assert_eq!(CipherSuite::from_id(suite.id()), Some(suite));
            let rsa = suite.to_string().contains("_RSA_");
            assert_eq!(suite.authentication() == Some(Authentication::Rsa), rsa);
            assert_eq!(
                suite.authentication().is_none(),
                suite.version() == Version::Dtls13
            );
        }
        assert_eq!(CipherSuite::from_id(0x1304), None);
    }
}
