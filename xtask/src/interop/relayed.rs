//! A browser that is reached by its relay alone, and one whose network lets no datagram through.

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{IceCandidate, IceCandidatePair, IceCandidateType, Message, Protocol};
use serde_json::json;

use super::call::{Call, Relays, Setup, Side};
use super::coturn::server::{Coturn, HOST, Transport};
use super::loss::Loss;
use super::media;
use super::peer::{Negotiation, Told, soon};
use super::suite::Suite;

pub(crate) async fn browser_offers(suite: &Suite) -> anyhow::Result<()> {
    data(suite, Side::Browser).await
}

pub(crate) async fn we_offer(suite: &Suite) -> anyhow::Result<()> {
    data(suite, Side::Us).await
}

/// A word each way, where the browser uses relays alone and tells nothing else.
async fn data(suite: &Suite, offerer: Side) -> anyhow::Result<()> {
    let coturn = Coturn::start("browser", &[HOST], &[]).await?;
    let call = greet(suite, setup(Transport::Udp), offerer).await?;
    goes_by_relay(&call)?;
    call.end().await?;
    coturn.end().await
}

/// Camera and microphone, there and back.
pub(crate) async fn camera(suite: &Suite) -> anyhow::Result<()> {
    let coturn = Coturn::start("camera", &[HOST], &[]).await?;
    let filmed = media::Filmed::new(
        oxirtc_peerconnection::media::Codec::Vp8,
        oxirtc_peerconnection::media::Codec::Opus,
    );
    let call = media::filming_with(suite, setup(Transport::Udp), filmed).await?;
    let decoded = "return h.decoded({ frames: 20, packets: 50 })";
    call.tab.run(decoded, &[]).await?;
    goes_by_relay(&call)?;
    call.end().await?;
    coturn.end().await
}

/// No datagram gets through: each end has a relay, which it reaches over TCP.
pub(crate) async fn without_udp(suite: &Suite) -> anyhow::Result<()> {
    let coturn = Coturn::start("tcp", &[HOST], &[]).await?;
    let loss = Loss::of_all()?;
    let setup = Setup {
        relays: Some(Relays {
            way: Transport::Tcp,
            ours: true,
            only: false,
        }),
        ..Setup::default()
    };
    let call = greet(suite, setup, Side::Browser).await?;
    let kinds = [
        pair(&call)?.local.kind(),
        goes_by_relay(&call)?.remote.kind(),
    ];
    ensure!(
        kinds == [Some(IceCandidateType::Relay); 2],
        "it goes by {kinds:?}"
    );
    loss.end()?;
    call.end().await?;
    coturn.end().await
}

/// No datagram gets through, and there is no server: the browser opens a stream to us.
pub(crate) async fn streams_without_udp(suite: &Suite) -> anyhow::Result<()> {
    let loss = Loss::of_all()?;
    let setup = Setup {
        told: Told::WithTcp,
        ..Setup::default()
    };
    let call = greet(suite, setup, Side::Us).await?;
    let protocol = pair(&call)?.local.protocol();
    ensure!(protocol == Some(Protocol::Tcp), "it goes over {protocol:?}");
    loss.end()?;
    call.end().await
}

fn setup(way: Transport) -> Setup {
    Setup {
        relays: Some(Relays {
            way,
            ours: false,
            only: true,
        }),
        negotiation: Negotiation::default(),
        ..Setup::default()
    }
}

/// Connects, and a word goes each way.
async fn greet(suite: &Suite, setup: Setup, offerer: Side) -> anyhow::Result<Call> {
    let (call, channel) = Call::connect(suite, setup, offerer, "greeting").await?;
    channel.send("hello").await?;
    let answer = "const channel = await h.channel('greeting');
        await h.until(() => channel.count === 1, 'the greeting');
        channel.dc.send(A[0])";
    call.tab.run(answer, &[json!("back")]).await?;
    let heard = soon("the answer", channel.recv()).await?;
    ensure!(heard == Some(Message::from("back")), "{heard:?} came");
    Ok(call)
}

/// The pair in use, which leads to a relay of the browser's.
fn goes_by_relay(call: &Call) -> anyhow::Result<IceCandidatePair> {
    let pair = pair(call)?;
    let kind = pair.remote.kind();
    ensure!(
        kind == Some(IceCandidateType::Relay),
        "it leads to {kind:?}"
    );
    Ok(pair)
}

/// The pair in use, and nothing told but what the browser may tell.
fn pair(call: &Call) -> anyhow::Result<IceCandidatePair> {
    let connection = call.peer.connection();
    let all = connection.transceivers();
    let transports = all.iter().filter_map(|it| it.sender().transport());
    let mut transports = transports.chain(connection.sctp().and_then(|it| it.transport()));
    let ice = transports.next().context("no transport")?.ice_transport();
    let others = ice.remote_candidates().into_iter();
    let mut others = others.filter(|it: &IceCandidate| it.kind() != Some(IceCandidateType::Relay));
    if call.relayed
        && let Some(other) = others.next()
    {
        anyhow::bail!("the browser told {other:?}");
    }
    ice.selected_candidate_pair().context("no pair")
}
