//! How an association ends, and how it notices that the other side has gone.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;
#[path = "support/victim.rs"]
mod victim;

use std::time::Duration;

use oxirtc_netsim::{Link, for_each_seed, mbps, percent};
use oxirtc_sctp::{
    Config, Error, Event, Failure, Initiator, SendOptions, State,
    packet::{Abort, Cause, CauseCode, Chunk, ChunkKind, Packet, Sack},
};

use support::{Pair, Sides, kinds, ms, pattern, perfect};
use victim::{Victim, WHOLE};

const IN_ORDER: fn(Initiator) -> Event = |by| Event::Closed {
    by,
    cause_code: None,
};

fn packet(tag: u32, kind: ChunkKind, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, tag);
    Chunk { kind, flags, value }.write(&mut buf);
    Packet::finish(&mut buf, 0);
    buf
}

/// The tag that packets from this side carry, and the one that packets to it do.
fn tags(pair: &mut Pair, side: usize) -> (u32, u32) {
    let tag = |pair: &mut Pair, from: usize| {
        pair.say(from, 60, b"x");
        let packets = pair.take_packets(from);
        let tag = Packet::parse_unsummed(&packets[0]).unwrap().tag;
        for packet in packets {
            pair.ends[1 - from].handle_packet(pair.now, &packet);
        }
        tag
    };
    (tag(pair, side), tag(pair, 1 - side))
}

#[test]
fn shutdown_drains_both_sides_first() {
    for_each_seed(30, |seed| {
        let link = Link::new(seed)
            .delay(ms(30))
            .loss(percent((seed % 4 * 5) as u32));
        let mut pair = support::pair(seed, link).connected();
        pair.say(0, 1, pattern(50_000, 1));
        pair.say(1, 2, pattern(50_000, 2));
        pair.run_for(ms(5));
        pair.ends[0].shutdown(pair.now);
        let late = pair.ends[0].send(pair.now, 1, 51, "x".into(), SendOptions::default());
        assert_eq!(late, Err(Error::Closed));
        let mut events = [Vec::new(), Vec::new()];
        let done = pair.try_until(Duration::from_secs(60), |pair| {
            for (side, events) in events.iter_mut().enumerate() {
                events.extend(pair.main_events(side));
            }
            pair.ends.iter().all(|side| side.state() == State::Closed)
        });
        for (side, events) in events.iter_mut().enumerate() {
            events.extend(pair.main_events(side));
        }
        assert!(done, "seed {seed}: {:?}", pair.ends);
        assert_eq!(
            events[0].last(),
            Some(&IN_ORDER(Initiator::User)),
            "seed {seed}"
        );
        assert_eq!(
            events[1].last(),
            Some(&IN_ORDER(Initiator::Remote)),
            "seed {seed}"
        );
        assert_eq!(pair.read_all(1, 1).len(), 1, "seed {seed}");
        assert_eq!(pair.read_all(0, 2).len(), 1, "seed {seed}");
        assert!(pair.ends.iter().all(|side| side.poll_timeout().is_none()));
    });
}

#[test]
fn both_sides_shut_down_at_once() {
    let mut pair = perfect(1).connected();
    pair.ends[0].shutdown(pair.now);
    pair.ends[1].shutdown(pair.now);
    pair.run_for(Duration::from_secs(5));
    for side in 0..2 {
        assert_eq!(pair.main_events(side), [IN_ORDER(Initiator::User)]);
    }
}

/// RFC 9260 §9.2: who has sent SHUTDOWN and gets one waits for SHUTDOWN COMPLETE as well, as the other may have ended.
#[test]
fn shutdowns_that_cross_end_though_an_answer_is_lost() {
    let mut pair = perfect(1).connected();
    pair.filter(|side, bytes| {
        let chunk = Packet::parse_unsummed(bytes).unwrap().chunks().next();
        side == 0 || chunk.unwrap().kind != ChunkKind::SHUTDOWN_ACK
    });
    for side in 0..2 {
        pair.ends[side].shutdown(pair.now);
    }
    pair.run_for(ms(100));
    for side in 0..2 {
        assert_eq!(pair.main_events(side), [IN_ORDER(Initiator::User)]);
    }
}

/// RFC 9260 §9.2: SHUTDOWN says what has come, as a SACK does.
#[test]
fn a_shutdown_acknowledges() {
    let mut victim = Victim::new(Config::default());
    victim.pair.say(0, 1, b"x");
    assert_eq!(victim.answer().len(), 1);
    let cumulative = victim.last.next().0.to_be_bytes();
    victim.chunk(ChunkKind::SHUTDOWN, &cumulative);
    assert_eq!(victim.pair.ends[0].total_unacknowledged(), 0);
    let answer = victim.answer();
    assert_eq!(answer[0].0, ChunkKind::SHUTDOWN_ACK);
    assert_eq!(victim.pair.ends[0].state(), State::ShutdownAckSent);
    // The peer says it again: it has not heard the answer.
    victim.chunk(ChunkKind::SHUTDOWN, &cumulative);
    assert_eq!(victim.answer()[0].0, ChunkKind::SHUTDOWN_ACK);
}

/// RFC 9260 §3.3.1: what stands before a SHUTDOWN is acknowledged at once, and not when the peer's timer says so.
#[test]
fn a_shutdown_does_not_wait_for_a_delayed_acknowledgement() {
    let mut pair = perfect(1).connected();
    pair.say(0, 1, b"first");
    let now = pair.now;
    pair.ends[0].shutdown(now);
    pair.run_for(ms(100));
    let states = pair.ends.each_ref().map(|it| it.state());
    assert_eq!(states, [State::Closed; 2]);
}

#[test]
fn a_shutdown_that_nobody_answers_ends() {
    let mut pair = perfect(1).connected();
    pair.filter(|_, _| false);
    pair.ends[0].shutdown(pair.now);
    pair.run_for(Duration::from_secs(20));
    let cause = Failure::ShutdownTimeout;
    assert_eq!(pair.main_events(0), [Event::Failed { cause }]);
}

/// RFC 9260 §9.2: what the peer has queued goes out first, however long that takes, as long as it comes.
#[test]
fn a_shutdown_waits_for_what_still_comes() {
    let link = Link::new(1).delay(ms(20)).rate(mbps(1));
    let mut pair = support::pair(1, link).connected();
    for message in 0..40 {
        pair.say(1, 1, pattern(100_000, message));
    }
    let now = pair.now;
    pair.ends[0].shutdown(now);
    pair.run_for(Duration::from_secs(60));
    for (side, by) in [(0, Initiator::User), (1, Initiator::Remote)] {
        assert_eq!(pair.main_events(side).last(), Some(&IN_ORDER(by)));
    }
    assert_eq!(pair.read_all(0, 1).len(), 40);
}

/// It comes also where the peer gives up what it has queued (RFC 3758 §3.6): a point that moves is as good as data.
#[test]
fn a_shutdown_waits_for_a_peer_that_gives_up_what_it_has() {
    let mut victim = Victim::new(Config::default());
    victim.pair.filter(|_, _| false);
    let now = victim.pair.now;
    victim.pair.ends[0].shutdown(now);
    let is_over = |victim: &Victim| victim.pair.ends[0].state() == State::Closed;
    for point in 0..5 {
        victim.pair.run_for(Duration::from_secs(10));
        assert!(!is_over(&victim), "{point}");
        victim.forward(point, std::iter::empty());
    }
    // So does what it repeats as it has heard nothing of us; a point that has been told is no news.
    victim.pair.run_for(Duration::from_secs(10));
    victim.data(0, WHOLE, (1, 0), b"x");
    victim.pair.run_for(Duration::from_secs(10));
    assert!(!is_over(&victim));
    victim.forward(4, std::iter::empty());
    victim.pair.run_for(Duration::from_secs(6));
    assert!(is_over(&victim));
}

/// RFC 9260 §8.3: there are no HEARTBEATs any more after a SHUTDOWN.
#[test]
fn a_shutdown_ends_heartbeats() {
    let config = || Config::default().heartbeat_interval(Some(ms(500)));
    let mut pair =
        support::pair_with(1, Link::new(1).delay(ms(10)), config(), config()).connected();
    pair.run_for(ms(100));
    pair.filter(|_, _| false);
    pair.keep();
    pair.ends[0].shutdown(pair.now);
    pair.run_for(Duration::from_secs(10));
    let kept = pair.kept();
    let ours = kept.iter().filter(|(side, _)| *side == 0);
    let kinds = Vec::from_iter(ours.flat_map(|(_, packet)| kinds(packet)));
    assert!(kinds.contains(&ChunkKind::SHUTDOWN) && !kinds.contains(&ChunkKind::HEARTBEAT));
}

/// RFC 9260 §9.2: after its SHUTDOWN the peer has nothing more to say.
#[test]
fn nothing_is_taken_after_a_shutdown() {
    let mut pair = perfect(1).connected();
    let (tag, _) = tags(&mut pair, 1);
    pair.say(0, 1, vec![1; 50_000]);
    pair.take_packets(0);
    pair.say(1, 1, b"late");
    let late = pair.take_packets(1);
    let shutdown = packet(tag, ChunkKind::SHUTDOWN, 0, &[0; 4]);
    pair.ends[0].handle_packet(pair.now, &shutdown);
    assert_eq!(pair.ends[0].state(), State::ShutdownReceived);
    for packet in late {
        pair.ends[0].handle_packet(pair.now, &packet);
    }
    assert_eq!(pair.ends[0].read(1), None);
}

#[test]
fn an_abort_carries_its_reason() {
    let mut pair = perfect(1).connected();
    pair.keep();
    pair.say(0, 1, pattern(5000, 0));
    pair.ends[0].abort(pair.now, "enough");
    pair.run_for(ms(100));
    let cause_code = Some(12);
    let by = Initiator::User;
    assert_eq!(pair.main_events(0), [Event::Closed { by, cause_code }]);
    let by = Initiator::Remote;
    assert_eq!(pair.main_events(1), [Event::Closed { by, cause_code }]);
    let log = pair.kept();
    let packet = Packet::parse_unsummed(&log[0].1).unwrap();
    let abort = Abort::parse(packet.chunks().next().unwrap());
    assert_eq!(abort.causes.clone().next().unwrap().information, b"enough");
    assert_eq!(log.len(), 1);
    let closed = pair.ends[0].send(pair.now, 1, 51, "x".into(), SendOptions::default());
    assert_eq!(closed, Err(Error::Closed));
}

/// RFC 9260 §8.5.1: whose tag a packet has, our own, the peer's or nobody's; whether its T bit is set; and whether it counts.
const TAGS: [(Option<bool>, bool, bool); 6] = [
    (Some(true), false, true),
    (Some(false), true, true),
    (Some(true), true, false),
    (Some(false), false, false),
    (None, false, false),
    (None, true, false),
];

/// The tags with which an ABORT counts.
#[test]
fn only_the_right_tags_end_an_association() {
    for (own, reflected, ends) in TAGS {
        let mut pair = perfect(1).connected();
        let (peer, local) = tags(&mut pair, 0);
        pair.main_events(0);
        pair.take_packets(0);
        let tag = own.map_or(0x1234_5678, |own| if own { local } else { peer });
        let flags = if reflected { Abort::REFLECTED } else { 0 };
        let mut cause = Vec::new();
        let (code, information) = (CauseCode::OUT_OF_RESOURCE, &b""[..]);
        Cause { code, information }.write(&mut cause);
        let complete = packet(tag, ChunkKind::SHUTDOWN_COMPLETE, flags, &[]);
        pair.ends[0].handle_packet(pair.now, &complete);
        assert!(pair.ends[0].is_established(), "nothing to complete");
        let abort = packet(tag, ChunkKind::ABORT, flags, &cause);
        pair.ends[0].handle_packet(pair.now, &abort);
        let (by, cause_code) = (Initiator::Remote, Some(4));
        let expected = Event::Closed { by, cause_code };
        assert_eq!(
            pair.main_events(0),
            Vec::from_iter(ends.then_some(expected))
        );
        assert_eq!(pair.take_packets(0).len(), 0, "silence");
    }
}

/// The same, where a SHUTDOWN COMPLETE is waited for.
#[test]
fn only_the_right_tags_complete_a_shutdown() {
    for (own, reflected, ends) in TAGS {
        let mut pair = perfect(1).connected();
        let (peer, local) = tags(&mut pair, 0);
        pair.run_for(ms(500));
        pair.filter(|side, _| side == 1);
        let now = pair.now;
        pair.ends[1].shutdown(now);
        pair.run_for(ms(300));
        assert_eq!(pair.ends[0].state(), State::ShutdownAckSent);
        let tag = own.map_or(0x1234_5678, |own| if own { local } else { peer });
        let flags = if reflected { Abort::REFLECTED } else { 0 };
        let complete = packet(tag, ChunkKind::SHUTDOWN_COMPLETE, flags, &[]);
        pair.ends[0].handle_packet(pair.now, &complete);
        let state = pair.ends[0].state();
        assert_eq!(state == State::Closed, ends, "{own:?} {reflected}");
    }
}

#[test]
fn heartbeats_measure_and_notice() {
    let config = || {
        let config = Config::default().heartbeat_interval(Some(Duration::from_secs(2)));
        config.max_retransmissions(Some(4))
    };
    let link = Link::new(1).delay(ms(40));
    let mut pair = support::pair_with(1, link, config(), config()).connected();
    pair.keep();
    pair.run_for(Duration::from_secs(30));
    let round_trip = pair.ends[0].stats().round_trip;
    assert_eq!(round_trip, Some(ms(80)));
    let log = pair.kept();
    let kinds = log.iter().map(|(_, p)| {
        Packet::parse_unsummed(p)
            .unwrap()
            .chunks()
            .next()
            .unwrap()
            .kind
    });
    let beats = kinds.filter(|kind| *kind == ChunkKind::HEARTBEAT).count();
    assert!((16..32).contains(&beats), "{beats}");
    // An answer to nothing, or to something else, is worth nothing.
    let (_, local) = tags(&mut pair, 0);
    let dropped = pair.ends[0].stats().dropped_chunks;
    for value in [
        &[][..],
        &[0, 1, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0, 1, 0, 4],
    ] {
        let answer = packet(local, ChunkKind::HEARTBEAT_ACK, 0, value);
        pair.ends[0].handle_packet(pair.now, &answer);
    }
    assert_eq!(pair.ends[0].stats().dropped_chunks, dropped + 3);
    pair.events(0);
    pair.filter(|_, _| false);
    pair.run_for(Duration::from_secs(60));
    let cause = Failure::RetransmissionLimit;
    assert_eq!(pair.main_events(0), [Event::Failed { cause }]);
}

/// RFC 9260 §8.3: only what carries the nonce of the HEARTBEAT is its answer.
#[test]
fn a_heartbeat_is_answered_by_its_nonce() {
    let interval = Some(Duration::from_secs(2));
    let mut victim = Victim::new(Config::default().heartbeat_interval(interval));
    let beat = loop {
        let now = victim.pair.ends[0].poll_timeout().unwrap();
        victim.pair.now = now;
        victim.pair.ends[0].handle_timeout(now);
        let answer = victim.answer();
        if let Some((_, value)) = answer.iter().find(|it| it.0 == ChunkKind::HEARTBEAT) {
            break value.clone();
        }
    };
    let before = victim.pair.ends[0].stats();
    let mut other = beat.clone();
    *other.last_mut().unwrap() ^= 1;
    victim.pair.now += ms(900);
    for (value, counts) in [(&other, false), (&beat, true), (&beat, false)] {
        let dropped = victim.pair.ends[0].stats().dropped_chunks;
        victim.chunk(ChunkKind::HEARTBEAT_ACK, value);
        let stats = victim.pair.ends[0].stats();
        assert_eq!(stats.dropped_chunks == dropped, counts);
    }
    let after = victim.pair.ends[0].stats();
    assert!(after.round_trip > before.round_trip.map(|it| it + ms(50)));
}

/// While there is consent, an outage of any length is waited out; the timeout never passes 3 s.
#[test]
fn an_outage_ends_nothing_while_there_is_consent() {
    for outage in [1, 5, 10, 25, 120] {
        let mut pair = perfect(outage).connected();
        pair.filter(|_, _| false);
        pair.say(0, 1, pattern(100_000, 1));
        pair.run_for(Duration::from_secs(outage));
        pair.tap = None;
        let start = pair.now;
        assert!(pair.try_until(Duration::from_secs(60), |pair| {
            pair.ends[1].peek(1).is_some()
        }));
        assert!(
            pair.now - start < Duration::from_secs(6),
            "{outage}: {:?}",
            pair.now - start
        );
    }
    let mut pair = perfect(9).connected();
    pair.ends[0].set_consent(false);
    pair.filter(|_, _| false);
    pair.say(0, 1, b"x");
    pair.run_for(Duration::from_secs(60));
    let cause = Failure::RetransmissionLimit;
    assert_eq!(pair.main_events(0), [Event::Failed { cause }]);
}

/// A host that roams: on another path no doubled timeout is waited for, and what goes well is left alone.
#[test]
fn another_path_is_used_at_once() {
    // Before the first timeout, and after many.
    for outage in [1, 2_100, 10_100] {
        let mut pair = perfect(outage).connected();
        pair.filter(|_, _| false);
        pair.say(0, 1, pattern(5_000, 1));
        pair.run_for(Duration::from_millis(outage));
        pair.tap = None;
        pair.ends[0].path_changed(1_000);
        let start = pair.now;
        assert!(pair.try_until(Duration::from_secs(9), |pair| {
            pair.ends[1].peek(1).is_some()
        }));
        let took = pair.now - start;
        assert!(took < Duration::from_millis(200), "{outage}: {took:?}");
    }
    let mut pair = perfect(3).connected();
    pair.say(0, 1, pattern(100_000, 1));
    pair.ends[0].path_changed(1_000);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.ends[0].stats().retransmission_timeouts, 0);
    assert!(pair.ends[1].peek(1).is_some());
}

/// The way back has changed: the peer need not wait for its timer to hear what has arrived.
#[test]
fn what_has_arrived_is_said_again_on_another_path() {
    let mut pair = perfect(4).connected();
    pair.say(0, 1, b"one");
    pair.run_for(Duration::from_secs(1));
    // Acknowledgements go nowhere; what is acknowledged comes.
    pair.filter(|from, _| from == 0);
    pair.say(0, 2, pattern(2_000, 1));
    assert!(pair.try_until(Duration::from_secs(1), |pair| {
        pair.ends[1].peek(2).is_some()
    }));
    pair.tap = None;
    let sent = pair.ends[0].stats().packets_sent;
    pair.ends[1].path_changed(1_000);
    pair.run_for(Duration::from_secs(3));
    let later = pair.ends[0].stats().packets_sent;
    assert_eq!(later, sent, "it asks for nothing");
}

#[test]
fn ending_before_there_is_anything_is_quiet() {
    let mut pair = perfect(1);
    pair.ends[0].abort(pair.now, "never mind");
    pair.ends[1].shutdown(pair.now);
    for side in 0..2 {
        assert_eq!(pair.main_events(side), [IN_ORDER(Initiator::User)]);
        assert_eq!(pair.take_packets(side).len(), 0);
        pair.ends[side].connect(pair.now);
        assert_eq!(pair.ends[side].state(), State::Closed);
    }
}

/// RFC 9260 §5.1, §8.4: who ends while both set up has the peer hear of it, whatever has passed between them, and so has who is asked
/// for another association afterwards.
#[test]
fn who_sets_up_hears_of_an_end() {
    for (time, lost) in [(0, false), (5, false), (15, false), (25, true)] {
        let link = Link::new(1).delay(ms(10));
        let mut pair = support::pair(1, link);
        (0..2).for_each(|side| pair.ends[side].connect(pair.now));
        if lost {
            // The answer to A's INIT.
            pair.filter(|side, packet| side == 0 || !kinds(packet).contains(&ChunkKind::INIT_ACK));
        }
        pair.run_for(ms(time));
        pair.ends[1].abort(pair.now, "enough");
        pair.tap = None;
        pair.run_for(Duration::from_secs(10));
        assert_eq!(pair.ends[0].state(), State::Closed, "after {time} ms");
        let events = pair.main_events(0);
        assert!(
            matches!(events.last(), Some(Event::Closed { .. })),
            "{events:?}"
        );
        pair.keep();
        pair.run_for(Duration::from_secs(60));
        assert_eq!(pair.kept(), []);
    }
    let mut pair = perfect(1).connected();
    pair.ends[1].abort(pair.now, "enough");
    pair.run_for(ms(100));
    let config = Config::default();
    let mut other = oxirtc_sctp::Association::new(config, [9; 32], pair.now);
    other.connect(pair.now);
    let mut init = Vec::new();
    assert!(other.poll_transmit(pair.now, 1200, &mut init));
    pair.run_for(ms(500));
    pair.ends[1].handle_packet(pair.now, &init);
    let [answer] = &pair.take_packets(1)[..] else {
        panic!("one answer");
    };
    other.handle_packet(pair.now, answer);
    assert_eq!(other.state(), State::Closed);
}

/// The last packet can be lost: whoever goes on is told again, a few times, and not for each packet.
#[test]
fn an_end_that_was_not_heard_is_said_again() {
    let mut pair = perfect(1).connected();
    let mut first = true;
    pair.filter(move |side, _| !(side == 0 && std::mem::take(&mut first)));
    assert!(!pair.ends[0].is_drained());
    pair.ends[0].abort(pair.now, "enough");
    assert!(!pair.ends[0].is_drained(), "the ABORT is still to go");
    pair.run_for(ms(500));
    assert!(pair.ends[0].is_drained());
    assert!(pair.ends[1].is_established(), "it was lost");
    pair.say(1, 1, b"are you there?");
    pair.run_for(ms(500));
    let (by, cause_code) = (Initiator::Remote, Some(12));
    assert_eq!(pair.main_events(1), [Event::Closed { by, cause_code }]);
    assert_eq!(pair.ends[0].poll_timeout(), None);
}

#[test]
fn an_ended_association_does_not_answer_without_end() {
    let mut pair = perfect(1).connected();
    let (_, local) = tags(&mut pair, 0);
    pair.ends[0].abort(pair.now, "");
    assert_eq!(pair.take_packets(0).len(), 1);
    let beat = |tag| packet(tag, ChunkKind::HEARTBEAT, 0, &[0, 1, 0, 8, 1, 2, 3, 4]);
    let mut answers = 0;
    for turn in 0..100 {
        for _ in 0..10 {
            pair.ends[0].handle_packet(pair.now, &beat(local));
        }
        let now = pair.take_packets(0).len();
        assert!(now <= 1, "one in 100 ms");
        answers += now;
        pair.now += ms(100);
        assert!(turn > 0 || now == 0, "it may be on its way already");
    }
    assert_eq!(answers, 8);
    // Neither an ABORT nor a stranger is answered.
    let mut pair = perfect(1).connected();
    let (_, local) = tags(&mut pair, 0);
    pair.ends[0].abort(pair.now, "");
    pair.take_packets(0);
    pair.now += ms(200);
    for (tag, kind, answers) in [
        (local, ChunkKind::ABORT, 0),
        (local, ChunkKind::SHUTDOWN_COMPLETE, 0),
        (local ^ 1, ChunkKind::HEARTBEAT, 0),
        (local, ChunkKind::HEARTBEAT, 1),
    ] {
        pair.ends[0].handle_packet(pair.now, &packet(tag, kind, 0, &[]));
        assert_eq!(pair.take_packets(0).len(), answers, "{kind:?}");
    }
}

/// An ABORT with the T bit has the peer's tag, also behind chunks that have ours.
#[test]
fn an_abort_behind_others_needs_the_right_tag() {
    for (flags, ends) in [(0, true), (Abort::REFLECTED, false)] {
        let mut pair = perfect(1).connected();
        let (_, local) = tags(&mut pair, 0);
        let mut buf = packet(local, ChunkKind::HEARTBEAT, 0, &[0, 1, 0, 4]);
        let abort = packet(local, ChunkKind::ABORT, flags, &[]);
        buf.extend_from_slice(&abort[12..]);
        Packet::finish(&mut buf, 0);
        pair.ends[0].handle_packet(pair.now, &buf);
        assert_eq!(pair.ends[0].state() == State::Closed, ends);
    }
}

/// RFC 9260 §8.1: any acknowledgement sets the count back, also one without news.
#[test]
fn an_answer_ends_the_count_of_errors() {
    let mut victim = Victim::new(Config::default());
    victim.pair.filter(|_, _| false);
    victim.pair.ends[0].set_consent(false);
    victim.pair.say(0, 1, b"x");
    for round in 1..4 {
        let wanted = |pair: &mut Pair| pair.ends[0].stats().retransmission_timeouts == 8 * round;
        victim.pair.run_until(Duration::from_secs(60), wanted);
        assert!(victim.is_alive(), "round {round}");
        let last = victim.last;
        victim.put(|buf| Sack::write(buf, 100, (last, 1 << 20), [].into_iter(), [].into_iter()));
    }
}

/// Timeouts from before the loss of consent are not held against the limit that holds without it.
#[test]
fn errors_count_from_the_loss_of_consent() {
    let mut pair = perfect(1).connected();
    pair.filter(|_, _| false);
    pair.say(0, 1, b"x");
    pair.run_for(Duration::from_secs(60));
    assert!(pair.ends[0].stats().retransmission_timeouts > 15);
    pair.ends[0].set_consent(false);
    pair.run_for(Duration::from_secs(10));
    assert!(pair.ends[0].is_established());
    // It comes back: what was lost is sent at once, and not when the doubled timeout ends.
    pair.tap = None;
    pair.ends[0].set_consent(true);
    let start = pair.now;
    assert!(pair.try_until(Duration::from_secs(9), |pair| {
        pair.ends[1].peek(1).is_some()
    }));
    assert!(pair.now - start <= ms(11), "{:?}", pair.now - start);
    pair.run_for(Duration::from_secs(60));
    assert!(pair.ends.iter().all(|side| side.is_established()));
}

/// RFC 9260 §8.4 5, §9.2: who waits for a SHUTDOWN COMPLETE that was lost asks again, and is told.
#[test]
fn a_lost_shutdown_complete_is_said_again() {
    let mut pair = perfect(1).connected();
    let lost = std::rc::Rc::new(std::cell::Cell::new(false));
    let once = lost.clone();
    pair.filter(move |_, packet| {
        let packet = Packet::parse_unsummed(packet).unwrap();
        let completes = |chunk: Chunk<'_>| chunk.kind == ChunkKind::SHUTDOWN_COMPLETE;
        !packet.chunks().any(completes) || once.replace(true)
    });
    let now = pair.now;
    pair.ends[0].shutdown(now);
    pair.run_for(ms(300));
    assert!(lost.get());
    let states = |pair: &Pair| pair.ends.each_ref().map(|it| it.state());
    assert_eq!(states(&pair), [State::Closed, State::ShutdownAckSent]);
    // Its own timer asks, long before anything gives up.
    pair.run_for(ms(3000));
    assert_eq!(states(&pair), [State::Closed, State::Closed]);
    let ended = |event: &Event| matches!(event, Event::Closed { .. });
    assert!(pair.main_events(1).iter().any(ended));
}
