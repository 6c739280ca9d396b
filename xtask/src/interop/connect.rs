//! Either side offers; candidates trickle or stand in the description.

use std::time::Duration;

use anyhow::ensure;
use oxirtc_peerconnection::{DataChannelInit, Message, PeerConnectionState};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::{Negotiation, soon};
use super::suite::Suite;

pub(crate) async fn browser_offers_trickle(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, Setup::default()).await
}

pub(crate) async fn browser_offers_complete(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, complete()).await
}

pub(crate) async fn we_offer_trickle(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, Setup::default()).await
}

pub(crate) async fn we_offer_complete(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, complete()).await
}

/// RSA-2048 on both sides, which the ECDHE_RSA suites are for.
pub(crate) async fn rsa_certificates(suite: &Suite) -> anyhow::Result<()> {
    greet(
        suite,
        Side::Browser,
        Setup {
            rsa: true,
            ..Setup::default()
        },
    )
    .await
}

fn complete() -> Setup {
    let negotiation = Negotiation {
        trickle: false,
        forged: false,
        echo: false,
    };
    Setup {
        negotiation,
        ..Setup::default()
    }
}

/// Connects, and a word goes each way.
async fn greet(suite: &Suite, offerer: Side, setup: Setup) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, setup, offerer, "greeting").await?;
    call.tab
        .run(
            "(await h.channel('greeting')).dc.send('hello from the browser')",
            &[],
        )
        .await?;
    let heard = soon("the greeting", channel.recv()).await?;
    ensure!(
        heard == Some(Message::from("hello from the browser")),
        "we heard {heard:?}"
    );
    channel.send("hello from Rust").await?;
    let told = "const channel = await h.channel('greeting');
        await h.until(() => channel.count === 1, 'the greeting');
        return channel.messages[0].text;";
    let told = call.tab.run(told, &[]).await?;
    ensure!(told == json!("hello from Rust"), "the browser heard {told}");
    let transport = call.tab.run("return h.transport()", &[]).await?;
    let version = transport.get("tlsVersion");
    // RFC 9147 §5.3: DTLS 1.3, which both sides prefer. A browser may keep it to itself.
    ensure!(
        version.is_none_or(|version| version == "FEFC"),
        "DTLS version {version:?}"
    );
    ensure!(
        transport
            .get("dtlsState")
            .is_none_or(|state| state == "connected"),
        "transport {transport}"
    );
    call.end().await
}

/// Both sides offer at once; the browser's offer is rolled back, and both channels come to be.
pub(crate) async fn both_offer(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(
        suite,
        Setup {
            echo: true,
            ..Setup::default()
        },
    )
    .await?;
    let ours = call
        .peer
        .connection()
        .create_data_channel("ours", DataChannelInit::default())?;
    call.tab.run("h.open('theirs', {})", &[]).await?;
    let theirs = call.peer.arrived().await?;
    for channel in [ours, theirs] {
        soon("a channel to open", channel.opened()).await??;
        channel.send("through").await?;
        let back = soon("the echo", channel.recv()).await?;
        ensure!(back == Some(Message::from("through")), "{back:?} came back");
    }
    call.end().await
}

/// RFC 8122 §6.2: the connection fails, and nothing of it was delivered.
pub(crate) async fn forged_fingerprint(suite: &Suite) -> anyhow::Result<()> {
    let negotiation = Negotiation {
        trickle: true,
        forged: true,
        echo: false,
    };
    let call = Call::start(
        suite,
        Setup {
            negotiation,
            ..Setup::default()
        },
    )
    .await?;
    let own = call
        .peer
        .connection()
        .create_data_channel("own", DataChannelInit::default())?;
    call.tab
        .run(
            "h.open('browser', {}).dc.onopen = () => h.channels.get('browser').dc.send('secret')",
            &[],
        )
        .await?;
    call.peer
        .reaches(&[PeerConnectionState::Failed], Duration::from_secs(20))
        .await?;
    ensure!(
        !call.peer.has_arrived().await,
        "a channel arrived from a peer that is not the one announced"
    );
    ensure!(own.try_recv().is_none(), "a message was delivered");
    call.end().await
}
