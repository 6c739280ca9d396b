//! ICE restarts while data flows both ways.

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{PeerConnection, PeerConnectionState};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::PATIENCE;
use super::suite::Suite;
use super::transfer::both_ways;

pub(crate) async fn by_browser(suite: &Suite) -> anyhow::Result<()> {
    restart(suite, Side::Browser).await
}

pub(crate) async fn by_us(suite: &Suite) -> anyhow::Result<()> {
    restart(suite, Side::Us).await
}

/// A third of the way through; the rest arrives, over a route with new credentials at both ends.
async fn restart(suite: &Suite, side: Side) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Browser, "bulk").await?;
    let ours = call.peer.connection();
    let before = ufrags(ours)?;
    if side == Side::Browser {
        let armed = "const channel = await h.channel('bulk');
            h.until(() => channel.bytes > A[0], 'a third', 60).then(() => h.pc.restartIce());";
        call.tab.run(armed, &[json!(TOTAL / 3)]).await?;
    }
    let mut done = side == Side::Browser;
    both_ways(&call, &channel, TOTAL, async |came| {
        if came > TOTAL / 3 && !done {
            done = true;
            call.peer.connection().restart_ice();
        }
        Ok(())
    })
    .await?;
    settled(&call, ours, &before).await?;
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    // The new route carries data.
    both_ways_again(&call).await?;
    let states = call
        .tab
        .run(
            "return h.events.filter((event) => / (failed|disconnected|closed)$/.test(event))",
            &[],
        )
        .await?;
    ensure!(states == json!([]), "in the browser: {states}");
    call.end().await
}

/// Waits for the negotiation's end: both credentials are new.
pub(super) async fn settled(
    call: &Call,
    ours: &PeerConnection,
    before: &(String, String),
) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = ufrags(ours)?;
        if now.0 != before.0 && now.1 != before.1 {
            break;
        }
        ensure!(
            tokio::time::Instant::now() < end,
            "credentials before {before:?}, after {now:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let checked =
        "await h.until(() => ['connected', 'completed'].includes(h.pc.iceConnectionState), 'ICE');
        await h.until(() => h.pc.signalingState === 'stable', 'stable');";
    call.tab.run(checked, &[]).await?;
    Ok(())
}

async fn both_ways_again(call: &Call) -> anyhow::Result<()> {
    let channel = call.channel(Side::Us, "after", json!({})).await?;
    call.tab
        .run("(await h.channel('after')).echo = true", &[])
        .await?;
    channel.send("over the new route").await?;
    let back = super::peer::soon("the echo after the restart", channel.recv()).await?;
    back.map(|_| ()).context("the channel closed")
}

/// Ours and the browser's, of what was agreed on last.
pub(super) fn ufrags(ours: &PeerConnection) -> anyhow::Result<(String, String)> {
    Ok((
        ufrag(ours.current_local_description())?,
        ufrag(ours.current_remote_description())?,
    ))
}

fn ufrag(description: Option<oxirtc_peerconnection::SessionDescription>) -> anyhow::Result<String> {
    let sdp = description.context("no description")?.sdp;
    let line = sdp
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    line.map(str::to_owned)
        .context("no ufrag in the description")
}

const TOTAL: usize = 24 << 20;
