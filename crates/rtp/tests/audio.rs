//! Audio between two sessions: loss, redundancy, events, sources, the jitter buffer.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing step is a failing test"
)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use oxirtc_netsim::{Link, ms, percent};
use oxirtc_rtp::{
    Batch, Captured, Delivery, Event, Form, Frame, Ntp, Rtp, RtpHead, Writer,
    extension::{AbsoluteCapture, AudioLevel, Kind, Values},
    payload::{Codec, Layering, Packetizer, telephone},
};

use support::{AUDIO, Film as _, Pair, audio, encoding, frames};

struct Microphone {
    next: u64,
    count: u32,
}

impl Microphone {
    fn frame(&mut self, pair: &Pair) -> Arc<Batch> {
        let mut payload = vec![self.count as u8; 60];
        payload[0] = 0x78;
        let mut pieces = Vec::new();
        let mut packetizer = Packetizer::new(Codec::Opus, 1080, 0);
        packetizer
            .cut(&Bytes::from(payload), Layering::default(), &mut pieces)
            .unwrap();
        let timestamp = self.count * 960;
        self.count += 1;
        let values = Values {
            level: Some(AudioLevel {
                level: 20,
                voice: true,
            }),
            ..Values::default()
        };
        Batch::of_frame(
            &mut pieces,
            (0, Codec::Opus),
            &mut self.next,
            timestamp,
            (pair.now, &values),
        )
    }
}

fn pair(seed: u64, link: &Link) -> (Pair, Microphone) {
    let mut pair = Pair::between(seed, link);
    for side in &mut pair.ends {
        side.set_section(AUDIO, audio());
        side.set_delivery(AUDIO, frames());
    }
    pair.ends[0].set_encodings(AUDIO, &[encoding(50, 0)]);
    (pair, Microphone { next: 0, count: 0 })
}

fn speak(pair: &mut Pair, microphone: &mut Microphone, millis: u64) {
    pair.run(millis, |pair, tick| {
        if tick % 20 == 0 {
            let batch = microphone.frame(pair);
            pair.ends[0].write(pair.now, AUDIO, 0, &batch);
        }
    });
}

/// Where nothing is sent again, what comes out of order is heard in its place.
#[test]
fn audio_out_of_order_is_all_heard() {
    let link = Link::new(0).delay(ms(20)).reorder(percent(20), ms(45));
    let (mut pair, mut microphone) = pair(1, &link);
    let mut section = audio();
    section.feedback.nack = false;
    pair.ends[1].set_section(AUDIO, section);
    speak(&mut pair, &mut microphone, 4000);
    pair.run(500, |_, _| {});
    let frames = &pair.ends[1].frames;
    let rises = |it: &[Frame]| it[1].timestamp > it[0].timestamp;
    assert!(frames.windows(2).all(rises));
    let (_, _, stats) = pair.ends[1].receive_stats(AUDIO).next().unwrap();
    assert_eq!((frames.len(), stats.late, stats.duplicates), (200, 0, 0));
}

#[test]
fn audio_comes_in_order() {
    let link = Link::new(0).delay(ms(20)).loss(percent(3)).jitter(ms(8));
    let (mut pair, mut microphone) = pair(1, &link);
    let mut section = audio();
    section.feedback.nack = false;
    pair.ends[1].set_section(AUDIO, section);
    speak(&mut pair, &mut microphone, 4000);
    let heard: Vec<_> = pair.ends[1].frames.iter().map(|it| it.payload[1]).collect();
    assert!(heard.len() > 170, "{}", heard.len());
    assert!(
        pair.ends[1]
            .frames
            .windows(2)
            .all(|it| it[1].timestamp > it[0].timestamp)
    );
    assert!(
        pair.ends[1]
            .frames
            .iter()
            .all(|it| it.values.level.is_some())
    );
    let sources = pair.ends[1].sources(pair.now, AUDIO);
    assert_eq!(
        (sources.len(), sources[0].source, sources[0].level),
        (1, 50, Some(20))
    );
    assert!(
        pair.ends[1]
            .sources(pair.now + ms(10_100), AUDIO)
            .is_empty()
    );
    assert!(
        pair.ends[1]
            .events
            .contains(&Event::Received { section: AUDIO })
    );
    let (_, _, stats) = pair.ends[1].receive_stats(AUDIO).next().unwrap();
    assert!(stats.clock == 48_000 && stats.jitter > 48, "{stats:?}");
}

/// A mixer tells of the clock of the one that it puts first, now and then; all who are in a packet are captured together.
#[test]
fn sources_tell_when_they_were_captured() {
    let (mut pair, _) = pair(9, &Link::new(0));
    let id = 7;
    let mut section = audio();
    section.ids = section.ids.with(Kind::AbsoluteCaptureTime, id);
    pair.ends[1].set_section(AUDIO, section);
    let mut sequence = 0;
    let mut mixed = |timestamp, sources: &[u32], told: Option<AbsoluteCapture>| {
        sequence += 1;
        let head = RtpHead {
            payload_type: 111,
            marker: false,
            sequence,
            timestamp,
            ssrc: 50,
        };
        let mut packet = Vec::new();
        let mut writer = Writer::begin(&mut packet, head, sources, Form::OneByte);
        if let Some(told) = told {
            let (bytes, len) = told.to_bytes();
            assert!(writer.extend(id, &bytes[..len]));
        }
        writer.finish();
        packet.extend_from_slice(&[0xfc; 20]);
        let now = pair.now;
        let side = &mut pair.ends[1];
        side.handle_rtp(now, &packet);
        let mut all = side.sources(now, AUDIO);
        all.sort_by_key(|it| it.source);
        let shown = all.iter().map(|it| (it.source, it.captured));
        shown.collect::<Vec<_>>()
    };
    let told = |seconds: u64, offset| AbsoluteCapture {
        time: Ntp(seconds << 32),
        offset,
    };
    let captured = |halves: u64, offset| {
        Some(Captured {
            time: Ntp(halves << 31),
            offset,
        })
    };
    assert_eq!(mixed(0, &[7, 8], None), [(7, None), (8, None), (50, None)]);
    let all = mixed(960, &[7, 8], Some(told(100, Some(9))));
    let at = captured(200, Some(9));
    assert_eq!(all, [(7, at), (8, at), (50, at)]);
    let all = mixed(24_960, &[7], None);
    let later = captured(201, Some(9));
    assert_eq!(all, [(7, later), (8, at), (50, later)]);
    // Another is put first, whose clock is not known; then it is.
    let all = mixed(25_920, &[8, 7], None);
    assert_eq!(all, [(7, None), (8, None), (50, None)]);
    let all = mixed(26_880, &[8], Some(told(5, None)));
    let own = captured(10, None);
    assert_eq!(all, [(7, None), (8, own), (50, own)]);
}

#[test]
fn a_wanted_delay_is_kept() {
    let (mut pair, mut microphone) = pair(2, &Link::new(0).delay(ms(20)));
    let delivery = Delivery {
        target: Some(ms(200)),
        ..frames()
    };
    pair.ends[1].set_delivery(AUDIO, delivery);
    speak(&mut pair, &mut microphone, 1000);
    let count = pair.ends[1].frames.len();
    assert!((36..=40).contains(&count), "{count}");
    let due = pair.ends[1].poll_timeout().unwrap();
    assert!(due <= pair.now + ms(20));
}

/// [7-01] [7.2-09] RFC 4733: the event replaces the audio, goes on over the same numbers, and ends three times.
#[test]
fn events_are_played() {
    let (mut pair, mut microphone) = pair(3, &Link::new(0).delay(ms(20)));
    speak(&mut pair, &mut microphone, 200);
    assert!(pair.ends[0].play_event(pair.now, AUDIO, 5, ms(300)));
    assert!(
        !pair.ends[0].play_event(pair.now, AUDIO, 6, ms(300)),
        "one at a time"
    );
    let before = pair.ends[0].sent.len();
    speak(&mut pair, &mut microphone, 300);
    let during: Vec<_> = pair.ends[0].sent[before..].to_vec();
    speak(&mut pair, &mut microphone, 300);
    assert!(during.len() >= 6);
    let mut last = None;
    let mut timestamps = vec![];
    for (at, datagram) in pair.ends[0].sent.iter().enumerate() {
        let rtp = Rtp::parse(datagram).unwrap();
        if let Some(last) = last.replace(rtp.head.sequence) {
            assert_eq!(rtp.head.sequence, last + 1, "no gap");
        }
        if rtp.head.payload_type == 110 {
            let event = telephone::Event::parse(rtp.payload).unwrap();
            assert_eq!((event.code, rtp.head.marker), (5, at == before));
            timestamps.push((rtp.head.timestamp, event.ends, event.duration));
        }
    }
    assert!(timestamps.iter().all(|it| it.0 == timestamps[0].0));
    assert!(
        timestamps.windows(2).all(|it| it[0].2 <= it[1].2),
        "it grows"
    );
    assert!(timestamps[0].2 < 14_400);
    let ends: Vec<_> = timestamps.iter().filter(|it| it.1).map(|it| it.2).collect();
    assert_eq!(ends, [14_400; 3], "300 ms at 48 kHz");
    assert!(
        during
            .iter()
            .all(|it| Rtp::parse(it).unwrap().head.payload_type == 110)
    );
    assert!(
        pair.ends[1]
            .frames
            .iter()
            .any(|it| it.codec == Codec::TelephoneEvent)
    );
    // The other end is told once, though the end of the event comes three times.
    let told = Event::Telephone {
        section: AUDIO,
        code: 5,
    };
    let count = pair.ends[1].events.iter().filter(|it| **it == told).count();
    assert_eq!(count, 1);
    // And the audio goes on.
    assert_eq!(
        Rtp::parse(pair.ends[0].sent.last().unwrap())
            .unwrap()
            .head
            .payload_type,
        111
    );
}

/// RFC 4733 §2.5.1.3: what is longer than 65,535 units goes in segments, and is one tone to who hears it.
#[test]
fn a_long_event_goes_in_segments() {
    let (mut pair, mut microphone) = pair(3, &Link::new(0).delay(ms(20)));
    speak(&mut pair, &mut microphone, 200);
    assert!(pair.ends[0].play_event(pair.now, AUDIO, 5, ms(3000)));
    speak(&mut pair, &mut microphone, 3500);
    assert!(pair.ends[0].play_event(pair.now, AUDIO, 5, ms(100)));
    speak(&mut pair, &mut microphone, 500);
    let sent = pair.ends[0].sent.iter().map(|it| Rtp::parse(it).unwrap());
    let events: Vec<_> = sent
        .filter(|it| it.head.payload_type == 110)
        .map(|it| (it.head, telephone::Event::parse(it.payload).unwrap()))
        .collect();
    let start = events[0].0.timestamp;
    let mut segments: Vec<(u32, u16, usize, usize)> = Vec::new();
    for (at, (head, event)) in events.iter().enumerate() {
        let place = head.timestamp.wrapping_sub(start);
        let begins = segments.is_empty() || segments.len() == 3 && place > 144_000;
        assert_eq!(head.marker, begins, "{at}");
        match segments.last_mut().filter(|it| it.0 == place) {
            Some(it) => {
                assert!(event.duration >= it.1);
                it.2 = if event.duration > it.1 { 1 } else { it.2 + 1 };
                it.3 += usize::from(event.ends);
                it.1 = event.duration;
            }
            None => segments.push((place, event.duration, 1, usize::from(event.ends))),
        }
    }
    // 3 s are 144,000 units: the last packet of each segment three times, and the end on the last alone.
    let expected = [
        (0, 65_535, 3, 0),
        (65_535, 65_535, 3, 0),
        (131_070, 12_929, 3, 3),
    ];
    assert!(segments[2].1.abs_diff(12_930) <= 2, "{segments:?}");
    segments[2].1 = 12_929;
    assert_eq!(segments[..3], expected);
    assert_eq!((segments.len(), segments[3].1, segments[3].3), (4, 4800, 3));
    let told = |it: &&Event| matches!(it, Event::Telephone { code: 5, .. });
    assert_eq!(
        pair.ends[1].events.iter().filter(told).count(),
        2,
        "two tones"
    );
}

/// RFC 6465: a mixer tells how loud each of those is whom it has mixed, in their order.
#[test]
fn contributors_have_levels_of_their_own() {
    let (mut pair, _) = pair(9, &Link::new(0));
    let mut section = audio();
    section.ids = section.ids.with(Kind::MixedLevels, 8);
    pair.ends[1].set_section(AUDIO, section);
    let head = RtpHead {
        payload_type: 111,
        marker: false,
        sequence: 1,
        timestamp: 0,
        ssrc: 50,
    };
    let mut packet = Vec::new();
    let mut writer = Writer::begin(&mut packet, head, &[7, 8, 9], Form::OneByte);
    // The bit above the level has no meaning here (RFC 6465 §3).
    assert!(writer.extend(6, &[0x80 | 33]) && writer.extend(8, &[10, 0x80 | 20]));
    writer.finish();
    packet.extend_from_slice(&[0xfc; 20]);
    let now = pair.now;
    pair.ends[1].handle_rtp(now, &packet);
    let mut heard = pair.ends[1].sources(now, AUDIO);
    heard.sort_by_key(|it| it.source);
    let heard: Vec<_> = heard
        .iter()
        .map(|it| (it.source, it.contributes, it.level))
        .collect();
    let expected = [
        (7, true, Some(10)),
        (8, true, Some(20)),
        (9, true, None),
        (50, false, Some(33)),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn events_are_played_while_nothing_is_written() {
    let (mut pair, _) = pair(4, &Link::new(0).delay(ms(20)));
    assert!(pair.ends[0].play_event(pair.now, AUDIO, 11, ms(100)));
    pair.run(300, |_, _| {});
    assert!(pair.ends[0].sent.len() >= 5, "{}", pair.ends[0].sent.len());
    assert!(
        pair.ends[0].play_event(pair.now, AUDIO, 1, ms(100)),
        "the next one"
    );
}

/// RFC 2198: with two earlier packets in each, single losses are not heard.
#[test]
fn redundancy_brings_back_what_is_lost() {
    let link = Link::new(0).delay(ms(20)).loss(percent(5));
    let (mut pair, mut microphone) = pair(5, &link);
    let mut section = audio();
    (section.redundancy, section.feedback.nack) = (2, false);
    pair.ends[0].set_section(AUDIO, section.clone());
    pair.ends[1].set_section(AUDIO, section);
    speak(&mut pair, &mut microphone, 6000);
    let heard = pair.ends[1].frames.len();
    assert!(heard > 285, "{heard} of 300");
    assert!(
        pair.ends[1]
            .frames
            .windows(2)
            .all(|it| it[1].timestamp - it[0].timestamp == 960)
    );
    let (_, _, stats) = pair.ends[1].receive_stats(AUDIO).next().unwrap();
    assert!(stats.redundant > 5, "{stats:?}");
    let last = Rtp::parse(pair.ends[0].sent.last().unwrap()).unwrap();
    assert_eq!(last.head.payload_type, 63);
}
