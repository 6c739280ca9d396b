//! Sends back to a peer what it sends: each track that comes is given to the sender of its own section. Two connections of this
//! process talk to each other, so that it runs by itself; in yours the descriptions come from a browser.

use std::time::Duration;

use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, RtpTransceiverDirection,
    SessionDescription,
    engine::Settings,
    media::{Codec, EncodedFrame},
};

/// Answers an offer, and sends back whatever it brings.
async fn echo(connection: &PeerConnection, offer: SessionDescription) -> anyhow::Result<()> {
    connection.set_remote_description(offer).await?;
    for transceiver in connection.transceivers() {
        let receiver = transceiver.receiver();
        transceiver
            .sender()
            .replace_track(Some(receiver.track()))
            .await?;
        transceiver.set_direction(RtpTransceiverDirection::SendRecv)?;
    }
    connection.set_local_description(None).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (caller, echoing) = (connection()?, connection()?);
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    caller.add_track(&microphone, &[])?;
    caller.set_local_description(None).await?;
    echo(&echoing, caller.gathered().await?).await?;
    caller
        .set_remote_description(echoing.gathered().await?)
        .await?;
    let track = loop {
        match caller.next_event().await {
            Some(Event::Track { track, .. }) => break track,
            Some(_) => {}
            None => anyhow::bail!("the connection was closed"),
        }
    };
    let mut heard = track.frames()?;
    let speaking = tokio::spawn(async move {
        // Silence, as Opus has it.
        while sound
            .write(EncodedFrame::new(Codec::Opus, vec![0xf8, 0xff, 0xfe]))
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for _ in 0..10 {
        let frame = heard.next().await;
        println!("{:?} came back", frame.map(|it| it.payload));
    }
    speaking.abort();
    Ok(())
}
