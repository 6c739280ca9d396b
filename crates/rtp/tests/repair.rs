//! How soon what is missing is asked for and sent again, and how much of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing step is a failing test"
)]

mod support;

use oxirtc_netsim::{End, Link, ms};
use oxirtc_rtp::rtcp::{self, Rtcp};

use support::{Camera, Film as _, Pair, VIDEO};

/// Side 0 has sent a key frame of about as many packets, just now; gives their numbers.
fn sent(pair: &mut Pair, packets: usize) -> Vec<u16> {
    let mut camera = Camera::new(0, packets * 1080 / 4);
    let now = pair.now;
    let batch = camera.frame(now);
    pair.ends[0].write(now, VIDEO, 0, &batch);
    pair.flush(End::A);
    let number = |it: &Vec<u8>| u16::from_be_bytes([it[2], it[3]]);
    pair.ends[0].sent.iter().map(number).collect()
}

/// Side 0 is asked for these; gives how many packets it has sent again in all.
fn ask(pair: &mut Pair, numbers: &[u16]) -> u64 {
    let mut buf = Vec::new();
    rtcp::write_nack(&mut buf, 1200, 7, 1000, numbers.iter().copied());
    let now = pair.now;
    pair.ends[0].handle_rtcp(now, &buf);
    pair.flush(End::A);
    let (_, _, stats) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    assert!(stats.nacks > 0);
    stats.resent
}

/// A first request is never too soon, however short a time ago the packet was sent; the next one is, within a round trip.
#[test]
fn a_first_request_is_answered_at_once() {
    for (round_trip, again) in [(None, 38), (Some(100), 75)] {
        let mut pair = Pair::video(1, &Link::new(0));
        if let Some(round_trip) = round_trip {
            pair.ends[0].set_round_trip(ms(round_trip));
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
            pair.ends[1].set_round_trip(ms(round_trip));
        }
        sent(&mut pair, 10);
        let now = pair.now;
        let [near, far] = &mut pair.ends;
        for (at, datagram) in near.sent.iter().enumerate() {
            if at != 4 {
                far.handle_rtp(now, datagram);
            }
        }
        let (mut asked, mut buf) = (0, Vec::new());
        for tick in 0..100 {
            while pair.ends[1].poll_rtcp(now + ms(tick), 1200, &mut buf) {
                let packets = rtcp::Compound::parse(&buf).unwrap();
                asked += packets.filter(|it| matches!(it, Rtcp::Nack(_))).count();
                buf.clear();
            }
        }
        assert_eq!(asked, requests, "{round_trip:?}");
    }
}

/// How often side 1 asks in so long, in milliseconds from now on.
fn requests(pair: &mut Pair, millis: u64, is_asked: fn(&Rtcp<'_>) -> bool) -> usize {
    let (mut asked, mut buf) = (0, Vec::new());
    for _ in 0..millis {
        let now = pair.now;
        pair.ends[1].handle_timeout(now);
        while pair.ends[1].poll_rtcp(now, 1200, &mut buf) {
            let packets = rtcp::Compound::parse(&buf).unwrap();
            asked += packets.filter(is_asked).count();
            buf.clear();
        }
        pair.now += ms(1);
    }
    asked
}

/// Side 0 sends a frame of a camera; side 1 has what is not lost of it at once.
fn show(pair: &mut Pair, camera: &mut Camera, lost: impl Fn(usize) -> bool) {
    let (now, before) = (pair.now, pair.ends[0].sent.len());
    let batch = camera.frame(now);
    pair.ends[0].write(now, VIDEO, 0, &batch);
    pair.flush(End::A);
    let [near, far] = &mut pair.ends;
    for (at, datagram) in near.sent.iter().skip(before).enumerate() {
        if !lost(at) {
            far.handle_rtp(now, datagram);
        }
    }
}

/// On a long path on which a tenth or more is lost, requests are lost as well: twice in a round trip they are made.
#[test]
fn requests_are_made_twice_where_much_is_lost() {
    for (every, asked) in [(20, 1), (5, 2)] {
        let mut pair = Pair::video(1, &Link::new(0));
        pair.ends[1].set_round_trip(ms(200));
        let mut camera = Camera::new(0, 10_000);
        // Until it has been reported.
        for _ in 0..60 {
            show(&mut pair, &mut camera, |at| at % every == 1);
            requests(&mut pair, 33, |_| false);
        }
        // What was missing before is given up by then.
        requests(&mut pair, 2000, |_| false);
        show(&mut pair, &mut camera, |at| at == 4);
        let nacks = requests(&mut pair, 190, |it| matches!(it, Rtcp::Nack(_)));
        assert_eq!(nacks, asked, "one of {every} lost");
    }
}

/// A request of a key frame that was lost itself is made again after one and a half round trips.
#[test]
fn a_key_frame_is_asked_for_again() {
    let mut pair = Pair::video(1, &Link::new(0));
    pair.ends[1].set_round_trip(ms(400));
    let mut camera = Camera::new(0, 1000);
    show(&mut pair, &mut camera, |_| false);
    let now = pair.now;
    pair.ends[1].request_keyframe(now, VIDEO, None);
    let pli = |it: &Rtcp<'_>| matches!(it, Rtcp::Pli(_));
    assert_eq!(requests(&mut pair, 599, pli), 1);
    assert_eq!(requests(&mut pair, 3, pli), 1);
}

/// When frames are given up, a key frame behind them that is whole goes on at once, whatever else is missing before it.
#[test]
fn nothing_before_a_key_frame_is_waited_for() {
    let mut pair = Pair::video(1, &Link::new(0));
    let mut camera = Camera::new(0, 3000);
    show(&mut pair, &mut camera, |_| false);
    show(&mut pair, &mut camera, |at| at == 1);
    show(&mut pair, &mut camera, |_| false);
    // Three round trips of 100 ms and 50 ms: it is given up.
    assert_eq!(requests(&mut pair, 360, |it| matches!(it, Rtcp::Pli(_))), 1);
    show(&mut pair, &mut camera, |at| at == 1);
    camera.wants_key = true;
    show(&mut pair, &mut camera, |_| false);
    let now = pair.now;
    let mut shown = Vec::new();
    while let Some(frame) = pair.ends[1].read_frame(now + ms(40), VIDEO) {
        shown.push(frame.key);
    }
    assert_eq!(shown, [true, true]);
}

/// Pieces of a frame are equally long on the wire, and each is found to fit where the one before it did: so a frame leaves as one batch,
/// while the stream is still named and afterwards, and again as repairs.
#[test]
fn a_frame_leaves_as_one_batch() {
    let mut pair = Pair::video(1, &Link::new(0));
    let mut camera = Camera::new(0, 3000);
    for named in [true, false] {
        camera.wants_key = true;
        let (now, mut lengths) = (pair.now, Vec::new());
        pair.flush(End::A);
        let batch = camera.frame(now);
        pair.ends[0].write(now, VIDEO, 0, &batch);
        let (mut room, mut numbers) = (1232, Vec::new());
        for _ in 0..batch.packets.len() - 1 {
            let mut buf = Vec::new();
            assert!(pair.ends[0].poll_rtp(now, room, &mut buf).is_some());
            numbers.push(u16::from_be_bytes([buf[2], buf[3]]));
            room = buf.len();
            lengths.push(room);
            pair.ends[1].handle_rtp(now, &buf);
        }
        assert!(lengths.len() > 8 && lengths.windows(2).all(|it| it[0] == it[1]));
        pair.flush(End::A);
        // The same again: each is longer by the number that it had.
        let mut nack = Vec::new();
        rtcp::write_nack(&mut nack, 1200, 7, 1000, numbers[..2].iter().copied());
        pair.ends[0].handle_rtcp(now, &nack);
        let mut buf = Vec::new();
        assert!(pair.ends[0].poll_rtp(now, 1232, &mut buf).is_some());
        let room = buf.len();
        assert!(pair.ends[0].poll_rtp(now, room, &mut buf).is_some());
        assert_eq!(buf.len(), 2 * room);
        // A report names the stream.
        pair.run(if named { 3000 } else { 0 }, |_, _| {});
    }
}
