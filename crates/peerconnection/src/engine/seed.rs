//! Seeds for the machines of an engine, and the ICE credentials.

use byteorder::{BigEndian, ByteOrder};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use oxirtc_jsep as jsep;

/// What HKDF has extracted of the engine's seed. No machine sees it, nor the seed of another.
pub(super) struct Seed(Zeroizing<[u8; 32]>);

/// Makes ufrags, passwords and SSRCs.
pub(super) struct CredentialSource {
    random: ChaCha20Rng,
    /// Those that the application has chosen, until they are taken.
    first: Option<jsep::Credentials>,
}

struct SeedLength;

impl hkdf::KeyType for SeedLength {
    fn len(&self) -> usize {
        32
    }
}

impl Seed {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        // RFC 5869 §2.2: once, as all machines have the same of it.
        let salt = hmac::Key::new(hmac::HMAC_SHA256, b"oxirtc engine");
        let extracted = hmac::sign(&salt, seed.as_slice());
        let mut own = Zeroizing::new([0; 32]);
        own.copy_from_slice(extracted.as_ref());
        Self(own)
    }

    /// HKDF-SHA256 (RFC 5869) of the engine's seed, a label and the machine's number.
    pub(super) fn derive(&self, label: &str, id: u32) -> [u8; 32] {
        let mut seed = [0; 32];
        let key = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, self.0.as_slice());
        let mut number = [0; 4];
        BigEndian::write_u32(&mut number, id);
        let info = [label.as_bytes(), &number];
        let filled = key
            .expand(&info, SeedLength)
            .and_then(|okm| okm.fill(&mut seed));
        // It fails for lengths above 255 hashes only.
        debug_assert!(filled.is_ok());
        seed
    }

    pub(super) fn credential_source(&self, first: Option<jsep::Credentials>) -> CredentialSource {
        let random = ChaCha20Rng::from_seed(self.derive("credentials", 0));
        CredentialSource { random, first }
    }

    pub(super) fn session_id(&self) -> u64 {
        ChaCha20Rng::from_seed(self.derive("session id", 0)).next_u64()
    }
}

impl jsep::Source for CredentialSource {
    /// RFC 8839 §5.4: at least 24 bits in the ufrag and 128 in the password; these have 48 and 144.
    fn credentials(&mut self) -> jsep::Credentials {
        self.first.take().unwrap_or_else(|| jsep::Credentials {
            ufrag: self.text(8),
            password: self.text(24),
        })
    }

    fn ssrc(&mut self) -> u32 {
        self.random.next_u32()
    }
}

impl CredentialSource {
    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let sextet = self.random.next_u32() >> 26;
            text.extend(char::from_u32(match sextet {
                0..26 => sextet + u32::from(b'A'),
                26..52 => sextet - 26 + u32::from(b'a'),
                52..62 => sextet - 52 + u32::from(b'0'),
                62 => u32::from(b'+'),
                _ => u32::from(b'/'),
            }));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use oxirtc_jsep::Source as _;

    use super::*;

    /// RFC 5869: what was extracted once gives what both steps give.
    #[test]
    fn a_seed_is_hkdf_of_the_engines() {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"oxirtc engine");
        let mut expected = [0; 32];
        let extracted = salt.extract(&[7; 32]);
        let expanded = extracted.expand(&[b"dtls", &[0, 0, 0, 3]], SeedLength);
        expanded.unwrap().fill(&mut expected).unwrap();
        assert_eq!(Seed::new([7; 32]).derive("dtls", 3), expected);
    }

    #[test]
    fn seeds_differ_by_label_and_number_and_repeat() {
        let seed = Seed::new([7; 32]);
        let all = [
            seed.derive("ice", 0),
            seed.derive("ice", 1),
            seed.derive("dtls", 0),
            [7; 32],
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
        assert_eq!(seed.derive("ice", 1), Seed::new([7; 32]).derive("ice", 1));
    }

    #[test]
    fn credentials_are_ice_chars_and_never_repeat() {
        let mut source = Seed::new([1; 32]).credential_source(None);
        let (one, two) = (source.credentials(), source.credentials());
        assert_ne!(one.ufrag, two.ufrag);
        for text in [&one.ufrag, &one.password, &two.password] {
            assert!(
                text.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
            );
        }
        assert_eq!((one.ufrag.len(), one.password.len()), (8, 24));
    }
}
