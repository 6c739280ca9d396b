//! Nobody is connected to who does not hold the key of the certificate, or saw another handshake.

use std::time::Duration;

use crate::{
    AlertDescription, Certificate, Config, Event, Failure, KeyType, Role,
    tests::{
        peer::{As, each, flip_last},
        support::{Pair, certificate, other, perfect},
    },
};

/// One side is connected to a liar; what the other, honest one says.
fn outcome(liar: Role, prepare: impl FnOnce(&mut Pair)) -> Vec<Event> {
    let mut pair = Pair::plain();
    prepare(&mut pair);
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    std::mem::take(&mut pair.end(other(liar)).events)
}

fn refused_with(events: &[Event], alert: AlertDescription) {
    let cause = Failure::AlertSent(alert);
    assert_eq!(events, [Event::Failed { cause }]);
}

#[test]
fn an_impostor_with_the_right_chain_and_another_key_connects_to_nobody() {
    for key_type in [KeyType::EcdsaP256, KeyType::Rsa2048] {
        for liar in [Role::Client, Role::Server] {
            let genuine = certificate(key_type, 0);
            let stranger = match key_type {
                KeyType::Rsa2048 => Certificate::generate(
                    KeyType::Rsa2048,
                    std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
                    Certificate::DEFAULT_LIFETIME,
                )
                .unwrap(),
                _ => certificate(key_type, 2),
            };
            let impostor = Config::new(Certificate::impostor(&genuine, &stranger));
            let honest = Config::new(certificate(KeyType::EcdsaP256, 1));
            let mut pair = match liar {
                Role::Client => Pair::new(impostor, honest),
                Role::Server => Pair::new(honest, impostor),
            };
            pair.start();
            pair.run(Duration::from_secs(60), &mut perfect());
            let events = &pair.end(other(liar)).events;
            refused_with(events, AlertDescription::DECRYPT_ERROR);
        }
    }
}

#[test]
fn a_signature_that_is_one_bit_off_is_refused() {
    for (liar, kind) in [(Role::Server, 12), (Role::Client, 15)] {
        let events = outcome(liar, |pair| {
            pair.end(liar).connection.edit = Some(each(kind, flip_last));
        });
        refused_with(&events, AlertDescription::DECRYPT_ERROR);
    }
}

#[test]
fn a_finished_that_is_one_bit_off_is_refused() {
    for liar in [Role::Client, Role::Server] {
        let events = outcome(liar, |pair| {
            pair.end(liar).connection.edit = Some(each(20, flip_last));
        });
        refused_with(&events, AlertDescription::DECRYPT_ERROR);
    }
}

/// A change that the sender does not know of: signature and Finished cover everything said.
#[test]
fn a_hello_that_is_changed_on_the_way_is_noticed() {
    for liar in [Role::Client, Role::Server] {
        let kind = if liar == Role::Client { 1 } else { 2 };
        let mut pair = Pair::plain();
        // A byte of the random: nothing but the proofs can notice.
        pair.end(liar).connection.edit = Some(each(kind, |draft| {
            draft.body[20] ^= 1;
            draft.transcript = As::Original;
        }));
        pair.start();
        pair.run(Duration::from_secs(60), &mut perfect());
        for end in [&pair.client, &pair.server] {
            assert!(!end.events.contains(&Event::Connected), "{liar:?}");
        }
    }
}
