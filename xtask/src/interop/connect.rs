//! Either side offers; candidates trickle or stand in the description.

use std::time::Duration;

use anyhow::ensure;
use oxirtc_peerconnection::{DataChannelInit, Message, PeerConnectionState, engine::DtlsGroup};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::heard;
use super::peer::{Negotiation, soon};
use super::suite::Suite;

pub(crate) async fn browser_offers_trickle(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, Setup::default(), NEWEST).await
}

pub(crate) async fn browser_offers_complete(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, complete(), NEWEST).await
}

pub(crate) async fn we_offer_trickle(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, Setup::default(), NEWEST).await
}

pub(crate) async fn we_offer_complete(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, complete(), NEWEST).await
}

/// A browser that speaks no newer version.
pub(crate) async fn dtls_1_2_browser_offers(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, complete(), &["DTLS 1.2"]).await
}

pub(crate) async fn dtls_1_2_we_offer(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, complete(), &["DTLS 1.2"]).await
}

/// The browser speaks both, and we the older one alone.
pub(crate) async fn our_dtls_1_2_browser_offers(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Browser, old(), &["DTLS 1.2"]).await
}

pub(crate) async fn our_dtls_1_2_we_offer(suite: &Suite) -> anyhow::Result<()> {
    greet(suite, Side::Us, old(), &["DTLS 1.2"]).await
}

/// A group of which no browser sends a share before it is asked: its second hello brings back the cookie, which is bound to the first.
pub(crate) async fn our_group_we_offer(suite: &Suite) -> anyhow::Result<()> {
    let setup = Setup {
        group: Some(DtlsGroup::P384),
        ..complete()
    };
    greet(suite, Side::Us, setup, &["DTLS 1.3", "secp384r1"]).await
}

fn old() -> Setup {
    Setup {
        old: true,
        ..complete()
    }
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
        NEWEST,
    )
    .await
}

fn complete() -> Setup {
    let negotiation = Negotiation {
        trickle: false,
        ..Negotiation::default()
    };
    Setup {
        negotiation,
        ..Setup::default()
    }
}

/// What our handshake with a browser of today agrees on.
const NEWEST: &[&str] = &["DTLS 1.3", "X25519MLKEM768"];

/// Connects, and a word goes each way. The handshake is to have agreed on `agreed`.
async fn greet(suite: &Suite, offerer: Side, setup: Setup, agreed: &[&str]) -> anyhow::Result<()> {
    heard::listen();
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
    let handshake = heard::connected(agreed)?;
    // Who answers an offer takes the first step in DTLS.
    let role = match offerer {
        Side::Browser => "Client",
        Side::Us => "Server",
    };
    ensure!(handshake.contains(role), "we {handshake}");
    println!("     {handshake}");
    let transport = call.tab.run("return h.transport()", &[]).await?;
    let version = transport.get("tlsVersion").and_then(|it| it.as_str());
    // A browser may keep it to itself.
    ensure!(
        version.is_none_or(|version| handshake.contains(match version {
            "FEFC" => "DTLS 1.3",
            _ => "DTLS 1.2",
        })),
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
        forged: true,
        ..Negotiation::default()
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
