//! Nobody is connected to who does not hold the key of the certificate, or saw another handshake.

use std::time::Duration;

use crate::{
    AlertDescription, Certificate, Config, Event, Failure, KeyType,
    Role::{self, Client, Server},
    Version,
    tests::{
        peer::{As, each, flip_last},
        support::{Pair, VERSIONS, certificate, config_of, other, perfect},
    },
};

fn plain(version: Version) -> Pair {
    Pair::new(config_of(version, 0), config_of(version, 1))
}

/// One side is connected to a liar; what the other, honest one says.
fn outcome(version: Version, liar: Role, prepare: impl FnOnce(&mut Pair)) -> Vec<Event> {
    let mut pair = plain(version);
    prepare(&mut pair);
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    std::mem::take(&mut pair[other(liar)].events)
}

fn refused_with(events: &[Event], alert: AlertDescription) {
    let cause = Failure::AlertSent(alert);
    assert_eq!(events, [Event::Failed { cause }]);
}

#[test]
fn an_impostor_with_the_right_chain_and_another_key_connects_to_nobody() {
    let now = std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for key_type in [
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::Ed25519,
        KeyType::Rsa2048,
    ] {
        let genuine = certificate(key_type, 0);
        let stranger = Certificate::generate(key_type, now, Certificate::DEFAULT_LIFETIME);
        let impostor = Certificate::impostor(&genuine, &stranger.unwrap());
        for (version, liar) in VERSIONS
            .into_iter()
            .flat_map(|version| [Client, Server].map(|liar| (version, liar)))
        {
            let impostor = Config::new(impostor.clone()).versions(&[version]);
            let honest = config_of(version, 1);
            let mut pair = match liar {
                Client => Pair::new(impostor, honest),
                Server => Pair::new(honest, impostor),
            };
            pair.start();
            pair.run(Duration::from_secs(60), &mut perfect());
            let events = &pair[other(liar)].events;
            refused_with(events, AlertDescription::DECRYPT_ERROR);
        }
    }
}

#[test]
fn a_signature_that_is_one_bit_off_is_refused() {
    for (version, liar, kind) in [
        (Version::Dtls12, Server, 12),
        (Version::Dtls12, Client, 15),
        (Version::Dtls13, Server, 15),
        (Version::Dtls13, Client, 15),
    ] {
        let events = outcome(version, liar, |pair| {
            pair[liar].connection.edit = Some(each(kind, flip_last));
        });
        refused_with(&events, AlertDescription::DECRYPT_ERROR);
    }
}

#[test]
fn a_finished_that_is_one_bit_off_is_refused() {
    for version in VERSIONS {
        for liar in [Client, Server] {
            let events = outcome(version, liar, |pair| {
                pair[liar].connection.edit = Some(each(20, flip_last));
            });
            refused_with(&events, AlertDescription::DECRYPT_ERROR);
        }
    }
}

/// A change that the sender does not know of: signature and Finished cover everything said. A client of
/// 1.3 is connected before the server has judged what it said.
#[test]
fn a_hello_that_is_changed_on_the_way_is_noticed() {
    for version in VERSIONS {
        for liar in [Client, Server] {
            let kind = if liar == Client { 1 } else { 2 };
            let mut pair = plain(version);
            // A byte of the random: nothing but the proofs can notice.
            pair[liar].connection.edit = Some(each(kind, |draft| {
                draft.body[20] ^= 1;
                draft.transcript = As::Original;
            }));
            pair.start();
            pair.run(Duration::from_secs(60), &mut perfect());
            for end in &pair.ends {
                assert!(
                    !end.events.contains(&Event::Connected),
                    "{version} {liar:?}"
                );
            }
        }
    }
}

/// The refusal of its certificate reaches a client of 1.3 behind `Connected`.
#[test]
fn a_client_of_1_3_hears_of_its_refusal_when_it_is_connected() {
    let mut pair = Pair::bare(config_of(Version::Dtls13, 0), config_of(Version::Dtls13, 1));
    let now = pair.now;
    let server = super::support::fingerprint(&certificate(KeyType::EcdsaP256, 1));
    let stranger = super::support::fingerprint(&certificate(KeyType::EcdsaP256, 2));
    pair[Client].expect(now, &[server]);
    pair[Server].expect(now, &[stranger]);
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    let cause = Failure::AlertReceived(AlertDescription::BAD_CERTIFICATE);
    let seen = [Event::Connected, Event::Failed { cause }];
    assert_eq!(pair[Client].events, seen);
    let cause = Failure::FingerprintMismatch;
    assert_eq!(pair[Server].events, [Event::Failed { cause }]);
}
