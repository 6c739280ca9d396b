use subtle::ConstantTimeEq;

/// The peer's Finished was right: it saw the same handshake and has the same secret. Made by
/// [`check_finished`] alone.
pub(crate) struct Finished(());

/// Compares in constant time.
pub(super) fn check_finished(expected: &[u8], received: &[u8]) -> Option<Finished> {
    bool::from(expected.ct_eq(received)).then_some(Finished(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_and_the_length_count() {
        let expected = [0x5A; 12];
        assert!(check_finished(&expected, &expected).is_some());
        for bit in 0..96 {
            let mut other = expected;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(check_finished(&expected, &other).is_none());
        }
        assert!(check_finished(&expected, &expected[..11]).is_none());
        assert!(check_finished(&expected, &[]).is_none());
    }
}
