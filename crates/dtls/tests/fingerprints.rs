//! The peer is who its fingerprint says, and nothing leaves before that is known.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use oxirtc_dtls::{
    AlertDescription, Certificate, Error, Event, Failure, Fingerprint, HashAlgorithm, KeyType,
    Role::{self, Client, Server},
    State, Version,
};
use support::{Pair, VERSIONS, certificate, config, config_of, fingerprint, other, perfect};

fn of(certificate: &Certificate, algorithm: HashAlgorithm) -> Fingerprint {
    certificate.fingerprint(&algorithm).unwrap()
}

/// `(name, fingerprints, accepted)`.
fn matrix(
    certificate: &Certificate,
    stranger: &Certificate,
) -> Vec<(&'static str, Vec<Fingerprint>, bool)> {
    use HashAlgorithm::{Other, Sha1, Sha256, Sha384, Sha512};
    let right = of(certificate, Sha256);
    let mut flipped = right.value().to_vec();
    flipped[17] ^= 1;
    let parse = |text: String| text.parse::<Fingerprint>().unwrap();
    let lower = parse(right.to_string().to_lowercase());
    let upper = parse(right.to_string().to_uppercase());
    let unknown = Fingerprint::new(Other("sha3-256".into()), right.value().to_vec());
    vec![
        ("right", vec![right.clone()], true),
        ("right, sha-384", vec![of(certificate, Sha384)], true),
        ("right, sha-512", vec![of(certificate, Sha512)], true),
        (
            "one bit off",
            vec![Fingerprint::new(Sha256, flipped)],
            false,
        ),
        (
            "cut",
            vec![Fingerprint::new(Sha256, right.value()[..31].to_vec())],
            false,
        ),
        (
            "no bytes",
            vec![Fingerprint::new(Sha256, Vec::new())],
            false,
        ),
        ("of another", vec![of(stranger, Sha256)], false),
        ("none", vec![], false),
        (
            "sha-1 only",
            vec![Fingerprint::new(Sha1, vec![1; 20])],
            false,
        ),
        ("unknown hash", vec![unknown.clone()], false),
        ("unknown hash and right", vec![unknown, right.clone()], true),
        (
            "two of which one fits",
            vec![of(stranger, Sha256), right.clone()],
            true,
        ),
        (
            "the stronger is wrong",
            vec![right, of(stranger, Sha512)],
            false,
        ),
        ("lower case", vec![lower], true),
        ("upper case", vec![upper], true),
    ]
}

/// [5.5-06] before, during and after the handshake; not a byte of the peer comes out before.
/// Known failures 5 and 6.
#[test]
fn only_the_right_certificate_connects() {
    let certificates = [0, 1, 2].map(|which| certificate(KeyType::EcdsaP256, which));
    for version in VERSIONS {
        for judge in [Client, Server] {
            let (of, its) = match judge {
                Client => (&certificates[1], &certificates[0]),
                Server => (&certificates[0], &certificates[1]),
            };
            for (name, fingerprints, accepted) in matrix(of, &certificates[2]) {
                for late in [false, true] {
                    let mut pair = Pair::bare(config_of(version, 0), config_of(version, 1));
                    let now = pair.now;
                    pair[other(judge)].expect(now, &[fingerprint(its)]);
                    let name = format!("{version} {judge:?} {name} late: {late}");
                    match late {
                        false => pair[judge].expect(now, &fingerprints),
                        true => speak_first(&mut pair, judge, &name),
                    }
                    if late {
                        let now = pair.now;
                        pair[judge].expect(now, &fingerprints);
                    } else {
                        pair.start();
                    }
                    // In 1.2 a certificate comes in the clear, so that the right one may follow.
                    pair.run(Duration::from_secs(6), &mut perfect());
                    check(&mut pair, judge, accepted, late, &name);
                }
            }
        }
    }
}

/// The handshake runs, and the other side speaks, before the judge knows what to expect.
fn speak_first(pair: &mut Pair, judge: Role, name: &str) {
    pair.start();
    pair.run(Duration::from_secs(1), &mut perfect());
    assert!(pair[other(judge)].connection.is_connected(), "{name}");
    let (now, mut early) = (pair.now, pair[other(judge)].seal(b"early"));
    pair[judge].handle(now, &mut early);
    assert_eq!(pair[judge].events, [], "{name}");
    assert!(pair[judge].received.is_empty(), "{name}");
}

fn check(pair: &mut Pair, judge: Role, accepted: bool, late: bool, name: &str) {
    if accepted {
        let early: &[&[u8]] = if late { &[b"early"] } else { &[] };
        assert_eq!(pair[judge].received, early, "{name}");
        pair.assert_connected();
        return;
    }
    let cause = Failure::FingerprintMismatch;
    let end = &mut pair[judge];
    assert_eq!(end.events, [Event::Failed { cause }], "{name}");
    assert_eq!(cause.sent_alert(), Some(42));
    assert!(end.received.is_empty(), "{name}");
    assert_eq!(end.connection.state(), State::Failed);
    let refused = end
        .connection
        .export("EXTRACTOR-dtls_srtp", None, &mut [0; 9]);
    assert_eq!(refused, Err(Error::NotConnected));
    assert!(end.connection.remote_certificates().is_empty());
}

/// In 1.2 a certificate comes in the clear and is anybody's: only when no other follows does it end the handshake. In 1.3 it is the
/// peer's. Either way the peer hears why.
#[test]
fn a_certificate_of_another_in_the_clear_is_doubted_first() {
    for (version, judge, doubt) in VERSIONS.into_iter().flat_map(|version| {
        [(Client, 5), (Client, 0), (Server, 5), (Server, 0)]
            .map(|(judge, doubt)| (version, judge, doubt))
    }) {
        let end = |which| config_of(version, which).doubt(Duration::from_secs(doubt));
        let mut pair = Pair::bare(end(0), end(1));
        let now = pair.now;
        let stranger = fingerprint(&certificate(KeyType::EcdsaP256, 2));
        pair[judge].expect(now, &[stranger]);
        let its = fingerprint(end(usize::from(judge == Server)).certificate());
        pair[other(judge)].expect(now, &[its]);
        pair.start();
        pair.run(Duration::from_secs(4), &mut perfect());
        let doubted = version == Version::Dtls12 && doubt > 0;
        assert_eq!(pair[judge].events.is_empty(), doubted, "{version}");
        pair.run(Duration::from_secs(10), &mut perfect());
        let cause = Failure::FingerprintMismatch;
        assert_eq!(pair[judge].events, [Event::Failed { cause }]);
        let cause = Failure::AlertReceived(AlertDescription::BAD_CERTIFICATE);
        let heard = pair[other(judge)].events.last().cloned();
        assert_eq!(heard, Some(Event::Failed { cause }), "{version} {judge:?}");
    }
}

#[test]
fn what_comes_before_the_fingerprints_is_held_and_comes_out_after_connected() {
    let mut pair = Pair::bare(config(0), config(1));
    let now = pair.now;
    pair[Client].expect(now, &[fingerprint(&certificate(KeyType::EcdsaP256, 1))]);
    pair.start();
    pair.run(Duration::from_secs(2), &mut perfect());
    assert_eq!(pair[Client].events, [Event::Connected]);
    let now = pair.now;
    for index in 0..100_u8 {
        let mut datagram = pair[Client].seal(&[index]);
        pair[Server].handle(now, &mut datagram);
    }
    assert!(pair[Server].received.is_empty() && pair[Server].events.is_empty());
    let mut buf = vec![0; 50];
    assert_eq!(
        pair[Server].connection.seal(&mut buf, 0),
        Err(Error::NotConnected)
    );
    assert_eq!(pair[Server].connection.state(), State::Connecting);
    let expected = [fingerprint(&certificate(KeyType::EcdsaP256, 0))];
    pair[Server].expect(now, &expected);
    let bytes: Vec<u8> = pair[Server].received.drain(..).flatten().collect();
    assert_eq!(bytes, (0..64).collect::<Vec<u8>>(), "bounded, in order");
    pair.assert_connected();
    pair[Server].expect(now, &expected);
    pair.exchange();
    pair[Server].expect(now, &[]);
    let failed = Event::Failed {
        cause: Failure::FingerprintMismatch,
    };
    assert_eq!(
        pair[Server].events.last(),
        Some(&failed),
        "a later description counts too"
    );
}

#[test]
fn nobody_waits_for_fingerprints_for_ever() {
    let mut pair = Pair::bare(config(0), config(1));
    pair.start();
    pair.run(Duration::from_secs(29), &mut perfect());
    assert!(pair[Server].events.is_empty() && pair[Client].events.is_empty());
    pair.run(Duration::from_secs(2), &mut perfect());
    let failed = Event::Failed {
        cause: Failure::FingerprintTimeout,
    };
    assert!(pair[Client].events == [failed] || pair[Server].events == [failed]);
    assert_eq!(pair[Server].connection.poll_timeout(), None);
}

/// What a failure says was sent is what the peer hears.
#[test]
fn the_alert_of_a_timeout_is_the_one_that_was_sent() {
    let mut pair = Pair::plain();
    let mut alerts = Vec::new();
    pair.start();
    pair.run(Duration::from_secs(130), &mut |_, datagram| {
        if datagram[0] == 21 {
            alerts.push(datagram[13..].to_vec());
        }
        Vec::new()
    });
    let cause = Failure::HandshakeTimeout;
    assert_eq!(pair[Client].events, [Event::Failed { cause }]);
    assert_eq!(alerts, [[2, 90]]);
    assert_eq!(cause.sent_alert(), Some(90));

    let mut pair = Pair::bare(config(0), config(1));
    let now = pair.now;
    pair[Client].expect(now, &[fingerprint(&certificate(KeyType::EcdsaP256, 1))]);
    pair.start();
    pair.run(Duration::from_secs(31), &mut perfect());
    let cause = Failure::FingerprintTimeout;
    assert_eq!(pair[Server].events, [Event::Failed { cause }]);
    let heard = Failure::AlertReceived(cause.sent_alert().unwrap().into());
    let failed = Event::Failed { cause: heard };
    assert_eq!(pair[Client].events, [Event::Connected, failed]);
}

#[test]
fn a_close_that_was_held_comes_after_what_was_said_before_it() {
    let mut pair = Pair::bare(config(0), config(1));
    let now = pair.now;
    pair[Client].expect(now, &[fingerprint(&certificate(KeyType::EcdsaP256, 1))]);
    pair.start();
    pair.run(Duration::from_secs(1), &mut perfect());
    let mut datagram = pair[Client].seal(b"last words");
    let now = pair.now;
    pair[Server].handle(now, &mut datagram);
    pair[Client].connection.close(now);
    pair.run(Duration::from_secs(1), &mut perfect());
    pair[Server].expect(now, &[fingerprint(&certificate(KeyType::EcdsaP256, 0))]);
    assert_eq!(pair[Server].received, [b"last words"]);
    let by = oxirtc_dtls::Initiator::Remote;
    assert_eq!(
        pair[Server].events,
        [Event::Connected, Event::Closed { by }]
    );
}
