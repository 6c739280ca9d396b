//! Tones of a telephone: ours as the browser hears them, the browser's as we are told of them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    MediaKind, MediaStreamTrack, PeerConnectionState, TrackEvent,
    media::{Codec, EncodedFrame},
};
use serde_json::json;
use tokio::time::timeout;

use super::call::{Call, Setup};
use super::media::track;
use super::peer::{PATIENCE, soon};
use super::suite::Suite;

/// An analyser of the browser finds both frequencies of each tone, and none of another tone beside them.
pub(crate) async fn heard_by_the_browser(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(suite, Setup::default()).await?;
    call.tab.run("h.show()", &[]).await?;
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let connection = call.peer.connection();
    let sender = connection.add_track(&microphone, &[])?;
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    // 20 ms in which nothing is heard. Firefox has events at 8,000 Hz alone, and takes their durations to be of the sound's clock.
    let (codec, quiet) = match suite.is_firefox() {
        true => (Codec::Pcmu, vec![0xff; 160]),
        false => (Codec::Opus, vec![0xf8, 0xff, 0xfe]), // RFC 6716 §3
    };
    let silence = tokio::spawn(async move {
        while sound
            .write(EncodedFrame::new(codec, quiet.clone()))
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let state = call.tab.run("return await h.listen()", &[]).await?;
    // Firefox without a device to play on analyses what it records.
    ensure!(
        state == json!("running") || suite.is_firefox(),
        "the browser's sound is {state}"
    );
    let dtmf = sender.dtmf().context("a sender of audio")?;
    for (tone, low, high) in TONES {
        dtmf.insert_with(tone, LONG, Duration::from_millis(100))?;
        let heard = "return await h.heard([A[0], A[1]])";
        let heard = call.tab.run(heard, &[json!(low), json!(high)]).await;
        heard.with_context(|| format!("tone {tone}"))?;
        // Until it is over: the next one takes its place.
        soon("the end of the tone", async {
            while dtmf.next_event().await.is_some_and(|tone| !tone.is_empty()) {}
        })
        .await?;
    }
    silence.abort();
    call.end().await
}

/// Each tone is told once, in order.
pub(crate) async fn heard_by_us(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(suite, Setup::default()).await?;
    call.tab.run("await h.speak()", &[]).await?;
    let track = soon("the browser's track", track(&call, MediaKind::Audio)).await?;
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    call.tab
        .run("await h.dial(A[0])", &[json!(DIALLED)])
        .await?;
    let mut heard = String::new();
    while heard.len() < DIALLED.len() {
        let event = timeout(PATIENCE, track.next_event()).await;
        let event = event.with_context(|| format!("of {DIALLED} only {heard} came"))?;
        if let TrackEvent::Tone(tone) = event.context("the track ended")? {
            heard.push(tone);
        }
    }
    ensure!(heard == DIALLED, "{heard} came, not {DIALLED}");
    call.end().await
}

/// Tones with their frequencies in Hz (ITU-T Q.23).
const TONES: [(&str, u32, u32); 4] = [
    ("1", 697, 1209),
    ("5", 770, 1336),
    ("#", 941, 1477),
    ("D", 941, 1633),
];
const LONG: Duration = Duration::from_secs(2);
const DIALLED: &str = "1590*#ABCD";
