//! Tracks held, resumed, added and removed by renegotiation, from both sides in turns, while a camera films.

use anyhow::ensure;
use oxirtc_peerconnection::{MediaKind, MediaStreamTrack, RtpSender, SignalingState, media::Codec};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::call::Call;
use super::media::{self, Filmed};
use super::peer::PATIENCE;
use super::suite::Suite;

const ROUNDS: u32 = 100;

/// Each round is one change, by one side. The camera's pictures come back decoded at the end, as they did at the beginning.
pub(crate) async fn of_all_kinds(suite: &Suite) -> anyhow::Result<()> {
    let filmed = Filmed::new(Codec::Vp8, Codec::Opus);
    let call = media::filming(suite, filmed).await?;
    let start = Instant::now();
    let mut added: Option<(MediaStreamTrack, RtpSender)> = None;
    for round in 0..ROUNDS {
        match round % 8 {
            0 => browser(&call, "await h.hold(true)").await?,
            1 => browser(&call, "await h.add()").await?,
            2 => added = Some(add(&call)?),
            3 => browser(&call, "await h.hold(false)").await?,
            4 => hold(&call, true)?,
            5 => browser(&call, "h.remove()").await?,
            6 => {
                if let Some((_, sender)) = added.take() {
                    call.peer.connection().remove_track(&sender)?;
                }
            }
            _ => hold(&call, false)?,
        }
        settled(&call, &format!("round {round}")).await?;
    }
    let per_round = start.elapsed().as_secs_f64() * 1000.0 / f64::from(ROUNDS);
    println!("     {ROUNDS} rounds, {per_round:.0} ms a round");
    // Held at the end by nobody.
    browser(&call, "await h.hold(false)").await?;
    hold(&call, false)?;
    settled(&call, "all rounds").await?;
    let before = call
        .tab
        .run("return h.pictures('inbound-rtp')", &[])
        .await?;
    let more = before["framesDecoded"].as_u64().unwrap_or(0) + 20;
    let until = "const end = performance.now() + 30000;
        for (;;) {
          const found = await h.pictures('inbound-rtp');
          if (found.framesDecoded >= A[0]) return;
          if (performance.now() > end) throw new Error(`${found.framesDecoded} of ${A[0]} were decoded`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }";
    call.tab.run(until, &[json!(more)]).await?;
    let lines = call.peer.story().lines();
    let failures: Vec<_> = lines.iter().filter(|it| it.contains("ended:")).collect();
    ensure!(failures.is_empty(), "{failures:?}");
    let errors = "return h.events.filter((it) => /(signalling|offer): /.test(it))";
    let errors = call.tab.run(errors, &[]).await?;
    ensure!(errors == json!([]), "{errors}");
    call.end().await
}

async fn browser(call: &Call, script: &str) -> anyhow::Result<()> {
    call.tab.run(script, &[]).await.map(drop)
}

/// A track of ours, of which nothing is written.
fn add(call: &Call) -> anyhow::Result<(MediaStreamTrack, RtpSender)> {
    let (track, _) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = call.peer.connection().add_track(&track, &[])?;
    Ok((track, sender))
}

/// The first section of video: what we send of it.
fn hold(call: &Call, held: bool) -> anyhow::Result<()> {
    use oxirtc_peerconnection::RtpTransceiverDirection::{RecvOnly, SendRecv};
    let all = call.peer.connection().transceivers();
    if let Some(it) = all.iter().find(|it| it.kind() == MediaKind::Video) {
        it.set_direction(if held { RecvOnly } else { SendRecv })?;
    }
    Ok(())
}

/// Waits until both sides are at rest: nothing is open, and nobody wants to negotiate.
pub(super) async fn settled(call: &Call, after: &str) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    let connection = call.peer.connection();
    let mut quiet = 0;
    while quiet < 3 {
        let here = connection.signaling_state() == SignalingState::Stable;
        let there = "return h.pc.signalingState === 'stable' && h.pc.getTransceivers().every((it) => it.stopped || it.currentDirection !== null)";
        let there = call.tab.run(there, &[]).await? == json!(true);
        let directed = connection
            .transceivers()
            .iter()
            .all(|it| it.current_direction().is_some());
        quiet = if here && there && directed {
            quiet + 1
        } else {
            0
        };
        ensure!(
            Instant::now() < end,
            "after {after}: {:?}, {}",
            connection.transceivers(),
            call.tab.run("return h.sections()", &[]).await?
        );
        sleep(std::time::Duration::from_millis(3)).await;
    }
    Ok(())
}
