//! Parallel streams of the browser's camera, one of which it gets back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{MediaKind, MediaStreamTrack, engine::Choice};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::call::{Call, Setup};
use super::media::track;
use super::peer::{Negotiation, soon};
use super::suite::Suite;

/// Three streams come; the first goes back, then the last, as the browser sees by their size.
pub(crate) async fn three_streams(suite: &Suite) -> anyhow::Result<()> {
    let negotiation = Negotiation {
        echo: true,
        ..Negotiation::default()
    };
    let setup = Setup {
        negotiation,
        ..Setup::default()
    };
    let call = Call::start(suite, setup).await?;
    let encodings = json!([
        { "rid": RIDS[0], "scaleResolutionDownBy": 4 },
        { "rid": RIDS[1], "scaleResolutionDownBy": 2 },
        { "rid": RIDS[2] },
    ]);
    // libwebrtc sends fewer streams of a smaller camera.
    let camera = json!({ "width": 1280, "height": 720, "frameRate": 15 });
    let filmed = "return h.simulcast(A[0], A[1])";
    let filmed = call.tab.run(filmed, &[encodings, camera]).await?;
    ensure!(filmed == json!("1280x720"), "the camera gives {filmed}");
    let track = soon("the browser's track", track(&call, MediaKind::Video)).await?;
    ensure!(track.rids() == RIDS, "negotiated: {:?}", track.rids());
    let came = all_streams(&track).await?;
    println!("     {came:?}");
    shown(&call, 320).await?;
    track.choose(Choice::rid(RIDS[2]));
    shown(&call, 1280).await?;
    track.choose(Choice::rid(RIDS[1]));
    shown(&call, 640).await?;
    held(&call, &track).await?;
    call.end().await
}

/// Held and resumed by either side, all streams come again, though none of them need say its rid any more: reports have told that it is known.
async fn held(call: &Call, track: &MediaStreamTrack) -> anyhow::Result<()> {
    use oxirtc_peerconnection::RtpTransceiverDirection::{SendOnly, SendRecv};
    let agreed = "const own = h.pc.getTransceivers().find(({ sender }) => sender.track);
        const end = performance.now() + 20000;
        while (own.currentDirection !== A[0] || h.pc.signalingState !== 'stable') {
          if (performance.now() > end) throw new Error(`${own.currentDirection}, not ${A[0]}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }";
    for by_us in [false, true] {
        for (held, direction) in [(true, "recvonly"), (false, "sendrecv")] {
            if by_us {
                let all = call.peer.connection().transceivers();
                let own = all.first().context("there is no transceiver")?;
                own.set_direction(if held { SendOnly } else { SendRecv })?;
            } else {
                call.tab.run("await h.hold(A[0])", &[json!(held)]).await?;
            }
            call.tab.run(agreed, &[json!(direction)]).await?;
        }
        let came = all_streams(track).await?;
        let who = if by_us { "we" } else { "the browser" };
        println!("     {came:?} after {who} held them");
        let (rid, width) = if by_us { (2, 1280) } else { (0, 320) };
        track.choose(Choice::rid(RIDS[rid]));
        shown(call, width).await?;
    }
    Ok(())
}

/// Waits for frames of each stream: how wide their key frames are, and how many frames came.
async fn all_streams(track: &MediaStreamTrack) -> anyhow::Result<BTreeMap<String, (u16, u32)>> {
    let mut frames = track.frames()?;
    let mut came = BTreeMap::<String, (u16, u32)>::new();
    let end = Instant::now() + PATIENCE;
    while came.len() < RIDS.len()
        || came
            .values()
            .any(|&(width, count)| width == 0 || count < 10)
    {
        let frame = timeout_at(end, frames.next()).await;
        let frame = frame.with_context(|| format!("in {PATIENCE:?} there came {came:?}"))?;
        let frame = frame.context("the track ended")?;
        let rid = frame.rid.context("a frame has no rid")?;
        let stream = came.entry(rid).or_default();
        stream.0 = frame.size.map_or(stream.0, |it| it.0);
        stream.1 += 1;
    }
    let widths = RIDS.map(|rid| came.get(rid).map_or(0, |it| it.0));
    ensure!(widths == [320, 640, 1280], "{came:?}");
    Ok(came)
}

/// Waits until the browser decodes pictures of this width.
async fn shown(call: &Call, width: u64) -> anyhow::Result<()> {
    let until = "const end = performance.now() + 20000;
        for (;;) {
          const found = await h.pictures('inbound-rtp');
          if (found.frameWidth === A[0]) return found.framesDecoded;
          if (performance.now() > end) throw new Error(`${found.frameWidth} wide, not ${A[0]}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }";
    let decoded = call.tab.run(until, &[Value::from(width)]).await?;
    ensure!(decoded.as_u64() > Some(0), "{decoded} frames are decoded");
    Ok(())
}

const RIDS: [&str; 3] = ["q", "h", "f"];
const PATIENCE: Duration = Duration::from_secs(30);
