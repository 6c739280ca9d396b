use std::fmt;

use ring::{aead, digest, hmac};

/// A cipher suite of TLS 1.2 with forward secrecy and authenticated encryption
/// (RFC 5289, RFC 7905).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CipherSuite {
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
    pub const ALL: [Self; 6] = [
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

    pub(crate) fn authentication(self) -> Authentication {
        match self {
            Self::EcdheEcdsaAes128Gcm
            | Self::EcdheEcdsaAes256Gcm
            | Self::EcdheEcdsaChaCha20Poly1305 => Authentication::Ecdsa,
            Self::EcdheRsaAes128Gcm | Self::EcdheRsaAes256Gcm | Self::EcdheRsaChaCha20Poly1305 => {
                Authentication::Rsa
            }
        }
    }

    pub(crate) fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::EcdheEcdsaAes128Gcm | Self::EcdheRsaAes128Gcm => &aead::AES_128_GCM,
            Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => &aead::AES_256_GCM,
            Self::EcdheEcdsaChaCha20Poly1305 | Self::EcdheRsaChaCha20Poly1305 => {
                &aead::CHACHA20_POLY1305
            }
        }
    }

    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => &digest::SHA384,
            _ => &digest::SHA256,
        }
    }

    pub(crate) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::EcdheEcdsaAes256Gcm | Self::EcdheRsaAes256Gcm => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA256,
        }
    }
}

impl fmt::Display for CipherSuite {
    /// The name of the registry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
            assert_eq!(suite.authentication() == Authentication::Rsa, rsa);
        }
        assert_eq!(CipherSuite::from_id(0x1301), None);
    }
}
