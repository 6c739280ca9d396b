use std::fmt;

use ring::agreement::{self, EphemeralPrivateKey, PublicKey, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::crypto::library_random;

/// A group for the key agreement (RFC 8422 §5.1.1, RFC 8446 §4.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// X25519MLKEM768: X25519 and ML-KEM-768 together, safe from whoever records now and has a quantum
    /// computer later. In 1.3 only.
    X25519MlKem768,
    /// X25519 (RFC 7748): the fastest.
    X25519,
    /// secp256r1, the one RFC 8827 §6.5 requires.
    P256,
    /// secp384r1: several times slower than the others.
    P384,
}

/// Our half of one agreement on a curve. The private scalar never leaves the crypto library and serves
/// once.
pub(crate) struct KeyShare {
    group: Group,
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl Group {
    /// Every group, in the default order of preference.
    pub const ALL: [Self; 4] = [Self::X25519MlKem768, Self::X25519, Self::P256, Self::P384];

    /// The number of the TLS Supported Groups registry.
    pub fn id(self) -> u16 {
        match self {
            Self::P256 => 23,
            Self::P384 => 24,
            Self::X25519 => 29,
            Self::X25519MlKem768 => 0x11EC,
        }
    }

    /// The group of a registry number, if it is one of these.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.id() == id)
    }

    /// Whether it is a curve, which 1.2 knows too.
    pub(crate) fn is_curve(self) -> bool {
        self.algorithm().is_some()
    }

    fn algorithm(self) -> Option<&'static agreement::Algorithm> {
        match self {
            Self::X25519 => Some(&agreement::X25519),
            Self::P256 => Some(&agreement::ECDH_P256),
            Self::P384 => Some(&agreement::ECDH_P384),
            Self::X25519MlKem768 => None,
        }
    }
}

impl KeyShare {
    /// A fresh key pair; `None` when the group is no curve, or the system has no randomness.
    pub(crate) fn generate(group: Group) -> Option<Self> {
        let private = EphemeralPrivateKey::generate(group.algorithm()?, &library_random()).ok()?;
        let public = private.compute_public_key().ok()?;
        Some(Self {
            group,
            private,
            public,
        })
    }

    pub(crate) fn group(&self) -> Group {
        self.group
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.public.as_ref()
    }

    /// The shared secret. `None` when the peer's point is not on the curve, not of its form, or of low
    /// order (RFC 8422 §5.11, RFC 8446 §7.4.2).
    pub(crate) fn agree(self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let peer = UnparsedPublicKey::new(self.group.algorithm()?, peer);
        let secret = |shared: &[u8]| Zeroizing::new(shared.to_vec());
        agreement::agree_ephemeral(self.private, &peer, secret).ok()
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::X25519 => "x25519",
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_bad_points_are_refused() {
        for group in Group::ALL {
            assert_eq!(Group::from_id(group.id()), Some(group));
            if !group.is_curve() {
                assert!(KeyShare::generate(group).is_none());
                continue;
            }
            let (ours, theirs) = (KeyShare::generate(group), KeyShare::generate(group));
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            let (our_point, their_point) = (ours.public().to_vec(), theirs.public().to_vec());
            assert_eq!(ours.agree(&their_point), theirs.agree(&our_point));
            for bad in [&their_point[1..], &[], &vec![0; their_point.len()]] {
                assert!(KeyShare::generate(group).unwrap().agree(bad).is_none());
            }
        }
    }
}
