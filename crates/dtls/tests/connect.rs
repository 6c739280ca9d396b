//! Handshakes of every kind that both sides support.
mod support;

use std::time::Duration;

use oxirtc_dtls::{
    AlertDescription, CipherSuite, Config, Error, Event, Failure, Group, Initiator, KeyType, Peer,
    Role::{Client, Server},
    SignatureScheme, SrtpProfile, State, Version,
};
use support::{Pair, VERSIONS, alert, certificate, config, config_1_3, config_of, ms, perfect};

#[test]
fn every_suite_with_every_certificate_type_and_group() {
    for suite in CipherSuite::ALL {
        if suite.version() != Version::Dtls12 {
            continue;
        }
        let rsa = suite.to_string().contains("_RSA_");
        let server = if rsa {
            KeyType::Rsa2048
        } else {
            KeyType::EcdsaP256
        };
        for client in [KeyType::EcdsaP256, KeyType::Rsa2048] {
            for group in [Group::X25519, Group::P256, Group::P384] {
                let client = Config::new(certificate(client, 0)).versions(&[Version::Dtls12]);
                let client = client.groups(&[group]);
                let server = Config::new(certificate(server, 1)).versions(&[Version::Dtls12]);
                let server = server.cipher_suites(&[suite]);
                let mut pair = Pair::new(client, server);
                pair.connect();
                for end in &pair.ends {
                    let connection = &end.connection;
                    assert_eq!(connection.cipher_suite(), Some(suite));
                    assert_eq!(connection.group(), Some(group));
                    assert_eq!(connection.alpn(), Some("webrtc"));
                    assert_eq!(connection.srtp_profile(), Some(SrtpProfile::AeadAes128Gcm));
                    assert_eq!(connection.protocol_version(), Some(0xFEFD));
                    assert_eq!(connection.stats().retransmissions, 0);
                }
                let theirs = pair[Client].connection.remote_certificates();
                assert_eq!(theirs[0], pair_certificate(&suite));
            }
        }
    }
}

fn pair_certificate(suite: &CipherSuite) -> Vec<u8> {
    let rsa = suite.to_string().contains("_RSA_");
    let key_type = if rsa {
        KeyType::Rsa2048
    } else {
        KeyType::EcdsaP256
    };
    certificate(key_type, 1).der().to_vec()
}

#[test]
fn two_round_trips_and_one_datagram_a_flight() {
    let mut pair = Pair::plain();
    let mut datagrams = 0;
    pair.start();
    pair.run(Duration::from_millis(100), &mut |_, datagram| {
        datagrams += 1;
        vec![(ms(10), datagram)]
    });
    pair.assert_connected();
    assert_eq!(datagrams, 4);
}

#[test]
fn a_cookie_costs_one_round_trip_more() {
    let mut pair = Pair::new(
        config(0),
        config(1).cookie_exchange(true).cookie_context(b"1.2.3.4:5"),
    );
    let mut datagrams = 0;
    pair.start();
    pair.run(Duration::from_millis(100), &mut |_, datagram| {
        datagrams += 1;
        vec![(ms(10), datagram)]
    });
    pair.assert_connected();
    assert_eq!(datagrams, 6);
}

#[test]
fn preferences_are_the_servers() {
    use SrtpProfile::{AeadAes256Gcm, Aes128CmSha1_32, Aes128CmSha1_80};
    let client = config(0).srtp_profiles(&[Aes128CmSha1_80, Aes128CmSha1_32, AeadAes256Gcm]);
    let server = config(1)
        .srtp_profiles(&[AeadAes256Gcm, Aes128CmSha1_80])
        .groups(&[Group::P256, Group::X25519])
        .cipher_suites(&[CipherSuite::EcdheEcdsaChaCha20Poly1305]);
    let mut pair = Pair::new(client, server);
    pair.connect();
    assert_eq!(pair[Client].connection.srtp_profile(), Some(AeadAes256Gcm));
    assert_eq!(pair[Client].connection.group(), Some(Group::P256));
    assert_eq!(pair[Client].connection.headroom(), 13);
}

#[test]
fn what_one_side_lacks_is_not_used() {
    for (client, server) in [
        (config(0).alpn(&[]).srtp_profiles(&[]), config(1)),
        (config(0), config(1).alpn(&[]).srtp_profiles(&[])),
        (
            config(0).srtp_profiles(&[SrtpProfile::AeadAes256Gcm]),
            config(1)
                .alpn(&[])
                .srtp_profiles(&[SrtpProfile::AeadAes128Gcm]),
        ),
    ] {
        let mut pair = Pair::new(client, server);
        pair.connect();
        assert_eq!(pair[Client].connection.alpn(), None);
        assert_eq!(pair[Server].connection.srtp_profile(), None);
    }
    let mut pair = Pair::new(config(0).alpn(&["c-webrtc"]), config(1));
    pair.connect();
    assert_eq!(pair[Server].connection.alpn(), Some("c-webrtc"));
}

#[test]
fn settings_that_leave_nothing_to_agree_on_are_noticed() {
    let (old, new) = (config(0), config_1_3(0));
    let ecdsa = [SignatureScheme::EcdsaSecp256r1Sha256];
    let pkcs1 = [SignatureScheme::RsaPkcs1Sha256];
    let both = |config: Config| config.versions(&[Version::Dtls13, Version::Dtls12]);
    for (config, good) in [
        (old.clone(), true),
        (new.clone(), true),
        (both(old.clone()), true),
        (old.clone().versions(&[]), false),
        (old.clone().cipher_suites(&[]), false),
        (old.clone().cipher_suites(&[CipherSuite::Aes128Gcm]), false),
        (new.clone().cipher_suites(&[CipherSuite::Aes128Gcm]), true),
        (
            new.clone().cipher_suites(&[CipherSuite::EcdheRsaAes128Gcm]),
            false,
        ),
        (
            both(new.clone()).cipher_suites(&[CipherSuite::EcdheRsaAes128Gcm]),
            true,
        ),
        (old.clone().groups(&[]), false),
        (old.clone().groups(&[Group::X25519MlKem768]), false),
        (new.clone().groups(&[Group::X25519MlKem768]), true),
        // What one lacks the other has, and both lack something.
        (
            both(old.clone().cipher_suites(&[CipherSuite::EcdheRsaAes128Gcm]))
                .groups(&[Group::X25519MlKem768]),
            false,
        ),
        (new.clone().signature_schemes(&[]), false),
        (new.clone().signature_schemes(&pkcs1), false),
        (new.clone().signature_schemes(&ecdsa), true),
        (old.clone().signature_schemes(&pkcs1), true),
        // Who asks for no certificate verifies nothing.
        (new.clone().signature_schemes(&[]).peer(Peer::Nobody), true),
    ] {
        let expected = if good {
            Ok(())
        } else {
            Err(Error::NothingToAgreeOn)
        };
        assert_eq!(config.check(), expected, "{config:?}");
        if good {
            continue;
        }
        // It ends where it would begin, in either role: a client says no hello.
        let mut pair = Pair::new(config.clone(), both(self::config(1)));
        pair.start();
        pair[Client].drain();
        let alert = AlertDescription::INTERNAL_ERROR;
        let cause = Failure::AlertSent(alert);
        assert_eq!(pair[Client].events, [Event::Failed { cause }], "{config:?}");
        pair.run(Duration::from_secs(60), &mut |_, datagram| {
            assert!(datagram.ends_with(&[2, alert.code()]));
            vec![(ms(10), datagram)]
        });
        assert_eq!(pair[Server].connection.state(), State::New);
        let mut pair = Pair::new(both(self::config(0)), config.clone());
        pair.start();
        pair.run(Duration::from_secs(6), &mut perfect());
        let [Event::Failed { cause }] = pair[Server].events[..] else {
            panic!("{config:?}: {:?}", pair[Server].events);
        };
        let alerts = [
            AlertDescription::HANDSHAKE_FAILURE,
            AlertDescription::PROTOCOL_VERSION,
        ];
        assert!(alerts.map(Failure::AlertSent).contains(&cause), "{cause:?}");
    }
}

#[test]
fn nothing_in_common_ends_in_an_alert() {
    let p384 = || config(1).groups(&[Group::P384]);
    for (client, server, code) in [
        (config(0).groups(&[Group::X25519]), p384(), 40),
        (config(0).alpn(&["h2"]), config(1), 120),
        (
            config(0).cipher_suites(&[CipherSuite::EcdheRsaAes128Gcm]),
            config(1),
            40,
        ),
    ] {
        let mut pair = Pair::new(client, server);
        pair.start();
        pair.run(Duration::from_secs(60), &mut perfect());
        for (end, sent) in [(&pair[Server], true), (&pair[Client], false)] {
            let [Event::Failed { cause }] = end.events[..] else {
                panic!("{:?}", end.events);
            };
            let alert = if sent {
                cause.sent_alert()
            } else {
                cause.received_alert()
            };
            assert_eq!(alert, Some(code));
        }
    }
}

#[test]
fn an_exporter_separates_labels_and_contexts() {
    let mut pair = Pair::plain();
    let mut out = [0; 32];
    assert_eq!(
        pair[Client].connection.export("label", None, &mut out),
        Err(Error::NotConnected)
    );
    pair.connect();
    let export = |label, context: Option<&[u8]>| {
        let mut out = [0; 32];
        pair[Client]
            .connection
            .export(label, context, &mut out)
            .map(|()| out)
    };
    let outputs = [
        export("label", None),
        export("label", Some(b"")),
        export("label", Some(b"context")),
        export("other", None),
    ];
    for (index, output) in outputs.iter().enumerate() {
        assert!(outputs[..index].iter().all(|earlier| earlier != output));
    }
    for label in [
        "client finished",
        "server finished",
        "master secret",
        "extended master secret",
        "key expansion",
    ] {
        assert_eq!(export(label, None), Err(Error::Export), "{label}");
    }
}

/// What is too long to be exported, to the byte.
#[test]
fn an_exporter_has_limits() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let newest = version == Version::Dtls13;
        for (suite, longest) in [
            (CipherSuite::Aes128Gcm, 255 * 32),
            (CipherSuite::Aes256Gcm, 255 * 48),
        ] {
            let client = match newest {
                true => config_1_3(0).cipher_suites(&[suite]),
                false => config(0),
            };
            let mut pair = Pair::new(client, config_of(version, 1));
            pair.connect();
            let longest = if newest { longest } else { 65_535 };
            let (label, most) = ("l".repeat(249), [7; 65_536]);
            for (label, context, out, fits) in [
                ("label", 65_535, 32, true),
                ("label", 65_536, 32, false),
                ("label", 0, longest, true),
                ("label", 0, longest + 1, false),
                (&label, 0, 32, true),
                (&(label.clone() + "l"), 0, 32, !newest),
            ] {
                let mut key = vec![0; out];
                let context = Some(&most[..context]);
                let exported = pair[Client].connection.export(label, context, &mut key);
                let expected = fits.then_some(()).ok_or(Error::Export);
                assert_eq!(exported, expected, "{version} {} {out}", label.len());
            }
        }
    }
}

/// [5.5-05]
#[test]
fn close_notify_closes_both_sides() {
    for role in [Client, Server] {
        let mut pair = Pair::plain();
        pair.connect();
        let now = pair.now;
        pair[role].connection.close(now);
        pair.run(Duration::from_secs(1), &mut perfect());
        let closed = |by| [Event::Connected, Event::Closed { by }];
        assert_eq!(pair[role].events, closed(Initiator::User));
        assert_eq!(pair[support::other(role)].events, closed(Initiator::Remote));
        for end in &mut pair.ends {
            let mut buf = vec![0; 40];
            assert_eq!(end.connection.seal(&mut buf, 0), Err(Error::NotConnected));
            assert_eq!(end.connection.state(), State::Closed);
            assert_eq!(end.connection.poll_timeout(), None);
        }
    }
}

#[test]
fn the_role_may_come_late_or_from_the_first_client_hello() {
    let mut pair = Pair::plain();
    let now = pair.now;
    let fixed = pair[Client].connection.set_role(now, Server);
    assert_eq!(fixed, Err(Error::RoleFixed));
    let now = pair.now;
    let mut server = oxirtc_dtls::Connection::new(config(1), [3; 32], now);
    server.set_remote_fingerprints(
        now,
        &[support::fingerprint(&certificate(KeyType::EcdsaP256, 0))],
        &mut |_| {},
    );
    pair[Server].connection = server;
    pair.connect();
    assert_eq!(pair[Server].connection.role(), Some(Server));
    assert!(pair[Server].connection.set_role(now, Server).is_ok());
}

#[test]
fn seal_refuses_what_it_cannot_do_and_leaves_the_buffer_alone() {
    let mut pair = Pair::plain();
    let mut buf = vec![0; 30];
    assert_eq!(
        pair[Client].connection.seal(&mut buf, 0),
        Err(Error::NotConnected)
    );
    pair.connect();
    let headroom = pair[Client].connection.headroom();
    for (len, start, error) in [
        (headroom - 1, 0, Error::Layout),
        (0, 5, Error::Layout),
        (0, usize::MAX, Error::Layout),
        (headroom + 16_385, 0, Error::TooLarge),
    ] {
        let mut buf = vec![0; len];
        assert_eq!(pair[Client].connection.seal(&mut buf, start), Err(error));
        assert_eq!(buf, vec![0; len]);
    }
    let mut buf = vec![9; 7];
    buf.resize(7 + headroom, 0);
    buf.extend([1; 16_384]);
    pair[Client].connection.seal(&mut buf, 7).unwrap();
    assert_eq!(
        buf.len(),
        7 + headroom + 16_384 + pair[Client].connection.tailroom()
    );
    let now = pair.now;
    pair[Server].handle(now, &mut buf[7..]);
    assert_eq!(pair[Server].received, [vec![1; 16_384]]);
}

/// Where there is no room for it the end waits, and is not lost.
#[test]
fn an_alert_waits_for_room() {
    for version in VERSIONS {
        let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
        pair.connect();
        let now = pair.now;
        let overhead = pair[Client].connection.headroom() + pair[Client].connection.tailroom();
        pair[Client].connection.close(now);
        let mut datagram = Vec::new();
        for room in [0, 20, overhead + 1] {
            let sent = (pair[Client].connection).poll_transmit(now, room, &mut datagram);
            assert!(!sent && datagram.is_empty(), "{room}");
        }
        let room = overhead + 2;
        assert!((pair[Client].connection).poll_transmit(now, room, &mut datagram));
        pair[Server].handle(now, &mut datagram);
        let by = Initiator::Remote;
        assert_eq!(pair[Server].events[1], Event::Closed { by });
    }
}

/// However little room there is.
#[test]
fn sixty_four_bytes_of_room_are_enough() {
    for version in VERSIONS {
        for key_type in [KeyType::EcdsaP256, KeyType::Rsa2048] {
            let with = |which| {
                let config = Config::new(certificate(key_type, which)).versions(&[version]);
                config.cookie_exchange(true)
            };
            let mut pair = Pair::new(with(0), with(1));
            pair.room = 64;
            pair.connect();
            if version == Version::Dtls13 {
                pair[Client].connection.update_keys(true).unwrap();
                pair.run(Duration::from_secs(10), &mut perfect());
                pair.exchange();
            }
            let now = pair.now;
            pair[Client].connection.close(now);
            pair.run(Duration::from_secs(10), &mut perfect());
            let by = Initiator::Remote;
            assert_eq!(pair[Server].events[1], Event::Closed { by });
        }
    }
}

/// Where nobody says otherwise a handshake has 120 s, and 5 s once it is in doubt.
#[test]
fn a_handshake_has_its_time() {
    for (doubted, seconds) in [(false, 120), (true, 5)] {
        let mut pair = Pair::plain();
        pair.start();
        let now = pair.now;
        if doubted {
            pair[Client].handle(now, &mut alert());
        }
        let limit = Duration::from_secs(seconds);
        pair.run(limit - ms(1), &mut |_, _| Vec::new());
        assert_eq!(pair[Client].events, []);
        pair.run(ms(1), &mut |_, _| Vec::new());
        assert!(matches!(pair[Client].events[..], [Event::Failed { .. }]));
    }
}

/// A time that no instant can hold never comes.
#[test]
fn endless_times_end_nothing() {
    for version in VERSIONS {
        let endless = |which| {
            let config = config_of(version, which).doubt(Duration::MAX);
            config.handshake_timeout(Some(Duration::MAX))
        };
        let mut pair = Pair::new(endless(0), endless(1));
        pair.start();
        let now = pair.now;
        pair[Client].handle(now, &mut alert());
        pair.run(Duration::from_secs(600), &mut |_, _| Vec::new());
        assert_eq!(pair[Client].events, []);
        pair.run(Duration::from_secs(60), &mut perfect());
        pair.assert_connected();
    }
}

#[test]
fn every_suite_and_group_of_1_3_with_every_certificate_type() {
    let types = [
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::Ed25519,
        KeyType::Rsa2048,
    ];
    for suite in [
        CipherSuite::Aes128Gcm,
        CipherSuite::Aes256Gcm,
        CipherSuite::ChaCha20Poly1305,
    ] {
        for (index, key_type) in types.into_iter().enumerate() {
            for group in Group::ALL {
                let versions = [Version::Dtls13, Version::Dtls12];
                let client = Config::new(certificate(key_type, 0)).versions(&versions);
                let server = Config::new(certificate(types[(index + 1) % 4], 1))
                    .versions(&versions)
                    .groups(&[group])
                    .cipher_suites(&[suite]);
                let mut pair = Pair::new(client, server);
                pair.connect();
                for end in &pair.ends {
                    let connection = &end.connection;
                    assert_eq!(connection.protocol_version(), Some(0xFEFC));
                    assert_eq!(connection.cipher_suite(), Some(suite));
                    assert_eq!(connection.group(), Some(group));
                    assert_eq!(connection.alpn(), Some("webrtc"));
                    assert_eq!(connection.srtp_profile(), Some(SrtpProfile::AeadAes128Gcm));
                    assert_eq!((connection.headroom(), connection.tailroom()), (5, 17));
                    assert_eq!(connection.stats().retransmissions, 0);
                    assert_eq!(connection.poll_timeout(), None, "{group}");
                }
            }
        }
    }
}

/// One round trip less than 1.2 for the client, and what each flight costs.
#[test]
fn one_round_trip_in_1_3() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    let mut datagrams = 0;
    pair.start();
    let start = pair.now;
    pair.run(ms(25), &mut |_, datagram| {
        datagrams += 1;
        vec![(ms(10), datagram)]
    });
    assert_eq!(pair[Client].events, [Event::Connected]);
    assert!(pair.now - start < ms(40));
    pair.run(ms(100), &mut perfect());
    pair.assert_connected();
    assert_eq!(
        datagrams,
        2 + 2 + 1,
        "two hellos, the server's, the client's"
    );
}

#[test]
fn versions_are_negotiated() {
    use Version::{Dtls12, Dtls13};
    let lists = [
        &[Dtls12][..],
        &[Dtls13],
        &[Dtls13, Dtls12],
        &[Dtls12, Dtls13],
    ];
    for client in lists {
        for server in lists {
            for cookie in [false, true] {
                let mut pair = Pair::new(
                    config(0).versions(client),
                    config(1).versions(server).cookie_exchange(cookie),
                );
                // The newest of both: an older one would be taken for a downgrade.
                let mut both = [Dtls13, Dtls12].into_iter();
                let chosen =
                    both.find(|version| client.contains(version) && server.contains(version));
                pair.start();
                pair.run(Duration::from_secs(121), &mut perfect());
                let Some(version) = chosen else {
                    for end in &pair.ends {
                        let failed = matches!(end.events[..], [Event::Failed { .. }]);
                        // Before a good cookie came nothing has begun.
                        let waits = end.connection.state() == State::New && end.events.is_empty();
                        let server = end.connection.role() == Some(Server);
                        assert_eq!((failed, waits), (!(cookie && server), cookie && server));
                    }
                    continue;
                };
                pair.assert_connected();
                let spoken = pair[Client].connection.protocol_version();
                assert_eq!(spoken, Some(version.id()), "{client:?} {server:?}");
            }
        }
    }
}
