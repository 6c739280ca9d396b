//! How datagrams are marked by what they carry.

use std::{collections::BTreeMap, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, MediaKind, Message, Priority, RtpEncodingParameters,
    engine::{Cutter, Settings, TransceiverId, TransceiverInit},
    media::{Codec, EncodedFrame},
};

use crate::pair::{
    End, Pair,
    media::{ONE, TWO, connect, read},
};

const STUN: u8 = 0;
const DTLS: u8 = 1;
const RTP: u8 = 2;
const RTCP: u8 = 3;

/// A pair whose side 0 sends sound, pictures and data, each as important as that.
fn sending(
    settings: Settings,
    sound: Priority,
    pictures: RtpEncodingParameters,
    data: Priority,
) -> (Pair, [TransceiverId; 2]) {
    let link = Link::new(31).delay(ms(10));
    let configurations = [Configuration::default(), Configuration::default()];
    let mut pair = Pair::with(31, link, configurations, settings);
    let init = |encoding| TransceiverInit {
        encodings: vec![encoding],
        ..TransceiverInit::default()
    };
    let sound = RtpEncodingParameters {
        priority: sound,
        ..RtpEncodingParameters::default()
    };
    let engine = &mut pair.ends[0].engine;
    let audio = engine.add_transceiver(MediaKind::Audio, Some(ONE), init(sound));
    let video = engine.add_transceiver(MediaKind::Video, Some(TWO), init(pictures));
    let ids = [audio.unwrap(), video.unwrap()];
    let init = DataChannelInit {
        priority: data,
        ..DataChannelInit::default()
    };
    pair.open(0, "data", &init);
    connect(&mut pair);
    pair.until(Duration::from_secs(5), |pair| {
        !pair.ends[1].channels.is_empty()
    });
    (pair, ids)
}

/// Gives all of it at once, so many times, so that it stands in batches together; how many pictures came whole.
fn give(
    pair: &mut Pair,
    [cutter, speech]: &mut [Cutter; 2],
    [audio, video]: [TransceiverId; 2],
    times: u8,
) -> u32 {
    let there = pair.ends[1].engine.transceivers().nth(1).unwrap().id();
    let channel = pair.ends[1].channels[0];
    let mut whole = 0;
    for count in 0..times {
        let now = pair.now;
        let mut payload = vec![count; 4000];
        payload[..10].copy_from_slice(&[u8::from(count > 0), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let mut picture = EncodedFrame::new(Codec::Vp8, payload);
        picture.captured = Some(now);
        let mut sound = EncodedFrame::new(Codec::Opus, vec![0xfc; 80]);
        sound.captured = Some(now);
        let picture = cutter.cut_frame(now, 0, &picture).unwrap();
        let sound = speech.cut_frame(now, 0, &sound).unwrap();
        let engine = &mut pair.ends[0].engine;
        engine.write(now, video, &picture);
        engine.write(now, audio, &sound);
        pair.send(0, channel, Message::from(vec![count; 3000]));
        pair.run(ms(33));
        whole += read(pair, there);
    }
    whole
}

/// How the datagrams of a side were marked: by what they are, and of RTP by its payload type.
fn marks(end: &End) -> BTreeMap<u8, Vec<u8>> {
    let mut marks = BTreeMap::<u8, Vec<u8>>::new();
    for (kind, _, dscp) in end.marks.keys() {
        let all = marks.entry(*kind).or_default();
        if !all.contains(dscp) {
            all.push(*dscp);
        }
    }
    marks
}

/// The one mark of each stream, which is told by its SSRC.
fn of_streams(pair: &Pair) -> BTreeMap<MediaKind, Vec<u8>> {
    let report = pair.ends[0].engine.stats(pair.now);
    let mut marks = BTreeMap::<MediaKind, Vec<u8>>::new();
    for stream in report.outbound_rtp() {
        let own = &stream.sent.stream;
        let kind = match own.kind.as_str() {
            "audio" => MediaKind::Audio,
            _ => MediaKind::Video,
        };
        let seen = pair.ends[0]
            .marks
            .keys()
            .filter(|it| it.0 == RTP && it.1 == own.ssrc);
        marks.entry(kind).or_default().extend(seen.map(|it| it.2));
    }
    marks
}

/// [4.9-01] RFC 8837 §5, RFC 7657 §5.4, RFC 8445 §7.2.3: each datagram by what it carries, and nothing is lost where batches end for it.
#[test]
fn each_datagram_is_marked_as_its_content() {
    let pictures = RtpEncodingParameters {
        priority: Priority::VeryLow,
        network_priority: Some(Priority::Medium),
        ..RtpEncodingParameters::default()
    };
    let settings = Settings::default().dscp(true);
    let (mut pair, ids) = sending(settings, Priority::High, pictures, Priority::High);
    let mut cutters = <[Cutter; 2]>::default();
    assert_eq!(give(&mut pair, &mut cutters, ids, 60), 60);
    pair.run(ms(500));
    assert_eq!(
        of_streams(&pair),
        BTreeMap::from([(MediaKind::Audio, vec![46]), (MediaKind::Video, vec![36])])
    );
    let here = marks(&pair.ends[0]);
    assert_eq!((&here[&STUN], &here[&RTCP]), (&vec![46], &vec![46]));
    // DTLS opens under the mark of checks, and then carries data.
    assert_eq!(here[&DTLS], [18, 46]);
    // What was sent is what statistics have counted, and nothing waits.
    let sent: u64 = pair.ends[0]
        .marks
        .iter()
        .filter(|it| it.0.0 != STUN)
        .map(|it| it.1)
        .sum();
    let report = pair.ends[0].engine.stats(pair.now);
    assert_eq!(report.transports().next().unwrap().packets_sent, Some(sent));
    // The peer has no encodings of its own but the default ones, and the channel's priority came with it.
    pair.run(Duration::from_secs(6));
    let there = marks(&pair.ends[1]);
    assert_eq!((&there[&STUN], &there[&RTCP]), (&vec![0, 18], &vec![0]));
    // What is set later counts from then on.
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(ids[1]);
    parameters.encodings[0].network_priority = Some(Priority::High);
    engine.set_parameters(now, ids[1], parameters).unwrap();
    pair.ends[0].marks.clear();
    give(&mut pair, &mut cutters, ids, 5);
    assert_eq!(of_streams(&pair)[&MediaKind::Video], [34]);
    assert_eq!(of_streams(&pair)[&MediaKind::Audio], [46]);
}

/// Nothing is marked that has the priority which everything has by default, and nothing without the setting.
#[test]
fn what_is_not_asked_for_is_not_marked() {
    let high = || RtpEncodingParameters {
        priority: Priority::High,
        ..RtpEncodingParameters::default()
    };
    let on = Settings::default().dscp(true);
    for (settings, priority, pictures) in [
        (on, Priority::Low, RtpEncodingParameters::default()),
        (Settings::default(), Priority::High, high()),
    ] {
        let (mut pair, ids) = sending(settings, priority, pictures, priority);
        give(&mut pair, &mut Default::default(), ids, 10);
        let all = marks(&pair.ends[0]);
        assert!(
            all.len() >= 3 && all.values().all(|it| *it == [0]),
            "{all:?}"
        );
    }
}

/// RFC 8837 §5: all packets of an association have the mark of its most important channel.
#[test]
fn an_association_goes_with_its_most_important_channel() {
    let settings = Settings::default().dscp(true);
    let configurations = [Configuration::default(), Configuration::default()];
    let mut pair = Pair::with(32, Link::new(32).delay(ms(10)), configurations, settings);
    let with = |priority| DataChannelInit {
        priority,
        ..DataChannelInit::default()
    };
    let [first, _] = pair.connect(&with(Priority::VeryLow));
    assert_eq!(marks(&pair.ends[0])[&DTLS], [1]);
    for (priority, dscp) in [
        (Priority::Low, 0),
        (Priority::High, 18),
        (Priority::Medium, 18),
    ] {
        pair.ends[0].marks.clear();
        pair.open(0, "more", &with(priority));
        pair.send(0, first, Message::from(vec![1; 50_000]));
        pair.run(ms(500));
        assert_eq!(marks(&pair.ends[0])[&DTLS], [dscp], "{priority:?}");
    }
}
