//! What two peers can agree on: ciphers, lengths of keys and tags.

use std::fmt;

/// A protection profile, as `use_srtp` names it (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: AES-128 in counter mode, HMAC-SHA1 cut to 80 bits. Every WebRTC peer has it.
    Aes128CmHmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`: the same with 32 bits for RTP; RTCP keeps 80.
    Aes128CmHmacSha1_32,
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

/// Which end of the DTLS association this is: it decides whose keys are whose (RFC 5764 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The DTLS client: it protects with the client's write keys.
    Client,
    /// The DTLS server.
    Server,
}

impl Profile {
    /// All profiles, in the order in which we prefer them.
    pub const ALL: [Self; 4] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::Aes128CmHmacSha1_80,
        Self::Aes128CmHmacSha1_32,
    ];

    /// Its number in `use_srtp`.
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128CmHmacSha1_80 => 0x0001,
            Self::Aes128CmHmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The profile with this number, if we have it.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.id() == id)
    }

    /// The name in the registry of the IANA.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }

    /// True if encryption and authentication are one (GCM). Such a profile loses its authentication key when an
    /// index is used twice.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// The length of a master key in bytes.
    pub const fn key_len(self) -> usize {
        if matches!(self, Self::AeadAes256Gcm) {
            32
        } else {
            16
        }
    }

    /// The length of a master salt in bytes.
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// How many bytes to ask the exporter of DTLS for, with the label `EXTRACTOR-dtls_srtp` (RFC 5764 §4.2).
    pub const fn material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// By how many bytes a protected RTP packet is longer.
    pub(crate) const fn rtp_tag(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 10,
            Self::Aes128CmHmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// RFC 5764 §4.1.2: RTCP keeps 80 bits also where RTP has 32.
    pub(crate) const fn rtcp_tag(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_id(profile.id()), Some(profile));
        }
        assert_eq!(Profile::from_id(5), None, "NULL_HMAC_SHA1_80 is refused");
        let lengths = Profile::ALL.map(Profile::material_len);
        assert_eq!(lengths, [56, 88, 60, 60]);
    }
}
