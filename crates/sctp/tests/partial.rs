//! Partial reliability: limited retransmissions and limited lifetime (RFC 3758, RFC 7496).

mod support;

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use oxirtc_netsim::{Link, for_each_seed, mbps, percent};
use oxirtc_sctp::{Config, CongestionControl, Reliability, SendOptions, packet};

use support::{Sides, ms, pattern, perfect};

const CONTROLS: [CongestionControl; 3] = [
    CongestionControl::NewReno,
    CongestionControl::Cubic,
    CongestionControl::Bbr,
];

fn options(ordered: bool, reliability: Reliability) -> SendOptions {
    SendOptions {
        ordered,
        reliability,
    }
}

/// How often each TSN was sent by side 0.
fn transmissions(log: &[(usize, Vec<u8>)]) -> HashMap<u32, u32> {
    let mut counts = HashMap::new();
    for (_, packet) in log.iter().filter(|(side, _)| *side == 0) {
        let Ok(packet) = packet::Packet::parse_unsummed(packet) else {
            continue;
        };
        for chunk in packet
            .chunks()
            .filter(|c| c.kind == packet::ChunkKind::DATA)
        {
            if let Some(data) = packet::Data::parse(chunk) {
                *counts.entry(data.tsn.0).or_default() += 1;
            }
        }
    }
    counts
}

/// The limit is never passed, what arrives is whole and in order, and the stream goes on.
#[test]
fn retransmissions_are_limited() {
    for_each_seed(40, |seed| {
        let (limit, ordered) = ((seed % 3) as u16, seed % 2 == 0);
        let link = Link::new(seed).delay(ms(20)).loss(percent(20));
        let mut pair = support::pair(seed, link).connected();
        pair.keep();
        for index in 0..60 {
            let size = if index % 4 == 0 { 5000 } else { 300 };
            let how = options(ordered, Reliability::Retransmits(limit));
            pair.say_with(0, 1, pattern(size, index), how);
        }
        // A reliable message after them must come through.
        pair.say(0, 1, b"last");
        let mut got = Vec::new();
        let done = pair.try_until(Duration::from_secs(300), |pair| {
            got.extend(pair.read_all(1, 1));
            pair.ends[0].total_unacknowledged() == 0 && got.iter().any(|m| m.payload == "last")
        });
        assert!(done, "seed {seed}: {} {:?}", got.len(), pair.ends);
        if ordered {
            assert!(got.last().is_some_and(|message| message.payload == "last"));
        }
        let mut next = 0;
        for message in got.iter().filter(|message| message.payload != "last") {
            let found = (0..60).filter(|i| !ordered || *i >= next).find(|i| {
                let size = if i % 4 == 0 { 5000 } else { 300 };
                message.payload == pattern(size, *i)
            });
            assert!(
                found.is_some(),
                "seed {seed}: not whole, twice or out of order"
            );
            next = found.map_or(next, |i| i + 1);
        }
        let stats = pair.ends[0].stats();
        assert!(
            stats.abandoned_sent > 0 || limit > 0,
            "seed {seed}: {stats:?}"
        );
        let counts = transmissions(&pair.kept());
        // The last TSN is the reliable one's.
        let over = counts
            .values()
            .filter(|count| **count > u32::from(limit) + 1)
            .count();
        assert!(
            over <= 1,
            "seed {seed}: {over} chunks passed the limit of {limit}"
        );
    });
}

/// RFC 7496 §3.2: the limit is of what is sent again, not of what is sent.
#[test]
fn each_chunk_is_sent_again_as_often_as_it_may() {
    for limit in 0..4 {
        let mut pair = perfect(1).connected();
        pair.keep();
        pair.filter(|_, _| false);
        pair.say_with(0, 1, b"x", options(true, Reliability::Retransmits(limit)));
        pair.run_for(Duration::from_secs(30));
        let counts = Vec::from_iter(transmissions(&pair.kept()).into_values());
        assert_eq!(counts, [u32::from(limit) + 1]);
    }
}

#[test]
fn lifetimes_are_limited() {
    for_each_seed(20, |seed| {
        let mut pair =
            support::pair(seed, Link::new(seed).delay(ms(20)).loss(percent(10))).connected();
        let start = pair.now;
        for index in 0..2000 {
            let how = options(true, Reliability::Lifetime(ms(150)));
            pair.say_with(0, 1, pattern(2000, index), how);
        }
        let mut last = start;
        pair.try_until(Duration::from_secs(30), |pair| {
            if !pair.read_all(1, 1).is_empty() {
                last = pair.now;
            }
            false
        });
        // What went out within its life may arrive 20 ms later, and wait for what was skipped.
        assert!(last - start < ms(3000), "seed {seed}: {:?}", last - start);
        let stats = pair.ends[0].stats();
        assert!(stats.abandoned_unsent > 0, "seed {seed}: {stats:?}");
        assert_eq!(pair.ends[0].total_unacknowledged(), 0);
        pair.say(0, 1, b"goes on");
        pair.run_for(Duration::from_secs(30));
        assert_eq!(pair.read_all(1, 1).len(), 1, "seed {seed}: {:?}", pair.ends);
    });
}

/// Without loss a limit is never felt, and nothing is sent twice.
#[test]
fn nothing_is_given_up_on_a_good_path() {
    let mut pair = perfect(1).connected();
    for index in 0..50 {
        pair.say_with(
            0,
            1,
            pattern(3000, index),
            options(false, Reliability::Retransmits(0)),
        );
    }
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.read_all(1, 1).len(), 50);
    let stats = pair.ends[0].stats();
    assert_eq!((stats.abandoned_sent, stats.retransmissions), (0, 0));
}

/// The gap that a lost message leaves is skipped within about a round trip of its loss being noticed.
#[test]
fn a_skipped_message_holds_up_nobody_for_long() {
    let mut pair = perfect(2).connected();
    let mut first = true;
    pair.filter(move |side, packet| {
        !(side == 0 && packet.len() > 500 && std::mem::take(&mut first))
    });
    for index in 0..8 {
        pair.say_with(
            0,
            1,
            pattern(1000, index),
            options(true, Reliability::Retransmits(0)),
        );
    }
    let start = pair.now;
    pair.try_until(Duration::from_secs(5), |pair| {
        pair.ends[1].peek(1).is_some()
    });
    assert!(pair.now - start <= ms(40), "{:?}", pair.now - start);
    pair.run_for(ms(500));
    assert_eq!(pair.read_all(1, 1).len(), 7);
}

/// RFC 3758 §3.5: where a full queue has lost many packets, the messages between them do not wait a round trip for each that was lost.
#[test]
fn what_was_given_up_holds_up_the_others_for_a_few_round_trips() {
    for interleaving in [false, true] {
        let config = || Config::default().interleaving(interleaving);
        // A quarter of a bandwidth-delay product waits in the queue.
        let link = Link::new(7).delay(ms(50)).rate(mbps(10)).queue(31_000);
        let mut pair = support::interleaving_pair(1, link, [config(), config()]).connected();
        let (start, mut latest) = (pair.now, Duration::ZERO);
        while pair.now - start < Duration::from_secs(8) {
            while pair.ends[0].buffered_amount(1) < 64_000 {
                let at = (pair.now - start).as_micros() as u64;
                let mut payload = Vec::from(at.to_be_bytes());
                payload.resize(1000, 0);
                let once = options(true, Reliability::Retransmits(0));
                pair.say_with(0, 1, payload, once);
            }
            pair.run_for(ms(10));
            for message in pair.read_all(1, 1) {
                let at = u64::from_be_bytes(*message.payload.first_chunk().unwrap());
                let age = pair.now - start - Duration::from_micros(at);
                latest = latest.max(age);
            }
        }
        assert!(pair.ends[0].stats().abandoned_sent > 50, "a queue was full");
        assert!(latest < ms(600), "{latest:?}");
    }
}

/// The same beside a reliable channel, of which much has come between: what was given up is not passed over one a round trip.
#[test]
fn what_was_given_up_between_reliable_messages_holds_up_nobody() {
    for (seed, reliability) in [
        (1, Reliability::Retransmits(0)),
        (2, Reliability::Lifetime(ms(300))),
    ] {
        let link = Link::new(seed).delay(ms(100)).loss(percent(5));
        let mut pair = support::pair(seed, link).connected();
        let (start, mut latest) = (pair.now, Duration::ZERO);
        for _ in 0..125 * 20 {
            let at = (pair.now - start).as_micros() as u64;
            pair.say_with(0, 1, at.to_be_bytes(), options(true, reliability));
            pair.say(0, 2, [1; 100]);
            pair.run_for(ms(8));
            pair.read_all(1, 2);
            for message in pair.read_all(1, 1) {
                let at = u64::from_be_bytes(*message.payload.first_chunk().unwrap());
                latest = latest.max(pair.now - start - Duration::from_micros(at));
            }
        }
        assert!(latest < ms(1200), "{reliability:?}: {latest:?}");
    }
}

/// What waits to be sent again is not when its time is over, though nobody has served the timer that says so.
#[test]
fn a_late_owner_sends_nothing_that_is_over() {
    let mut pair = perfect(1).connected();
    let lifetime = Reliability::Lifetime(Duration::from_secs(2));
    pair.say_with(0, 1, b"x".to_vec(), options(true, lifetime));
    assert_eq!(pair.take_packets(0).len(), 1);
    let sent = pair.ends[0].stats().data_chunks_sent;
    pair.now += Duration::from_millis(1500);
    pair.ends[0].handle_timeout(pair.now);
    pair.now += Duration::from_secs(1);
    pair.take_packets(0);
    let stats = pair.ends[0].stats();
    assert_eq!((stats.data_chunks_sent, stats.abandoned_sent), (sent, 1));
}

/// RFC 9260 §7.2: who lives shorter than what it meets on its way keeps to the window all the same, and on a path that is dead to the
/// doubled timeout.
#[test]
fn short_lives_keep_to_the_window() {
    for control in CONTROLS {
        for reliability in [
            Reliability::Reliable,
            Reliability::Lifetime(ms(100)),
            Reliability::Lifetime(ms(50)),
            Reliability::Lifetime(ms(20)),
        ] {
            let config = || {
                Config::default()
                    .congestion_control(control)
                    .send_buffer(400_000)
            };
            let link = Link::new(1).delay(ms(25)).rate(mbps(1)).queue(12_500);
            let mut pair = support::pair_with(1, link, config(), config()).connected();
            let how = options(false, reliability);
            let offer = |pair: &mut support::Pair, time: u64| {
                let before = pair.ends[0].stats().packets_sent;
                for _ in 0..time / 5 {
                    for _ in 0..10 {
                        let payload = Bytes::from_static(&[1; 1000]);
                        let _ = pair.ends[0].send(pair.now, 1, 53, payload, how);
                    }
                    pair.run_for(ms(5));
                    pair.read_all(1, 1);
                }
                pair.ends[0].stats().packets_sent - before
            };
            // 16 Mbit/s are offered, of which the path carries 120 packets a second.
            let sent = offer(&mut pair, 10_000);
            assert!(sent < 1500, "{control:?}, {reliability:?}: {sent}");
            pair.wire.set_up(false);
            let sent = [5000, 20_000].map(|time| offer(&mut pair, time));
            assert!(sent[1] < 60, "{control:?}, {reliability:?}: {sent:?}");
        }
    }
}

/// RFC 9260 §6.3.3 E2: where nothing but a FORWARD TSN waits for an answer, its timeout is doubled too, and as much time passes before
/// the association is given up.
#[test]
fn a_forward_tsn_is_asked_for_less_and_less() {
    for reliability in [
        Reliability::Reliable,
        Reliability::Lifetime(ms(100)),
        Reliability::Retransmits(0),
    ] {
        for consent in [true, false] {
            let link = Link::new(1).delay(ms(10));
            let mut pair = support::pair(1, link).connected();
            pair.say(0, 1, b"x");
            pair.run_for(ms(500));
            pair.wire.set_up(false);
            pair.ends[0].set_consent(consent);
            let before = pair.ends[0].stats().packets_sent;
            pair.say_with(0, 1, b"x", options(true, reliability));
            pair.run_for(Duration::from_secs(20));
            let sent = pair.ends[0].stats().packets_sent - before;
            assert!(sent < 20, "{reliability:?}: {sent}");
            assert!(pair.ends[0].is_established(), "{reliability:?}");
            pair.run_for(Duration::from_secs(20));
            let lives = pair.ends[0].is_established();
            assert_eq!(lives, consent, "{reliability:?}");
        }
    }
}

/// RFC 8985 §7: what is lost at the end of all that was sent and may not go again is not waited for until a timeout: the probe that asks
/// is the FORWARD TSN that passes over it, and that goes when its life is over if that is sooner.
#[test]
fn the_end_of_an_unreliable_channel_is_passed_over_soon() {
    for (count, reliability, most) in [
        (1, Reliability::Lifetime(ms(100)), 250),
        (7, Reliability::Lifetime(ms(100)), 250),
        (1, Reliability::Lifetime(ms(300)), 420),
        (1, Reliability::Retransmits(0), 530),
        (7, Reliability::Retransmits(0), 330),
    ] {
        let link = Link::new(1).delay(ms(50));
        let mut pair = support::pair(1, link).connected();
        for _ in 0..10 {
            // Two packets, which are acknowledged at once.
            pair.say(0, 1, [1; 2000]);
            pair.run_for(ms(200));
        }
        pair.filter(|_, _| false);
        for index in 0..count {
            pair.say_with(0, 1, pattern(1000, index), options(true, reliability));
        }
        pair.run_for(ms(5));
        pair.tap = None;
        pair.ends[0].reset_streams(pair.now, &[1]).unwrap();
        let start = pair.now;
        let done = pair.try_until(Duration::from_secs(5), |pair| {
            let reset = oxirtc_sctp::Event::OutgoingReset { stream: 1 };
            pair.main_events(0).contains(&reset)
        });
        let took = pair.now - start;
        assert!(
            done && took < ms(most),
            "{count}, {reliability:?}: {took:?}"
        );
    }
}
