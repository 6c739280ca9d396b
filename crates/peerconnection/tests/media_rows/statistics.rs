//! Statistics of streams, held against what went over the network.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use oxirtc_netsim::{End, Link, ms, percent};
use oxirtc_peerconnection::{
    ErrorKind, MediaKind, RtpEncodingParameters, RtpTransceiverDirection, StatsReport,
    engine::{Cutter, Path, StatsSubject, TransceiverId, TransceiverInit},
    media::{Codec, EncodedFrame},
    stats::{
        AudioSourceStats, CameraStats, DecoderStats, EncoderStats, InboundRtpStreamStats,
        MediaSource, MicrophoneStats, OutboundRtpStreamStats, PlayoutStats,
        QualityLimitationReason, SourceStats, StatsObject, StatsType, VideoSourceStats,
    },
};

use crate::pair::{
    Pair, Wired,
    media::{Camera, Microphone, ONE, TWO, connect, read, sending},
};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

fn report(pair: &Pair, side: usize) -> StatsReport {
    pair.ends[side].engine.stats(pair.now)
}

fn outbound(report: &StatsReport) -> &OutboundRtpStreamStats {
    report.outbound_rtp().next().unwrap()
}

fn inbound(report: &StatsReport) -> &InboundRtpStreamStats {
    report.inbound_rtp().next().unwrap()
}

fn video_source(report: &StatsReport) -> &VideoSourceStats {
    let mut found = report.iter().filter_map(|it| match it {
        StatsObject::MediaSource(MediaSource::Video(it)) => Some(it),
        _ => None,
    });
    found.next().unwrap()
}

fn audio_source(report: &StatsReport) -> &AudioSourceStats {
    let mut found = report.iter().filter_map(|it| match it {
        StatsObject::MediaSource(MediaSource::Audio(it)) => Some(it),
        _ => None,
    });
    found.next().unwrap()
}

/// Packets of RTP that side 0 has sent, and their bytes without what SRTP puts behind.
fn counted(pair: &mut Pair) -> Rc<RefCell<(u64, u64)>> {
    let counts = Rc::<RefCell<(u64, u64)>>::default();
    let count = counts.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        // RFC 5761 §4: payload types that RTCP uses are none of RTP.
        let is_rtp =
            matches!(datagram[..], [128..=191, second, ..] if !(64..96).contains(&(second & 0x7f)));
        if from == End::A && is_rtp {
            let mut count = count.borrow_mut();
            count.0 += 1;
            count.1 += datagram.len() as u64 - TAG;
        }
        true
    }));
    counts
}

/// RFC 7714 §13.2: what AES-GCM adds to a packet.
const TAG: u64 = 16;

/// [8.7-01] [8.7-03] What a stream counts at both ends is what went over the network, header and payload.
#[test]
fn a_stream_counts_what_went_over_the_network() {
    let (mut pair, ids) = sending(1, link(), MediaKind::Video);
    let sent = counted(&mut pair);
    // Before the first packet the sender has its stream, at zero, and the receiver has none.
    let before = report(&pair, 0);
    let it = outbound(&before);
    assert_eq!(
        (it.sent.packets_sent, it.sent.bytes_sent),
        (Some(0), Some(0))
    );
    assert_eq!((it.frames_sent, it.active), (Some(0), Some(true)));
    assert!(it.remote_id.is_none() && it.frame_width.is_none());
    assert_eq!(report(&pair, 1).inbound_rtp().count(), 0);
    let mut camera = Camera::default();
    let whole = camera.film(&mut pair, ids, 60);
    pair.run(ms(200));
    let whole = whole + read(&mut pair, ids[1]);
    let (packets, bytes) = *sent.borrow();
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    assert_eq!(out.sent.packets_sent, Some(packets));
    let all = out.sent.bytes_sent.unwrap() + out.header_bytes_sent.unwrap();
    assert_eq!(all, bytes);
    assert!(out.sent.bytes_sent.unwrap() > 60 * 3000);
    assert_eq!(came.received.packets_received, Some(packets));
    assert_eq!(came.bytes_received, out.sent.bytes_sent);
    assert_eq!(came.header_bytes_received, out.header_bytes_sent);
    assert_eq!(came.received.stream.ssrc, out.sent.stream.ssrc);
    assert_eq!(came.received.packets_lost, Some(0));
    assert_eq!(
        (out.frames_sent, came.frames_received),
        (Some(60), Some(60))
    );
    assert_eq!(
        (out.frames_encoded, out.key_frames_encoded),
        (Some(60), Some(1))
    );
    assert_eq!(came.frames_decoded, Some(whole));
    assert_eq!(came.jitter_buffer_emitted_count, Some(whole.into()));
    assert_eq!((out.frame_width, out.frame_height), (Some(320), Some(180)));
    assert_eq!(
        (came.frame_width, came.frame_height),
        (Some(320), Some(180))
    );
    assert_eq!(
        out.huge_frames_sent,
        Some(0),
        "the first has nothing to be larger than"
    );
    assert_eq!(came.frames_assembled_from_multiple_packets, Some(60));
    assert!(came.received.jitter.unwrap() < 0.01);
    let last = came.last_packet_received_timestamp.unwrap();
    assert!(last < came.received.stream.stats.timestamp && last > 1_700_000_000_000.0);
    camera.started = false;
    camera.film(&mut pair, ids, 5);
    let after = report(&pair, 0);
    let out = outbound(&after);
    assert_eq!(
        out.huge_frames_sent,
        Some(1),
        "a key frame among small ones"
    );
    assert_eq!(out.key_frames_encoded, Some(2));
}

/// [8.7-01] What a stream refers to: its codec, its transport, its source and its section.
#[test]
fn a_stream_refers_to_what_it_belongs_to() {
    let (mut pair, ids) = sending(1, link(), MediaKind::Video);
    Camera::default().film(&mut pair, ids, 60);
    pair.run(ms(200));
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    for (stream, report) in [
        (&out.sent.stream, &reports[0]),
        (&came.received.stream, &reports[1]),
    ] {
        let codec = report.codec(stream).unwrap();
        assert_eq!(
            (codec.mime_type.as_str(), codec.clock_rate),
            ("video/VP8", Some(90_000))
        );
        let transport = report.transports().next().unwrap();
        assert_eq!(Some(&transport.stats.id), stream.transport_id.as_ref());
        assert_eq!(codec.transport_id, transport.stats.id);
        assert_eq!(
            transport.srtp_cipher.as_deref(),
            Some("SRTP_AEAD_AES_128_GCM")
        );
        assert_eq!(stream.kind, "video");
    }
    assert_eq!(
        (out.mid.as_deref(), came.mid.as_deref()),
        (Some("0"), Some("0"))
    );
    assert!(out.rtx_ssrc.is_some());
    let source = video_source(&reports[0]);
    assert_eq!(out.media_source_id.as_ref(), Some(&source.source.stats.id));
    assert_eq!((source.frames, source.width), (Some(60), Some(320)));
    let rate = source.frames_per_second.unwrap();
    assert!((20.0..=31.0).contains(&rate), "{rate}");
}

/// Each layer of simulcast is a stream that says its rid and its place; a single one has no rid.
#[test]
fn a_layer_says_its_rid() {
    let (pair, _) = sending(1, link(), MediaKind::Video);
    assert_eq!(outbound(&report(&pair, 0)).rid, None);
    let mut pair = Pair::new(6, link());
    let encodings = ["q", "h", "f"].map(RtpEncodingParameters::named).to_vec();
    let init = TransceiverInit {
        encodings,
        ..TransceiverInit::default()
    };
    let engine = &mut pair.ends[0].engine;
    engine
        .add_transceiver(MediaKind::Video, Some(ONE), init)
        .unwrap();
    connect(&mut pair);
    let report = report(&pair, 0);
    let layers: BTreeSet<_> = report
        .outbound_rtp()
        .map(|it| (it.encoding_index, it.rid.as_deref()))
        .collect();
    let expected = [
        (Some(0), Some("q")),
        (Some(1), Some("h")),
        (Some(2), Some("f")),
    ];
    assert_eq!(layers, expected.into());
}

/// A source says which kind it is of, to who reads its JSON as well.
#[test]
fn a_source_says_its_kind() {
    let (pair, ..) = both();
    let report = report(&pair, 0);
    let json = serde_json::to_value(&report).unwrap();
    for (kind, source) in [
        ("audio", &audio_source(&report).source),
        ("video", &video_source(&report).source),
    ] {
        let shown = &json[&source.stats.id];
        assert_eq!(shown["type"], "media-source");
        assert_eq!(shown["kind"], kind);
        assert_eq!(shown["trackIdentifier"], *source.track_identifier);
        let mut streams = report.outbound_rtp();
        let of_it = streams.find(|it| it.media_source_id.as_ref() == Some(&source.stats.id));
        assert_eq!(of_it.unwrap().sent.stream.kind, kind);
    }
}

/// [8.8-01] What the peer says of a stream: its loss, its round trip, and when the report came.
#[test]
fn the_peers_view_is_that_of_its_reports() {
    let lossy = Link::new(1).delay(ms(20)).loss(percent(8));
    let (mut pair, ids) = sending(2, lossy, MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 300);
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    // The example of W3C §8.7: from the sender's stream to the peer's view of it, and what part was lost.
    let selected = pair.ends[0]
        .engine
        .stats_of(pair.now, StatsSubject::Sender(ids[0]))
        .unwrap();
    let of_sender = outbound(&selected);
    let view = selected.remote_inbound_rtp(of_sender).unwrap();
    assert_eq!(view.local_id.as_ref(), Some(&out.sent.stream.stats.id));
    assert_eq!(view.received.stream.ssrc, out.sent.stream.ssrc);
    let (lost, received) = (view.received.packets_lost, view.received.packets_received);
    let sent = out.sent.packets_sent.unwrap() - out.retransmitted_packets_sent.unwrap();
    let known = received.unwrap() as i64 + lost.unwrap();
    assert!((0..=sent as i64).contains(&known), "{known} of {sent}");
    assert!(known * 10 > sent as i64 * 7, "{known} of {sent}");
    assert!((0.0..0.5).contains(&view.fraction_lost.unwrap()));
    let round_trip = view.round_trip_time.unwrap();
    assert!((0.039..0.08).contains(&round_trip), "{round_trip}");
    let measured = view.round_trip_time_measurements.unwrap();
    assert!(measured >= 2);
    let mean = view.total_round_trip_time.unwrap() / measured as f64;
    assert!((0.039..0.08).contains(&mean), "{mean}");
    assert!(view.received.jitter.unwrap() < 0.1);
    // [8.4-02]
    let (then, now) = (
        view.received.stream.stats.timestamp,
        out.sent.stream.stats.timestamp,
    );
    assert!(then < now && then > now - 3000.0, "{then} {now}");
    // Retransmissions, and who has asked for them.
    assert!(came.nack_count.unwrap() > 5);
    assert!(out.nack_count.unwrap() > 3 && out.nack_count <= came.nack_count);
    assert!(out.retransmitted_packets_sent >= came.retransmitted_packets_received);
    assert!(came.retransmitted_packets_received.unwrap() > 5);
    assert!(out.retransmitted_bytes_sent >= came.retransmitted_bytes_received);
    assert!(came.retransmitted_bytes_received > came.retransmitted_packets_received);
    assert_eq!(out.rtx_ssrc, came.rtx_ssrc);
    // What the sender says, at the receiver.
    let theirs = reports[1].remote_outbound_rtp(came).unwrap();
    assert_eq!(
        theirs.local_id.as_ref(),
        Some(&came.received.stream.stats.id)
    );
    assert!(theirs.reports_sent.unwrap() >= 2);
    let told = theirs.sent.packets_sent.unwrap();
    assert!(told <= sent && told * 10 > sent * 6, "{told} of {sent}");
    let clock = theirs.remote_timestamp.unwrap();
    let arrived = theirs.sent.stream.stats.timestamp;
    assert!(
        (arrived - clock - 20.0).abs() < 2.0,
        "20 ms on the way: {}",
        arrived - clock
    );
    let round_trip = theirs.round_trip_time.unwrap();
    assert!((0.039..0.08).contains(&round_trip), "{round_trip}");
    let measured = theirs.round_trip_time_measurements.unwrap();
    assert!(measured >= 1);
    let mean = theirs.total_round_trip_time.unwrap() / measured as f64;
    assert!((0.039..0.08).contains(&mean), "{mean}");
}

/// Frames wait in the jitter buffer as long as it aims at, and the time is summed over those that were read.
#[test]
fn the_jitter_buffer_sums_what_frames_have_waited() {
    let (mut pair, ids) = sending(3, link(), MediaKind::Video);
    let target = Some(ms(100));
    pair.ends[1]
        .engine
        .set_jitter_buffer_target(ids[1], target)
        .unwrap();
    let whole = Camera::default().film(&mut pair, ids, 60);
    let report = report(&pair, 1);
    let it = inbound(&report);
    assert_eq!(it.jitter_buffer_emitted_count, Some(whole.into()));
    let mean = |sum: Option<f64>| sum.unwrap() / f64::from(whole);
    let waited = mean(it.jitter_buffer_delay);
    assert!((0.08..0.15).contains(&waited), "{waited}");
    let target = mean(it.jitter_buffer_target_delay);
    assert!((target - 0.1).abs() < 0.001, "{target}");
    let least = mean(it.jitter_buffer_minimum_delay);
    assert!(least < 0.01, "nothing is uneven here: {least}");
}

/// What the unevenness of a path asks for is summed beside what the application does: each second frame comes 4 ms late.
#[test]
fn the_least_wait_is_that_of_the_network() {
    let (mut pair, ids) = sending(12, link(), MediaKind::Video);
    let engine = &mut pair.ends[1].engine;
    engine
        .set_jitter_buffer_target(ids[1], Some(ms(100)))
        .unwrap();
    let mut cutter = Cutter::default();
    for count in 0..120_u8 {
        let now = pair.now;
        let mut payload = vec![count; 100];
        payload[..10].copy_from_slice(&[u8::from(count > 0), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let mut frame = EncodedFrame::new(Codec::Vp8, payload);
        frame.captured = Some(now);
        let batch = cutter.cut_frame(now, 0, &frame).unwrap();
        pair.ends[0].engine.write(now, ids[0], &batch);
        if count % 2 == 1 {
            pair.now += ms(4);
        }
        let rest = now + ms(33) - pair.now;
        pair.run(rest);
        read(&mut pair, ids[1]);
    }
    let report = report(&pair, 1);
    let it = inbound(&report);
    let emitted = it.jitter_buffer_emitted_count.unwrap() as f64;
    assert!(emitted > 110.0, "{emitted}");
    let least = it.jitter_buffer_minimum_delay.unwrap() / emitted;
    // It falls by a 64th between two that are late.
    assert!((0.0038..0.004).contains(&least), "{least}");
}

/// Key frames and rates are those of what was given here and read there. A rate is absent before the first frame, and zero when none comes
/// any more.
#[test]
fn key_frames_and_rates_are_told_at_both_ends() {
    let (mut pair, ids) = sending(7, link(), MediaKind::Video);
    assert_eq!(outbound(&report(&pair, 0)).frames_per_second, None);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 60);
    camera.started = false;
    let rates = |pair: &Pair| {
        let reports = [report(pair, 0), report(pair, 1)];
        let given = outbound(&reports[0]).frames_per_second.unwrap();
        [given, inbound(&reports[1]).frames_per_second.unwrap()]
    };
    camera.film(&mut pair, ids, 60);
    // One each 33 ms.
    for rate in rates(&pair) {
        assert!((30.0..=31.0).contains(&rate), "{rate}");
    }
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    assert_eq!(
        (out.frames_encoded, came.frames_decoded),
        (Some(120), Some(120))
    );
    let keys = (out.key_frames_encoded, came.key_frames_decoded);
    assert_eq!(keys, (Some(2), Some(2)));
    pair.run(ms(500));
    for rate in rates(&pair) {
        assert!((14.0..=16.0).contains(&rate), "{rate}");
    }
    pair.run(ms(600));
    assert_eq!(rates(&pair), [0.0, 0.0]);
}

/// Packets that wait here are summed, and so is the time between the first and the last packet of a frame on a narrow path.
#[test]
fn the_time_that_packets_take_is_summed() {
    let narrow = Link::new(1).delay(ms(10)).rate(4_000_000);
    let (mut pair, ids) = sending(8, narrow, MediaKind::Video);
    let mut payload = vec![0; 3000];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let mut frame = EncodedFrame::new(Codec::Vp8, payload);
    let now = pair.now;
    frame.captured = Some(now);
    let batch = Cutter::default().cut_frame(now, 0, &frame).unwrap();
    pair.ends[0].engine.write(now, ids[0], &batch);
    pair.now += ms(7);
    pair.run(ms(100));
    assert_eq!(read(&mut pair, ids[1]), 1);
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    assert_eq!(out.sent.packets_sent, Some(3));
    let delay = out.total_packet_send_delay.unwrap();
    assert!((delay - 0.021).abs() < 1e-9, "{delay}");
    // Two packets of at most 1,200 bytes follow the first.
    let assembly = came.total_assembly_time.unwrap();
    assert!((0.0035..0.005).contains(&assembly), "{assembly}");
}

/// When what is shown was captured, by the sender's clock.
#[test]
fn what_is_played_tells_when_it_was_captured() {
    let (mut pair, ids) = sending(9, link(), MediaKind::Video);
    Camera::default().film(&mut pair, ids, 90);
    for _ in 0..2 {
        let report = report(&pair, 1);
        let it = inbound(&report);
        let since_1970 = it.estimated_playout_timestamp.unwrap() - 2_208_988_800_000.0;
        let ago = it.received.stream.stats.timestamp - since_1970;
        // It was captured 33 ms before it was read, and goes on since.
        assert!((30.0..36.0).contains(&ago), "{ago}");
        pair.run(ms(100));
    }
}

/// A packet whose place was given up is discarded when it comes.
#[test]
fn what_comes_too_late_is_discarded() {
    let (mut pair, ids) = sending(10, link(), MediaKind::Audio);
    let held = Rc::<RefCell<(u32, Vec<u8>)>>::default();
    let hold = held.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        let is_rtp =
            matches!(datagram[..], [128..=191, second, ..] if !(64..96).contains(&(second & 0x7f)));
        if from != End::A || !is_rtp {
            return true;
        }
        let mut held = hold.borrow_mut();
        held.0 += 1;
        if held.0 == 20 {
            held.1.clone_from(datagram);
        }
        held.0 != 20
    }));
    let mut microphone = Microphone::default();
    microphone.speak(&mut pair, ids, 60, None);
    let before = inbound(&report(&pair, 1)).clone();
    assert_eq!(before.packets_discarded, Some(0));
    assert_eq!(before.received.packets_lost, Some(1));
    let late = std::mem::take(&mut held.borrow_mut().1);
    let [here, there] = ["10.0.0.1:4001", "10.0.0.2:4001"].map(|it| it.parse().unwrap());
    pair.deliver(End::B, Path::udp(there, here), late);
    let after = report(&pair, 1);
    let after = inbound(&after);
    assert_eq!(after.packets_discarded, Some(1));
    assert_eq!(after.received.packets_lost, Some(0));
}

/// [8.7-01] A frame with a hole that nothing fills is dropped, and so is each that needs it, until a key frame comes.
#[test]
fn frames_that_are_given_up_are_dropped() {
    let (mut pair, ids) = sending(13, link(), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 30);
    let before = inbound(&report(&pair, 1)).clone();
    assert_eq!(before.frames_dropped, Some(0));
    let own = before.received.stream.ssrc.to_be_bytes();
    let mut packets = 0;
    pair.tap = Some(Box::new(move |from, datagram| {
        let is_rtp =
            matches!(datagram[..], [128..=191, second, ..] if !(64..96).contains(&(second & 0x7f)));
        if from != End::A || !is_rtp {
            return true;
        }
        packets += u32::from(datagram[8..12] == own);
        // The second packet, and nothing that is sent again.
        datagram[8..12] == own && packets != 2
    }));
    camera.film(&mut pair, ids, 60);
    pair.run(ms(200));
    let reports = [report(&pair, 0), report(&pair, 1)];
    let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
    assert_eq!(out.frames_sent, Some(90));
    assert_eq!(came.key_frames_decoded, Some(2));
    let dropped = came.frames_dropped.unwrap();
    assert!(dropped > 1, "{dropped}");
    assert_eq!(came.frames_received, Some(90 - dropped));
}

/// [8.7-01] A gap between frames that is longer than those before explain is a freeze.
#[test]
fn a_long_gap_between_frames_is_a_freeze() {
    let (mut pair, ids) = sending(14, link(), MediaKind::Video);
    let mut camera = Camera::default();
    let freezes = |pair: &Pair| {
        let report = report(pair, 1);
        let it = inbound(&report);
        (it.freeze_count, it.total_freezes_duration)
    };
    camera.film(&mut pair, ids, 60);
    // Frames are 33 ms apart: 183 ms are a freeze.
    pair.run(ms(100));
    camera.film(&mut pair, ids, 60);
    assert_eq!(freezes(&pair), (Some(0), Some(0.0)));
    for (at, lasted) in [(1, 0.533), (2, 1.066)] {
        pair.run(ms(500));
        camera.film(&mut pair, ids, 60);
        let (count, sum) = freezes(&pair);
        assert_eq!(count, Some(at));
        let sum = sum.unwrap();
        assert!((sum - lasted).abs() < 1e-6, "{sum}");
    }
}

/// Requests of key frames are counted where they are made and where they come, by what was agreed on.
#[test]
fn requests_of_key_frames_are_counted_at_both_ends() {
    for full in [false, true] {
        let lossy = Link::new(1).delay(ms(20)).loss(percent(8));
        let mut pair = Pair::new(11, lossy);
        let engine = &mut pair.ends[0].engine;
        let here = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
        let mut offer = pair.offer(0, &Default::default()).unwrap();
        // Without retransmissions there is something to ask for.
        let is_kept = |line: &&str| {
            !(line.ends_with(" nack") || full && line.ends_with(" nack pli"))
                || !line.starts_with("a=rtcp-fb:")
        };
        let lines = offer.sdp.split_inclusive("\r\n");
        offer.sdp = lines.filter(|it| is_kept(&it.trim_end())).collect();
        let answer = pair.answer(1, offer).unwrap();
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        pair.exchange();
        let connected = |pair: &Wired| pair.ends.iter().all(crate::pair::End::is_connected);
        pair.until(Duration::from_secs(20), connected);
        let engine = &mut pair.ends[1].engine;
        let there = engine.transceivers().next().unwrap().id();
        engine.set_delivery(there, true, false);
        Camera::default().film(&mut pair, [here, there], 200);
        let reports = [report(&pair, 0), report(&pair, 1)];
        let (out, came) = (outbound(&reports[0]), inbound(&reports[1]));
        let [asked, other] = match full {
            true => [came.fir_count, came.pli_count],
            false => [came.pli_count, came.fir_count],
        };
        let [heard, none] = match full {
            true => [out.fir_count, out.pli_count],
            false => [out.pli_count, out.fir_count],
        };
        assert_eq!((other, none), (Some(0), Some(0)), "full {full}");
        let (asked, heard) = (asked.unwrap(), heard.unwrap());
        assert!(
            heard > 5 && heard <= asked,
            "full {full}: {heard} of {asked}"
        );
        assert!(asked < heard * 2, "8 % are lost: {heard} of {asked}");
    }
}

/// [8.7-01] Audio: its source's level and length, and what was heard of it.
#[test]
fn audio_has_its_level_and_length() {
    let (mut pair, ids) = sending(4, link(), MediaKind::Audio);
    let heard = Microphone::default().speak(&mut pair, ids, 100, Some(20));
    let reports = [report(&pair, 0), report(&pair, 1)];
    let source = audio_source(&reports[0]);
    // RFC 6464 §3: 20 dB below the overload.
    assert!((source.audio_level.unwrap() - 0.1).abs() < 1e-9);
    assert!((source.total_samples_duration.unwrap() - 2.0).abs() < 1e-9);
    assert!((source.total_audio_energy.unwrap() - 0.02).abs() < 1e-9);
    let it = inbound(&reports[1]);
    let lasted = f64::from(heard) * 0.02;
    assert!(heard > 90);
    assert!((it.total_samples_duration.unwrap() - lasted).abs() < 1e-9);
    assert_eq!(it.total_samples_received, Some(u64::from(heard) * 960));
    assert!((it.audio_level.unwrap() - 0.1).abs() < 1e-9);
    assert!((it.total_audio_energy.unwrap() - lasted / 100.0).abs() < 1e-9);
    assert!(
        it.frames_received.is_none() && it.pli_count.is_none(),
        "of video only"
    );
    let out = outbound(&reports[0]);
    assert!(
        out.frames_sent.is_none() && out.encoding_index.is_none(),
        "of video only"
    );
    let codec = reports[0].codec(&out.sent.stream).unwrap();
    assert_eq!(
        (codec.mime_type.as_str(), codec.channels),
        ("audio/opus", Some(2))
    );
    assert!(codec.sdp_fmtp_line.is_some());
}

/// Two senders of side 0, of sound and of pictures, and both have sent.
fn both() -> (Pair, [TransceiverId; 2], [TransceiverId; 2]) {
    let mut pair = Pair::new(5, link());
    let engine = &mut pair.ends[0].engine;
    let audio = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let video = engine.add_track(MediaKind::Video, TWO, Vec::new()).unwrap();
    pair.open(0, "beside", &Default::default());
    connect(&mut pair);
    let there: Vec<_> = pair.ends[1]
        .engine
        .transceivers()
        .map(|it| it.id())
        .collect();
    let (sound, pictures) = ([audio, there[0]], [video, there[1]]);
    Microphone::default().speak(&mut pair, sound, 150, None);
    Camera::default().film(&mut pair, pictures, 90);
    (pair, sound, pictures)
}

fn types(report: &StatsReport) -> BTreeSet<StatsType> {
    report.iter().map(StatsObject::kind).collect()
}

/// [8.6-01] [8.6-02] [8.3-01] A sender's report has its streams and what they refer to, and so has a receiver's; who does not send
/// has none.
#[test]
fn a_sender_and_a_receiver_have_their_own() {
    let (pair, sound, pictures) = both();
    let of = |side: usize, subject| pair.ends[side].engine.stats_of(pair.now, subject).unwrap();
    let common = [
        StatsType::Codec,
        StatsType::Transport,
        StatsType::CandidatePair,
        StatsType::LocalCandidate,
        StatsType::RemoteCandidate,
        StatsType::Certificate,
    ];
    let with = |more: &[StatsType]| -> BTreeSet<_> { common.iter().chain(more).copied().collect() };
    for (ids, kind) in [(sound, "audio"), (pictures, "video")] {
        let sender = of(0, StatsSubject::Sender(ids[0]));
        let sent = [
            StatsType::OutboundRtp,
            StatsType::RemoteInboundRtp,
            StatsType::MediaSource,
        ];
        assert_eq!(types(&sender), with(&sent));
        assert_eq!(sender.outbound_rtp().count(), 1);
        assert_eq!(outbound(&sender).sent.stream.kind, kind);
        let receiver = of(1, StatsSubject::Receiver(ids[1]));
        let received = [StatsType::InboundRtp, StatsType::RemoteOutboundRtp];
        assert_eq!(types(&receiver), with(&received));
        assert_eq!(inbound(&receiver).received.stream.kind, kind);
        // What sends nothing, and what receives nothing.
        assert!(of(0, StatsSubject::Receiver(ids[0])).is_empty());
        assert!(of(1, StatsSubject::Sender(ids[1])).is_empty());
        for report in [sender, receiver] {
            for id in report.iter().flat_map(StatsObject::references) {
                assert!(report.get(id).is_some(), "{id}");
            }
            let json = serde_json::to_string(&report).unwrap();
            let back: StatsReport = serde_json::from_str(&json).unwrap();
            let ids = |it: &StatsReport| it.iter().map(|it| it.id().to_owned()).collect::<Vec<_>>();
            assert_eq!((ids(&back), types(&back)), (ids(&report), types(&report)));
        }
    }
}

/// [8.7-01] The members that W3C §8.6 asks for of streams, their sources and codecs.
#[test]
fn the_mandatory_members_of_streams_are_there() {
    let (pair, ..) = both();
    let stream = "timestamp type id ssrc kind transportId codecId ";
    let received = "packetsReceived packetsLost jitter ";
    let inbound = "trackIdentifier remoteId packetsDiscarded bytesReceived nackCount ";
    let outbound = "remoteId mediaSourceId packetsSent bytesSent nackCount ";
    for side in 0..2 {
        let report = report(&pair, side);
        let all = serde_json::to_value(&report).unwrap();
        let mut seen = BTreeSet::new();
        for object in all.as_object().unwrap().values() {
            let (kind, of) = (object["type"].as_str().unwrap(), object["kind"].as_str());
            let wanted = match (kind, of) {
                ("inbound-rtp", Some("audio")) => {
                    [stream, received, inbound].concat() + "totalAudioEnergy totalSamplesDuration"
                }
                ("inbound-rtp", _) => {
                    [stream, received, inbound].concat()
                        + "framesDecoded framesDropped framesReceived"
                }
                ("outbound-rtp", Some("audio")) => [stream, outbound].concat(),
                ("outbound-rtp", _) => [stream, outbound].concat() + "framesSent framesEncoded",
                ("remote-inbound-rtp", _) => [stream, received].concat() + "localId roundTripTime",
                ("remote-outbound-rtp", _) => {
                    [stream].concat() + "packetsSent bytesSent localId remoteTimestamp"
                }
                ("media-source", Some("audio")) => {
                    "timestamp type id trackIdentifier kind totalAudioEnergy totalSamplesDuration"
                        .into()
                }
                ("media-source", _) => {
                    "timestamp type id trackIdentifier kind width height framesPerSecond".into()
                }
                ("codec", _) => {
                    "timestamp type id payloadType mimeType clockRate transportId".into()
                }
                _ => continue,
            };
            seen.insert(format!("{kind} {}", of.unwrap_or_default()));
            for member in wanted.split_whitespace() {
                assert!(object.get(member).is_some(), "{member} of {object:#}");
            }
        }
        assert_eq!(seen.len(), [7, 5][side], "{seen:?}");
    }
}

/// [8.4-03] What only the sending application can know stands in the report, in the place of what was counted.
#[test]
fn what_the_sender_tells_is_shown() {
    let (mut pair, sound, pictures) = both();
    let now = pair.now;
    let durations = [(QualityLimitationReason::Cpu, 1.5)].into();
    let encoder = EncoderStats {
        frames_encoded: Some(77),
        quality_limitation_reason: Some(QualityLimitationReason::Cpu),
        quality_limitation_durations: Some(durations),
        encoder_implementation: Some("ours".into()),
        ..EncoderStats::default()
    };
    let engine = &mut pair.ends[0].engine;
    engine
        .set_encoder_stats(pictures[0], 0, encoder.clone())
        .unwrap();
    let none = engine.set_encoder_stats(pictures[0], 1, encoder);
    assert_eq!(none.unwrap_err().kind(), ErrorKind::Type);
    let camera = CameraStats {
        frames_per_second: Some(29.5),
        ..CameraStats::default()
    };
    engine
        .set_source_stats(pictures[0], SourceStats::Camera(camera))
        .unwrap();
    let microphone = MicrophoneStats {
        echo_return_loss: Some(31.0),
        ..MicrophoneStats::default()
    };
    engine
        .set_source_stats(sound[0], SourceStats::Microphone(microphone))
        .unwrap();
    let report = engine.stats(now);
    let mut streams = report
        .outbound_rtp()
        .filter(|it| it.sent.stream.kind == "video");
    let it = streams.next().unwrap();
    assert_eq!((it.frames_encoded, it.frames_sent), (Some(77), Some(90)));
    assert_eq!(
        it.quality_limitation_reason,
        Some(QualityLimitationReason::Cpu)
    );
    let json = serde_json::to_value(it).unwrap();
    assert_eq!(json["qualityLimitationDurations"]["cpu"], 1.5);
    assert_eq!(json["encoderImplementation"], "ours");
    let source = video_source(&report);
    assert_eq!(
        (source.frames_per_second, source.frames),
        (Some(29.5), Some(90))
    );
    assert_eq!(audio_source(&report).echo_return_loss, Some(31.0));
    // Another track is another source, and so is one that comes back: what is counted of it begins anew.
    let id = |report: &StatsReport| video_source(report).source.stats.id.clone();
    let mut ids = BTreeSet::from([id(&report)]);
    for track in [ONE, TWO] {
        engine
            .replace_track(now, pictures[0], Some((MediaKind::Video, track)))
            .unwrap();
        let other = engine.stats(now);
        assert_eq!(video_source(&other).frames_per_second, None);
        assert_eq!(video_source(&other).frames, Some(0));
        ids.insert(id(&other));
    }
    assert_eq!(ids.len(), 3);
    // Each sender counts for itself, of one track as well.
    let init = TransceiverInit::default();
    engine
        .add_transceiver(MediaKind::Video, Some(TWO), init)
        .unwrap();
    let report = engine.stats(now);
    let sources = report.of_type(StatsType::MediaSource);
    assert_eq!(sources.count(), 3, "of sound, and twice of pictures");
}

/// What only the receiving application can know.
#[test]
fn what_the_receiver_tells_is_shown() {
    let (mut pair, sound, _) = both();
    let now = pair.now;
    let decoder = DecoderStats {
        frames_decoded: Some(5),
        concealed_samples: Some(960),
        ..DecoderStats::default()
    };
    let engine = &mut pair.ends[1].engine;
    engine
        .set_decoder_stats(sound[1], 0, decoder.clone())
        .unwrap();
    let none = engine.set_decoder_stats(sound[1], 1, decoder);
    assert_eq!(none.unwrap_err().kind(), ErrorKind::Type);
    assert!(
        engine
            .stats(now)
            .of_type(StatsType::MediaPlayout)
            .next()
            .is_none()
    );
    let playout = PlayoutStats {
        total_samples_count: Some(48_000),
        ..PlayoutStats::default()
    };
    engine.set_playout_stats(sound[1], playout).unwrap();
    let report = engine
        .stats_of(now, StatsSubject::Receiver(sound[1]))
        .unwrap();
    let it = inbound(&report);
    assert_eq!(it.concealed_samples, Some(960));
    let played = report.get(it.playout_id.as_ref().unwrap());
    let Some(StatsObject::MediaPlayout(played)) = played else {
        panic!("{played:?}");
    };
    assert_eq!(
        (played.kind.as_str(), played.total_samples_count),
        ("audio", Some(48_000))
    );
    engine.name_tracks(sound[1], None, Some("named".into()));
    let report = engine.stats(now);
    let named = |it: &&InboundRtpStreamStats| it.track_identifier == "named";
    assert_eq!(report.inbound_rtp().filter(named).count(), 1);
}

/// [8-01] [8.4-03] [5.3-02] Streams stay as they were when the connection closes, and their ids stay over a hold; one that is
/// stopped is gone.
#[test]
fn streams_come_and_go_with_what_carries_them() {
    let (mut pair, ids) = sending(6, link(), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 90);
    let first = report(&pair, 0);
    let id = |report: &StatsReport| outbound(report).sent.stream.stats.id.clone();
    let inactive = RtpTransceiverDirection::Inactive;
    pair.ends[0].engine.set_direction(ids[0], inactive).unwrap();
    pair.negotiate(0).unwrap();
    let held = report(&pair, 0);
    assert_eq!(id(&held), id(&first));
    assert_eq!(outbound(&held).active, Some(false));
    let now = pair.now;
    let before = pair.ends[1].engine.stats(now);
    pair.ends[1].engine.close(now);
    pair.run(Duration::from_secs(30));
    let after = pair.ends[1].engine.stats(pair.now);
    assert_eq!(
        inbound(&after).bytes_received,
        inbound(&before).bytes_received
    );
    let receiver = StatsSubject::Receiver(ids[1]);
    let own = pair.ends[1].engine.stats_of(pair.now, receiver).unwrap();
    assert_eq!(own.inbound_rtp().count(), 1);
    let now = pair.now;
    pair.ends[0].engine.stop_transceiver(now, ids[0]).unwrap();
    pair.step();
    assert_eq!(report(&pair, 0).outbound_rtp().count(), 0);
    let sender = StatsSubject::Sender(ids[0]);
    assert!(
        pair.ends[0]
            .engine
            .stats_of(pair.now, sender)
            .unwrap()
            .is_empty()
    );
}
