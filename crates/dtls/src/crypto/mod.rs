//! The algorithms in the terms of the handshake, on `ring` and `libcrux-ml-kem`.

pub(crate) mod aead;
pub(crate) mod group;
pub(crate) mod hkdf;
pub(crate) mod hybrid;
pub(crate) mod key;
pub(crate) mod prf;
pub(crate) mod share;
pub(crate) mod signature;
pub(crate) mod suite;

use ring::rand::SystemRandom;

/// The generator of the crypto library. Key material stays inside it: its keys take no other source.
pub(crate) fn library_random() -> SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "key material of the crypto library uses the library's own generator"
    )]
    SystemRandom::new()
}
