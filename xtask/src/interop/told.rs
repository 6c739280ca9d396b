//! One side tells its candidates, and the other has to make something of them: resolve names in the place of addresses, or
//! open streams.

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{Message, Protocol, SessionDescription};
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::{Negotiation, Told, soon};
use super::suite::Suite;

/// The browser hides its addresses, and is told none of ours: it is there once we have resolved its names.
pub(crate) async fn we_resolve(suite: &Suite) -> anyhow::Result<()> {
    resolve(suite, Side::Browser).await
}

/// The same, where we offer.
pub(crate) async fn we_resolve_and_offer(suite: &Suite) -> anyhow::Result<()> {
    resolve(suite, Side::Us).await
}

async fn resolve(suite: &Suite, offerer: Side) -> anyhow::Result<()> {
    let call = connect(suite, Told::TheirsOnly, offerer).await?;
    hidden(call.peer.connection().remote_description())?;
    call.end().await
}

/// The other way round.
pub(crate) async fn browser_resolves(suite: &Suite) -> anyhow::Result<()> {
    let call = connect(suite, Told::OursOnly, Side::Browser).await?;
    hidden(call.peer.connection().local_description())?;
    call.end().await
}

/// Nothing of what would lead over UDP is told.
pub(crate) async fn browser_opens_streams(suite: &Suite) -> anyhow::Result<()> {
    let call = connect(suite, Told::OursOverTcp, Side::Browser).await?;
    let transport = call.peer.connection().sctp().and_then(|it| it.transport());
    let transport = transport.context("no transport")?.ice_transport();
    let pair = transport.selected_candidate_pair().context("no pair")?;
    let protocol = pair.local.protocol();
    ensure!(protocol == Some(Protocol::Tcp), "it goes over {protocol:?}");
    call.end().await
}

/// Connects, and a word goes each way.
async fn connect(suite: &Suite, told: Told, offerer: Side) -> anyhow::Result<Call> {
    let negotiation = Negotiation {
        trickle: false,
        ..Negotiation::default()
    };
    let setup = Setup {
        negotiation,
        told,
        ..Setup::default()
    };
    let (call, channel) = Call::connect(suite, setup, offerer, "names").await?;
    channel.send("hello").await?;
    let script = "(await h.channel('names')).dc.send(A[0])";
    call.tab.run(script, &[json!("back")]).await?;
    let heard = soon("the answer", channel.recv()).await?;
    ensure!(heard == Some(Message::from("back")), "{heard:?} came");
    Ok(call)
}

/// All of its host candidates have names, and no line an address of the bridge.
fn hidden(description: Option<SessionDescription>) -> anyhow::Result<()> {
    let sdp = description.context("no description")?.sdp;
    let candidates = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
    let candidates: Vec<_> = candidates.collect();
    ensure!(!candidates.is_empty(), "no candidate in {sdp}");
    let named = |line: &&str| line.contains(".local ") || line.contains(" tcp ");
    ensure!(candidates.iter().all(named), "{candidates:?}");
    ensure!(!sdp.contains("10.77.0.1"), "an address is shown: {sdp}");
    Ok(())
}
