//! What W3C says of senders, receivers, transceivers and their tracks, on the handles of an application.

use std::time::Duration;

use oxirtc_peerconnection::{
    ErrorKind, Event, IceComponent, MediaKind, MediaStream, MediaStreamTrack, PeerConnection,
    RtpEncodingParameters, RtpReceiver, RtpSender, RtpTransceiver, RtpTransceiverDirection,
    RtpTransceiverInit, SdpType, SessionDescription, SignalingState, StatsReport, TrackEvent,
    TrackReadyState,
    media::{Codec, EncodedFrame, Hint},
    stats::{MediaSource, StatsObject},
};

use crate::call::{connection, negotiate, within};

type Told = (
    MediaStreamTrack,
    Vec<MediaStream>,
    RtpTransceiver,
    RtpReceiver,
);

/// The next track that the peer sends.
async fn track(connection: &PeerConnection) -> Told {
    loop {
        if let Event::Track {
            track,
            streams,
            transceiver,
            receiver,
        } = within(connection.next_event()).await.unwrap()
        {
            return (track, streams, transceiver, receiver);
        }
    }
}

fn camera() -> (MediaStreamTrack, oxirtc_peerconnection::media::FrameWriter) {
    MediaStreamTrack::from_frames(MediaKind::Video)
}

/// Films until it is dropped.
fn film(writer: oxirtc_peerconnection::media::FrameWriter) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut key = true;
        loop {
            while let Some(hint) = writer.try_hint() {
                key |= matches!(hint, Hint::Keyframe { .. });
            }
            let mut payload = vec![0; if key { 5000 } else { 1000 }];
            payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let frame = EncodedFrame::new(Codec::Vp8, payload);
            if writer.write(frame).await.is_err() {
                return;
            }
            key = false;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

/// Looks at a report until it is as wanted.
async fn reported(
    connection: &PeerConnection,
    track: &MediaStreamTrack,
    wanted: impl Fn(&StatsReport) -> bool,
) -> StatsReport {
    within(async {
        loop {
            let report = connection.get_stats(track).await.unwrap();
            if wanted(&report) {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

fn packets(report: &StatsReport) -> u64 {
    let received = report
        .inbound_rtp()
        .filter_map(|it| it.received.packets_received);
    received.sum()
}

/// [8.2-01] [8.2-02] [5-01] [5.3-02] A report about a track is about the one sender or receiver that has it; the track of a receiver
/// that the application has stopped is counted on.
#[tokio::test]
async fn statistics_of_a_track() {
    let (near, far) = (connection(), connection());
    let (one, pictures) = camera();
    let (other, _other) = camera();
    let sender = near.add_track(&one, &[]).unwrap();
    let before = near.get_stats(&one).await.unwrap();
    assert!(before.is_empty(), "it sends nothing yet");
    negotiate(&near, &far).await;
    let (video, _, transceiver, receiver) = track(&far).await;
    assert_ne!(video.id(), one.id());
    assert_eq!(transceiver.mid(), near.transceivers()[0].mid());
    let filming = film(pictures);
    let report = reported(&far, &video, |it| packets(it) > 0).await;
    let stream = report.inbound_rtp().next().unwrap();
    assert_eq!(stream.track_identifier, video.id());
    assert_eq!(stream.mid, transceiver.mid());
    let sent = near.get_stats(&one).await.unwrap();
    assert_eq!(sent.outbound_rtp().count(), 1);
    assert_eq!(sent.inbound_rtp().count(), 0);
    let source = sent.iter().find_map(|it| match it {
        StatsObject::MediaSource(MediaSource::Video(it)) => Some(it),
        _ => None,
    });
    assert_eq!(source.unwrap().source.track_identifier, one.id());
    assert_eq!(sender.get_stats().await.outbound_rtp().count(), 1);
    assert_eq!(receiver.get_stats().await.inbound_rtp().count(), 1);
    assert!(near.get_stats(None).await.unwrap().len() > sent.len());
    let refused = |kind| assert_eq!(kind, ErrorKind::InvalidAccess);
    refused(near.get_stats(&other).await.unwrap_err().kind());
    refused(near.get_stats(&video).await.unwrap_err().kind());
    refused(far.get_stats(&sender).await.unwrap_err().kind());
    refused(near.get_stats(&receiver).await.unwrap_err().kind());
    let twice = near
        .add_transceiver(&one, RtpTransceiverInit::default())
        .unwrap();
    refused(near.get_stats(&one).await.unwrap_err().kind());
    twice.sender().replace_track(None).await.unwrap();
    assert!(near.get_stats(&one).await.is_ok());
    video.stop();
    assert_eq!(video.ready_state(), TrackReadyState::Ended);
    let known = packets(&report);
    reported(&far, &video, |it| packets(it) > known).await;
    assert_eq!(far.receivers()[0].track(), &video, "it stays its track");
    filming.abort();
}

/// [5.1.1-02] [5.1.1-03] [5.1.1-04] [5.7-01] [9-01] [9.2-01] The event of a track has its receiver, its transceiver and its streams in
/// their order; a stream of an id is one object; without an msid there is none.
#[tokio::test]
async fn tracks_come_in_their_streams() {
    let (near, far) = (connection(), connection());
    let (one, _one) = camera();
    let (two, _two) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let (three, _three) = camera();
    let (first, second) = (MediaStream::new([&one]), MediaStream::new([&one, &two]));
    near.add_track(&one, &[second.clone(), first.clone()])
        .unwrap();
    near.add_track(&two, std::slice::from_ref(&second)).unwrap();
    near.add_track(&three, &[]).unwrap();
    negotiate(&near, &far).await;
    let (video, in_both, of_video, receiver) = track(&far).await;
    assert_eq!(
        (receiver.track(), of_video.receiver()),
        (&video, receiver.clone())
    );
    assert_eq!(far.transceivers()[0], of_video);
    let ids: Vec<_> = in_both.iter().map(MediaStream::id).collect();
    assert_eq!(ids, [second.id(), first.id()]);
    let (audio, in_one, ..) = track(&far).await;
    assert_eq!(in_one, in_both[..1], "the same object");
    assert_eq!(
        (video.kind(), audio.kind()),
        (MediaKind::Video, MediaKind::Audio)
    );
    let (_, in_none, ..) = track(&far).await;
    assert!(in_none.is_empty());
}

/// A track that a rollback has taken back before anybody has read of it is not told, and the events go on.
#[tokio::test]
async fn events_go_on_behind_a_track_that_is_gone() {
    let (near, far) = (connection(), connection());
    let (one, _one) = camera();
    near.add_track(&one, &[]).unwrap();
    near.set_local_description(None).await.unwrap();
    let offer = near.local_description().unwrap();
    far.set_remote_description(offer).await.unwrap();
    let rollback = SessionDescription::rollback();
    far.set_remote_description(rollback).await.unwrap();
    assert!(far.transceivers().is_empty());
    far.add_track(&one, &[]).unwrap();
    let mut told = Vec::new();
    while !matches!(told.last(), Some(Event::NegotiationNeeded)) {
        told.push(within(far.next_event()).await.expect("it is open"));
    }
    let states = told.iter().filter_map(|event| match event {
        Event::SignalingStateChange(state) => Some(*state),
        Event::Track { .. } => panic!("it is gone"),
        _ => None,
    });
    let states: Vec<_> = states.collect();
    assert_eq!(
        states,
        [SignalingState::HaveRemoteOffer, SignalingState::Stable]
    );
}

/// [9.3-01] A track that nobody has asked for when its first packet comes is not muted, and tells so.
#[tokio::test]
async fn a_track_is_unmuted_before_anybody_looks() {
    let (near, far) = (connection(), connection());
    let (one, writer) = camera();
    near.add_track(&one, &[]).unwrap();
    negotiate(&near, &far).await;
    let filming = film(writer);
    let received = async {
        // The other end says so; to ask here would be to look.
        let come = |report: &StatsReport| {
            let mut all = report.iter();
            all.any(|it| matches!(it, StatsObject::RemoteInboundRtp(_)))
        };
        while !come(&near.get_stats(None).await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(received).await;
    filming.abort();
    let (video, ..) = track(&far).await;
    assert!(!video.muted());
    let event = within(video.next_event()).await;
    assert!(matches!(event, Some(TrackEvent::Unmute)), "{event:?}");
}

/// [5.1-01] [5.1-20] [5.1-21] [5.3-01] [7.1-01] [5.2-01] What a transceiver is made of, and where it is found.
#[tokio::test]
async fn a_transceiver_has_what_it_was_made_with() {
    let near = connection();
    let (ended, _writer) = camera();
    ended.stop();
    let stream = MediaStream::new([&ended]);
    let sender: RtpSender = near.add_track(&ended, &[]).unwrap();
    assert_eq!(sender.track(), Some(ended.clone()));
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        streams: vec![stream.clone(), stream.clone()],
        ..RtpTransceiverInit::default()
    };
    let (microphone, _writer) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let made = near.add_transceiver(&microphone, init).unwrap();
    assert_eq!(made.direction(), RtpTransceiverDirection::SendOnly);
    assert_eq!((made.mid(), made.current_direction()), (None, None));
    assert_eq!(made.sender().track(), Some(microphone));
    let offer = near.create_offer(None).await.unwrap().sdp;
    let told: Vec<_> = offer
        .lines()
        .filter(|it| it.starts_with("a=msid:"))
        .collect();
    assert_eq!(
        told.len(),
        2,
        "a line for a stream, and one without: {told:?}"
    );
    assert!(told[1].contains(stream.id()));
    let received = made.receiver();
    let track = received.track();
    assert_eq!((track.kind(), track.muted()), (MediaKind::Audio, true));
    assert_eq!(track.ready_state(), TrackReadyState::Live);
    assert_ne!(track.id(), made.sender().track().unwrap().id());
    // Tones are of audio alone.
    assert_eq!(made.sender().dtmf(), made.sender().dtmf());
    assert!(made.sender().dtmf().is_some() && sender.dtmf().is_none());
    let encodings = sender.parameters().encodings;
    let [only] = &encodings[..] else {
        panic!("one encoding: {encodings:?}");
    };
    assert!(only.active && only.rid.is_none() && only.max_bitrate.is_none());
    // The same objects, in the order in which they came.
    let all = near.transceivers();
    assert_eq!(all, near.transceivers());
    assert_eq!(all[1], made);
    assert_eq!(near.senders(), [sender.clone(), made.sender()]);
    assert_eq!(near.receivers(), [all[0].receiver(), made.receiver()]);
    // What is stopped is in neither list.
    let third = near
        .add_transceiver(MediaKind::Audio, RtpTransceiverInit::default())
        .unwrap();
    assert_eq!(near.senders().len(), 3);
    third.stop().unwrap();
    assert_eq!(near.senders(), [sender.clone(), made.sender()]);
    assert_eq!(near.receivers().len(), 2);
    // What only stops is in both still, until that is agreed on.
    let far = connection();
    negotiate(&near, &far).await;
    made.stop().unwrap();
    assert_eq!(near.senders(), [sender.clone(), made.sender()]);
    assert_eq!(near.receivers()[1], made.receiver());
    negotiate(&near, &far).await;
    assert_eq!(near.senders(), [sender]);
    assert_eq!(near.receivers().len(), 1);
}

/// [5.2-03] [5.3-08] [5.6-12] A sender and a receiver have a transport from the first description on, which a bundle shares and a
/// rollback takes away.
#[tokio::test]
async fn a_description_brings_the_transport() {
    let (near, far) = (connection(), connection());
    let (one, _one) = camera();
    let (two, _two) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let video = near.add_track(&one, &[]).unwrap();
    let audio = near.add_track(&two, &[]).unwrap();
    let receiver = near.transceivers()[0].receiver();
    assert!(video.transport().is_none() && receiver.transport().is_none());
    near.set_local_description(None).await.unwrap();
    assert!(video.transport().is_some() && receiver.transport().is_some());
    let rollback = || SessionDescription {
        kind: SdpType::Rollback,
        sdp: String::new(),
    };
    near.set_local_description(rollback()).await.unwrap();
    assert!(video.transport().is_none() && receiver.transport().is_none());
    negotiate(&near, &far).await;
    let ice = |sender: &RtpSender| sender.transport().unwrap().ice_transport();
    let ufrag = |sender: &RtpSender| ice(sender).local_parameters().unwrap().username_fragment;
    assert_eq!(ufrag(&video), ufrag(&audio), "one for both");
    assert_eq!(ice(&video).component(), IceComponent::Rtp);
    // What is settled stays when a later offer is rolled back.
    near.set_local_description(None).await.unwrap();
    near.set_local_description(rollback()).await.unwrap();
    assert!(video.transport().is_some() && receiver.transport().is_some());
}

/// [5.2-04] [5.2.12-01] [5.2.12-02] [5.2.14-01] What can be sent and received at all: each codec once, retransmission once, and what
/// was given is the caller's own.
#[test]
fn capabilities_of_each_kind() {
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let mut given = RtpSender::capabilities(kind);
        assert_eq!(given, RtpReceiver::capabilities(kind));
        for codec in &given.codecs {
            let same = given.codecs.iter().filter(|it| *it == codec);
            assert_eq!(same.count(), 1, "{codec:?}");
            assert!(codec.mime_type.starts_with(&format!("{kind}/")) && codec.clock_rate > 0);
        }
        let repairs = given.codecs.iter().filter(|it| it.mime_type == "video/rtx");
        assert_eq!(repairs.count(), usize::from(kind == MediaKind::Video));
        let mid = "urn:ietf:params:rtp-hdrext:sdes:mid";
        assert!(given.header_extensions.iter().any(|it| it == mid));
        given.codecs.clear();
        assert!(!RtpSender::capabilities(kind).codecs.is_empty());
    }
    let named = |kind| {
        let capabilities = RtpSender::capabilities(kind);
        let names = capabilities.codecs.into_iter().map(|it| it.mime_type);
        names.collect::<Vec<_>>()
    };
    let expected = [
        "audio/opus",
        "audio/G722",
        "audio/PCMU",
        "audio/PCMA",
        "audio/red",
        "audio/telephone-event",
        "audio/telephone-event",
    ];
    assert_eq!(named(MediaKind::Audio), expected);
    let expected = [
        "video/VP8",
        "video/VP9",
        "video/AV1",
        // Both ways to cut it.
        "video/H264",
        "video/H264",
        "video/H265",
        "video/rtx",
    ];
    assert_eq!(named(MediaKind::Video), expected);
}

/// [5.2-21] [5.2-22] [5.1-05] Streams are set without doubles, and negotiation is needed when they are others; the same track may be
/// set again.
#[tokio::test]
async fn streams_are_set_and_told() {
    let (near, far) = (connection(), connection());
    let (one, _one) = camera();
    let stream = MediaStream::new([&one]);
    let twice = [stream.clone(), stream.clone()];
    let sender = near.add_track(&one, &twice).unwrap();
    let needed = |connection: PeerConnection| async move {
        loop {
            if let Event::NegotiationNeeded = within(connection.next_event()).await.unwrap() {
                return;
            }
        }
    };
    needed(near.clone()).await;
    negotiate(&near, &far).await;
    let (_, streams, ..) = track(&far).await;
    assert_eq!(streams.len(), 1);
    sender.replace_track(Some(&one)).await.unwrap();
    sender.set_streams(&twice).unwrap();
    let other = MediaStream::new([&one]);
    sender
        .set_streams(&[other.clone(), stream.clone(), other.clone()])
        .unwrap();
    needed(near.clone()).await;
    negotiate(&near, &far).await;
    let (_, streams, ..) = track(&far).await;
    let ids: Vec<_> = streams.iter().map(MediaStream::id).collect();
    assert_eq!(ids, [other.id(), stream.id()]);
}

/// [5.4-04] [5.4-05] [5.4-09] [4.4.2-57] What is stopped keeps the track of its sender; with the connection all are stopped, and the
/// receivers' tracks end.
#[tokio::test]
async fn transceivers_stop_with_the_connection() {
    let near = connection();
    let (one, _one) = camera();
    let stopped = near
        .add_transceiver(&one, RtpTransceiverInit::default())
        .unwrap();
    near.set_local_description(None).await.unwrap();
    stopped.stop().unwrap();
    assert_eq!(stopped.sender().track(), Some(one));
    let running = near
        .add_transceiver(MediaKind::Audio, RtpTransceiverInit::default())
        .unwrap();
    let track = running.receiver().track().clone();
    assert_eq!(track.ready_state(), TrackReadyState::Live);
    near.close();
    assert_eq!(track.ready_state(), TrackReadyState::Ended);
    let end = RtpTransceiverDirection::Stopped;
    assert_eq!(
        (running.direction(), running.current_direction()),
        (end, Some(end))
    );
    let refused = running.set_direction(RtpTransceiverDirection::SendOnly);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(running.stop().unwrap_err().kind(), ErrorKind::InvalidState);
    assert!(near.senders().is_empty() && near.receivers().is_empty());
}

/// [5.1-07] A track may be sent on several connections: each peer gets all of it.
#[tokio::test]
async fn a_track_is_sent_on_several_connections() {
    let (one, writer) = camera();
    let mut received = Vec::new();
    let mut open = Vec::new();
    for _ in 0..2 {
        let (near, far) = (connection(), connection());
        near.add_track(&one, &[]).unwrap();
        negotiate(&near, &far).await;
        let (told, ..) = track(&far).await;
        received.push(told.frames().unwrap());
        open.push((near, far));
    }
    let filming = film(writer);
    for _ in 0..5 {
        for frames in &mut received {
            within(frames.next()).await.unwrap();
        }
    }
    filming.abort();
}

/// [5.2-02] A track that is disabled, or has ended, gives its senders nothing.
#[tokio::test]
async fn a_disabled_track_sends_nothing() {
    let near = connection();
    let (one, pictures) = camera();
    near.add_track(&one, &[]).unwrap();
    let given = async || {
        let report = near.get_stats(None).await.unwrap();
        let frames = report.iter().find_map(|it| match it {
            StatsObject::MediaSource(MediaSource::Video(it)) => it.frames,
            _ => None,
        });
        frames.unwrap()
    };
    let frame = || {
        let mut payload = vec![0; 1000];
        payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        EncodedFrame::new(Codec::Vp8, payload)
    };
    pictures.write(frame()).await.unwrap();
    assert_eq!(given().await, 1);
    one.set_enabled(false);
    pictures.write(frame()).await.unwrap();
    assert_eq!(given().await, 1);
    one.set_enabled(true);
    pictures.write(frame()).await.unwrap();
    assert_eq!(given().await, 2);
    one.stop();
    let refused = pictures.write(frame()).await;
    assert!(refused.is_err());
    assert_eq!(given().await, 2);
}

/// [5.4.1.1-01] [5.2.4-01] [5.2.6-01] W3C's examples of encodings are taken as they stand.
#[tokio::test]
async fn the_examples_of_encodings_are_taken() {
    let near = connection();
    let with = |encodings: Vec<RtpEncodingParameters>| {
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::SendOnly,
            send_encodings: encodings,
            ..RtpTransceiverInit::default()
        };
        let made = near.add_transceiver(MediaKind::Video, init).unwrap();
        made.sender().parameters().encodings
    };
    let named = |rid: &str| RtpEncodingParameters::named(rid);
    // Three layers, of full, half and a quarter of the size.
    let layer = |rid: &str, scale| RtpEncodingParameters {
        scale_resolution_down_by: Some(scale),
        ..named(rid)
    };
    let given = vec![layer("q", 4.0), layer("h", 2.0), named("f")];
    let shown = with(given.clone());
    let scales: Vec<_> = shown.iter().map(|it| it.scale_resolution_down_by).collect();
    assert_eq!(scales, [Some(4.0), Some(2.0), Some(1.0)]);
    let rids: Vec<_> = shown.iter().map(|it| it.rid.as_deref()).collect();
    assert_eq!(rids, [Some("q"), Some("h"), Some("f")]);
    // One that is not sent for now, and one with limits.
    let off = RtpEncodingParameters {
        active: false,
        ..named("a")
    };
    let slow = RtpEncodingParameters {
        max_bitrate: Some(100_000),
        max_framerate: Some(15.0),
        ..named("b")
    };
    let shown = with(vec![off, slow]);
    assert_eq!((shown[0].active, shown[1].active), (false, true));
    assert_eq!(
        (shown[1].max_bitrate, shown[1].max_framerate),
        (Some(100_000), Some(15.0))
    );
    // The name of what is alone is not shown, and none can be given later.
    assert_eq!(with(vec![named("x")])[0].rid, None);
    let sender = near.senders()[0].clone();
    let mut parameters = sender.parameters();
    parameters.encodings[0].rid = Some("z".to_owned());
    let refused = sender.set_parameters(parameters).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidModification);
}
