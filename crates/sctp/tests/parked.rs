//! Messages that wait until the peer has room for them beside those that have begun (RFC 8260 §3).

mod support;

use bytes::Bytes;
use oxirtc_netsim::{Link, mbps};
use oxirtc_sctp::Config;

use support::{Pair, Sides, ms};

fn read(pair: &mut Pair, stream: u16) -> usize {
    pair.read_all(1, stream).len()
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
