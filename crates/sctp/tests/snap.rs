//! Setting up by signalling (draft-hancke-tsvwg-snap): no handshake, and what cannot be used changes nothing.

mod support;

use std::time::Duration;

use oxirtc_netsim::Link;
use oxirtc_sctp::{
    Config, Event, State, Tsn,
    packet::{Chunk, ChunkKind, Init, Packet, Parameter, ParameterKind},
};
use support::{Pair, Sides, ms, pattern};

fn pair() -> Pair {
    let config = Config::default();
    let mut pair = support::pair_with(5, Link::new(5).delay(ms(50)), config.clone(), config);
    pair.keep();
    pair
}

/// Each end has the other's INIT.
fn snapped(pair: &mut Pair) {
    let inits = pair.ends.each_ref().map(|it| it.local_init());
    let [first, second] = inits;
    assert!(pair.ends[0].connect_with(pair.now, &second));
    assert!(pair.ends[1].connect_with(pair.now, &first));
}

/// When the first message of the first side has come, since it was sent.
fn first_message(pair: &mut Pair) -> Duration {
    pair.say(0, 1, pattern(100, 1));
    let start = pair.now;
    let came = pair.try_until(Duration::from_secs(10), |pair| {
        pair.ends[1].peek(1).is_some()
    });
    assert!(came);
    pair.now - start
}

#[test]
fn the_first_packet_carries_data() {
    let mut pair = pair();
    snapped(&mut pair);
    assert_eq!(
        pair.ends.each_ref().map(|it| it.state()),
        [State::Established; 2]
    );
    assert_eq!(
        (pair.main_events(0), pair.main_events(1)),
        (vec![Event::Connected], vec![Event::Connected])
    );
    assert_eq!(first_message(&mut pair), ms(50));
    pair.run_for(Duration::from_secs(1));
    // Not one chunk of a handshake.
    for (_, packet) in pair.kept() {
        let packet = Packet::parse_unsummed(&packet).unwrap();
        assert!(
            packet
                .chunks()
                .all(|it| matches!(it.kind, ChunkKind::DATA | ChunkKind::SACK))
        );
    }
    // With a handshake the same takes two round trips more.
    let mut other = self::pair();
    for side in &mut other.ends {
        side.connect(other.now);
    }
    other.say(0, 1, pattern(100, 1));
    let came = other.try_until(Duration::from_secs(10), |pair| {
        pair.ends[1].peek(1).is_some()
    });
    assert!(came && other.now - oxirtc_netsim::epoch() >= ms(150));
}

/// What a handshake would have agreed on holds as well.
#[test]
fn all_that_a_handshake_agrees_on_is_agreed_on() {
    let few = Config::default().streams(10, 20).receive_window(300_000);
    let many = Config::default().streams(30, 5).zero_checksum(false);
    let mut pair = support::pair_with(5, Link::new(5).delay(ms(5)), few, many);
    pair.keep();
    snapped(&mut pair);
    assert_eq!(
        (
            pair.ends[0].outbound_streams(),
            pair.ends[0].inbound_streams()
        ),
        (5, 20)
    );
    assert_eq!(
        (
            pair.ends[1].outbound_streams(),
            pair.ends[1].inbound_streams()
        ),
        (20, 5)
    );
    let window = pair.ends[0].stats().receive_window;
    assert_eq!(pair.ends[1].stats().peer_window, window);
    // One of them needs checksums, so all packets to it have them.
    pair.say(0, 1, pattern(100_000, 1));
    pair.say(1, 1, pattern(100_000, 2));
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.read_all(1, 1)[0].payload, pattern(100_000, 1));
    assert_eq!(pair.read_all(0, 1)[0].payload, pattern(100_000, 2));
    assert!(
        pair.kept()
            .iter()
            .all(|(_, packet)| Packet::parse(packet).is_ok())
    );
    // Resets and ends work from the same numbers.
    pair.ends[0].reset_streams(pair.now, &[1]).unwrap();
    pair.run_for(ms(100));
    assert!(pair.events(1).contains(&Event::IncomingReset { stream: 1 }));
    pair.ends[1].shutdown(pair.now);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(
        pair.ends.each_ref().map(|it| it.state()),
        [State::Closed; 2]
    );
}

#[test]
fn what_could_not_open_an_association_does_not() {
    let good = pair().ends[1].local_init();
    let init = |tag, window, outbound, inbound, parameters: &[u8]| {
        let mut buf = Vec::new();
        let initial_tsn = Tsn(9);
        let init = Init {
            tag,
            window,
            outbound,
            inbound,
            initial_tsn,
            parameters,
        };
        init.write(ChunkKind::INIT, &mut buf);
        buf
    };
    let mut host = Vec::new();
    let (kind, value) = (ParameterKind::HOST_NAME, &b"a.example\0"[..]);
    Parameter { kind, value }.write(&mut host);
    let mut answer = good.clone();
    answer[0] = ChunkKind::INIT_ACK.0;
    let mut twice = good.clone();
    twice.extend_from_slice(&good);
    let mut long = good.clone();
    long[3] += 4;
    let bad = [
        Vec::new(),
        vec![1],
        good[..good.len() - 5].to_vec(),
        good[..16].to_vec(),
        answer,
        twice,
        long,
        init(0, 100_000, 10, 10, &[]),
        init(7, 1499, 10, 10, &[]),
        init(7, 100_000, 0, 10, &[]),
        init(7, 100_000, 10, 0, &[]),
        init(7, 100_000, 10, 10, &host),
    ];
    for bad in bad {
        let mut pair = pair();
        assert!(!pair.ends[0].connect_with(pair.now, &bad), "{bad:02x?}");
        assert_eq!(pair.ends[0].state(), State::Closed);
        // The handshake is as it always was.
        pair.connected();
    }
    assert_eq!(Chunk::parse(&good).unwrap().kind, ChunkKind::INIT);
    // It begins once, whichever way.
    let mut pair = pair();
    pair.ends[0].connect(pair.now);
    assert!(!pair.ends[0].connect_with(pair.now, &good));
    pair.ends[1].abort(pair.now, "");
    assert!(!pair.ends[1].connect_with(pair.now, &good));
}

/// One end has taken the other's INIT, the other could not, and wants a handshake: it gets one.
#[test]
fn an_end_that_could_not_read_the_other_connects_all_the_same() {
    let mut pair = pair();
    let init = pair.ends[1].local_init();
    assert!(pair.ends[0].connect_with(pair.now, &init));
    pair.say(0, 1, pattern(100, 1));
    assert!(!pair.ends[1].connect_with(pair.now, b"?"));
    pair.ends[1].connect(pair.now);
    let both = |pair: &mut Pair| pair.ends.iter().all(|it| it.is_established());
    assert!(pair.try_until(Duration::from_secs(10), both));
    pair.run_for(Duration::from_secs(1));
    assert!(pair.main_events(0).contains(&Event::Restarted));
    pair.say(0, 1, pattern(100, 2));
    pair.say(1, 1, pattern(100, 3));
    pair.run_for(Duration::from_secs(5));
    let last = |mut all: Vec<oxirtc_sctp::Message>| all.pop().unwrap().payload;
    assert_eq!(last(pair.read_all(1, 1)), pattern(100, 2));
    assert_eq!(last(pair.read_all(0, 1)), pattern(100, 3));
}

/// As Chromium 156 has it in its offers under the trial of that name.
#[test]
fn a_recorded_init_is_taken() {
    let recorded = [
        0x01, 0x00, 0x00, 0x20, 0x66, 0xe1, 0xa0, 0xe0, 0x00, 0x50, 0x00, 0x00, 0xff, 0xff, 0xff,
        0xff, 0xc2, 0xe4, 0x96, 0x6e, 0xc0, 0x00, 0x00, 0x04, 0x80, 0x08, 0x00, 0x08, 0x82, 0xc0,
        0x40, 0xc2,
    ];
    let mut pair = pair();
    assert!(pair.ends[0].connect_with(pair.now, &recorded));
    let side = &pair.ends[0];
    assert_eq!(
        (side.outbound_streams(), side.inbound_streams()),
        (65_535, 65_535)
    );
    assert_eq!(side.stats().peer_window, 5 << 20);
    pair.say(0, 1, pattern(10, 1));
    let packets = pair.take_packets(0);
    // It does not say that it does without checksums.
    assert_eq!(Packet::parse(&packets[0]).unwrap().tag, 0x66e1_a0e0);
}

/// Who set up by a handshake before the descriptions came is not there any more: the echo of his cookie comes too late.
#[test]
fn an_echo_from_before_opens_nothing() {
    let mut pair = pair();
    pair.ends[1].connect(pair.now);
    let hand = |pair: &mut Pair, to: usize, packets: Vec<Vec<u8>>| {
        for packet in packets {
            pair.ends[to].handle_packet(pair.now, &packet);
        }
    };
    for from in [1, 0] {
        let packets = pair.take_packets(from);
        hand(&mut pair, 1 - from, packets);
    }
    let echo = pair.take_packets(1);
    pair.now += ms(100);
    let config = Config::default();
    pair.ends[1] = support::association(config, 1001, pair.now).into();
    snapped(&mut pair);
    hand(&mut pair, 0, echo);
    assert_eq!(pair.main_events(0), [Event::Connected]);
    assert_eq!(first_message(&mut pair), ms(50));
}
