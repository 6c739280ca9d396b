//! Messages that wait until the peer has room for them beside those that have begun (RFC 8260 §3).

mod support;

use std::time::Duration;

use bytes::Bytes;
use oxirtc_netsim::{Link, mbps};
use oxirtc_sctp::{Config, Reliability, SendOptions};

use support::{Pair, Sides, ms};

fn pair(link: Link, config: fn() -> Config) -> Pair {
    support::interleaving_pair(1, link, [config(), config()]).connected()
}

/// Streams from 1 on always have two messages more to say, which are so long.
fn go_on(pair: &mut Pair, lengths: &[usize]) {
    for (stream, length) in (1..).zip(lengths) {
        while pair.ends[0].buffered_amount(stream) < 2 * length {
            pair.say(0, stream, vec![1; *length]);
        }
    }
}

fn read(pair: &mut Pair, stream: u16) -> usize {
    pair.read_all(1, stream).len()
}

/// A long message beside short ones without end: for room to come together the others have to wait, once each has sent as much.
#[test]
fn a_long_message_has_its_turn_beside_short_ones() {
    type Case = (fn() -> Config, usize, usize, &'static [u16]);
    let cases: [Case; 3] = [
        (
            || {
                let config = Config::default().receive_window(128 << 10);
                config.max_message_size(64_000)
            },
            64_000,
            8_000,
            &[2, 4, 5, 8],
        ),
        (
            || {
                let config = Config::default().receive_window(256 << 10);
                config.max_message_size(120_000)
            },
            120_000,
            16_000,
            &[4, 5],
        ),
        (
            || {
                let config = Config::default().receive_window(1 << 20);
                config.max_message_size(600_000)
            },
            600_000,
            30_000,
            &[3, 8],
        ),
    ];
    for (config, long, short, counts) in cases {
        for count in counts {
            let link = Link::new(9).delay(ms(10)).rate(mbps(4)).queue(10_000);
            let mut pair = pair(link, config);
            let lengths = Vec::from_iter((1..=*count).map(|it| short + 1237 * usize::from(it)));
            let mut said = None;
            let mut others = 0;
            for tick in 0..3000 {
                go_on(&mut pair, &lengths);
                if tick == 100 {
                    pair.say(0, 0, vec![2; long]);
                    said = Some(pair.now);
                }
                pair.run_for(ms(10));
                others += (1..=*count).map(|it| read(&mut pair, it)).sum::<usize>();
                if read(&mut pair, 0) == 1 {
                    break;
                }
            }
            let took = said.map(|said| pair.now - said).unwrap_or_default();
            let fair = Duration::from_micros(2 * long as u64 * u64::from(count + 1));
            println!("{long} bytes beside {count} streams: {took:?}, {fair:?} would be fair");
            assert_eq!(pair.ends[0].buffered_amount(0), 0, "{others} others came");
            assert!(took <= fair * 3 / 2, "{took:?}, {fair:?}");
        }
    }
}

/// Where the window of the peer is what bounds the rate, or very many messages have to wait, weights are shares still.
#[test]
fn who_waits_for_room_has_a_share_by_weight() {
    type Case = (u32, Link, u16, usize);
    let path = |rate, delay, queue| Link::new(9).delay(ms(delay)).rate(mbps(rate)).queue(queue);
    let cases: [Case; 4] = [
        (1 << 20, path(100, 50, 1 << 20), 1, 50_000),
        (1 << 20, path(200, 100, 1 << 20), 1, 16_000),
        (4 << 20, path(1000, 50, 1 << 20), 1, 200_000),
        (4 << 20, path(20, 20, 50_000), 10, 256_000),
    ];
    for (window, link, count, length) in cases {
        let config = || Config::default().receive_window(window);
        let mut pair = support::interleaving_pair(1, link, [config(), config()]).connected();
        for stream in 0..count {
            pair.ends[0].set_priority(stream, 1024);
            pair.ends[0].set_priority(count + stream, 128);
        }
        let payload = Bytes::from(vec![1; length]);
        // Enough that each has another one to say, and the send buffer is never full.
        let most = (15 << 20) / (2 * usize::from(count)) - length;
        let mut got = [0, 0];
        let ticks = if count == 1 { 1500 } else { 6000 };
        for _ in 0..ticks {
            for stream in 0..2 * count {
                while pair.ends[0].unacknowledged(stream) < most {
                    pair.say(0, stream, payload.clone());
                }
            }
            pair.run_for(ms(10));
            for stream in 0..2 * count {
                got[usize::from(stream >= count)] += read(&mut pair, stream);
            }
        }
        let ratio = got[0] as f64 / got[1] as f64;
        println!("{count} and {count} streams, {length} bytes: {got:?}, {ratio:.2}");
        assert!((7.2..8.8).contains(&ratio), "{got:?}");
    }
}

/// A message that has to wait until the largest has left: those beside it do not wait with it, and what its owner has given up is not
/// kept until then.
#[test]
fn nobody_waits_with_a_message_that_waits_for_the_largest() {
    const LARGEST: usize = 4 << 20;
    const LONG: usize = LARGEST * 5 / 9;
    let link = Link::new(1).delay(ms(20)).rate(mbps(4)).queue(20_000);
    let config = || {
        let config = Config::default().receive_window(1 << 20);
        config.max_message_size(LARGEST)
    };
    let mut pair = pair(link, config);
    pair.ends[0].set_priority(2, 1024);
    pair.say(0, 1, vec![1; LARGEST]);
    pair.run_for(ms(500));
    pair.say(0, 2, vec![1; LONG]);
    pair.run_for(ms(100));
    let lifetime = SendOptions {
        reliability: Reliability::Lifetime(ms(300)),
        ..SendOptions::default()
    };
    let mut longest = Duration::ZERO;
    for round in 0..40 {
        if round % 4 == 0 {
            pair.say_with(0, 3, vec![1; LONG], lifetime);
        }
        let said = pair.now;
        pair.say(0, 4, vec![1; 20_000]);
        let came = pair.try_until(Duration::from_secs(10), |pair| read(pair, 4) == 1);
        assert!(came);
        longest = longest.max(pair.now - said);
        pair.run_for(ms(50));
        assert!(pair.ends[0].buffered_amount(3) <= LONG);
    }
    println!("20,000 bytes beside 4 MiB and what waits for that: {longest:?} at most");
    assert!(longest < ms(250), "{longest:?}");
    assert_eq!([1, 2, 3].map(|stream| read(&mut pair, stream)), [0; 3]);
    let mut got = [0; 2];
    let done = pair.try_until(Duration::from_secs(20), |pair| {
        got[0] += read(pair, 1);
        got[1] += read(pair, 2);
        got == [1, 1]
    });
    assert!(done, "{got:?}");
}

/// A message that is longer than half of the peer's room waits for all others, and those that have as long ones wait for it then.
#[test]
fn a_message_that_fills_the_room_has_its_turn_beside_others_like_it() {
    let link = Link::new(9).delay(ms(10)).rate(mbps(20)).queue(50_000);
    let config = || {
        let config = Config::default().receive_window(1 << 20);
        config.max_message_size(700_000)
    };
    let mut pair = pair(link, config);
    let mut said = None;
    for tick in 0..2000 {
        go_on(&mut pair, &[600_000, 600_000]);
        if tick == 100 {
            pair.say(0, 0, vec![2; 600_000]);
            said = Some(pair.now);
        }
        pair.run_for(ms(10));
        for stream in 1..=2 {
            read(&mut pair, stream);
        }
        if read(&mut pair, 0) == 1 {
            break;
        }
    }
    let took = said.map(|said| pair.now - said).unwrap_or_default();
    println!("600,000 bytes beside two streams of such: {took:?}");
    assert_eq!(pair.ends[0].buffered_amount(0), 0);
    // Three of them leave in 0.72 s.
    assert!(took <= ms(1500), "{took:?}");
}

/// Nor do those keep it waiting that come one after the other.
#[test]
fn those_that_come_one_after_the_other_do_not_keep_who_waits_for_room() {
    let link = Link::new(9).delay(ms(10)).rate(mbps(20)).queue(50_000);
    let config = || {
        let config = Config::default().receive_window(256 << 10);
        config.max_message_size(120_000)
    };
    let mut pair = pair(link, config);
    let (mut others, mut said) = (1..1, None);
    for tick in 0..6000 {
        while others.len() < 6 {
            pair.say(0, others.end, vec![1; 30_000]);
            others.end += 1;
        }
        if tick == 20 {
            pair.say(0, 0, vec![2; 120_000]);
            said = Some(pair.now);
        }
        pair.run_for(ms(10));
        let under_way = others.start.saturating_sub(40).max(1)..others.end;
        for stream in under_way {
            read(&mut pair, stream);
        }
        while pair.ends[0].buffered_amount(others.start) == 0 && !others.is_empty() {
            others.start += 1;
        }
        if read(&mut pair, 0) == 1 {
            break;
        }
    }
    let took = said.map(|said| pair.now - said).unwrap_or_default();
    println!(
        "120,000 bytes beside streams that come and go: {took:?}, {} came",
        others.end
    );
    assert_eq!(
        pair.ends[0].buffered_amount(0),
        0,
        "{} others came",
        others.end
    );
    assert!(took <= Duration::from_secs(4), "{took:?}");
}
