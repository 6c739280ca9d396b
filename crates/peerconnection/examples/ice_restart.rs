//! An ICE restart: new credentials and candidates under a connection that goes on. It is what helps when a machine has another
//! network, and what brings back a connection that has failed.

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{Configuration, DataChannel, DataChannelInit, Event, PeerConnection};

#[tokio::main]
async fn main() -> Result<()> {
    let (near, far) = (
        PeerConnection::new(Configuration::default())?,
        PeerConnection::new(Configuration::default())?,
    );
    let channel = near.create_data_channel("chat", DataChannelInit::default())?;
    negotiate(&near, &far).await?;
    let incoming = far.next_data_channel().await?;
    channel.opened().await?;
    say(&channel, &incoming, "before").await?;
    let before = ufrag(&near)?;

    // Messages could go on meanwhile.
    near.restart_ice();
    loop {
        let event = near.next_event().await.context("the connection ended")?;
        if matches!(event, Event::NegotiationNeeded) {
            break;
        }
    }
    negotiate(&near, &far).await?;
    say(&channel, &incoming, "after").await?;
    let after = ufrag(&near)?;
    ensure!(before != after, "the credentials are the old ones");
    println!(
        "the ufrag was {before} and is {after}; the channel is {:?}",
        channel.ready_state()
    );
    near.shutdown().await;
    Ok(())
}

/// One description each way, with all candidates.
async fn negotiate(near: &PeerConnection, far: &PeerConnection) -> Result<()> {
    near.set_local_description(None).await?;
    far.set_remote_description(near.gathered().await?).await?;
    far.set_local_description(None).await?;
    near.set_remote_description(far.gathered().await?).await?;
    Ok(())
}

async fn say(from: &DataChannel, to: &DataChannel, text: &str) -> Result<()> {
    from.send(text).await?;
    println!(
        "{:?} arrived",
        to.recv().await.context("the channel closed")?
    );
    Ok(())
}

fn ufrag(connection: &PeerConnection) -> Result<String> {
    let dtls = connection.sctp().and_then(|sctp| sctp.transport());
    let ice = dtls.context("no transport")?.ice_transport();
    let parameters = ice.local_parameters().context("no credentials")?;
    Ok(parameters.username_fragment)
}
