use subtle::ConstantTimeEq;

use crate::{Peer, Role, crypto::key::Signed};

/// What is known of who the peer is.
pub(crate) enum Identity {
    /// It has the key of the certificate that it showed.
    Signed(Signed),
    /// It was not asked.
    Unasked(Unasked),
}

/// The configuration wants a server that asks for no certificate. Made by [`check_unasked`] alone.
pub(crate) struct Unasked(());

/// Only a server may leave out to ask: a server is always asked, by its client's hello.
pub(super) fn check_unasked(peer: Peer, role: Role) -> Option<Unasked> {
    (peer == Peer::Nobody && role == Role::Server).then_some(Unasked(()))
}

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
    fn only_a_server_that_is_told_so_does_not_ask() {
        for peer in [Peer::Fingerprints, Peer::Owner, Peer::Nobody] {
            assert!(check_unasked(peer, Role::Client).is_none());
            let unasked = check_unasked(peer, Role::Server).is_some();
            assert_eq!(unasked, peer == Peer::Nobody);
        }
    }

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
