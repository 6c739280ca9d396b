use crate::Version;

/// A signature scheme (RFC 8446 §4.2.3), which is also what TLS 1.2 calls a signature and hash
/// algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// `ecdsa_secp256r1_sha256` (0x0403).
    EcdsaSecp256r1Sha256,
    /// `ecdsa_secp384r1_sha384` (0x0503).
    EcdsaSecp384r1Sha384,
    /// `ed25519` (0x0807).
    Ed25519,
    /// `rsa_pss_rsae_sha256` (0x0804).
    RsaPssRsaeSha256,
    /// `rsa_pss_rsae_sha384` (0x0805).
    RsaPssRsaeSha384,
    /// `rsa_pss_rsae_sha512` (0x0806).
    RsaPssRsaeSha512,
    /// `rsa_pkcs1_sha256` (0x0401), in 1.2 only.
    RsaPkcs1Sha256,
    /// `rsa_pkcs1_sha384` (0x0501), in 1.2 only.
    RsaPkcs1Sha384,
    /// `rsa_pkcs1_sha512` (0x0601), in 1.2 only.
    RsaPkcs1Sha512,
}

impl SignatureScheme {
    /// Every scheme, in the order in which they are offered.
    pub const ALL: [Self; 9] = [
        Self::EcdsaSecp256r1Sha256,
        Self::EcdsaSecp384r1Sha384,
        Self::Ed25519,
        Self::RsaPssRsaeSha256,
        Self::RsaPssRsaeSha384,
        Self::RsaPssRsaeSha512,
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
            Self::RsaPssRsaeSha384 => 0x0805,
            Self::RsaPssRsaeSha512 => 0x0806,
            Self::Ed25519 => 0x0807,
        }
    }

    /// The scheme of a registry number, if it is one of these.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.id() == id)
    }

    /// Whether handshakes of this version may be signed with it (RFC 8446 §4.2.3: not with PKCS #1).
    pub(crate) fn is_allowed(self, version: Version) -> bool {
        let pkcs1 = matches!(
            self,
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512
        );
        version == Version::Dtls12 || !pkcs1
    }
}
