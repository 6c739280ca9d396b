//! Every message deleted, doubled, swapped, cut, emptied, in another epoch, for both versions and roles,
//! as a change that the sender knows of and as one that it does not.

use std::time::Duration;

use oxirtc_netsim::for_each_seed;

use crate::{
    AlertDescription, Config, Event, Failure, Group,
    Role::{self, Client, Server},
    State, Version,
    message::{ClientHello, Fragment},
    record::{self, Header},
    tests::{
        peer::{As, Draft, Edit, each},
        support::{Dice, Pair, VERSIONS, config_of, ms, other, perfect},
    },
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Deleted,
    Doubled,
    Swapped,
    CutByOne,
    Emptied,
    OtherEpoch,
    OtherKind,
    OneBitOff,
}

const CHANGES: [Change; 8] = [
    Change::Deleted,
    Change::Doubled,
    Change::Swapped,
    Change::CutByOne,
    Change::Emptied,
    Change::OtherEpoch,
    Change::OtherKind,
    Change::OneBitOff,
];

/// A message that one of them says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    /// Each of a kind.
    Kind(u8),
    /// A ServerHello that is a HelloRetryRequest.
    Retry,
    /// The ClientHello that answers a request for another one.
    SecondHello,
}

impl Which {
    fn kind(self) -> u8 {
        match self {
            Self::Kind(kind) => kind,
            Self::Retry => 2,
            Self::SecondHello => 1,
        }
    }
}

fn edit(which: Which, change: Change, transcript: As) -> Edit {
    let (mut held, mut hellos) = (None::<Draft>, 0);
    Box::new(move |mut draft| {
        hellos += u32::from(draft.kind == 1);
        let chosen = draft.kind == which.kind()
            && match which {
                Which::Kind(_) => true,
                Which::Retry => draft.body.get(2..6) == Some(&[0xCF, 0x21, 0xAD, 0x74]),
                Which::SecondHello => hellos == 2,
            };
        if !chosen {
            let mut out = vec![draft];
            out.extend(held.take());
            return out;
        }
        draft.transcript = transcript;
        match change {
            Change::Deleted => {
                draft.sent = false;
                match transcript {
                    As::Edited => return Vec::new(),
                    _ => return vec![draft],
                }
            }
            Change::Doubled => {
                let mut again = draft.clone();
                if transcript == As::Original {
                    again.transcript = As::Not;
                }
                return vec![draft, again];
            }
            Change::Swapped => {
                let mut first = draft.clone();
                first.sent = false;
                if transcript == As::Original {
                    draft.transcript = As::Not;
                    held = Some(draft);
                    return vec![first];
                }
                held = Some(draft);
                return Vec::new();
            }
            Change::CutByOne => drop(draft.body.pop()),
            Change::Emptied => draft.body.clear(),
            Change::OtherEpoch => draft.epoch = if draft.epoch == 0 { 2 } else { 0 },
            Change::OtherKind => draft.kind = if draft.kind == 8 { 12 } else { 8 },
            Change::OneBitOff => {
                let at = draft.body.len() / 2;
                if let Some(byte) = draft.body.get_mut(at) {
                    *byte ^= 4;
                }
            }
        }
        vec![draft]
    })
}

fn kinds(version: Version, role: Role) -> &'static [u8] {
    match (version, role) {
        (Version::Dtls12, Client) => &[1, 11, 16, 15, 20],
        (Version::Dtls12, Server) => &[2, 11, 12, 13, 14, 20],
        (_, Client) => &[1, 11, 15, 20],
        (_, Server) => &[2, 8, 13, 11, 15, 20],
    }
}

/// It ends in a correct connection, or in none on the side that had to notice; authentication is never
/// skipped.
#[test]
fn every_message_changed_in_every_way() {
    for version in VERSIONS {
        for liar in [Client, Server] {
            for kind in kinds(version, liar) {
                for change in CHANGES {
                    for transcript in [As::Edited, As::Original] {
                        play(version, liar, Which::Kind(*kind), change, transcript);
                    }
                }
            }
        }
    }
}

/// The same where a cookie is asked for: of the request, and of the hello that answers it.
#[test]
fn every_request_for_a_cookie_changed_in_every_way() {
    for (version, request) in [
        (Version::Dtls12, Which::Kind(3)),
        (Version::Dtls13, Which::Retry),
    ] {
        for (liar, which) in [(Server, request), (Client, Which::SecondHello)] {
            for change in CHANGES {
                for transcript in [As::Edited, As::Original] {
                    play(version, liar, which, change, transcript);
                }
            }
        }
    }
}

fn play(version: Version, liar: Role, which: Which, change: Change, transcript: As) {
    let name = format!("{version} {liar:?} {which:?} {change:?} {transcript:?}");
    let kind = which.kind();
    let asks = which == Which::SecondHello || which == Which::Retry || kind == 3;
    let short = |config: Config| config.handshake_timeout(Some(Duration::from_secs(20)));
    let (client, server) = (config_of(version, 0), config_of(version, 1));
    let server = server.cookie_exchange(asks);
    let mut pair = Pair::new(short(client), short(server));
    pair[liar].connection.edit = Some(edit(which, change, transcript));
    pair.start();
    pair.run(Duration::from_secs(60), &mut perfect());
    let connected = |pair: &mut Pair, role| pair[role].connection.is_connected();
    let both = connected(&mut pair, Client) && connected(&mut pair, Server);
    if both {
        pair.assert_connected();
    }
    // Some changes are none: an empty message cannot be emptied, and a bit of a hello may say nothing.
    let harmless = match change {
        Change::CutByOne | Change::Emptied | Change::OneBitOff if kind == 14 => true,
        // In 1.2 a doubled last message of a flight is a repetition.
        Change::Doubled => true,
        Change::Swapped => [14, 20].contains(&kind),
        // Of a request it is the cookie, which the server knows again.
        Change::OneBitOff => transcript == As::Edited && !(asks && liar == Server),
        _ => false,
    };
    // What may go wrong, and need not.
    assert!(both || change != Change::Doubled || !asks, "{name}");
    let victim = connected(&mut pair, other(liar));
    assert!(
        !victim || harmless && both,
        "{name}: {:?}",
        pair[other(liar)].events
    );
    for end in &pair.ends {
        assert!(end.received.is_empty(), "{name}");
        let ended = |event: &Event| *event != Event::Connected;
        let failed = end.events.iter().any(ended);
        assert!(
            failed || both || end.connection.state() == State::New,
            "{name}: nobody waits for ever, {:?}",
            end.events
        );
    }
}

/// And of a key update: it ends in new keys, in the old ones, or in the alert that fits.
#[test]
fn every_key_update_changed_in_every_way() {
    use AlertDescription as A;

    for liar in [Client, Server] {
        for (change, alert) in [
            (Change::Deleted, None),
            (Change::Swapped, None),
            // In the clear nobody hears it.
            (Change::OtherEpoch, None),
            (Change::Doubled, Some(A::UNEXPECTED_MESSAGE)),
            (Change::OtherKind, Some(A::UNEXPECTED_MESSAGE)),
            (Change::CutByOne, Some(A::DECODE_ERROR)),
            (Change::Emptied, Some(A::DECODE_ERROR)),
            (Change::OneBitOff, Some(A::DECODE_ERROR)),
        ] {
            let mut pair = Pair::new(config_of(Version::Dtls13, 0), config_of(Version::Dtls13, 1));
            pair.connect();
            pair.run(ms(100), &mut perfect());
            let speaker = &mut pair[liar].connection;
            speaker.edit = Some(edit(Which::Kind(24), change, As::Edited));
            speaker.update_keys(true).unwrap();
            pair.run(Duration::from_secs(10), &mut perfect());
            let (speaker, judge) = (liar, other(liar));
            match alert {
                None => {
                    assert_eq!(pair[speaker].connection.epochs(), (3, 3), "{change:?}");
                    assert_eq!(pair[judge].connection.epochs(), (3, 3), "{change:?}");
                    pair.assert_connected();
                }
                Some(alert) => {
                    let failed = |cause| [Event::Connected, Event::Failed { cause }];
                    let sent = failed(Failure::AlertSent(alert));
                    assert_eq!(pair[judge].events, sent, "{change:?} {liar:?}");
                    let received = failed(Failure::AlertReceived(alert));
                    assert_eq!(pair[speaker].events, received, "{change:?} {liar:?}");
                }
            }
        }
    }
}

/// Each handshake record becomes one record a byte, backwards: in the clear, where the network can do it.
#[test]
fn hellos_in_single_bytes_backwards() {
    for (version, asks) in VERSIONS
        .into_iter()
        .flat_map(|version| [(version, false), (version, true)])
    {
        let server = config_of(version, 1).cookie_exchange(asks);
        let mut pair = Pair::new(config_of(version, 0), server);
        let mut number = 0;
        pair.start();
        pair.run(Duration::from_secs(60), &mut |_, mut datagram| {
            let (mut pieces, mut rest) = (Vec::new(), &mut datagram[..]);
            while !rest.is_empty() {
                let clear = Header::parse(rest).filter(|header| header.epoch == 0);
                let Some((raw, tail)) = record::split(rest) else {
                    break;
                };
                let bytes = raw.to_vec();
                rest = tail;
                let Some(header) = clear.filter(|it| it.content_type == record::HANDSHAKE) else {
                    pieces.push(bytes);
                    continue;
                };
                let (fragment, _) = Fragment::parse(&bytes[record::HEADER_LEN..]).unwrap();
                if fragment.body.is_empty() {
                    pieces.push(bytes.clone());
                }
                for at in 0..fragment.body.len() {
                    let mut body = Vec::new();
                    let piece = Fragment {
                        offset: fragment.offset + at,
                        body: &fragment.body[at..=at],
                        ..fragment
                    };
                    piece.write(&mut body);
                    number += 1;
                    let header = Header {
                        sequence: number,
                        ..header
                    };
                    pieces.push(super::support::record(header, &body));
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
}

/// The same of what is under keys: the datagrams of these peers have room for one byte of a message.
#[test]
fn sealed_messages_in_single_bytes_backwards() {
    for (version, room) in [(Version::Dtls12, 50), (Version::Dtls13, 35)] {
        let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
        pair.room = room;
        let (mut backwards, mut sealed) = (backwards(), 0);
        pair.start();
        pair.run(Duration::from_secs(60), &mut |role, datagram| {
            let clear = Header::parse(&datagram).is_some_and(|header| header.epoch == 0);
            sealed += u32::from(!clear && datagram.len() == room);
            backwards(role, datagram)
        });
        pair.assert_connected();
        // Finished of both in 1.2; beside it, in 1.3, certificates and signatures.
        let least = if version == Version::Dtls12 {
            24
        } else {
            1_000
        };
        assert!(sealed >= least, "{version}: {sealed}");
    }
}

/// A ClientHello is as long as it likes, in datagrams of any room, and so is the second one behind a HelloRetryRequest.
#[test]
fn hellos_of_any_size_backwards() {
    let both = [Version::Dtls13, Version::Dtls12];
    for (room, len) in [300, 1_200, 1_500]
        .into_iter()
        .flat_map(|room| [1, 1_200, 4_000, 14_000].map(|len| (room, len)))
    {
        for (version, groups) in [
            (Version::Dtls13, &Group::ALL[..]),
            (Version::Dtls13, &[Group::P384]),
            (Version::Dtls12, &Group::ALL),
        ] {
            let server = config_of(version, 1)
                .groups(groups)
                .cookie_exchange(len == 1);
            let mut pair = Pair::new(config_of(version, 0).versions(&both), server);
            pair.room = room;
            pair[Client].connection.edit = Some(longer(len));
            pair.start();
            pair.run(Duration::from_secs(60), &mut backwards());
            let name = format!("{version}, {len} bytes in datagrams of {room}");
            assert_eq!(pair[Server].events, [Event::Connected], "{name}");
            pair.assert_connected();
        }
    }
}

/// The same in any order, in datagrams whose room changes with each of them, between 300 and 1500 bytes.
#[test]
fn hellos_of_any_size_in_any_order() {
    for_each_seed(60, |seed| {
        let mut dice = Dice::new(seed);
        let version = VERSIONS[dice.roll(2) as usize];
        let groups = [&Group::ALL[..], &[Group::P384]][dice.roll(2) as usize];
        let server = config_of(version, 1)
            .groups(groups)
            .cookie_exchange(dice.roll(2) == 0);
        let mut pair = Pair::new(
            config_of(version, 0).versions(&[Version::Dtls13, Version::Dtls12]),
            server,
        );
        let len = dice.roll(14_000) as usize;
        pair[Client].connection.edit = Some(longer(len));
        pair.start();
        for _ in 0..40 {
            pair.room = 300 + dice.roll(1_201) as usize;
            pair.run(ms(20), &mut |_, datagram| {
                vec![(ms(1 + dice.roll(60)), datagram)]
            });
        }
        pair.run(Duration::from_secs(60), &mut perfect());
        pair.assert_connected();
    });
}

/// A hello with so many bytes in an extension that nobody knows.
fn longer(len: usize) -> Edit {
    each(1, move |draft| {
        let body = draft.body.clone();
        let mut hello = ClientHello::parse(&body).unwrap();
        hello.extensions.push(0x4A4A, vec![0; len]);
        draft.body.clear();
        hello.write(&mut draft.body);
    })
}

/// What leaves last of a flight comes first.
fn backwards() -> impl FnMut(Role, Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
    let (mut last, mut count) = (None, 0);
    move |role, datagram| {
        count = if last == Some(role) { count + 1 } else { 0 };
        last = Some(role);
        let delay = Duration::from_micros(800_000_u64.saturating_sub(200 * count));
        vec![(delay, datagram)]
    }
}
