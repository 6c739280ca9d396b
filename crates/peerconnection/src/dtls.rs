//! What DTLS may speak, and the protection of media that it agrees on.

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DtlsVersion {
    /// RFC 9147: one round trip less, and what proves who the ends are is encrypted.
    Dtls13,
    /// RFC 6347.
    Dtls12,
}

/// How the ends come to a common secret (`supported_groups`, RFC 8446 §4.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DtlsGroup {
    /// X25519 and ML-KEM-768 together, in DTLS 1.3: whoever records today reads nothing with a quantum computer later.
    X25519MlKem768,
    /// RFC 7748: the fastest.
    X25519,
    /// secp256r1.
    P256,
    /// secp384r1: several times slower than the others.
    P384,
}

/// How media is encrypted and authenticated (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`: the fastest.
    AeadAes128Gcm,
    /// AES-256 with GCM, which encrypts and authenticates at once: `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, which every WebRTC peer has.
    Aes128CmSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`: six bytes less a packet, and a proof that is weak. Not among the defaults.
    Aes128CmSha1_32,
}

/// What was chosen; a list that is empty stands for the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) versions: Vec<DtlsVersion>,
    pub(crate) groups: Vec<DtlsGroup>,
    pub(crate) srtp_profiles: Vec<SrtpProfile>,
}
