//! One half of a key agreement in 1.3, whatever its group.

use zeroize::Zeroizing;

use crate::crypto::{
    group::{Group, KeyShare},
    hybrid::{self, HybridShare},
};

/// A client's half.
pub(crate) enum Share {
    Curve(KeyShare),
    Hybrid(Box<HybridShare>),
}

impl Share {
    /// A fresh one; `None` when the system has no randomness.
    pub(crate) fn generate(group: Group) -> Option<Self> {
        match group {
            Group::X25519MlKem768 => HybridShare::generate().map(Box::new).map(Self::Hybrid),
            curve => KeyShare::generate(curve).map(Self::Curve),
        }
    }

    pub(crate) fn group(&self) -> Group {
        match self {
            Self::Curve(share) => share.group(),
            Self::Hybrid(_) => Group::X25519MlKem768,
        }
    }

    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::Curve(share) => share.public(),
            Self::Hybrid(share) => share.public(),
        }
    }

    /// The shared secret; `None` when the server's half is not of its form.
    pub(crate) fn agree(self, server: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Curve(share) => share.agree(server),
            Self::Hybrid(share) => share.agree(server),
        }
    }
}

/// A server's half for a client's, and the shared secret; `None` when the client's is not of its form.
pub(crate) fn answer(group: Group, client: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    match group {
        Group::X25519MlKem768 => hybrid::answer(client),
        curve => {
            let share = KeyShare::generate(curve)?;
            let public = share.public().to_vec();
            Some((public, share.agree(client)?))
        }
    }
}
