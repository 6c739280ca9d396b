//! Two peers connect, and one says hello to the other.

use oxirtc_peerconnection::{Configuration, DataChannelInit, Error, PeerConnection};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (a, b) = (
        PeerConnection::new(Configuration::default())?,
        PeerConnection::new(Configuration::default())?,
    );
    let chat = a.create_data_channel("chat", DataChannelInit::default())?;
    a.set_local_description(None).await?;
    b.set_remote_description(a.gathered().await?).await?; // the description with all candidates
    b.set_local_description(None).await?;
    a.set_remote_description(b.gathered().await?).await?;
    let incoming = b.next_data_channel().await?; // leaves other events where they are
    chat.opened().await?;
    chat.send("hello").await?;
    println!("{:?}", incoming.recv().await);
    a.shutdown().await;
    Ok(())
}
