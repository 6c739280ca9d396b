//! When RTCP is sent, what on, and what it answers.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use oxirtc_netsim::{End, Link, ms};
use oxirtc_rtp::{
    Config, Event, Form, Ntp, RtpHead, Section, SectionId, Session, Writer,
    extension::Label,
    rtcp::{self, FirItem, MaxRate, Rtcp},
};

use support::{Camera, Film as _, Pair, VIDEO, encoding, video};

fn link() -> Link {
    Link::new(0).delay(ms(10))
}

/// Runs a pair that films, and collects what side 1 sends of RTCP, with its time.
fn heard(pair: &mut Pair, camera: &mut Camera, millis: u64) -> Vec<(Instant, Vec<u8>)> {
    let mut heard = Vec::new();
    for _ in 0..millis {
        let now = pair.now;
        let mut buf = Vec::new();
        while pair.ends[1].poll_rtcp(now, 1200, &mut buf) {
            heard.push((now, buf.clone()));
            pair.wire.there.send(now, std::mem::take(&mut buf));
        }
        if camera.count == 0
            || (now - oxirtc_netsim::epoch())
                .as_millis()
                .is_multiple_of(33)
        {
            let batch = camera.frame(now);
            pair.ends[0].write(now, VIDEO, 0, &batch);
        }
        pair.turn();
        pair.now += ms(1);
    }
    heard
}

fn packets(datagram: &[u8]) -> Vec<Rtcp<'_>> {
    rtcp::Compound::parse(datagram).unwrap().collect()
}

/// RFC 3550 §6.3.1: between half and one and a half of the interval, drawn anew each time.
#[test]
fn reports_come_in_intervals_that_are_drawn() {
    let mut pair = Pair::video(1, &link());
    let mut camera = Camera::new(0, 500);
    let sent = heard(&mut pair, &mut camera, 120_000);
    let reports: Vec<_> = sent
        .iter()
        .filter(|it| matches!(packets(&it.1)[0], Rtcp::Report(_)))
        .map(|it| it.0)
        .collect();
    let gaps: Vec<_> = reports.windows(2).map(|it| it[1] - it[0]).collect();
    assert!((105..=135).contains(&gaps.len()), "{}", gaps.len());
    let within = ms(500)..=ms(1502);
    assert!(gaps.iter().all(|it| within.contains(it)), "{gaps:?}");
    // Evenly: some in each quarter.
    for quarter in 0..4 {
        let from = ms(500 + 250 * quarter);
        let count = gaps
            .iter()
            .filter(|it| (from..from + ms(250)).contains(*it));
        assert!(count.count() >= 12, "{quarter} {gaps:?}");
    }
}

/// Transport-wide feedback is sent 50 to 100 ms after what it tells of has come, and by each 100 packets at the latest.
#[test]
fn feedback_comes_in_time() {
    for (size, least, most) in [(500, 80, 140), (150_000, 50, 90)] {
        let mut pair = Pair::video(2, &link());
        let mut camera = Camera::new(0, size);
        heard(&mut pair, &mut camera, 1000);
        let sent = heard(&mut pair, &mut camera, 5000);
        let is_feedback = |it: &Rtcp<'_>| matches!(it, Rtcp::Transport(_));
        let times: Vec<_> = sent
            .iter()
            .filter(|it| packets(&it.1).iter().any(is_feedback))
            .map(|it| it.0)
            .collect();
        let gaps: Vec<u128> = times
            .windows(2)
            .map(|it| (it[1] - it[0]).as_millis())
            .filter(|it| *it > 1)
            .collect();
        let mean = gaps.iter().sum::<u128>() / gaps.len().max(1) as u128;
        assert!((least..=most).contains(&mean), "{size}: {mean} {gaps:?}");
    }
}

/// Where it was not agreed on, numbers alone ask for nothing.
#[test]
fn feedback_is_for_who_has_agreed_on_it() {
    let mut pair = Pair::video(3, &link());
    let mut section = video();
    section.feedback.transport = false;
    pair.ends[1].set_section(VIDEO, section);
    let mut camera = Camera::new(0, 500);
    let sent = heard(&mut pair, &mut camera, 2000);
    let is_feedback = |it: &Rtcp<'_>| matches!(it, Rtcp::Transport(_));
    let mut all = sent.iter().flat_map(|it| packets(&it.1));
    assert!(!all.any(|it| is_feedback(&it)));
}

/// RFC 3550 §6.3.5: who was silent for two intervals is reported on no more, until it is heard again.
#[test]
fn who_is_silent_is_not_reported_on() {
    let mut pair = Pair::video(4, &link());
    let mut camera = Camera::new(0, 500);
    let blocks = |sent: &[(Instant, Vec<u8>)]| {
        let all = sent.iter().flat_map(|it| packets(&it.1));
        let of = all.map(|it| match it {
            Rtcp::Report(report) => report.blocks().count(),
            _ => 0,
        });
        of.sum::<usize>()
    };
    assert!(blocks(&heard(&mut pair, &mut camera, 3000)) > 1);
    let silence = |pair: &mut Pair, millis: u64| {
        let mut sent = Vec::new();
        for _ in 0..millis {
            let mut buf = Vec::new();
            while pair.ends[1].poll_rtcp(pair.now, 1200, &mut buf) {
                sent.push((pair.now, std::mem::take(&mut buf)));
            }
            pair.turn();
            pair.now += ms(1);
        }
        sent
    };
    let at_first = blocks(&silence(&mut pair, 9500));
    assert!((6..=20).contains(&at_first), "{at_first}");
    silence(&mut pair, 600);
    assert_eq!(blocks(&silence(&mut pair, 30_000)), 0);
    assert!(blocks(&heard(&mut pair, &mut camera, 3000)) > 1);
}

/// RFC 5104 §4.2.2: who is told its limit says so at once, and names who had asked.
#[test]
fn a_limit_is_answered_at_once() {
    let mut pair = Pair::video(5, &link());
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 1000);
    let now = pair.now;
    let mut buf = Vec::new();
    while pair.ends[0].poll_rtcp(now, 1200, &mut buf) {
        buf.clear();
    }
    let wanted = MaxRate {
        ssrc: 1000,
        bits: 250_000,
        overhead: 40,
    };
    rtcp::write_tmmbr(&mut buf, 77, &[wanted]);
    pair.ends[0].handle_rtcp(now, &buf);
    buf.clear();
    assert!(pair.ends[0].poll_rtcp(now, 1200, &mut buf));
    let answered = packets(&buf).into_iter().find_map(|it| match it {
        Rtcp::Tmmb(it) if it.is_notice => Some(it.items().collect::<Vec<_>>()),
        _ => None,
    });
    let expected = MaxRate { ssrc: 77, ..wanted };
    assert_eq!(answered.as_deref(), Some(&[expected][..]));
    let allowed = Event::Allowed {
        section: VIDEO,
        encoding: 0,
        bits: Some(250_000),
    };
    pair.flush(End::A);
    assert!(pair.ends[0].events.contains(&allowed));
}

/// RFC 5104 §4.3.1.2: each who asks counts its own requests.
#[test]
fn a_request_is_repeated_by_whom_it_came_from() {
    let mut pair = Pair::video(6, &link());
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 300);
    let mut asked = |sender, number| {
        let mut buf = Vec::new();
        let item = FirItem { ssrc: 1000, number };
        rtcp::write_fir(&mut buf, sender, &[item]);
        pair.now += ms(200);
        let now = pair.now;
        pair.ends[0].handle_rtcp(now, &buf);
        pair.flush(End::A);
        support::asked(&mut pair.ends[0].events, 0)
    };
    assert!(asked(7, 1));
    assert!(!asked(7, 1), "a repeat");
    assert!(asked(8, 1), "another's first");
    assert!(!asked(7, 1), "still a repeat");
    assert!(!asked(8, 1));
    assert!(asked(7, 2));
    for other in 100..120 {
        assert!(asked(other, 1));
    }
    assert!(asked(7, 2), "long forgotten");
}

/// Names of what never becomes a stream make place for later ones, so that these are in sync.
#[test]
fn names_of_nobody_make_place() {
    let mut pair = Pair::video(7, &link());
    let now = pair.now;
    for ssrc in 10_000..10_300 {
        let mut buf = Vec::new();
        rtcp::write_receiver_report(&mut buf, ssrc, &[]);
        rtcp::write_cname(&mut buf, ssrc, b"nobody");
        pair.ends[1].handle_rtcp(now, &buf);
    }
    // The name comes before the stream, and only once.
    let mut buf = Vec::new();
    rtcp::write_receiver_report(&mut buf, 1000, &[]);
    rtcp::write_cname(&mut buf, 1000, b"somebody");
    pair.ends[1].handle_rtcp(now, &buf);
    let mut camera = Camera::new(0, 500);
    let batch = camera.frame(now);
    let info = rtcp::SenderInfo {
        ntp: Ntp(5 << 32),
        timestamp: 0,
        packets: 1,
        bytes: 1,
    };
    pair.ends[0].write(now, VIDEO, 0, &batch);
    pair.turn();
    pair.now += Duration::from_millis(11);
    pair.turn();
    let mut buf = Vec::new();
    rtcp::write_sender_report(&mut buf, 1000, &info, &[]);
    let now = pair.now;
    pair.ends[1].handle_rtcp(now, &buf);
    // Of a stream without a name it is not known when a frame was captured, by our clock.
    pair.film(&mut camera, 200);
    let batch = camera.frame(pair.now);
    pair.now += ms(60);
    let now = pair.now;
    pair.ends[0].write(now, VIDEO, 0, &batch);
    pair.turn();
    pair.now += ms(10);
    pair.turn();
    let frame = pair.ends[1].frames.last().unwrap();
    let late = frame.received - frame.captured;
    assert!(late >= ms(50), "{late:?}");
}

/// RFC 3550 §6.4.1: the fraction is that of the time since the last report; looking for something to send is none.
#[test]
fn a_loss_is_reported_once_with_and_without_reduced_size() {
    for (reduced, nack) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut section = video();
        section.feedback.reduced_size = reduced;
        section.feedback.nack = nack;
        let mut session = support::session(1);
        session.set_section(VIDEO, section);
        let mut fractions = Vec::new();
        for number in 0..10_000_u16 {
            let now = oxirtc_netsim::epoch() + ms(number.into());
            let mut packet = Vec::new();
            let head = RtpHead {
                payload_type: 96,
                marker: false,
                sequence: number,
                timestamp: u32::from(number) * 90,
                ssrc: 9,
            };
            Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
            packet.extend([0x10, 1, 2, 3]);
            if number % 5 != 0 {
                session.handle_rtp(now, &packet);
            }
            let mut buf = Vec::new();
            while session.poll_rtcp(now, 1200, &mut buf) {
                for packet in packets(&std::mem::take(&mut buf)) {
                    if let Rtcp::Report(report) = packet {
                        fractions.extend(report.blocks().map(|it| it.fraction));
                    }
                }
            }
        }
        assert!(fractions.len() >= 6, "{fractions:?}");
        let fifth = |it: &u8| (45..=57).contains(it);
        assert!(
            fractions.iter().all(fifth),
            "{reduced} {nack}: {fractions:?}"
        );
    }
}

/// A packet of one stream with a transport-wide number.
fn numbered(sequence: u16, number: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let head = RtpHead {
        payload_type: 96,
        marker: true,
        sequence,
        timestamp: u32::from(sequence) * 90,
        ssrc: 9,
    };
    let mut writer = Writer::begin(&mut packet, head, &[], Form::OneByte);
    assert!(writer.extend(4, &number.to_be_bytes()));
    writer.finish();
    packet.extend([0x10, 1, 2, 3]);
    packet
}

/// The numbers that feedback calls arrived.
fn arrived(datagram: &[u8]) -> Vec<u16> {
    let mut all = Vec::new();
    for packet in packets(datagram) {
        if let Rtcp::Transport(told) = packet {
            all.extend(told.arrivals().filter(|it| it.1.is_some()).map(|it| it.0));
        }
    }
    all
}

/// Behind another association another peer counts, from where it likes.
#[test]
fn who_counts_anew_is_told_of_arrivals() {
    let mut session = support::session(1);
    session.set_section(VIDEO, video());
    let mut told = Vec::new();
    for at in 0..2_000_u16 {
        if at == 1_000 {
            session.name_anew();
        }
        let number = if at < 1_000 { 20_000 + at } else { at - 1_000 };
        let now = oxirtc_netsim::epoch() + ms(at.into());
        session.handle_rtp(now, &numbered(at, number));
        let mut buf = Vec::new();
        while session.poll_rtcp(now, 1200, &mut buf) {
            told.extend(arrived(&std::mem::take(&mut buf)));
        }
    }
    let second: Vec<_> = told.iter().filter(|it| **it < 20_000).copied().collect();
    assert!(second.len() > 850, "{}", second.len());
    assert!(
        told.len() - second.len() > 850,
        "the first one was told too"
    );
    assert!(second.is_sorted());
}

/// Feedback for which there is no room is told when there is.
#[test]
fn arrivals_wait_for_room() {
    let mut session = support::session(1);
    session.set_section(VIDEO, video());
    for number in 0..5 {
        session.handle_rtp(oxirtc_netsim::epoch(), &numbered(number, number));
    }
    let now = oxirtc_netsim::epoch() + ms(150);
    let mut buf = Vec::new();
    for room in [0, 20, 25] {
        assert!(!session.poll_rtcp(now, room, &mut buf), "{room}");
        assert_eq!(buf, []);
    }
    assert!(session.poll_rtcp(now, 100, &mut buf));
    assert_eq!(arrived(&buf), [0, 1, 2, 3, 4]);
}

/// RFC 3550 §6.1: where not all fit each stream has its turn; and what waits for a report goes with the next.
#[test]
fn each_stream_reports_in_its_turn() {
    let mut session = support::session(1);
    let sections = 0..50;
    let mut cameras: Vec<_> = sections.clone().map(|_| Camera::new(0, 100)).collect();
    for at in sections.clone() {
        let mut section = video();
        section.mid = Label::new(&at.to_string());
        session.set_section(SectionId(at), section);
        session.set_encodings(SectionId(at), &[encoding(1000 + 10 * at, 0)]);
    }
    let mut told = BTreeMap::<u32, Vec<Instant>>::new();
    let (mut apps, mut clocks) = (0, 0);
    for step in 0..1000 {
        let now = oxirtc_netsim::epoch() + ms(20 * step);
        for (at, camera) in sections.clone().zip(&mut cameras) {
            let batch = camera.frame(now);
            session.write(now, SectionId(at), 0, &batch);
        }
        if step % 100 == 0 {
            let mut buf = Vec::new();
            rtcp::write_rrtr(&mut buf, 77, Ntp(3_900_000_000 << 32));
            rtcp::write_receiver_report(&mut buf, 77, &[]);
            session.handle_rtcp(now, &buf);
            assert!(session.send_app(now, *b"test", 1, &[0; 560]));
        }
        let mut buf = Vec::new();
        while session.poll_rtp(now, 1232, &mut buf).is_some() {
            buf.clear();
        }
        while session.poll_rtcp(now, 1200, &mut buf) {
            assert!(buf.len() <= 1200, "{}", buf.len());
            for packet in packets(&std::mem::take(&mut buf)) {
                match packet {
                    Rtcp::Report(it) if it.sender.is_some() => {
                        told.entry(it.ssrc).or_default().push(now);
                    }
                    Rtcp::App(_) => apps += 1,
                    Rtcp::Extended(it) => clocks += it.blocks().count(),
                    _ => {}
                }
            }
        }
    }
    assert_eq!((apps, clocks, told.len()), (10, 10, 50));
    let least = told.values().map(Vec::len).min();
    let most = told.values().map(Vec::len).max();
    assert!(
        least
            .zip(most)
            .is_some_and(|(least, most)| most - least <= 1),
        "{told:?}"
    );
}

/// RFC 9143 §9.2: where packets do not tell their section, RTCP does.
#[test]
fn rtcp_tells_the_section_of_a_stream() {
    let (now, sections) = (oxirtc_netsim::epoch(), [SectionId(0), SectionId(1)]);
    let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 40));
    // Both have the same payload type.
    for (id, mid) in sections.into_iter().zip(["a", "b"]) {
        let section = Section {
            mid: Label::new(mid),
            ..video()
        };
        session.set_section(id, section);
    }
    let tell = |session: &mut Session, ssrc, mid| {
        let mut buf = Vec::new();
        rtcp::write_receiver_report(&mut buf, ssrc, &[]);
        rtcp::write_sdes(&mut buf, ssrc, b"peer", Some(mid));
        session.handle_rtcp(now, &buf);
    };
    let come = |session: &mut Session, ssrc| {
        let head = RtpHead {
            payload_type: 96,
            ssrc,
            ..RtpHead::default()
        };
        let mut packet = Vec::new();
        Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
        packet.extend([0x10; 20]);
        session.handle_rtp(now, &packet);
        sections.map(|id| session.receive_stats(id).any(|it| it.0 == ssrc))
    };
    assert_eq!(come(&mut session, 7), [false; 2]);
    tell(&mut session, 7, "b");
    assert_eq!(come(&mut session, 7), [false, true]);
    // The last word counts, and a stream that is there stays where it is.
    tell(&mut session, 8, "b");
    tell(&mut session, 8, "a");
    assert_eq!(come(&mut session, 8), [true, false]);
    tell(&mut session, 8, "b");
    assert_eq!(come(&mut session, 8), [true, false]);
    tell(&mut session, 9, "c");
    assert_eq!(come(&mut session, 9), [false; 2]);
    // Of those that never come so many are kept.
    for ssrc in 1000..1257 {
        tell(&mut session, ssrc, "b");
    }
    assert_eq!(come(&mut session, 1000), [false; 2]);
    assert_eq!(come(&mut session, 1001), [false, true]);
    // Who says goodbye has said nothing.
    let mut buf = Vec::new();
    rtcp::write_bye(&mut buf, &[1002]);
    session.handle_rtcp(now, &buf);
    assert_eq!(come(&mut session, 1002), [false; 2]);
}

/// RFC 9143 §15.1: each report names the section of each stream that we send.
#[test]
fn reports_name_sections() {
    let mut pair = Pair::video(9, &link());
    let other = SectionId(9);
    let section = Section {
        mid: Label::new("other"),
        ..video()
    };
    pair.ends[0].set_section(other, section);
    pair.ends[0].set_encodings(other, &[encoding(2000, 0)]);
    let now = pair.now;
    for (id, size) in [(VIDEO, 500), (other, 600)] {
        let batch = Camera::new(0, size).frame(now);
        pair.ends[0].write(now, id, 0, &batch);
        while pair.ends[0].poll_rtp(now, 1232, &mut Vec::new()).is_some() {}
    }
    let mut buf = Vec::new();
    assert!(pair.ends[0].poll_rtcp(now + ms(800), 1200, &mut buf));
    let mut told: Vec<_> = packets(&buf)
        .into_iter()
        .filter_map(|it| match it {
            Rtcp::Sdes(it) => Some(it),
            _ => None,
        })
        .flat_map(|it| it.mids().collect::<Vec<_>>())
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(1000, "v"), (2000, "other")]);
}
