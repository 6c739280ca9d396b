use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::certificate::KeyType;

/// A signature scheme (RFC 8446 §4.2.3), which is also what TLS 1.2 calls a signature and hash
/// algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// `ecdsa_secp256r1_sha256` (0x0403).
    EcdsaSecp256r1Sha256,
    /// `ecdsa_secp384r1_sha384` (0x0503).
    EcdsaSecp384r1Sha384,
    /// `rsa_pss_rsae_sha256` (0x0804).
    RsaPssRsaeSha256,
    /// `rsa_pkcs1_sha256` (0x0401).
    RsaPkcs1Sha256,
    /// `rsa_pkcs1_sha384` (0x0501).
    RsaPkcs1Sha384,
    /// `rsa_pkcs1_sha512` (0x0601).
    RsaPkcs1Sha512,
}

/// The public key of a peer's certificate, as far as it can verify something.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// The DER of `RSAPublicKey`, 2048 to 8192 bits.
    Rsa(Vec<u8>),
}

impl SignatureScheme {
    /// Every scheme, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::EcdsaSecp256r1Sha256,
        Self::EcdsaSecp384r1Sha384,
        Self::RsaPssRsaeSha256,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
    ];

    /// The number of the TLS SignatureScheme registry.
    pub fn id(self) -> u16 {
        match self {
            Self::RsaPkcs1Sha256 => 0x0401,
            Self::EcdsaSecp256r1Sha256 => 0x0403,
            Self::RsaPkcs1Sha384 => 0x0501,
            Self::EcdsaSecp384r1Sha384 => 0x0503,
            Self::RsaPkcs1Sha512 => 0x0601,
            Self::RsaPssRsaeSha256 => 0x0804,
        }
    }

    /// The scheme of a registry number, if it is one of these.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.id() == id)
    }

    /// The scheme a key signs with for a peer that offers these, ours first.
    pub(crate) fn for_signing(key: KeyType, offered: &[u16]) -> Option<Self> {
        let ours: &[Self] = match key {
            KeyType::EcdsaP256 => &[Self::EcdsaSecp256r1Sha256],
            KeyType::Rsa2048 => &[
                Self::RsaPkcs1Sha256,
                Self::RsaPssRsaeSha256,
                Self::RsaPkcs1Sha384,
                Self::RsaPkcs1Sha512,
            ],
        };
        ours.iter()
            .copied()
            .find(|scheme| offered.contains(&scheme.id()))
    }

    /// `None` when the scheme cannot be used with the key.
    fn verification(self, key: &PublicKey) -> Option<&'static dyn VerificationAlgorithm> {
        // RFC 5246 §7.4.1.4.1: in TLS 1.2 the hash does not fix the curve.
        Some(match (self, key) {
            (Self::EcdsaSecp256r1Sha256, PublicKey::P256(_)) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::EcdsaSecp384r1Sha384, PublicKey::P256(_)) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::EcdsaSecp256r1Sha256, PublicKey::P384(_)) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::EcdsaSecp384r1Sha384, PublicKey::P384(_)) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::RsaPssRsaeSha256, PublicKey::Rsa(_)) => &signature::RSA_PSS_2048_8192_SHA256,
            (Self::RsaPkcs1Sha256, PublicKey::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Self::RsaPkcs1Sha384, PublicKey::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Self::RsaPkcs1Sha512, PublicKey::Rsa(_)) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// A signature of the peer was right. Made by [`PublicKey::check_signature`] alone.
#[derive(Debug)]
pub(crate) struct Signed(());

impl PublicKey {
    /// The proof that `signature` over `message` is this key's under `scheme`.
    pub(crate) fn check_signature(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Signed> {
        let algorithm = scheme.verification(self)?;
        let (Self::P256(key) | Self::P384(key) | Self::Rsa(key)) = self;
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(message, signature).ok().map(|()| Signed(()))
    }
}
