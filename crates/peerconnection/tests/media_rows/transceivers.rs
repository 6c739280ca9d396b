//! Directions, parameters, sources and tones, on two engines.

use std::{cell::RefCell, rc::Rc, time::Duration};

use oxirtc_netsim::{End, Link, ms};
use oxirtc_peerconnection::{
    DataChannelState, ErrorKind, MediaKind, RtpCodec, RtpEncodingParameters,
    RtpTransceiverDirection, SdpType, SessionDescription,
    engine::{Event, TransceiverId, TransceiverInit},
    media::Codec,
};

use crate::pair::{
    Pair,
    media::{Camera, Microphone, ONE, TWO, asked, connect, read, sending, told},
};

use RtpTransceiverDirection::{Inactive, RecvOnly, SendOnly, SendRecv, Stopped};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

/// Packets of RTP, and of RTCP, that side 0 has sent.
fn counted(pair: &mut Pair) -> Rc<RefCell<[u32; 2]>> {
    let counts = Rc::<RefCell<[u32; 2]>>::default();
    let count = counts.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        if let (End::A, [128..=191, second, ..]) = (from, &datagram[..]) {
            // RFC 5761 §4
            let is_rtcp = (64..96).contains(&(second & 0x7f));
            count.borrow_mut()[usize::from(is_rtcp)] += 1;
        }
        true
    }));
    counts
}

/// [5.1-22] [5.1-23] Each direction is offered, sends and receives as its name says, from the start and after another one; who does
/// not send sends no RTP, and its RTCP goes on.
#[test]
fn directions_do_what_they_say() {
    for direction in [SendRecv, SendOnly, RecvOnly, Inactive] {
        let mut pair = Pair::new(1, link());
        let init = TransceiverInit {
            direction,
            ..TransceiverInit::default()
        };
        let engine = &mut pair.ends[0].engine;
        let here = engine
            .add_transceiver(MediaKind::Video, Some(ONE), init)
            .unwrap();
        // What the peer sends back is of no matter here: something that RTCP is about.
        let audio = engine.add_track(MediaKind::Audio, TWO, Vec::new()).unwrap();
        let there = connect(&mut pair);
        let line = match direction {
            SendRecv => "a=sendrecv",
            SendOnly => "a=sendonly",
            RecvOnly => "a=recvonly",
            _ => "a=inactive",
        };
        let sdp = pair.ends[0].engine.local_description().unwrap().sdp;
        let section = sdp
            .split("m=video")
            .nth(1)
            .unwrap()
            .split("m=audio")
            .next()
            .unwrap();
        assert!(section.contains(line), "{direction:?}: {section}");
        let counts = counted(&mut pair);
        let mut camera = Camera::default();
        let whole = camera.film(&mut pair, [here, there], 30);
        assert_eq!(whole > 20, direction.sends(), "{direction:?}");
        if !direction.sends() {
            assert_eq!(counts.borrow()[0], 0, "no RTP: {direction:?}");
        }
        let others = pair.ends[1].engine.transceivers().last().unwrap().id();
        Microphone::default().speak(&mut pair, [audio, others], 150, None);
        assert!(counts.borrow()[1] >= 1, "RTCP goes on: {direction:?}");
        let current = pair.ends[0]
            .engine
            .transceiver(here)
            .unwrap()
            .current_direction();
        let peer = pair.ends[1]
            .engine
            .transceiver(there)
            .unwrap()
            .current_direction();
        // The peer adds no track: it only receives.
        let expected = if direction.sends() {
            (SendOnly, RecvOnly)
        } else {
            (Inactive, Inactive)
        };
        assert_eq!(
            (current, peer),
            (Some(expected.0), Some(expected.1)),
            "{direction:?}"
        );
        if direction.sends() {
            counts.borrow_mut()[0] = 0;
            // What waits does not leave any more either.
            camera.shoot(&mut pair, here);
            let engine = &mut pair.ends[0].engine;
            engine.set_direction(here, RecvOnly).unwrap();
            pair.negotiate(0).unwrap();
            pair.run(Duration::from_secs(1));
            // The same camera goes on: one that began anew would repeat numbers, and be left out for that.
            camera.film(&mut pair, [here, there], 30);
            assert_eq!(counts.borrow()[0], 0, "no RTP any more: {direction:?}");
        }
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.stop_transceiver(now, here).unwrap();
        let direction = |pair: &Pair| pair.ends[0].engine.transceiver(here).unwrap().direction();
        assert_eq!(direction(&pair), Stopped, "the end");
        let engine = &mut pair.ends[0].engine;
        let error = engine.set_direction(here, SendRecv).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert_eq!(direction(&pair), Stopped);
    }
}

/// [5.4.1.1-02] W3C's hold, music on hold, and resume: who may send at each step.
#[test]
fn hold_with_music_and_resume() {
    let (mut pair, ids) = sending(2, link(), MediaKind::Audio);
    let back = pair.ends[1]
        .engine
        .add_track(MediaKind::Audio, ONE, Vec::new())
        .unwrap();
    assert_eq!(back, ids[1], "one transceiver for both ways");
    pair.negotiate(1).unwrap();
    let current = |pair: &Pair| {
        [0, 1].map(|side| {
            let engine = &pair.ends[side].engine;
            engine
                .transceiver(ids[side])
                .unwrap()
                .current_direction()
                .unwrap()
        })
    };
    assert_eq!(current(&pair), [SendRecv; 2]);
    // Music: the holder sends and does not listen.
    for (wanted, expected) in [
        (SendOnly, [SendOnly, RecvOnly]),
        (Inactive, [Inactive, Inactive]),
        (SendRecv, [SendRecv, SendRecv]),
    ] {
        let track = (wanted != Inactive).then_some((MediaKind::Audio, TWO));
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.set_direction(ids[0], wanted).unwrap();
        engine.replace_track(now, ids[0], track).unwrap();
        pair.negotiate(0).unwrap();
        assert_eq!(current(&pair), expected, "{wanted:?}");
        let heard = Microphone::default().speak(&mut pair, ids, 50, None);
        assert_eq!(heard > 40, wanted.sends(), "{wanted:?}: {heard}");
    }
    // The held one answers within the same offer: it does not hear, so it is asked to send nothing.
    pair.ends[1].engine.set_direction(ids[1], RecvOnly).unwrap();
    pair.negotiate(1).unwrap();
    assert_eq!(current(&pair), [SendOnly, RecvOnly]);
}

/// [5.2-05] [5.2-07] [5.2.1-01] [5.2.2-01] [5.2.3-01] [5.2.9-01] [5.2.10-01] [5.2.11-01] [5.2.11-02] [5.3-03] What was negotiated, of a sender and
/// a receiver.
#[test]
fn parameters_are_what_was_negotiated() {
    let mut pair = Pair::new(3, link());
    let engine = &mut pair.ends[0].engine;
    let audio = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let video = engine.add_track(MediaKind::Video, TWO, Vec::new()).unwrap();
    let offer = pair.offer(0, &Default::default()).unwrap();
    let mut answer = pair.answer(1, offer).unwrap();
    // A peer that wants something else of Opus than we do.
    let changed = answer
        .sdp
        .replace("minptime=10;useinbandfec=1", "minptime=20;stereo=1");
    assert_ne!(changed, answer.sdp);
    // And that sends as well.
    let changed = changed.replace("a=recvonly\r\n", "a=sendrecv\r\n");
    answer.sdp = changed;
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    let line = |codecs: &[oxirtc_peerconnection::RtpCodecParameters]| {
        let opus = codecs
            .iter()
            .find(|it| it.codec.mime_type == "audio/opus")
            .unwrap();
        assert_eq!(
            (opus.codec.clock_rate, opus.codec.channels),
            (48_000, Some(2))
        );
        (opus.codec.sdp_fmtp_line.clone().unwrap(), opus.payload_type)
    };
    let sends = engine.parameters(audio);
    let receives = engine.receive_parameters(audio);
    let (of_peer, payload_type) = line(&sends.codecs);
    assert_eq!(of_peer, "minptime=20;stereo=1");
    assert_eq!(
        line(&receives.codecs),
        ("minptime=10;useinbandfec=1".into(), payload_type)
    );
    let sends = engine.parameters(video);
    let named = |name: &str| {
        sends
            .codecs
            .iter()
            .filter(|it| it.codec.mime_type == name)
            .count()
    };
    assert!(
        named("video/VP8") == 1 && named("video/rtx") >= 4,
        "repair is among them"
    );
    let repair = sends
        .codecs
        .iter()
        .find(|it| it.codec.mime_type == "video/rtx")
        .unwrap();
    assert!(
        repair
            .codec
            .sdp_fmtp_line
            .as_deref()
            .unwrap()
            .starts_with("apt=")
    );
    let sdp = engine.remote_description().unwrap().sdp;
    for it in &sends.header_extensions {
        let told = format!("a=extmap:{} {}", it.id, it.uri);
        assert!(sdp.contains(&told) && !it.encrypted, "{told}");
    }
    assert!(sends.header_extensions.len() >= 5);
    let cname = sends.rtcp.cname.clone().unwrap();
    let local = engine.local_description().unwrap().sdp;
    assert!(local.contains(&format!("cname:{cname}\r\n")));
    assert!(sends.rtcp.reduced_size && local.contains("a=rtcp-rsize"));
    let receives = engine.receive_parameters(video);
    assert!(receives.rtcp.cname.is_none() && receives.rtcp.reduced_size);
    assert!(!receives.codecs.is_empty() && !receives.header_extensions.is_empty());
    // Each call begins a transaction of its own, of the same content.
    let again = engine.parameters(video);
    assert_ne!(again.transaction_id, sends.transaction_id);
    assert_eq!(
        (&again.encodings, &again.codecs),
        (&sends.encodings, &sends.codecs)
    );
    let old = engine.set_parameters(now, video, sends).unwrap_err();
    assert_eq!(old.kind(), ErrorKind::InvalidModification);
}

/// [5.2.9-01] Reduced size is what both have said.
#[test]
fn reduced_size_is_agreed_on() {
    let mut pair = Pair::new(32, link());
    let engine = &mut pair.ends[0].engine;
    let id = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let offer = pair.offer(0, &Default::default()).unwrap();
    let mut answer = pair.answer(1, offer).unwrap();
    answer.sdp = answer.sdp.replace("a=rtcp-rsize\r\n", "");
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    assert!(!engine.parameters(id).rtcp.reduced_size, "not yet");
    engine.set_remote_description(now, answer).unwrap();
    assert!(!engine.parameters(id).rtcp.reduced_size);
    // [4.4.1.6-25]: the answer sends nothing, so nothing can be received.
    let receives = engine.receive_parameters(id);
    assert!(receives.codecs.is_empty() && !receives.rtcp.reduced_size);
}

/// [5.2-06] `getParameters()` never fails: before anything is negotiated there are encodings and a name, and what a sender was left with is shown when its transceiver is gone, and cannot be set any more.
#[test]
fn parameters_of_a_sender_that_is_gone() {
    let mut pair = Pair::new(31, link());
    let slow = |rid: &str| RtpEncodingParameters {
        max_bitrate: Some(5000),
        ..RtpEncodingParameters::named(rid)
    };
    let init = TransceiverInit {
        encodings: vec![slow("a"), slow("b")],
        ..TransceiverInit::default()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    // Stopped before anything was negotiated, and stopped by a negotiation.
    let early = engine
        .add_transceiver(MediaKind::Video, None, init)
        .unwrap();
    let late = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let before = engine.parameters(early);
    assert_eq!(before.encodings.len(), 2);
    // Nothing was negotiated yet.
    assert!(before.codecs.is_empty() && before.header_extensions.is_empty());
    assert!(before.rtcp.cname.is_some() && !before.rtcp.reduced_size);
    engine.stop_transceiver(now, early).unwrap();
    pair.negotiate(0).unwrap();
    let engine = &mut pair.ends[0].engine;
    let negotiated = engine.parameters(late);
    assert!(!negotiated.codecs.is_empty());
    engine.stop_transceiver(now, late).unwrap();
    pair.negotiate(0).unwrap();
    let engine = &mut pair.ends[0].engine;
    for (id, before) in [(early, before), (late, negotiated)] {
        assert!(engine.transceiver(id).is_none());
        let [shown, again] = [(); 2].map(|()| engine.parameters(id));
        assert_ne!(shown.transaction_id, before.transaction_id);
        assert_ne!(shown.transaction_id, again.transaction_id);
        assert_eq!(shown.encodings, before.encodings);
        assert_eq!(shown.codecs, before.codecs);
        assert_eq!(shown.header_extensions, before.header_extensions);
        assert_eq!(shown.rtcp, before.rtcp);
        let refused = engine.set_parameters(now, id, shown).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidState);
    }
}

/// [5.2.6-01] What an encoding is set to is shown until it is set to something else.
#[test]
fn encodings_are_shown_as_they_were_set() {
    let (mut pair, [here, _]) = sending(9, link(), MediaKind::Video);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(here);
    let encoding = &mut parameters.encodings[0];
    (encoding.active, encoding.max_bitrate) = (false, Some(300_000));
    (encoding.max_framerate, encoding.scale_resolution_down_by) = (Some(12.5), Some(1.5));
    let wanted = encoding.clone();
    engine.set_parameters(now, here, parameters).unwrap();
    assert_eq!(engine.parameters(here).encodings, [wanted]);
}

/// [5.2-13] [5.4.1-03] [5.2-17] [5.2.6-01] What can be set: audio has no size, video is never made larger, and a limit is told to whoever
/// encodes.
#[test]
fn encodings_are_tuned() {
    let mut pair = Pair::new(4, link());
    let engine = &mut pair.ends[0].engine;
    let audio = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let layers = TransceiverInit {
        encodings: vec![
            RtpEncodingParameters::named("q"),
            RtpEncodingParameters::named("f"),
        ],
        ..TransceiverInit::default()
    };
    let video = engine
        .add_transceiver(MediaKind::Video, Some(TWO), layers)
        .unwrap();
    connect(&mut pair);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(audio);
    parameters.encodings[0].scale_resolution_down_by = Some(0.1);
    parameters.encodings[0].max_framerate = Some(-1.0);
    parameters.encodings[0].max_bitrate = Some(20_000);
    engine.set_parameters(now, audio, parameters).unwrap();
    let shown = engine.parameters(audio).encodings.remove(0);
    assert_eq!(
        (shown.scale_resolution_down_by, shown.max_framerate),
        (None, None)
    );
    assert_eq!(shown.max_bitrate, Some(20_000));
    let mut wrong = |edit: &dyn Fn(&mut RtpEncodingParameters)| {
        let mut parameters = engine.parameters(video);
        edit(&mut parameters.encodings[1]);
        engine
            .set_parameters(now, video, parameters)
            .map_err(|it| it.kind())
    };
    assert_eq!(
        wrong(&|it| it.scale_resolution_down_by = Some(0.9)),
        Err(ErrorKind::Range)
    );
    assert_eq!(
        wrong(&|it| it.max_framerate = Some(-0.1)),
        Err(ErrorKind::Range)
    );
    // Of `addTransceiver` it is to be above 0; here 0 is as good as no limit.
    assert_eq!(wrong(&|it| it.max_framerate = Some(0.0)), Ok(()));
    assert_eq!(wrong(&|it| it.max_framerate = None), Ok(()));
    assert_eq!(wrong(&|it| it.scale_resolution_down_by = None), Ok(()));
    pair.ends[0].tasks.clear();
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(video);
    let scale = parameters.encodings[1].scale_resolution_down_by;
    assert_eq!(scale, Some(1.0), "what is left out is not made smaller");
    parameters.encodings[0].active = false;
    parameters.encodings[1].max_bitrate = Some(300_000);
    engine.set_parameters(now, video, parameters).unwrap();
    pair.step();
    let allowed = |pair: &Pair| -> Vec<(usize, Option<u64>)> {
        let events = pair.ends[0].tasks.iter().flatten();
        let found = events.filter_map(|it| match it {
            Event::BitrateAllowed {
                transceiver,
                encoding,
                bits,
            } if *transceiver == video => Some((*encoding, *bits)),
            _ => None,
        });
        found.collect()
    };
    assert_eq!(allowed(&pair), [(1, Some(300_000))]);
    let report = pair.ends[0].engine.stats(pair.now);
    let layers: Vec<_> = report
        .outbound_rtp()
        .filter(|it| it.sent.stream.kind == "video")
        .map(|it| (it.rid.clone(), it.active, it.target_bitrate))
        .collect();
    let expected = [
        (Some("q".to_owned()), Some(false), None),
        (Some("f".to_owned()), Some(true), Some(300_000.0)),
    ];
    assert_eq!(layers, expected);
}

/// [5.2-10] The encodings stay in their order.
#[test]
fn encodings_are_not_moved() {
    let mut pair = Pair::new(4, link());
    let layers = TransceiverInit {
        encodings: ["q", "f"].map(RtpEncodingParameters::named).to_vec(),
        ..TransceiverInit::default()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let video = engine.add_transceiver(MediaKind::Video, None, layers);
    let video = video.unwrap();
    let mut parameters = engine.parameters(video);
    parameters.encodings.swap(0, 1);
    let moved = engine.set_parameters(now, video, parameters.clone());
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::InvalidModification);
    parameters.encodings.swap(0, 1);
    engine.set_parameters(now, video, parameters).unwrap();
}

fn codec(mime_type: &str) -> RtpCodec {
    RtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: 90_000,
        channels: None,
        sdp_fmtp_line: None,
    }
}

/// [5.1-16] [5.2-12] [5.2.6-02] [4.4.1.6-42] The codec of an encoding: one that can be sent when the transceiver is made, one that is
/// negotiated afterwards. What is chosen goes first.
#[test]
fn a_codec_is_chosen_of_those_that_are_negotiated() {
    let mut pair = Pair::new(5, link());
    let with = |name: &str| TransceiverInit {
        encodings: vec![RtpEncodingParameters {
            codec: Some(codec(name)),
            ..RtpEncodingParameters::default()
        }],
        ..TransceiverInit::default()
    };
    let engine = &mut pair.ends[0].engine;
    for unknown in ["video/none", "audio/opus", "video/rtx"] {
        let refused = engine.add_transceiver(MediaKind::Video, None, with(unknown));
        assert_eq!(
            refused.unwrap_err().kind(),
            ErrorKind::Operation,
            "{unknown}"
        );
    }
    let mut slow = with("video/VP8");
    let first = slow.encodings[0].codec.as_mut();
    first.unwrap().clock_rate = 8000;
    let refused = engine.add_transceiver(MediaKind::Video, None, slow);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Operation);
    let vp8 = engine
        .add_transceiver(MediaKind::Video, Some(ONE), with("video/vp8"))
        .unwrap();
    let other = engine
        .add_transceiver(MediaKind::Video, Some(TWO), with("video/VP8"))
        .unwrap();
    let vp9 = RtpCodec {
        sdp_fmtp_line: Some("profile-id=0".to_owned()),
        ..codec("video/VP9")
    };
    // The second section is without VP8.
    engine
        .set_codec_preferences(other, std::slice::from_ref(&vp9))
        .unwrap();
    connect(&mut pair);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let chosen = |it: &mut oxirtc_peerconnection::engine::Engine, id| {
        it.parameters(id).encodings[0].codec.clone()
    };
    assert_eq!(chosen(engine, vp8), Some(codec("video/vp8")));
    assert_eq!(chosen(engine, other), None, "it was not negotiated");
    let mut set = |id: TransceiverId, wanted: &RtpCodec| {
        let mut parameters = engine.parameters(id);
        parameters.encodings[0].codec = Some(wanted.clone());
        engine
            .set_parameters(now, id, parameters)
            .map_err(|it| it.kind())
    };
    assert_eq!(
        set(vp8, &codec("video/H265")),
        Err(ErrorKind::InvalidModification)
    );
    assert_eq!(
        set(other, &codec("video/VP8")),
        Err(ErrorKind::InvalidModification)
    );
    assert_eq!(set(vp8, &vp9), Ok(()));
    let engine = &pair.ends[0].engine;
    let first = engine.transceiver(vp8).unwrap().send_codecs().next();
    assert_eq!(first, Some(Codec::Vp9));
}

/// [5.3-04] [5.3-05] [5.3-06] [5.3-07] Who was heard in the last ten seconds, when, and how loud; how long frames may be made to wait.
#[test]
fn sources_are_those_that_were_heard() {
    let (mut pair, ids) = sending(6, link(), MediaKind::Audio);
    let mut microphone = Microphone::default();
    assert!(pair.ends[1].engine.sources(pair.now, ids[1]).is_empty());
    microphone.speak(&mut pair, ids, 10, None);
    let quiet = pair.ends[1].engine.sources(pair.now, ids[1]);
    assert_eq!((quiet.len(), quiet[0].audio_level), (1, None));
    microphone.speak(&mut pair, ids, 10, Some(20));
    let sources = pair.ends[1].engine.sources(pair.now, ids[1]);
    let [source] = &sources[..] else {
        panic!("one source: {sources:?}");
    };
    assert!((source.audio_level.unwrap() - 0.1).abs() < 1e-9);
    assert!(!source.contributes && source.at > quiet[0].at);
    let report = pair.ends[1].engine.stats(pair.now);
    let stream = &report.inbound_rtp().next().unwrap().received.stream;
    assert_eq!(source.source, stream.ssrc);
    let at = source
        .at
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let passed = stream.stats.timestamp - at.as_secs_f64() * 1000.0;
    assert!((0.0..=30.0).contains(&passed), "{passed} ms ago");
    pair.run(Duration::from_millis(9900));
    let later = pair.ends[1].engine.sources(pair.now, ids[1]);
    let times: Vec<_> = later.iter().map(|it| it.at).collect();
    assert_eq!(times, [source.at], "nothing was heard since");
    pair.run(Duration::from_millis(200));
    assert!(pair.ends[1].engine.sources(pair.now, ids[1]).is_empty());
    let engine = &mut pair.ends[1].engine;
    for good in [None, Some(ms(0)), Some(ms(4000))] {
        engine.set_jitter_buffer_target(ids[1], good).unwrap();
        assert_eq!(engine.jitter_buffer_target(ids[1]), good);
    }
    let refused = engine.set_jitter_buffer_target(ids[1], Some(ms(4001)));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Range);
}

/// [9.3-02] [9.3-03] [4.4.2-59] A goodbye mutes the track, silence does not; and each change is told once.
#[test]
fn a_goodbye_mutes_and_silence_does_not() {
    let (mut pair, ids) = sending(7, link(), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 10);
    let words = |pair: &Pair| -> Vec<String> {
        let all = told(pair, 1, 0).into_iter();
        all.filter(|it| it == "mute" || it == "unmute").collect()
    };
    assert_eq!(words(&pair), ["unmute"]);
    pair.run(Duration::from_secs(40));
    camera.film(&mut pair, ids, 10);
    assert_eq!(words(&pair), ["unmute"], "silence is no event");
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.run(Duration::from_secs(1));
    assert_eq!(words(&pair), ["unmute", "mute"], "the goodbye of a close");
    assert_eq!(read(&mut pair, ids[1]), 0);
}

/// RFC 8834 §4.9: all streams of a connection have one canonical name, and each connection another.
#[test]
fn each_connection_has_one_name() {
    let mut pair = Pair::new(13, link());
    let [near, far] = [0, 1].map(|side| {
        let engine = &mut pair.ends[side].engine;
        let [sound, pictures] = [(MediaKind::Audio, ONE), (MediaKind::Video, TWO)].map(|it| {
            let id = engine.add_track(it.0, it.1, Vec::new()).unwrap();
            engine.parameters(id).rtcp.cname.unwrap()
        });
        assert_eq!(sound, pictures);
        sound
    });
    assert!(near != far && near.len() >= 16, "{near}, {far}");
}

/// The goodbye of media leaves before that of DTLS, which ends what is read.
#[test]
fn media_says_goodbye_first() {
    let (mut pair, ids) = sending(12, link(), MediaKind::Video);
    Camera::default().film(&mut pair, ids, 5);
    let seen = Rc::<RefCell<Vec<u8>>>::default();
    let firsts = seen.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        if from == End::A {
            firsts.borrow_mut().push(datagram[0]);
        }
        true
    }));
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.run(ms(50));
    let seen = seen.borrow();
    let place = |kind: std::ops::RangeInclusive<u8>| seen.iter().position(|it| kind.contains(it));
    // RFC 7983 §7
    let (media, dtls) = (place(128..=191), place(20..=63));
    assert!(media.is_some() && media < dtls, "{seen:?}");
}

/// [5.2-02] [5.2-16] What is inactive sends nothing and says no goodbye: the peer's track is not muted, and goes on with a key frame.
#[test]
fn an_inactive_encoding_says_no_goodbye() {
    let (mut pair, ids) = sending(8, link(), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 10);
    let set = |pair: &mut Pair, active| {
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        let mut parameters = engine.parameters(ids[0]);
        parameters.encodings[0].active = active;
        engine.set_parameters(now, ids[0], parameters).unwrap();
    };
    set(&mut pair, false);
    let counts = counted(&mut pair);
    camera.film(&mut pair, ids, 60);
    assert_eq!(counts.borrow()[0], 0, "no RTP");
    assert_eq!(told(&pair, 1, 0).last().unwrap(), "unmute");
    let before = asked(&pair, ids[0]);
    set(&mut pair, true);
    assert!(camera.film(&mut pair, ids, 20) >= 15);
    assert!(asked(&pair, ids[0]) > before, "a key frame was asked for");
}

/// Plays for so long; gives the milliseconds after which each tone was told.
fn play(pair: &mut Pair, time: Duration) -> Vec<(u64, String)> {
    let from = pair.now;
    let mut log = Vec::new();
    pair.ends[0].tasks.clear();
    while pair.now < from + time {
        let at = (pair.now - from).as_millis() as u64;
        for event in std::mem::take(&mut pair.ends[0].tasks)
            .into_iter()
            .flatten()
        {
            if let Event::ToneChange(_, tone) = event {
                log.push((at, tone));
            }
        }
        pair.run(ms(5));
    }
    log
}

/// [7.2-04] [7.2-08] Durations and gaps are brought within their bounds; new ones count for the tones that follow, and the tone that is
/// played is not cut.
#[test]
fn tones_have_their_times() {
    let (mut pair, ids) = sending(9, link(), MediaKind::Audio);
    let insert = |pair: &mut Pair, tones: &str, duration, gap| {
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine
            .insert_dtmf(now, ids[0], tones, duration, gap)
            .unwrap();
    };
    let close = |found: &[(u64, String)], expected: &[(u64, &str)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((at, tone), (wanted, expected)) in found.iter().zip(expected) {
            assert_eq!(tone, expected);
            assert!(at.abs_diff(*wanted) <= 10, "{tone} at {at}, not {wanted}");
        }
    };
    insert(&mut pair, "12", ms(1), ms(1));
    let found = play(&mut pair, Duration::from_secs(1));
    close(&found, &[(5, "1"), (70, "2"), (140, "")]);
    insert(
        &mut pair,
        "1",
        Duration::from_secs(60),
        Duration::from_secs(60),
    );
    let found = play(&mut pair, Duration::from_secs(15));
    close(&found, &[(5, "1"), (12_000, "")]);
    // While "1" is played the rest is replaced, with other times: "1" keeps its own.
    insert(&mut pair, "123", ms(500), ms(100));
    pair.run(ms(100));
    insert(&mut pair, "AB", ms(100), ms(50));
    let found = play(&mut pair, Duration::from_secs(2));
    close(&found, &[(500, "A"), (650, "B"), (800, "")]);
}

/// [4.4.1.6-37] [5.4-01] A rollback takes a mid away from what has one by it, and the next offer gives it one again.
#[test]
fn a_rollback_takes_the_mid_away() {
    let mut pair = Pair::new(10, link());
    let engine = &mut pair.ends[0].engine;
    let id = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    pair.offer(0, &Default::default()).unwrap();
    let mid = |pair: &Pair| {
        let it = pair.ends[0].engine.transceiver(id).unwrap();
        it.mid().map(str::to_owned)
    };
    assert!(mid(&pair).is_some());
    let rollback = SessionDescription {
        kind: SdpType::Rollback,
        sdp: String::new(),
    };
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_local_description(now, Some(rollback))
        .unwrap();
    assert_eq!(mid(&pair), None);
    pair.offer(0, &Default::default()).unwrap();
    assert!(mid(&pair).is_some());
}

/// [11.3-06] Nothing but STUN goes before the peer has answered a check; after that everything is DTLS or SRTP, of which nothing can
/// be read, and consent is asked for again and again.
#[test]
fn everything_is_encrypted_and_consented_to() {
    /// What side 0 has sent, the first of it before the peer had answered.
    #[derive(Default)]
    struct Seen {
        answered: bool,
        early: Vec<u8>,
        firsts: Vec<u8>,
        readable: usize,
    }
    let mut pair = Pair::new(11, link());
    let seen = Rc::<RefCell<Seen>>::default();
    let notes = seen.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        let mut seen = notes.borrow_mut();
        if from == End::B {
            // RFC 8489 §5: the success response of a Binding request.
            seen.answered |= datagram.starts_with(&[1, 1]);
            return true;
        }
        match seen.answered {
            true => seen.firsts.push(datagram[0]),
            false => seen.early.push(datagram[0]),
        }
        // A picture of the camera is one byte again and again, and the message is what it is.
        let alike = |it: &[u8]| it.iter().all(|byte| *byte == it[0]);
        let is_picture = datagram[0] >= 128 && datagram.windows(100).any(alike);
        let is_message = datagram
            .windows(WORDS.len())
            .any(|it| it == WORDS.as_bytes());
        seen.readable += usize::from(is_picture || is_message);
        true
    }));
    let engine = &mut pair.ends[0].engine;
    let here = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let beside = pair.open(0, "beside", &Default::default());
    let there = connect(&mut pair);
    pair.until(Duration::from_secs(5), |pair| {
        pair.ends[0].state(beside) == DataChannelState::Open
    });
    pair.send(0, beside, WORDS);
    let whole = Camera::default().film(&mut pair, [here, there], 60);
    {
        let seen = seen.borrow();
        assert!(!seen.early.is_empty(), "a check first");
        assert!(seen.early.iter().all(|it| *it < 4), "{:?}", seen.early);
        // RFC 7983 §7: STUN, DTLS, SRTP.
        let known = |it: &u8| matches!(it, 0..=3 | 20..=63 | 128..=191);
        assert!(seen.firsts.iter().all(known));
        assert!(seen.firsts.iter().any(|it| *it >= 128));
        assert_eq!(seen.readable, 0);
    }
    assert!(whole > 50 && pair.ends[1].inbox.len() == 1);
    seen.borrow_mut().firsts.clear();
    pair.run(Duration::from_secs(30));
    let consent = seen.borrow().firsts.iter().filter(|it| **it == 0).count();
    assert!(consent >= 5, "{consent} in 30 seconds");
}

const WORDS: &str = "what nobody else may read";
