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
    Batch, Delivery, Event, Rtp,
    extension::{AudioLevel, Values},
    payload::{Codec, Layering, Packetizer, telephone},
};

use support::{AUDIO, Pair, audio, encoding, frames};

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
    let mut pair = Pair::new(seed, link);
    for side in &mut pair.sides {
        side.set_section(AUDIO, audio());
        side.set_delivery(AUDIO, frames());
    }
    pair.sides[0].set_encodings(AUDIO, &[encoding(50, 0)]);
    (pair, Microphone { next: 0, count: 0 })
}

fn speak(pair: &mut Pair, microphone: &mut Microphone, millis: u64) {
    pair.run(millis, |pair, tick| {
        if tick % 20 == 0 {
            let batch = microphone.frame(pair);
            pair.sides[0].write(pair.now, AUDIO, 0, &batch);
        }
    });
}

#[test]
fn audio_comes_in_order() {
    let link = Link::new(0).delay(ms(20)).loss(percent(3)).jitter(ms(8));
    let (mut pair, mut microphone) = pair(1, &link);
    let mut section = audio();
    section.feedback.nack = false;
    pair.sides[1].set_section(AUDIO, section);
    speak(&mut pair, &mut microphone, 4000);
    let heard: Vec<_> = pair.frames[1].iter().map(|it| it.payload[1]).collect();
    assert!(heard.len() > 170, "{}", heard.len());
    assert!(
        pair.frames[1]
            .windows(2)
            .all(|it| it[1].timestamp > it[0].timestamp)
    );
    assert!(pair.frames[1].iter().all(|it| it.values.level.is_some()));
    let sources = pair.sides[1].sources(pair.now, AUDIO);
    assert_eq!(
        (sources.len(), sources[0].source, sources[0].level),
        (1, 50, Some(20))
    );
    assert!(
        pair.sides[1]
            .sources(pair.now + ms(10_100), AUDIO)
            .is_empty()
    );
    assert!(pair.events[1].contains(&Event::Received { section: AUDIO }));
    let (_, _, stats) = pair.sides[1].receive_stats(AUDIO).next().unwrap();
    assert!(stats.clock == 48_000 && stats.jitter > 48, "{stats:?}");
}

#[test]
fn a_wanted_delay_is_kept() {
    let (mut pair, mut microphone) = pair(2, &Link::new(0).delay(ms(20)));
    let delivery = Delivery {
        target: Some(ms(200)),
        ..frames()
    };
    pair.sides[1].set_delivery(AUDIO, delivery);
    speak(&mut pair, &mut microphone, 1000);
    let count = pair.frames[1].len();
    assert!((36..=40).contains(&count), "{count}");
    let due = pair.sides[1].poll_timeout().unwrap();
    assert!(due <= pair.now + ms(20));
}

/// [7-01] [7.2-09] RFC 4733: the event replaces the audio, goes on over the same numbers, and ends three times.
#[test]
fn events_are_played() {
    let (mut pair, mut microphone) = pair(3, &Link::new(0).delay(ms(20)));
    speak(&mut pair, &mut microphone, 200);
    assert!(pair.sides[0].play_event(pair.now, AUDIO, 5, ms(300)));
    assert!(
        !pair.sides[0].play_event(pair.now, AUDIO, 6, ms(300)),
        "one at a time"
    );
    let before = pair.sent[0].len();
    speak(&mut pair, &mut microphone, 300);
    let during: Vec<_> = pair.sent[0][before..].to_vec();
    speak(&mut pair, &mut microphone, 300);
    assert!(during.len() >= 6);
    let mut last = None;
    let mut timestamps = vec![];
    for (at, datagram) in pair.sent[0].iter().enumerate() {
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
        pair.frames[1]
            .iter()
            .any(|it| it.codec == Codec::TelephoneEvent)
    );
    // The other end is told once, though the end of the event comes three times.
    let told = Event::Telephone {
        section: AUDIO,
        code: 5,
    };
    let count = pair.events[1].iter().filter(|it| **it == told).count();
    assert_eq!(count, 1);
    // And the audio goes on.
    assert_eq!(
        Rtp::parse(pair.sent[0].last().unwrap())
            .unwrap()
            .head
            .payload_type,
        111
    );
}

#[test]
fn events_are_played_while_nothing_is_written() {
    let (mut pair, _) = pair(4, &Link::new(0).delay(ms(20)));
    assert!(pair.sides[0].play_event(pair.now, AUDIO, 11, ms(100)));
    pair.run(300, |_, _| {});
    assert!(pair.sent[0].len() >= 5, "{}", pair.sent[0].len());
    assert!(
        pair.sides[0].play_event(pair.now, AUDIO, 1, ms(100)),
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
    pair.sides[0].set_section(AUDIO, section.clone());
    pair.sides[1].set_section(AUDIO, section);
    speak(&mut pair, &mut microphone, 6000);
    let heard = pair.frames[1].len();
    assert!(heard > 285, "{heard} of 300");
    assert!(
        pair.frames[1]
            .windows(2)
            .all(|it| it[1].timestamp - it[0].timestamp == 960)
    );
    let (_, _, stats) = pair.sides[1].receive_stats(AUDIO).next().unwrap();
    assert!(stats.redundant > 5, "{stats:?}");
    let last = Rtp::parse(pair.sent[0].last().unwrap()).unwrap();
    assert_eq!(last.head.payload_type, 63);
}
