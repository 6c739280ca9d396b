//! What networks do: loss, reordering, duplication, small datagrams, and messages in the wrong place.
mod support;

use std::time::Duration;

use oxirtc_dtls::{
    AlertDescription, Config, Event, Failure, KeyType,
    Role::{Client, Server},
    Version,
    message::Fragment,
    record::{ALERT, APPLICATION_DATA, HANDSHAKE},
};
use oxirtc_netsim::for_each_seed;
use support::{Dice, Pair, VERSIONS, certificate, config_of, ms, perfect, record, records, times};

#[test]
fn loss_only_costs_time() {
    let cases = [(5, 30), (20, 60), (50, 119)];
    for (version, (percent, limit)) in VERSIONS.into_iter().flat_map(|v| cases.map(|c| (v, c))) {
        for_each_seed(40, |seed| {
            let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
            let mut dice = Dice::new(seed);
            for end in &mut pair.ends {
                end.connection.set_round_trip(ms(40));
            }
            pair.start();
            pair.run(
                Duration::from_secs(limit),
                &mut |_, datagram| match dice.roll(100) < percent {
                    true => Vec::new(),
                    false => vec![(ms(20), datagram)],
                },
            );
            assert_eq!(
                pair[Client].events,
                [Event::Connected],
                "{percent} % seed {seed}"
            );
            assert_eq!(
                pair[Server].events,
                [Event::Connected],
                "{percent} % seed {seed}"
            );
        });
    }
}

#[test]
fn reordering_and_duplication_at_small_mtus() {
    for (version, room, seeds) in [
        (Version::Dtls12, 1200, 10),
        (Version::Dtls12, 300, 20),
        (Version::Dtls12, 90, 10),
        (Version::Dtls13, 1200, 20),
        (Version::Dtls13, 300, 20),
        (Version::Dtls13, 90, 6),
    ] {
        for_each_seed(seeds, |seed| {
            let rsa = || Config::new(certificate(KeyType::Rsa2048, 0)).versions(&[version]);
            let mut pair = Pair::new(rsa(), rsa());
            pair.room = room;
            let mut dice = Dice::new(seed);
            pair.start();
            pair.run(Duration::from_secs(60), &mut |_, datagram| {
                let copies = 1 + dice.roll(2);
                (0..copies)
                    .map(|_| (ms(dice.roll(80)), datagram.clone()))
                    .collect()
            });
            pair.assert_connected();
        });
    }
}

/// Each handshake record becomes one record a byte, backwards.
#[test]
fn single_bytes_backwards() {
    let mut pair = Pair::plain();
    let mut number = 0;
    pair.start();
    pair.run(Duration::from_secs(30), &mut |_, datagram| {
        let mut pieces = Vec::new();
        for (header, body) in records(&datagram) {
            if header.content_type != HANDSHAKE || header.epoch > 0 {
                pieces.push(record(header, &body));
                continue;
            }
            let (fragment, _) = Fragment::parse(&body).unwrap();
            for at in 0..fragment.body.len().max(1) {
                let mut bytes = Vec::new();
                let end = fragment.body.len().min(at + 1);
                let piece = Fragment {
                    offset: fragment.offset + at.min(end),
                    body: &fragment.body[at.min(end)..end],
                    ..fragment
                };
                piece.write(&mut bytes);
                number += 1;
                pieces.push(record(
                    oxirtc_dtls::record::Header {
                        sequence: number,
                        ..header
                    },
                    &bytes,
                ));
            }
        }
        pieces
            .into_iter()
            .rev()
            .map(|piece| (ms(10), piece))
            .collect()
    });
    pair.assert_connected();
}

/// Every record of the handshake deleted once, twice sent, or swapped with the next.
#[test]
fn each_record_lost_doubled_or_swapped_once() {
    for from in [Client, Server] {
        for index in 0..8 {
            for fate in 0..3 {
                let mut pair = Pair::plain();
                let (mut count, mut held) = (0, None);
                pair.start();
                pair.run(Duration::from_secs(60), &mut |role, datagram| {
                    let mut out = Vec::new();
                    for (header, body) in records(&datagram) {
                        let one = record(header, &body);
                        let hit = role == from && count == index;
                        count += usize::from(role == from);
                        match (hit, fate) {
                            (true, 0) => {}
                            (true, 1) => out.extend([one.clone(), one]),
                            (true, _) => held = Some(one),
                            (false, _) => {
                                out.push(one);
                                out.extend(held.take());
                            }
                        }
                    }
                    out.into_iter().map(|one| (ms(10), one)).collect()
                });
                pair.assert_connected();
            }
        }
    }
}

/// Known failure 4: a message that never comes ends in no connection.
#[test]
fn without_any_one_message_nobody_connects() {
    for kind in [1, 2, 11, 12, 13, 14, 15, 16] {
        for from in [Client, Server] {
            let mut pair = Pair::plain();
            let mut dropped = false;
            pair.start();
            pair.run(Duration::from_secs(200), &mut |role, datagram| {
                let mut out = Vec::new();
                for (header, body) in records(&datagram) {
                    let hit = header.content_type == HANDSHAKE
                        && header.epoch == 0
                        && role == from
                        && body.first() == Some(&kind);
                    dropped |= hit;
                    if !hit {
                        out.extend(record(header, &body));
                    }
                }
                vec![(ms(10), out)]
            });
            if !dropped {
                pair.assert_connected();
                continue;
            }
            for end in &pair.ends {
                assert!(!end.events.contains(&Event::Connected), "{kind} {from:?}");
                assert_eq!(end.connection.poll_timeout(), None);
            }
        }
    }
}

/// The same with the messages behind it moved up, so that none seems to be missing.
#[test]
fn a_message_cut_out_of_the_sequence_is_noticed() {
    for kind in [11, 12, 13, 14, 15, 16] {
        for from in [Client, Server] {
            let mut pair = Pair::plain();
            let mut cut = false;
            pair.start();
            pair.run(Duration::from_secs(200), &mut |role, datagram| {
                let (mut out, mut skipped) = (Vec::new(), 0);
                for (header, body) in records(&datagram) {
                    if header.content_type != HANDSHAKE || header.epoch > 0 || role != from {
                        out.extend(record(header, &body));
                        continue;
                    }
                    let (fragment, _) = Fragment::parse(&body).unwrap();
                    if fragment.kind == kind {
                        (skipped, cut) = (1, true);
                        continue;
                    }
                    let mut bytes = Vec::new();
                    let sequence = fragment.sequence - skipped;
                    Fragment {
                        sequence,
                        ..fragment
                    }
                    .write(&mut bytes);
                    out.extend(record(header, &bytes));
                }
                vec![(ms(10), out)]
            });
            let connected = pair
                .ends
                .each_ref()
                .map(|e| e.events.contains(&Event::Connected));
            assert_eq!(connected, [!cut; 2], "{kind} {from:?}");
        }
    }
}

/// Known failures 1, 10 and 13: in every state of the handshake, one poisonous record.
#[test]
fn poison_in_any_state_does_not_stop_the_handshake() {
    let header = |content_type, sequence| oxirtc_dtls::record::Header {
        content_type,
        version: 0xFEFD,
        epoch: 0,
        sequence,
        length: 0,
    };
    let handshake = |kind, sequence, length, offset, body: &[u8]| {
        let mut bytes = Vec::new();
        Fragment {
            kind,
            length,
            sequence,
            offset,
            body,
        }
        .write(&mut bytes);
        record(header(HANDSHAKE, 0xFFFF_FFFF_FFFF), &bytes)
    };
    let mut poison = vec![
        record(header(APPLICATION_DATA, 9), b"in the clear"),
        record(header(ALERT, 9), &[2, 40]),
        record(header(ALERT, 9), &[1, 0]),
        record(header(25, 9), b"connection id"),
        vec![0x2F; 60],
        vec![22],
    ];
    for sequence in 0..8 {
        // A renewal of keys, for whoever takes it for the peer's when its number comes.
        poison.push(handshake(24, sequence, 1, 0, &[1]));
        for kind in [0, 1, 2, 3, 11, 20, 99] {
            poison.push(handshake(kind, sequence, 5, 0, b"wrong"));
            poison.push(handshake(kind, sequence, 60_000, 100, b"x"));
            poison.push(handshake(kind, sequence, 40, 0, &[]));
        }
    }
    for (version, (index, poison)) in VERSIONS.into_iter().flat_map(|version| {
        poison
            .iter()
            .enumerate()
            .map(move |poison| (version, poison))
    }) {
        for at in 0..5 {
            // Each of them in some places; all of them in full.
            if (index + at) % times(3, 1) as usize != 0 {
                continue;
            }
            let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
            let mut count = 0;
            pair.start();
            pair.run(Duration::from_secs(60), &mut |role, datagram| {
                count += 1;
                let mut out = vec![(ms(10), datagram)];
                // A hello of 1.3 comes in two datagrams: who changes what is between them each time stops
                // it, as nothing in the clear says which half is genuine.
                let each = version == Version::Dtls12;
                if count == at + 1 || each && count > at {
                    out.insert(0, (ms(10), poison.clone()));
                }
                let _ = role;
                out
            });
            let events = [&pair[Client].events, &pair[Server].events];
            let name = format!("{version}, poison {index} before datagram {at}: {events:?}");
            assert!(events.iter().all(|it| **it == [Event::Connected]), "{name}");
            pair.assert_connected();
            for end in &pair.ends {
                assert!(end.received.is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn a_close_before_the_end_of_the_handshake_is_heard() {
    let mut pair = Pair::plain();
    pair.start();
    pair.run(ms(15), &mut perfect());
    let now = pair.now;
    pair[Client].connection.close(now);
    pair.run(Duration::from_secs(60), &mut perfect());
    assert!(
        matches!(pair[Server].events[..], [Event::Failed { .. }]),
        "{:?}",
        pair[Server].events
    );
    assert!(pair.elapsed() < Duration::from_secs(70));
}

/// RFC 8446 §6.1: `user_canceled` ends nothing in 1.3, so `close_notify` follows it, and the peer need not wait for its own time.
#[test]
fn who_gives_up_in_1_3_closes() {
    let limit = Duration::from_secs(20);
    let client = config_of(Version::Dtls13, 0).handshake_timeout(Some(limit));
    let mut pair = Pair::new(client, config_of(Version::Dtls13, 1));
    pair.start();
    pair.run(limit + ms(100), &mut |from, mut datagram| {
        if from == Server {
            // The ServerHello alone arrives, so that the client has keys.
            let hello = records(&datagram).into_iter().next();
            datagram = hello.map_or(Vec::new(), |(header, body)| record(header, &body));
        }
        vec![(ms(10), datagram)]
    });
    let cause = Failure::HandshakeTimeout;
    assert_eq!(pair[Client].events, [Event::Failed { cause }]);
    let cause = Failure::AlertReceived(AlertDescription::CLOSE_NOTIFY);
    assert_eq!(pair[Server].events, [Event::Failed { cause }]);
}
