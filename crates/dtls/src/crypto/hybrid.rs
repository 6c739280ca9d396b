//! X25519MLKEM768: an agreement that holds while either of its halves does. The post-quantum half comes
//! first on the wire and in the secret.

use std::sync::Arc;

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey};
use ring::rand::SecureRandom;
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::{
    group::{Group, KeyShare},
    library_random,
};

/// The client's half.
pub(crate) struct HybridShare {
    post_quantum: DecapsulationKey,
    classic: Arc<KeyShare>,
    public: Vec<u8>,
}

/// Wiped when it is dropped.
struct DecapsulationKey(MlKem768PrivateKey);

impl HybridShare {
    /// A fresh key pair beside one of X25519; `None` when the system has no randomness.
    pub(crate) fn generate(classic: Arc<KeyShare>) -> Option<Self> {
        let seed = random::<64>()?;
        let (private, key) = mlkem768::generate_key_pair(*seed).into_parts();
        let post_quantum = DecapsulationKey(private);
        let public = [key.as_ref(), classic.public()].concat();
        Some(Self {
            post_quantum,
            classic,
            public,
        })
    }

    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) fn classic(&self) -> &Arc<KeyShare> {
        &self.classic
    }

    /// The shared secret with a server's half. `None` when that has another length, its classic part is of low order, or
    /// another share has our classic key pair still.
    pub(crate) fn agree(self, server: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (ciphertext, classic) = server.split_at_checked(CIPHERTEXT_LEN)?;
        let ciphertext = MlKem768Ciphertext::try_from(ciphertext).ok()?;
        let post_quantum = mlkem768::decapsulate(&self.post_quantum.0, &ciphertext);
        let post_quantum = Zeroizing::new(post_quantum);
        let classic = Arc::into_inner(self.classic)?.agree(classic)?;
        Some(join(&post_quantum[..], &classic))
    }
}

impl Drop for DecapsulationKey {
    fn drop(&mut self) {
        self.0[0..].zeroize();
    }
}

/// A server's half for this half of a client, and the shared secret. `None` when the client's has another
/// length, holds no encapsulation key (FIPS 203 §7.2), or its classic part is of low order.
pub(crate) fn answer(client: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let (key, classic_peer) = client.split_at_checked(ENCAPSULATION_KEY_LEN)?;
    let key = MlKem768PublicKey::try_from(key).ok()?;
    if !mlkem768::validate_public_key(&key) {
        return None;
    }
    let message = random::<32>()?;
    let (ciphertext, post_quantum) = mlkem768::encapsulate(&key, *message);
    let post_quantum = Zeroizing::new(post_quantum);
    let classic = KeyShare::generate(Group::X25519)?;
    let public = [ciphertext.as_ref(), classic.public()].concat();
    let classic = classic.agree(classic_peer)?;
    Some((public, join(&post_quantum[..], &classic)))
}

fn join(post_quantum: &[u8], classic: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([post_quantum, classic].concat())
}

fn random<const N: usize>() -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    library_random().fill(bytes.as_mut()).ok()?;
    Some(bytes)
}

const ENCAPSULATION_KEY_LEN: usize = 1184;
const CIPHERTEXT_LEN: usize = 1088;

#[cfg(test)]
mod tests {
    use super::*;

    fn generate() -> Option<HybridShare> {
        HybridShare::generate(Arc::new(KeyShare::generate(Group::X25519)?))
    }

    #[test]
    fn both_sides_agree_on_64_bytes() {
        let client = generate().unwrap();
        assert_eq!(client.public().len(), 1216);
        let (server, theirs) = answer(client.public()).unwrap();
        assert_eq!(server.len(), 1120);
        let ours = client.agree(&server).unwrap();
        assert_eq!((ours.len(), &ours), (64, &theirs));
        let again = generate().unwrap();
        let (other, secret) = answer(again.public()).unwrap();
        assert!(other != server && secret != theirs);
    }

    #[test]
    fn malformed_halves_are_refused() {
        let client = generate().unwrap();
        let good = client.public().to_vec();
        // FIPS 203 §7.2: a coefficient that is not below the modulus.
        let mut large = good.clone();
        large[..3].fill(0xFF);
        let mut low_order = good.clone();
        low_order[1184..].fill(0);
        for bad in [&large[..], &low_order, &good[1..], &good[..1215], &[]] {
            assert!(answer(bad).is_none());
        }
        let longer = [&good[..], &[0]].concat();
        assert!(answer(&longer).is_none());
        let (server, _) = answer(&good).unwrap();
        let mut low_order = server.clone();
        low_order[1088..].fill(0);
        for bad in [&low_order[..], &server[1..], &[]] {
            assert!(generate().unwrap().agree(bad).is_none());
        }
    }
}
