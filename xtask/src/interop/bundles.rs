//! `bundlePolicy: "max-bundle"` with audio, video and data in one offer, of which the answerer takes what it likes.

use anyhow::ensure;
use oxirtc_peerconnection::{
    BundlePolicy, Configuration, DataChannelInit, MediaKind, Message, PeerConnectionState,
    RtpTransceiverInit,
};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::{Negotiation, PATIENCE, soon};
use super::suite::Suite;

/// The kinds of media that are refused, in each way there is.
const REFUSED: [&[MediaKind]; 4] = [
    &[],
    &[MediaKind::Audio],
    &[MediaKind::Video],
    &[MediaKind::Audio, MediaKind::Video],
];

pub(crate) async fn browser_offers(suite: &Suite) -> anyhow::Result<()> {
    for refused in REFUSED {
        let negotiation = Negotiation {
            refused,
            ..Negotiation::default()
        };
        let call = start(suite, negotiation).await?;
        call.tab.run("h.offerAll()", &[]).await?;
        connected(&call, refused, Side::Browser).await?;
        call.end().await?;
    }
    Ok(())
}

pub(crate) async fn we_offer(suite: &Suite) -> anyhow::Result<()> {
    for refused in REFUSED {
        let call = start(suite, Negotiation::default()).await?;
        let kinds: Vec<_> = refused.iter().map(|it| it.as_str()).collect();
        call.tab.run("h.refused = A[0]", &[json!(kinds)]).await?;
        let connection = call.peer.connection();
        for kind in [MediaKind::Audio, MediaKind::Video] {
            connection.add_transceiver(kind, RtpTransceiverInit::default())?;
        }
        connection.create_data_channel("all", DataChannelInit::default())?;
        connected(&call, refused, Side::Us).await?;
        call.end().await?;
    }
    Ok(())
}

async fn start(suite: &Suite, negotiation: Negotiation) -> anyhow::Result<Call> {
    let setup = Setup {
        negotiation,
        bundled: true,
        ..Setup::default()
    };
    Call::start(suite, setup).await
}

/// Our configuration of such a call.
pub(super) fn configuration() -> Configuration {
    Configuration {
        bundle_policy: BundlePolicy::MaxBundle,
        ..Configuration::default()
    }
}

/// All that was taken is on one transport, and data flow on it.
async fn connected(call: &Call, refused: &[MediaKind], offerer: Side) -> anyhow::Result<()> {
    call.peer
        .reaches(&[PeerConnectionState::Connected], PATIENCE)
        .await?;
    let channel = call.channel(Side::Us, "ours", json!({})).await?;
    channel.send("hello").await?;
    let came = "await h.until(() => h.channels.get('ours').count === 1, 'the message')";
    call.tab.run(came, &[]).await?;
    let back = "h.channels.get('ours').dc.send('and back')";
    call.tab.run(back, &[]).await?;
    let message = soon("the message back", channel.recv()).await?;
    ensure!(message == Some(Message::Text("and back".into())));
    let sections = call.tab.run("return h.sections()", &[]).await?;
    let taken = call.peer.connection().transceivers();
    let living = taken.iter().filter(|it| it.current_direction().is_some());
    let living = living
        .filter(|it| it.sender().transport().is_some())
        .count();
    let expected = 2 - refused.len();
    ensure!(
        living == expected,
        "{offerer:?} offered, {refused:?} refused: {taken:?}, {sections}"
    );
    let ids = "return [...new Set(h.pc.getTransceivers().map(({ sender }) => sender.transport).filter((it) => it).concat(h.pc.sctp.transport))].length";
    let transports = call.tab.run(ids, &[]).await?;
    ensure!(
        transports == json!(1),
        "{transports} transports: {sections}"
    );
    Ok(())
}
