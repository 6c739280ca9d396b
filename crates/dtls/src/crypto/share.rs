//! One half of a key agreement in 1.3, whatever its group.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{
    group::{Group, KeyShare},
    hybrid::{self, HybridShare},
};

/// A client's half.
pub(crate) enum Share {
    Curve(Arc<KeyShare>),
    Hybrid(Box<HybridShare>),
}

impl Share {
    /// A fresh one, for a hello that has `others` too; `None` when the system has no randomness.
    ///
    /// RFC 9954 §3.2: X25519 alone and X25519 in the hybrid may have one key pair within a hello. One of the two is answered, so
    /// the pair serves once all the same.
    pub(crate) fn generate(group: Group, others: &[Self]) -> Option<Self> {
        let known = |curve| {
            let mut known = others.iter().map(Self::classic);
            known.find(|share| share.group() == curve).cloned()
        };
        let classic = |curve| known(curve).or_else(|| KeyShare::generate(curve).map(Arc::new));
        match group {
            Group::X25519MlKem768 => {
                let share = HybridShare::generate(classic(Group::X25519)?)?;
                Some(Self::Hybrid(Box::new(share)))
            }
            curve => classic(curve).map(Self::Curve),
        }
    }

    fn classic(&self) -> &Arc<KeyShare> {
        match self {
            Self::Curve(share) => share,
            Self::Hybrid(share) => share.classic(),
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

    /// The shared secret; `None` when the server's half is not of its form, or a share with the same key pair is there still.
    pub(crate) fn agree(self, server: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Curve(share) => Arc::into_inner(share)?.agree(server),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// In either order, with either answered; another curve has a pair of its own.
    #[test]
    fn x25519_is_one_key_pair_in_a_hello() {
        let hybrid_first = [Group::X25519MlKem768, Group::X25519, Group::P256];
        let curve_first = [Group::X25519, Group::X25519MlKem768, Group::P256];
        for groups in [hybrid_first, curve_first] {
            for answered in 0..groups.len() {
                let mut shares = Vec::new();
                for group in groups {
                    shares.push(Share::generate(group, &shares).unwrap());
                }
                let tail = |share: &Share| share.public()[share.public().len() - 32..].to_vec();
                assert_eq!(tail(&shares[0]), tail(&shares[1]));
                let ours = shares.swap_remove(answered);
                assert_eq!(ours.group(), groups[answered]);
                drop(shares);
                let (theirs, secret) = answer(ours.group(), ours.public()).unwrap();
                assert_eq!(ours.agree(&theirs), Some(secret));
            }
        }
        let [first, second] = [(); 2].map(|()| Share::generate(Group::X25519, &[]).unwrap());
        assert_ne!(first.public(), second.public());
    }

    #[test]
    fn a_key_pair_serves_once() {
        let first = Share::generate(Group::X25519, &[]).unwrap();
        let shares = [first];
        let second = Share::generate(Group::X25519MlKem768, &shares).unwrap();
        let (theirs, _) = answer(second.group(), second.public()).unwrap();
        assert!(second.agree(&theirs).is_none());
    }
}
