//! The section that stands first in a group is stopped, and what shares its transport goes on.

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    DataChannel, DtlsTransportState, Message, PeerConnectionState, SctpTransportState, media::Codec,
};
use serde_json::json;

use super::call::Side;
use super::media::{Filmed, filming};
use super::peer::{PATIENCE, soon};
use super::suite::Suite;

pub(crate) async fn stopped_by_browser(suite: &Suite) -> anyhow::Result<()> {
    stopped(suite, Side::Browser).await
}

pub(crate) async fn stopped_by_us(suite: &Suite) -> anyhow::Result<()> {
    stopped(suite, Side::Us).await
}

/// Sound, pictures and data share a transport; the sound goes. Chromium makes a new transport for the others under the old
/// credentials (RFC 9143 §7.3 has it stay), and so another DTLS association, once with each role.
async fn stopped(suite: &Suite, by: Side) -> anyhow::Result<()> {
    let call = filming(suite, Filmed::new(Codec::Vp8, Codec::Opus)).await?;
    let ours = call.peer.connection();
    let channel = call.channel(Side::Us, "ours", json!({})).await?;
    let theirs = call.channel(Side::Browser, "theirs", json!({})).await?;
    let echoes = "for (const name of ['ours', 'theirs']) (await h.channel(name)).echo = true";
    call.tab.run(echoes, &[]).await?;
    echoed(&channel, "before").await?;
    echoed(&theirs, "before").await?;
    let first = ours.transceivers().into_iter().next();
    let first = first.context("no transceiver")?;
    match by {
        Side::Browser => {
            call.tab
                .run("h.pc.getTransceivers()[0].stop()", &[])
                .await?
        }
        Side::Us => first.stop().map(|()| json!(null))?,
    };
    let gone = "await h.until(() => h.pc.getTransceivers().length === 1 && h.pc.signalingState === 'stable', 'the end of a section')";
    call.tab.run(gone, &[]).await?;
    // Pictures go both ways after that.
    let before = call
        .tab
        .run("return h.pictures('inbound-rtp')", &[])
        .await?;
    let before = before["framesDecoded"].as_u64().unwrap_or_default();
    let wanted = [json!({ "frames": before + 30, "packets": 0 })];
    call.tab.run("return h.decoded(A[0])", &wanted).await?;
    // So do messages, over channels that stand and those that are new.
    echoed(&channel, "after").await?;
    echoed(&theirs, "after").await?;
    let fresh = call.channel(Side::Us, "fresh", json!({})).await?;
    call.tab
        .run("(await h.channel('fresh')).echo = true", &[])
        .await?;
    echoed(&fresh, "over a new one").await?;
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    let sctp = ours.sctp().context("no association")?;
    ensure!(sctp.state() == SctpTransportState::Connected);
    let carrier = sctp.transport().context("no transport")?;
    ensure!(carrier.state() == DtlsTransportState::Connected);
    call.end().await
}

async fn echoed(channel: &DataChannel, text: &str) -> anyhow::Result<()> {
    channel.send(text).await?;
    let back = soon("an echo", channel.recv()).await?;
    ensure!(back == Some(Message::Text(text.into())), "{back:?} came");
    Ok(())
}
