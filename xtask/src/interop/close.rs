//! Endings: of a channel, of a connection, of a tab.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    DataChannelState, DtlsTransportState, Message, PeerConnectionState, SctpTransport,
    SctpTransportState,
};
use ring::digest::{Context as Digest, SHA256};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::call::{Call, Setup, Side};
use super::peer::{PATIENCE, soon};
use super::suite::Suite;
use super::transfer::{hex, send};

/// It sends without waiting and closes at once: all of it comes.
pub(crate) async fn browser_closes_channel(suite: &Suite) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Browser, "short").await?;
    let script = "const { dc } = await h.channel('short');
        const hash = new (await import('./sha256.js')).Sha256();
        for (let seed = 0; seed < A[0] / 65536; seed++) {
          const piece = h.message('binary', 65536, seed);
          hash.update(piece);
          dc.send(piece);
        }
        dc.close();
        return hash.hex();";
    let sent = call.tab.run(script, &[json!(TOTAL)]).await?;
    let mut digest = Digest::new(&SHA256);
    let mut came = 0;
    while let Some(message) = soon("the next message or the end", channel.recv()).await? {
        came += message.len();
        digest.update(message.as_bytes());
    }
    ensure!(came == TOTAL, "{came} of {TOTAL} bytes came before the end");
    ensure!(sent == json!(hex(digest)), "the digests differ");
    ensure!(
        channel.ready_state() == DataChannelState::Closed,
        "{:?} after the end",
        channel.ready_state()
    );
    call.tab.run("const { dc } = h.channels.get('short'); await h.until(() => dc.readyState === 'closed', 'close')", &[]).await?;
    goes_on(&call).await
}

/// The same from our side; `closed` returns when both directions are reset.
pub(crate) async fn we_close_channel(suite: &Suite) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Browser, "short").await?;
    let sent = send(&channel, TOTAL).await?;
    channel.close();
    soon("our close", channel.closed()).await??;
    ensure!(
        channel.ready_state() == DataChannelState::Closed,
        "{:?} after close",
        channel.ready_state()
    );
    all_came(&call, &sent).await?;
    goes_on(&call).await
}

/// `shutdown` lets out what was sent, then ends the connection.
pub(crate) async fn we_shut_down(suite: &Suite) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Us, "short").await?;
    let sent = send(&channel, TOTAL).await?;
    soon("our shutdown", call.peer.connection().shutdown()).await?;
    all_came(&call, &sent).await?;
    call.end().await
}

/// RTCPeerConnection.close() is told to us by close_notify or ABORT. What ends at once are channels and association: by
/// W3C §4.3.3 a connection whose DTLS was closed stays `connected` as long as ICE is.
pub(crate) async fn browser_closes_connection(suite: &Suite) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Us, "idle").await?;
    call.tab.run("h.pc.close()", &[]).await?;
    let start = Instant::now();
    let heard = timeout(AT_ONCE, channel.recv()).await;
    let heard = heard.context("the channel is still open")?;
    ensure!(heard.is_none(), "{heard:?} came");
    ensure!(
        told_of_end(&call),
        "the channel closed, its transports did not"
    );
    println!(
        "     ended {:.0} ms after close()",
        start.elapsed().as_secs_f64() * 1e3
    );
    call.end().await
}

/// A tab that is closed says goodbye by close_notify or ABORT, or else consent expires.
pub(crate) async fn tab_closed(suite: &Suite) -> anyhow::Result<()> {
    let setup = Setup {
        beside: true,
        ..Setup::default()
    };
    let (call, channel) = Call::connect(suite, setup, Side::Browser, "idle").await?;
    channel.send("before the end").await?;
    soon("the message's arrival", channel.flush()).await??;
    call.tab.clone().close().await?;
    let start = Instant::now();
    let end = [PeerConnectionState::Closed, PeerConnectionState::Failed];
    let how = tokio::select! {
        heard = channel.recv() => {
            ensure!(heard.is_none(), "{heard:?} came");
            ensure!(told_of_end(&call), "the channel closed, its transports did not");
            ensure!(start.elapsed() < AT_ONCE, "told of its end after {:?}", start.elapsed());
            "told of its end"
        }
        state = call.peer.reaches(&end, Duration::from_secs(35)) => {
            state?;
            "failed"
        }
    };
    println!(
        "     {how} {:.2} s after the tab was closed",
        start.elapsed().as_secs_f64()
    );
    call.peer.end().await;
    Ok(())
}

/// Whether the transports say that the peer said goodbye.
fn told_of_end(call: &Call) -> bool {
    let sctp = call.peer.connection().sctp();
    let dtls = sctp.as_ref().and_then(SctpTransport::transport);
    sctp.is_none_or(|it| it.state() == SctpTransportState::Closed)
        || dtls.is_some_and(|it| it.state() == DtlsTransportState::Closed)
}

async fn all_came(call: &Call, sent: &str) -> anyhow::Result<()> {
    let script = "const channel = h.channels.get('short');
        await h.until(() => channel.dc.readyState === 'closed', 'the close');
        return [channel.bytes, channel.hash.hex()];";
    let came = call.tab.run(script, &[]).await?;
    ensure!(
        came == json!([TOTAL, sent]),
        "of {TOTAL} bytes with digest {sent} came {came}"
    );
    Ok(())
}

/// After a channel's end the connection works on, and its id may be used again.
async fn goes_on(call: &Call) -> anyhow::Result<()> {
    for opener in [Side::Browser, Side::Us] {
        let label = format!("next by {opener:?}");
        let channel = call.channel(opener, &label, json!({})).await?;
        call.tab
            .run("(await h.channel(A[0])).echo = true", &[json!(label)])
            .await?;
        channel.send("on").await?;
        let back = soon("the echo", channel.recv())
            .await?
            .context("the channel closed")?;
        ensure!(back == Message::from("on"), "{back:?} came back");
    }
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    call.tab.run("h.pc.close()", &[]).await?;
    Ok(())
}

const TOTAL: usize = 4 << 20;
/// For what one datagram tells.
const AT_ONCE: Duration = Duration::from_secs(3);
