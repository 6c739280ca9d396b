//! What is said of what we sent.

use std::time::Duration;

use oxirtc_sctp::{CongestionControl, Reliability, SendOptions, Tsn, packet::Sack};

use crate::{Attack, MUCH, drain, steps, support::Sides as _, under_way, victim::Victim};

/// SACKs of more and more that is under way.
pub(crate) fn attacks() -> Vec<Attack> {
    let sack = |name, prepare, packet| Attack {
        victim: Victim::sending,
        ..Attack::beside(name, MUCH, prepare, packet).once()
    };
    vec![
        sack("SACK of all that is under way", under_way, |v, buf, _| {
            acknowledge(buf, v.last.advanced(v.sent), &[]);
        }),
        sack("SACK of all but the first", under_way, |v, buf, _| {
            acknowledge(buf, v.last, &[(2, v.sent as u16)]);
        }),
        sack("SACK of the last alone", under_way, |v, buf, _| {
            let last = v.sent as u16;
            acknowledge(buf, v.last, &[(last - 9, last)]);
        }),
        sack(
            "SACK that closes a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
        sack(
            "SACK that takes back what was beyond a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.next(), &[]),
        ),
        sack(
            "SACK that opens a window which messages have outlived",
            outlived,
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
        sack("SACK of every second piece", pieces, |v, buf, _| {
            every_second(v, buf, 0, 280);
        }),
        sack(
            "SACKs beside messages that were given up",
            given_up,
            |v, buf, _| {
                for _ in 0..73 {
                    acknowledge(buf, v.last, &[]);
                }
            },
        ),
        sack(
            "SACKs that pass over messages that were given up, one by one",
            given_up,
            |v, buf, _| {
                for passed in 1..=v.sent.min(73) {
                    acknowledge(buf, v.last.advanced(passed), &[]);
                }
            },
        ),
        Attack {
            victim: |config| Victim::sending(config.congestion_control(CongestionControl::Bbr)),
            ..Attack::beside(
                "SACK of packets of a message each, of which a model knows",
                MUCH,
                one_by_one,
                |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
            )
            .once()
        },
    ]
}

/// So many packets of one message each are under way.
fn one_by_one(victim: &mut Victim, state: usize) {
    // A model had it all delivered before it was read.
    victim.pair.read_all(1, 60);
    victim.pair.run_for(Duration::from_millis(50));
    let before = victim.pair.ends[0].stats().data_chunks_sent;
    for message in 0..state {
        victim.pair.say(0, (message % 7) as u16, b"x");
    }
    for _ in 0..40 {
        victim.pair.now += Duration::from_millis(1);
        let (now, side) = (victim.pair.now, &mut victim.pair.ends[0]);
        side.handle_timeout(now);
        while side.poll_transmit(now, 36, &mut Vec::new()) {}
    }
    victim.sent = (victim.pair.ends[0].stats().data_chunks_sent - before) as u32;
    assert_eq!(victim.sent as usize, state);
    victim.pair.now += Duration::from_millis(25);
}

/// Of long packets.
pub(crate) fn long() -> Vec<Attack> {
    let sack = |name, prepare, packet| Attack {
        victim: Victim::sending,
        ..Attack::beside(name, 300, prepare, packet).once()
    };
    vec![
        sack(
            "long: SACKs with duplicates of what was sent again",
            sent_again,
            |v, buf, _| {
                for first in (0..4000).step_by(400) {
                    let last = v.last.0.wrapping_add(v.sent - 10);
                    let duplicates = (first..first + 400).map(|it| Tsn(last.wrapping_sub(it)));
                    let (head, none) = ((v.last, 1 << 20), std::iter::empty());
                    Sack::write(buf, 16_300, head, none, duplicates);
                }
            },
        ),
        sack("long: SACKs of every second piece", pieces, |v, buf, _| {
            for first in 0..10 {
                every_second(v, buf, first * 800, 400);
            }
        }),
        sack(
            "long: SACKs of every second piece, which is known",
            |v, state| {
                pieces(v, state);
                let mut buf = Vec::new();
                every_second(v, &mut buf, 0, 400);
                v.put(|it| it.append(&mut buf));
                steps(v);
            },
            |v, buf, _| {
                for _ in 0..10 {
                    every_second(v, buf, 0, 400);
                }
            },
        ),
    ]
}

/// As much as the window lets of so many pieces, of which the last have come, is sent again.
fn sent_again(v: &mut Victim, state: usize) {
    under_way(v, state);
    let (first, last) = (v.last, v.sent as u16);
    v.put(|buf| acknowledge(buf, first, &[(last - 9, last)]));
    steps(v);
    for _ in 0..100 {
        v.pair.now += Duration::from_millis(1);
        steps(v);
        drain(v);
    }
    assert!(v.pair.ends[0].stats().retransmissions > 100);
}

/// About so many pieces of long messages leave, as far as the window lets them.
fn pieces(victim: &mut Victim, state: usize) {
    let before = victim.pair.ends[0].stats().data_chunks_sent;
    for _ in 0..state.div_ceil(180).min(60) {
        victim.pair.say(0, 60, vec![1; 200_000]);
    }
    for _ in 0..20 {
        victim.pair.now += Duration::from_millis(1);
        let now = victim.pair.now;
        victim.pair.ends[0].handle_timeout(now);
        drain(victim);
    }
    victim.sent = (victim.pair.ends[0].stats().data_chunks_sent - before) as u32;
}

/// A SACK of every second of what is under way behind `first`, in so many blocks at most.
fn every_second(v: &Victim, buf: &mut Vec<u8>, first: u16, blocks: u16) {
    let gaps = (1..=blocks).map(|it| (first + 2 * it, first + 2 * it));
    let gaps = gaps.take_while(|it| u32::from(it.1) < v.sent);
    Sack::write(buf, 16_300, (v.last, 1 << 20), gaps, std::iter::empty());
}

/// A message on each of as many streams as a FORWARD TSN of ours names is sent and outlives its time.
fn given_up(victim: &mut Victim, state: usize) {
    let options = SendOptions {
        reliability: Reliability::Lifetime(Duration::from_millis(1)),
        ..SendOptions::default()
    };
    victim.sent = state.min(250) as u32;
    for stream in 0..victim.sent {
        victim.pair.say_with(0, stream as u16, b"x", options);
    }
    drain(victim);
    victim.pair.now += Duration::from_millis(5);
    steps(victim);
    let abandoned = victim.pair.ends[0].stats().abandoned_sent;
    assert_eq!(abandoned, u64::from(victim.sent));
}

/// The window is closed while so many messages outlive their time.
fn outlived(victim: &mut Victim, state: usize) {
    under_way(victim, 1);
    let closed = victim.last.next();
    victim.put(|buf| {
        let (head, none, no) = ((closed, 0), std::iter::empty(), std::iter::empty());
        Sack::write(buf, 1150, head, none, no);
    });
    let options = SendOptions {
        reliability: Reliability::Lifetime(Duration::from_millis(1)),
        ..SendOptions::default()
    };
    // One that lives stands before them, so that nobody comes to them before the window opens.
    victim.pair.say(0, 60, b"x");
    for message in 0..state {
        victim.pair.say_with(0, message as u16, b"x", options);
    }
    victim.pair.now += Duration::from_millis(25);
}

fn acknowledge(buf: &mut Vec<u8>, cumulative: Tsn, gaps: &[(u16, u16)]) {
    let (head, none) = ((cumulative, 1 << 20), std::iter::empty());
    Sack::write(buf, 1150, head, gaps.iter().copied(), none);
}
