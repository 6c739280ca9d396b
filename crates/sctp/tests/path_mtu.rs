//! How long a packet the path carries (RFC 8899), in simulated time.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{End, Link, mbps};
use oxirtc_sctp::{
    Config, Event, SendOptions,
    packet::{ChunkKind, Data, Packet},
};
use support::{Pair, Sides, kinds, ms, pattern, perfect};

/// What a datagram of 1,472 bytes leaves to SCTP.
const CEILING: usize = 1432;
const SAFE: usize = 1112;

fn path(mtu: Option<usize>) -> Pair {
    let link = Link::new(7).delay(ms(10)).rate(mbps(2));
    let mut pair = support::pair(7, link).connected();
    pair.wire.there = narrowed(&pair.wire.there, mtu);
    pair.ends[0].room = CEILING + 3;
    pair.keep();
    pair.ends[0].path_changed(CEILING);
    pair
}

fn narrowed(link: &Link, mtu: Option<usize>) -> Link {
    link.clone().mtu(mtu.unwrap_or(usize::MAX))
}

/// Sends for so long as fast as the path takes it, and reads; the longest time in which nothing came.
fn bulk(pair: &mut Pair, time: Duration) -> Duration {
    let end = pair.now + time;
    let payload = Bytes::from(pattern(20_000, 3));
    let (mut last, mut silence) = (pair.now, Duration::ZERO);
    while pair.now < end {
        while pair.ends[0].total_unacknowledged() < 40_000 {
            let (payload, options) = (payload.clone(), SendOptions::default());
            pair.ends[0]
                .send(pair.now, 1, 53, payload, options)
                .unwrap();
        }
        let until = (end - pair.now).min(ms(20));
        pair.run_for(until);
        for message in pair.read_all(1, 1) {
            assert_eq!(message.payload, payload);
            silence = silence.max(pair.now - last);
            last = pair.now;
        }
    }
    silence.max(pair.now - last)
}

fn size(pair: &Pair) -> usize {
    pair.ends[0].stats().max_packet as usize
}

fn longest(pair: &Pair) -> usize {
    let sent = pair.sent.as_ref().unwrap().iter();
    let data = sent.filter(|it| it.from == End::A && !is_probe(&it.datagram));
    data.map(|it| it.datagram.len()).max().unwrap()
}

fn is_probe(packet: &[u8]) -> bool {
    kinds(packet) == [ChunkKind::HEARTBEAT, ChunkKind::PAD]
}

/// A system that knows what its link carries says so at once: no probe waits for its timeout, nothing is sent three times, and what
/// passes is found in one round trip a step.
#[test]
fn what_the_system_refuses_is_known_at_once() {
    let mut pair = path(None);
    let most = 1300;
    let refused = Rc::new(RefCell::new(Vec::new()));
    let lengths = refused.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        let passes = from == End::B || datagram.len() <= most;
        if !passes {
            lengths.borrow_mut().push(datagram.len());
        }
        passes
    }));
    let mut known = 0;
    let begun = pair.now;
    while pair.now < begun + Duration::from_secs(1) {
        bulk(&mut pair, ms(5));
        for length in refused.borrow_mut().drain(..) {
            known += 1;
            let now = pair.now;
            pair.ends[0].handle_too_long(now, length);
        }
    }
    let stats = pair.ends[0].stats();
    assert!(size(&pair) <= most && size(&pair) > most - 20, "{stats:?}");
    assert!(stats.path_probes < 10, "each size once: {stats:?}");
    assert_eq!(stats.path_probe_losses, known);
    assert_eq!(stats.retransmission_timeouts, 0, "{stats:?}");
    // A link that becomes narrower has data refused: it goes on in packets that every path carries, and the rest is found again.
    pair.tap = None;
    let now = pair.now;
    let length = size(&pair);
    pair.ends[0].handle_too_long(now, length);
    assert_eq!(size(&pair), SAFE);
    bulk(&mut pair, Duration::from_secs(1));
    assert!(size(&pair) > SAFE && size(&pair) < most);
}

#[test]
fn a_path_that_carries_all_is_found_with_one_probe() {
    let mut pair = path(None);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(pair.ends[0].probes.len(), 1);
    assert_eq!((size(&pair), longest(&pair)), (CEILING, CEILING));
    let log = pair.kept();
    let (_, probe) = log
        .iter()
        .find(|(side, packet)| *side == 0 && is_probe(packet))
        .unwrap();
    assert_eq!(probe.len(), CEILING);
    // The answer is as short as any.
    let answer = log
        .iter()
        .find(|(side, packet)| *side == 1 && kinds(packet).contains(&ChunkKind::HEARTBEAT_ACK));
    assert!(answer.unwrap().1.len() < 100);
    // Messages that are cut fill every packet, each piece of which would fit a packet of the old size.
    let long = log
        .iter()
        .filter(|(_, packet)| packet.len() == CEILING && !is_probe(packet));
    assert!(long.clone().count() > 250);
    for (_, packet) in long {
        let packet = Packet::parse_unsummed(packet).unwrap();
        // Two pieces, and the end of the message before.
        assert!((2..=3).contains(&packet.chunks().count()));
        assert!(packet.chunks().all(|chunk| chunk.padded_len() <= SAFE - 12));
    }
}

/// A datagram that is shorter than those before it ends a batch of the kernel's.
#[test]
fn packets_of_messages_that_are_cut_are_equally_long() {
    let mut pair = path(None);
    for more in 0..200 {
        let payload = Bytes::from(pattern(16_384 + 7 * more, 3));
        let options = SendOptions::default();
        let sent = pair.ends[0].send(pair.now, 1, 53, payload, options);
        sent.unwrap();
    }
    pair.run_for(Duration::from_secs(20));
    assert_eq!(pair.read_all(1, 1).len(), 200);
    let log = pair.kept();
    // What is sent again is short on purpose.
    let mut highest = None;
    let mut is_new = |packet: &[u8]| {
        let packet = Packet::parse_unsummed(packet).unwrap();
        let data = packet.chunks().filter(|it| it.kind == ChunkKind::DATA);
        let tsns = data.map(|it| Data::parse(it).unwrap().tsn);
        let before = highest;
        highest = tsns.fold(before, |it, tsn| {
            if it.is_none_or(|it| tsn > it) {
                Some(tsn)
            } else {
                it
            }
        });
        highest != before
    };
    let data = log.iter().filter(|(side, packet)| {
        *side == 0 && packet.len() > 100 && !is_probe(packet) && is_new(packet)
    });
    let wide = data.skip_while(|(_, packet)| packet.len() < CEILING);
    let (full, other): (Vec<_>, Vec<_>) = wide.partition(|(_, packet)| packet.len() == CEILING);
    let (full, other) = (full.len(), other.len());
    assert!(full > 2000 && other * 100 < full, "{other} beside {full}");
}

#[test]
fn what_the_path_bears_is_found_from_above() {
    for mtu in [1120, 1200, 1301, 1420, 1431] {
        let mut pair = path(Some(mtu));
        bulk(&mut pair, Duration::from_secs(40));
        let (found, stats) = (size(&pair), pair.ends[0].stats());
        assert!(
            found <= mtu && mtu - found <= 19 || found == SAFE,
            "{found} of {mtu}"
        );
        // A few bytes more are no room for a second piece.
        let used = if found < SAFE + 80 { SAFE } else { found };
        assert_eq!(longest(&pair), used, "{mtu}");
        // RFC 8899 §3: a lost probe is no sign of congestion. Nothing else was lost.
        let lost = (
            stats.retransmissions,
            stats.fast_recoveries,
            stats.retransmission_timeouts,
            stats.black_holes,
        );
        assert_eq!(lost, (0, 0, 0, 0), "{mtu}");
        assert!(
            stats.path_probe_losses > 0 && stats.path_probe_losses.is_multiple_of(3),
            "{mtu}: {stats:?}"
        );
        // RFC 8899 §5.1.1: a second at least between probes that stay without an answer.
        for pair in pair.ends[0].probes.windows(2) {
            let ((first, at), (second, again)) = (pair[0], pair[1]);
            assert!(at != again || second - first >= Duration::from_secs(1));
        }
    }
}

#[test]
fn nothing_is_probed_without_need() {
    // Little is sent.
    let mut pair = path(None);
    for _ in 0..100 {
        pair.say(0, 1, pattern(500, 1));
        pair.run_for(ms(200));
        pair.read_all(1, 1);
    }
    assert_eq!(pair.ends[0].probes, []);
    // The path is known to carry no more, or nothing is known of it.
    for longest in [None, Some(SAFE), Some(0)] {
        let mut pair = perfect(1).connected();
        if let Some(longest) = longest {
            pair.ends[0].path_changed(longest);
        }
        bulk(&mut pair, Duration::from_secs(2));
        assert_eq!((pair.ends[0].probes.len(), size(&pair)), (0, SAFE));
    }
    // Nobody is known to listen.
    let mut pair = path(None);
    pair.ends[0].set_consent(false);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(pair.ends[0].probes, []);
    pair.ends[0].set_consent(true);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(pair.ends[0].probes.len(), 1);
}

#[test]
fn a_path_that_swallows_long_packets_is_noticed() {
    let mut pair = path(None);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(size(&pair), CEILING);
    pair.wire.there = narrowed(&pair.wire.there, Some(1200));
    let fell = pair.now;
    let silence = bulk(&mut pair, Duration::from_secs(20));
    assert!(silence < Duration::from_secs(2), "{silence:?}");
    let stats = pair.ends[0].stats();
    assert_eq!((size(&pair), stats.black_holes), (SAFE, 1), "{stats:?}");
    // It was asked whether it was that, and then left in peace for a minute.
    let asked = |pair: &Pair, since: Instant| {
        let probes = pair.ends[0].probes.iter().filter(|(at, _)| *at > since);
        Vec::from_iter(probes.map(|(at, size)| (at.duration_since(fell).as_secs(), *size)))
    };
    let first = asked(&pair, fell);
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(first.iter().all(|(_, size)| *size == CEILING));
    // The path is as it was.
    pair.wire.there = narrowed(&pair.wire.there, None);
    bulk(&mut pair, Duration::from_secs(35));
    assert_eq!(size(&pair), SAFE);
    bulk(&mut pair, Duration::from_secs(15));
    assert_eq!(size(&pair), CEILING);
    assert_eq!(pair.ends[0].stats().black_holes, 1);
}

/// A burst of losses at the end of a flight looks the same, for one round trip.
#[test]
fn a_burst_of_losses_is_no_black_hole() {
    let mut pair = path(None);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(size(&pair), CEILING);
    // All long packets are lost for a short while, and the short ones are not.
    let swallow = Rc::new(Cell::new(true));
    let on = swallow.clone();
    pair.filter(move |side, packet| side != 0 || !on.get() || packet.len() <= SAFE);
    for _ in 0..5 {
        pair.say(0, 1, pattern(20_000, 3));
    }
    let fell = |pair: &mut Pair| pair.ends[0].stats().black_holes > 0;
    let settled = pair.try_until(Duration::from_secs(5), fell);
    assert!(settled);
    swallow.set(false);
    bulk(&mut pair, Duration::from_secs(3));
    assert_eq!(
        (size(&pair), pair.ends[0].stats().black_holes),
        (CEILING, 1)
    );
}

/// A few that are missing at the end are a loss like any other.
#[test]
fn a_few_losses_are_no_black_hole() {
    let mut pair = path(None);
    bulk(&mut pair, Duration::from_secs(2));
    pair.run_for(Duration::from_secs(1));
    pair.read_all(1, 1);
    pair.filter(|side, packet| side != 0 || packet.len() <= SAFE);
    pair.say(0, 1, pattern(6000, 3));
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.read_all(1, 1).len(), 1);
    let stats = pair.ends[0].stats();
    assert!(stats.retransmissions >= 5 && stats.retransmission_timeouts == 0);
    assert_eq!((size(&pair), stats.black_holes), (CEILING, 0));
}

/// Nothing that repairs or steers goes where it could vanish.
#[test]
fn only_new_data_goes_in_long_packets() {
    let mut pair = path(None);
    pair.wire.there = pair.wire.there.clone().loss(oxirtc_netsim::percent(1));
    pair.wire.back = pair.wire.back.clone().loss(oxirtc_netsim::percent(1));
    // Data in both directions, so that there is much to acknowledge on the way.
    for _ in 0..100 {
        pair.say(0, 1, pattern(30_000, 3));
        pair.say(1, 1, pattern(10_000, 3));
        pair.run_for(ms(80));
        pair.read_all(0, 1);
        pair.read_all(1, 1);
    }
    pair.ends[0].reset_streams(pair.now, &[1]).unwrap();
    pair.run_for(Duration::from_secs(2));
    // Each of many losses has a long packet behind it that arrives.
    let holes = pair.ends[0].stats().black_holes;
    assert_eq!((size(&pair), holes), (CEILING, 0));
    let (mut seen, mut again, mut long) = (BTreeSet::new(), 0, 0);
    for (_, packet) in pair.kept().iter().filter(|(side, _)| *side == 0) {
        let chunks = Packet::parse_unsummed(packet).unwrap().chunks();
        for chunk in chunks {
            let Some(data) = (chunk.kind == ChunkKind::DATA).then(|| Data::parse(chunk).unwrap())
            else {
                assert!(
                    packet.len() <= SAFE || is_probe(packet),
                    "{:?}",
                    kinds(packet)
                );
                continue;
            };
            let new = seen.insert(data.tsn.0);
            again += u32::from(!new);
            assert!(new || packet.len() <= SAFE);
            long += u32::from(packet.len() > SAFE);
        }
    }
    assert!(again > 10 && long > 400, "{again}, {long}");
}

/// As those are that do not know PAD and drop the packet.
#[test]
fn a_peer_that_does_not_answer_keeps_what_there_is() {
    let mut pair = path(None);
    pair.filter(|side, packet| side != 0 || !is_probe(packet));
    bulk(&mut pair, Duration::from_secs(60));
    let stats = pair.ends[0].stats();
    assert_eq!(
        (size(&pair), stats.path_probe_losses),
        (SAFE, stats.path_probes)
    );
    // From the ceiling down by halves, three times each, and then not for ten minutes.
    assert!(stats.path_probes <= 18, "{stats:?}");
    assert!(pair.ends[0].is_established());
    assert!(
        !pair
            .events(0)
            .iter()
            .any(|it| matches!(it, Event::Failed { .. }))
    );
}

/// RFC 9260 §8.1: the answer to a probe sets the count of errors back, as any acknowledgement does.
#[test]
fn an_answered_probe_shows_that_the_peer_is_there() {
    for answered in [true, false] {
        let link = Link::new(7).delay(ms(10));
        let config = || Config::default().max_retransmissions(Some(1));
        let mut pair = support::pair_with(7, link, config(), config()).connected();
        for _ in 0..200 {
            pair.say(0, 1, pattern(1000, 0));
        }
        pair.run_for(ms(200));
        // Data does not come through any more.
        pair.filter(move |side, packet| answered && (side == 1 || is_probe(packet)));
        pair.say(0, 1, pattern(1000, 0));
        let timeouts =
            |count| move |pair: &mut Pair| pair.ends[0].stats().retransmission_timeouts == count;
        pair.run_until(Duration::from_secs(5), timeouts(1));
        // Another path begins to count anew.
        pair.ends[0].room = CEILING;
        pair.ends[0].path_changed(CEILING);
        pair.run_until(Duration::from_secs(5), timeouts(3));
        assert_eq!(pair.ends[0].is_established(), answered);
    }
}

#[test]
fn another_path_begins_anew() {
    let mut pair = path(None);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(size(&pair), CEILING);
    pair.ends[0].path_changed(CEILING - 50);
    assert_eq!(size(&pair), SAFE);
    bulk(&mut pair, Duration::from_secs(2));
    assert_eq!(size(&pair), (CEILING - 50) & !3);
    assert_eq!(pair.ends[0].probes.len(), 2);
}

/// RFC 8899 §5.1.1, PMTU_RAISE_TIMER.
#[test]
fn a_path_that_has_become_better_is_found_after_ten_minutes() {
    let mut pair = path(Some(1300));
    pair.sent = None;
    bulk(&mut pair, Duration::from_secs(30));
    let (found, probes) = (size(&pair), pair.ends[0].probes.len());
    assert!((1281..=1300).contains(&found), "{found}");
    pair.wire.there = narrowed(&pair.wire.there, None);
    // Silence, and then much again.
    pair.run_for(Duration::from_secs(500));
    bulk(&mut pair, Duration::from_secs(5));
    assert_eq!((size(&pair), pair.ends[0].probes.len()), (found, probes));
    pair.run_for(Duration::from_secs(100));
    bulk(&mut pair, Duration::from_secs(5));
    assert_eq!(
        (size(&pair), pair.ends[0].probes.len()),
        (CEILING, probes + 1)
    );
}
