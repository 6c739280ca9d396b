//! Messages that live for a time (RFC 7496 §3.1): which of them begin, and when one is over that has left.

mod support;

use std::time::Duration;

use oxirtc_netsim::{Link, mbps, percent};
use oxirtc_sctp::{Config, CongestionControl, Reliability, SendOptions};

use support::{Pair, Sides, ms};

const CONTROLS: [CongestionControl; 3] = [
    CongestionControl::NewReno,
    CongestionControl::Cubic,
    CongestionControl::Bbr,
];

/// Unordered, with so many milliseconds to live.
fn living(life: u64) -> SendOptions {
    SendOptions {
        ordered: false,
        reliability: Reliability::Lifetime(ms(life)),
    }
}

/// Says so much as often as this; how many have come.
fn say_each(
    pair: &mut Pair,
    time: u64,
    count: usize,
    length: usize,
    options: SendOptions,
) -> usize {
    let mut got = 0;
    for _ in 0..count {
        pair.say_with(0, 1, vec![7; length], options);
        pair.run_for(ms(time));
        got += pair.read_all(1, 1).len();
    }
    got
}

/// A message that would not have left when its life is over does not begin, as what left of it would be in vain and the next one would be
/// as late.
#[test]
fn what_cannot_leave_in_its_life_does_not_begin() {
    // Five sixths of what is offered have room, and at that loss and round trip about a third.
    let slow = |queue| Link::new(1).delay(ms(50)).rate(mbps(1)).queue(queue);
    let lossy = Link::new(1).delay(ms(50)).loss(percent(5));
    let paths = [
        (slow(25_000), true, 170),
        (slow(100_000), false, 160),
        (lossy, false, 50),
    ];
    for control in CONTROLS {
        for interleaving in [false, true] {
            for (link, ordered, least) in paths.clone() {
                let config = || {
                    let config = Config::default().congestion_control(control);
                    config.interleaving(interleaving)
                };
                let sides = [config(), config()];
                let mut pair = support::interleaving_pair(1, link, sides).connected();
                let how = SendOptions {
                    ordered,
                    ..living(400)
                };
                let got = say_each(&mut pair, 80, 250, 12_000, how);
                assert!(got >= least, "{control:?}, {interleaving}: {got} of 250");
            }
        }
    }
}

/// Small messages beside it keep something under way: the window grows all the same, as it begins when it is its turn, and not only when
/// the window as it is would do.
#[test]
fn a_long_message_begins_beside_small_ones() {
    for (length, round_trip) in [(60_000, 200), (200_000, 100), (250_000, 50)] {
        let link = Link::new(1).delay(ms(round_trip / 2)).rate(mbps(100));
        let mut pair = support::pair(1, link.queue(2_500_000)).connected();
        let mut got = 0;
        for tick in 0..50 * 30 {
            pair.say(0, 2, [1; 100]);
            if tick % 50 == 25 {
                pair.say_with(0, 1, vec![7; length], living(600));
            }
            pair.run_for(ms(20));
            pair.read_all(1, 2);
            got += pair.read_all(1, 1).len();
        }
        assert!(got >= 29, "{length} bytes, {round_trip} ms: {got} of 30");
    }
}

/// Where nothing waits behind it nobody is better off if it does not begin, and the window stays small: each that had waited for half of its
/// life was given up, and the one before it died on its way, for ever.
#[test]
fn a_message_that_waits_alone_begins() {
    for life in [480, 500, 520] {
        let config = || Config::default().congestion_control(CongestionControl::NewReno);
        let link = Link::new(1).delay(ms(100)).rate(mbps(1)).queue(6250);
        let mut pair = support::interleaving_pair(1, link, [config(), config()]).connected();
        let got = say_each(&mut pair, 342, 300, 30_000, living(life));
        assert!(got >= 120, "{life}: {got} of 300");
    }
}

/// What waits on other streams for a short time, and a recovery, are no reason not to begin.
#[test]
fn a_message_with_much_time_begins() {
    let link = |queue| Link::new(5).delay(ms(10)).rate(mbps(10)).queue(queue);
    let mut pair = support::pair(1, link(25_000)).connected();
    let got = say_each(&mut pair, 100, 300, 62_500, living(1000));
    assert_eq!(got, 300, "half of the path is asked for");
    for interleaving in [false, true] {
        let config = || Config::default().interleaving(interleaving);
        let sides = [config(), config()];
        let mut pair = support::interleaving_pair(1, link(100_000), sides).connected();
        let mut got = 0;
        for _ in 0..20 {
            pair.say_with(0, 1, [7; 30_000], living(300));
            for stream in 2..32 {
                pair.say(0, stream, [1; 100]);
            }
            pair.run_for(ms(500));
            got += pair.read_all(1, 1).len();
        }
        assert_eq!(got, 20, "{interleaving}");
    }
}

/// What is over when its acknowledgement is on its way has come, however much the path's delay varies: nothing is reduced for it.
#[test]
fn a_life_that_ends_on_its_way_reduces_nothing() {
    let varying = Link::new(3).delay(ms(50)).jitter(ms(80));
    let queue = Link::new(5).delay(ms(10)).rate(mbps(1)).queue(10_000);
    for (link, time, length, life) in [(varying, 400, 6000, 150), (queue, 100, 6250, 50)] {
        let mut pair = support::pair(1, link).connected();
        let got = say_each(&mut pair, time, 200, length, living(life));
        let stats = pair.ends[0].stats();
        assert_eq!((got, stats.fast_recoveries), (200, 0), "{life} ms");
    }
}

/// A message is alive for all of its life, which may be none (`maxPacketLifeTime` of 0).
#[test]
fn no_life_is_for_once() {
    let mut pair = support::pair(1, Link::new(5).delay(ms(10))).connected();
    assert_eq!(say_each(&mut pair, 100, 10, 100, living(0)), 10);
    pair.filter(|_, _| false);
    say_each(&mut pair, 100, 1, 100, living(0));
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.ends[0].stats().retransmissions, 0);
}
