//! Sections of a first offer that come to share a transport, and offers of both sides after it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    DataChannelInit, MediaKind, Message, RtpTransceiver, RtpTransceiverDirection,
    RtpTransceiverInit,
};
use serde_json::json;
use tokio::time::Instant;

use super::call::{Call, Setup};
use super::glare::{settled, without_errors};
use super::peer::{PATIENCE, soon};
use super::restart;
use super::suite::Suite;

/// We offer sound, pictures and data before anything is agreed on; then the browser offers, then we do, then we restart ICE. Data goes on
/// all the time.
pub(crate) async fn come_together(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(suite, Setup::default()).await?;
    let ours = call.peer.connection();
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        ..RtpTransceiverInit::default()
    };
    let sound = ours.add_transceiver(MediaKind::Audio, init.clone())?;
    let pictures = ours.add_transceiver(MediaKind::Video, init)?;
    let channel = ours.create_data_channel("first", DataChannelInit::default())?;
    soon("the channel to open", channel.opened()).await??;
    settled(&call, [&sound, &pictures], None).await?;
    let echo = "(await h.channel('first')).echo = true";
    call.tab.run(echo, &[]).await?;
    call.tab.run("h.own('video')", &[]).await?;
    let theirs = loop_until(|| ours.transceivers().into_iter().nth(2)).await?;
    settled(&call, [&pictures, &theirs], None).await?;
    let inactive = RtpTransceiverDirection::Inactive;
    sound.set_direction(inactive)?;
    let agreed = |it: &RtpTransceiver| it.current_direction() == Some(inactive);
    loop_until(|| agreed(&sound).then_some(())).await?;
    settled(&call, [&pictures, &theirs], None).await?;
    let before = restart::ufrags(ours)?;
    ours.restart_ice();
    restart::settled(&call, ours, &before).await?;
    channel.send("over one transport").await?;
    let back = soon("the echo", channel.recv()).await?;
    let wanted = Message::from("over one transport");
    ensure!(
        back.context("the channel closed")? == wanted,
        "another message came"
    );
    without_errors(&call).await?;
    let states = "return h.events.filter((event) => / (failed|disconnected|closed)$/.test(event))";
    let states = call.tab.run(states, &[]).await?;
    ensure!(states == json!([]), "in the browser: {states}");
    call.end().await
}

/// Waits until there is one.
async fn loop_until<T>(mut find: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "no agreement in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
