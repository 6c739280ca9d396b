//! Two engines exchange media over a simulated network: what descriptions change, what is told, and what loss does.

mod pair;

use std::{cell::Cell, rc::Rc, time::Duration};

use oxirtc_netsim::{End as Side, Link, ms, percent};
use oxirtc_peerconnection::{
    DataChannelInit, Error, ErrorKind, MediaKind, OfferOptions, RtpCodec, RtpEncodingParameters,
    RtpSendParameters, RtpTransceiverDirection, SessionDescription,
    engine::{Engine, Event, TrackId, TransceiverId, TransceiverInit, capabilities_of},
};
use pair::{
    End, Pair,
    media::{Camera, ONE, TWO, asked, read, sending, told},
};

/// RTX repairs what the path loses: nearly all pictures come whole, and none is of mixed content.
#[test]
fn pictures_come_whole_over_a_path_that_loses_some() {
    let link = Link::new(1).delay(ms(25)).loss(percent(10));
    let (mut pair, ids) = sending(3, link, MediaKind::Video);
    let mut camera = Camera::default();
    let mut whole = camera.film(&mut pair, ids, 150);
    pair.run(Duration::from_secs(1));
    whole += read(&mut pair, ids[1]);
    assert!(whole >= 135, "{whole} of 150");
}

/// A request that is lost is repeated after a round trip as ICE has measured it, before any report has told one.
#[test]
fn repair_knows_the_round_trip_from_the_first_packet_on() {
    let (mut pair, ids) = sending(7, Link::new(1).delay(ms(10)), MediaKind::Video);
    let asked = Rc::<Cell<u32>>::default();
    let (requests, mut packets) = (asked.clone(), 0);
    pair.tap = Some(Box::new(move |from, datagram| {
        match (from, &datagram[..]) {
            // RFC 4585 §6.2.1: a generic NACK by itself.
            (Side::B, [0x81, 205, ..]) => {
                requests.set(requests.get() + 1);
                false
            }
            (Side::A, [128..=191, ..]) => {
                packets += 1;
                packets != 2
            }
            _ => true,
        }
    }));
    Camera::default().film(&mut pair, ids, 3);
    assert!((4..=6).contains(&asked.get()), "{}", asked.get());
}

/// [4.4.1.6-44] [5.1.1-01] [5.1.1-05] [5.1.1-07] [9.3-01] [11.3-05] Tracks are told in W3C's order, muted until something comes; who holds
/// mutes, and whoever goes on does so with the numbers that it had.
#[test]
fn hold_and_resume() {
    let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Video);
    let expected = ["signaling", "add stream", "track [\"stream\"]", "signaling"];
    assert_eq!(told(&pair, 1, 0), expected);
    let mut camera = Camera::default();
    assert!(camera.film(&mut pair, ids, 10) >= 8);
    assert_eq!(told(&pair, 1, 0).last().unwrap(), "unmute");
    let before = pair.ends[1].tasks.len();
    let inactive = RtpTransceiverDirection::Inactive;
    pair.ends[0].engine.set_direction(ids[0], inactive).unwrap();
    pair.negotiate(0).unwrap();
    assert_eq!(
        told(&pair, 1, before),
        ["signaling", "mute", "remove stream", "signaling"]
    );
    assert_eq!(camera.film(&mut pair, ids, 5), 0, "nothing is sent on hold");
    let before = pair.ends[1].tasks.len();
    let active = RtpTransceiverDirection::SendRecv;
    pair.ends[0].engine.set_direction(ids[0], active).unwrap();
    pair.negotiate(0).unwrap();
    assert_eq!(
        told(&pair, 1, before),
        ["signaling", "add stream", "track [\"stream\"]", "signaling"]
    );
    // The same keys and SSRC: numbers that began anew would be replays.
    let whole = camera.film(&mut pair, ids, 30);
    let asked = asked(&pair, ids[0]);
    assert!(
        whole >= 20,
        "{whole} of 30, {asked} key frames were asked for, {:?}",
        told(&pair, 1, before)
    );
    assert_eq!(told(&pair, 1, before).last().unwrap(), "unmute");
}

/// [5.4-06] [5.4-07] [5.4-08] A transceiver that is stopped ends at the other end when that is negotiated.
#[test]
fn stop() {
    let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 5);
    let before = pair
        .ends
        .iter()
        .map(|it| it.tasks.len())
        .collect::<Vec<_>>();
    let now = pair.now;
    pair.ends[0].engine.stop_transceiver(now, ids[0]).unwrap();
    pair.ends[0].engine.stop_transceiver(now, ids[0]).unwrap();
    pair.step();
    assert_eq!(told(&pair, 0, before[0]), ["ended"]);
    let stopped = RtpTransceiverDirection::Stopped;
    let here = pair.ends[0].engine.transceiver(ids[0]).unwrap();
    assert_eq!(here.direction(), stopped);
    let refused = pair.ends[0].engine.set_direction(ids[0], stopped);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidState);
    pair.negotiate(0).unwrap();
    pair.step();
    let there = told(&pair, 1, before[1]);
    assert_eq!(
        there.iter().filter(|it| *it == "ended").count(),
        1,
        "{there:?}"
    );
    assert_eq!(camera.film(&mut pair, ids, 3), 0);
    for end in &pair.ends {
        assert_eq!(end.engine.transceivers().count(), 0, "its section is free");
    }
}

/// Sound, pictures and data share one transport and one association.
#[test]
fn everything_in_one_bundle() {
    let mut pair = Pair::new(5, Link::new(1).delay(ms(10)));
    let engine = &mut pair.ends[0].engine;
    let video = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    engine.add_track(MediaKind::Audio, TWO, Vec::new()).unwrap();
    let again = engine.add_track(MediaKind::Audio, TWO, Vec::new());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::InvalidAccess);
    let channels = pair.connect(&DataChannelInit::default());
    let transports = pair.ends[0].engine.transports().count();
    assert_eq!(transports, 1);
    let there = pair.ends[1].engine.transceivers().next().unwrap().id();
    pair.ends[1].engine.set_delivery(there, true, false);
    for number in 0..50_u32 {
        pair.send(0, channels[0], vec![number as u8; 10_000]);
    }
    let mut camera = Camera::default();
    let whole = camera.film(&mut pair, [video, there], 60);
    assert!(whole >= 55, "{whole} of 60");
    assert_eq!(pair.ends[1].messages(channels[1]).len(), 50);
}

/// [7.2-01] [7.2-02] [7.2-03] [7.2-05] [7.2-06] [7.2-07] [7.3-01] [7.4-01] Tones are told as they begin, and go out though nothing is written.
#[test]
fn tones() {
    let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Audio);
    let insert = |pair: &mut Pair, tones: &str| {
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.insert_dtmf(now, ids[0], tones, ms(100), ms(70))
    };
    for wrong in (' '..='~').filter(|it| !"0123456789ABCDabcd#*,".contains(*it)) {
        let error = insert(&mut pair, &format!("1{wrong}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCharacter, "{wrong}");
        assert_eq!(pair.ends[0].engine.tone_buffer(ids[0]), "");
    }
    insert(&mut pair, "1a").unwrap();
    assert_eq!(pair.ends[0].engine.tone_buffer(ids[0]), "A");
    let sent = pair.ends[0].engine.counters().datagrams_sent;
    pair.run(Duration::from_secs(1));
    assert!(pair.ends[0].engine.counters().datagrams_sent > sent + 8);
    let tones = |pair: &Pair| -> Vec<String> {
        let tone = |event: &Event| match event {
            Event::ToneChange(_, tone) => Some(tone.clone()),
            _ => None,
        };
        pair.ends[0]
            .tasks
            .iter()
            .flatten()
            .filter_map(tone)
            .collect()
    };
    assert_eq!(tones(&pair), ["1", "A", ""]);
    let heard = |pair: &Pair| -> String {
        let tone = |event: &Event| match event {
            Event::Tone(_, tone) => Some(*tone),
            _ => None,
        };
        pair.ends[1]
            .tasks
            .iter()
            .flatten()
            .filter_map(tone)
            .collect()
    };
    assert_eq!(heard(&pair), "1A", "each is told at the other end, once");
    assert_eq!(told(&pair, 1, 0).last().unwrap(), "unmute", "they came");
    // A comma is a pause of two seconds, and told as well.
    let told_before = tones(&pair).len();
    insert(&mut pair, "5,6").unwrap();
    pair.run(Duration::from_millis(2100));
    assert_eq!(tones(&pair)[told_before..], ["5", ","]);
    pair.run(Duration::from_millis(300));
    assert_eq!(tones(&pair)[told_before..], ["5", ",", "6", ""]);
    // What replaces tones, and what can send none.
    let told_before = tones(&pair).len();
    insert(&mut pair, "222").unwrap();
    insert(&mut pair, "").unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(tones(&pair)[told_before..], ["2", ""]);
    insert(&mut pair, "").unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(tones(&pair)[told_before..], ["2", ""], "nothing was played");
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    for active in [false, true] {
        let mut parameters = engine.parameters(ids[0]);
        parameters.encodings[0].active = active;
        engine.set_parameters(now, ids[0], parameters).unwrap();
        assert_eq!(engine.can_insert_dtmf(ids[0]), active);
    }
    pair.ends[0].engine.remove_track(now, ids[0]).unwrap();
    assert!(!pair.ends[0].engine.can_insert_dtmf(ids[0]));
    let refused = insert(&mut pair, "1").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidState);
}

/// [7.2-06] [7.3-01] A call on hold takes no tones, and what was still to be played is not told when it goes on.
#[test]
fn a_hold_ends_tones() {
    let (mut pair, ids) = sending(4, Link::new(1).delay(ms(10)), MediaKind::Audio);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine
        .insert_dtmf(now, ids[0], "12", ms(100), ms(70))
        .unwrap();
    for direction in [
        RtpTransceiverDirection::Inactive,
        RtpTransceiverDirection::SendRecv,
    ] {
        let engine = &mut pair.ends[0].engine;
        engine.set_direction(ids[0], direction).unwrap();
        pair.negotiate(0).unwrap();
        pair.run(Duration::from_secs(1));
        let can = pair.ends[0].engine.can_insert_dtmf(ids[0]);
        assert_eq!(can, direction.sends());
    }
    let tasks = pair.ends[0].tasks.iter().flatten();
    let told = tasks.filter(|it| matches!(it, Event::ToneChange(..)));
    assert_eq!(told.count(), 1);
}

/// [7.3-01] Tones need a peer that takes them, and a connection.
#[test]
fn tones_are_for_who_takes_them() {
    for (takes, sends) in [(true, true), (false, true), (true, false)] {
        let mut pair = Pair::new(6, Link::new(1).delay(ms(10)));
        let engine = &mut pair.ends[0].engine;
        let id = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let mut answer = pair.answer(1, offer).unwrap();
        if !takes {
            let kept = answer
                .sdp
                .lines()
                .filter(|it| !it.contains("telephone-event"));
            answer.sdp = kept.flat_map(|line| [line, "\r\n"]).collect();
        }
        if !sends {
            answer.sdp = answer.sdp.replace("a=recvonly", "a=inactive");
        }
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        assert!(!engine.can_insert_dtmf(id), "not connected yet");
        pair.exchange();
        pair.until(Duration::from_secs(20), |pair| {
            pair.ends.iter().all(End::is_connected)
        });
        let can = pair.ends[0].engine.can_insert_dtmf(id);
        assert_eq!(can, takes && sends, "{takes} {sends}");
    }
}

/// [5.2-06] [5.2-09] [5.2-10] [5.2-15] [5.2-16] [5.2.1-01] Parameters are a transaction; an encoding that is not active sends nothing.
#[test]
fn parameters() {
    let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Video);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(ids[0]);
    assert!(
        parameters
            .codecs
            .iter()
            .any(|it| it.codec.mime_type == "video/VP8")
    );
    assert!(parameters.rtcp.cname.is_some());
    let mut longer = parameters.clone();
    longer.encodings.push(longer.encodings[0].clone());
    let refused = engine.set_parameters(now, ids[0], longer);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidModification);
    // What is only told cannot be set.
    let changes: [fn(&mut RtpSendParameters); 7] = [
        |it| it.transaction_id.push('0'),
        |it| it.encodings[0].rid = Some("a".to_owned()),
        |it| drop(it.header_extensions.pop()),
        |it| it.header_extensions[0].id += 1,
        |it| it.rtcp.cname = None,
        |it| it.rtcp.reduced_size = !it.rtcp.reduced_size,
        |it| it.codecs.swap(0, 1),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut changed = parameters.clone();
        change(&mut changed);
        let refused = engine.set_parameters(now, ids[0], changed);
        let kind = refused.map_err(|it| it.kind());
        assert_eq!(kind, Err(ErrorKind::InvalidModification), "change {at}");
    }
    parameters.encodings[0].active = false;
    engine
        .set_parameters(now, ids[0], parameters.clone())
        .unwrap();
    let refused = engine.set_parameters(now, ids[0], parameters);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidState);
    let mut camera = Camera::default();
    assert_eq!(camera.film(&mut pair, ids, 5), 0);
    let engine = &mut pair.ends[0].engine;
    let mut parameters = engine.parameters(ids[0]);
    parameters.encodings[0].active = true;
    engine.set_parameters(now, ids[0], parameters).unwrap();
    camera.started = false;
    assert!(camera.film(&mut pair, ids, 20) >= 15);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let parameters = engine.parameters(ids[0]);
    engine.stop_transceiver(now, ids[0]).unwrap();
    let refused = engine.set_parameters(now, ids[0], parameters);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidState);
}

/// [5.2-12] Before anything is negotiated any codec that there is can be chosen, and no other.
#[test]
fn codecs_are_chosen_of_those_that_there_are() {
    let mut pair = Pair::new(4, Link::new(1).delay(ms(10)));
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let id = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let known = capabilities_of(MediaKind::Video).codecs.swap_remove(0);
    let unknown = RtpCodec {
        mime_type: "video/H266".to_owned(),
        ..known.clone()
    };
    for (codec, is_known) in [(unknown, false), (known, true)] {
        let mut parameters = engine.parameters(id);
        parameters.encodings[0].codec = Some(codec);
        let set = engine.set_parameters(now, id, parameters);
        let refused = set.err().map(|it| it.kind());
        let expected = (!is_known).then_some(ErrorKind::InvalidModification);
        assert_eq!(refused, expected);
    }
}

/// Who encodes is told of what is set only where something has changed.
#[test]
fn what_is_set_without_a_change_is_not_told() {
    let (mut pair, ids) = sending(5, Link::new(1).delay(ms(10)), MediaKind::Video);
    for (active, told) in [(true, 0), (false, 1), (false, 0)] {
        let (now, before) = (pair.now, pair.ends[0].tasks.len());
        let engine = &mut pair.ends[0].engine;
        let mut parameters = engine.parameters(ids[0]);
        parameters.encodings[0].active = active;
        engine.set_parameters(now, ids[0], parameters).unwrap();
        pair.run(ms(100));
        let tasks = pair.ends[0].tasks[before..].iter().flatten();
        let changes = tasks.filter(|it| matches!(it, Event::EncodingsChanged(_)));
        assert_eq!(changes.count(), told, "{active}");
    }
}

/// [4.4.1.6-26] Our answer ends the transactions of what it is about, and no others.
#[test]
fn an_answer_ends_transactions_of_its_own() {
    let mut pair = Pair::new(6, Link::new(1).delay(ms(10)));
    let theirs = &mut pair.ends[0].engine;
    theirs.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let init = TransceiverInit::default();
    let beside = pair.ends[1]
        .engine
        .add_transceiver(MediaKind::Video, None, init);
    let beside = beside.unwrap();
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    engine.set_remote_description(now, offer).unwrap();
    let ids: Vec<_> = engine.transceivers().map(|it| it.id()).collect();
    let all: Vec<_> = ids.iter().map(|id| engine.parameters(*id)).collect();
    engine.set_local_description(now, None).unwrap();
    for (id, parameters) in ids.into_iter().zip(all) {
        let set = engine.set_parameters(now, id, parameters);
        assert_eq!(set.is_ok(), id == beside);
    }
}

/// [4.7.1-01] [4.7.3-04] [5.2-20] Each verb that changes what the next description says asks for one, and once for all of a turn.
#[test]
fn each_verb_asks_for_negotiation() {
    type Verb = fn(&mut Engine, std::time::Instant, TransceiverId);
    let verbs: [(&str, Verb); 10] = [
        ("the first channel", |engine, now, _| {
            let init = DataChannelInit::default();
            engine.create_data_channel(now, "a", &init).unwrap();
        }),
        ("another track", |engine, _, _| {
            engine.add_track(MediaKind::Audio, TWO, Vec::new()).unwrap();
        }),
        ("a track that goes", |engine, now, id| {
            engine.remove_track(now, id).unwrap();
        }),
        ("a transceiver", |engine, _, _| {
            let init = TransceiverInit::default();
            engine
                .add_transceiver(MediaKind::Audio, None, init)
                .unwrap();
        }),
        ("a direction", |engine, _, id| {
            let inactive = RtpTransceiverDirection::Inactive;
            engine.set_direction(id, inactive).unwrap();
        }),
        ("other streams", |engine, _, id| {
            engine.set_streams(id, vec!["two".into()]).unwrap();
        }),
        ("a transceiver that stops", |engine, now, id| {
            engine.stop_transceiver(now, id).unwrap();
        }),
        ("a restart", |engine, _, _| engine.restart_ice()),
        ("the same streams", |engine, _, id| {
            engine.set_streams(id, vec!["stream".into()]).unwrap();
        }),
        ("another track in its place", |engine, now, id| {
            let track = Some((MediaKind::Video, TWO));
            engine.replace_track(now, id, track).unwrap();
        }),
    ];
    for (at, (what, verb)) in verbs.into_iter().enumerate() {
        let (mut pair, ids) = sending(8, Link::new(1).delay(ms(10)), MediaKind::Video);
        pair.run(Duration::from_secs(1));
        pair.ends[0].tasks.clear();
        let asked = |pair: &Pair| {
            let events = pair.ends[0].tasks.iter().flatten();
            events
                .filter(|it| matches!(it, Event::NegotiationNeeded))
                .count()
        };
        let now = pair.now;
        verb(&mut pair.ends[0].engine, now, ids[0]);
        pair.run(Duration::from_secs(1));
        // The last two change nothing of what descriptions say.
        assert_eq!(asked(&pair), usize::from(at < 8), "{what}");
        pair.ends[0].engine.restart_ice();
        pair.run(Duration::from_secs(1));
        assert_eq!(asked(&pair), 1, "{what}, and a restart");
    }
}

/// [5.1-03] [5.1-04] [5.1-09] A sender is used again if it is of the kind, has no track, is not stopping and has never sent; a sender whose
/// transceiver stops keeps its track.
#[test]
fn senders_are_used_again() {
    let three = TrackId(3);
    let mut pair = Pair::new(7, Link::new(1).delay(ms(10)));
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let video = MediaKind::Video;
    let none = TransceiverInit::default;
    let stopping = engine.add_transceiver(video, None, none()).unwrap();
    let audio = engine.add_transceiver(MediaKind::Audio, None, none());
    let used = engine.add_track(MediaKind::Audio, ONE, Vec::new());
    assert_eq!(used, audio, "of the kind");
    let first = engine.add_transceiver(video, None, none()).unwrap();
    let second = engine.add_transceiver(video, None, none()).unwrap();
    pair.negotiate(0).unwrap();
    let engine = &mut pair.ends[0].engine;
    engine.stop_transceiver(now, stopping).unwrap();
    // They send to a peer that takes what they send: nothing was sent, as there is no track, but it was negotiated.
    let sends = |engine: &Engine, id| {
        let direction = engine.transceiver(id).and_then(|it| it.current_direction());
        direction.is_some_and(RtpTransceiverDirection::sends)
    };
    assert!(sends(engine, first) && sends(engine, second));
    let made = engine.add_track(video, TWO, Vec::new()).unwrap();
    assert!(![stopping, first, second].contains(&made), "they have sent");
    engine.remove_track(now, made).unwrap();
    let again = engine.add_track(video, three, Vec::new()).unwrap();
    assert_eq!(again, made, "that one has not");
    // Nothing is removed from what stops.
    engine
        .stop_transceiver(now, audio.clone().unwrap())
        .unwrap();
    engine.remove_track(now, audio.clone().unwrap()).unwrap();
    let left = engine.transceiver(audio.unwrap());
    assert_eq!(left.and_then(|it| it.track()), Some(ONE));
}

/// [5.1-12] [5.1-13] [5.1-14] [5.1-19] What a transceiver is made with.
#[test]
fn transceivers_are_made_with_what_is_valid() {
    let mut pair = Pair::new(1, Link::new(1));
    let engine = &mut pair.ends[0].engine;
    let stopped = TransceiverInit {
        direction: RtpTransceiverDirection::Stopped,
        ..TransceiverInit::default()
    };
    let refused = engine.add_transceiver(MediaKind::Video, None, stopped);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Type);
    let long = "a".repeat(256);
    for rids in [["a", "a"], ["a", ""], ["a", "b c"], ["a", &long]] {
        let init = TransceiverInit {
            encodings: rids.map(RtpEncodingParameters::named).to_vec(),
            ..TransceiverInit::default()
        };
        let refused = engine.add_transceiver(MediaKind::Video, None, init);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Type, "{rids:?}");
    }
    let id = engine
        .add_transceiver(MediaKind::Video, None, TransceiverInit::default())
        .unwrap();
    let made = engine.transceiver(id).unwrap();
    assert_eq!((made.mid(), made.current_direction()), (None, None));
    assert_eq!(made.encodings()[0].scale_resolution_down_by, Some(1.0));
    // Closed comes before what is wrong with the encodings.
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.close(now);
    for rids in [["a", "b"], ["a", "a"]] {
        let init = TransceiverInit {
            encodings: rids.map(RtpEncodingParameters::named).to_vec(),
            ..TransceiverInit::default()
        };
        let refused = engine.add_transceiver(MediaKind::Video, None, init);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidState);
    }
}

/// [5.1-12] [5.1-13] [5.1-14] [5.1-15] [5.1-16] [5.1-17] [5.1-18] Which error of `addTransceiver` is told when several apply: closed, then
/// the names, then what is read-only, then the codec, then the ranges. Each line has what is wrong in it and in all lines below.
#[test]
fn the_precedence_of_errors_of_encodings() {
    type Wrong = fn(&mut Vec<RtpEncodingParameters>);
    let wrongs: [(Option<ErrorKind>, Wrong); 8] = [
        (Some(ErrorKind::Type), |it| it[0].rid = None),
        (Some(ErrorKind::Type), |it| it[0].rid = Some("a b".into())),
        (Some(ErrorKind::Type), |it| it[0].rid = it[1].rid.clone()),
        (Some(ErrorKind::InvalidAccess), |it| {
            it[1].codec_payload_type = Some(96);
        }),
        (Some(ErrorKind::Operation), |it| {
            it[1].codec = Some(RtpCodec {
                mime_type: "video/none".into(),
                clock_rate: 90_000,
                channels: None,
                sdp_fmtp_line: None,
            });
        }),
        (Some(ErrorKind::Range), |it| {
            it[0].scale_resolution_down_by = Some(0.5);
        }),
        (Some(ErrorKind::Range), |it| it[0].max_framerate = Some(0.0)),
        (None, |_| {}),
    ];
    for closed in [true, false] {
        for at in 0..wrongs.len() {
            let mut pair = Pair::new(1, Link::new(1));
            let now = pair.now;
            let engine = &mut pair.ends[0].engine;
            if closed {
                engine.close(now);
            }
            let mut encodings = ["q", "f"].map(RtpEncodingParameters::named).to_vec();
            // Of the wrong names one at a time, as they exclude each other.
            let names = wrongs[at..].iter().take(1);
            let rest = wrongs[(at + 1).max(3)..].iter();
            names.chain(rest).for_each(|it| it.1(&mut encodings));
            let init = TransceiverInit {
                encodings,
                ..TransceiverInit::default()
            };
            let added = engine.add_transceiver(MediaKind::Video, None, init);
            let expected = if closed {
                Some(ErrorKind::InvalidState)
            } else {
                wrongs[at].0
            };
            assert_eq!(added.err().map(|it| it.kind()), expected, "{closed} {at}");
        }
    }
    // Ranges are those of video alone.
    let mut pair = Pair::new(1, Link::new(1));
    let init = TransceiverInit {
        encodings: vec![RtpEncodingParameters {
            scale_resolution_down_by: Some(0.5),
            max_framerate: Some(0.0),
            ..RtpEncodingParameters::default()
        }],
        ..TransceiverInit::default()
    };
    let engine = &mut pair.ends[0].engine;
    let added = engine.add_transceiver(MediaKind::Audio, None, init);
    assert!(added.is_ok(), "{added:?}");
}

/// [5.1-19] The others have no scale where one of them was given one, also where that one is cut.
#[test]
fn a_scale_that_is_cut_counts() {
    let mut pair = Pair::new(1, Link::new(1));
    let engine = &mut pair.ends[0].engine;
    let mut scales = |last: Option<f64>| -> Vec<_> {
        let mut encodings = ["a", "b", "c", "d"]
            .map(RtpEncodingParameters::named)
            .to_vec();
        encodings[3].scale_resolution_down_by = last;
        let init = TransceiverInit {
            encodings,
            ..TransceiverInit::default()
        };
        let id = engine.add_transceiver(MediaKind::Video, None, init);
        let made = engine.transceiver(id.unwrap()).unwrap();
        let scales = made
            .encodings()
            .iter()
            .map(|it| it.scale_resolution_down_by);
        scales.map(Option::unwrap).collect()
    };
    assert_eq!(scales(None), [4.0, 2.0, 1.0]);
    assert_eq!(scales(Some(2.0)), [1.0, 1.0, 1.0]);
}

/// A verb, and whether it is refused on a closed connection, when the transceiver is stopping, and when it is not in the connection any more.
type Guarded = (
    &'static str,
    fn(&mut Engine, std::time::Instant, TransceiverId) -> Result<(), Error>,
    [bool; 3],
);

const VERBS: [Guarded; 11] = [
    (
        "addTrack of the track",
        |engine, _, _| {
            engine
                .add_track(MediaKind::Audio, ONE, Vec::new())
                .map(drop)
        },
        [true, true, false],
    ),
    (
        "addTransceiver",
        |engine, _, _| {
            let init = TransceiverInit::default();
            engine
                .add_transceiver(MediaKind::Audio, None, init)
                .map(drop)
        },
        [true, false, false],
    ),
    (
        "removeTrack",
        |engine, now, id| engine.remove_track(now, id),
        [true, false, false],
    ),
    (
        "replaceTrack",
        |engine, now, id| engine.replace_track(now, id, Some((MediaKind::Audio, TWO))),
        [true, true, true],
    ),
    (
        "replaceTrack of the same",
        |engine, now, id| engine.replace_track(now, id, Some((MediaKind::Audio, ONE))),
        [true, true, true],
    ),
    (
        "setStreams",
        |engine, _, id| engine.set_streams(id, vec!["two".into()]),
        [true, false, false],
    ),
    (
        "direction",
        |engine, _, id| engine.set_direction(id, RtpTransceiverDirection::SendRecv),
        [true, true, true],
    ),
    (
        "stop",
        |engine, now, id| engine.stop_transceiver(now, id),
        [true, false, false],
    ),
    (
        "setParameters",
        |engine, now, id| {
            let parameters = engine.parameters(id);
            engine.set_parameters(now, id, parameters)
        },
        [true, true, true],
    ),
    (
        "insertDTMF",
        |engine, now, id| engine.insert_dtmf(now, id, "1", ms(100), ms(70)),
        [true, true, true],
    ),
    (
        "setCodecPreferences",
        |engine, _, id| engine.set_codec_preferences(id, &[]),
        [true, false, true],
    ),
];

/// [5.1-02] [5.1-08] [5.1-12] [5.2-09] [5.2-18] [5.2-22] [5.4-03] [5.4-04] [5.4-06] [7.2-01] The guards of each verb: of a closed connection, of a
/// transceiver that is stopping, and of one that is not in the connection any more.
#[test]
fn the_guards_of_each_verb() {
    for (what, verb, guarded) in VERBS {
        for (place, guarded) in guarded.into_iter().enumerate() {
            let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Audio);
            pair.run(Duration::from_secs(1));
            let now = pair.now;
            let engine = &mut pair.ends[0].engine;
            match place {
                0 => engine.close(now),
                _ => engine.stop_transceiver(now, ids[0]).unwrap(),
            }
            if place == 2 {
                pair.negotiate(0).unwrap();
            }
            let engine = &mut pair.ends[0].engine;
            assert_eq!(engine.transceiver(ids[0]).is_none(), place == 2);
            // A sender that has the track is another kind of guard.
            let kind = match (what, place) {
                ("addTrack of the track", 1) => ErrorKind::InvalidAccess,
                _ => ErrorKind::InvalidState,
            };
            let told = verb(engine, now, ids[0]).map_err(|it| it.kind());
            let expected = if guarded { Err(kind) } else { Ok(()) };
            assert_eq!(told, expected, "{what}, {place}");
        }
    }
}

/// [4.4.1.6-26] Parameters that were asked for before an answer of ours cannot be set after it.
#[test]
fn an_answer_ends_transactions() {
    let (mut pair, ids) = sending(3, Link::new(1).delay(ms(10)), MediaKind::Audio);
    let now = pair.now;
    let set = |pair: &mut Pair, side: usize, id, offerer| {
        let parameters = pair.ends[side].engine.parameters(id);
        pair.negotiate(offerer).unwrap();
        let engine = &mut pair.ends[side].engine;
        engine
            .set_parameters(now, id, parameters)
            .map_err(|it| it.kind())
    };
    assert_eq!(set(&mut pair, 0, ids[0], 1), Err(ErrorKind::InvalidState));
    assert_eq!(set(&mut pair, 0, ids[0], 0), Ok(()));
}

/// [4.4.1.6-38] [4.4.1.6-39] What a rollback takes away leaves its streams, and then ends.
#[test]
fn a_rollback_ends_what_the_offer_had_made() {
    let mut pair = Pair::new(1, Link::new(1).delay(ms(10)));
    let engine = &mut pair.ends[0].engine;
    engine
        .add_track(MediaKind::Audio, ONE, vec!["stream".into()])
        .unwrap();
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    engine.set_remote_description(now, offer).unwrap();
    let rollback = SessionDescription::rollback();
    engine.set_remote_description(now, rollback).unwrap();
    assert_eq!(engine.transceivers().count(), 0);
    pair.step();
    let expected = [
        "signaling",
        "add stream",
        "track [\"stream\"]",
        "signaling",
        "remove stream",
        "ended",
    ];
    assert_eq!(told(&pair, 1, 0), expected);
}

/// Tracks are added and stopped by both sides in turn, and the picture is held and goes on: nothing piles up, and no round costs more
/// than the pictures that it held.
#[test]
fn a_hundred_rounds_of_negotiation_leave_media_running() {
    let (mut pair, ids) = sending(1, Link::new(1).delay(ms(10)), MediaKind::Video);
    let mut camera = Camera::default();
    let mut added = ids[0];
    for round in 0..100_u64 {
        let side = usize::from(round % 8 >= 4);
        let now = pair.now;
        let offering = match round % 4 {
            0 => {
                let streams = vec!["more".to_owned()];
                let track = TrackId(100 + round);
                let engine = &mut pair.ends[side].engine;
                added = engine.add_track(MediaKind::Audio, track, streams).unwrap();
                side
            }
            1 => {
                let held = RtpTransceiverDirection::Inactive;
                pair.ends[0].engine.set_direction(ids[0], held).unwrap();
                0
            }
            2 => {
                let again = RtpTransceiverDirection::SendRecv;
                pair.ends[0].engine.set_direction(ids[0], again).unwrap();
                0
            }
            _ => {
                let engine = &mut pair.ends[side].engine;
                engine.stop_transceiver(now, added).unwrap();
                side
            }
        };
        pair.negotiate(offering).unwrap();
        let whole = camera.film(&mut pair, ids, 4);
        assert_eq!(whole == 0, round % 4 == 1, "round {round}: {whole}");
    }
    assert!(camera.film(&mut pair, ids, 60) >= 58);
    for end in &pair.ends {
        assert_eq!(end.engine.transceivers().count(), 1);
        let description = end.engine.local_description().unwrap();
        let sections = description.sdp.matches("\r\nm=").count();
        assert!(sections <= 2, "stopped sections are used again");
        assert!(end.is_connected());
    }
}
