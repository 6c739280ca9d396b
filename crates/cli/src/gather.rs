//! `oxirtc gather`: the candidates that a connection on this machine has, as they come.
#![expect(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Event, IceCandidate, IceCandidateType, IceServer,
    IceServerTransportProtocol, IceTransportPolicy, PeerConnection, Protocol,
};

use crate::outcome::{Outcome, say};

/// What `oxirtc gather` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A STUN or TURN server, such as stun:host:3478 or turn:host?transport=tcp; may stand several times
    #[arg(long = "server", value_name = "URL")]
    servers: Vec<String>,
    /// The user name for the TURN servers
    #[arg(long, requires = "credential")]
    username: Option<String>,
    /// The password for the TURN servers
    #[arg(long, requires = "username")]
    credential: Option<String>,
    /// Only relayed candidates
    #[arg(long)]
    relay: bool,
}

/// Gathers until all is told; Ctrl-C ends it before.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    tokio::select! {
        done = gather(arguments) => done.map(|()| Outcome::Done),
        heard = tokio::signal::ctrl_c() => {
            heard.context("Ctrl-C cannot be heard")?;
            say("oxirtc: interrupted");
            Ok(Outcome::Interrupted)
        }
    }
}

async fn gather(arguments: Arguments) -> anyhow::Result<()> {
    let servers = arguments.servers.iter().map(|url| IceServer {
        urls: vec![url.clone()],
        username: arguments.username.clone(),
        credential: arguments.credential.clone().map(Into::into),
    });
    let policy = match arguments.relay {
        true => IceTransportPolicy::Relay,
        false => IceTransportPolicy::All,
    };
    let connection = PeerConnection::new(Configuration {
        ice_servers: servers.collect(),
        ice_transport_policy: policy,
        ..Configuration::default()
    })?;
    connection.create_data_channel("gather", DataChannelInit::default())?;
    let start = Instant::now();
    connection.set_local_description(None).await?;
    say(format_args!(
        "{:>8}  {:<6} {:<4} {:<46} {}",
        "seconds", "type", "", "address", "server"
    ));
    while let Some(event) = connection.next_event().await {
        match event {
            Event::IceCandidate(Some(candidate)) if !candidate.candidate().is_empty() => {
                say(line(start.elapsed(), &candidate));
            }
            Event::IceCandidateError(error) => say(format_args!(
                "{:>8.3}  {:<6} {:<4} {:<46} {}: {}",
                start.elapsed().as_secs_f64(),
                "error",
                error.error_code,
                error.address.unwrap_or_default(),
                error.url,
                error.error_text
            )),
            Event::IceCandidate(None) => {
                say(format_args!("{:>8.3}  done", start.elapsed().as_secs_f64()));
                break;
            }
            _ => {}
        }
    }
    connection.close();
    Ok(())
}

fn line(after: Duration, candidate: &IceCandidate) -> String {
    let kind = match candidate.kind() {
        Some(IceCandidateType::Host) => "host",
        Some(IceCandidateType::Srflx) => "srflx",
        Some(IceCandidateType::Prflx) => "prflx",
        Some(IceCandidateType::Relay) => "relay",
        None => "?",
    };
    let protocol = match candidate.protocol() {
        Some(Protocol::Udp) => "udp",
        Some(Protocol::Tcp) => "tcp",
        None => "?",
    };
    let address = candidate.address().unwrap_or_default();
    let port = candidate.port().unwrap_or_default();
    let at = match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    };
    let over = match candidate.relay_protocol() {
        Some(IceServerTransportProtocol::Udp) => " over udp",
        Some(IceServerTransportProtocol::Tcp) => " over tcp",
        Some(IceServerTransportProtocol::Tls) => " over tls",
        None => "",
    };
    let server = candidate.url().unwrap_or_default();
    let seconds = after.as_secs_f64();
    let line = format!("{seconds:>8.3}  {kind:<6} {protocol:<4} {at:<46} {server}{over}");
    line.trim_end().to_owned()
}
