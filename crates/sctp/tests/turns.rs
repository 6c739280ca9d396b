//! Streams take turns, message by message, where a peer does not take I-DATA.

mod support;

use std::{collections::VecDeque, time::Duration};

use oxirtc_netsim::{Link, mbps};
use oxirtc_sctp::Config;
use support::{Pair, Sides, ms};

/// At 20 Mbit/s and 20 ms, with half of a bandwidth-delay product to wait in.
fn pair() -> Pair {
    let link = Link::new(1).delay(ms(10)).rate(mbps(20)).queue(25_000);
    let config = || {
        Config::default()
            .interleaving(false)
            .max_message_size(4 << 20)
    };
    support::interleaving_pair(1, link, [config(), config()]).connected()
}

/// Has two messages of this length wait on a stream, and reads what has come on it: so many bytes.
fn keep_busy(pair: &mut Pair, stream: u16, length: usize) -> usize {
    while pair.ends[0].buffered_amount(stream) < 2 * length {
        pair.say(0, stream, vec![1; length]);
    }
    let read = pair.read_all(1, stream);
    read.iter().map(|it| it.payload.len()).sum()
}

/// What is small waits for one message, not for one of each stream, however many have long ones.
#[test]
fn a_tick_waits_for_one_message() {
    for (length, most) in [(16_000, 60), (64_000, 90), (256_000, 250)] {
        let mut pair = pair();
        let (mut under_way, mut delays) = (VecDeque::new(), Vec::new());
        for step in 0..3000 {
            for stream in 10..20 {
                keep_busy(&mut pair, stream, length);
            }
            if step % 5 == 0 {
                pair.say(0, 1, b"tick");
                under_way.push_back(pair.now);
            }
            pair.run_for(ms(10));
            let came = pair.read_all(1, 1).len();
            delays.extend(under_way.drain(..came).map(|sent| pair.now - sent));
        }
        let (late, now) = (delays.split_off(100), pair.now);
        let waits = under_way.front().map(|sent| now - *sent);
        let worst = late.into_iter().chain(waits).max().unwrap();
        println!("{length} bytes: {worst:?}");
        assert!(worst <= ms(most), "{length} bytes: {worst:?}");
    }
}

/// Shares are of bytes, so far as whole messages allow, and those of long messages do not take a path for themselves.
#[test]
fn a_share_is_of_bytes() {
    let mut pair = pair();
    pair.ends[0].set_priority(3, 512);
    let lengths = [(1, 10_000), (2, 250_000), (3, 50_000)];
    let mut got = [0, 0, 0];
    for _ in 0..6000 {
        for ((stream, length), got) in lengths.into_iter().zip(&mut got) {
            *got += keep_busy(&mut pair, stream, length);
        }
        pair.run_for(ms(10));
    }
    let all: usize = got.iter().sum();
    let shares = got.map(|it| it * 100 / all);
    println!("{shares:?}");
    assert!(
        shares[0].abs_diff(25) <= 1 && shares[1].abs_diff(25) <= 1,
        "{shares:?}"
    );
}

/// A message that is longer than what a turn is reckoned as goes all the same, though others never end.
#[test]
fn a_very_long_message_has_its_turn() {
    let mut pair = pair();
    pair.ends[0].set_max_outgoing_message_size(4 << 20);
    pair.say(0, 2, vec![7; 4 << 20]);
    pair.say(0, 2, b"next");
    let start = pair.now;
    while pair.ends[0].buffered_amount(2) > 0 {
        for stream in [1, 3] {
            keep_busy(&mut pair, stream, 10_000);
        }
        pair.run_for(ms(10));
        pair.read_all(1, 2);
        assert!(
            pair.now - start < Duration::from_secs(3),
            "{:?}",
            pair.ends[0]
        );
    }
}
