//! Requests about streams (RFC 6525) as they come and go: how each is answered, and what an answer means.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::time::Duration;

use oxirtc_netsim::Link;
use oxirtc_sctp::{
    Config, Event,
    packet::{ChunkKind, Data, Packet, Reconfig, Request, ResetResult},
};

use support::{Pair, Sides, ms, perfect};

fn request_packet(tag: u32, request: Request<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, tag);
    Reconfig::write(&mut buf, std::iter::once(request));
    Packet::finish(&mut buf, 0);
    buf
}

fn each_request(packets: &[Vec<u8>], mut then: impl FnMut(Request<'_>)) {
    for packet in packets {
        for chunk in Packet::parse_unsummed(packet).unwrap().chunks() {
            let reconfig =
                Reconfig::parse(chunk.value).filter(|_| chunk.kind == ChunkKind::RECONFIG);
            for request in reconfig.iter().flat_map(|it| it.requests()).flatten() {
                then(request);
            }
        }
    }
}

fn responses(packets: &[Vec<u8>]) -> Vec<ResetResult> {
    let mut results = Vec::new();
    each_request(packets, |request| {
        if let Request::Response { result, .. } = request {
            results.push(result);
        }
    });
    results
}

/// The numbers of the requests for a reset.
fn numbers(packets: &[Vec<u8>]) -> Vec<u32> {
    let mut numbers = Vec::new();
    each_request(packets, |request| {
        if let Request::OutgoingReset { sequence, .. } = request {
            numbers.push(sequence);
        }
    });
    numbers
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

/// Asks for the reset of stream 7, and answers by hand: the number that the association gave its request.
struct Asking {
    pair: Pair,
    tag: u32,
}

impl Asking {
    fn new() -> Self {
        Self::behind(b"")
    }

    /// One that stands behind something that does not come, unless that is empty.
    fn behind(message: &'static [u8]) -> Self {
        let mut pair = perfect(1).connected();
        let (tag, ..) = link_to(&mut pair, 0);
        pair.main_events(0);
        if !message.is_empty() {
            pair.say(0, 7, message);
        }
        pair.ends[0].reset_streams(pair.now, &[7]).unwrap();
        Self { pair, tag }
    }

    /// The numbers of the requests that are sent now.
    fn requests(&mut self) -> Vec<u32> {
        numbers(&self.pair.take_packets(0))
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

/// RFC 6525 §5.2.7: while the peer is on it, the same is asked after each timeout; when something else stands in the way, under a new
/// number. Also where it says that it is on it though it has all that was sent before: there are peers that go on saying so until they
/// are asked under another.
#[test]
fn a_request_that_has_to_wait_is_asked_again() {
    let mut asking = Asking::behind(b"lost");
    let asked = asking.ask_on(Duration::from_secs(10), ResetResult::IN_PROGRESS);
    assert!(asked.len() > 2, "{}", asked.len());
    assert!(asked.iter().all(|it| it == &asked[0]));
    for result in [ResetResult::IN_PROGRESS, ResetResult::ALREADY_IN_PROGRESS] {
        let mut asking = Asking::new();
        let asked = asking.ask_on(Duration::from_secs(10), result);
        assert!((9..=12).contains(&asked.len()), "{}", asked.len());
        for (more, number) in asked.iter().enumerate() {
            assert_eq!(*number, asked[0].wrapping_add(more as u32));
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

/// The next life of the stream, in which the peer says nothing, ends with a request that looks like the one that had to wait.
#[test]
fn a_life_without_a_word_ends_after_one_whose_end_had_to_wait() {
    let mut pair = perfect(1).connected();
    pair.say(0, 6, b"lost");
    assert_eq!(pair.take_packets(0).len(), 1);
    pair.ends[0].reset_streams(pair.now, &[6]).unwrap();
    assert_eq!(passing(&mut pair, 2000), 1);
    pair.ends[1].reset_streams(pair.now, &[6]).unwrap();
    assert_eq!(passing(&mut pair, 100), 0);
    pair.say(1, 6, b"next");
    assert_eq!(passing(&mut pair, 500), 0);
    pair.ends[0].reset_streams(pair.now, &[6]).unwrap();
    assert_eq!(passing(&mut pair, 1000), 1);
}

/// A life without a word ends also while the answer to our reset is lost or late: its request says that the peer has ours.
#[test]
fn a_life_without_a_word_ends_before_we_have_the_answer() {
    for (seen, again) in [(true, true), (false, false)] {
        let mut pair = perfect(1).connected();
        let (tag, first, last) = link_to(&mut pair, 1);
        let last_tsn = oxirtc_sctp::Tsn(last.wrapping_add(2));
        let reset = Event::IncomingReset { stream: 9 };
        let ask = |pair: &mut Pair, sequence, response_sequence| {
            let request = Request::OutgoingReset {
                sequence,
                response_sequence,
                last_tsn,
                streams: &[0, 9],
            };
            pair.ends[1].handle_packet(pair.now, &request_packet(tag, request));
            responses(&pair.take_packets(1))
        };
        assert_eq!(ask(&mut pair, first, 0), [ResetResult::IN_PROGRESS]);
        let mut packet = Vec::new();
        Packet::start(&mut packet, 5000, 5000, tag);
        oxirtc_sctp::packet::ForwardTsn::write(&mut packet, last_tsn, std::iter::empty());
        Packet::finish(&mut packet, 0);
        pair.ends[1].handle_packet(pair.now, &packet);
        assert_eq!(responses(&pair.take_packets(1)), [ResetResult::PERFORMED]);
        assert!(pair.main_events(1).contains(&reset));
        pair.ends[1].reset_streams(pair.now, &[9]).unwrap();
        let [number] = numbers(&pair.take_packets(1))[..] else {
            panic!("one request");
        };
        let seen = number.wrapping_sub(u32::from(!seen));
        let answers = ask(&mut pair, first.wrapping_add(1), seen);
        assert_eq!(answers, [ResetResult::PERFORMED]);
        assert_eq!(pair.main_events(1).contains(&reset), again);
        // Our request goes on, and what follows is another life either way.
        let result = ResetResult::PERFORMED;
        let answer = Request::Response {
            sequence: number,
            result,
        };
        pair.ends[1].handle_packet(pair.now, &request_packet(tag, answer));
        ask(&mut pair, first.wrapping_add(2), number);
        let events = pair.main_events(1);
        assert!(events.contains(&Event::OutgoingReset { stream: 9 }));
        assert!(events.contains(&reset));
    }
}

/// An answer about many streams is carried out in steps, each stream can be used when it is told, and no request follows before.
#[test]
fn an_answer_about_many_streams_takes_steps() {
    let mut pair = perfect(1).connected();
    let streams = Vec::from_iter(100..400);
    pair.ends[0].reset_streams(pair.now, &streams).unwrap();
    let request = pair.take_packets(0);
    let now = pair.now;
    pair.ends[1].handle_packet(now, &request[0]);
    while pair.ends[1].poll_timeout().is_some_and(|at| at <= now) {
        pair.ends[1].handle_timeout(now);
    }
    for packet in pair.take_packets(1) {
        pair.ends[0].handle_packet(now, &packet);
    }
    let (mut told, mut steps) = (Vec::new(), 1);
    loop {
        let events = pair.main_events(0);
        told.extend(events.iter().filter_map(|event| match event {
            Event::OutgoingReset { stream } => Some(*stream),
            _ => None,
        }));
        if told.len() == 256 {
            break;
        }
        for (stream, waits) in [(*told.last().unwrap(), false), (355, true)] {
            assert_eq!(pair.ends[0].room(stream, 1).is_err(), waits, "{stream}");
        }
        assert!(pair.take_packets(0).is_empty());
        assert_eq!(pair.ends[0].poll_timeout(), Some(now));
        pair.ends[0].handle_timeout(now);
        steps += 1;
    }
    assert!(steps > 3, "{steps}");
    assert!(told.iter().eq(&streams[..256]));
    assert_eq!(pair.take_packets(0).len(), 1, "the next request");
}

/// The same where our direction was over before the peer's had to wait, also of many streams, whose reset takes steps.
#[test]
fn a_life_without_a_word_ends_where_ours_was_over_first() {
    for streams in [6..7, 6..206] {
        let streams = Vec::from_iter(streams);
        let mut pair = perfect(1).connected();
        pair.ends[1].reset_streams(pair.now, &[6]).unwrap();
        pair.run_for(ms(200));
        pair.say(0, 6, b"lost");
        assert_eq!(pair.take_packets(0).len(), 1);
        pair.ends[0].reset_streams(pair.now, &streams).unwrap();
        assert_eq!(passing(&mut pair, 2000), 1);
        pair.say(1, 6, b"next");
        assert_eq!(passing(&mut pair, 500), 0);
        pair.ends[0].reset_streams(pair.now, &streams).unwrap();
        assert_eq!(passing(&mut pair, 1000), 1, "{}", streams.len());
    }
}

/// Lets milliseconds pass, and reads: how often stream 6 was reset for side 1.
fn passing(pair: &mut Pair, time: u32) -> usize {
    let mut resets = 0;
    for _ in 0..time {
        pair.run_for(ms(1));
        (0..2).for_each(|side| drop(pair.read_all(side, 6)));
        let events = pair.main_events(1);
        let told = |it: &&Event| matches!(it, Event::IncomingReset { stream: 6 });
        resets += events.iter().filter(told).count();
    }
    resets
}

/// In a life that followed one in which our end was the last, too, who was told to wait means the same once we have said something in it or
/// are ending it; else ours may have been over before, and another life began.
#[test]
fn who_was_told_to_wait_may_ask_again_in_a_later_life() {
    type Begin = fn(&mut Pair);
    let says: Begin = |pair| pair.say(1, 6, b"next");
    let ends: Begin = |pair| {
        pair.ends[1].reset_streams(pair.now, &[6]).unwrap();
        // The peer's answer does not come.
        pair.take_packets(1);
    };
    let one = (&[0, 6][..], Event::IncomingReset { stream: 6 });
    let all = (&[][..], Event::AllIncomingReset);
    let nothing: Begin = |_| {};
    for (sides, begin, (streams, reset), again) in [
        ([0, 1], says, one, false),
        ([0, 1], ends, one, false),
        ([0, 1], nothing, one, true),
        ([1, 0], nothing, one, false),
        ([0, 1], says, all, false),
        ([0, 1], nothing, all, true),
    ] {
        let mut pair = perfect(1).connected();
        let (tag, first, last) = link_to(&mut pair, 1);
        for side in sides {
            pair.ends[side].reset_streams(pair.now, &[6]).unwrap();
            pair.run_for(ms(2000));
        }
        let over = Event::OutgoingReset { stream: 6 };
        assert!(pair.main_events(1).contains(&over));
        begin(&mut pair);
        let last_tsn = oxirtc_sctp::Tsn(last.wrapping_add(2));
        for more in 1..=2 {
            let request = Request::OutgoingReset {
                sequence: first.wrapping_add(more),
                response_sequence: 0,
                last_tsn,
                streams,
            };
            pair.ends[1].handle_packet(pair.now, &request_packet(tag, request));
            let mut packet = Vec::new();
            Packet::start(&mut packet, 5000, 5000, tag);
            oxirtc_sctp::packet::ForwardTsn::write(&mut packet, last_tsn, std::iter::empty());
            Packet::finish(&mut packet, 0);
            pair.ends[1].handle_packet(pair.now, &packet);
            let answers = responses(&pair.take_packets(1));
            assert_eq!(answers.last(), Some(&ResetResult::PERFORMED));
            let performed = pair.main_events(1).contains(&reset);
            assert_eq!(performed, more == 1 || again, "{reset:?}, {more}");
        }
    }
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

/// Very many lists in one packet are not read, however short each is: who has more to ask asks again.
#[test]
fn very_many_requests_in_a_packet_are_not_read() {
    let mut pair = perfect(1).connected();
    let (tag, first, last) = link_to(&mut pair, 1);
    let streams = Vec::from_iter((0..60u16).flat_map(u16::to_be_bytes));
    let request = |number: u32| Request::OutgoingReset {
        sequence: first.wrapping_add(number),
        response_sequence: 0,
        last_tsn: oxirtc_sctp::Tsn(last),
        streams: &streams,
    };
    let mut packet = Vec::new();
    Packet::start(&mut packet, 5000, 5000, tag);
    for number in 0..90 {
        Reconfig::write(&mut packet, std::iter::once(request(number)));
    }
    Packet::finish(&mut packet, 0);
    pair.ends[1].handle_packet(pair.now, &packet);
    assert_eq!(pair.ends[1].stats().dropped_chunks, 1);
    pair.take_packets(1);
    // A header, and its list of 60 streams.
    let expected = 1 + 2880 / (27 + (16 + 120) / 8);
    for (number, known) in [(expected - 1, true), (expected + 1, false)] {
        pair.ends[1].handle_packet(pair.now, &request_packet(tag, request(number)));
        let answers = responses(&pair.take_packets(1));
        let unknown = ResetResult::BAD_SEQUENCE_NUMBER;
        assert_ne!(answers.contains(&unknown), known);
    }
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
