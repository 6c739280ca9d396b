//! Each guard of the handshake of 1.3, alone: the peer says the one thing that it must notice.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    AlertDescription, CipherSuite, Config, Event, Failure, Group,
    Role::{self, Client, Server},
    SignatureScheme, Version,
    message::{ClientHello, Extensions, Fragment, KeyShareEntry, ServerHello, extension},
    tests::{
        peer::{Draft, Edit, each},
        support::{Pair, config, config_1_3, other, perfect, plain},
    },
};

fn client_hello(change: impl Fn(&mut ClientHello<'_>) + 'static) -> Edit {
    each(1, move |draft| {
        let body = draft.body.clone();
        let mut hello = ClientHello::parse(&body).unwrap();
        change(&mut hello);
        draft.body.clear();
        hello.write(&mut draft.body);
    })
}

fn server_hello(change: impl Fn(&mut ServerHello<'_>) + 'static) -> Edit {
    each(2, move |draft| {
        let body = draft.body.clone();
        let mut hello = ServerHello::parse(&body).unwrap();
        change(&mut hello);
        draft.body.clear();
        hello.write(&mut draft.body);
    })
}

fn body(kind: u8, change: impl Fn(&mut Vec<u8>) + 'static) -> Edit {
    each(kind, move |draft| change(&mut draft.body))
}

/// What `judge` says when `liar` edits its messages.
fn cause(client: Config, server: Config, liar: Role, judge: Role, edit: Edit) -> Failure {
    let mut pair = Pair::new(client, server);
    pair[liar].connection.edit = Some(edit);
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    // One alert says why.
    assert!(pair[judge].connection.stats().alerts_sent <= 1);
    match pair[judge].events[..] {
        [Event::Failed { cause }] => cause,
        ref other => panic!("{other:?}"),
    }
}

fn refused(liar: Role, edit: Edit, alert: AlertDescription) {
    let seen = cause(config_1_3(0), config_1_3(1), liar, other(liar), edit);
    assert_eq!(seen, Failure::AlertSent(alert));
}

fn number(id: u16) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

#[test]
fn a_server_hello_that_answers_what_was_not_offered_is_refused() {
    type Change = fn(&mut ServerHello<'_>);
    let cases: [(Change, AlertDescription); 12] = [
        (
            |hello| hello.cipher_suite = 0x1304,
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        // A suite of 1.2.
        (
            |hello| hello.cipher_suite = 0xC02B,
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.compression_method = 1,
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.version = 0xFEFC,
            AlertDescription::PROTOCOL_VERSION,
        ),
        (
            |hello| hello.session_id = &[7],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::SUPPORTED_VERSIONS, &[0xFE, 0xFB])
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::SUPPORTED_VERSIONS, &[0xFE, 0xFD])
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.remove(extension::SUPPORTED_VERSIONS),
            AlertDescription::PROTOCOL_VERSION,
        ),
        (
            |hello| hello.extensions.remove(extension::KEY_SHARE),
            AlertDescription::MISSING_EXTENSION,
        ),
        // A group that a share was not sent for.
        (
            |hello| {
                let share = [&[0, 23, 0, 65, 4][..], &[7; 64]].concat();
                hello.extensions.set(extension::KEY_SHARE, &share);
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::ALPN, &[0, 3, 2, b'h', b'2'])
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(0x1234, &[]),
            AlertDescription::UNSUPPORTED_EXTENSION,
        ),
    ];
    for (change, alert) in cases {
        refused(Server, server_hello(change), alert);
    }
}

#[test]
fn a_suite_or_version_that_the_client_did_not_offer_is_refused() {
    let client = config_1_3(0).cipher_suites(&[CipherSuite::Aes128Gcm]);
    let edit = server_hello(|hello| hello.cipher_suite = 0x1303);
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    let seen = cause(client, config_1_3(1), Server, Client, edit);
    assert_eq!(seen, illegal);
    // A client of 1.2 alone is answered 1.3.
    let edit = server_hello(|hello| {
        hello
            .extensions
            .set(extension::SUPPORTED_VERSIONS, &[0xFE, 0xFC]);
    });
    let unsupported = Failure::AlertSent(AlertDescription::UNSUPPORTED_EXTENSION);
    let seen = cause(config(0), config(1), Server, Client, edit);
    assert_eq!(seen, unsupported);
}

/// A share of a wrong length, or of low order, ends it at once.
#[test]
fn bad_shares_end_the_handshake() {
    for (liar, kind) in [(Client, 1), (Server, 2)] {
        for group in Group::ALL {
            let edit: Edit = if kind == 1 {
                client_hello(move |hello| {
                    let shares = hello.extensions.client_shares().unwrap().unwrap();
                    let zeros = vec![0; shares[0].exchange.len()];
                    let mut changed = Extensions::default();
                    changed.push_client_shares(&[KeyShareEntry {
                        group: group.id(),
                        exchange: &zeros,
                    }]);
                    let body = changed.get(extension::KEY_SHARE).unwrap().to_vec();
                    hello.extensions.set(extension::KEY_SHARE, &body);
                })
            } else {
                server_hello(move |hello| {
                    let share = hello.extensions.server_share().unwrap().unwrap();
                    let zeros = vec![0; share.exchange.len()];
                    let mut changed = Extensions::default();
                    changed.push_server_share(KeyShareEntry {
                        group: group.id(),
                        exchange: &zeros,
                    });
                    let body = changed.get(extension::KEY_SHARE).unwrap().to_vec();
                    hello.extensions.set(extension::KEY_SHARE, &body);
                })
            };
            let (client, server) = (
                config_1_3(0).groups(&[group]),
                config_1_3(1).groups(&[group]),
            );
            // An encapsulation key of zeros is one; there the classic half is of low order.
            let seen = cause(client, server, liar, other(liar), edit);
            assert_eq!(
                seen,
                Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER),
                "{group}"
            );
        }
    }
}

#[test]
fn a_client_hello_that_contradicts_itself_is_doubted() {
    type Change = fn(&mut ClientHello<'_>);
    let cases: [(Change, AlertDescription); 10] = [
        (
            |hello| hello.cookie = b"old",
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello.extensions.push(extension::PRE_SHARED_KEY, &[][..]);
                hello.extensions.push(0x1234, &[][..]);
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.compression_methods = &[0, 1],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.remove(extension::SUPPORTED_GROUPS),
            AlertDescription::MISSING_EXTENSION,
        ),
        (
            |hello| hello.extensions.remove(extension::KEY_SHARE),
            AlertDescription::MISSING_EXTENSION,
        ),
        (
            |hello| hello.extensions.remove(extension::SIGNATURE_ALGORITHMS),
            AlertDescription::MISSING_EXTENSION,
        ),
        // Only PKCS #1, which 1.3 does not sign with.
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::SIGNATURE_ALGORITHMS, &[0, 2, 4, 1])
            },
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        // A share of a group that is not among the groups.
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::SUPPORTED_GROUPS, &[0, 2, 0, 29])
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        // Two shares of one group.
        (
            |hello| {
                let share = [&[0, 29, 0, 32][..], &[9; 32]].concat();
                let list = [&[0, 72][..], &share, &share].concat();
                hello.extensions.set(extension::KEY_SHARE, &list);
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .push_cookie(b"nobody baked this cookie, or any like it")
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
    ];
    for (change, alert) in cases {
        refused(Client, client_hello(change), alert);
    }
}

/// RFC 9147 §5.3: a client that a server of 1.2 gave a session may name it. It is not echoed, as the
/// client would refuse that.
#[test]
fn an_old_session_is_passed_over() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair[Client].connection.edit = Some(client_hello(|hello| hello.session_id = &[7; 32]));
    pair.connect();
    pair.exchange();
}

#[test]
fn encrypted_extensions_answer_what_was_offered_in_their_place() {
    let answers = |kind: u16, contents: &'static [u8]| {
        body(8, move |body| {
            let mut extensions = Extensions::default();
            extensions.push(kind, contents);
            body.clear();
            extensions.write_block(body);
        })
    };
    for (kind, contents, alert) in [
        (0x1234, &[][..], AlertDescription::UNSUPPORTED_EXTENSION),
        (
            extension::KEY_SHARE,
            &[0, 29],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            extension::SUPPORTED_VERSIONS,
            &[0xFE, 0xFC],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            extension::USE_SRTP,
            &[0, 2, 0, 2, 0],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            extension::USE_SRTP,
            &[0, 2, 0, 7, 1, 9],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            extension::ALPN,
            &[0, 3, 2, b'h', b'2'],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
    ] {
        refused(Server, answers(kind, contents), alert);
    }
    let client = config_1_3(0).alpn(&[]);
    let edit = answers(extension::ALPN, b"\0\x07\x06webrtc");
    let seen = cause(client, config_1_3(1), Server, Client, edit);
    assert_eq!(
        seen,
        Failure::AlertSent(AlertDescription::UNSUPPORTED_EXTENSION)
    );
}

#[test]
fn certificates_and_their_requests_are_in_order() {
    // No scheme that we sign with, none at all, and a context.
    let request = |schemes: &'static [u8]| body(13, move |body| *body = schemes.to_vec());
    for (contents, alert) in [
        (
            &[0, 0, 8, 0, 13, 0, 4, 0, 2, 8, 7][..],
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (&[0, 0, 0], AlertDescription::MISSING_EXTENSION),
        // RFC 8446 §4.2: a share, which we know, and which is for hellos.
        (
            &[0, 0, 14, 0, 13, 0, 4, 0, 2, 4, 3, 0, 51, 0, 2, 0, 29],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            &[1, 9, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
    ] {
        refused(Server, request(contents), alert);
    }
    for liar in [Client, Server] {
        let none = match liar {
            Client => AlertDescription::CERTIFICATE_REQUIRED,
            Server => AlertDescription::DECODE_ERROR,
        };
        let judged = |edit: Edit, alert| {
            let mut pair = Pair::new(config_1_3(0), config_1_3(1));
            pair[liar].connection.edit = Some(edit);
            pair.start();
            pair.run(Duration::from_secs(60), &mut perfect());
            let cause = Failure::AlertSent(alert);
            assert_eq!(pair[other(liar)].events, [Event::Failed { cause }]);
        };
        judged(body(11, |body| *body = vec![0, 0, 0, 0]), none);
        let context = body(11, |body| {
            body[0] = 1;
            body.insert(1, 7);
        });
        judged(context, AlertDescription::ILLEGAL_PARAMETER);
        // An extension behind the certificate that nobody asked for.
        let extension = body(11, |body| {
            let len = body.len();
            body[len - 1] = 4;
            body.extend([0x12, 0x34, 0, 0]);
            let list = (body.len() - 4) as u32;
            body[1..4].copy_from_slice(&list.to_be_bytes()[1..]);
        });
        judged(extension, AlertDescription::UNSUPPORTED_EXTENSION);
        // Not a certificate.
        let nonsense = body(11, |body| *body = vec![0, 0, 0, 6, 0, 0, 1, 7, 0, 0]);
        let fingerprint = Failure::FingerprintMismatch;
        let mut pair = Pair::new(config_1_3(0), config_1_3(1));
        pair[liar].connection.edit = Some(nonsense);
        pair.start();
        pair.run(Duration::from_secs(60), &mut perfect());
        let seen = Event::Failed { cause: fingerprint };
        assert_eq!(pair[other(liar)].events, [seen]);
    }
}

/// Schemes that the certificate's key, the version or our offer do not allow.
#[test]
fn signatures_are_made_with_what_is_allowed() {
    for liar in [Client, Server] {
        for (scheme, alert) in [
            (0x0401_u16, AlertDescription::ILLEGAL_PARAMETER),
            (0x0503, AlertDescription::DECRYPT_ERROR),
            (0x0804, AlertDescription::DECRYPT_ERROR),
            (0x0202, AlertDescription::ILLEGAL_PARAMETER),
        ] {
            let edit = body(15, move |body| body[..2].copy_from_slice(&number(scheme)));
            refused(liar, edit, alert);
        }
    }
    let server = config_1_3(1).signature_schemes(&[SignatureScheme::Ed25519]);
    let edit = body(13, |body| *body = vec![0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let seen = cause(config_1_3(0), server, Server, Server, edit);
    assert_eq!(
        seen,
        Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER)
    );
}

/// Who could have spoken 1.3 and answers 1.2 marks it; a server that cannot does not.
#[test]
fn a_downgrade_is_noticed() {
    let both = |which| config(which).versions(&[Version::Dtls13, Version::Dtls12]);
    for mark in [0, 1] {
        // In the middle somebody takes 1.3 off the client's list.
        let mut pair = Pair::new(both(0), both(1));
        pair[Client].connection.edit = Some(client_hello(|hello| {
            hello.extensions.remove(extension::SUPPORTED_VERSIONS);
            hello.extensions.remove(extension::KEY_SHARE);
        }));
        pair[Server].connection.edit = Some(server_hello(move |hello| hello.random[31] = mark));
        pair.start();
        pair.run(Duration::from_secs(60), &mut perfect());
        let cause = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
        assert_eq!(pair[Client].events, [Event::Failed { cause }]);
    }
    for (client, server) in [(both(0), config(1)), (config(0), both(1))] {
        let mut pair = Pair::new(client, server);
        pair.connect();
        assert_eq!(pair[Client].connection.protocol_version(), Some(0xFEFD));
    }
}

/// HelloRetryRequests: what a server may ask, and what it is bound to by it.
#[test]
fn a_retry_asks_for_something_new_and_binds() {
    use AlertDescription as A;

    let asking = || config_1_3(1).groups(&[Group::P384]);
    // Every retry, not the hello behind it.
    let first = |change: fn(&mut ServerHello<'_>)| -> Edit {
        server_hello(move |hello| {
            if hello.random[..4] == [0xCF, 0x21, 0xAD, 0x74] {
                change(hello);
            }
        })
    };
    type Change = fn(&mut ServerHello<'_>);
    let cases: [(Change, A); 8] = [
        (
            |hello| hello.extensions.set(51, &[0, 29]),
            A::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(51, &[0, 25]),
            A::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello.extensions.remove(51);
                hello.extensions.remove(44);
            },
            A::ILLEGAL_PARAMETER,
        ),
        (|hello| hello.cipher_suite = 0xC02B, A::ILLEGAL_PARAMETER),
        (|hello| hello.session_id = &[1], A::ILLEGAL_PARAMETER),
        (|hello| hello.compression_method = 7, A::ILLEGAL_PARAMETER),
        (|hello| hello.extensions.set(16, &[]), A::ILLEGAL_PARAMETER),
        (|hello| hello.extensions.set(44, &[0, 0]), A::DECODE_ERROR),
    ];
    for (change, alert) in cases {
        let edit = first(change);
        let seen = cause(config_1_3(0), asking(), Server, Client, edit);
        assert_eq!(seen, Failure::AlertSent(alert));
    }
    // Another suite behind it, as if the retry had named it.
    let edit = first(|hello| hello.cipher_suite = 0x1303);
    let seen = cause(config_1_3(0), asking(), Server, Client, edit);
    assert_eq!(seen, Failure::AlertSent(A::ILLEGAL_PARAMETER));
    // A group of ours that is not in our configuration.
    let client = config_1_3(0).groups(&[Group::X25519MlKem768, Group::X25519, Group::P384]);
    let edit = first(|hello| hello.extensions.set(51, &[0, 23]));
    let seen = cause(client, asking(), Server, Client, edit);
    assert_eq!(seen, Failure::AlertSent(A::ILLEGAL_PARAMETER));
}

/// A request for another hello.
fn retry(sequence: u16, cookie: &[u8]) -> Vec<u8> {
    let mut extensions = Extensions::default();
    extensions.push_selected_version(0xFEFC);
    extensions.push_cookie(cookie);
    let (mut body, mut message) = (Vec::new(), Vec::new());
    ServerHello {
        version: 0xFEFD,
        random: *b"\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C",
        session_id: &[],
        cipher_suite: 0x1301,
        compression_method: 0,
        extensions,
    }
    .write(&mut body);
    Fragment {
        kind: 2,
        length: body.len(),
        sequence,
        offset: 0,
        body: &body,
    }
    .write(&mut message);
    plain(sequence.into(), &message)
}

/// Whoever asks for a hello with a long cookie, which is said again and again, does not get it.
#[test]
fn cookies_of_1_3_have_a_largest_length() {
    for (length, taken) in [(2_048, true), (2_049, false)] {
        let mut pair = Pair::new(config_1_3(0), config_1_3(1));
        pair.start();
        let (now, client) = (pair.now, &mut pair[Client]);
        while client.connection.poll_transmit(now, 1200, &mut Vec::new()) {}
        client.handle(now, &mut retry(0, &vec![7; length]));
        let said = client.connection.poll_transmit(now, 1200, &mut Vec::new());
        assert_eq!(said, taken, "{length}");
    }
}

/// RFC 8446 §4.1.4: one request is answered, once, and a second one ends it.
#[test]
fn there_is_one_retry() {
    let mut pair = Pair::new(config_1_3(0).doubt(Duration::ZERO), config_1_3(1));
    pair.start();
    let now = pair.now;
    let says = |pair: &mut Pair| {
        let mut any = false;
        while pair[Client]
            .connection
            .poll_transmit(now, 1200, &mut Vec::new())
        {
            any = true;
        }
        any
    };
    assert!(says(&mut pair));
    for answered in [true, false, false] {
        pair[Client].handle(now, &mut retry(0, b"cookie"));
        assert_eq!(says(&mut pair), answered);
        assert_eq!(pair[Client].events, []);
    }
    pair[Client].handle(now, &mut retry(1, b"another"));
    let cause = Failure::AlertSent(AlertDescription::UNEXPECTED_MESSAGE);
    assert_eq!(pair[Client].events, [Event::Failed { cause }]);
}

/// The cookie of a retry is for the client that it was baked for.
#[test]
fn cookies_of_1_3_are_bound_to_their_context() {
    let server = |context: &[u8]| {
        let server = config_1_3(1).cookie_exchange(true);
        server.cookie_context(context).doubt(Duration::ZERO)
    };
    let mut pair = Pair::new(config_1_3(0), server(b"here"));
    let mut said = Vec::new();
    pair.start();
    pair.run(Duration::from_millis(25), &mut |from, datagram| {
        if from == Client {
            said.push(datagram.clone());
        }
        vec![(Duration::from_millis(10), datagram)]
    });
    // The hello with the cookie, in as many datagrams as the first one.
    let second = said.split_off(said.len() / 2);
    for (context, taken) in [(&b"here"[..], true), (b"there", false), (b"", false)] {
        // The same seed, so the same key.
        let mut pair = Pair::new(config_1_3(0), server(context));
        let now = pair.now;
        pair[Server].connection.start(now);
        for datagram in &second {
            pair[Server].handle(now, &mut datagram.clone());
        }
        let cause = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
        let refused = pair[Server].events == [Event::Failed { cause }];
        assert_eq!(refused, !taken, "{context:?}");
        let mut answer = Vec::new();
        assert!(
            pair[Server]
                .connection
                .poll_transmit(now, 1200, &mut answer)
        );
        assert_eq!(answer[0] == 22 && answer[13] == 2, taken, "{context:?}");
    }
}

/// The second hello has exactly what was asked for.
#[test]
fn the_second_hello_fits_the_retry() {
    let second = |change: fn(&mut ClientHello<'_>)| -> Edit {
        let mut count = 0;
        each(1, move |draft| {
            count += 1;
            if count == 2 {
                let body = draft.body.clone();
                let mut hello = ClientHello::parse(&body).unwrap();
                change(&mut hello);
                draft.body.clear();
                hello.write(&mut draft.body);
            }
        })
    };
    let cases: [fn(&mut ClientHello<'_>); 5] = [
        // One of another group, and no word of the one that was asked for.
        |hello| {
            let share = [&[0, 36, 0, 29, 0, 32][..], &[9; 32]].concat();
            hello.extensions.set(extension::KEY_SHARE, &share);
            let groups = [0, 2, 0, 29];
            hello.extensions.set(extension::SUPPORTED_GROUPS, &groups);
        },
        // Another share beside it.
        |hello| {
            let shares = hello.extensions.client_shares().unwrap().unwrap();
            let mut two = vec![KeyShareEntry {
                group: 29,
                exchange: &[9; 32],
            }];
            two.extend(shares);
            let mut changed = Extensions::default();
            changed.push_client_shares(&two);
            let body = changed.get(extension::KEY_SHARE).unwrap().to_vec();
            hello.extensions.set(extension::KEY_SHARE, &body);
        },
        // None at all.
        |hello| hello.extensions.set(extension::KEY_SHARE, &[0, 0]),
        // Suites without the one that the cookie names.
        |hello| hello.cipher_suites = vec![0x1303],
        // A cookie of another bake.
        |hello| {
            let mut cookie = hello.extensions.get(extension::COOKIE).unwrap().to_vec();
            *cookie.last_mut().unwrap() ^= 1;
            hello.extensions.set(extension::COOKIE, &cookie);
        },
    ];
    for change in cases {
        let server = config_1_3(1).groups(&[Group::P384, Group::X25519]);
        let mut pair = Pair::new(config_1_3(0), server);
        pair[Client].connection.edit = Some(second(change));
        pair.start();
        pair.run(Duration::from_secs(60), &mut perfect());
        let cause = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
        assert_eq!(pair[Server].events, [Event::Failed { cause }]);
    }
    // Without the cookie it is a first hello again, and asked again: nobody connects.
    let edit = second(|hello| hello.extensions.remove(extension::COOKIE));
    let mut pair = Pair::new(
        config_1_3(0).groups(&[Group::X25519, Group::P384]),
        config_1_3(1).groups(&[Group::P384]).cookie_exchange(true),
    );
    pair[Client].connection.edit = Some(edit);
    pair.start();
    pair.run(Duration::from_secs(200), &mut perfect());
    assert!(!pair[Client].events.contains(&Event::Connected));
}

/// The better group is taken for one round trip more, whatever shares came.
#[test]
fn the_servers_preference_decides_not_the_shares() {
    for (groups, shared) in [
        (&[Group::X25519MlKem768][..], true),
        (&[Group::X25519, Group::X25519MlKem768], true),
        (&[Group::P384, Group::X25519], false),
    ] {
        for cookie in [false, true] {
            let server = config_1_3(1).groups(groups).cookie_exchange(cookie);
            let mut pair = Pair::new(config_1_3(0), server);
            let mut hellos = BTreeSet::new();
            pair.start();
            pair.run(Duration::from_millis(200), &mut |role, datagram| {
                if role == Client && datagram[0] == 22 {
                    // The number of the message.
                    hellos.insert(datagram[17..19].to_vec());
                }
                vec![(Duration::from_millis(10), datagram)]
            });
            pair.assert_connected();
            assert_eq!(pair[Client].connection.group(), Some(groups[0]));
            let expected = if shared && !cookie { 1 } else { 2 };
            assert_eq!(hellos.len(), expected, "{groups:?} {cookie}");
            let stats = pair[Client].connection.stats();
            assert_eq!(stats.retransmissions, 0);
        }
    }
}

/// RFC 8446 §4.1.4: who answers with a retry has chosen 1.3.
#[test]
fn behind_a_retry_the_version_is_fixed() {
    let edit = server_hello(|hello| {
        if hello.random[..4] != [0xCF, 0x21, 0xAD, 0x74] {
            hello.cipher_suite = CipherSuite::EcdheEcdsaAes128Gcm.id();
            hello.extensions.remove(43);
            hello.extensions.remove(51);
            hello.extensions.push(23, &[][..]);
            hello.extensions.push(0xFF01, &[0][..]);
        }
    });
    let both = |which| config(which).versions(&[Version::Dtls13, Version::Dtls12]);
    let server = both(1).cookie_exchange(true);
    let seen = cause(both(0), server, Server, Client, edit);
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(seen, illegal);
}

/// Without `supported_versions` the old field says it, and it says DTLS.
#[test]
fn a_version_of_tls_is_none_of_dtls() {
    for version in [0x0303, 0xFEFE, 0xFFFF, 0x0000] {
        let edit = client_hello(move |hello| hello.version = version);
        let seen = cause(config(0), config(1), Client, Server, edit);
        let refused = Failure::AlertSent(AlertDescription::PROTOCOL_VERSION);
        assert_eq!(seen, refused, "{version:x}");
    }
}

/// Messages of epoch 2 in the clear, in epoch 2 what belongs elsewhere.
#[test]
fn messages_have_one_epoch() {
    for liar in [Client, Server] {
        for kind in [8, 13, 11, 15, 20] {
            let mut pair = Pair::new(config_1_3(0), config_1_3(1));
            pair[liar].connection.edit = Some(Box::new(move |mut draft: Draft| {
                if draft.kind == kind {
                    draft.epoch = 0;
                }
                vec![draft]
            }));
            pair.start();
            pair.run(Duration::from_secs(200), &mut perfect());
            let said = liar == Server || [11, 15, 20].contains(&kind);
            let connected = pair[other(liar)].events.contains(&Event::Connected);
            assert_eq!(connected, !said, "{kind} {liar:?}");
        }
    }
}
