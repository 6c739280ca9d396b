//! `bundlePolicy: "max-bundle"` with audio, video and data in one offer, of which the answerer takes what it likes.

use anyhow::ensure;
use oxirtc_peerconnection::{
    DataChannelInit, MediaKind, Message, PeerConnectionState, RtpTransceiver,
    RtpTransceiverDirection::Inactive, RtpTransceiverInit,
};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::{Negotiation, PATIENCE, Refused, soon};
use super::suite::Suite;

/// The kinds of media that are refused, in each way there is. That the section which stands first is stopped has a test of its own.
const REFUSED: [Refused; 5] = [
    inactive(&[]),
    inactive(&[MediaKind::Audio]),
    inactive(&[MediaKind::Video]),
    inactive(&[MediaKind::Audio, MediaKind::Video]),
    Refused {
        kinds: &[MediaKind::Video],
        stopped: true,
    },
];

const fn inactive(kinds: &'static [MediaKind]) -> Refused {
    Refused {
        kinds,
        stopped: false,
    }
}

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
        let kinds: Vec<_> = refused.kinds.iter().map(|it| it.as_str()).collect();
        let arguments = [json!(kinds), json!(refused.stopped)];
        call.tab.run("[h.refused, h.stops] = A", &arguments).await?;
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

/// All that was taken is on one transport, and data flow on it.
async fn connected(call: &Call, refused: Refused, offerer: Side) -> anyhow::Result<()> {
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
    let is_taken = |it: &&RtpTransceiver| {
        let flows = it.current_direction().is_some_and(|it| it != Inactive);
        flows && it.sender().transport().is_some()
    };
    let living = taken.iter().filter(is_taken);
    let as_wanted = living.clone().all(|it| !refused.kinds.contains(&it.kind()));
    ensure!(
        as_wanted && living.count() == 2 - refused.kinds.len(),
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
