//! How soon what is missing is asked for and sent again, and how much of it.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use oxirtc_netsim::{Link, ms};
use oxirtc_rtp::rtcp::{self, Rtcp};

use support::{Camera, Pair, VIDEO};

/// Side 0 has sent a key frame of about as many packets, just now; gives their numbers.
fn sent(pair: &mut Pair, packets: usize) -> Vec<u16> {
    let mut camera = Camera::new(0, packets * 1080 / 4);
    let now = pair.now;
    let batch = camera.frame(now);
    pair.sides[0].write(now, VIDEO, 0, &batch);
    pair.drain(0);
    let number = |it: &Vec<u8>| u16::from_be_bytes([it[2], it[3]]);
    pair.sent[0].iter().map(number).collect()
}

/// Side 0 is asked for these; gives how many packets it has sent again in all.
fn ask(pair: &mut Pair, numbers: &[u16]) -> u64 {
    let mut buf = Vec::new();
    rtcp::write_nack(&mut buf, 1200, 7, 1000, numbers.iter().copied());
    let now = pair.now;
    pair.sides[0].handle_rtcp(now, &buf);
    pair.drain(0);
    let (_, _, stats) = pair.sides[0].send_stats(VIDEO).next().unwrap();
    assert!(stats.nacks > 0);
    stats.resent
}

/// A first request is never too soon, however short a time ago the packet was sent; the next one is, within a round trip.
#[test]
fn a_first_request_is_answered_at_once() {
    for (round_trip, again) in [(None, 38), (Some(100), 75)] {
        let mut pair = Pair::video(1, &Link::new(0));
        if let Some(round_trip) = round_trip {
            pair.sides[0].set_round_trip(ms(round_trip));
        }
        let numbers = sent(&mut pair, 10);
        assert_eq!(ask(&mut pair, &numbers[3..4]), 1);
        pair.now += ms(again - 2);
        assert_eq!(ask(&mut pair, &numbers[3..4]), 1, "it is under way");
        assert_eq!(ask(&mut pair, &numbers[4..5]), 2, "another one is not");
        pair.now += ms(2);
        assert_eq!(ask(&mut pair, &numbers[3..4]), 3);
    }
}

/// A stream that begins with a large frame has a quarter of it to send again, and not what it has saved: nothing.
#[test]
fn a_quarter_of_a_first_frame_is_sent_again_at_once() {
    let mut pair = Pair::video(1, &Link::new(0));
    let numbers = sent(&mut pair, 60);
    let fifth: Vec<_> = numbers.iter().copied().step_by(5).collect();
    assert_eq!(ask(&mut pair, &fifth), fifth.len() as u64);
    let all = ask(&mut pair, &numbers);
    let most = numbers.len() as u64 / 4 + 2;
    assert!(all <= most, "{all} of {}", numbers.len());
    // The rest waits, and some of it ages.
    pair.now += ms(500);
    let later = ask(&mut pair, &[]);
    assert!(
        later > all && later < numbers.len() as u64,
        "{all}, then {later}"
    );
}

/// The round trip that is known of the path is that of repair, before any report has told one.
#[test]
fn requests_are_repeated_by_the_round_trip_of_the_path() {
    for (round_trip, requests) in [(None, 1), (Some(30), 4)] {
        let mut pair = Pair::video(1, &Link::new(0));
        if let Some(round_trip) = round_trip {
            pair.sides[1].set_round_trip(ms(round_trip));
        }
        sent(&mut pair, 10);
        let now = pair.now;
        for (at, datagram) in pair.sent[0].iter().enumerate() {
            if at != 4 {
                pair.sides[1].handle_rtp(now, datagram);
            }
        }
        let (mut asked, mut buf) = (0, Vec::new());
        for tick in 0..100 {
            while pair.sides[1].poll_rtcp(now + ms(tick), 1200, &mut buf) {
                let packets = rtcp::Compound::parse(&buf).unwrap();
                asked += packets.filter(|it| matches!(it, Rtcp::Nack(_))).count();
                buf.clear();
            }
        }
        assert_eq!(asked, requests, "{round_trip:?}");
    }
}
