//! Names that stand for addresses.

use byteorder::{BigEndian, ByteOrder};
use rand_core::Rng;

/// Whether a candidate's name is one that multicast DNS resolves: one label before `.local`
/// (draft-ietf-mmusic-mdns-ice-candidates §3.2).
pub fn is_local(name: &str) -> bool {
    let label = name.len().checked_sub(SUFFIX.len()).and_then(|at| {
        let (label, suffix) = name.split_at_checked(at)?;
        suffix.eq_ignore_ascii_case(SUFFIX).then_some(label)
    });
    label.is_some_and(|label| {
        (1..=MAX_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    })
}

/// A random UUID (RFC 9562 §5.4) before `.local`: it says nothing about its owner.
pub(crate) fn random(random: &mut impl Rng) -> String {
    let mut bytes = [0_u8; 16];
    random.fill_bytes(&mut bytes);
    let number = BigEndian::read_u128(&bytes);
    // Version 4 and the variant of RFC 9562.
    let number = number & !(0xf << 76) | 4 << 76;
    let number = number & !(0x3 << 62) | 2 << 62;
    let field = |shift: u32, digits: u32| number >> shift & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}{SUFFIX}",
        field(96, 8),
        field(80, 4),
        field(64, 4),
        field(48, 4),
        field(0, 12)
    )
}

const SUFFIX: &str = ".local";
/// RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn names_of_one_label_are_local() {
        let long = format!("{}.local", "a".repeat(63));
        for good in [
            "1f4712db-ea17-4bcf-a596-105139dfd8bf.local",
            "a.LOCAL",
            &long,
        ] {
            assert!(is_local(good), "{good}");
        }
        let long = format!("{}.local", "a".repeat(64));
        for bad in [
            ".local",
            "local",
            "a.b.local",
            "a.example",
            "a b.local",
            "ä.local",
            "",
            &long,
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }

    #[test]
    fn random_names_are_uuids_and_differ() {
        let mut source = ChaCha20Rng::from_seed([1; 32]);
        let (one, two) = (random(&mut source), random(&mut source));
        assert!(is_local(&one) && is_local(&two) && one != two);
        assert_eq!((one.len(), &one[14..15]), (42, "4"));
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"), "{one}");
    }
}
