//! Streams that are reset, used again and added (RFC 6525), and who has their turn.

mod support;

use std::time::Duration;

use oxirtc_netsim::{Link, for_each_seed, percent};
use oxirtc_sctp::{
    Config, Error, Event, SendOptions,
    packet::{Chunk, ChunkKind, Data, Packet, Reconfig, Request},
};

use support::{Sides, ms, perfect};

/// A stream that the peer turns out not to have is refused, and takes no other with it.
#[test]
fn a_reset_from_before_the_beginning_reaches_the_streams_that_there_are() {
    let link = Link::new(1).delay(ms(10));
    let few = Config::default().streams(10, 10);
    let mut pair = support::pair_with(1, link, Config::default(), few);
    pair.say(0, 5, b"x");
    // Two of them could go at once.
    pair.ends[0].reset_streams(pair.now, &[5, 6, 300]).unwrap();
    for side in &mut pair.ends {
        side.connect(pair.now);
    }
    pair.run_for(Duration::from_secs(2));
    let mut events = pair.main_events(0);
    events.retain(|event| *event != Event::Connected);
    let refused = Event::OutgoingResetDenied { stream: 300 };
    let done = |stream| Event::OutgoingReset { stream };
    assert_eq!(events, [refused, done(6), done(5)]);
    let mut resets = pair.main_events(1);
    resets.retain(|event| matches!(event, Event::IncomingReset { .. }));
    assert_eq!(resets, [5, 6].map(|stream| Event::IncomingReset { stream }));
}

#[test]
fn a_stream_is_reset_after_its_data_and_used_again() {
    for_each_seed(30, |seed| {
        let link = Link::new(seed)
            .delay(ms(20))
            .loss(percent((seed % 3 * 10) as u32));
        let mut pair = support::pair(seed, link).connected();
        for life in 0..4u8 {
            for index in 0..10u8 {
                pair.say(0, 7, vec![life * 10 + index; 3000]);
            }
            pair.ends[0].reset_streams(pair.now, &[7]).unwrap();
            let refused = pair.ends[0].send(pair.now, 7, 51, "x".into(), SendOptions::default());
            assert_eq!(refused, Err(Error::StreamResetting { stream: 7 }));
            let mut events = Vec::new();
            let mut told = false;
            let done = pair.try_until(Duration::from_secs(300), |pair| {
                events.extend(pair.main_events(1));
                told |= pair
                    .main_events(0)
                    .contains(&Event::OutgoingReset { stream: 7 });
                told && events.contains(&Event::IncomingReset { stream: 7 })
            });
            assert!(done, "seed {seed}: {events:?}");
            let messages = pair.read_all(1, 7);
            let firsts = Vec::from_iter(messages.iter().map(|message| message.payload[0]));
            assert_eq!(firsts, Vec::from_iter(life * 10..life * 10 + 10));
        }
    });
}

/// As many as its answer may cost.
#[test]
fn several_streams_go_in_one_request() {
    let mut pair = perfect(1).connected();
    for stream in 0..600 {
        pair.say(0, stream, b"x");
        pair.say(1, stream, b"x");
    }
    pair.run_for(ms(500));
    pair.events(0);
    pair.events(1);
    pair.keep();
    let streams = Vec::from_iter(0..600);
    pair.ends[0].reset_streams(pair.now, &streams).unwrap();
    pair.ends[1].reset_streams(pair.now, &streams).unwrap();
    pair.run_for(ms(500));
    for side in 0..2 {
        let events = pair.events(side);
        let outgoing = events
            .iter()
            .filter(|e| matches!(e, Event::OutgoingReset { .. }))
            .count();
        let incoming = events
            .iter()
            .filter(|e| matches!(e, Event::IncomingReset { .. }))
            .count();
        assert_eq!((outgoing, incoming), (600, 600));
    }
    let mut asked = [const { Vec::new() }; 2];
    for (side, packet) in pair.kept() {
        for chunk in Packet::parse_unsummed(&packet).unwrap().chunks() {
            let reconfig = Reconfig::parse(chunk.value);
            let reconfig = reconfig.filter(|_| chunk.kind == ChunkKind::RECONFIG);
            for request in reconfig.iter().flat_map(|it| it.requests()) {
                if let Some(Request::OutgoingReset { streams, .. }) = request {
                    asked[side].push(streams.len() / 2);
                }
            }
        }
    }
    assert_eq!(asked, [[256, 256, 88]; 2]);
}

#[test]
fn streams_can_be_added() {
    let config = || Config::default().streams(10, 20);
    let mut pair = support::pair_with(1, Link::new(1), config(), config()).connected();
    assert_eq!(pair.ends[0].outbound_streams(), 10);
    let outside = pair.ends[0].send(pair.now, 10, 51, "x".into(), SendOptions::default());
    assert_eq!(
        outside,
        Err(Error::InvalidStream {
            stream: 10,
            limit: 10
        })
    );
    pair.ends[0].add_streams(pair.now, 5).unwrap();
    pair.run_for(ms(100));
    let (outbound, inbound) = (15, 10);
    assert_eq!(
        pair.main_events(0),
        [Event::StreamsAdded { outbound, inbound }]
    );
    let (outbound, inbound) = (10, 15);
    assert_eq!(
        pair.main_events(1),
        [Event::StreamsAdded { outbound, inbound }]
    );
    pair.say(0, 14, b"x");
    pair.run_for(ms(100));
    assert_eq!(pair.read_all(1, 14).len(), 1);
    let error = Error::InvalidStream {
        stream: 65535,
        limit: 65535,
    };
    assert_eq!(pair.ends[0].add_streams(pair.now, 65535), Err(error));
}

#[test]
fn a_reset_ends_what_is_read_until_none() {
    let mut pair = perfect(2).connected();
    pair.say(0, 3, b"old");
    pair.ends[0].reset_streams(pair.now, &[3]).unwrap();
    pair.run_for(ms(500));
    pair.say(0, 3, b"new");
    pair.run_for(ms(500));
    assert_eq!(pair.read_all(1, 3)[0].payload, "old");
    let messages = pair.read_all(1, 3);
    assert_eq!((messages.len(), &messages[0].payload[..]), (1, &b"new"[..]));
}

#[test]
fn a_peer_without_reconfiguration_is_no_obstacle() {
    let config = Config::default().streams(100, 100);
    let mut pair = support::pair_with(3, Link::new(3), config, Config::default());
    // An INIT without extensions, and what follows from it.
    let init = oxirtc_sctp::packet::Init {
        tag: 5,
        window: 100_000,
        outbound: 100,
        inbound: 100,
        initial_tsn: oxirtc_sctp::Tsn(1),
        parameters: &[],
    };
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, 0);
    init.write(ChunkKind::INIT, &mut buf);
    Packet::finish(&mut buf, 0);
    pair.ends[0].handle_packet(pair.now, &buf);
    let answer = pair.take_packets(0);
    let answer = Packet::parse_unsummed(&answer[0])
        .unwrap()
        .chunks()
        .next()
        .unwrap();
    let answer = oxirtc_sctp::packet::Init::parse(answer.value).unwrap();
    let value = answer.parameters().next().unwrap().value;
    let mut echo = Vec::new();
    Packet::start(&mut echo, 5000, 5000, answer.tag);
    let (kind, flags) = (ChunkKind::COOKIE_ECHO, 0);
    Chunk { kind, flags, value }.write(&mut echo);
    Packet::finish(&mut echo, 0);
    pair.ends[0].reset_streams(pair.now, &[2]).unwrap();
    pair.ends[0].add_streams(pair.now, 5).unwrap();
    pair.ends[0].handle_packet(pair.now, &echo);
    assert_eq!(
        pair.main_events(0),
        [
            Event::Connected,
            Event::OutgoingResetDenied { stream: 2 },
            Event::StreamsDenied { count: 5 },
        ]
    );
    let refused = pair.ends[0].reset_streams(pair.now, &[1]);
    assert_eq!(refused, Err(Error::ReconfigurationUnsupported));
    pair.say(0, 2, b"goes on");
    let packets = pair.take_packets(0);
    let mut kinds = Vec::new();
    for packet in &packets {
        let packet = Packet::parse_unsummed(packet).unwrap();
        kinds.extend(packet.chunks().map(|it| it.kind));
    }
    assert!(kinds.contains(&ChunkKind::DATA));
    assert!(!kinds.contains(&ChunkKind::RECONFIG), "{kinds:?}");
}

/// RFC 9260 §5.1.1: each direction has as many streams as the one that knows fewer of them, whoever says so first.
#[test]
fn the_fewest_streams_count() {
    for (first, second, there, back) in [((10, 20), (30, 5), 5, 20), ((5, 30), (20, 10), 5, 20)] {
        for opens in 0..2 {
            let config = |(outbound, inbound)| Config::default().streams(outbound, inbound);
            let (link, first, second) = (Link::new(1), config(first), config(second));
            let mut pair = support::pair_with(1, link, first, second);
            let now = pair.now;
            pair.ends[opens].connect(now);
            pair.run_for(Duration::from_secs(1));
            let streams = pair.ends.each_ref();
            let streams = streams.map(|it| (it.outbound_streams(), it.inbound_streams()));
            assert_eq!(streams, [(there, back), (back, there)], "{opens}");
        }
    }
}

/// One message at a time, each stream in turn; a double priority has two turns.
#[test]
fn streams_take_turns() {
    let mut pair = perfect(4).connected();
    pair.ends[0].set_priority(2, 512);
    pair.keep();
    for _ in 0..30 {
        for stream in 0..3 {
            pair.say(0, stream, [1; 500]);
        }
    }
    pair.run_for(Duration::from_secs(3));
    let mut order = Vec::new();
    for (side, packet) in pair.kept() {
        let packet = Packet::parse_unsummed(&packet).unwrap();
        for chunk in packet
            .chunks()
            .filter(|c| side == 0 && c.kind == ChunkKind::DATA)
        {
            order.push(Data::parse(chunk).unwrap().stream);
        }
    }
    let first = &order[..40];
    let count = |stream| first.iter().filter(|s| **s == stream).count();
    assert_eq!((count(0), count(1), count(2)), (10, 10, 20));
}

/// Known failure 35: streams that are not used cost nothing; those that were used and are read cost two bytes.
#[test]
fn many_streams_work() {
    let mut pair = perfect(5).connected();
    for stream in (0..65535).step_by(13) {
        pair.say(0, stream, b"x");
    }
    pair.run_for(Duration::from_secs(10));
    for stream in (0..65535).step_by(13) {
        assert_eq!(pair.read_all(1, stream).len(), 1);
    }
}

/// The last chunk of a stream that is being reset asks for its SACK at once (RFC 9260 §3.3.1): the peer has the data in the
/// same round trip as the request.
#[test]
fn the_last_chunk_before_a_reset_is_acknowledged_at_once() {
    for resets in [false, true] {
        let mut pair = perfect(1).connected();
        pair.keep();
        let start = pair.now;
        pair.say(0, 7, b"one");
        pair.say(0, 7, b"last");
        if resets {
            pair.ends[0].reset_streams(pair.now, &[7]).unwrap();
            pair.run_until(ms(199), |pair| {
                pair.main_events(0)
                    .contains(&Event::OutgoingReset { stream: 7 })
            });
            assert_eq!(pair.now - start, ms(20), "a round trip");
            assert_eq!(pair.ends[0].unacknowledged(7), 0);
        }
        pair.run_for(ms(500));
        let mut asks = Vec::new();
        for (side, packet) in pair.kept() {
            for chunk in Packet::parse_unsummed(&packet).unwrap().chunks() {
                if side == 0 && chunk.kind == ChunkKind::DATA {
                    asks.push(chunk.flags & Data::IMMEDIATE != 0);
                }
            }
        }
        assert_eq!(asks, [false, resets]);
    }
}

/// RFC 6525 §5.2.2: a stream may live and end without data; each of its resets is performed and told.
#[test]
fn a_second_reset_without_data_is_performed() {
    // Many are reset in steps.
    for count in [1, 100] {
        let mut pair = perfect(1).connected();
        let streams = Vec::from_iter(7..7 + count);
        for _ in 0..3 {
            pair.ends[0].reset_streams(pair.now, &streams).unwrap();
            pair.run_for(ms(500));
            let outgoing = streams
                .iter()
                .map(|it| Event::OutgoingReset { stream: *it });
            assert!(outgoing.eq(pair.main_events(0)), "{count}");
            let incoming = streams
                .iter()
                .map(|it| Event::IncomingReset { stream: *it });
            assert!(incoming.eq(pair.main_events(1)), "{count}");
        }
    }
}
