//! W3C §10.6: chat over data channels. One is announced to the peer, one is agreed on beforehand and carries what may be lost.

use anyhow::{Context, Result};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Message, PeerConnection, Priority, engine::Settings,
};

#[tokio::main]
async fn main() -> Result<()> {
    let settings = || Settings::default().loopback(true);
    let connection = || PeerConnection::with_settings(Configuration::default(), settings());
    let (here, there) = (connection()?, connection()?);

    // The peer learns of this one by itself.
    let chat = here.create_data_channel("chat", DataChannelInit::default())?;
    // This one both sides make, with the same id: positions in a game, of which only the newest matters.
    let positions = DataChannelInit {
        negotiated: true,
        id: Some(1_000),
        ordered: false,
        max_retransmits: Some(0),
        priority: Priority::High,
        ..DataChannelInit::default()
    };
    let mine = here.create_data_channel("positions", positions.clone())?;
    let yours = there.create_data_channel("positions", positions)?;

    here.set_local_description(None).await?;
    there.set_remote_description(here.gathered().await?).await?;
    there.set_local_description(None).await?;
    here.set_remote_description(there.gathered().await?).await?;

    let incoming = there.next_data_channel().await?;
    println!("«{}», id {:?}", incoming.label(), incoming.id());
    chat.opened().await?;
    chat.send("Knock, knock.").await?;
    let question = incoming.recv().await.context("a message")?;
    incoming.send("Who is there?").await?;
    let answer = chat.recv().await.context("an answer")?;
    println!("{question:?} {answer:?}");
    anyhow::ensure!(answer == Message::from("Who is there?"));

    mine.opened().await?;
    yours.opened().await?;
    mine.send(vec![1, 2, 3]).await?;
    println!("{:?}", yours.recv().await.context("a position")?);

    // What was sent is delivered, then both ends are closed.
    chat.send("Nobody.").await?;
    chat.close();
    println!("{:?}", incoming.recv().await.context("the last word")?);
    anyhow::ensure!(incoming.recv().await.is_none(), "and nothing after it");
    here.shutdown().await;
    Ok(())
}
