//! Circuit breakers (RFC 8083): each stream by itself, a pause is no failure, and a way back.

mod support;

use std::time::Duration;

use oxirtc_netsim::{Link, ms};
use oxirtc_rtp::{CircuitBreak, Event, Session, rtcp};

use support::{Camera, Film as _, Pair, VIDEO, announced, encoding, video};

fn link(millis: u64) -> Link {
    Link::new(0).delay(ms(millis))
}

fn broken(pair: &Pair) -> Vec<(usize, Option<CircuitBreak>)> {
    let events = pair.ends[0].events.iter();
    let of = events.filter_map(|it| match it {
        Event::Broken {
            encoding, cause, ..
        } => Some((*encoding, *cause)),
        _ => None,
    });
    of.collect()
}

#[test]
fn silence_stops_what_is_sent() {
    let mut pair = Pair::video(9, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 2000);
    pair.wire.back.set_up(false);
    pair.film(&mut camera, 14_000);
    assert_eq!(broken(&pair), []);
    pair.film(&mut camera, 3000);
    assert_eq!(broken(&pair), [(0, Some(CircuitBreak::Silence))]);
    let count = pair.ends[0].sent.len();
    pair.film(&mut camera, 500);
    assert_eq!(pair.ends[0].sent.len(), count, "nothing more is sent");
    let (_, _, stats) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    assert_eq!(stats.broken, Some(CircuitBreak::Silence));
}

/// Known to stop calls for good: the peer leaves a source that pauses out of its reports, and it is judged by that when it goes on.
#[test]
fn a_pause_breaks_nothing() {
    let mut pair = Pair::video(9, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 2000);
    // Nobody reports meanwhile, as on who is silent.
    pair.wire.back.set_up(false);
    pair.run(40_000, |_, _| {});
    pair.wire.back.set_up(true);
    let before = pair.ends[1].frames.len();
    pair.film(&mut camera, 3000);
    assert_eq!(broken(&pair), []);
    assert!(pair.ends[1].frames.len() > before + 80);
    // Sound without breaks in between, but for its own.
    for _ in 0..20 {
        pair.run(6000, |_, _| {});
        pair.film(&mut camera, 100);
    }
    assert_eq!(broken(&pair), []);
}

/// What a sender of two streams is told, each second, by a peer of which one stream gets nothing.
fn report(pair: &mut Pair, blocks: &[(u32, u32, u8)]) {
    let blocks: Vec<_> = blocks
        .iter()
        .map(|(ssrc, highest, fraction)| rtcp::ReportBlock {
            ssrc: *ssrc,
            highest: *highest,
            fraction: *fraction,
            ..rtcp::ReportBlock::default()
        })
        .collect();
    let mut buf = Vec::new();
    rtcp::write_receiver_report(&mut buf, 7, &blocks);
    let now = pair.now;
    pair.ends[0].handle_rtcp(now, &buf);
}

/// Reports on one stream say nothing of the other: neither that it arrives, nor that it does not.
#[test]
fn each_stream_is_judged_by_its_own_reports() {
    let mut pair = Pair::between(3, &link(10));
    let mut section = video();
    section.announced = vec![announced(1000), announced(2000)];
    pair.ends[0].set_section(VIDEO, section);
    pair.ends[0].set_encodings(VIDEO, &[encoding(1000, 0), encoding(2000, 1)]);
    pair.wire.back.set_up(false);
    let mut cameras = [Camera::new(0, 500), Camera::new(1, 500)];
    for second in 0..40 {
        pair.run(1000, |pair, tick| {
            if tick % 33 == 0 {
                for camera in &mut cameras {
                    let batch = camera.frame(pair.now);
                    pair.ends[0].write(pair.now, VIDEO, camera.lane, &batch);
                }
            }
        });
        report(&mut pair, &[(1000, 70_000 + second, 0), (2000, 70_000, 0)]);
    }
    assert_eq!(broken(&pair), [(1, Some(CircuitBreak::NothingArrives))]);
    let sends = |pair: &Pair| -> Vec<bool> {
        let all = pair.ends[0].send_stats(VIDEO);
        all.map(|it| it.2.broken.is_none()).collect()
    };
    assert_eq!(sends(&pair), [true, false]);
    // Now nothing is told of the first.
    for _ in 0..17 {
        pair.film(&mut cameras[0], 1000);
        report(&mut pair, &[(2000, 70_000, 0)]);
    }
    assert_eq!(sends(&pair), [false, false]);
}

/// A report holds 31 streams: of more each has its turn, and any shows that the way back is there.
#[test]
fn of_many_streams_any_report_counts() {
    for (count, breaks) in [(31, true), (32, false)] {
        let mut pair = Pair::between(3, &link(10));
        pair.ends[0].set_section(VIDEO, video());
        let encodings: Vec<_> = (0..count).map(|at| encoding(1000 + 2 * at, 0)).collect();
        pair.ends[0].set_encodings(VIDEO, &encodings);
        pair.wire.back.set_up(false);
        let mut camera = Camera::new(0, 100);
        for second in 0..20 {
            for _ in 0..2 {
                let batch = camera.frame(pair.now);
                pair.ends[0].write(pair.now, VIDEO, 0, &batch);
                pair.turn();
                pair.now += ms(500);
            }
            report(&mut pair, &[(1000, 70_000 + second, 0)]);
        }
        assert_eq!(!broken(&pair).is_empty(), breaks, "{count}");
    }
}

#[test]
fn what_was_stopped_is_tried_again_when_that_is_asked() {
    let mut pair = Pair::video(9, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 2000);
    pair.wire.back.set_up(false);
    pair.film(&mut camera, 17_000);
    pair.wire.back.set_up(true);
    pair.film(&mut camera, 20_000);
    let stopped = pair.ends[0].sent.len();
    assert_eq!(
        broken(&pair),
        [(0, Some(CircuitBreak::Silence))],
        "not by itself"
    );
    let mut paused = encoding(1000, 0);
    paused.active = false;
    pair.ends[0].set_encodings(VIDEO, &[paused]);
    pair.ends[0].set_encodings(VIDEO, &[encoding(1000, 0)]);
    assert!(pair.ends[0].poll_timeout() <= Some(pair.now));
    let before = pair.ends[1].frames.len();
    pair.film(&mut camera, 3000);
    assert_eq!(
        broken(&pair),
        [(0, Some(CircuitBreak::Silence)), (0, None)],
        "the 15 s have passed"
    );
    assert!(pair.ends[0].sent.len() > stopped && pair.ends[1].frames.len() > before + 80);
}

/// The next time that is asked too soon.
#[test]
fn what_was_stopped_is_tried_again_no_sooner_than_it_was_seen() {
    let mut pair = Pair::video(9, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 2000);
    pair.wire.back.set_up(false);
    while broken(&pair).is_empty() {
        pair.film(&mut camera, 100);
    }
    let at = pair.now;
    pair.wire.back.set_up(true);
    pair.ends[0].name_anew();
    let closes = |session: &Session| session.poll_timeout();
    assert!(closes(&pair.ends[0]).is_some());
    while broken(&pair).len() < 2 {
        assert!(pair.now < at + Duration::from_secs(60));
        pair.film(&mut camera, 100);
    }
    let passed = pair.now - at;
    assert!(passed >= ms(14_900) && passed <= ms(15_200), "{passed:?}");
}
