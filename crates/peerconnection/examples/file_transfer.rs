//! A file goes to a peer as fast as the network takes it, with a few pieces in memory, however long the file is: `send` waits while
//! its buffer is full, and what the receiver does not read holds up the sender.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Message, PeerConnection, PeerConnectionState,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

/// What every peer takes in one message.
const PIECE: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<()> {
    let room = std::env::temp_dir().join(format!("oxirtc-file-transfer-{}", std::process::id()));
    tokio::fs::create_dir_all(&room).await?;
    let outcome = transfer(room.join("sent"), room.join("received")).await;
    tokio::fs::remove_dir_all(&room).await?;
    outcome
}

async fn transfer(from: PathBuf, to: PathBuf) -> Result<()> {
    let content: Vec<u8> = (0..8 << 20).map(|at: u32| (at / 251) as u8).collect();
    tokio::fs::write(&from, &content).await?;

    let (near, far) = (
        PeerConnection::new(Configuration::default())?,
        PeerConnection::new(Configuration::default())?,
    );
    let channel = near.create_data_channel("file", DataChannelInit::default())?;
    near.set_local_description(None).await?;
    far.set_remote_description(near.gathered().await?).await?;
    far.set_local_description(None).await?;
    near.set_remote_description(far.gathered().await?).await?;

    let receiving = tokio::spawn(receive(far, to.clone()));
    send(&channel, from).await?;
    let bytes = receiving.await??;
    println!(
        "{bytes} bytes came, {} messages went",
        channel.counts().messages_sent
    );
    ensure!(tokio::fs::read(&to).await? == content, "another file came");
    near.shutdown().await;
    Ok(())
}

async fn send(channel: &DataChannel, path: PathBuf) -> Result<()> {
    channel.opened().await?;
    let mut file = File::open(path).await?;
    let size = file.metadata().await?.len();
    channel.send(size.to_string()).await?;
    loop {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        piece.truncate(length);
        channel.send(piece).await?; // waits for room
    }
    // What was sent is still delivered; then both directions are closed.
    channel.close();
    channel.closed().await?;
    Ok(())
}

async fn receive(connection: PeerConnection, path: PathBuf) -> Result<u64> {
    let channel = connection.next_data_channel().await?;
    let first = channel.recv().await.context("no size came")?;
    let size: u64 = first.as_text().context("a size is text")?.parse()?;
    let (mut file, mut bytes) = (File::create(path).await?, 0);
    loop {
        // A sender that is out of reach does not end `recv`, as an ICE restart could bring it back. Here it ends the transfer.
        let message = tokio::select! {
            message = channel.recv() => message,
            _ = connection.wait_for(PeerConnectionState::Failed) => break,
        };
        let Some(Message::Binary(piece)) = message else {
            break;
        };
        file.write_all(&piece).await?;
        bytes += piece.len() as u64;
    }
    file.flush().await?;
    ensure!(bytes == size, "{bytes} of {size} bytes came");
    Ok(bytes)
}
