//! Record numbers of DTLS 1.3 on the wire: the low bits, encrypted (RFC 9147 §4.2.2, §4.2.3).

use crate::record::wire::MAX_SEQUENCE;

/// The number whose low `bits` are these and which is nearest to the one that is expected next.
pub(crate) fn expand(low: u16, bits: u32, expected: u64) -> u64 {
    let span = 1_u64 << bits;
    let low = u64::from(low) & (span - 1);
    let candidate = (expected & !(span - 1)) | low;
    if candidate + span / 2 < expected {
        match candidate + span {
            above if above <= MAX_SEQUENCE => above,
            _ => candidate,
        }
    } else if candidate > expected + span / 2 && candidate >= span {
        candidate - span
    } else {
        candidate
    }
}

/// Encrypts or decrypts the number in place.
pub(crate) fn mask(number: &mut [u8], mask: [u8; 5]) {
    for (byte, mask) in number.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: of all numbers with these bits, none is nearer.
    #[test]
    fn the_nearest_number_is_taken() {
        for expected in (0..1_200).chain(MAX_SEQUENCE - 600..=MAX_SEQUENCE) {
            for low in 0..256_u64 {
                let found = expand(low as u16, 8, expected);
                assert!(found & 0xFF == low && found <= MAX_SEQUENCE);
                let distance = found.abs_diff(expected);
                for other in [found.checked_sub(256), found.checked_add(256)] {
                    let other = other.filter(|other| *other <= MAX_SEQUENCE);
                    let farther = other.is_none_or(|it| it.abs_diff(expected) >= distance);
                    assert!(farther, "{low} at {expected}: {found}");
                }
            }
        }
        assert_eq!(expand(0, 16, 0xFFFF), 0x1_0000);
        assert_eq!(expand(0xFFFF, 16, 0x1_0001), 0xFFFF);
        assert_eq!(expand(0xFFFF, 16, 0), 0xFFFF);
        assert_eq!(expand(0x9000, 16, 0x1_1000), 0x1_9000);
        assert_eq!(expand(0x9001, 16, 0x1_1000), 0x9001);
        assert_eq!(expand(0x1000, 16, 0x9000), 0x1000);
    }
}
