//! Redundancy and parity as they are negotiated: what is lost comes back without being asked for.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use oxirtc_netsim::{End, Link, ms, percent};
use oxirtc_peerconnection::{
    Configuration, MediaKind, OfferOptions, RtpCodec, RtpCodecParameters, RtpSender,
    RtpTransceiverDirection,
    engine::{Cutter, Parity, Settings, TransceiverId, TransceiverInit},
    media::{Codec, EncodedFrame},
    stats::{InboundRtpStreamStats, StatsObject},
};
use pair::{
    Pair,
    media::{Camera, Microphone, ONE, connect},
};

fn link(loss: u8) -> Link {
    Link::new(1).delay(ms(60)).loss(percent(u32::from(loss)))
}

fn with(settings: [Settings; 2], loss: u8) -> Pair {
    let configuration = Configuration::default;
    Pair::with_each(5, link(loss), [configuration(), configuration()], settings)
}

fn inbound(pair: &Pair) -> InboundRtpStreamStats {
    let now = pair.now;
    let report = pair.ends[1].engine.stats(now);
    let found = report.iter().find_map(|it| match it {
        StatsObject::InboundRtp(it) => Some(it.as_ref().clone()),
        _ => None,
    });
    found.unwrap()
}

/// Sends video of side 0 for so many pictures.
fn filmed(mut pair: Pair, pictures: u32) -> (u32, Pair, TransceiverId) {
    let streams = vec!["stream".to_owned()];
    let here = pair.ends[0]
        .engine
        .add_track(MediaKind::Video, ONE, streams)
        .unwrap();
    let there = connect(&mut pair);
    let whole = Camera::default().film(&mut pair, [here, there], pictures);
    (whole, pair, here)
}

fn mime_types(pair: &mut Pair, id: TransceiverId) -> Vec<String> {
    let codecs = pair.ends[0].engine.parameters(id).codecs;
    codecs.into_iter().map(|it| it.codec.mime_type).collect()
}

#[test]
fn video_is_protected_by_ulpfec_within_red() {
    let settings = Settings::default().parity(Parity::Always);
    let (whole, mut pair, here) = filmed(with([settings.clone(), settings], 5), 150);
    let offered = mime_types(&mut pair, here);
    for wanted in ["video/red", "video/ulpfec", "video/H265", "video/AV1"] {
        assert!(offered.iter().any(|it| it == wanted), "{offered:?}");
    }
    assert!(!offered.contains(&"video/flexfec-03".to_owned()));
    let stream = inbound(&pair);
    assert!(stream.received.packets_lost.is_some());
    let parity = stream.fec_packets_received.unwrap();
    assert!(parity > 100, "{parity} packets of parity");
    let mean = stream.fec_bytes_received.unwrap() / parity;
    assert!((500..1200).contains(&mean), "{mean} bytes each");
    let unused = stream.fec_packets_discarded.unwrap();
    // What brings something back is not discarded, and 5 % are lost.
    assert!(
        unused > parity / 4 && unused + 5 < parity,
        "{unused} of {parity}"
    );
    assert!(whole > 130, "{whole} of 150");
    let brought = pair.ends[0].engine.stats(pair.now);
    let again = brought
        .outbound_rtp()
        .map(|it| it.retransmitted_packets_sent.unwrap_or(0))
        .sum::<u64>();
    assert!(again < 60, "{again} were sent again beside parity");
}

/// By default it costs nothing on a path that loses nothing, and begins with losses.
#[test]
fn parity_begins_with_losses() {
    for (loss, parity) in [(0, false), (8, true)] {
        let settings = [Settings::default(), Settings::default()];
        let (_, pair, _) = filmed(with(settings, loss), 250);
        let stream = inbound(&pair);
        let came = stream.fec_packets_received.unwrap_or(0) > 0;
        assert_eq!(came, parity, "{loss} %");
    }
    let never = Settings::default().parity(Parity::Never);
    let (_, mut pair, here) = filmed(with([never.clone(), never], 8), 250);
    assert_eq!(inbound(&pair).fec_packets_received.unwrap_or(0), 0);
    assert!(!mime_types(&mut pair, here).contains(&"video/red".to_owned()));
}

/// The description without these payload types.
fn without(sdp: &str, payload_types: &[u8]) -> String {
    let is_gone = |word: &str| payload_types.iter().any(|it| it.to_string() == word);
    let line = |line: &str| {
        let of = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"];
        let of = of.iter().find_map(|it| line.strip_prefix(it));
        if of.is_some_and(|it| it.split(' ').next().is_some_and(is_gone)) {
            return String::new();
        }
        let words = line.split(' ').enumerate();
        let is_kept = |it: &(usize, &str)| !(line.starts_with("m=") && it.0 > 2 && is_gone(it.1));
        let words: Vec<_> = words.filter(is_kept).map(|it| it.1).collect();
        format!("{}\r\n", words.join(" "))
    };
    sdp.lines().map(line).collect()
}

/// Chromium sends within RED to who has offered it, though its own answer has none: what our offer named is taken.
#[test]
fn what_the_answer_left_out_is_taken() {
    let protects = Settings::default().parity(Parity::Always);
    let mut pair = with([protects, Settings::default()], 0);
    let streams = vec!["stream".to_owned()];
    let camera = pair.ends[0]
        .engine
        .add_track(MediaKind::Video, ONE, streams);
    let receives = TransceiverInit {
        direction: RtpTransceiverDirection::RecvOnly,
        ..TransceiverInit::default()
    };
    let there = pair.ends[1]
        .engine
        .add_transceiver(MediaKind::Video, None, receives);
    let (here, there) = (camera.unwrap(), there.unwrap());
    let offer = pair.offer(1, &OfferOptions::default()).unwrap();
    let mut answer = pair.answer(0, offer).unwrap();
    let serving = pair.ends[0].engine.parameters(here).codecs;
    let is_serving =
        |it: &&RtpCodecParameters| ["video/red", "video/ulpfec"].contains(&&*it.codec.mime_type);
    let serving: Vec<_> = serving
        .iter()
        .filter(is_serving)
        .map(|it| it.payload_type)
        .collect();
    assert_eq!(serving.len(), 2);
    answer.sdp = without(&answer.sdp, &serving);
    let now = pair.now;
    pair.ends[1]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    let shown = pair.ends[1].engine.receive_parameters(there).codecs;
    assert!(
        shown.iter().all(|it| !serving.contains(&it.payload_type)),
        "not agreed on: {shown:?}"
    );
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
    pair.ends[1].engine.set_delivery(there, true, false);
    let whole = Camera::default().film(&mut pair, [here, there], 60);
    assert!(whole >= 58, "{whole} of 60");
    let stream = inbound(&pair);
    let parity = stream.fec_packets_received.unwrap();
    assert!(parity > 50, "{stream:?}");
    // Nothing was lost; a few wait for packets of before parity began.
    let unused = stream.fec_packets_discarded.unwrap();
    assert!(
        unused <= parity && unused + 16 >= parity,
        "{unused} of {parity}"
    );
}

/// What statistics say of parity is what went over the network: the stream that the offer names, its packets, and what they carry. On a
/// path that loses nothing all of it is in vain, but for what still waits.
#[test]
fn parity_is_counted_as_it_comes() {
    let flex = Settings::default().parity(Parity::Always).flexfec(true);
    let mut pair = with([flex.clone(), flex], 0);
    let came = Rc::<RefCell<BTreeMap<u32, (u64, u64)>>>::default();
    let counts = came.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        // RFC 5761 §4: payload types that RTCP uses are none of RTP.
        let is_rtp =
            matches!(datagram[..], [128..=191, second, ..] if !(64..96).contains(&(second & 0x7f)));
        if from == End::A && is_rtp {
            let words = |at: usize| u32::from_be_bytes(datagram[at..at + 4].try_into().unwrap());
            let extensions = if datagram[0] & 0x10 == 0 {
                0
            } else {
                4 + 4 * (words(12) & 0xffff) as usize
            };
            let mut counts = counts.borrow_mut();
            let (packets, bytes) = counts.entry(words(8)).or_default();
            *packets += 1;
            *bytes += (datagram.len() - 12 - extensions - TAG) as u64;
        }
        true
    }));
    let (_, mut pair, _) = filmed(pair, 100);
    pair.run(ms(500));
    let offer = pair.ends[0].engine.local_description().unwrap().sdp;
    let group = offer
        .lines()
        .find_map(|it| it.strip_prefix("a=ssrc-group:FEC-FR "));
    let named: u32 = group
        .and_then(|it| it.split(' ').nth(1))
        .unwrap()
        .parse()
        .unwrap();
    let stream = inbound(&pair);
    assert_eq!(stream.fec_ssrc, Some(named));
    let (packets, bytes) = came.borrow()[&named];
    assert!(packets > 60, "{packets}");
    assert_eq!(stream.fec_packets_received, Some(packets));
    assert_eq!(stream.fec_bytes_received, Some(bytes));
    let unused = stream.fec_packets_discarded.unwrap();
    assert!(
        unused <= packets && unused + 16 >= packets,
        "{unused} of {packets}"
    );
}

/// RFC 7714 §13.2: what AES-GCM adds to a packet.
const TAG: usize = 16;

/// It is negotiated where both want it.
#[test]
fn video_is_protected_by_flexfec() {
    let flex = Settings::default().parity(Parity::Always).flexfec(true);
    let (whole, mut pair, here) = filmed(with([flex.clone(), flex.clone()], 5), 150);
    let offered = mime_types(&mut pair, here);
    assert!(offered.contains(&"video/flexfec-03".to_owned()));
    let stream = inbound(&pair);
    assert!(stream.fec_ssrc.is_some(), "it has a stream of its own");
    assert!(stream.fec_packets_received > Some(100));
    assert!(whole > 130, "{whole} of 150");
    let plain = Settings::default().parity(Parity::Always);
    let (_, mut pair, here) = filmed(with([flex, plain], 0), 10);
    let offered = mime_types(&mut pair, here);
    assert!(!offered.contains(&"video/flexfec-03".to_owned()));
    assert!(inbound(&pair).fec_ssrc.is_none());
}

fn preferring(name: &str) -> Vec<RtpCodec> {
    let mut codecs = RtpSender::capabilities(MediaKind::Audio).codecs;
    codecs.sort_by_key(|it| it.mime_type != name);
    codecs
}

/// RED of audio is taken always, and sent where it is preferred: `setCodecPreferences()` puts it first.
#[test]
fn audio_is_repeated_where_red_is_preferred() {
    for preferred in [false, true] {
        let settings = [Settings::default(), Settings::default()];
        let mut pair = with(settings, 10);
        let streams = vec!["stream".to_owned()];
        let here = pair.ends[0]
            .engine
            .add_track(MediaKind::Audio, ONE, streams)
            .unwrap();
        if preferred {
            let codecs = preferring("audio/red");
            let set = pair.ends[0].engine.set_codec_preferences(here, &codecs);
            set.unwrap();
        }
        let there = connect(&mut pair);
        let offered = mime_types(&mut pair, here);
        assert!(offered.contains(&"audio/red".to_owned()), "{offered:?}");
        let heard = Microphone::default().speak(&mut pair, [here, there], 300, None);
        // Two in a row are lost once in a hundred.
        match preferred {
            true => assert!(heard > 285, "{heard} of 300"),
            false => assert!(heard < 285, "{heard} of 300"),
        }
    }
}

/// H.265 goes through, as every codec of ours does.
#[test]
fn h265_is_carried() {
    let settings = [Settings::default(), Settings::default()];
    let mut pair = with(settings, 0);
    let streams = vec!["stream".to_owned()];
    let here = pair.ends[0]
        .engine
        .add_track(MediaKind::Video, ONE, streams)
        .unwrap();
    let there = connect(&mut pair);
    // Parameter sets and a slice of an IDR picture (RFC 7798 §1.1.4), each behind a start code.
    let unit = |kind: u8, len: usize| {
        let mut unit = vec![0, 0, 0, 1, kind << 1, 1];
        unit.resize(6 + len, 0x55);
        unit
    };
    let picture = [unit(32, 20), unit(33, 30), unit(34, 8), unit(19, 5000)].concat();
    let mut cutter = Cutter::default();
    let mut came = Vec::new();
    for _ in 0..5 {
        let now = pair.now;
        let mut frame = EncodedFrame::new(Codec::H265, picture.clone());
        frame.captured = Some(now);
        let batch = cutter.cut_frame(now, 0, &frame).unwrap();
        pair.ends[0].engine.write(now, here, &batch);
        pair.run(Duration::from_millis(100));
        let now = pair.now;
        came.extend(std::iter::from_fn(|| {
            pair.ends[1].engine.read_frame(now, there)
        }));
    }
    assert!(came.len() >= 4, "{}", came.len());
    assert!(
        came.iter()
            .all(|it| it.codec == Codec::H265 && it.payload == picture)
    );
}
