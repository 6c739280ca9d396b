//! What was taken out of the Recommendation since 2019, and what its extensions add: members that change no default.

use std::time::Duration;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DegradationPreference, DtxStatus, ErrorKind, MediaKind, OfferOptions, Priority,
    ResolutionRestriction, RtpDecodingParameters, RtpEncodingParameters,
    RtpHeaderExtensionCapability, RtpTransceiverDirection, SdpType,
    engine::{Engine, Event, Settings, TransceiverId, TransceiverInit},
};

use crate::pair::{
    Pair,
    media::{ONE, TWO, connect, sending},
};

use RtpTransceiverDirection::{Inactive, RecvOnly, SendOnly, SendRecv, Stopped};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

fn directions(engine: &Engine) -> Vec<(MediaKind, RtpTransceiverDirection)> {
    let all = engine.transceivers();
    all.map(|it| (it.kind(), it.direction())).collect()
}

/// [4.4.3.2-01] [4.4.3.2-02] [4.4.3.2-03] [4.4.3.2-04] What old programs say of a kind of media changes transceivers, adds one at most, and
/// asks for no negotiation.
#[test]
fn offers_of_old_say_what_is_received() {
    let (audio, video) = (MediaKind::Audio, MediaKind::Video);
    let mut pair = Pair::new(1, link());
    let receive = |audio, video| OfferOptions {
        offer_to_receive_audio: audio,
        offer_to_receive_video: video,
        ..OfferOptions::default()
    };
    // Repeated, it adds no more.
    for _ in 0..2 {
        let engine = &mut pair.ends[0].engine;
        let offer = engine.create_offer(&receive(Some(true), None)).unwrap();
        assert_eq!(offer.sdp.matches("m=audio").count(), 1);
        assert!(offer.sdp.contains("a=recvonly") && !offer.sdp.contains("m=video"));
        assert_eq!(directions(engine), [(audio, RecvOnly)]);
    }
    pair.step();
    let told = pair.ends[0].tasks.iter().flatten();
    let needed = told.filter(|it| matches!(it, Event::NegotiationNeeded));
    assert_eq!(needed.count(), 0, "it is being negotiated");
    // False: what sends goes on to send.
    let engine = &mut pair.ends[0].engine;
    engine.add_track(video, ONE, Vec::new()).unwrap();
    let both = engine.create_offer(&receive(Some(false), Some(false)));
    let both = both.unwrap().sdp;
    assert_eq!(directions(engine), [(audio, Inactive), (video, SendOnly)]);
    assert!(both.contains("a=inactive") && both.contains("a=sendonly"));
    // True is content with one that receives, whatever else there is; those that do not are left alone.
    let engine = &mut pair.ends[0].engine;
    engine.add_track(video, TWO, Vec::new()).unwrap();
    engine.create_offer(&receive(None, Some(true))).unwrap();
    let expected = [(audio, Inactive), (video, SendOnly), (video, SendRecv)];
    assert_eq!(directions(engine), expected);
    engine.create_offer(&receive(None, Some(false))).unwrap();
    engine.create_offer(&receive(None, Some(true))).unwrap();
    assert_eq!(directions(engine).last(), Some(&(video, RecvOnly)));
    // Of a stopped one nothing is wanted any more.
    let last = engine.transceivers().last().unwrap().id();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.stop_transceiver(now, last).unwrap();
    engine.create_offer(&receive(None, Some(true))).unwrap();
    assert_eq!(directions(engine).last(), Some(&(video, RecvOnly)));
    engine.close(now);
    let closed = engine.create_offer(&receive(Some(true), None));
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::InvalidState);
}

fn set(list: &mut [RtpHeaderExtensionCapability], uri: &str, direction: RtpTransceiverDirection) {
    let found = list.iter_mut().find(|it| it.uri.contains(uri)).unwrap();
    found.direction = direction;
}

fn direction_of(list: &[RtpHeaderExtensionCapability], uri: &str) -> RtpTransceiverDirection {
    list.iter()
        .find(|it| it.uri.contains(uri))
        .unwrap()
        .direction
}

/// [5.2.6-04] Header extensions are negotiated as was chosen, at either end, and what was negotiated is told.
#[test]
fn header_extensions_are_chosen() {
    let mut pair = Pair::new(2, link());
    let engine = &mut pair.ends[0].engine;
    let here = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let mut wanted = engine.header_extensions_to_negotiate(here).unwrap();
    assert!(wanted.iter().all(|it| it.direction == SendRecv));
    let none = engine.negotiated_header_extensions(here).unwrap();
    assert_eq!(none, []);
    set(&mut wanted, "playout-delay", Stopped);
    set(&mut wanted, "abs-send-time", SendOnly);
    engine
        .set_header_extensions_to_negotiate(here, &wanted)
        .unwrap();
    assert_eq!(engine.header_extensions_to_negotiate(here).unwrap(), wanted);
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    assert!(!offer.sdp.contains("playout-delay"));
    let line = |sdp: &str, name: &str| {
        let mut lines = sdp.lines();
        lines.find(|it| it.contains(name)).map(str::to_owned)
    };
    assert!(
        line(&offer.sdp, "abs-send-time")
            .unwrap()
            .contains("/sendonly ")
    );
    let proposed = pair.ends[0].engine.negotiated_header_extensions(here);
    assert_eq!(proposed.unwrap(), []);
    // The peer leaves one out as well.
    let now = pair.now;
    pair.ends[1].set(now, SdpType::Offer, &offer.sdp).unwrap();
    let engine = &mut pair.ends[1].engine;
    let there = engine.transceivers().next().unwrap().id();
    let mut theirs = engine.header_extensions_to_negotiate(there).unwrap();
    set(&mut theirs, "color-space", Stopped);
    engine
        .set_header_extensions_to_negotiate(there, &theirs)
        .unwrap();
    let answer = engine.create_answer().unwrap();
    engine
        .set_local_description(now, Some(answer.clone()))
        .unwrap();
    assert!(
        line(&answer.sdp, "abs-send-time")
            .unwrap()
            .contains("/recvonly ")
    );
    assert_eq!(line(&answer.sdp, "color-space"), None);
    pair.ends[0].set(now, SdpType::Answer, &answer.sdp).unwrap();
    for (side, id, one_way) in [(0, here, SendOnly), (1, there, RecvOnly)] {
        let agreed = pair.ends[side].engine.negotiated_header_extensions(id);
        let agreed = agreed.unwrap();
        for (name, direction) in [
            ("playout-delay", Stopped),
            ("color-space", Stopped),
            ("abs-send-time", one_way),
            ("sdes:mid", SendRecv),
        ] {
            assert_eq!(direction_of(&agreed, name), direction, "{side}: {name}");
        }
        // It stays so until something else is chosen.
        let next = pair.ends[side].engine.header_extensions_to_negotiate(id);
        assert_eq!(next.unwrap(), agreed);
        let parameters = pair.ends[side].engine.receive_parameters(id);
        let receives = parameters.header_extensions.iter();
        let receives = receives
            .filter(|it| it.uri.contains("abs-send-time"))
            .count();
        assert_eq!(receives, side, "it comes one way only");
    }
}

/// [5.2.6-04] What is only read is offered so, whatever is chosen; what is used in no direction is not offered; and what may be
/// encrypted still is.
#[test]
fn header_extensions_keep_what_they_are() {
    let configurations = [(); 2].map(|()| Configuration::default());
    let settings = Settings::default().encrypted_levels(true);
    let mut pair = Pair::with(4, link(), configurations, settings);
    let engine = &mut pair.ends[0].engine;
    let here = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let (mixed, levels) = ("csrc-audio-level", "ssrc-audio-level");
    let mut offered = |direction| {
        let mut list = engine.header_extensions_to_negotiate(here).unwrap();
        set(&mut list, mixed, direction);
        let set = engine.set_header_extensions_to_negotiate(here, &list);
        set.unwrap();
        let offer = engine.create_offer(&OfferOptions::default()).unwrap().sdp;
        let lines = offer.lines().filter(|it| it.starts_with("a=extmap:"));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        let hidden = |it: &&String| it.contains("hdrext:encrypt ") && it.contains(levels);
        assert_eq!(lines.iter().filter(hidden).count(), 1, "{offer}");
        let of_mixed = lines.into_iter().filter(|it| it.contains(mixed));
        of_mixed.collect::<Vec<_>>()
    };
    for direction in [SendRecv, RecvOnly] {
        let lines = offered(direction);
        assert!(
            lines.iter().all(|it| it.contains("/recvonly ")),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 2, "in both forms");
    }
    for direction in [SendOnly, Inactive] {
        assert_eq!(offered(direction), [""; 0]);
    }
}

/// [5.2.6-04] What is set has to be what there is, in its order; the mid stays.
#[test]
fn header_extensions_are_not_invented() {
    let mut pair = Pair::new(3, link());
    let engine = &mut pair.ends[0].engine;
    let here = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let whole = engine.header_extensions_to_negotiate(here).unwrap();
    let refused = |engine: &mut Engine, list: &[RtpHeaderExtensionCapability]| {
        let set = engine.set_header_extensions_to_negotiate(here, list);
        assert_eq!(set.unwrap_err().kind(), ErrorKind::InvalidModification);
    };
    refused(engine, &whole[1..]);
    refused(engine, &[]);
    let mut turned = whole.clone();
    turned.reverse();
    refused(engine, &turned);
    let mut other = whole.clone();
    other[0].uri = "urn:x".to_owned();
    refused(engine, &other);
    for direction in [Stopped, Inactive, SendOnly, RecvOnly] {
        let mut list = whole.clone();
        set(&mut list, "sdes:mid", direction);
        refused(engine, &list);
    }
    assert_eq!(engine.header_extensions_to_negotiate(here).unwrap(), whole);
    let now = pair.now;
    pair.negotiate(0).unwrap();
    let engine = &mut pair.ends[0].engine;
    engine.stop_transceiver(now, here).unwrap();
    let stopped = engine.set_header_extensions_to_negotiate(here, &whole);
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::InvalidState);
}

fn change(
    pair: &mut Pair,
    id: TransceiverId,
    change: impl FnOnce(&mut RtpEncodingParameters),
) -> Result<(), ErrorKind> {
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(id);
    change(&mut parameters.encodings[0]);
    let set = engine.set_parameters(now, id, parameters);
    set.map_err(|error| error.kind())
}

/// [5.1-15] [5.2-08] [5.2-10] [5.2.6-04] [5.2.8-01] What an encoder is told is kept; the payload type in use is told, and cannot be set.
#[test]
fn what_is_for_the_encoder_is_kept() {
    let (mut pair, [here, _]) = sending(4, link(), MediaKind::Video);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(here);
    assert_eq!(parameters.degradation_preference, None);
    let payload = parameters.codecs[0].payload_type;
    assert_eq!(parameters.encodings[0].codec_payload_type, Some(payload));
    parameters.degradation_preference = Some(DegradationPreference::MaintainResolution);
    let encoding = &mut parameters.encodings[0];
    encoding.scalability_mode = Some("L1T3".to_owned());
    encoding.network_priority = Some(Priority::High);
    let second = parameters.codecs.iter().find(|it| {
        let name = it.codec.mime_type.as_str();
        name.starts_with("video/VP9")
    });
    let second = second.unwrap().clone();
    parameters.encodings[0].codec = Some(second.codec);
    engine.set_parameters(now, here, parameters).unwrap();
    let kept = engine.parameters(here);
    let preference = kept.degradation_preference;
    assert_eq!(preference, Some(DegradationPreference::MaintainResolution));
    let encoding = &kept.encodings[0];
    assert_eq!(encoding.scalability_mode.as_deref(), Some("L1T3"));
    assert_eq!(encoding.network_priority, Some(Priority::High));
    assert_eq!(encoding.codec_payload_type, Some(second.payload_type));
    let renumbered = change(&mut pair, here, |it| it.codec_payload_type = Some(payload));
    assert_eq!(renumbered, Err(ErrorKind::InvalidModification));
    for wrong in ["L2", "L2T1"] {
        // The first codec, which has one size.
        let layered = change(&mut pair, here, |it| {
            (it.codec, it.scalability_mode) = (None, Some(wrong.to_owned()));
        });
        assert_eq!(layered, Err(ErrorKind::InvalidModification), "{wrong}");
    }
    let layered = change(&mut pair, here, |it| {
        it.scalability_mode = Some("L2T1".to_owned())
    });
    assert_eq!(layered, Ok(()));
    let sizeless = change(&mut pair, here, |it| {
        it.scale_resolution_down_to = Some(ResolutionRestriction {
            max_width: 0,
            max_height: 1,
        });
    });
    assert_eq!(sizeless, Err(ErrorKind::InvalidModification));
}

/// [5.2.3-01] [5.2.5-01] A receiver has one stream, or those of simulcast by their rids.
#[test]
fn a_receiver_says_which_streams_may_come() {
    let (pair, [_, there]) = sending(5, link(), MediaKind::Audio);
    let one = pair.ends[1].engine.receive_parameters(there).encodings;
    assert_eq!(one, [RtpDecodingParameters { rid: None }]);
    let mut pair = Pair::new(6, link());
    let encodings = ["q", "f"].map(RtpEncodingParameters::named).to_vec();
    let init = TransceiverInit {
        encodings,
        ..TransceiverInit::default()
    };
    let engine = &mut pair.ends[0].engine;
    engine
        .add_transceiver(MediaKind::Video, Some(ONE), init)
        .unwrap();
    let there = connect(&mut pair);
    let two = pair.ends[1].engine.receive_parameters(there).encodings;
    let rids: Vec<_> = two.iter().filter_map(|it| it.rid.as_deref()).collect();
    assert_eq!(rids, ["q", "f"]);
}

/// [4.2.8-04] [5.2.7-01] Silence need not be sent when the application wants that and the peer takes it: by comfort noise, which is
/// offered when asked for, or by what its Opus says.
#[test]
fn silence_is_not_sent_where_the_peer_takes_that() {
    let noise = OfferOptions {
        voice_activity_detection: Some(true),
        ..OfferOptions::default()
    };
    let opus = |sdp: &str| sdp.replace("minptime=10;", "minptime=10; usedtx=1;");
    let comfort = |sdp: &str| {
        let with = sdp.replace("a=rtpmap:0 PCMU", "a=rtpmap:13 CN/8000\r\na=rtpmap:0 PCMU");
        let lines = with.split_inclusive("\r\n").map(|line| match line {
            line if line.starts_with("m=audio") => line.replace("\r\n", " 13\r\n"),
            line => line.to_owned(),
        });
        lines.collect()
    };
    let without = |sdp: &str| {
        let without = sdp.replace("a=rtpmap:13 CN/8000\r\n", "");
        let lines = without.split_inclusive("\r\n").map(|line| match line {
            line if line.starts_with("m=audio") => line.replace(" 13", ""),
            line => line.to_owned(),
        });
        lines.collect()
    };
    let plain = |sdp: &str| sdp.to_owned();
    let usual = OfferOptions::default();
    let answers: [&dyn Fn(&str) -> String; 4] = [&plain, &opus, &comfort, &without];
    let cases = [
        (&usual, 0, false),
        (&usual, 1, true),
        // Of what is offered noise is taken, unless the peer takes none.
        (&noise, 0, true),
        (&noise, 3, false),
        // Not asked for.
        (&usual, 2, false),
    ];
    for (at, (options, answered, taken)) in cases.into_iter().enumerate() {
        let mut pair = Pair::new(7, link());
        let engine = &mut pair.ends[0].engine;
        let here = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
        let offer = pair.offer(0, options).unwrap();
        let offered = offer.sdp.contains("a=rtpmap:13 CN/8000\r\n");
        assert_eq!(offered, options.voice_activity_detection.is_some());
        let answer = pair.answer(1, offer).unwrap();
        let now = pair.now;
        let answer = answers[answered](&answer.sdp);
        pair.ends[0].set(now, SdpType::Answer, &answer).unwrap();
        pair.run(Duration::from_secs(1));
        let discontinuous = |pair: &Pair| {
            pair.ends[0]
                .engine
                .transceiver(here)
                .unwrap()
                .is_discontinuous()
        };
        assert!(!discontinuous(&pair), "{at}: nobody wants it");
        change(&mut pair, here, |it| it.dtx = Some(DtxStatus::Enabled)).unwrap();
        assert_eq!(discontinuous(&pair), taken, "{at}");
        change(&mut pair, here, |it| it.dtx = Some(DtxStatus::Disabled)).unwrap();
        assert!(!discontinuous(&pair), "{at}: it is not wanted any more");
    }
}
