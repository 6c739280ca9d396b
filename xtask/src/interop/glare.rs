//! Perfect negotiation: both sides change something of theirs at the same time, again and again, so that their offers cross.

use std::time::Duration;

use anyhow::ensure;
use oxirtc_peerconnection::{
    MediaKind, PeerConnection, RtpTransceiver, RtpTransceiverDirection, RtpTransceiverInit,
    SignalingState,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::{Call, Setup};
use super::peer::{Negotiation, PATIENCE};
use super::suite::Suite;

/// Ours is the offer that stands.
pub(crate) async fn browser_gives_way(suite: &Suite) -> anyhow::Result<()> {
    rounds(suite, false).await
}

/// The browser's is.
pub(crate) async fn we_give_way(suite: &Suite) -> anyhow::Result<()> {
    rounds(suite, true).await
}

/// Each side has a section of its own, whose direction it turns in each round. No offer is delivered before both are made.
async fn rounds(suite: &Suite, polite: bool) -> anyhow::Result<()> {
    let setup = Setup {
        negotiation: Negotiation {
            polite,
            ..Negotiation::default()
        },
        ..Setup::default()
    };
    let call = Call::start(suite, setup).await?;
    let ours = call.peer.connection();
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        ..RtpTransceiverInit::default()
    };
    let own = ours.add_transceiver(MediaKind::Audio, init)?;
    settled(&call, [&own, &own], None).await?;
    call.tab.run("h.own('video')", &[]).await?;
    settled(&call, [&own, &own], None).await?;
    let theirs = ours.transceivers().into_iter().find(|it| *it != own);
    let theirs = theirs.ok_or_else(|| anyhow::anyhow!("the browser's section is not here"))?;
    let start = Instant::now();
    for round in 0..ROUNDS {
        let sends = round % 2 == 1;
        call.peer.hold(true);
        call.tab.run("await h.turn(A[0])", &[json!(sends)]).await?;
        let wanted = match sends {
            true => RtpTransceiverDirection::SendOnly,
            false => RtpTransceiverDirection::Inactive,
        };
        own.set_direction(wanted)?;
        offered(ours).await?;
        call.peer.hold(false);
        settled(&call, [&own, &theirs], Some(sends)).await?;
    }
    let glares = call.tab.run("return h.glares", &[]).await?;
    println!(
        "     {ROUNDS} rounds, {glares} offers crossed at the browser, {:.0} ms a round",
        start.elapsed().as_secs_f64() * 1000.0 / f64::from(ROUNDS)
    );
    ensure!(glares == json!(ROUNDS), "{glares} of {ROUNDS} crossed");
    without_errors(&call).await?;
    call.end().await
}

/// Neither side's negotiation has met an error.
pub(super) async fn without_errors(call: &Call) -> anyhow::Result<()> {
    let failures = call.peer.story().lines();
    let failures: Vec<_> = failures.iter().filter(|it| it.contains("ended:")).collect();
    ensure!(failures.is_empty(), "{failures:?}");
    let errors = "return h.events.filter((it) => /(signalling|offer): /.test(it))";
    let errors = call.tab.run(errors, &[]).await?;
    ensure!(errors == json!([]), "{errors}");
    Ok(())
}

async fn offered(connection: &PeerConnection) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while connection.signaling_state() != SignalingState::HaveLocalOffer {
        ensure!(Instant::now() < end, "we have not offered");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Waits until both sides are at rest and of one mind: our section and theirs are sent in, or not.
pub(super) async fn settled(
    call: &Call,
    sections: [&RtpTransceiver; 2],
    sends: Option<bool>,
) -> anyhow::Result<()> {
    let sent = |it: &RtpTransceiver, direction| match sends {
        None => it.current_direction().is_some(),
        Some(true) => it.current_direction() == Some(direction),
        Some(false) => it.current_direction() == Some(RtpTransceiverDirection::Inactive),
    };
    let end = Instant::now() + PATIENCE;
    loop {
        let connection = call.peer.connection();
        let [own, theirs] = sections;
        let here = connection.signaling_state() == SignalingState::Stable
            && sent(own, RtpTransceiverDirection::SendOnly)
            && (own == theirs || sent(theirs, RtpTransceiverDirection::RecvOnly));
        if here
            && call
                .tab
                .run("return h.settled(A[0])", &[json!(sends)])
                .await?
                == json!(true)
        {
            return Ok(());
        }
        if Instant::now() > end {
            let there: Value = call.tab.run("return h.sections()", &[]).await?;
            let here: Vec<_> = connection.transceivers();
            anyhow::bail!("no agreement: here {here:?}, there {there}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

const ROUNDS: u32 = 100;
