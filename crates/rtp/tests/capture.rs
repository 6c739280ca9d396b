//! When frames were captured: told by who captures, and passed on by who forwards (abs-capture-time).
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::sync::Arc;

use oxirtc_netsim::{End, Link, epoch, ms};
use oxirtc_rtp::{
    Batch, Delivery, Ntp, Rtp, Section,
    extension::{AbsoluteCapture, Kind},
    rtcp::{SenderInfo, write_cname, write_sender_report},
};

use support::{Camera, Film as _, Pair, VIDEO, video};

const ID: u8 = 7;
const SECOND: i64 = 1 << 32;

fn telling() -> Section {
    let mut section = video();
    section.ids = section.ids.with(Kind::AbsoluteCaptureTime, ID);
    section
}

/// Side 0 sends video that tells when it was captured, to side 1.
fn pair() -> Pair {
    let mut pair = Pair::video(1, &Link::new(0));
    for side in &mut pair.ends {
        side.set_section(VIDEO, telling());
    }
    pair
}

/// What the packets that side 0 has sent tell, of those that tell it: the place, and the value.
fn told(pair: &Pair) -> Vec<(usize, AbsoluteCapture)> {
    let value = |(at, packet): (usize, &Vec<u8>)| {
        let mut extensions = Rtp::parse(packet).unwrap().extensions;
        let value = extensions.find(|it| it.0 == ID)?.1;
        Some((at, AbsoluteCapture::parse(value).unwrap()))
    };
    pair.ends[0]
        .sent
        .iter()
        .enumerate()
        .filter_map(value)
        .collect()
}

/// A frame that was captured so long ago.
fn frame(camera: &mut Camera, pair: &Pair, ago: u64) -> Arc<Batch> {
    camera.frame(pair.now - ms(ago))
}

fn at(millis: u64) -> AbsoluteCapture {
    // The wall clock of side 0 when it begins.
    let begun = Ntp((1000 + 2 * 7) << 32);
    AbsoluteCapture {
        time: begun.after(ms(millis)),
        offset: Some(0),
    }
}

fn near(told: AbsoluteCapture, wanted: AbsoluteCapture) -> bool {
    told.offset == wanted.offset && told.time.since(wanted.time).abs() < SECOND / 10_000
}

/// Once a second, with the first packet of a frame; at once where timestamps do not lead to the time of capture. Repairs need not
/// say it.
#[test]
fn whoever_captures_tells_when() {
    let mut pair = pair();
    let mut camera = Camera::new(0, 3000);
    pair.now += ms(100);
    for _ in 0..40 {
        let batch = frame(&mut camera, &pair, 40);
        pair.ends[0].write(pair.now, VIDEO, 0, &batch);
        pair.flush(End::A);
        pair.now += ms(33);
    }
    let all = told(&pair);
    let places: Vec<_> = all.iter().map(|it| it.0).collect();
    let begins = |place: usize| place == 0 || pair.ends[0].sent[place - 1][1] & 0x80 != 0;
    assert_eq!(all.len(), 2, "{places:?}");
    assert!(places.iter().all(|place| begins(*place)));
    assert!(near(all[0].1, at(60)), "{:?}", all[0]);
    // The thirty-first frame is the first after a second.
    assert!(near(all[1].1, at(60 + 31 * 33)), "{:?}", all[1]);
    // The next frame waited longer: its timestamp, which is that of its capture, does not say so.
    let mut batch = frame(&mut camera, &pair, 40);
    for packet in &mut Arc::get_mut(&mut batch).unwrap().packets {
        packet.captured -= ms(5);
    }
    pair.ends[0].write(pair.now, VIDEO, 0, &batch);
    pair.flush(End::A);
    assert_eq!(told(&pair).len(), 3);
    // What is sent before a transport began was captured before it.
    assert!(told(&pair).iter().all(|it| it.1.time.0 > 1014 << 32));
}

#[test]
fn what_was_not_negotiated_is_not_told() {
    let mut pair = pair();
    pair.ends[0].set_section(VIDEO, video());
    pair.film(&mut Camera::new(0, 3000), 100);
    assert!(!pair.ends[0].sent.is_empty());
    assert_eq!(told(&pair), []);
}

#[test]
fn what_was_captured_before_all_began_has_an_earlier_time() {
    let mut pair = pair();
    let mut camera = Camera::new(0, 3000);
    let mut batch = camera.frame(epoch());
    for packet in &mut Arc::get_mut(&mut batch).unwrap().packets {
        packet.captured -= ms(500);
    }
    pair.ends[0].write(pair.now, VIDEO, 0, &batch);
    pair.flush(End::A);
    let before = AbsoluteCapture {
        time: Ntp((1013 << 32) + (1 << 31)),
        offset: Some(0),
    };
    assert!(near(told(&pair)[0].1, before));
}

/// Each frame has the time, though a few tell it.
#[test]
fn all_frames_have_the_time_that_some_tell() {
    let mut pair = pair();
    pair.film(&mut Camera::new(0, 3000), 400);
    let frames = &pair.ends[1].frames;
    assert!(frames.len() > 10);
    for frame in frames {
        let time = frame.sender_clock.expect("a time");
        let millis = u64::from(frame.timestamp.wrapping_sub(frames[0].timestamp)) / 90;
        let first = frames[0].sender_clock.unwrap();
        assert!(time.since(first.after(ms(millis))).abs() < SECOND / 1000);
    }
}

/// A forwarder says what it was told, by how much the capturer's clock is ahead of its own: the offset that it was told, and what its
/// sender's report shows. Before there is a report it tells none, rather than a wrong one.
#[test]
fn a_forwarder_passes_it_on() {
    let mut forwarder = pair();
    let (now, mut down) = (forwarder.now, pair());
    forwarder.ends[1].set_delivery(
        VIDEO,
        Delivery {
            packets: true,
            ..Delivery::default()
        },
    );
    forwarder.ends[1].set_round_trip(ms(40));
    let mut camera = Camera::new(0, 1000);
    // The publisher has it from a capturer whose clock is 3 s ahead of the publisher's. Gives what the forwarder has told in all.
    let mut forward = |forwarder: &mut Pair, tells: bool| {
        let mut batch = camera.frame(now);
        for packet in &mut Arc::get_mut(&mut batch).unwrap().packets {
            packet.local = false;
            packet.values.capture = tells.then_some(AbsoluteCapture {
                time: Ntp(9000 << 32),
                offset: Some(3 * SECOND),
            });
        }
        forwarder.ends[0].write(now, VIDEO, 0, &batch);
        forwarder.flush(End::A);
        for datagram in std::mem::take(&mut forwarder.ends[0].sent) {
            forwarder.ends[1].handle_rtp(now, &datagram);
        }
        while let Some((_, lane, batch)) = forwarder.ends[1].poll_batch() {
            down.ends[0].write(now, VIDEO, lane, &batch);
        }
        down.flush(End::A);
        told(&down).into_iter().map(|it| it.1).collect::<Vec<_>>()
    };
    let first = forward(&mut forwarder, true);
    let plain = AbsoluteCapture {
        time: Ntp(9000 << 32),
        offset: None,
    };
    assert_eq!(first.last(), Some(&plain));
    // Its report was 20 ms under way: its clock is 5000 s, and the forwarder's 1021 s.
    let info = SenderInfo {
        ntp: Ntp(5000 << 32),
        ..SenderInfo::default()
    };
    let mut report = Vec::new();
    write_sender_report(&mut report, 1000, &info, &[]);
    write_cname(&mut report, 1000, b"publisher");
    forwarder.ends[1].handle_rtcp(now, &report);
    let second = forward(&mut forwarder, true).last().copied().unwrap();
    let ahead = (5000 - 1021 + 3) * SECOND + SECOND / 50;
    assert_eq!(second.time, Ntp(9000 << 32));
    let error = second.offset.unwrap() - ahead;
    assert!(error.abs() < SECOND / 1000, "{error}");
    // It says nothing of its own.
    let all = forward(&mut forwarder, true).len();
    assert_eq!(forward(&mut forwarder, false).len(), all);
}
