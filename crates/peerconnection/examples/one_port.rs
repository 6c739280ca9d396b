//! A server whose visitors all come in at one UDP port. An offer comes and an answer goes, as an HTTP POST would have it: neither
//! side needs to trickle.
//!
//! The visitors play here as well; a browser would do what `visit` does.

use anyhow::{Context as _, Result};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Endpoint, Event, PeerConnection,
    PeerConnectionState, SessionDescription,
};

const VISITORS: usize = 20;

#[tokio::main]
async fn main() -> Result<()> {
    // A server of yours has a port that its firewall lets through: "0.0.0.0:5000".
    let endpoint = Endpoint::bind("0.0.0.0:0")?;
    println!(
        "serving {VISITORS} visitors at {}",
        endpoint.local_address()?
    );
    let mut visits = tokio::task::JoinSet::new();
    for number in 0..VISITORS {
        visits.spawn(visit(endpoint.clone(), number));
    }
    while let Some(visit) = visits.join_next().await {
        visit??;
    }
    println!("all were answered, and have left");
    Ok(())
}

/// The server's part: an answer for an offer, and a task that serves the visitor until it leaves.
async fn answer(endpoint: &Endpoint, offer: SessionDescription) -> Result<SessionDescription> {
    let connection = endpoint.peer_connection(Configuration::default())?;
    connection.set_remote_description(offer).await?;
    connection.set_local_description(None).await?;
    let answer = connection.gathered().await?;
    tokio::spawn(serve(connection));
    Ok(answer)
}

async fn serve(connection: PeerConnection) {
    while let Some(event) = connection.next_event().await {
        match event {
            Event::DataChannel(channel) => drop(tokio::spawn(echo(channel))),
            // Without this the visitor's connection would stay, for nobody.
            Event::PeerClosed | Event::ConnectionStateChange(PeerConnectionState::Failed) => break,
            _ => {}
        }
    }
    // `echo` has a handle, too, and would wait on for the words of a visitor that is lost.
    connection.close();
}

async fn echo(channel: DataChannel) {
    while let Some(message) = channel.recv().await {
        if channel.send(message).await.is_err() {
            return;
        }
    }
}

/// A visitor's part.
async fn visit(endpoint: Endpoint, number: usize) -> Result<()> {
    let connection = PeerConnection::new(Configuration::default())?;
    let channel = connection.create_data_channel("echo", DataChannelInit::default())?;
    connection.set_local_description(None).await?;
    let offer = connection.gathered().await?;
    let answer = answer(&endpoint, offer).await?;
    connection.set_remote_description(answer).await?;
    channel.opened().await?;
    let sent = format!("visitor {number}");
    channel.send(sent.as_str()).await?;
    let back = channel.recv().await.context("no answer")?;
    anyhow::ensure!(back.as_text() == Some(&sent), "{back:?} came back");
    connection.shutdown().await;
    Ok(())
}
