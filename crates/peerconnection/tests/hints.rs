//! What senders want of who encodes, as the application is told it.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod call;

use futures_util::StreamExt;
use oxirtc_peerconnection::{
    DegradationPreference, Event, MediaKind, MediaStream, MediaStreamTrack, PeerConnection,
    ResolutionRestriction, RtpEncodingParameters, RtpSender, RtpTransceiverInit, StreamEvent,
    media::{Codec, EncodedFrame, FrameReader, FrameWriter, Hint, RtpPacket},
};

use call::{connection, negotiate, within};

/// The next hint that is no request of a key frame.
async fn next(writer: &FrameWriter) -> Hint {
    loop {
        let hint = within(writer.next_hint()).await.unwrap();
        if !matches!(hint, Hint::Keyframe { .. }) {
            return hint;
        }
    }
}

fn scaled(rid: Option<&str>, scale: f64) -> Hint {
    Hint::Encoding {
        rid: rid.map(str::to_owned),
        active: true,
        max_framerate: None,
        scale_resolution_down_by: scale,
        scale_resolution_down_to: None,
        degradation_preference: None,
    }
}

async fn set(sender: &RtpSender, change: impl Fn(&mut RtpEncodingParameters)) {
    let mut parameters = sender.parameters();
    parameters.encodings.iter_mut().for_each(change);
    sender.set_parameters(parameters).await.unwrap();
}

fn video(encodings: Vec<RtpEncodingParameters>) -> RtpTransceiverInit {
    RtpTransceiverInit {
        send_encodings: encodings,
        ..RtpTransceiverInit::default()
    }
}

/// [5-02] Each layer of simulcast has its scale, and what is set later is told of the layer that it is set on.
#[tokio::test]
async fn encoders_are_told_what_each_encoding_asks() {
    let near = connection();
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    pictures.set_rids(["q", "h", "f"]);
    let encodings = ["q", "h", "f"].map(RtpEncodingParameters::named).to_vec();
    let transceiver = near.add_transceiver(&camera, video(encodings)).unwrap();
    assert_eq!(next(&pictures).await, scaled(Some("q"), 4.0));
    assert_eq!(next(&pictures).await, scaled(Some("h"), 2.0));
    let sender = transceiver.sender();
    set(&sender, |it| {
        if it.rid.as_deref() == Some("h") {
            (it.active, it.max_framerate) = (false, Some(15.0));
        }
    })
    .await;
    assert_eq!(
        next(&pictures).await,
        Hint::Encoding {
            rid: Some("h".to_owned()),
            active: false,
            max_framerate: Some(15.0),
            scale_resolution_down_by: 2.0,
            scale_resolution_down_to: None,
            degradation_preference: None,
        }
    );
    let size = ResolutionRestriction {
        max_width: 320,
        max_height: 180,
    };
    set(&sender, |it| it.scale_resolution_down_to = Some(size)).await;
    let mut sized = Vec::new();
    for _ in 0..3 {
        let Hint::Encoding {
            rid,
            scale_resolution_down_by,
            scale_resolution_down_to,
            ..
        } = next(&pictures).await
        else {
            panic!("another wish");
        };
        // Where a size is given, the scale does not count.
        assert_eq!(
            (scale_resolution_down_by, scale_resolution_down_to),
            (1.0, Some(size))
        );
        sized.extend(rid);
    }
    assert_eq!(sized, ["q", "h", "f"]);
    assert_eq!(pictures.try_hint(), None, "each is told once");
}

async fn prefer(sender: &RtpSender, preference: DegradationPreference) {
    let mut parameters = sender.parameters();
    parameters.degradation_preference = Some(preference);
    sender.set_parameters(parameters).await.unwrap();
}

/// [5.2.8-01] What gives way when bandwidth is short is the encoder's matter, and of two senders that do not agree some of both.
#[tokio::test]
async fn encoders_are_told_what_gives_way() {
    use DegradationPreference::{Balanced, MaintainFramerate, MaintainResolution};
    let (one, two) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let first = one.add_track(&camera, &[]).unwrap();
    let second = two.add_track(&camera, &[]).unwrap();
    for (sender, preference, told) in [
        (&first, MaintainResolution, MaintainResolution),
        (&second, MaintainFramerate, Balanced),
        (&first, MaintainFramerate, MaintainFramerate),
    ] {
        prefer(sender, preference).await;
        let Hint::Encoding {
            degradation_preference,
            ..
        } = next(&pictures).await
        else {
            panic!("another wish");
        };
        assert_eq!(degradation_preference, Some(told));
    }
    prefer(&second, MaintainFramerate).await;
    assert_eq!(pictures.try_hint(), None, "it is told already");
}

/// One encoder for two senders keeps to what both ask. One that sends nothing asks nothing, and neither does one that is gone.
#[tokio::test]
async fn what_several_senders_ask_is_one_wish() {
    let (one, two) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let first = one.add_track(&camera, &[]).unwrap();
    let second = two.add_track(&camera, &[]).unwrap();
    set(&first, |it| {
        (it.max_framerate, it.scale_resolution_down_by) = (Some(10.0), Some(2.0));
    })
    .await;
    let asks = |active, framerate, scale| Hint::Encoding {
        rid: None,
        active,
        max_framerate: framerate,
        scale_resolution_down_by: scale,
        scale_resolution_down_to: None,
        degradation_preference: None,
    };
    assert_eq!(next(&pictures).await, asks(true, Some(10.0), 2.0));
    set(&second, |it| {
        (it.max_framerate, it.scale_resolution_down_by) = (Some(20.0), Some(3.0));
    })
    .await;
    assert_eq!(next(&pictures).await, asks(true, Some(10.0), 3.0));
    set(&first, |it| it.active = false).await;
    assert_eq!(next(&pictures).await, asks(true, Some(20.0), 3.0));
    set(&second, |it| it.active = false).await;
    let Hint::Encoding { active: false, .. } = next(&pictures).await else {
        panic!("nobody sends it");
    };
    set(&first, |it| it.active = true).await;
    assert_eq!(next(&pictures).await, asks(true, Some(10.0), 2.0));
    one.remove_track(&first).unwrap();
    let Hint::Encoding { active: false, .. } = next(&pictures).await else {
        panic!("nobody sends it");
    };
    second.replace_track(None).await.unwrap();
    assert_eq!(next(&pictures).await, asks(true, None, 1.0));
}

fn picture(number: u8) -> EncodedFrame {
    let mut payload = vec![number; 500];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    EncodedFrame::new(Codec::Vp8, payload)
}

async fn frames_of(far: &PeerConnection) -> FrameReader {
    loop {
        if let Event::Track { track, .. } = within(far.next_event()).await.unwrap() {
            return track.frames().unwrap();
        }
    }
}

/// [5.2-02] A track that is disabled asks its writer for black pictures, which go out in the place of all others.
#[tokio::test]
async fn a_disabled_track_asks_for_blank_pictures() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    near.add_track(&camera, &[]).unwrap();
    negotiate(&near, &far).await;
    let mut frames = frames_of(&far).await;
    pictures.write_blank(picture(1)).unwrap();
    pictures.write(picture(2)).await.unwrap();
    let read = within(frames.next()).await.unwrap();
    assert_eq!(read.payload[10], 2, "it shows what it is to show");
    camera.set_enabled(false);
    assert_eq!(next(&pictures).await, Hint::Enabled(false));
    pictures.write(picture(3)).await.unwrap();
    pictures.write_blank(picture(4)).unwrap();
    let read = within(frames.next()).await.unwrap();
    assert_eq!(read.payload[10], 4);
    camera.set_enabled(true);
    assert_eq!(next(&pictures).await, Hint::Enabled(true));
    pictures.write_blank(picture(5)).unwrap();
    pictures.write(picture(6)).await.unwrap();
    let read = within(frames.next()).await.unwrap();
    assert_eq!(read.payload[10], 6);
}

/// Who writes packets is told the same.
#[tokio::test]
async fn writers_of_packets_are_told_as_well() {
    let near = connection();
    let (camera, packets) = MediaStreamTrack::from_packets(MediaKind::Video);
    assert_eq!(packets.try_hint(), None);
    let sender = near.add_track(&camera, &[]).unwrap();
    set(&sender, |it| it.scale_resolution_down_by = Some(2.5)).await;
    assert_eq!(within(packets.next_hint()).await, Some(scaled(None, 2.5)));
    camera.set_enabled(false);
    assert_eq!(packets.try_hint(), Some(Hint::Enabled(false)));
    let blank = RtpPacket::new(
        Codec::Vp8,
        1,
        0,
        vec![0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0],
    );
    packets.write_blank(&[blank]).unwrap();
    camera.set_enabled(true);
    let hints: Vec<_> = std::iter::from_fn(|| packets.try_hint()).collect();
    assert!(hints.contains(&Hint::Enabled(true)), "{hints:?}");
    assert!(hints.contains(&Hint::Keyframe { rid: None }), "{hints:?}");
}

/// The stream of hints reads what `next_hint` reads, and ends with the track; that of a media stream reads what its peer changes.
#[tokio::test]
async fn streams_read_hints_and_what_the_peer_changes() {
    let (near, far) = (connection(), connection());
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let stream = MediaStream::new([&camera]);
    let sender = near.add_track(&camera, &[stream]).unwrap();
    negotiate(&near, &far).await;
    let theirs = loop {
        if let Event::Track { streams, .. } = within(far.next_event()).await.unwrap() {
            break streams[0].clone();
        }
    };
    let mut changes = theirs.events();
    let mut hints = pictures.hints();
    camera.set_enabled(false);
    let disabled = async { while within(hints.next()).await != Some(Hint::Enabled(false)) {} };
    disabled.await;
    camera.stop();
    while within(hints.next()).await.is_some() {}
    assert_eq!(within(pictures.next_hint()).await, None);
    sender.set_streams(&[]).unwrap();
    negotiate(&near, &far).await;
    let added = within(changes.next()).await;
    assert!(matches!(added, Some(StreamEvent::AddTrack(_))));
    let removed = within(changes.next()).await;
    assert!(matches!(removed, Some(StreamEvent::RemoveTrack(_))));
}
