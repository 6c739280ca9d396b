//! SSRCs and numbers of our own: where they begin, whom they collide with, and what is never sent twice.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::collections::BTreeMap;

use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_rtp::{Carries, Event, Format, Protection, Rtp, Section, rtcp};

use support::{AUDIO, Camera, Film as _, Pair, VIDEO, audio, encoding, frames, video};

/// Video with RTX, and with FlexFEC in every frame.
fn protected() -> Section {
    let mut section = video();
    section.formats.push(Format {
        payload_type: 98,
        role: Carries::Flexfec,
        clock: 90_000,
    });
    section.protect = Protection::Always;
    section
}

/// The first number of each SSRC that was sent.
fn firsts(sent: &[Vec<u8>]) -> BTreeMap<u32, u16> {
    let mut firsts = BTreeMap::new();
    for datagram in sent {
        let head = Rtp::parse(datagram).unwrap().head;
        firsts.entry(head.ssrc).or_insert(head.sequence);
    }
    firsts
}

fn pair(seed: u64, link: &Link) -> Pair {
    let mut pair = Pair::between(seed, link);
    let mut encoding = encoding(1000, 0);
    encoding.fec = Some(1002);
    pair.ends[0].set_section(VIDEO, protected());
    pair.ends[0].set_encodings(VIDEO, &[encoding]);
    pair.ends[1].set_section(VIDEO, protected());
    pair.ends[1].set_delivery(VIDEO, frames());
    pair
}

/// RFC 3711 §3.3.1: of media, of repairs and of parity.
#[test]
fn the_first_number_is_below_half() {
    for_each_seed(24, |seed| {
        let mut pair = pair(seed, &Link::new(0).delay(ms(10)).loss(percent(20)));
        let mut camera = Camera::new(0, 3000);
        pair.film(&mut camera, 1500);
        let firsts = firsts(&pair.ends[0].sent);
        assert!(firsts.keys().eq(&[1000, 1001, 1002]), "{firsts:?}");
        assert!(firsts.values().all(|it| *it < 0x8000), "{firsts:?}");
    });
}

/// RFC 3550 §8.2: whichever of ours the peer uses, another takes its place, begins below half, and stays when the section is set again.
#[test]
fn the_peer_uses_our_ssrc() {
    for taken in [1000, 1001, 1002] {
        let mut pair = pair(11, &Link::new(0).delay(ms(10)).loss(percent(10)));
        let mut camera = Camera::new(0, 3000);
        pair.film(&mut camera, 1000);
        // The peer sends with it as well.
        let now = pair.now;
        let other = oxirtc_rtp::RtpHead {
            payload_type: 96,
            ssrc: taken,
            ..Default::default()
        };
        let mut packet = Vec::new();
        oxirtc_rtp::Writer::begin(&mut packet, other, &[], Default::default()).finish();
        packet.extend_from_slice(&[0x10; 20]);
        let before = pair.ends[0].sent.len();
        pair.ends[0].handle_rtp(now, &packet);
        pair.ends[0].handle_rtp(now, &packet);
        pair.film(&mut camera, 2000);
        let told = pair.ends[0].events.iter().find_map(|it| match it {
            Event::Collision { old, new } if *old == taken => Some(*new),
            _ => None,
        });
        let new = told.unwrap();
        let after = firsts(&pair.ends[0].sent[before..]);
        let expected = [1000, 1001, 1002].map(|it| if it == taken { new } else { it });
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert!(after.keys().eq(&expected), "{after:?}");
        assert!(after[&new] < 0x8000, "{after:?}");
        let heads = pair.ends[0].sent[..before].iter();
        let mut heads = heads.map(|it| Rtp::parse(it).unwrap().head);
        let last = heads.rfind(|it| it.ssrc == taken).unwrap();
        assert_ne!(after[&new], last.sequence + 1, "it does not go on");
        assert_eq!(pair.ends[0].stats().collisions, 1);
        // As when something else is negotiated.
        let (before, frames) = (pair.ends[0].sent.len(), pair.ends[1].frames.len());
        let mut again = encoding(1000, 0);
        again.fec = Some(1002);
        pair.ends[0].set_encodings(VIDEO, &[again]);
        pair.film(&mut camera, 2000);
        assert!(firsts(&pair.ends[0].sent[before..]).keys().eq(&expected));
        assert!(pair.ends[1].frames.len() > frames + 50, "{taken}");
        // And by who knows the new one.
        let (before, frames) = (pair.ends[0].sent.len(), pair.ends[1].frames.len());
        let now = |it: u32| if it == taken { new } else { it };
        let mut again = encoding(now(1000), 0);
        (again.rtx, again.fec) = (Some(now(1001)), Some(now(1002)));
        for _ in 0..2 {
            pair.ends[0].set_encodings(VIDEO, &[again]);
        }
        pair.film(&mut camera, 2000);
        let sent = firsts(&pair.ends[0].sent[before..]);
        assert!(sent.keys().eq(&expected));
        let heads = pair.ends[0].sent[..before].iter();
        let mut heads = heads.map(|it| Rtp::parse(it).unwrap().head);
        let last = heads.rfind(|it| it.ssrc == new).unwrap();
        assert_eq!(sent[&new], last.sequence + 1, "it goes on");
        assert!(pair.ends[1].frames.len() > frames + 30, "{taken}");
    }
}

/// A peer that takes each of ours has its way so often, and then no more.
#[test]
fn so_many_ssrcs_make_way() {
    let mut pair = Pair::video(14, &Link::new(0).delay(ms(10)));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 100);
    let mut packet = pair.ends[0].sent[0].clone();
    let mut own = 1000_u32;
    for count in 1..=257 {
        packet[8..12].copy_from_slice(&own.to_be_bytes());
        pair.ends[0].handle_rtp(pair.now, &packet);
        assert_eq!(pair.ends[0].stats().collisions, count.min(256));
        let (now, ..) = pair.ends[0].send_stats(VIDEO).next().unwrap();
        assert_eq!(now == own, count == 257, "{count}");
        own = now;
    }
    let frames = pair.ends[1].frames.len();
    pair.film(&mut camera, 2000);
    assert!(pair.ends[1].frames.len() > frames + 30);
}

/// Numbers under the new SSRC rise from its first on, without a gap that the path has not made.
#[test]
fn a_new_ssrc_counts_from_its_first_number() {
    let mut pair = Pair::video(12, &Link::new(0).delay(ms(10)));
    pair.ends[1].set_encodings(VIDEO, &[encoding(1000, 0)]);
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 990);
    // Half of a frame has gone out when the collision is seen.
    let batch = camera.frame(pair.now);
    let now = pair.now;
    pair.ends[0].write(now, VIDEO, 0, &batch);
    let mut buf = Vec::new();
    pair.ends[0].poll_rtp(now, 1232, &mut buf).unwrap();
    assert!(pair.ends[0].peek(now).is_some());
    let other = pair.ends[0].sent.last().unwrap().clone();
    pair.ends[0].handle_rtp(now, &other);
    let before = pair.ends[0].sent.len();
    pair.film(&mut camera, 1000);
    let sent = pair.ends[0].sent[before..].iter();
    let heads: Vec<_> = sent.map(|it| Rtp::parse(it).unwrap().head).collect();
    assert!(heads.iter().all(|it| it.ssrc == heads[0].ssrc));
    assert!(
        heads
            .windows(2)
            .all(|it| it[1].sequence == it[0].sequence + 1)
    );
    assert!(heads.len() > 60 && pair.ends[1].frames.len() > 50);
    assert!(pair.ends[1].frames.iter().all(|it| support::check(it) == 0));
}

/// The session's own SSRC, from which reports come while nothing is sent.
#[test]
fn the_peer_uses_the_ssrc_of_our_reports() {
    let mut pair = Pair::video(13, &Link::new(0).delay(ms(10)));
    let mut camera = Camera::new(0, 500);
    pair.film(&mut camera, 2000);
    let reporter = |session: &mut oxirtc_rtp::Session, now| {
        let mut buf = Vec::new();
        assert!(session.send_app(now, *b"oxid", 0, &[]));
        assert!(session.poll_rtcp(now, 1200, &mut buf));
        let first = rtcp::Compound::parse(&buf).unwrap().next().unwrap();
        let rtcp::Rtcp::Report(report) = first else {
            panic!("no report: {first:?}");
        };
        report.ssrc
    };
    let now = pair.now;
    let own = reporter(&mut pair.ends[1], now);
    let mut packet = pair.ends[0].sent[0].clone();
    packet[8..12].copy_from_slice(&own.to_be_bytes());
    pair.ends[1].handle_rtp(now, &packet);
    let new = reporter(&mut pair.ends[1], now);
    assert_ne!(own, new);
    assert_eq!(pair.ends[1].stats().collisions, 1);
}

/// Without RTX a packet that is missing is gone: under an AEAD profile an index that is used twice gives the key away.
#[test]
fn nothing_is_sent_again_without_rtx() {
    // Either side of the agreement may lack it.
    for (payload_type, ssrc) in [(false, true), (true, false), (false, false)] {
        let mut pair = Pair::video(4, &Link::new(0).delay(ms(10)).loss(percent(10)));
        let mut section = video();
        if !payload_type {
            section.formats.truncate(1);
        }
        let mut encoding = encoding(1000, 0);
        encoding.rtx = encoding.rtx.filter(|_| ssrc);
        pair.ends[0].set_section(VIDEO, section);
        pair.ends[0].set_encodings(VIDEO, &[encoding]);
        let mut camera = Camera::new(0, 3000);
        pair.film(&mut camera, 3000);
        let (_, _, stats) = pair.ends[0].send_stats(VIDEO).next().unwrap();
        assert!(stats.nacks > 10 && stats.resent == 0, "{stats:?}");
        let mut numbers = std::collections::BTreeSet::new();
        for datagram in &pair.ends[0].sent {
            let head = Rtp::parse(datagram).unwrap().head;
            assert_eq!(head.ssrc, 1000);
            assert!(numbers.insert(head.sequence), "{} twice", head.sequence);
        }
    }
}

/// Whoever remembers SSRCs of the peer is told which belong to nobody any more.
#[test]
fn what_has_ended_is_told() {
    let mut pair = Pair::video(5, &Link::new(0).delay(ms(10)).loss(percent(5)));
    let mut camera = Camera::new(0, 3000);
    pair.film(&mut camera, 2000);
    let ended = |pair: &mut Pair| {
        let mut all: Vec<_> = std::iter::from_fn(|| pair.ends[1].poll_ended()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(ended(&mut pair), []);
    // Another stream on the same lane.
    pair.ends[0].set_encodings(VIDEO, &[encoding(3000, 0)]);
    pair.film(&mut camera, 2000);
    assert_eq!(ended(&mut pair), [1000, 1001]);
    pair.ends[1].remove_section(VIDEO);
    assert_eq!(ended(&mut pair), [3000, 3001]);
}

/// RFC 9143 §9.2: with a section that comes a peer may make its demultiplexer anew, so that streams which it knew are named again until it
/// reports on them.
#[test]
fn streams_are_named_again_when_a_section_comes() {
    let mut pair = Pair::video(3, &Link::new(3).delay(ms(10)));
    let mut camera = Camera::new(0, 500);
    let names = |pair: &Pair| {
        let last = pair.ends[0].sent.last().unwrap();
        let mut extensions = Rtp::parse(last).unwrap().extensions;
        extensions.any(|it| it.0 == 1)
    };
    pair.film(&mut camera, 100);
    assert!(names(&pair));
    pair.film(&mut camera, 5000);
    assert!(!names(&pair), "it was reported on");
    pair.ends[0].set_section(AUDIO, audio());
    pair.film(&mut camera, 100);
    assert!(names(&pair));
    pair.film(&mut camera, 5000);
    assert!(!names(&pair));
}
