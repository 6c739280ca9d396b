//! Messages that are given up.

use super::*;

/// A message's place is taken by another once it is acknowledged, and so is not its deadline.
#[test]
fn a_deadline_dies_with_its_message() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.push(1, 300, Reliability::Lifetime(MS * 100));
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(2, &[]);
    bench.queue(1, 400);
    assert_eq!(bench.packets(), [[3]]);
    bench.now += MS * 60;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 0);
    assert_eq!(bench.sender.queue.unacknowledged(1), 400);
}

/// RFC 3758 §4.1: a life that is over is over, whatever stands before the message in its packet.
#[test]
fn a_lifetime_ends_behind_what_is_reliable() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 400);
    bench.push(1, 300, Reliability::Lifetime(MS * 100));
    assert_eq!(bench.packets(), [[2, 3]]);
    bench.wait(MS * 120);
    assert_eq!(bench.stats.abandoned_sent, 1);
    bench.now += MS * 500;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]], "the other one lives on");
}

/// What the peer has is not given up, though its SACK says so beyond a gap.
#[test]
fn what_has_arrived_outlives_its_life() {
    let mut bench = Bench::under_way(1);
    bench.push(1, 1084, Reliability::Lifetime(MS * 100));
    bench.packets();
    bench.sack(1, &[(2, 2)]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 0);
}

/// A message whose life ends midway takes its rest with it; one TSN more, which is never sent, makes the peer skip it.
#[test]
fn a_lifetime_ends_midway() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.push(1, 100_000, Reliability::Lifetime(MS * 30));
    bench.queue(1, 500);
    let sent = bench.packets().concat();
    let last = *sent.last().unwrap();
    assert!(sent.len() < 20, "not all of it");
    bench.now += MS * 31;
    assert_eq!(
        bench.packets().concat(),
        [],
        "what is in flight is so still"
    );
    assert_eq!(bench.stats.abandoned_sent, 1);
    bench.now += MS * 20;
    bench.sack(last - 1, &[]);
    let next = bench.packets().concat();
    assert_eq!(
        next,
        [last + 2],
        "the message behind it, after one that is skipped"
    );
    assert_eq!(bench.sender.queue.unacknowledged(1), 500);
    // The peer has all that was sent: only the skip moves it on.
    bench.now += MS * 20;
    bench.sack(last, &[(2, 2)]);
    let mut buf = Vec::new();
    bench.sender.skip.write(bench.now, &mut buf, 1000);
    let skip = crate::packet::ForwardTsn::parse(&buf[4..]).unwrap();
    assert_eq!(skip.cumulative, Tsn(last + 1));
    assert_eq!(Vec::from_iter(skip.streams()), [(1, crate::Ssn(1))]);
}

/// What was given up is not sent again, though the peer takes back what it had of it.
#[test]
fn what_was_given_up_is_not_taken_up_again() {
    let mut bench = Bench::under_way(1);
    bench.push(1, 3000, Reliability::Lifetime(MS * 100));
    assert_eq!(bench.packets(), [[3], [4], [5]]);
    bench.sack(2, &[(2, 2)]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 1);
    bench.sack(3, &[]);
    assert!(bench.packets().is_empty());
}

/// RFC 3758 §3.5 F3: what the peer has not followed is said again once a round trip, and not with each of its SACKs; and only of
/// streams whose messages it has not passed.
#[test]
fn a_skip_is_said_once_a_round_trip() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    for stream in [2, 3] {
        bench.push(stream, 1000, Reliability::Lifetime(MS * 100));
    }
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    // They may have come as long as they are not lost.
    bench.sender.send_again(bench.now, &mut bench.stats);
    let said = |bench: &mut Bench| {
        let mut buf = Vec::new();
        bench.sender.skip.write(bench.now, &mut buf, 1000);
        let skip = buf.get(4..).and_then(crate::packet::ForwardTsn::parse)?;
        Some(Vec::from_iter(skip.streams().map(|(stream, _)| stream)))
    };
    assert_eq!(said(&mut bench), Some(vec![2, 3]));
    for (wait, expected) in [(1, None), (40, None), (9, Some(vec![2, 3])), (1, None)] {
        bench.now += MS * wait;
        bench.sack(1, &[]);
        assert_eq!(said(&mut bench), expected, "{wait}");
    }
    bench.now += MS * 50;
    bench.sack(2, &[]);
    assert_eq!(said(&mut bench), Some(vec![3]));
}
