//! Video between two sessions: repair, key frames, feedback, reports.

mod support;

use oxirtc_netsim::{End, Link, epoch, for_each_seed, ms, percent};
use oxirtc_rtp::{Delivery, Event, rtcp};

use support::{Camera, Film as _, Pair, VIDEO, check, frames, video};

fn link(delay: u64) -> Link {
    Link::new(0).delay(ms(delay))
}

#[test]
fn all_frames_of_a_clean_link_arrive() {
    let mut pair = Pair::video(1, &link(20));
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 3000);
    let frames = &pair.ends[1].frames;
    assert!(frames.len() >= 89, "{}", frames.len());
    assert!(
        frames
            .iter()
            .all(|it| check(it) == 0 && it.missing_before == 0)
    );
    assert_eq!(camera.keys, 1, "no key frame was asked for");
    assert_eq!(frames[0].facts.size, Some((320, 180)));
    let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
    assert_eq!(
        (stats.lost, stats.nacks, stats.plis, stats.duplicates),
        (0, 0, 0, 0)
    );
    assert_eq!(stats.frames, frames.len() as u64);
    let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    assert_eq!((sent.resent, sent.frames), (0, u64::from(camera.count)));
    let trip = sent.round_trip.unwrap();
    assert!((ms(39)..ms(43)).contains(&trip), "{trip:?}");
    assert_eq!(sent.fraction, Some(0.0));
    assert!(
        pair.ends[0]
            .events
            .iter()
            .any(|it| matches!(it, Event::Reported { encoding: 0, .. }))
    );
    assert!(stats.sender_clock.is_some() && stats.sender_reports > 1);
    // Both know the clock of the other: capture times are the sender's, by our clock.
    let last = frames.last().unwrap();
    assert!(last.sender_clock.is_some());
    let session = pair.ends[0].stats();
    assert!(session.transport_sent > 250 && session.transport_lost == 0);
    assert!(session.transport_acked + 60 > session.transport_sent);
    assert!(
        pair.ends[0]
            .poll_feedback()
            .unwrap()
            .packets
            .iter()
            .all(|it| it.arrived.is_some())
    );
}

/// With loss both ways all frames come, whole, since what is missing is sent again.
#[test]
fn loss_is_repaired() {
    for_each_seed(20, |seed| {
        let mut pair = Pair::video(seed, &link(15).loss(percent(5)));
        let mut camera = Camera::new(0, 3000);
        pair.film(&mut camera, 4000);
        let frames = &pair.ends[1].frames;
        assert!(frames.iter().all(|it| check(it) == 0));
        assert!(
            frames.len() as u32 + 12 > camera.count,
            "{} of {}",
            frames.len(),
            camera.count
        );
        let rising = frames
            .windows(2)
            .all(|it| it[1].timestamp.wrapping_sub(it[0].timestamp).cast_signed() > 0);
        assert!(rising);
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
        assert!(stats.retransmitted > 5 && stats.nacks > 5, "{stats:?}");
        let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().unwrap();
        assert!(sent.resent < sent.packets / 5, "{sent:?}");
    });
}

/// Without repair there are key frames: fewer frames, but whole.
#[test]
fn without_repair_key_frames_are_asked_for() {
    for_each_seed(10, |seed| {
        let mut pair = Pair::video(
            seed,
            &link(15)
                .loss(percent(2))
                .reorder(percent(2), ms(5))
                .duplicate(percent(3)),
        );
        let mut section = video();
        section.formats.truncate(1);
        section.feedback.nack = false;
        pair.ends[0].set_section(VIDEO, section.clone());
        pair.ends[1].set_section(VIDEO, section);
        let mut camera = Camera::new(0, 3000);
        pair.film(&mut camera, 4000);
        let frames = &pair.ends[1].frames;
        assert!(frames.iter().all(|it| check(it) == 0));
        assert!(
            frames.len() > 25 && camera.keys > 2,
            "{} {}",
            frames.len(),
            camera.keys
        );
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
        assert!(stats.duplicates > 0 && stats.nacks == 0 && stats.frames_dropped > 0);
        assert!(
            pair.ends[1]
                .frames
                .iter()
                .any(|it| it.missing_before > 0 && it.key)
        );
    });
}

#[test]
fn full_requests_where_only_those_are_agreed_on() {
    let mut pair = Pair::video(5, &link(15).loss(percent(3)));
    let mut section = video();
    section.formats.truncate(1);
    (section.feedback.nack, section.feedback.pli) = (false, false);
    pair.ends[1].set_section(VIDEO, section);
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 3000);
    let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
    assert!(stats.firs > 0 && stats.plis == 0);
    assert!(camera.keys > 1);
}

#[test]
fn a_receiver_limits_its_sender() {
    let mut pair = Pair::video(6, &link(10));
    let mut camera = Camera::new(0, 1000);
    pair.film(&mut camera, 500);
    pair.ends[1].limit(pair.now, VIDEO, Some(300_000));
    pair.film(&mut camera, 200);
    let allowed = |pair: &Pair| pair.ends[0].send_stats(VIDEO).next().unwrap().2.allowed;
    assert_eq!(allowed(&pair).map(|it| it / 1000), Some(300));
    assert!(
        pair.ends[0]
            .events
            .iter()
            .any(|it| matches!(it, Event::Allowed { bits: Some(_), .. }))
    );
    let mut section = video();
    section.bandwidth = Some(200_000);
    pair.ends[0].set_section(VIDEO, section);
    assert_eq!(allowed(&pair), Some(200_000));
    let mut section = video();
    (section.feedback.remb, section.feedback.tmmbr) = (false, true);
    pair.ends[1].set_section(VIDEO, section);
    pair.ends[1].limit(pair.now, VIDEO, Some(100_000));
    pair.film(&mut camera, 200);
    assert_eq!(allowed(&pair), Some(100_000));
}

#[test]
fn a_sender_that_is_slow_goes_on_at_a_key_frame() {
    let mut pair = Pair::video(7, &link(10));
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 500);
    pair.ends[0].stalled = true;
    pair.film(&mut camera, 800);
    pair.ends[0].stalled = false;
    let before = pair.ends[1].frames.len();
    pair.film(&mut camera, 1500);
    let frames = &pair.ends[1].frames;
    assert!(frames.iter().all(|it| check(it) == 0));
    assert!(frames.len() > before + 35);
    let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    assert!(sent.dropped_old > 20, "{sent:?}");
    // What was left out leaves no gap.
    let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
    assert!(stats.lost <= 1 && camera.keys >= 2, "{stats:?}");
}

#[test]
fn a_packet_too_large_holds_nothing_up() {
    let mut pair = Pair::between(8, &link(10));
    pair.ends[0].session = oxirtc_rtp::Session::new(
        oxirtc_rtp::Config::new("name").largest(900),
        [1; 32],
        pair.now,
        oxirtc_rtp::Ntp(1 << 40),
    );
    pair.ends[0].set_section(VIDEO, video());
    pair.ends[0].set_encodings(VIDEO, &[support::encoding(1000, 0)]);
    let mut camera = Camera::new(0, 1000);
    pair.film(&mut camera, 200);
    let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    assert!(sent.dropped_large > 0 && sent.packets == 0, "{sent:?}");
}

#[test]
fn a_stream_ends_with_goodbye() {
    let mut pair = Pair::video(10, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 500);
    pair.ends[0].close();
    pair.run(100, |_, _| {});
    let bye = Event::Bye {
        section: VIDEO,
        ssrc: 1000,
    };
    assert!(pair.ends[1].events.contains(&bye));
}

/// What is left of a batch may be too short for a report: then nothing is written, and nothing is forgotten.
#[test]
fn a_report_waits_for_a_datagram_that_has_room() {
    let mut pair = Pair::video(12, &link(10));
    let mut camera = Camera::new(0, 500);
    // More streams than one packet can say goodbye to.
    for ssrc in (2000..2080).step_by(2) {
        let encoding = support::encoding(ssrc, 0);
        pair.ends[0].set_encodings(VIDEO, &[encoding]);
        pair.film(&mut camera, 40);
    }
    let session = &mut pair.ends[0];
    session.remove_section(VIDEO);
    let mut buf = Vec::new();
    for room in 0..300 {
        while session.poll_rtcp(pair.now, room, &mut buf) {
            assert!(buf.len() <= room, "{} of {room}", buf.len());
            buf.clear();
        }
        assert!(buf.is_empty());
    }
    pair.turn();
    pair.run(100, |_, _| {});
    let ended = |event: &&Event| matches!(event, Event::Bye { .. });
    assert!(pair.ends[1].events.iter().filter(ended).count() >= 1);
}

#[test]
fn many_say_goodbye_in_several_datagrams() {
    let mut session = support::session(1);
    session.set_section(VIDEO, video());
    let encodings: Vec<_> = (0..80)
        .map(|at| support::encoding(2000 + 2 * at, 0))
        .collect();
    session.set_encodings(VIDEO, &encodings);
    let mut camera = Camera::new(0, 500);
    let mut now = epoch();
    let mut buf = Vec::new();
    for _ in 0..20 {
        session.write(now, VIDEO, 0, &camera.frame(now));
        while session.peek(now).is_some() {
            buf.clear();
            session.poll_rtp(now, 1232, &mut buf).unwrap();
        }
        now += ms(33);
    }
    session.remove_section(VIDEO);
    let mut gone = std::collections::BTreeSet::new();
    for datagrams in 0.. {
        buf.clear();
        if !session.poll_rtcp(now, 1200, &mut buf) {
            assert!(datagrams >= 3, "{datagrams}");
            break;
        }
        assert!(buf.len() <= 1200 && datagrams < 100);
        for packet in rtcp::Compound::parse(&buf).unwrap() {
            if let rtcp::Rtcp::Bye(bye) = packet {
                gone.extend(bye.sources());
            }
        }
    }
    assert_eq!(gone.len(), 80);
}

/// Known failure 20. Padding of any length on packets and repairs of a stream that there is, short of its end and beyond it.
#[test]
fn any_padding_is_survived() {
    let mut pair = Pair::video(14, &link(10));
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 500);
    let received = pair.ends[1].frames.len();
    assert!(received > 10);
    let now = pair.now;
    for (ssrc, payload_type) in [(1000, 96), (1001, 97)] {
        for padding in 0..=255 {
            for len in [0, 1, 2, 3, 12, 100, 255, 300] {
                let head = oxirtc_rtp::RtpHead {
                    payload_type,
                    ssrc,
                    sequence: 40_000,
                    ..Default::default()
                };
                let mut buf = Vec::new();
                oxirtc_rtp::Writer::begin(&mut buf, head, &[], Default::default()).finish();
                buf.resize(buf.len() + len, padding);
                buf[0] |= 0x20;
                pair.ends[1].handle_rtp(now, &buf);
            }
        }
    }
    let stats = pair.ends[1].stats();
    assert!(stats.malformed > 1000, "{stats:?}");
    pair.film(&mut camera, 1000);
    assert!(pair.ends[1].frames.len() > received + 20);
    assert!(pair.ends[1].frames.iter().all(|it| check(it) == 0));
}

#[test]
fn what_is_hostile_makes_no_stream() {
    let mut pair = Pair::between(12, &link(10));
    pair.ends[1].set_section(VIDEO, video());
    pair.ends[1].set_delivery(VIDEO, frames());
    let now = pair.now;
    let write = |ssrc: u32, payload_type, payload: &[u8], padding| {
        let head = oxirtc_rtp::RtpHead {
            payload_type,
            ssrc,
            ..Default::default()
        };
        let mut buf = Vec::new();
        oxirtc_rtp::Writer::begin(&mut buf, head, &[], Default::default()).finish();
        buf.extend_from_slice(payload);
        oxirtc_rtp::pad(&mut buf, 0, padding);
        buf
    };
    let session = &mut pair.ends[1];
    session.handle_rtp(now, &write(0, 96, &[1; 20], 0));
    session.handle_rtp(now, &write(5, 96, &[], 200));
    session.handle_rtp(now, &write(6, 97, &[0; 20], 0));
    session.handle_rtp(now, &write(7, 13, &[0; 20], 0));
    session.handle_rtp(now, &[0x80; 5]);
    assert_eq!(session.receive_stats(VIDEO).count(), 0);
    let stats = session.stats();
    assert_eq!((stats.unbound, stats.unrouted, stats.malformed), (1, 1, 1));
    for ssrc in 100..400 {
        session.handle_rtp(now, &write(ssrc, 96, &[0x10, 1, 2, 3], 0));
    }
    assert_eq!(
        session.stats().over_limit,
        0,
        "a lane has one stream, the others ended"
    );
    session.handle_rtcp(now, &[0x80, 201, 0, 0]);
    session.handle_rtcp(now, &[1, 2, 3]);
    assert_eq!(
        (session.stats().rtcp_broken, session.stats().rtcp_malformed),
        (1, 1)
    );
}

/// What is sent again before anything of its stream could be read makes no frame.
#[test]
fn repairs_before_media_make_no_frame() {
    let mut pair = Pair::between(13, &link(10));
    let mut section = video();
    section.formats.push(oxirtc_rtp::Format {
        payload_type: 98,
        role: oxirtc_rtp::Carries::Red,
        clock: 90_000,
    });
    section.announced = vec![support::announced(7)];
    let (now, session) = (pair.now, &mut pair.ends[1]);
    session.set_section(VIDEO, section);
    session.set_delivery(VIDEO, frames());
    let mut come = |ssrc: u32, payload_type, payload: &[u8]| {
        let head = oxirtc_rtp::RtpHead {
            payload_type,
            ssrc,
            marker: true,
            ..Default::default()
        };
        let mut buf = Vec::new();
        oxirtc_rtp::Writer::begin(&mut buf, head, &[], Default::default()).finish();
        buf.extend_from_slice(payload);
        session.handle_rtp(now, &buf);
    };
    // A block of RED that breaks off: the stream is there, and nothing of it.
    come(7, 98, &[0x80]);
    come(8, 97, &[0, 1, 0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let stats = session.receive_stats(VIDEO).next().unwrap().2;
    assert_eq!((stats.malformed, stats.retransmitted), (1, 0));
    assert!(session.read_frame(now + ms(500), VIDEO).is_none());
}

/// A frame whose end is missing is waited for, though the one behind it has the next picture number.
#[test]
fn what_lacks_its_end_is_not_passed_over() {
    let mut pair = Pair::video(14, &link(10));
    let mut camera = Camera::new(0, 2500);
    pair.film(&mut camera, 200);
    pair.run(100, |_, _| {});
    let before = pair.ends[1].frames.len();
    let now = pair.now;
    let [first, second] = [(); 2].map(|()| packets(&mut pair, &mut camera));
    let (end, beginning) = first.split_last().unwrap();
    assert!(beginning.len() > 1);
    for packet in beginning.iter().chain(&second) {
        pair.ends[1].handle_rtp(now, packet);
    }
    pair.flush(End::B);
    assert_eq!(pair.ends[1].frames.len(), before);
    pair.ends[1].handle_rtp(now, end);
    pair.flush(End::B);
    assert_eq!(pair.ends[1].frames.len(), before + 2);
}

/// A packet from before the frame that was taken first belongs to none that is still to come.
#[test]
fn what_comes_before_the_first_frame_is_too_late() {
    let mut pair = Pair::video(15, &link(10));
    pair.ends[1].set_delivery(VIDEO, Delivery::default());
    let mut camera = Camera::new(0, 2500);
    pair.film(&mut camera, 200);
    pair.run(100, |_, _| {});
    let sent = packets(&mut pair, &mut camera);
    let [before, held, first, ..] = &sent[..] else {
        panic!("{} packets", sent.len());
    };
    let late = |pair: &mut Pair, packet: &[u8]| {
        pair.ends[1].handle_rtp(pair.now, packet);
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
        (stats.late, stats.duplicates)
    };
    assert_eq!(late(&mut pair, before), (0, 0));
    pair.ends[1].set_delivery(VIDEO, frames());
    assert_eq!(late(&mut pair, first), (0, 0));
    assert_eq!(late(&mut pair, held), (1, 0));
    assert_eq!(late(&mut pair, held), (1, 1));
}

/// The packets of a frame, which nobody has received yet.
fn packets(pair: &mut Pair, camera: &mut Camera) -> Vec<Vec<u8>> {
    let now = pair.now;
    let batch = camera.frame(now);
    let side = &mut pair.ends[0];
    side.write(now, VIDEO, 0, &batch);
    let mut sent = Vec::new();
    while side.peek(now).is_some() {
        let mut buf = Vec::new();
        side.poll_rtp(now, 1232, &mut buf).expect("a packet");
        sent.push(buf);
    }
    sent
}

#[test]
fn an_application_speaks_through_rtcp() {
    let mut pair = Pair::video(13, &link(10));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 300);
    assert!(pair.ends[0].send_app(pair.now, *b"oxid", 3, &[1, 2, 3, 4]));
    pair.film(&mut camera, 100);
    let has = |it: &Event| matches!(it, Event::App { name, subtype: 3, data, .. } if name == b"oxid" && data[..] == [1, 2, 3, 4]);
    assert!(pair.ends[1].events.iter().any(has));
}

#[test]
fn without_reduced_size_feedback_is_behind_a_report() {
    let mut pair = Pair::video(14, &link(10).loss(percent(5)));
    let mut section = video();
    section.feedback.reduced_size = false;
    pair.ends[1].set_section(VIDEO, section);
    let mut camera = Camera::new(0, 3000);
    let mut buf = Vec::new();
    let mut seen = 0;
    for _ in 0..60 {
        pair.film(&mut camera, 33);
        pair.now += ms(101);
        buf.clear();
        while pair.ends[1].poll_rtcp(pair.now, 1200, &mut buf) {
            let first = rtcp::Compound::parse(&buf).unwrap().next().unwrap();
            assert!(matches!(first, rtcp::Rtcp::Report(_)));
            seen += 1;
            buf.clear();
        }
    }
    assert!(seen > 10);
}

/// Whoever reads only when it is told misses no frame: neither one that can be read when it comes, nor one whose time comes later.
#[test]
fn each_frame_that_can_be_read_is_told() {
    let link = Link::new(1).delay(ms(10)).jitter(ms(30));
    let mut pair = Pair::video(5, &link);
    pair.ends[1].reads_when_told = true;
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 3000);
    assert!(
        pair.ends[1].frames.len() > 80,
        "{}",
        pair.ends[1].frames.len()
    );
}
