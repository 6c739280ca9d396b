//! Keys that sign handshakes, and those that verify them.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring::rand::SecureRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey};
use x509_parser::{
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate},
};
use zeroize::Zeroizing;

use crate::{Version, crypto::library_random, crypto::signature::SignatureScheme};

/// What kind of key a certificate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA with P-256: small, fast, and what RFC 8827 §6.5 wants of everybody.
    EcdsaP256,
    /// ECDSA with P-384.
    EcdsaP384,
    /// Ed25519; browsers do not accept it.
    Ed25519,
    /// RSA, generated with 2048 bits and accepted with 2048 to 4096.
    Rsa2048,
}

/// The private key of a certificate of ours.
pub(crate) enum SigningKey {
    Ecdsa(SignatureScheme, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// The public key of a certificate, as far as it can verify something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    /// The DER of `RSAPublicKey`, 2048 to 8192 bits.
    Rsa(Vec<u8>),
}

/// A signature of the peer was right. Made by [`PublicKey::check_signature`] alone.
#[derive(Debug)]
pub(crate) struct Signed(());

impl KeyType {
    /// What a key signs with, best first.
    pub(crate) fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::EcdsaP256 => &[SignatureScheme::EcdsaSecp256r1Sha256],
            Self::EcdsaP384 => &[SignatureScheme::EcdsaSecp384r1Sha384],
            Self::Ed25519 => &[SignatureScheme::Ed25519],
            Self::Rsa2048 => &[
                SignatureScheme::RsaPkcs1Sha256,
                SignatureScheme::RsaPssRsaeSha256,
                SignatureScheme::RsaPkcs1Sha384,
                SignatureScheme::RsaPkcs1Sha512,
                SignatureScheme::RsaPssRsaeSha384,
                SignatureScheme::RsaPssRsaeSha512,
            ],
        }
    }
}

impl SigningKey {
    /// A fresh key, and its PKCS #8 document; `None` when the crypto library refuses.
    pub(crate) fn generate(key_type: KeyType) -> Option<(Zeroizing<Vec<u8>>, Self)> {
        let random = &library_random();
        let ecdsa = |algorithm| EcdsaKeyPair::generate_pkcs8(algorithm, random).ok();
        let pkcs8 = match key_type {
            KeyType::EcdsaP256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)?.as_ref().to_vec(),
            KeyType::EcdsaP384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)?.as_ref().to_vec(),
            KeyType::Ed25519 => {
                let document = Ed25519KeyPair::generate_pkcs8(random).ok()?;
                document.as_ref().to_vec()
            }
            KeyType::Rsa2048 => {
                let mut seed = Zeroizing::new([0; 32]);
                random.fill(&mut *seed).ok()?;
                let mut generator = ChaCha20Rng::from_seed(*seed);
                let key = RsaPrivateKey::new(&mut generator, 2048).ok()?;
                key.to_pkcs8_der().ok()?.as_bytes().to_vec()
            }
        };
        let pkcs8 = Zeroizing::new(pkcs8);
        let key = Self::from_pkcs8(key_type, &pkcs8)?;
        Some((pkcs8, key))
    }

    /// The key in a PKCS #8 document; `None` when it is not one of this type.
    pub(crate) fn from_pkcs8(key_type: KeyType, pkcs8: &[u8]) -> Option<Self> {
        let random = &library_random();
        Some(match key_type {
            KeyType::EcdsaP256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, random);
                Self::Ecdsa(SignatureScheme::EcdsaSecp256r1Sha256, key.ok()?)
            }
            KeyType::EcdsaP384 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8, random);
                Self::Ecdsa(SignatureScheme::EcdsaSecp384r1Sha384, key.ok()?)
            }
            KeyType::Ed25519 => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
                Self::Ed25519(key.ok()?)
            }
            KeyType::Rsa2048 => Self::Rsa(RsaKeyPair::from_pkcs8(pkcs8).ok()?),
        })
    }

    /// What stands in a certificate for it: the bits of `subjectPublicKey`.
    pub(crate) fn public_key(&self) -> &[u8] {
        match self {
            Self::Ecdsa(_, key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
            Self::Rsa(key) => key.public_key().as_ref(),
        }
    }

    /// What a certificate for it has.
    pub(crate) fn to_public(&self) -> PublicKey {
        let key = self.public_key().to_vec();
        match self {
            Self::Ecdsa(SignatureScheme::EcdsaSecp256r1Sha256, _) => PublicKey::P256(key),
            Self::Ecdsa(_, _) => PublicKey::P384(key),
            Self::Ed25519(_) => PublicKey::Ed25519(key),
            Self::Rsa(_) => PublicKey::Rsa(key),
        }
    }

    /// `None` when the scheme does not fit the key.
    pub(crate) fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
        let random = &library_random();
        match self {
            Self::Ecdsa(own, key) if *own == scheme => {
                let signature = key.sign(random, message).ok()?;
                Some(signature.as_ref().to_vec())
            }
            Self::Ed25519(key) if scheme == SignatureScheme::Ed25519 => {
                Some(key.sign(message).as_ref().to_vec())
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let padding = padding(scheme)?;
                key.sign(padding, random, message, &mut signature).ok()?;
                Some(signature)
            }
            _ => None,
        }
    }
}

impl PublicKey {
    /// The key of a certificate, if it is one that can verify a signature here.
    pub(crate) fn of_certificate(der: &[u8]) -> Option<Self> {
        let (behind, certificate) = X509Certificate::from_der(der).ok()?;
        match behind {
            [] => Self::of(&certificate),
            _ => None,
        }
    }

    /// The same of one that was parsed.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let info = certificate.public_key();
        let key = info.subject_public_key.data.to_vec();
        let algorithm = &info.algorithm.algorithm;
        if *algorithm == OID_PKCS1_RSAENCRYPTION {
            return has_good_length(info).then_some(Self::Rsa(key));
        } else if *algorithm == OID_SIG_ED25519 {
            return Some(Self::Ed25519(key));
        } else if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return None;
        }
        let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
        if curve == OID_EC_P256 {
            Some(Self::P256(key))
        } else if curve == OID_NIST_EC_P384 {
            Some(Self::P384(key))
        } else {
            None
        }
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Self::P256(_) => KeyType::EcdsaP256,
            Self::P384(_) => KeyType::EcdsaP384,
            Self::Ed25519(_) => KeyType::Ed25519,
            Self::Rsa(_) => KeyType::Rsa2048,
        }
    }

    /// The proof that `signature` over `message` is this key's under `scheme`, where the version knows
    /// the scheme.
    pub(crate) fn check_signature(
        &self,
        version: Version,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Signed> {
        let algorithm = self.verification(version, scheme)?;
        let (Self::P256(key) | Self::P384(key) | Self::Ed25519(key) | Self::Rsa(key)) = self;
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(message, signature).ok().map(|()| Signed(()))
    }

    /// `None` when the scheme cannot be used with the key.
    fn verification(
        &self,
        version: Version,
        scheme: SignatureScheme,
    ) -> Option<&'static dyn VerificationAlgorithm> {
        use SignatureScheme as S;

        if !scheme.is_allowed(version) {
            return None;
        }
        // RFC 5246 §7.4.1.4.1: in TLS 1.2 the hash does not fix the curve. RFC 8446 §4.2.3: in 1.3 it does.
        let free = version == Version::Dtls12;
        Some(match (scheme, self) {
            (S::EcdsaSecp256r1Sha256, Self::P256(_)) => &signature::ECDSA_P256_SHA256_ASN1,
            (S::EcdsaSecp384r1Sha384, Self::P384(_)) => &signature::ECDSA_P384_SHA384_ASN1,
            (S::EcdsaSecp384r1Sha384, Self::P256(_)) if free => &signature::ECDSA_P256_SHA384_ASN1,
            (S::EcdsaSecp256r1Sha256, Self::P384(_)) if free => &signature::ECDSA_P384_SHA256_ASN1,
            (S::Ed25519, Self::Ed25519(_)) => &signature::ED25519,
            (S::RsaPssRsaeSha256, Self::Rsa(_)) => &signature::RSA_PSS_2048_8192_SHA256,
            (S::RsaPssRsaeSha384, Self::Rsa(_)) => &signature::RSA_PSS_2048_8192_SHA384,
            (S::RsaPssRsaeSha512, Self::Rsa(_)) => &signature::RSA_PSS_2048_8192_SHA512,
            (S::RsaPkcs1Sha256, Self::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (S::RsaPkcs1Sha384, Self::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (S::RsaPkcs1Sha512, Self::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// RSA below 2048 bits proves nothing, and above 8192 costs too much.
fn has_good_length(info: &SubjectPublicKeyInfo<'_>) -> bool {
    let bits = match info.parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(key)) => key.key_size(),
        _ => 0,
    };
    (2048..=8192).contains(&bits)
}

fn padding(scheme: SignatureScheme) -> Option<&'static dyn RsaEncoding> {
    Some(match scheme {
        SignatureScheme::RsaPssRsaeSha256 => &signature::RSA_PSS_SHA256,
        SignatureScheme::RsaPssRsaeSha384 => &signature::RSA_PSS_SHA384,
        SignatureScheme::RsaPssRsaeSha512 => &signature::RSA_PSS_SHA512,
        SignatureScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::{Certificate, Error, Signer, SignerError};
    use SignatureScheme as S;

    /// Keys and signatures over `short`, PSS with SHA-256, made by OpenSSL 3.
    fn vector(name: &str) -> Vec<u8> {
        let lines = include_str!("../../tests/support/rsa.hex").lines();
        let mut values = lines.filter_map(|line| line.split_once(": "));
        crate::tests::unhex(values.find(|it| it.0 == name).unwrap().1)
    }

    /// A signer that is never asked.
    struct Nobody;

    impl Signer for Nobody {
        fn schemes(&self) -> &[SignatureScheme] {
            &S::ALL
        }

        fn sign(&self, _: SignatureScheme, _: &[u8]) -> Result<Vec<u8>, SignerError> {
            Err(SignerError)
        }
    }

    /// A key of 1024 bits proves nothing, however right its signature is, and is none of ours.
    #[test]
    fn rsa_has_2048_bits_at_least() {
        for (bits, good) in [(1024, false), (2048, true)] {
            let key = PublicKey::Rsa(vector(&format!("{bits} key")));
            let signature = vector(&format!("{bits} signature"));
            for version in Version::ALL {
                let check = key.check_signature(version, S::RsaPssRsaeSha256, b"short", &signature);
                assert_eq!(check.is_some(), good, "{bits} {version}");
            }
        }
        let chain = vec![vector("1024 certificate")];
        let own = Certificate::from_der(chain.clone(), &vector("1024 pkcs8"));
        assert_eq!(own, Err(Error::UnsupportedKey));
        let elsewhere = Certificate::external(chain, Arc::new(Nobody));
        assert_eq!(elsewhere, Err(Error::UnsupportedKey));
    }

    /// RFC 8446 §4.2.3: in 1.3 a scheme of ECDSA names its curve, in 1.2 only its hash, and PKCS #1 is of 1.2.
    #[test]
    fn a_scheme_goes_with_its_key_and_version() {
        let pss = [
            S::RsaPssRsaeSha256,
            S::RsaPssRsaeSha384,
            S::RsaPssRsaeSha512,
        ];
        let pkcs1 = [S::RsaPkcs1Sha256, S::RsaPkcs1Sha384, S::RsaPkcs1Sha512];
        let ecdsa = [S::EcdsaSecp256r1Sha256, S::EcdsaSecp384r1Sha384];
        let rsa_1_2 = [pss, pkcs1].concat();
        for (key, in_1_2, in_1_3) in [
            (PublicKey::P256(Vec::new()), &ecdsa[..], &ecdsa[..1]),
            (PublicKey::P384(Vec::new()), &ecdsa, &ecdsa[1..]),
            (PublicKey::Ed25519(Vec::new()), &[S::Ed25519], &[S::Ed25519]),
            (PublicKey::Rsa(Vec::new()), &rsa_1_2, &pss),
        ] {
            for scheme in S::ALL {
                for (version, fitting) in [(Version::Dtls12, in_1_2), (Version::Dtls13, in_1_3)] {
                    let verifies = key.verification(version, scheme).is_some();
                    let fits = fitting.contains(&scheme);
                    assert_eq!(verifies, fits, "{key:?} {scheme:?} {version}");
                }
            }
        }
    }
}
