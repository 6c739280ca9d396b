//! Tracks from one connection to another, over sockets of this machine.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod call;

use std::time::Duration;

use oxirtc_peerconnection::{
    ErrorKind, Event, MediaKind, MediaStream, MediaStreamTrack, PeerConnection, RtpSender,
    RtpTransceiver, RtpTransceiverDirection, RtpTransceiverInit, TrackEvent,
    media::{Codec, EncodedFrame, FrameKind, Hint},
};

use call::{connection, negotiate, within};

/// The next track that the peer sends.
async fn track(
    connection: &PeerConnection,
) -> (MediaStreamTrack, Vec<MediaStream>, RtpTransceiver) {
    loop {
        if let Event::Track {
            track,
            streams,
            transceiver,
            receiver,
        } = within(connection.next_event()).await.unwrap()
        {
            assert_eq!(receiver.track(), &track);
            return (track, streams, transceiver);
        }
    }
}

/// A frame of VP8 that is full of one byte.
fn picture(number: u8, key: bool, len: usize) -> EncodedFrame {
    let mut payload = vec![number; len];
    payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    EncodedFrame::new(Codec::Vp8, payload)
}

fn content(frame: &EncodedFrame) -> u8 {
    let rest = &frame.payload[10..];
    assert!(
        rest.iter().all(|it| *it == rest[0]),
        "a frame of mixed content"
    );
    rest[0]
}

/// Writes pictures as a camera would until it is dropped; key frames when they are asked for.
fn film(writer: oxirtc_peerconnection::media::FrameWriter) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut number = 0_u8;
        let mut key = true;
        loop {
            while let Some(hint) = writer.try_hint() {
                key |= matches!(hint, Hint::Keyframe { .. });
            }
            let len = if key { 20_000 } else { 3000 };
            if writer.write(picture(number, key, len)).await.is_err() {
                return;
            }
            (number, key) = (number.wrapping_add(1), false);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

/// Sound and pictures that are written at one end are read whole at the other, over one transport.
#[tokio::test]
async fn frames_written_at_one_end_are_read_at_the_other() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let stream = MediaStream::new([&camera, &microphone]);
    let of_video: RtpSender = near
        .add_track(&camera, std::slice::from_ref(&stream))
        .unwrap();
    near.add_track(&microphone, std::slice::from_ref(&stream))
        .unwrap();
    negotiate(&near, &far).await;
    let (video, streams, transceiver) = track(&far).await;
    let (audio, others, _) = track(&far).await;
    assert_eq!(
        (video.kind(), audio.kind()),
        (MediaKind::Video, MediaKind::Audio)
    );
    assert_eq!(streams[0].id(), stream.id());
    assert_eq!(streams, others, "both are in one stream");
    assert!(video.muted(), "nothing has come yet");
    assert_eq!(
        transceiver.current_direction(),
        Some(RtpTransceiverDirection::RecvOnly)
    );
    assert!(of_video.codecs().contains(&Codec::Vp8));
    let mut frames = video.frames().unwrap();
    let mut heard = audio.frames().unwrap();
    let filming = film(pictures);
    let speaking = tokio::spawn(async move {
        let mut number = 0_u8;
        loop {
            // RFC 6716 §3.1: one frame in the packet.
            let mut payload = vec![number; 80];
            payload[0] = 0xfc;
            let frame = EncodedFrame::new(Codec::Opus, payload);
            if sound.write(frame).await.is_err() {
                return;
            }
            number = number.wrapping_add(1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let first = within(frames.next()).await.unwrap();
    assert_eq!((first.codec, first.kind), (Codec::Vp8, FrameKind::Key));
    assert_eq!(first.size, Some((320, 180)));
    assert_eq!(within(video.next_event()).await, Some(TrackEvent::Unmute));
    let mut last = content(&first);
    for _ in 0..20 {
        let frame = within(frames.next()).await.unwrap();
        let missing = frame.missing_before as u8;
        assert_eq!(content(&frame), last.wrapping_add(1 + missing));
        last = content(&frame);
    }
    let mut before = within(heard.next()).await.unwrap();
    for _ in 0..20 {
        let frame = within(heard.next()).await.unwrap();
        assert_eq!(frame.payload.len(), 80);
        let elapsed = frame
            .timestamp
            .unwrap()
            .wrapping_sub(before.timestamp.unwrap());
        assert!(elapsed > 0 && elapsed < 48_000 * 5, "{elapsed}");
        before = frame;
    }
    // A key frame that the other end asks for is made.
    video.request_keyframe();
    loop {
        let frame = within(frames.next()).await.unwrap();
        if frame.is_key() {
            break;
        }
    }
    far.close();
    // What had come is read, and then there is an end.
    while within(frames.next()).await.is_some() {}
    filming.abort();
    speaking.abort();
}

/// The track of a peer is given back to it like any other: what it sends, it sees.
#[tokio::test]
async fn a_remote_track_is_sent_on() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let sending = near.add_track(&camera, &[]).unwrap();
    // The far end sends back what it receives.
    negotiate(&near, &far).await;
    let (video, ..) = track(&far).await;
    far.add_track(&video, &[]).unwrap();
    negotiate(&far, &near).await;
    let (echo, _, transceiver) = track(&near).await;
    assert_eq!(transceiver.sender(), sending, "one section for both ways");
    let mut frames = echo.frames().unwrap();
    let filming = film(pictures);
    let first = within(frames.next()).await.unwrap();
    assert!(first.is_key());
    let mut last = content(&first);
    for _ in 0..20 {
        let frame = within(frames.next()).await.unwrap();
        let missing = frame.missing_before as u8;
        assert_eq!(content(&frame), last.wrapping_add(1 + missing));
        last = content(&frame);
    }
    filming.abort();
}

/// [5.2-18] [5.2-19] [5.2-20] Another track takes the place of one, and the stream that the peer sees goes on.
#[tokio::test]
async fn a_track_is_replaced_without_negotiation() {
    let (near, far) = (connection(), connection());
    let (first, one) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (second, two) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (sound, _writer) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = near.add_track(&first, &[]).unwrap();
    negotiate(&near, &far).await;
    let (video, ..) = track(&far).await;
    let mut frames = video.frames().unwrap();
    let filming = film(one);
    let before = within(frames.next()).await.unwrap();
    let wrong = sender.replace_track(Some(&sound)).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Type);
    sender.replace_track(Some(&second)).await.unwrap();
    assert_eq!(sender.track(), Some(second));
    filming.abort();
    // The other camera has numbers of its own: what it shows is larger.
    let other = tokio::spawn(async move {
        let mut key = true;
        loop {
            while let Some(hint) = two.try_hint() {
                key |= matches!(hint, Hint::Keyframe { .. });
            }
            two.write(picture(200, key, 6000)).await.unwrap();
            key = false;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let after = loop {
        let frame = within(frames.next()).await.unwrap();
        if frame.payload.len() == 6000 {
            break frame;
        }
    };
    let elapsed = after
        .timestamp
        .unwrap()
        .wrapping_sub(before.timestamp.unwrap());
    assert!(
        elapsed > 0 && elapsed < 90_000 * 30,
        "time goes on: {elapsed}"
    );
    sender.replace_track(None).await.unwrap();
    assert_eq!(sender.track(), None);
    assert!(!near.senders().is_empty());
    other.abort();
}

/// [5.1-02] [5.1-03] [5.1-04] [5.1-07] [5.1-08] [5.1-09] [5.1-10] What may be added and removed, before anything is negotiated.
#[tokio::test]
async fn tracks_are_added_and_removed() {
    let (near, far) = (connection(), connection());
    let (one, _one) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (two, _two) = MediaStreamTrack::from_packets(MediaKind::Video);
    let sender = near.add_track(&one, &[]).unwrap();
    let again = near.add_track(&one, &[]).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidAccess);
    far.add_track(&one, &[]).unwrap();
    let foreign = far.remove_track(&sender).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::InvalidAccess);
    let direction = || near.transceivers()[0].direction();
    assert_eq!(direction(), RtpTransceiverDirection::SendRecv);
    near.remove_track(&sender).unwrap();
    near.remove_track(&sender).unwrap();
    assert_eq!(sender.track(), None);
    assert_eq!(direction(), RtpTransceiverDirection::RecvOnly);
    let reused = near.add_track(&two, &[]).unwrap();
    assert_eq!(reused, sender);
    assert_eq!(direction(), RtpTransceiverDirection::SendRecv);
    let added = near
        .add_transceiver(MediaKind::Audio, RtpTransceiverInit::default())
        .unwrap();
    assert_eq!((added.mid(), added.current_direction()), (None, None));
    assert_eq!(near.transceivers().len(), 2);
    near.close();
    let closed = near.add_track(&one, &[]).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::InvalidState);
    // Closed comes before a sender of another connection.
    let of_far = far.senders().remove(0);
    for sender in [&sender, &of_far] {
        let closed = near.remove_track(sender).unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::InvalidState);
    }
}

/// [5.2-18] [5.2-21] Nothing is replaced on what stops or is closed, by the same track neither.
#[tokio::test]
async fn the_same_track_is_refused_as_another_is() {
    let near = connection();
    let (one, _one) = MediaStreamTrack::from_frames(MediaKind::Video);
    let sender = near.add_track(&one, &[]).unwrap();
    near.set_local_description(None).await.unwrap();
    sender.replace_track(Some(&one)).await.unwrap();
    assert_eq!(sender.track().as_ref(), Some(&one));
    near.transceivers()[0].stop().unwrap();
    for track in [Some(&one), None] {
        let refused = sender.replace_track(track).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidState);
    }
    let (two, _two) = MediaStreamTrack::from_frames(MediaKind::Video);
    let sender = near.add_track(&two, &[]).unwrap();
    near.close();
    let refused = sender.replace_track(Some(&two)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidState);
}
