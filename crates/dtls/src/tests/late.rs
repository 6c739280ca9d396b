//! Behind the handshake of 1.3: ACKs, key updates, tickets, alerts, limits.

use std::{collections::BTreeSet, time::Duration};

use oxirtc_netsim::for_each_seed;

use crate::{
    AlertDescription, Error, Event, Failure, Initiator,
    Role::{self, Client, Server},
    State, Version,
    message::{Ack, Fragment, Kind},
    record::{self, Limit},
    tests::{
        peer::{As, Draft},
        support::{
            Dice, Pair, VERSIONS, config, config_1_3, config_of, ms, other, perfect, plain, records,
        },
    },
};

fn pair() -> Pair {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.connect();
    pair
}

#[test]
fn keys_are_updated_by_either_side_and_on_request() {
    for role in [Client, Server] {
        for request in [false, true] {
            let mut pair = pair();
            for round in 1..=9_u16 {
                pair[role].connection.update_keys(request).unwrap();
                // Not before the ACK: what is sent now is under the old key.
                assert_eq!(pair[role].connection.epochs().0, 2 + round);
                pair.exchange();
                pair.run(ms(100), &mut perfect());
                assert_eq!(pair[role].connection.epochs().0, 3 + round);
                let theirs = pair[other(role)].connection.epochs();
                assert_eq!(theirs.1, 3 + round);
                assert_eq!(theirs.0, if request { 3 + round } else { 3 });
                pair.exchange();
            }
            for end in &pair.ends {
                assert_eq!(end.connection.poll_timeout(), None);
                assert_eq!(end.events, [Event::Connected]);
            }
        }
    }
    let mut old = Pair::new(config(0), config(1));
    let early = old[Client].connection.update_keys(false);
    assert_eq!(early, Err(Error::NotConnected));
    old.connect();
    let refused = old[Client].connection.update_keys(false);
    assert_eq!(refused, Err(Error::NoKeyUpdate));
}

/// A request is more than the update under way says: it goes behind that.
#[test]
fn a_request_waits_for_the_update_under_way() {
    for role in [Client, Server] {
        let mut pair = pair();
        for request in [false, true, false] {
            pair[role].connection.update_keys(request).unwrap();
        }
        pair.run(ms(200), &mut perfect());
        assert_eq!(pair[role].connection.epochs(), (5, 4));
        assert_eq!(pair[other(role)].connection.epochs(), (4, 5));
        pair.exchange();
    }
}

/// The hello of a client needs no ACK: the answer tells that it came.
#[test]
fn a_server_acknowledges_nothing_of_the_clear() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    let mut acks = Vec::new();
    pair.start();
    pair.run(ms(100), &mut |from, datagram| {
        if from == Server && datagram[0] == 0x2F {
            acks.push(datagram);
            return Vec::new();
        }
        vec![(ms(10), datagram)]
    });
    let now = pair.now;
    let (content, payload) = pair[Client].connection.opened(now, &acks[0]);
    assert_eq!(content, record::ACK);
    let numbers = Ack::parse(&payload).unwrap().numbers;
    assert!(!numbers.is_empty() && numbers.iter().all(|(epoch, _)| *epoch == 2));
}

/// RFC 9147 §5.2: the number of a message does not wrap. The last one counts, and counts once.
#[test]
fn there_is_no_message_behind_the_last_number() {
    let mut pair = pair();
    for role in [Client, Server] {
        pair[role].connection.skip_messages();
    }
    pair[Client].connection.update_keys(true).unwrap();
    pair.run(ms(100), &mut perfect());
    for _ in 0..2 {
        // Each in answer to the other: no third was said.
        assert_eq!(pair[Client].connection.epochs(), (4, 4));
        assert_eq!(pair[Server].connection.epochs(), (4, 4));
        pair.exchange();
        for role in [Client, Server] {
            let refused = pair[role].connection.update_keys(true);
            assert_eq!(refused, Err(Error::KeyExhausted));
        }
        pair.run(ms(100), &mut perfect());
    }
}

/// Both at once, requests that cross, and loss.
#[test]
fn updates_that_cross_and_get_lost_lose_nothing() {
    for_each_seed(60, |seed| {
        let (mut pair, mut dice) = (pair(), Dice::new(seed));
        let (mut sent, mut seen) = (0_u32, BTreeSet::new());
        for _ in 0..12 {
            for role in [Client, Server] {
                let request = dice.roll(2) == 0;
                if dice.roll(3) > 0 {
                    pair[role].connection.update_keys(request).unwrap();
                }
                let datagram = pair[role].seal(&sent.to_be_bytes());
                pair.send(role, ms(25), datagram);
                sent += 1;
            }
            pair.run(
                ms(dice.roll(4_000)),
                &mut |_, datagram| match dice.roll(100) < 30 {
                    true => Vec::new(),
                    false => vec![(ms(10 + dice.roll(60)), datagram)],
                },
            );
        }
        pair.run(Duration::from_secs(60), &mut perfect());
        for end in &mut pair.ends {
            seen.extend(std::mem::take(&mut end.received));
            assert_eq!(end.connection.state(), State::Connected, "seed {seed}");
            assert_eq!(end.connection.poll_timeout(), None);
        }
        assert_eq!(seen.len() as u32, sent, "seed {seed}");
        pair.exchange();
    });
}

/// A key is renewed before it is worn out, and never seals a record more than it may.
#[test]
fn keys_are_renewed_in_time_and_never_overused() {
    let mut pair = pair();
    pair[Client].connection.limit_keys(Limit {
        records: 50,
        renew: 30,
    });
    for index in 0..40_u32 {
        let now = pair.now;
        let mut datagram = pair[Client].seal(&index.to_be_bytes());
        pair[Server].handle(now, &mut datagram);
        if index > 25 {
            pair.run(ms(50), &mut perfect());
        }
    }
    assert!(pair[Client].connection.epochs().0 > 3);
    assert_eq!(pair[Server].received.len(), 40);
    // A peer that acknowledges nothing stops it at the limit.
    let mut pair = self::pair();
    pair[Client].connection.limit_keys(Limit {
        records: 50,
        renew: 30,
    });
    let (now, mut count) = (pair.now, 0);
    loop {
        let mut buf = vec![0; pair[Client].connection.headroom()];
        match pair[Client].connection.seal(&mut buf, 0) {
            Ok(()) => count += 1,
            Err(error) => {
                assert_eq!(error, Error::KeyExhausted);
                break;
            }
        }
        while pair[Client]
            .connection
            .poll_transmit(now, 1200, &mut Vec::new())
        {
            count += 1;
        }
    }
    assert!((30..=50).contains(&count), "{count}");
    pair[Client].drain();
    let cause = Failure::KeyExhausted;
    assert_eq!(pair[Client].events[1], Event::Failed { cause });
}

/// The owner may want new keys more often than the algorithms do.
#[test]
fn keys_are_renewed_as_often_as_the_owner_wants() {
    for version in VERSIONS {
        let client = config_of(version, 0).renew_keys_after(50);
        let mut pair = Pair::new(client, config_of(version, 1));
        pair.connect();
        for _ in 0..120 {
            let now = pair.now;
            let mut datagram = pair[Client].seal(b"x");
            pair[Server].handle(now, &mut datagram);
            pair.run(ms(50), &mut perfect());
            let (epoch, _) = pair[Client].connection.epochs();
            let used = limit(version) - pair[Client].connection.records_left(epoch);
            assert!(used < 50 || version == Version::Dtls12, "{used}");
        }
        // Two and a half times.
        let expected = if version == Version::Dtls12 { 1 } else { 5 };
        assert_eq!(pair[Client].connection.epochs().0, expected);
        assert_eq!(pair[Server].connection.epochs().1, expected);
        pair.exchange();
        // No update waits for an ACK, which a peer of 1.2 never says.
        assert_eq!(pair[Client].connection.poll_timeout(), None);
    }
}

/// What an update itself costs is never reason enough for another one.
#[test]
fn updates_alone_bring_no_updates() {
    let eager = |which| config_of(Version::Dtls13, which).renew_keys_after(0);
    let mut pair = Pair::new(eager(0), eager(1));
    pair.connect();
    for _ in 0..16 {
        pair.exchange();
    }
    pair.run(Duration::from_secs(60), &mut perfect());
    for role in [Client, Server] {
        assert_eq!(pair[role].connection.epochs(), (4, 4));
    }
    pair.exchange();
}

/// How many records a fresh key may seal.
fn limit(version: Version) -> u64 {
    match version {
        Version::Dtls12 => Limit::V12.records,
        _ => Limit::GCM.records,
    }
}

/// The last flight of a client is repeated until it is acknowledged, and the server acknowledges each
/// repetition at once.
#[test]
fn the_last_flight_of_a_client_waits_for_its_ack() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    let mut lost = 0;
    pair.run(Duration::from_secs(20), &mut |role, datagram| {
        // ACKs of the server, the only thing that it says behind its flight.
        if role == Server && datagram[0] == 0x2F && lost < 3 {
            lost += 1;
            return Vec::new();
        }
        vec![(ms(10), datagram)]
    });
    assert_eq!(lost, 3);
    assert_eq!(pair[Client].connection.stats().retransmissions, 3);
    assert_eq!(pair[Server].connection.stats().retransmissions, 0);
    pair.assert_connected();
    assert_eq!(pair[Client].connection.poll_timeout(), None);
}

/// Where nothing else tells the server, the records of its ServerHello are acknowledged after a quarter of the first timeout: eight at
/// most, as a stranger can cut it into as many as he likes.
#[test]
fn a_hello_alone_is_acknowledged_after_a_while() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    let (mut hello, mut answers) = (Vec::new(), Vec::new());
    pair.start();
    let wire = &mut |from: Role, datagram: Vec<u8>| match from {
        Client if datagram[0] == record::HANDSHAKE => vec![(ms(10), datagram)],
        Client => {
            answers.push(datagram);
            Vec::new()
        }
        Server if hello.is_empty() => {
            hello = records(&datagram).remove(0).1;
            in_pieces(&hello, 12).map(|it| (ms(10), it)).collect()
        }
        Server => Vec::new(),
    };
    pair.run(ms(20 + 249), wire);
    pair.run(ms(1), wire);
    let now = pair.now;
    let [answer] = &answers[..] else {
        panic!("{} answers", answers.len());
    };
    let (content, payload) = pair[Server].connection.opened(now, answer);
    assert_eq!(content, record::ACK);
    let named = Ack::parse(&payload).unwrap().numbers;
    assert_eq!(named, (100..108).map(|it| (0, it)).collect::<Vec<_>>());
}

/// So is what comes under keys, while the rest of the flight is awaited.
#[test]
fn a_piece_of_the_flight_is_acknowledged_after_a_while() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.room = 200;
    let mut kept = Vec::new();
    pair.start();
    pair.run(ms(300), &mut |from, datagram| match (from, datagram[0]) {
        (_, record::HANDSHAKE) => vec![(ms(10), datagram)],
        (Server, _) => {
            kept.push(datagram);
            Vec::new()
        }
        // What it has of the hello is acknowledged by now.
        (Client, _) => Vec::new(),
    });
    assert!(kept.len() > 1);
    let now = pair.now;
    pair[Client].handle(now, &mut kept[0]);
    let client = &mut pair[Client].connection;
    assert!(!client.poll_transmit(now, 200, &mut Vec::new()));
    assert_eq!(client.poll_timeout(), Some(now + ms(250)));
}

/// A whole message of the clear in records of their own, from number 100 on.
fn in_pieces(message: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let (whole, _) = Fragment::parse(message).unwrap();
    let size = whole.length.div_ceil(count);
    let pieces = whole.body.chunks(size).enumerate();
    pieces.map(move |(index, body)| {
        let mut bytes = Vec::new();
        Fragment {
            offset: index * size,
            body,
            ..whole
        }
        .write(&mut bytes);
        plain(100 + index as u64, &bytes)
    })
}

/// A client that has part of the server's flight says so, and gets only the rest.
#[test]
fn part_of_a_flight_is_acknowledged_and_only_the_rest_goes_again() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.room = 400;
    pair.start();
    let (mut count, mut bytes) = (0, 0);
    pair.run(Duration::from_secs(20), &mut |role, datagram| {
        if role == Server {
            count += 1;
            bytes += datagram.len();
            // The last but one of the first flight.
            if count == 5 {
                return Vec::new();
            }
        }
        vec![(ms(10), datagram)]
    });
    pair.assert_connected();
    assert!(bytes < 1_500 + 700 + 400, "{bytes}");
    assert!(pair.elapsed() > Duration::ZERO);
}

#[test]
fn acks_in_the_clear_and_of_nonsense_change_nothing() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    pair.run(ms(5), &mut perfect());
    let now = pair.now;
    let mut payload = Vec::new();
    Ack {
        numbers: (0..40).map(|sequence| (0, sequence)).collect(),
    }
    .write(&mut payload);
    let header = record::Header {
        content_type: record::ACK,
        version: 0xFEFD,
        epoch: 0,
        sequence: 9,
        length: 0,
    };
    let mut forged = super::support::record(header, &payload);
    pair[Client].handle(now, &mut forged.clone());
    pair[Server].handle(now, &mut forged);
    assert!(
        pair[Client].connection.poll_timeout().is_some(),
        "it still waits"
    );
    pair.run(Duration::from_secs(10), &mut perfect());
    pair.assert_connected();
    // Under keys: numbers that nobody sent are passed over, half a number is an error.
    let now = pair.now;
    let mut payload = Vec::new();
    Ack {
        numbers: vec![(3, 1 << 40), (u64::MAX, 7)],
    }
    .write(&mut payload);
    let mut odd = pair[Client].connection.protected(3, record::ACK, &payload);
    pair[Server].handle(now, &mut odd);
    pair.exchange();
    let mut half = pair[Client]
        .connection
        .protected(3, record::ACK, &[0, 3, 1, 2, 3]);
    pair[Server].handle(now, &mut half);
    let cause = Failure::AlertSent(AlertDescription::DECODE_ERROR);
    assert_eq!(pair[Server].events[1], Event::Failed { cause });
}

/// A pair whose side `from` can still speak in epoch 2, as what would have ended its flight there is lost.
fn pair_with_old_keys(from: Role) -> Pair {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    pair.run(ms(100), &mut |role, datagram| {
        // The ACK of a server, or the last flight of a client.
        let ends = match from {
            Client => role == Server && datagram[0] == 0x2F,
            Server => role == Client && datagram[0] == 0x2E,
        };
        match ends {
            true => Vec::new(),
            false => vec![(ms(10), datagram)],
        }
    });
    assert_eq!(pair[other(from)].events, [Event::Connected]);
    pair
}

/// What a peer with the keys may not say.
#[test]
fn errors_under_the_keys_end_it() {
    let (unexpected, undecodable) = (
        Some(AlertDescription::UNEXPECTED_MESSAGE),
        Some(AlertDescription::DECODE_ERROR),
    );
    let handshake = record::HANDSHAKE;
    let message = |kind: u8, sequence: u8, body: &[u8]| {
        let len = body.len() as u8;
        let head = [kind, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len];
        [&head[..], body].concat()
    };
    // The next message of a client is number 4 (hello, certificate, verify, finished), of a server 6.
    for (from, next) in [(Client, 4), (Server, 6)] {
        // No client says one, whatever stands in it.
        let (ticket, cut) = match from {
            Client => (unexpected, unexpected),
            Server => (None, undecodable),
        };
        for (epoch, content, payload, alert) in [
            (3, handshake, message(4, next, &TICKET), ticket),
            // It is cut, or more than one.
            (3, handshake, message(4, next, &TICKET[..13]), cut),
            (
                3,
                handshake,
                message(4, next, &[&TICKET[..], &[0]].concat()),
                cut,
            ),
            (3, handshake, message(13, next, &[0, 0, 0]), unexpected),
            (3, handshake, message(1, next, &[7; 40]), unexpected),
            (3, handshake, message(9, next, &[0]), unexpected),
            (3, handshake, message(24, next, &[2]), undecodable),
            (3, handshake, message(24, next, &[]), undecodable),
            (3, handshake, vec![24, 0, 0], undecodable),
            (2, handshake, message(24, next, &[0]), unexpected),
            (2, record::APPLICATION_DATA, vec![1], unexpected),
            (3, record::CHANGE_CIPHER_SPEC, vec![1], unexpected),
            (3, 99, vec![1], unexpected),
            (3, record::ALERT, vec![2], undecodable),
        ] {
            let mut pair = match epoch {
                2 => pair_with_old_keys(from),
                _ => pair(),
            };
            let now = pair.now;
            let speaker = &mut pair[from].connection;
            let mut record = speaker.protected(epoch, content, &payload);
            assert!(!record.is_empty(), "{from:?} {epoch}");
            pair[other(from)].handle(now, &mut record);
            let events = &pair[other(from)].events;
            match alert {
                Some(alert) => {
                    let cause = Failure::AlertSent(alert);
                    let seen = Event::Failed { cause };
                    assert_eq!(events.last(), Some(&seen), "{epoch} {content} {payload:?}");
                }
                None => {
                    assert_eq!(events.len(), 1);
                    // The ticket is acknowledged, and of no use.
                    let connection = &mut pair[other(from)].connection;
                    assert!(connection.poll_transmit(now, 1200, &mut Vec::new()));
                }
            }
        }
    }
}

/// RFC 8446 §5.1: what stands behind Finished or a key update in its record is under keys that count no more.
#[test]
fn nothing_stands_behind_a_change_of_keys() {
    // Numbers as above.
    for (from, next) in [(Client, 4), (Server, 6)] {
        let message = |kind: u8, sequence: u8, body: &[u8]| {
            let len = body.len() as u8;
            let head = [kind, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len];
            [&head[..], body].concat()
        };
        let update = |sequence| message(24, sequence, &[0]);
        let mut pair = pair();
        let now = pair.now;
        let speaker = &mut pair[from].connection;
        let both = [update(next), update(next + 1)].concat();
        let mut record = speaker.protected(3, record::HANDSHAKE, &both);
        pair[other(from)].handle(now, &mut record);
        let alert = AlertDescription::UNEXPECTED_MESSAGE;
        let cause = Failure::AlertSent(alert);
        let events = &pair[other(from)].events;
        assert_eq!(events.last(), Some(&Event::Failed { cause }), "{from:?}");
    }
}

/// RFC 8446 §5.1: the keys of the handshake say nothing behind Finished, in its record or in another.
#[test]
fn nothing_stands_behind_finished_under_its_keys() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair[Server].connection.edit = Some(Box::new(|draft| {
        let ticket = vec![0, 0, 0, 9, 0, 0, 0, 0, 1, 7, 0, 1, 1, 0, 0];
        let mut ticket = Draft::new(2, Kind::NewSessionTicket.id(), ticket);
        ticket.transcript = As::Not;
        let ends = draft.kind == Kind::Finished.id();
        std::iter::once(draft)
            .chain(ends.then_some(ticket))
            .collect()
    }));
    pair.start();
    pair.run(Duration::from_secs(5), &mut perfect());
    let cause = Failure::AlertSent(AlertDescription::UNEXPECTED_MESSAGE);
    let events = &pair[Client].events;
    assert_eq!(events.last(), Some(&Event::Failed { cause }));
}

/// RFC 9147 §5.8.4, §8: a ticket may be under way beside a key update, so under the keys before it; behind Finished, under those
/// of the handshake, it may not.
#[test]
fn a_ticket_may_stand_behind_an_update_under_the_keys_before() {
    let update: &[u8] = &[24, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 1, 0];
    let ticket = |sequence| {
        let head = [4, 0, 0, 18, 0, sequence, 0, 0, 0, 0, 0, 18];
        let body = [0, 0, 0, 9, 0, 0, 0, 0, 1, 7, 0, 4, 1, 2, 3, 4, 0, 0];
        [&head[..], &body].concat()
    };
    for (epoch, said, taken) in [
        (3, vec![update.to_vec(), ticket(7), ticket(8)], true),
        (3, vec![[update, &ticket(7)].concat()], true),
        (3, vec![ticket(7), update.to_vec()], true),
        (2, vec![ticket(6)], false),
    ] {
        let mut pair = pair();
        let now = pair.now;
        for messages in &said {
            let server = &mut pair[Server].connection;
            let mut record = server.protected(epoch, record::HANDSHAKE, messages);
            assert!(!record.is_empty());
            pair[Client].handle(now, &mut record);
            // Each is acknowledged.
            let client = &mut pair[Client].connection;
            assert!(client.poll_transmit(now, 1200, &mut Vec::new()));
        }
        assert_eq!(
            pair[Client].events.len() == 1,
            taken,
            "{:?}",
            pair[Client].events
        );
        let dropped = pair[Client].connection.stats().messages_dropped;
        assert_eq!(dropped == 0, taken);
        assert_eq!(pair[Client].connection.held_messages(), 0);
    }
}

/// A client may renew its key before it knows that its Finished came: one ACK says both.
#[test]
fn one_ack_ends_the_handshake_and_an_update() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    let mut held = Vec::new();
    let mut now = pair.now;
    for _ in 0..1_000 {
        if pair[Client].connection.is_connected() {
            break;
        }
        pair.run(ms(1), &mut perfect());
        now = pair.now;
    }
    pair[Client].connection.update_keys(false).unwrap();
    let mut datagram = Vec::new();
    while pair[Client]
        .connection
        .poll_transmit(now, 1200, &mut datagram)
    {
        held.push(std::mem::take(&mut datagram));
    }
    for mut datagram in held {
        pair[Server].handle(now, &mut datagram);
    }
    pair.run(ms(500), &mut perfect());
    assert_eq!(pair[Client].connection.epochs().0, 4);
    assert_eq!(pair[Server].connection.epochs().1, 4);
    assert_eq!(pair[Client].connection.poll_timeout(), None);
    pair.exchange();
}

/// An update whose ACKs are lost for longer than a handshake may take goes on, and so do those behind it.
#[test]
fn an_update_is_not_given_up() {
    let mut pair = pair();
    pair[Client].connection.update_keys(false).unwrap();
    pair.run(Duration::from_secs(130), &mut |from, datagram| match from {
        Client => vec![(ms(10), datagram)],
        Server => Vec::new(),
    });
    assert_eq!(pair[Client].connection.epochs().0, 3);
    pair.run(Duration::from_secs(10), &mut perfect());
    assert_eq!(pair[Client].connection.epochs().0, 4);
    pair[Client].connection.update_keys(false).unwrap();
    pair.run(Duration::from_secs(10), &mut perfect());
    assert_eq!(pair[Client].connection.epochs().0, 5);
    pair.exchange();
}

/// Seven seconds for a ticket of one byte.
const TICKET: [u8; 14] = [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0];

/// RFC 9147 §7.1: a record is acknowledged where all that it carries is kept, and not for a part of it.
#[test]
fn what_was_dropped_is_not_acknowledged() {
    let fragment = |sequence: u8| {
        let len = TICKET.len() as u8;
        [
            &[4, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len][..],
            &TICKET,
        ]
        .concat()
    };
    // The last one is far ahead of what is awaited.
    for (numbers, kept) in [(&[6, 7][..], true), (&[6, 90], false), (&[90, 6], false)] {
        let mut pair = pair();
        let now = pair.now;
        let payload: Vec<u8> = numbers.iter().flat_map(|it| fragment(*it)).collect();
        let speaker = &mut pair[Server].connection;
        let mut record = speaker.protected(3, record::HANDSHAKE, &payload);
        pair[Client].handle(now, &mut record);
        let mut answer = Vec::new();
        let answered = pair[Client]
            .connection
            .poll_transmit(now, 1200, &mut answer);
        assert_eq!(answered, kept, "{numbers:?}");
        if answered {
            let (content, payload) = pair[Server].connection.opened(now, &answer);
            assert_eq!(content, record::ACK);
            assert_eq!(Ack::parse(&payload).unwrap().numbers.len(), 1);
        }
        pair.exchange();
    }
}

/// RFC 9147 §5.8.2: payload of the server tells nothing of our Finished: only its ACK does.
#[test]
fn payload_of_the_server_is_no_ack() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    // The ACK is lost.
    pair.run(ms(60), &mut |from, datagram| match (from, datagram[0]) {
        (Server, 0x2F) => Vec::new(),
        _ => vec![(ms(10), datagram)],
    });
    pair.exchange();
    assert!(pair[Client].connection.poll_timeout().is_some());
    pair.run(Duration::from_secs(5), &mut perfect());
    assert_eq!(pair[Client].connection.stats().retransmissions, 1);
    assert_eq!(pair[Client].connection.poll_timeout(), None);
    pair.assert_connected();
}

/// What came together is handled together.
#[test]
fn messages_behind_the_handshake_do_not_wait_for_each_other() {
    let mut pair = pair();
    let now = pair.now;
    let len = TICKET.len() as u8;
    let ticket = |sequence: u8| {
        [
            &[4, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len][..],
            &TICKET,
        ]
        .concat()
    };
    let tickets = [ticket(6), ticket(7), ticket(8)].concat();
    let speaker = &mut pair[Server].connection;
    let mut record = speaker.protected(3, record::HANDSHAKE, &tickets);
    pair[Client].handle(now, &mut record);
    assert_eq!(pair[Client].connection.held_messages(), 0);
    pair.exchange();
}

/// A server is answered by the first piece of the client's last flight: it says nothing again while the rest is awaited.
#[test]
fn a_piece_of_the_answer_ends_the_servers_flight() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.room = 300;
    let (mut answered, mut pieces) = (false, 0);
    pair.start();
    pair.run(ms(2_500), &mut |from, datagram| {
        answered |= from == Server;
        let is_last = from == Client && answered && datagram[0] & 0xE0 == 0x20;
        pieces += usize::from(is_last);
        match is_last && pieces > 1 {
            true => Vec::new(),
            false => vec![(ms(10), datagram)],
        }
    });
    assert!(pieces > 1);
    assert_eq!(pair[Server].connection.stats().retransmissions, 0);
}

/// What came before its keys is opened as soon as they are there: nobody has to say it again.
#[test]
fn early_records_are_not_lost() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    let mut answers = 0;
    pair.start();
    pair.run(ms(300), &mut |from, datagram| {
        answers += usize::from(from == Server);
        // The ServerHello comes behind the rest of its flight.
        let late = from == Server && answers == 1;
        vec![(ms(if late { 30 } else { 10 }), datagram)]
    });
    assert!(answers > 1);
    pair.assert_connected();
    for end in &pair.ends {
        assert_eq!(end.connection.stats().retransmissions, 0);
    }
}

/// RFC 8446 §6: the level says nothing; what closes, closes.
#[test]
fn alerts_of_1_3() {
    for (body, over) in [
        ([1, 40], true),
        ([2, 40], true),
        ([1, 90], false),
        ([2, 90], false),
        ([1, 0], true),
        ([2, 0], true),
    ] {
        let mut pair = pair();
        let now = pair.now;
        let mut alert = pair[Client].connection.protected(3, record::ALERT, &body);
        pair[Server].handle(now, &mut alert);
        let ended = pair[Server].connection.state() != State::Connected;
        assert_eq!(ended, over, "{body:?}");
        if body[1] == 0 {
            let by = Initiator::Remote;
            assert_eq!(pair[Server].events[1], Event::Closed { by });
        }
    }
}

/// RFC 8446 §6: what has no form cannot be decoded, and a level that is none is illegal.
#[test]
fn what_is_no_alert_ends_1_3() {
    for (body, alert) in [
        (&[3, 40][..], AlertDescription::ILLEGAL_PARAMETER),
        (&[2], AlertDescription::DECODE_ERROR),
        (&[2, 40, 0], AlertDescription::DECODE_ERROR),
    ] {
        let mut pair = pair();
        let now = pair.now;
        let mut record = pair[Client].connection.protected(3, record::ALERT, body);
        pair[Server].handle(now, &mut record);
        let cause = Failure::AlertSent(alert);
        assert_eq!(pair[Server].events[1], Event::Failed { cause }, "{body:?}");
    }
}

/// In the clear nothing counts any more once keys were used: alerts, hellos, data, ACKs.
#[test]
fn the_clear_is_noise_behind_the_first_protected_record() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    let mut clear = Vec::new();
    pair.start();
    pair.run(ms(100), &mut |_, datagram| {
        if datagram[0] == record::HANDSHAKE {
            clear.push(datagram.clone());
        }
        vec![(ms(10), datagram)]
    });
    pair.assert_connected();
    for (content_type, body) in [
        (record::ALERT, &[2, 40][..]),
        (record::ALERT, &[1, 0]),
        (record::APPLICATION_DATA, b"data"),
        (record::ACK, &[0, 0]),
        (record::CHANGE_CIPHER_SPEC, &[1]),
    ] {
        let header = record::Header {
            content_type,
            version: 0xFEFD,
            epoch: 0,
            sequence: 77,
            length: 0,
        };
        clear.push(super::support::record(header, body));
    }
    let now = pair.now;
    for role in [Client, Server] {
        for datagram in &clear {
            pair[role].handle(now, &mut datagram.clone());
        }
        let connection = &mut pair[role].connection;
        assert!(!connection.poll_transmit(now, 1200, &mut Vec::new()));
        assert_eq!(connection.poll_timeout(), None);
    }
    pair.assert_connected();
}

/// Payload right behind the client's Finished is heard when that arrives, in whatever order.
#[test]
fn data_before_the_clients_finished_waits_for_it() {
    let mut pair = Pair::new(config_1_3(0), config_1_3(1));
    pair.start();
    pair.run(ms(25), &mut perfect());
    assert_eq!(pair[Client].events, [Event::Connected]);
    let now = pair.now;
    let mut early = pair[Client].seal(b"early");
    pair[Server].handle(now, &mut early);
    assert!(pair[Server].received.is_empty());
    pair.run(ms(100), &mut perfect());
    assert_eq!(pair[Server].received, [b"early"]);
    assert_eq!(pair[Server].events, [Event::Connected]);
}
