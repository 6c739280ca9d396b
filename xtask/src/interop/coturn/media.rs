//! Sound and pictures between two of ours, by relays alone.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    Event, IceCandidateType, MediaKind, MediaStreamTrack, PeerConnection,
    media::{Codec, EncodedFrame, FrameWriter, Hint},
};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};

use super::{
    call::{connection, settings},
    server::{Coturn, HOST, PASSWORD, Transport},
};

/// Each end has a microphone and a camera, and plays those of the other one, of whose frames it misses none.
pub(super) async fn call(coturn: &Coturn, ways: [Transport; 2]) -> anyhow::Result<String> {
    let settings = settings(coturn).ipv6(false);
    let [near, far] = ways.map(|way| connection(way.server(HOST, PASSWORD), settings.clone()));
    let (near, far) = (near?, far?);
    let mut devices = JoinSet::new();
    for connection in [&near, &far] {
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let (track, writer) = MediaStreamTrack::from_frames(kind);
            connection.add_track(&track, &[])?;
            devices.spawn(give(kind, writer));
        }
    }
    near.set_local_description(None).await?;
    far.set_remote_description(near.gathered().await?).await?;
    far.set_local_description(None).await?;
    near.set_remote_description(far.gathered().await?).await?;
    let played = timeout(PATIENCE, async {
        tokio::try_join!(play(&near), play(&far))
    });
    let told = played.await.context("the frames do not come")??;
    relayed(&near)?;
    relayed(&far)?;
    let made = coturn.said("incoming packet ALLOCATE processed, success");
    devices.shutdown().await;
    near.close();
    far.close();
    coturn.says(made, ", lifetime=0").await?;
    Ok(format!(
        "{} frames of sound and {} pictures each way",
        told.0.min(told.1)[0],
        told.0.min(told.1)[1]
    ))
}

/// What is filmed, or said, until it is ended: frames that can be told apart.
pub(in crate::interop) async fn give(kind: MediaKind, writer: FrameWriter) -> anyhow::Result<()> {
    let (pace, codec) = match kind {
        MediaKind::Video => (Duration::from_millis(33), Codec::Vp8),
        MediaKind::Audio => (Duration::from_millis(20), Codec::Opus),
    };
    let mut ticks = interval(pace);
    for number in 0.. {
        ticks.tick().await;
        let mut asked = number == 0;
        while let Some(hint) = writer.try_hint() {
            asked |= matches!(hint, Hint::Keyframe { .. });
        }
        let payload = contents(kind, number, asked);
        writer.write(EncodedFrame::new(codec, payload)).await?;
    }
    Ok(())
}

/// The frame with this number.
fn contents(kind: MediaKind, number: u32, key: bool) -> Vec<u8> {
    let head = match kind {
        // RFC 6386 §9.1: 64 by 180, which nobody decodes here.
        MediaKind::Video => vec![u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0],
        // RFC 6716 §3.1: one frame of 20 ms.
        MediaKind::Audio => vec![0xf8],
    };
    let length = match (kind, key) {
        (MediaKind::Video, true) => 8000,
        (MediaKind::Video, false) => 1500 + number as usize % 700,
        (MediaKind::Audio, _) => 60 + number as usize % 40,
    };
    let rest = (0..length).map(|at| (at as u32).wrapping_mul(31).wrapping_add(number) as u8);
    [head, number.to_be_bytes().to_vec(), rest.collect()].concat()
}

/// Sound and pictures of the other end; how many frames of each.
async fn play(connection: &PeerConnection) -> anyhow::Result<[u32; 2]> {
    let mut playing = JoinSet::new();
    while playing.len() < 2 {
        let event = connection.next_event().await;
        if let Event::Track { track, .. } = event.context("the connection ended")? {
            playing
                .spawn(async move { Ok::<_, anyhow::Error>((track.kind(), watch(track).await?)) });
        }
    }
    let mut counts = [0; 2];
    while let Some(played) = playing.join_next().await {
        let (kind, count) = played??;
        counts[usize::from(kind == MediaKind::Video)] = count;
    }
    Ok(counts)
}

/// Looks at each frame for a while.
async fn watch(track: MediaStreamTrack) -> anyhow::Result<u32> {
    let kind = track.kind();
    let wanted = match kind {
        MediaKind::Video => PICTURES,
        MediaKind::Audio => SOUNDS,
    };
    let at = match kind {
        MediaKind::Video => 10,
        MediaKind::Audio => 1,
    };
    let mut frames = track.frames()?;
    let mut expected = None;
    for _ in 0..wanted {
        let frame = frames.next().await.context("the track ended")?;
        let number = frame.payload.get(at..at + 4).context("a short frame")?;
        let number = u32::from_be_bytes(number.try_into()?);
        let key = kind == MediaKind::Video && frame.payload.first() == Some(&0);
        ensure!(
            frame.payload == contents(kind, number, key),
            "{kind} {number} is not what was sent"
        );
        let missing = number - expected.unwrap_or(number);
        ensure!(
            missing == 0,
            "{missing} of {kind} are missing before {number}"
        );
        expected = Some(number + 1);
    }
    Ok(wanted)
}

/// The pair in use has a relay at both of its ends.
fn relayed(connection: &PeerConnection) -> anyhow::Result<()> {
    let transceivers = connection.transceivers();
    let sender = transceivers.first().context("no transceiver")?.sender();
    let transport = sender.transport().context("no transport")?.ice_transport();
    let pair = transport.selected_candidate_pair().context("no pair")?;
    let kinds = [pair.local.kind(), pair.remote.kind()];
    ensure!(
        kinds == [Some(IceCandidateType::Relay); 2],
        "it goes by {kinds:?}"
    );
    Ok(())
}

/// About two seconds.
const PICTURES: u32 = 60;
const SOUNDS: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(30);
