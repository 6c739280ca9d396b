//! Nonces are record numbers, and each is used once: in full over 10^6 records, with keys that change.

use std::collections::HashSet;

use crate::{
    Role::{Client, Server},
    Version,
    tests::support::{Pair, config_of, ms, perfect, times},
};

/// In 1.2 the nonce stands in the record.
#[test]
fn of_1_2_are_distinct_on_the_wire() {
    let mut pair = Pair::new(config_of(Version::Dtls12, 0), config_of(Version::Dtls12, 1));
    pair.connect();
    let mut nonces = HashSet::new();
    for _ in 0..times(10_000, 1_000_000) {
        let datagram = pair[Client].seal(b"x");
        let nonce: [u8; 8] = datagram[13..21].try_into().unwrap();
        assert!(nonces.insert(nonce));
    }
}

/// In 1.3 it is made of the number, with a part that the key brings. It is not on the wire, but one plaintext under
/// one nonce would be one ciphertext, whatever the header says.
#[test]
fn of_1_3_are_distinct_under_each_key() {
    let mut pair = Pair::new(config_of(Version::Dtls13, 0), config_of(Version::Dtls13, 1));
    pair.connect();
    let (mut epochs, mut ciphertexts) = (HashSet::new(), HashSet::new());
    let rounds = times(10_000, 1_000_000);
    for round in 0..rounds {
        let (epoch, _) = pair[Client].connection.epochs();
        epochs.insert(epoch);
        let left = pair[Client].connection.records_left(epoch);
        let mut datagram = pair[Client].seal(&[7; 16]);
        let ciphertext: [u8; 16] = datagram[5..21].try_into().unwrap();
        assert!(ciphertexts.insert(ciphertext), "{epoch} {left}");
        // Who hears nothing for 2^15 records loses count, as 16 bits of a number stand on the wire.
        if round % 1_000 == 0 {
            let now = pair.now;
            pair[Server].handle(now, &mut datagram);
        }
        assert_eq!(pair[Client].connection.records_left(epoch), left - 1);
        if round % (rounds / 5) == 0 {
            pair[Client].connection.update_keys(true).unwrap();
            pair.run(ms(100), &mut perfect());
        }
    }
    assert_eq!(epochs.len(), 6);
}
