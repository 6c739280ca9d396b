//! Plays a file to a peer: frame by frame, each when its time has come, and again from the beginning at its end. Two connections of
//! this process talk to each other, so that it runs by itself; in yours the descriptions come from a browser, and the file from a
//! disk.

use std::time::Duration;

use oxirtc_container::{PATTERN, Reader};
use oxirtc_peerconnection::{
    Configuration, MediaKind, MediaStreamTrack, PeerConnection,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter},
};
use tokio::time::{Instant, sleep_until};

/// Plays a file of VP8 until nobody watches any more.
async fn play(file: &[u8], screen: &FrameWriter) -> anyhow::Result<()> {
    loop {
        let mut reader = Reader::open(file)?;
        let start = Instant::now();
        while let Some(frame) = reader.read()? {
            sleep_until(start + frame.time).await;
            screen
                .write(EncodedFrame::new(Codec::Vp8, frame.payload))
                .await?;
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (player, viewer) = (connection()?, connection()?);
    let (track, screen) = MediaStreamTrack::from_frames(MediaKind::Video);
    player.add_track(&track, &[])?;
    player.set_local_description(None).await?;
    viewer
        .set_remote_description(player.gathered().await?)
        .await?;
    viewer.set_local_description(None).await?;
    player
        .set_remote_description(viewer.gathered().await?)
        .await?;
    let playing = tokio::spawn(async move { play(PATTERN, &screen).await });
    let [transceiver] = &viewer.transceivers()[..] else {
        anyhow::bail!("one track was offered");
    };
    let mut frames = transceiver.receiver().track().frames()?;
    for _ in 0..15 {
        let frame = tokio::time::timeout(Duration::from_secs(10), frames.next()).await?;
        let frame = frame.ok_or_else(|| anyhow::anyhow!("the track has ended"))?;
        println!(
            "a frame of {} bytes, key: {}",
            frame.payload.len(),
            frame.is_key()
        );
    }
    playing.abort();
    Ok(())
}
