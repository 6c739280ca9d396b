//! Streams that are reset, used again and added (RFC 6525), and who has their turn.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::time::Duration;

use oxirtc_netsim::{Link, for_each_seed, percent};
use oxirtc_sctp::{
    Config, Error, Event, SendOptions,
    packet::{Chunk, ChunkKind, Data, Packet, Reconfig, Request, ResetResult},
};

use support::{Pair, Sides, ms, perfect};

fn request_packet(tag: u32, request: Request<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, tag);
    Reconfig::write(&mut buf, std::iter::once(request));
    Packet::finish(&mut buf, 0);
    buf
}

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
    assert_eq!(
        pair.main_events(1).last(),
        Some(&Event::IncomingReset { stream: 5 })
    );
}

fn responses(packets: &[Vec<u8>]) -> Vec<ResetResult> {
    let mut results = Vec::new();
    for packet in packets {
        for chunk in Packet::parse_unsummed(packet).unwrap().chunks() {
            let reconfig =
                Reconfig::parse(chunk.value).filter(|_| chunk.kind == ChunkKind::RECONFIG);
            for request in reconfig.iter().flat_map(|r| r.requests()) {
                if let Some(Request::Response { result, .. }) = request {
                    results.push(result);
                }
            }
        }
    }
    results
}

/// The tag, and the request number that the side expects, of packets to `side`.
fn link_to(pair: &mut Pair, side: usize) -> (u32, u32, u32) {
    pair.say(1 - side, 60, b"x");
    let packets = pair.take_packets(1 - side);
    let packet = Packet::parse_unsummed(&packets[0]).unwrap();
    let chunk = packet.chunks().find(|c| c.kind == ChunkKind::DATA).unwrap();
    let tsn = Data::parse(chunk).unwrap().tsn.0;
    for packet in packets {
        pair.ends[side].handle_packet(pair.now, &packet);
    }
    pair.take_packets(side);
    (packet_tag(pair, 1 - side), tsn, tsn)
}

fn packet_tag(pair: &mut Pair, from: usize) -> u32 {
    pair.say(from, 61, b"y");
    let packets = pair.take_packets(from);
    Packet::parse_unsummed(&packets[0]).unwrap().tag
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

#[test]
fn several_streams_go_in_one_request() {
    let mut pair = perfect(1).connected();
    for stream in 0..200 {
        pair.say(0, stream, b"x");
        pair.say(1, stream, b"x");
    }
    pair.run_for(ms(500));
    pair.events(0);
    pair.events(1);
    pair.keep();
    let streams = Vec::from_iter(0..200);
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
        assert_eq!((outgoing, incoming), (200, 200));
    }
    assert!(pair.kept().len() < 20);
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

/// RFC 6525 §5.2.1: each request once, however often it comes; a wrong number is refused.
#[test]
fn requests_are_answered_once_each() {
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    let mut ask = |request| {
        let packet = request_packet(tag, request);
        pair.ends[1].handle_packet(pair.now, &packet);
        responses(&pair.take_packets(1))
    };
    let reset = |sequence, last: u32| Request::OutgoingReset {
        sequence,
        response_sequence: 0,
        last_tsn: oxirtc_sctp::Tsn(last),
        streams: &[0, 9],
    };
    let performed = [ResetResult::PERFORMED];
    assert_eq!(ask(reset(first, last)), performed);
    assert_eq!(ask(reset(first, last)), performed);
    assert_eq!(
        ask(reset(first.wrapping_add(5), last)),
        [ResetResult::BAD_SEQUENCE_NUMBER]
    );
    let denied = [ResetResult::DENIED];
    let sequence = first.wrapping_add(1);
    assert_eq!(
        ask(Request::IncomingReset {
            sequence,
            streams: &[]
        }),
        denied
    );
    let sequence = first.wrapping_add(2);
    assert_eq!(ask(Request::TsnReset { sequence }), denied);
    let sequence = first.wrapping_add(3);
    assert_eq!(ask(Request::AddOutgoing { sequence, count: 1 }), denied);
    // Data that has not come yet: in progress, also when it is asked anew under another number.
    let ahead = last.wrapping_add(2);
    assert_eq!(
        ask(reset(first.wrapping_add(4), ahead)),
        [ResetResult::IN_PROGRESS]
    );
    assert_eq!(
        ask(reset(first.wrapping_add(4), ahead)),
        [ResetResult::IN_PROGRESS]
    );
    assert_eq!(
        ask(reset(first.wrapping_add(5), ahead)),
        [ResetResult::IN_PROGRESS]
    );
    let other = ask(reset(first.wrapping_add(6), ahead.wrapping_add(1)));
    assert_eq!(other, [ResetResult::ALREADY_IN_PROGRESS]);
    let events = pair.main_events(1);
    let resets = events
        .iter()
        .filter(|e| matches!(e, Event::IncomingReset { .. }))
        .count();
    assert_eq!(resets, 1, "{events:?}");
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
        [Event::Connected, Event::OutgoingResetDenied { stream: 2 }]
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

/// Asks for the reset of stream 7, and answers by hand: the number that the association gave its request.
struct Asking {
    pair: Pair,
    tag: u32,
}

impl Asking {
    fn new() -> Self {
        let mut pair = perfect(1).connected();
        let (tag, ..) = link_to(&mut pair, 0);
        pair.main_events(0);
        pair.ends[0].reset_streams(pair.now, &[7]).unwrap();
        Self { pair, tag }
    }

    /// The numbers of the requests that are sent now.
    fn requests(&mut self) -> Vec<u32> {
        let mut numbers = Vec::new();
        for packet in self.pair.take_packets(0) {
            for chunk in Packet::parse_unsummed(&packet).unwrap().chunks() {
                let reconfig = (chunk.kind == ChunkKind::RECONFIG)
                    .then(|| Reconfig::parse(chunk.value))
                    .flatten();
                for request in reconfig.iter().flat_map(|it| it.requests()) {
                    if let Some(Request::OutgoingReset { sequence, .. }) = request {
                        numbers.push(sequence);
                    }
                }
            }
        }
        numbers
    }

    fn answer(&mut self, sequence: u32, result: ResetResult) -> Vec<Event> {
        let packet = request_packet(self.tag, Request::Response { sequence, result });
        self.pair.ends[0].handle_packet(self.pair.now, &packet);
        self.pair.main_events(0)
    }

    /// What is asked in so long, while each request has this answer; how often.
    fn ask_on(&mut self, time: Duration, result: ResetResult) -> Vec<u32> {
        let end = self.pair.now + time;
        let mut asked = Vec::new();
        loop {
            for number in self.requests() {
                assert_eq!(self.answer(number, result), []);
                asked.push(number);
            }
            let next = self.pair.ends[0].poll_timeout();
            let Some(at) = next.filter(|at| *at <= end) else {
                return asked;
            };
            self.pair.now = at;
            self.pair.ends[0].handle_timeout(at);
        }
    }
}

/// RFC 6525 §5.2.7: what each answer means, and that only the request's own counts.
#[test]
fn an_answer_says_what_became_of_a_request() {
    let done = Event::OutgoingReset { stream: 7 };
    let denied = Event::OutgoingResetDenied { stream: 7 };
    for (result, event) in [
        (ResetResult::PERFORMED, &done),
        (ResetResult::NOTHING_TO_DO, &done),
        (ResetResult::DENIED, &denied),
        (ResetResult::WRONG_SSN, &denied),
        (ResetResult::BAD_SEQUENCE_NUMBER, &denied),
    ] {
        let mut asking = Asking::new();
        let [number] = asking.requests()[..] else {
            panic!("one request");
        };
        for other in [number.wrapping_sub(1), number.wrapping_add(1)] {
            assert_eq!(asking.answer(other, result), [], "{result:?}");
        }
        assert_eq!(asking.answer(number, result), [*event], "{result:?}");
        assert_eq!(asking.answer(number, result), [], "once");
        // Either way the stream can be used.
        asking.pair.say(0, 7, b"again");
    }
}

/// RFC 6525 §5.2.7: while the peer is on it, the same is asked after each timeout, which does not double; when something else
/// stands in the way, under a new number.
#[test]
fn a_request_that_has_to_wait_is_asked_again() {
    let mut asking = Asking::new();
    let asked = asking.ask_on(Duration::from_secs(10), ResetResult::IN_PROGRESS);
    assert!((9..=12).contains(&asked.len()), "{}", asked.len());
    assert!(asked.iter().all(|it| it == &asked[0]));
    let mut asking = Asking::new();
    let asked = asking.ask_on(Duration::from_secs(10), ResetResult::ALREADY_IN_PROGRESS);
    assert!((9..=12).contains(&asked.len()), "{}", asked.len());
    for (more, number) in asked.iter().enumerate() {
        assert_eq!(*number, asked[0].wrapping_add(more as u32));
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

/// A peer that was told to wait may ask once more under another number, and means the same.
#[test]
fn who_was_told_to_wait_may_ask_again() {
    let ask = |pair: &mut Pair, (tag, last): (u32, u32), sequence: u32| {
        let request = Request::OutgoingReset {
            sequence,
            response_sequence: 0,
            last_tsn: oxirtc_sctp::Tsn(last.wrapping_add(2)),
            streams: &[0, 9],
        };
        pair.ends[1].handle_packet(pair.now, &request_packet(tag, request));
        responses(&pair.take_packets(1))
    };
    let skip = |pair: &mut Pair, (tag, last): (u32, u32)| {
        let mut packet = Vec::new();
        Packet::start(&mut packet, 5000, 5000, tag);
        let tsn = oxirtc_sctp::Tsn(last.wrapping_add(2));
        oxirtc_sctp::packet::ForwardTsn::write(&mut packet, tsn, std::iter::empty());
        Packet::finish(&mut packet, 0);
        pair.ends[1].handle_packet(pair.now, &packet);
    };
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    let asked = ask(&mut pair, (tag, last), first);
    assert_eq!(asked, [ResetResult::IN_PROGRESS]);
    skip(&mut pair, (tag, last));
    assert_eq!(responses(&pair.take_packets(1)), [ResetResult::PERFORMED]);
    let reset = Event::IncomingReset { stream: 9 };
    assert!(pair.main_events(1).contains(&reset));
    // The first under another number is the same request, the second is not.
    for (more, performed) in [(0, false), (1, false), (2, true), (3, true)] {
        let sequence = first.wrapping_add(more);
        let asked = ask(&mut pair, (tag, last), sequence);
        assert_eq!(asked, [ResetResult::PERFORMED]);
        let events = pair.main_events(1);
        assert_eq!(events.contains(&reset), performed, "{more}: {events:?}");
    }
    // Who asks much later has heard the answer that came without asking.
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    let asked = ask(&mut pair, (tag, last), first);
    assert_eq!(asked, [ResetResult::IN_PROGRESS]);
    skip(&mut pair, (tag, last));
    assert_eq!(responses(&pair.take_packets(1)), [ResetResult::PERFORMED]);
    pair.main_events(1);
    pair.now += Duration::from_secs(6);
    let asked = ask(&mut pair, (tag, last), first.wrapping_add(1));
    assert_eq!(asked, [ResetResult::PERFORMED]);
    assert!(pair.main_events(1).contains(&reset));
}

/// What follows a reset waits for it at the sender: it is not acknowledged, and is no account of ours.
#[test]
fn data_behind_a_deferred_reset_is_not_taken() {
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    let request = Request::OutgoingReset {
        sequence: first,
        response_sequence: 0,
        last_tsn: oxirtc_sctp::Tsn(last.wrapping_add(1)),
        streams: &[0, 9],
    };
    pair.ends[1].handle_packet(pair.now, &request_packet(tag, request));
    pair.take_packets(1);
    let mut put = |offset: u32, stream: u16, ssn: u16, payload: &[u8]| {
        let data = Data {
            flags: 3,
            tsn: oxirtc_sctp::Tsn(last.wrapping_add(offset)),
            stream,
            ssn: oxirtc_sctp::Ssn(ssn),
            ppid: 53,
            payload,
        };
        let mut packet = Vec::new();
        Packet::start(&mut packet, 5000, 5000, tag);
        data.write(&mut packet);
        Packet::finish(&mut packet, 0);
        pair.ends[1].handle_packet(pair.now, &packet);
    };
    put(2, 9, 0, b"of the next life");
    put(3, 8, 0, b"of another stream");
    put(1, 9, 0, b"before");
    put(2, 9, 0, b"of the next life");
    assert_eq!(pair.ends[1].stats().dropped_out_of_window, 1);
    for expected in [&b"before"[..], b"of the next life"] {
        let messages = pair.read_all(1, 9);
        assert_eq!(messages.len(), 1);
        assert_eq!(&messages[0].payload[..], expected);
    }
    assert_eq!(pair.read_all(1, 8).len(), 1);
}

/// One event, however many streams there are, and no step that takes long.
#[test]
fn all_streams_are_reset_in_steps() {
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    for stream in 0..2000 {
        pair.say(0, stream, b"unread");
    }
    pair.run_for(Duration::from_secs(5));
    pair.main_events(1);
    let ask = |pair: &mut Pair, sequence: u32| {
        let request = Request::OutgoingReset {
            sequence,
            response_sequence: 0,
            last_tsn: oxirtc_sctp::Tsn(last),
            streams: &[],
        };
        pair.ends[1].handle_packet(pair.now, &request_packet(tag, request));
        responses(&pair.take_packets(1))
    };
    let mut answers = ask(&mut pair, first);
    let mut steps = 0;
    while pair.ends[1].poll_timeout() == Some(pair.now) {
        pair.ends[1].handle_timeout(pair.now);
        answers.extend(responses(&pair.take_packets(1)));
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert_eq!(answers, [ResetResult::PERFORMED], "with the last step");
    let events = pair.main_events(1);
    let resets = |events: Vec<Event>| {
        let all = Event::AllIncomingReset;
        events.into_iter().filter(|it| *it == all).count()
    };
    assert_eq!(resets(events), 1);
    assert_eq!(pair.read_all(1, 1999).len(), 1, "it can still be read");
    // Who asks meanwhile is told to wait, and may ask for the same under another number.
    assert_eq!(ask(&mut pair, first.wrapping_add(1)), []);
    let again = ask(&mut pair, first.wrapping_add(1));
    assert_eq!(again, [ResetResult::IN_PROGRESS]);
    pair.run_for(ms(1));
    assert_eq!(resets(pair.main_events(1)), 1);
    let again = ask(&mut pair, first.wrapping_add(2));
    assert_eq!(again, [ResetResult::PERFORMED]);
    assert_eq!(resets(pair.main_events(1)), 0);
}

/// RFC 6525 §5.2.2: a stream that does not exist is not reset.
#[test]
fn a_reset_of_a_stream_that_does_not_exist_is_refused() {
    let config = || Config::default().streams(10, 10);
    let mut pair =
        support::pair_with(1, Link::new(1).delay(ms(10)), config(), config()).connected();
    pair.say(0, 6, b"x");
    let packets = pair.take_packets(0);
    let packet = Packet::parse_unsummed(&packets[0]).unwrap();
    let chunk = packet.chunks().next().unwrap();
    let tsn = Data::parse(chunk).unwrap().tsn;
    let request = Request::OutgoingReset {
        sequence: tsn.0,
        response_sequence: 0,
        last_tsn: tsn.previous(),
        streams: &[0, 9, 0, 10],
    };
    pair.ends[1].handle_packet(pair.now, &request_packet(packet.tag, request));
    assert_eq!(responses(&pair.take_packets(1)), [ResetResult::WRONG_SSN]);
    assert_eq!(pair.main_events(1), []);
}
