//! Each guard of the handshake of 1.2, alone: the peer says the one thing that it must notice.

use std::time::Duration;

use crate::{
    AlertDescription, CipherSuite, Config, Connection, Error, Event, Failure, Group, Initiator,
    KeyType,
    Role::{self, Client, Server},
    SignatureScheme, State, Version,
    message::{
        ClientHello, Extensions, Fragment, HelloVerifyRequest, Kind, Message, ServerHello,
        extension,
    },
    record,
    tests::{
        peer::{Edit, each},
        support::{
            Pair, Side, VERSIONS, certificate, config, config_of, fingerprint, ms, other, perfect,
            plain, records,
        },
    },
};

/// An edit of the extensions of every ClientHello.
fn client_extensions(change: impl Fn(&mut Extensions<'_>) + 'static) -> Edit {
    each(1, move |draft| {
        let body = draft.body.clone();
        let mut hello = ClientHello::parse(&body).unwrap();
        change(&mut hello.extensions);
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

/// What the honest end says when the other one edits its messages.
fn cause(client: Config, server: Config, liar: Role, judge: Role, edit: Edit) -> Failure {
    let mut pair = Pair::new(client, server);
    pair[liar].connection.edit = Some(edit);
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    match pair[judge].events[..] {
        [Event::Failed { cause }] => cause,
        ref other => panic!("{other:?}"),
    }
}

fn client_refuses(client: Config, server: Config, edit: Edit) -> Failure {
    cause(client, server, Server, Client, edit)
}

#[test]
fn a_suite_that_was_not_offered_is_refused() {
    let client = config(0).cipher_suites(&[CipherSuite::EcdheEcdsaAes128Gcm]);
    let edit = server_hello(|hello| hello.cipher_suite = 0xC02C);
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(client_refuses(client, config(1), edit), illegal);
}

#[test]
fn an_extension_that_was_not_offered_is_refused() {
    for (kind, client) in [
        (0x1234, config(0)),
        (extension::ALPN, config(0).alpn(&[])),
        (extension::USE_SRTP, config(0).srtp_profiles(&[])),
    ] {
        let edit = server_hello(move |hello| hello.extensions.set(kind, &[0, 2, 0, 7, 0]));
        let unsupported = Failure::AlertSent(AlertDescription::UNSUPPORTED_EXTENSION);
        assert_eq!(client_refuses(client, config(1), edit), unsupported);
    }
}

/// The server believes that more was offered than was.
#[test]
fn a_group_or_scheme_that_was_not_offered_is_refused() {
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    let edit = client_extensions(|extensions| {
        extensions.set(extension::SUPPORTED_GROUPS, &[0, 2, 0, 23]);
    });
    let client = config(0).groups(&[Group::X25519]);
    let seen = cause(client, config(1), Client, Client, edit);
    assert_eq!(seen, illegal);

    let edit = client_extensions(|extensions| {
        extensions.set(extension::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]);
    });
    let client = config(0).signature_schemes(&[SignatureScheme::EcdsaSecp384r1Sha384]);
    let seen = cause(client, config(1), Client, Client, edit);
    assert_eq!(seen, illegal);

    // The client signs with a scheme that the server does not accept.
    let edit = each(13, |draft| draft.body = vec![1, 64, 0, 2, 4, 3, 0, 0]);
    let server = config(1).signature_schemes(&[SignatureScheme::EcdsaSecp384r1Sha384]);
    let seen = cause(config(0), server, Server, Server, edit);
    assert_eq!(seen, illegal);
}

#[test]
fn a_certificate_that_does_not_fit_the_suite_is_refused() {
    let server = Config::new(certificate(KeyType::Rsa2048, 1)).versions(&[Version::Dtls12]);
    let edit = server_hello(|hello| hello.cipher_suite = 0xC02B);
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(client_refuses(config(0), server, edit), illegal);
}

#[test]
fn a_server_hello_that_contradicts_itself_is_refused() {
    type Change = fn(&mut ServerHello<'_>);
    let cases: [(Change, AlertDescription); 8] = [
        (
            |hello| hello.extensions.set(extension::RENEGOTIATION_INFO, &[1, 0]),
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::USE_SRTP, &[0, 2, 0, 7, 1, 9])
            },
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(extension::USE_SRTP, &[0, 2, 0, 2, 0]),
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(extension::EC_POINT_FORMATS, &[1, 1]),
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| {
                hello
                    .extensions
                    .set(extension::EXTENDED_MASTER_SECRET, &[1])
            },
            AlertDescription::DECODE_ERROR,
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
            |hello| hello.compression_method = 1,
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.version = 0xFEFF,
            AlertDescription::PROTOCOL_VERSION,
        ),
    ];
    for (change, alert) in cases {
        let seen = client_refuses(config(0), config(1), server_hello(change));
        assert_eq!(seen, Failure::AlertSent(alert));
    }
}

#[test]
fn the_extended_master_secret_can_be_required() {
    let failure = Failure::AlertSent(AlertDescription::HANDSHAKE_FAILURE);
    let strict = |which| config(which).require_extended_master_secret(true);
    let edit = server_hello(|hello| hello.extensions.remove(extension::EXTENDED_MASTER_SECRET));
    assert_eq!(client_refuses(strict(0), config(1), edit), failure);
    let remove =
        || client_extensions(|extensions| extensions.remove(extension::EXTENDED_MASTER_SECRET));
    let seen = cause(config(0), strict(1), Client, Server, remove());
    assert_eq!(seen, failure);
    // Where nobody requires it, both do without.
    let mut pair = Pair::plain();
    pair[Client].connection.edit = Some(remove());
    pair.connect();
}

#[test]
fn a_client_hello_that_offers_nothing_of_use_is_doubted() {
    type Change = fn(&mut ClientHello<'_>);
    let cases: [(Change, AlertDescription); 5] = [
        (
            |hello| hello.compression_methods = &[1],
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(extension::EC_POINT_FORMATS, &[1, 1]),
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (
            |hello| hello.extensions.set(extension::RENEGOTIATION_INFO, &[1, 0]),
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            |hello| hello.extensions.remove(extension::SIGNATURE_ALGORITHMS),
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            |hello| hello.version = 0xFEFF + 1,
            AlertDescription::PROTOCOL_VERSION,
        ),
    ];
    for (change, alert) in cases {
        let edit = each(1, move |draft| {
            let body = draft.body.clone();
            let mut hello = ClientHello::parse(&body).unwrap();
            change(&mut hello);
            draft.body.clear();
            hello.write(&mut draft.body);
        });
        let seen = cause(config(0), config(1), Client, Server, edit);
        assert_eq!(seen, Failure::AlertSent(alert));
    }
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let edit = each(11, |draft| draft.body = vec![0, 0, 0]);
    let seen = cause(config(0), config(1), Client, Server, edit);
    let failure = AlertDescription::HANDSHAKE_FAILURE;
    assert_eq!(seen, Failure::AlertSent(failure));
    let edit = each(11, |draft| draft.body = vec![0, 0, 0]);
    let seen = client_refuses(config(0), config(1), edit);
    assert_eq!(seen, Failure::AlertSent(AlertDescription::DECODE_ERROR));
}

/// What is right, but in the clear, proves nothing.
#[test]
fn a_finished_in_the_clear_counts_for_nothing() {
    for liar in [Client, Server] {
        let mut pair = Pair::plain();
        pair[liar].connection.edit = Some(each(20, |draft| draft.epoch = 0));
        pair.start();
        pair.run(Duration::from_secs(200), &mut perfect());
        let events = &pair[other(liar)].events;
        assert!(matches!(events[..], [Event::Failed { .. }]), "{events:?}");
    }
}

/// Who has shown that he receives hears what is wrong with his hello.
#[test]
fn a_hello_with_a_good_cookie_is_doubted() {
    let client = config(0).cipher_suites(&[CipherSuite::EcdheEcdsaAes128Gcm]);
    let server = config(1).cipher_suites(&[CipherSuite::EcdheEcdsaAes256Gcm]);
    let (liar, judge) = (Client, Server);
    let seen = cause(
        client,
        server.cookie_exchange(true),
        liar,
        judge,
        client_extensions(|_| {}),
    );
    let failure = Failure::AlertSent(AlertDescription::HANDSHAKE_FAILURE);
    assert_eq!(seen, failure);

    // Never a share, whatever is asked for.
    let edit = client_extensions(|extensions| extensions.set(extension::KEY_SHARE, &[0, 0]));
    let server = config_of(Version::Dtls13, 1).groups(&[Group::P384]);
    let server = server.cookie_exchange(true);
    let seen = cause(config_of(Version::Dtls13, 0), server, liar, judge, edit);
    let illegal = Failure::AlertSent(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(seen, illegal);
}

/// And nothing but Finished has a place under the keys, which only the peer has.
#[test]
fn other_messages_under_the_keys_end_it() {
    for (kind, cause) in [
        (20, Failure::AlertSent(AlertDescription::UNEXPECTED_MESSAGE)),
        // Without these there are no keys.
        (15, Failure::HandshakeTimeout),
        (16, Failure::HandshakeTimeout),
    ] {
        let mut pair = Pair::plain();
        pair[Client].connection.edit = Some(each(kind, move |draft| match kind {
            20 => draft.kind = 15,
            _ => draft.epoch = 1,
        }));
        pair.start();
        pair.run(Duration::from_secs(200), &mut perfect());
        assert_eq!(pair[Server].events, [Event::Failed { cause }], "{kind}");
    }
}

/// A server that is connected speaks before its Finished has arrived: it is heard behind it.
#[test]
fn data_and_alerts_before_finished_wait_for_it() {
    for close in [false, true] {
        let mut pair = Pair::plain();
        let mut finished = Vec::new();
        pair.start();
        pair.run(Duration::from_millis(100), &mut |role, datagram| {
            let last = records(&datagram)
                .iter()
                .any(|(header, _)| header.epoch == 1);
            if role == Server && last {
                finished.push(datagram);
                return Vec::new();
            }
            vec![(ms(10), datagram)]
        });
        assert_eq!(pair[Server].events, [Event::Connected]);
        let now = pair.now;
        let mut early = match close {
            false => pair[Server].seal(b"early"),
            true => {
                let mut buf = Vec::new();
                pair[Server].connection.close(now);
                while pair[Server].connection.poll_transmit(now, 1200, &mut buf) {}
                buf
            }
        };
        pair[Client].handle(now, &mut early);
        assert!(pair[Client].events.is_empty() && pair[Client].received.is_empty());
        pair[Client].handle(now, &mut finished.remove(0));
        assert_eq!(pair[Client].events.first(), Some(&Event::Connected));
        match close {
            false => assert_eq!(pair[Client].received, [b"early"]),
            true => assert_eq!(
                pair[Client].events[1],
                Event::Closed {
                    by: Initiator::Remote
                }
            ),
        }
    }
}

/// Early records are held up to a cap, and none of them stops the handshake.
#[test]
fn what_is_held_is_bounded() {
    let mut pair = Pair::plain();
    pair.start();
    pair.run(ms(5), &mut perfect());
    let now = pair.now;
    for sequence in 0..1_000 {
        let header = record::Header {
            content_type: record::APPLICATION_DATA,
            version: 0xFEFD,
            epoch: 1,
            sequence,
            length: 0,
        };
        let mut early = crate::tests::support::record(header, &[7; 1_000]);
        pair[Client].handle(now, &mut early);
        let (count, bytes) = pair[Client].connection.held();
        assert!(count <= 32 && bytes <= 16 << 10, "{count} {bytes}");
    }
    assert!(pair[Client].connection.held().0 > 0);
    pair.run(Duration::from_secs(60), &mut perfect());
    pair.assert_connected();
}

/// Payload that came before the fingerprints is held as well: 64 records, and 64 KiB.
#[test]
fn payload_that_waits_for_the_fingerprints_is_bounded() {
    let many = [10; 65];
    let cases: [(&[usize], &[usize]); 3] = [
        (&many, &many[..64]),
        (
            &[16_000, 16_000, 16_000, 16_000, 1_537, 1_536, 1],
            &[16_000, 16_000, 16_000, 16_000, 1_536],
        ),
        (
            &[16_384, 16_384, 16_384, 16_384, 1],
            &[16_384, 16_384, 16_384, 16_384],
        ),
    ];
    for (version, (sent, held)) in VERSIONS
        .into_iter()
        .flat_map(|it| cases.map(|case| (it, case)))
    {
        let configs = [0, 1].map(|which| config_of(version, which));
        let [client, server] = configs.each_ref().map(|it| fingerprint(it.certificate()));
        let [ours, theirs] = configs;
        let mut pair = Pair::bare(ours, theirs);
        let now = pair.now;
        pair[Client].expect(now, &[server]);
        pair.start();
        pair.run(ms(500), &mut perfect());
        assert!(pair[Client].connection.is_connected());
        let now = pair.now;
        for length in sent {
            let mut record = pair[Client].seal(&vec![7; *length]);
            pair[Server].handle(now, &mut record);
        }
        assert!(pair[Server].received.is_empty() && !pair[Server].connection.is_connected());
        pair[Server].expect(now, &[client]);
        let came: Vec<_> = pair[Server].received.iter().map(Vec::len).collect();
        assert_eq!(came, held, "{version:?}");
        // What is counted is payload.
        let counted = |it: &crate::Stats| (it.records_sent, it.bytes_sent);
        let total: usize = sent.iter().sum();
        let stats = pair[Client].connection.stats();
        assert_eq!(counted(&stats), (sent.len() as u64, total as u64));
        let stats = pair[Server].connection.stats();
        let total: usize = held.iter().sum();
        let received = (stats.records_received, stats.bytes_received);
        assert_eq!(received, (held.len() as u64, total as u64));
        let room = pair[Server].connection.headroom();
        let mut buf = vec![0; 5 + room + 3];
        pair[Server].connection.seal(&mut buf, 5).unwrap();
        assert_eq!(counted(&pair[Server].connection.stats()), (1, 3));
    }
}

/// While a hello is awaited nothing under keys is looked at, and no Finished.
#[test]
fn hellos_come_in_the_clear_alone() {
    let mut pair = Pair::plain();
    pair.start();
    for role in [Client, Server] {
        let handshake = pair[role].connection.handshake();
        for kind in [1, 2, 11, 20] {
            for epoch in 0..4 {
                let expected = epoch == 0 && kind != 20;
                assert_eq!(handshake.admits(kind, epoch), expected, "{kind} {epoch}");
            }
        }
    }
    // Another message is out of place, whatever it says.
    let mut pair = Pair::new(config(0).doubt(Duration::ZERO), config(1));
    pair.start();
    pair.run(ms(1), &mut |_, _| Vec::new());
    let mut early = Vec::new();
    let fragment = Fragment {
        kind: 11,
        length: 1,
        sequence: 0,
        offset: 0,
        body: &[9],
    };
    fragment.write(&mut early);
    let now = pair.now;
    pair[Client].handle(now, &mut plain(0, &early));
    pair.run(ms(1), &mut |_, _| Vec::new());
    let cause = Failure::AlertSent(AlertDescription::UNEXPECTED_MESSAGE);
    assert_eq!(pair[Client].events, [Event::Failed { cause }]);
}

/// The caps themselves: 32 records, and 16 KiB.
#[test]
fn early_records_are_held_up_to_the_last_byte() {
    for (length, expected) in [
        (1, (32, 32 * 14)),
        (1_011, (16, 16 << 10)),
        (1_012, (15, 15 * 1_025)),
        // Five are a byte too many.
        (3_264, (4, 4 * 3_277)),
    ] {
        let mut pair = Pair::plain();
        pair.start();
        pair.run(ms(5), &mut perfect());
        let now = pair.now;
        for sequence in 0..40 {
            let header = record::Header {
                content_type: record::APPLICATION_DATA,
                version: 0xFEFD,
                epoch: 1,
                sequence,
                length: 0,
            };
            let mut early = crate::tests::support::record(header, &vec![7; length]);
            pair[Client].handle(now, &mut early);
        }
        assert_eq!(pair[Client].connection.held(), expected, "{length}");
        let peak = pair[Client].connection.stats().reassembly_peak;
        assert_eq!(peak, expected.1 as u64, "nothing else is held");
    }
}

/// Who is a client stays one whatever a stranger says, and who has no role takes one of a hello alone.
#[test]
fn a_role_is_taken_of_a_first_hello_alone() {
    let mut pair = Pair::plain();
    pair.start();
    let now = pair.now;
    let hello = message(
        Kind::ClientHello,
        0,
        &Message::HelloVerifyRequest(HelloVerifyRequest {
            version: 0xFEFD,
            cookie: &[7; 8],
        }),
    );
    pair[Client].handle(now, &mut plain(9, &hello));
    assert_eq!(pair[Client].connection.role(), Some(Client));
    pair.run(Duration::from_secs(5), &mut perfect());
    pair.assert_connected();
    let now = pair.now;
    let mut stranger = Connection::new(config(0), [3; 32], now);
    let done = message(Kind::ServerHelloDone, 0, &Message::ServerHelloDone);
    stranger.handle_datagram(now, &mut plain(0, &done), &mut |_: &mut [u8]| {});
    assert_eq!(stranger.role(), None);
    // A piece of a hello is held, until it is a client.
    let piece = [&[1, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0xFE]].concat();
    stranger.handle_datagram(now, &mut plain(1, &piece), &mut |_: &mut [u8]| {});
    assert_eq!((stranger.role(), stranger.held_messages()), (None, 90));
    stranger.set_role(now, Client).unwrap();
    assert_eq!(stranger.held_messages(), 0);
}

/// A copy of the peer's flight in the clear, which anybody can make, brings ours again only after half of the first timeout.
#[test]
fn repetitions_in_the_clear_do_not_amplify() {
    let mut pair = Pair::plain();
    let mut hello = None;
    pair.start();
    pair.run(ms(25), &mut |from, datagram| {
        if from == Client && hello.is_none() {
            hello = Some(datagram.clone());
        }
        match from {
            Client => vec![(ms(10), datagram)],
            Server => Vec::new(),
        }
    });
    let hello = hello.unwrap();
    let (start, mut sent) = (pair.now, 0);
    for later in [1, 100, 400, 600] {
        let now = start + ms(later);
        pair[Server].handle(now, &mut hello.clone());
        let mut any = false;
        while pair[Server]
            .connection
            .poll_transmit(now, 1200, &mut Vec::new())
        {
            any = true;
        }
        assert_eq!(any, later == 600, "{later}");
        sent += u64::from(any);
    }
    assert_eq!(pair[Server].connection.stats().retransmissions, sent);
}

/// A flood of the smallest pieces of the peer's flight, as long as a handshake may take, brings little more than the clock does.
#[test]
fn a_flood_of_repetitions_brings_little() {
    let flood = |piece: &[u8]| {
        let mut pair = Pair::plain();
        pair[Server].connection.set_round_trip(ms(1));
        pair.start();
        pair.run(ms(15), &mut |from, datagram| match from {
            Client => vec![(ms(10), datagram)],
            Server => Vec::new(),
        });
        let (start, server, mut sent) = (pair.now, &mut pair[Server], 0);
        for tick in 0..3_900 {
            let now = start + ms(30 * tick);
            server.connection.handle_timeout(now);
            server.handle(now, &mut plain(100 + tick, piece));
            while server.connection.poll_transmit(now, 1200, &mut Vec::new()) {
                sent += 1;
            }
        }
        sent
    };
    let head = |length| [1, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, length];
    let clock = flood(&[]);
    assert!((40..50).contains(&clock), "{clock}");
    assert_eq!(flood(&head(0)), clock);
    let most = flood(&[&head(1)[..], &[7]].concat());
    assert!((80..3 * clock).contains(&most), "{most}");
}

/// A cookie that was answered is not answered again, and who does not speak 1.2 answers none.
#[test]
fn cookies_of_1_2_are_answered_once() {
    let request = |sequence, cookie: &[u8]| {
        let request = HelloVerifyRequest {
            version: 0xFEFD,
            cookie,
        };
        let kind = Kind::HelloVerifyRequest;
        plain(
            9,
            &message(kind, sequence, &Message::HelloVerifyRequest(request)),
        )
    };
    let drained = |pair: &mut Pair| {
        let (now, mut count) = (pair.now, 0);
        let client = &mut pair[Client].connection;
        while client.poll_transmit(now, 1200, &mut Vec::new()) {
            count += 1;
        }
        count
    };
    let mut pair = Pair::plain();
    pair.start();
    assert!(drained(&mut pair) > 0);
    let now = pair.now;
    for (sequence, cookie, answered) in [(1, 6, false), (0, 7, true), (1, 7, false), (1, 8, true)] {
        pair[Client].handle(now, &mut request(sequence, &[cookie; 8]));
        assert_eq!(drained(&mut pair) > 0, answered, "{sequence} {cookie}");
    }
    // Who speaks 1.3 alone learns from it why nobody answers.
    let mut pair = Pair::new(config_of(Version::Dtls13, 0), config(1));
    pair.start();
    assert!(drained(&mut pair) > 0);
    pair[Client].handle(now, &mut request(0, &[7; 8]));
    assert_eq!(drained(&mut pair), 0);
    let at = now + Duration::from_secs(5);
    pair[Client].connection.handle_timeout(at);
    pair[Client].drain();
    let cause = Failure::AlertSent(AlertDescription::PROTOCOL_VERSION);
    assert_eq!(pair[Client].events, [Event::Failed { cause }]);
}

/// RFC 6347 §4.2.1: a cookie is the one that this server bakes for this client, and for nobody else.
#[test]
fn cookies_of_1_2_are_bound_to_their_context() {
    let server = |context: &[u8]| config(1).cookie_exchange(true).cookie_context(context);
    let mut pair = Pair::new(config(0), server(b"here"));
    let mut hellos = Vec::new();
    pair.start();
    pair.run(ms(60), &mut |from, datagram| {
        if from == Client {
            hellos.push(datagram.clone());
        }
        vec![(ms(10), datagram)]
    });
    let [_, hello, ..] = &hellos[..] else {
        panic!("no second hello: {hellos:?}");
    };
    let mut other_cookie = hello.clone();
    // Behind the headers, version, random and session id.
    let at = record::HEADER_LEN + 12 + 2 + 32 + 1;
    assert_eq!(other_cookie[at], 32, "its length");
    other_cookie[at + 1] ^= 1;
    for (context, hello, taken) in [
        (&b"here"[..], hello, true),
        (b"there", hello, false),
        (b"", hello, false),
        (b"here", &other_cookie, false),
    ] {
        // The same seed, so the same key.
        let mut pair = Pair::new(config(0), server(context));
        let (now, mut answer) = (pair.now, Vec::new());
        pair[Server].connection.start(now);
        pair[Server].handle(now, &mut hello.clone());
        let answered = pair[Server]
            .connection
            .poll_transmit(now, 1200, &mut answer);
        assert!(answered);
        let kind = if taken { 2 } else { 3 };
        assert_eq!(records(&answer)[0].1[0], kind, "{context:?}");
    }
}

/// At most two alerts wait to be sent.
#[test]
fn alerts_that_wait_are_bounded() {
    let mut pair = Pair::plain();
    pair.connect();
    let now = pair.now;
    for sequence in 9..14 {
        let request = [0, 0, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0];
        let asking = &mut pair[Server].connection;
        let mut request = asking.protected(1, record::HANDSHAKE, &request);
        pair[Client].handle(now, &mut request);
    }
    let before = pair[Client].connection.stats().alerts_sent;
    while pair[Client]
        .connection
        .poll_transmit(now, 1200, &mut Vec::new())
    {}
    let after = pair[Client].connection.stats().alerts_sent;
    assert_eq!(after - before, 2);
}

/// A piece of a message in the clear.
fn piece(kind: Kind, sequence: u16) -> Vec<u8> {
    let piece = Fragment {
        kind: kind.id(),
        length: 9_000,
        sequence,
        offset: 7,
        body: &[1],
    };
    let mut bytes = Vec::new();
    piece.write(&mut bytes);
    plain(0, &bytes)
}

/// Nothing is held, and nobody is doubted, before there is anything to answer.
#[test]
fn a_stranger_does_nothing_to_who_has_not_begun() {
    let mut noise = vec![
        vec![
            0x16, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0C, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        plain(
            0,
            &message(Kind::ServerHelloDone, 0, &Message::ServerHelloDone),
        ),
        plain(0, &message(Kind::HelloRequest, 0, &Message::HelloRequest)),
        // What could only stand behind a hello, and a piece of what is none.
        plain(
            0,
            &message(Kind::ServerHelloDone, 1, &Message::ServerHelloDone),
        ),
        piece(Kind::Certificate, 0),
        piece(Kind::ClientKeyExchange, 2),
    ];
    for (content_type, epoch, body) in [
        (record::ALERT, 0, &[2, 40][..]),
        (record::APPLICATION_DATA, 1, &[0; 40]),
        (record::HANDSHAKE, 1, &[0; 40]),
        (record::CHANGE_CIPHER_SPEC, 0, &[1]),
    ] {
        let header = record::Header {
            content_type,
            version: 0xFEFD,
            epoch,
            sequence: 3,
            length: 0,
        };
        noise.push(crate::tests::support::record(header, body));
    }
    for (version, role) in VERSIONS
        .into_iter()
        .flat_map(|version| [Client, Server].map(|role| (version, role)))
    {
        let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
        // One with its role, and one that does not know it yet.
        let bare = Side::new(config_of(version, 2), 3, pair.now);
        let now = pair.now;
        let mut ends = [&mut pair[role], &mut { bare }];
        for datagram in noise.iter().cycle().take(3 * noise.len()) {
            for end in &mut ends {
                end.handle(now, &mut datagram.clone());
            }
        }
        for end in ends {
            let connection = &end.connection;
            assert_eq!(connection.state(), State::New);
            assert_eq!(connection.poll_timeout(), None, "{version} {role:?}");
            assert_eq!((connection.held(), connection.held_messages()), ((0, 0), 0));
        }
        pair.now += Duration::from_secs(10);
        pair.connect();
    }
}

/// ACKs are of 1.3: nobody says one in 1.2, however late the answer is, and for what comes again.
#[test]
fn nothing_is_acknowledged_in_1_2() {
    let (mut pair, mut last_flights) = (Pair::plain(), 0);
    pair.start();
    pair.run(Duration::from_secs(5), &mut |from, datagram| {
        let records = records(&datagram);
        let mut contents = records.iter().map(|(header, _)| header.content_type);
        assert!(contents.all(|it| it != record::ACK));
        let is_last = records.iter().any(|(header, _)| header.epoch == 1);
        last_flights += usize::from(from == Server && is_last);
        // The server's last flight is lost once: the client says its own again.
        match from == Server && last_flights == 1 {
            true => Vec::new(),
            false => vec![(ms(10), datagram)],
        }
    });
    assert_eq!(last_flights, 2);
    pair.assert_connected();
}

/// RFC 6347 §4.2.4: a client that sends payload has the server's last flight, which needs not be said again then.
#[test]
fn payload_of_the_client_ends_the_servers_last_flight() {
    let mut pair = Pair::plain();
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    assert!(pair[Server].connection.flight().is_some());
    pair.exchange();
    assert!(pair[Server].connection.flight().is_none());
}

/// Payload that does not wait for the answer (RFC 7918) says nothing about a flight that has not left.
#[test]
fn payload_with_finished_does_not_end_the_servers_last_flight() {
    let mut pair = Pair::plain();
    pair.start();
    pair.run(ms(25), &mut perfect());
    let now = pair.now;
    let client = &mut pair[Client].connection;
    let mut early = client.protected(1, record::APPLICATION_DATA, b"early");
    pair[Server].handle(now, &mut early);
    pair.run(Duration::from_secs(5), &mut perfect());
    assert_eq!(std::mem::take(&mut pair[Server].received), [b"early"]);
    pair.assert_connected();
}

/// What was about to leave leaves once, what has left stays lost.
#[test]
fn nothing_comes_again_behind_a_close() {
    for version in VERSIONS {
        for left in [false, true] {
            let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
            pair.start();
            if left {
                pair.run(ms(5), &mut perfect());
            }
            let now = pair.now;
            let client = &mut pair[Client].connection;
            client.close(now);
            assert_eq!(client.flight(), None);
            let (mut contents, mut buf) = (Vec::new(), Vec::new());
            while client.poll_transmit(now, 1200, &mut buf) {
                contents.push(buf[0]);
                buf.clear();
            }
            let hellos = contents.iter().filter(|it| **it == record::HANDSHAKE);
            assert_eq!(hellos.count() > 0, !left, "{version}");
            assert_eq!(contents.last(), Some(&record::ALERT));
            assert_eq!(client.poll_timeout(), None);
        }
    }
}

/// While a hello is awaited nobody looks into anything else.
#[test]
fn other_messages_than_hellos_are_unexpected_whatever_they_say() {
    // In pieces, as a message that is long comes.
    let pieces = [0, 1].map(|offset| {
        let certificate = Fragment {
            kind: Kind::Certificate.id(),
            length: 2,
            sequence: 0,
            offset,
            body: &[0xFF],
        };
        let mut bytes = Vec::new();
        certificate.write(&mut bytes);
        plain(0, &bytes)
    });
    for (version, role) in VERSIONS
        .into_iter()
        .flat_map(|version| [Client, Server].map(|role| (version, role)))
    {
        let config = |which| config_of(version, which).doubt(Duration::ZERO);
        let mut pair = Pair::new(config(0), config(1));
        pair.start();
        let now = pair.now;
        let end = &mut pair[role];
        for mut piece in pieces.clone() {
            end.handle(now, &mut piece);
        }
        let cause = Failure::AlertSent(AlertDescription::UNEXPECTED_MESSAGE);
        assert_eq!(end.events, [Event::Failed { cause }], "{version} {role:?}");
    }
}

/// Where every doubt is final, a first hello that nobody can read ends it, and so does an alert.
#[test]
fn without_patience_the_first_fault_ends_it() {
    let alert = record::Header {
        content_type: record::ALERT,
        version: 0xFEFD,
        epoch: 0,
        sequence: 0,
        length: 0,
    };
    let hello = Fragment {
        kind: Kind::ClientHello.id(),
        length: 3,
        sequence: 0,
        offset: 0,
        body: &[0xFE, 0xFD, 0],
    };
    let mut bytes = Vec::new();
    hello.write(&mut bytes);
    for (datagram, cause) in [
        (
            plain(0, &bytes),
            Failure::AlertSent(AlertDescription::DECODE_ERROR),
        ),
        (
            crate::tests::support::record(alert, &[2, 40]),
            Failure::AlertReceived(AlertDescription::HANDSHAKE_FAILURE),
        ),
    ] {
        for (patience, ends) in [(Duration::ZERO, true), (Duration::from_secs(5), false)] {
            let mut pair = Pair::new(config(0), config(1).doubt(patience));
            let now = pair.now;
            let connection = &mut pair[Server].connection;
            connection.set_role(now, Server).unwrap();
            connection.start(now);
            pair[Server].handle(now, &mut datagram.clone());
            let later = now + Duration::from_secs(6);
            pair[Server].connection.handle_timeout(later);
            pair[Server].drain();
            let failed = pair[Server].events == [Event::Failed { cause }];
            assert_eq!(failed, ends, "{patience:?} {:?}", pair[Server].events);
        }
    }
}

#[test]
fn alerts_under_the_keys_count() {
    for (body, end) in [
        ([2, 40], true),
        ([1, 90], false),
        ([3, 40], false),
        ([1, 0], true),
    ] {
        let mut pair = Pair::plain();
        pair.connect();
        let mut alert = pair[Client].connection.protected(1, record::ALERT, &body);
        let now = pair.now;
        pair[Server].handle(now, &mut alert);
        let over = pair[Server].connection.state() != State::Connected;
        assert_eq!(over, end, "{body:?}");
        // A level of 3 is none.
        let heard = pair[Server].connection.stats().alerts_received;
        assert_eq!(heard, u64::from(body != [3, 40]), "{body:?}");
        if body == [2, 40] {
            let cause = Failure::AlertReceived(40.into());
            assert_eq!(pair[Server].events[1], Event::Failed { cause });
        }
    }
}

#[test]
fn renegotiation_under_the_keys_is_refused_and_the_association_goes_on() {
    for (role, kind) in [(Client, 0), (Server, 1), (Server, 14)] {
        let mut pair = Pair::plain();
        pair.connect();
        let now = pair.now;
        let request = [kind, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0];
        let asking = &mut pair[other(role)].connection;
        let mut request = asking.protected(1, record::HANDSHAKE, &request);
        pair[role].handle(now, &mut request);
        let mut answer = Vec::new();
        let answered = pair[role].connection.poll_transmit(now, 1200, &mut answer);
        assert_eq!(answered, kind < 2);
        assert!(
            !pair[role]
                .connection
                .poll_transmit(now, 1200, &mut Vec::new())
        );
        if answered {
            // RFC 5246 §7.2.2: a warning, `no_renegotiation`.
            let said = pair[other(role)].connection.opened(now, &answer);
            assert_eq!(said, (record::ALERT, vec![1, 100]));
        }
        pair.exchange();
    }
}

/// The last numbers are for the alert that says it.
#[test]
fn the_end_of_the_numbers_ends_the_association_and_the_peer_hears_of_it() {
    let mut pair = Pair::plain();
    pair.connect();
    let now = pair.now;
    pair[Client].connection.exhaust(1, 18);
    for _ in 0..2 {
        let mut record = pair[Client].seal(b"x");
        pair[Server].handle(now, &mut record);
    }
    assert_eq!(pair[Server].received.len(), 2);
    let mut buf = vec![0; pair[Client].connection.headroom()];
    let refused = pair[Client].connection.seal(&mut buf, 0);
    assert_eq!(refused, Err(Error::KeyExhausted));
    let mut alert = Vec::new();
    assert!(pair[Client].connection.poll_transmit(now, 1200, &mut alert));
    pair[Server].handle(now, &mut alert);
    let cause = Failure::AlertReceived(AlertDescription::INTERNAL_ERROR);
    assert_eq!(pair[Server].events[1], Event::Failed { cause });
    let sent = Failure::KeyExhausted.sent_alert();
    assert_eq!(sent, cause.received_alert());
}

fn message(kind: Kind, sequence: u16, message: &Message<'_>) -> Vec<u8> {
    let (mut body, mut bytes) = (Vec::new(), Vec::new());
    message.write(&mut body);
    let fragment = Fragment {
        kind: kind.id(),
        length: body.len(),
        sequence,
        offset: 0,
        body: &body,
    };
    fragment.write(&mut bytes);
    bytes
}
