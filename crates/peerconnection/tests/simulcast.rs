//! Parallel streams of one track: sent, received, chosen from and switched, over sockets of this machine.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod call;

use std::{collections::BTreeSet, time::Duration};

use futures_util::FutureExt as _;
use oxirtc_peerconnection::{
    Event, MediaKind, MediaStreamTrack, PeerConnection, RtpEncodingParameters, RtpSender,
    RtpTransceiver, RtpTransceiverDirection, RtpTransceiverInit, TrackEvent, TrackReadyState,
    engine::Choice,
    media::{Codec, EncodedFrame, FrameReader, FrameWriter, Hint},
};
use tokio::task::JoinHandle;

use call::{connection, negotiate, within};

const RIDS: [&str; 3] = ["q", "h", "f"];

async fn track(connection: &PeerConnection) -> (MediaStreamTrack, RtpTransceiver) {
    loop {
        let event = within(connection.next_event()).await.unwrap();
        if let Event::Track {
            track, transceiver, ..
        } = event
        {
            return (track, transceiver);
        }
    }
}

/// A transceiver that sends three streams of the track.
fn publish(connection: &PeerConnection, track: &MediaStreamTrack) -> RtpTransceiver {
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        send_encodings: RIDS.map(RtpEncodingParameters::named).to_vec(),
        ..RtpTransceiverInit::default()
    };
    connection.add_transceiver(track, init).unwrap()
}

/// A frame of VP8 of one of the streams: it is full of the stream's place, behind the number of the picture.
fn picture(number: u8, rid: usize, key: bool) -> EncodedFrame {
    let mut payload = vec![rid as u8; 1500 * (rid + 1) * if key { 4 } else { 1 }];
    payload[..11].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0, number]);
    let mut frame = EncodedFrame::new(Codec::Vp8, payload);
    frame.rid = Some(RIDS[rid].to_owned());
    frame
}

/// The stream of a frame and the number of its picture.
fn content(frame: &EncodedFrame) -> (usize, u8) {
    let (number, rest) = (frame.payload[10], &frame.payload[11..]);
    assert!(
        rest.iter().all(|it| *it == rest[0]),
        "a frame of mixed content"
    );
    (rest[0].into(), number)
}

/// Films three streams; a key frame only of a stream that it was asked of. Gives back what was asked, when it is stopped.
fn film(writer: FrameWriter) -> (JoinHandle<()>, tokio::sync::mpsc::UnboundedReceiver<Hint>) {
    let (told, asked) = tokio::sync::mpsc::unbounded_channel();
    let filming = tokio::spawn(async move {
        let mut keys = [true; 3];
        let mut number = 0_u8;
        loop {
            while let Some(hint) = writer.try_hint() {
                if let Hint::Keyframe { rid } = &hint {
                    let of = |at: usize| rid.as_deref().is_none_or(|rid| rid == RIDS[at]);
                    (0..3).for_each(|at| keys[at] |= of(at));
                }
                let _ = told.send(hint);
            }
            for (at, key) in keys.iter_mut().enumerate() {
                let frame = picture(number, at, std::mem::take(key));
                if writer.write(frame).await.is_err() {
                    return;
                }
            }
            number = number.wrapping_add(1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    (filming, asked)
}

/// Reads until a frame of this stream comes, which has to be a key frame if others came before.
async fn until(frames: &mut FrameReader, rid: usize) {
    let mut switched = false;
    loop {
        let frame = within(frames.next()).await.unwrap();
        let (of, _) = content(&frame);
        if of == rid {
            assert!(!switched || frame.is_key(), "a stream begins in its middle");
            return;
        }
        switched = true;
    }
}

/// A publisher of three streams and who receives them.
async fn published() -> (
    [PeerConnection; 2],
    RtpSender,
    FrameWriter,
    MediaStreamTrack,
) {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    pictures.set_rids(RIDS);
    let sending = publish(&near, &camera);
    negotiate(&near, &far).await;
    let (video, transceiver) = track(&far).await;
    assert_eq!(transceiver.receiver().rids(), RIDS);
    assert_eq!(video.rids(), RIDS);
    ([near, far], sending.sender(), pictures, video)
}

/// [5.4.1-06]
#[tokio::test]
async fn three_streams_of_one_track_arrive_with_their_rids() {
    let (_ends, sender, pictures, video) = published().await;
    let mut frames = video.frames().unwrap();
    let (filming, _) = film(pictures);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let frame = within(frames.next()).await.unwrap();
        let (at, _) = content(&frame);
        assert_eq!(frame.rid.as_deref(), Some(RIDS[at]));
        assert!(seen.contains(&at) || frame.is_key());
        seen.insert(at);
    }
    // [5.2-15]: a stream that is not active is not sent, and the others go on.
    let mut parameters = sender.parameters();
    parameters.encodings[2].active = false;
    sender.set_parameters(parameters).await.unwrap();
    let mut since = [0; 3];
    while since[0] < 10 || since[1] < 10 {
        let frame = within(frames.next()).await.unwrap();
        since[content(&frame).0] += 1;
    }
    let late = since[2];
    assert!(late < 5, "{since:?}");
    // It begins again with a key frame that the camera was asked for.
    let mut parameters = sender.parameters();
    assert!(!parameters.encodings[2].active);
    parameters.encodings[2].active = true;
    sender.set_parameters(parameters).await.unwrap();
    let again = loop {
        let frame = within(frames.next()).await.unwrap();
        if content(&frame).0 == 2 {
            break frame;
        }
    };
    assert!(again.is_key());
    filming.abort();
}

/// Who forwards chooses one of three streams for each receiver. A switch waits for a key frame that the camera was asked for.
#[tokio::test]
async fn a_forwarded_track_is_switched_from_stream_to_stream() {
    let ([_near, node], _, pictures, video) = published().await;
    let (first, second) = (connection(), connection());
    let toward = [connection(), connection()];
    let relays = [
        video.forward(Choice::rid("q")),
        video.forward(Choice::rid("f")),
    ];
    assert_ne!(relays[0].id(), video.id());
    assert_eq!(relays[0].rids(), RIDS);
    for (to, relay) in toward.iter().zip(&relays) {
        to.add_track(relay, &[]).unwrap();
    }
    negotiate(&toward[0], &first).await;
    negotiate(&toward[1], &second).await;
    let (seen_first, _) = track(&first).await;
    let (seen_second, _) = track(&second).await;
    let mut low = seen_first.frames().unwrap();
    let mut high = seen_second.frames().unwrap();
    let (filming, mut asked) = film(pictures);
    until(&mut low, 0).await;
    until(&mut high, 2).await;
    while asked.try_recv().is_ok() {}
    relays[0].choose(Choice::rid("h"));
    assert_eq!(relays[0].choice(), Choice::rid("h"));
    until(&mut low, 1).await;
    let wanted = loop {
        if let Hint::Keyframe { rid } = within(asked.recv()).await.unwrap() {
            break rid;
        }
    };
    assert_eq!(
        wanted.as_deref(),
        Some("h"),
        "only the new stream begins anew"
    );
    // What was chosen for one receiver changes nothing for the other.
    for _ in 0..20 {
        let frame = within(high.next()).await.unwrap();
        assert_eq!(content(&frame).0, 2);
    }
    // A stream that there is not leaves it as it is.
    relays[0].choose(Choice::rid("x"));
    for _ in 0..10 {
        let frame = within(low.next()).await.unwrap();
        assert_eq!(content(&frame).0, 1);
    }
    relays[0].choose(Choice::lane(2));
    until(&mut low, 2).await;
    filming.abort();
    node.close();
}

/// A track of three streams, given to a peer that takes one.
#[tokio::test]
async fn a_local_track_of_several_streams_goes_to_a_peer_without_simulcast() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let chosen = camera.forward(Choice::rid("f"));
    near.add_track(&chosen, &[]).unwrap();
    negotiate(&near, &far).await;
    let (video, _) = track(&far).await;
    assert!(video.rids().is_empty());
    let mut frames = video.frames().unwrap();
    // Nobody has named the rids: they are known once they are written.
    let (filming, _) = film(pictures);
    until(&mut frames, 2).await;
    filming.abort();
}

/// Reads so many frames of the first stream: the number of the last.
async fn pass(frames: &mut FrameReader, count: u32) -> u8 {
    let mut passed = 0;
    loop {
        let frame = within(frames.next()).await.unwrap();
        let (of, number) = content(&frame);
        passed += u32::from(of == 0);
        if passed == count {
            return number;
        }
    }
}

/// `enabled` and `stop()` of a forwarding track are its own.
#[tokio::test]
async fn a_forwarding_track_pauses_and_ends_alone() {
    let ([near, node], _, pictures, video) = published().await;
    let far = connection();
    let to = connection();
    let relay = video.forward(Choice::rid("q"));
    let other = relay.forward(Choice::rid("f"));
    assert!(relay.muted());
    to.add_track(&relay, &[]).unwrap();
    negotiate(&to, &far).await;
    let (seen, _) = track(&far).await;
    let mut frames = seen.frames().unwrap();
    let mut whole = relay.frames().unwrap();
    let (filming, _) = film(pictures);
    until(&mut frames, 0).await;
    assert_eq!(within(relay.next_event()).await, Some(TrackEvent::Unmute));
    assert!(!other.muted());
    let mut before = content(&within(frames.next()).await.unwrap()).1;
    relay.set_enabled(false);
    assert!(!relay.enabled() && video.enabled());
    // Of those that come now, and not of what had not been read before.
    while whole.next().now_or_never().is_some() {}
    pass(&mut whole, 10).await;
    relay.set_enabled(true);
    loop {
        let frame = within(frames.next()).await.unwrap();
        let (_, number) = content(&frame);
        if number != before.wrapping_add(1) {
            assert!(frame.is_key(), "it goes on in the middle");
            break;
        }
        before = number;
    }
    relay.stop();
    let stopped = pass(&mut whole, 20).await;
    while let Some(frame) = frames.next().now_or_never() {
        let behind = stopped.wrapping_sub(content(&frame.unwrap()).1);
        assert!((10..128).contains(&behind), "{behind}");
    }
    assert_eq!(relay.ready_state(), TrackReadyState::Ended);
    assert_eq!(video.ready_state(), TrackReadyState::Live);
    filming.abort();
    // All of a source end with it.
    node.close();
    assert_eq!(other.ready_state(), TrackReadyState::Ended);
    assert_eq!(
        video.forward(Choice::default()).ready_state(),
        TrackReadyState::Ended
    );
    near.close();
}
