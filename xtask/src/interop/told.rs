//! One side tells its candidates, and the other has to make something of them: resolve names in the place of addresses, or
//! open streams.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{Message, Protocol, SessionDescription};
use serde_json::json;
use tokio::time::sleep;

use super::call::{Call, Setup, Side};
use super::peer::{Negotiation, Told, soon};
use super::suite::Suite;
use super::tshark::Tshark;

/// The browser hides its addresses, and is told none of ours, so that it checks nothing before we do: it is there once we have resolved its names,
/// as the answer on the link shows.
pub(crate) async fn we_resolve(suite: &Suite) -> anyhow::Result<()> {
    resolve(suite, Side::Browser).await
}

/// The same, where we offer.
pub(crate) async fn we_resolve_and_offer(suite: &Suite) -> anyhow::Result<()> {
    resolve(suite, Side::Us).await
}

async fn resolve(suite: &Suite, offerer: Side) -> anyhow::Result<()> {
    let fields = ["dns.flags.response", "dns.resp.name"];
    let tshark = Tshark::start(None, "any", "udp port 5353", &fields).await?;
    let call = connect(suite, Told::TheirsOnly, offerer).await?;
    let names = hidden(call.peer.connection().remote_description())?;
    call.end().await?;
    // It tells what it sees a little later.
    sleep(LATER).await;
    let heard = tshark.end().await?;
    // As one version writes it, or another.
    let is_answer = |line: &&str| line.starts_with('1') || line.starts_with("True");
    let answers: Vec<_> = heard.lines().filter(is_answer).collect();
    let answered = |name: &String| answers.iter().any(|line| line.contains(name));
    ensure!(names.iter().any(answered), "{names:?} in {heard:?}");
    Ok(())
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

/// All of its host candidates have names, and no line an address of the bridge. The names.
fn hidden(description: Option<SessionDescription>) -> anyhow::Result<Vec<String>> {
    let sdp = description.context("no description")?.sdp;
    let candidates = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
    let candidates: Vec<_> = candidates.collect();
    ensure!(!candidates.is_empty(), "no candidate in {sdp}");
    let named = |line: &&str| line.contains(".local ") || line.contains(" tcp ");
    ensure!(candidates.iter().all(named), "{candidates:?}");
    ensure!(!sdp.contains("10.77.0.1"), "an address is shown: {sdp}");
    let words = candidates.iter().flat_map(|line| line.split(' '));
    let names = words.filter(|word| word.ends_with(".local"));
    Ok(names.map(str::to_owned).collect())
}

const LATER: Duration = Duration::from_secs(2);
