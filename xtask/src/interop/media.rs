//! A fake camera and microphone of the browser, sent to us and back.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    MediaKind, MediaStreamTrack, RtpTransceiver,
    engine::{Parity, Settings},
    media::Codec,
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::call::{Call, Setup};
use super::peer::{Negotiation, soon};
use super::suite::Suite;

/// What is sent of camera and microphone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filmed {
    pub(crate) video: Codec,
    pub(crate) audio: Codec,
    /// The browser offers RED and ULPFEC, and no RTX.
    pub(crate) redundant: bool,
    /// When what we send is protected.
    pub(crate) parity: Parity,
}

impl Filmed {
    pub(crate) fn new(video: Codec, audio: Codec) -> Self {
        Self {
            video,
            audio,
            redundant: false,
            parity: Parity::default(),
        }
    }
}

/// VP8 and Opus, which every browser has.
pub(crate) async fn echo_vp8(suite: &Suite) -> anyhow::Result<()> {
    echo(suite, Codec::Vp8, Codec::Opus).await
}

pub(crate) async fn echo_vp9(suite: &Suite) -> anyhow::Result<()> {
    echo(suite, Codec::Vp9, Codec::G722).await
}

pub(crate) async fn echo_av1(suite: &Suite) -> anyhow::Result<()> {
    echo(suite, Codec::Av1, Codec::Pcmu).await
}

pub(crate) async fn echo_h264(suite: &Suite) -> anyhow::Result<()> {
    echo(suite, Codec::H264, Codec::Pcma).await
}

/// The browser counts what it decodes of what comes back.
async fn echo(suite: &Suite, video: Codec, audio: Codec) -> anyhow::Result<()> {
    let call = filming(suite, Filmed::new(video, audio)).await?;
    let decoded = "return h.decoded({ frames: 30, packets: 100 })";
    let decoded = call.tab.run(decoded, &[]).await?;
    ensure!(decoded["framesDecoded"].as_u64() >= Some(30), "{decoded}");
    call.end().await
}

/// The browser sends what its camera and its microphone give; we count whole frames and send every packet back.
pub(crate) async fn filming(suite: &Suite, filmed: Filmed) -> anyhow::Result<Call> {
    filming_with(suite, Setup::default(), filmed).await
}

/// The same, in a call that is set up so.
pub(crate) async fn filming_with(
    suite: &Suite,
    setup: Setup,
    filmed: Filmed,
) -> anyhow::Result<Call> {
    let Filmed { video, audio, .. } = filmed;
    let negotiation = Negotiation {
        echo: true,
        ..setup.negotiation
    };
    let setup = Setup {
        negotiation,
        ..setup
    };
    let settings = Settings::default().parity(filmed.parity);
    let call = Call::start_with(suite, setup, settings).await?;
    let can = call
        .tab
        .run("return h.film(A[0])", &[wishes(&filmed)])
        .await?;
    ensure!(can == json!(true), "{can}");
    let pictures = read(&call, MediaKind::Video, video, 30);
    let sound = read(&call, MediaKind::Audio, audio, 100);
    let (pictures, sound) = tokio::join!(pictures, sound);
    pictures?;
    sound?;
    Ok(call)
}

/// What the page is told to offer.
fn wishes(filmed: &Filmed) -> serde_json::Value {
    json!({ "audio": filmed.audio.name(), "video": filmed.video.name(), "redundant": filmed.redundant })
}

/// Reads that many frames of what the browser sends of a kind.
async fn read(call: &Call, kind: MediaKind, codec: Codec, count: u32) -> anyhow::Result<()> {
    let track = soon("the browser's tracks", track(call, kind)).await?;
    let mut frames = track.frames()?;
    let mut read = 0;
    let end = Instant::now() + Duration::from_secs(30);
    while read < count {
        let left = end.saturating_duration_since(Instant::now());
        let frame = timeout(left, frames.next()).await;
        let frame = frame.with_context(|| format!("{read} frames of {kind} came"))?;
        let frame = frame.context("the track ended")?;
        ensure!(
            frame.codec == codec,
            "{:?} came, not {codec:?}",
            frame.codec
        );
        read += 1;
    }
    Ok(())
}

/// The track of a kind that the browser sends, once it does.
pub(super) async fn track(call: &Call, kind: MediaKind) -> MediaStreamTrack {
    loop {
        let all = call.peer.connection().transceivers();
        let of_kind = |it: &&RtpTransceiver| it.kind() == kind && it.current_direction().is_some();
        if let Some(found) = all.iter().find(of_kind) {
            return found.receiver().track().clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
