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
    assert_eq!(
        near.remove_track(&sender).unwrap_err().kind(),
        ErrorKind::InvalidState
    );
}

/// A reader that stands still loses whole frames, which it is told, up to a key frame; neither the connection nor another reader of the same
/// track waits for it.
#[tokio::test]
async fn a_reader_that_stands_still_holds_nothing_up() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    near.add_track(&camera, &[]).unwrap();
    negotiate(&near, &far).await;
    let (video, ..) = track(&far).await;
    let (mut quick, mut slow) = (video.frames().unwrap(), video.frames().unwrap());
    let filming = tokio::spawn(async move {
        let (mut number, mut key) = (0_u8, true);
        loop {
            while let Some(hint) = pictures.try_hint() {
                key |= matches!(hint, Hint::Keyframe { .. });
            }
            pictures.write(picture(number, key, 2000)).await.unwrap();
            (number, key) = (number.wrapping_add(1), false);
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    });
    let first = within(quick.next()).await.unwrap();
    let mut last = content(&first);
    let mut read = 1_u32;
    // More than a reader's queue holds.
    while read < 600 {
        let frame = within(quick.next()).await.unwrap();
        assert_eq!(frame.missing_before, 0, "the path loses nothing");
        assert_eq!(content(&frame), last.wrapping_add(1));
        (last, read) = (content(&frame), read + 1);
    }
    let late = within(slow.next()).await.unwrap();
    assert!(
        late.is_key() && late.missing_before >= 256,
        "{}",
        late.missing_before
    );
    // From there on it has each.
    let mut last = content(&late);
    for _ in 0..20 {
        let frame = within(slow.next()).await.unwrap();
        assert_eq!(
            (frame.missing_before, content(&frame)),
            (0, last.wrapping_add(1))
        );
        last = content(&frame);
    }
    filming.abort();
}

/// An answer that takes of H.264 packetization mode 0 alone: of formats those that have it, and what repairs them.
fn in_mode_0(sdp: &str) -> String {
    let number = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(' ').map(|it| it.0.to_owned())
    };
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        sdp.lines()
            .filter(|it| wanted(it))
            .filter_map(number)
            .collect()
    };
    let single = of(&|it| it.starts_with("a=fmtp:") && it.contains("packetization-mode=0"));
    let repairs = of(&|it| {
        let apt = |single: &String| it.ends_with(&format!(" apt={single}"));
        it.starts_with("a=fmtp:") && single.iter().any(apt)
    });
    let kept: Vec<_> = single.iter().chain(&repairs).collect();
    assert_eq!((single.len(), repairs.len()), (1, 1), "{sdp}");
    let line = |line: &str| {
        if let Some((head, _)) = line
            .split_once("SAVPF ")
            .filter(|_| line.starts_with("m=video"))
        {
            let kept: Vec<_> = kept.iter().map(|it| it.as_str()).collect();
            return Some(format!("{head}SAVPF {}\r\n", kept.join(" ")));
        }
        let is_format = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .iter()
            .any(|it| line.starts_with(it));
        let goes = is_format && number(line).is_some_and(|it| !kept.contains(&&it));
        (!goes).then(|| format!("{line}\r\n"))
    };
    sdp.lines().filter_map(line).collect()
}

/// RFC 6184 §6.2: a peer that takes mode 0 alone gets each unit whole; one that is longer than a packet has its frame left out for it.
#[tokio::test]
async fn h264_goes_by_whole_units_where_the_peer_takes_no_other() {
    for single in [true, false] {
        let (near, far) = (connection(), connection());
        let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
        near.add_track(&camera, &[]).unwrap();
        near.set_local_description(None).await.unwrap();
        let offer = within(near.gathered()).await.unwrap();
        far.set_remote_description(offer).await.unwrap();
        far.set_local_description(None).await.unwrap();
        let mut answer = within(far.gathered()).await.unwrap();
        if single {
            answer.sdp = in_mode_0(&answer.sdp);
        }
        near.set_remote_description(answer).await.unwrap();
        let (video, ..) = track(&far).await;
        let mut packets = video.packets();
        // Parameter sets and slices of 900 bytes, as an encoder makes them that is told to.
        let unit = |kind: u8, len: usize| {
            let mut unit = vec![0, 0, 0, 1, 0x60 | kind];
            unit.resize(5 + len, 0x55);
            unit
        };
        let mut frame = [unit(7, 10), unit(8, 4)].concat();
        (0..20).for_each(|_| frame.extend(unit(5, 900)));
        let long = [unit(7, 10), unit(8, 4), unit(5, 5000)].concat();
        let writing = tokio::spawn(async move {
            loop {
                for payload in [&frame, &long] {
                    let mut frame = EncodedFrame::new(Codec::H264, payload.clone());
                    frame.kind = FrameKind::Key;
                    pictures.write(frame).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        let mut kinds = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let packet = within(packets.next()).await.unwrap();
            assert_eq!(packet.codec, Codec::H264);
            kinds.insert(packet.payload[0] & 31);
        }
        writing.abort();
        match single {
            true => assert_eq!(Vec::from_iter(kinds), [5, 7, 8]),
            false => assert!(kinds.contains(&24) && kinds.contains(&28), "{kinds:?}"),
        }
    }
}
