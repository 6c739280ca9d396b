//! Warming up: everything is negotiated while the telephone still rings, and when somebody answers, media flows at once. Nothing is
//! sent before that, as the senders have no tracks yet; `replaceTrack` needs no negotiation.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, PeerConnectionState,
    RtpTransceiverDirection, RtpTransceiverInit,
    engine::Settings,
    media::{Codec, EncodedFrame},
};

#[tokio::main]
async fn main() -> Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (caller, callee) = (connection()?, connection()?);
    // The caller wants to send and to receive, and has nothing yet.
    let init = RtpTransceiverInit::default();
    let calling = caller.add_transceiver(MediaKind::Audio, init)?;
    caller.set_local_description(None).await?;
    callee
        .set_remote_description(caller.gathered().await?)
        .await?;
    // So does the callee, while it rings.
    let called = callee.transceivers().remove(0);
    called.set_direction(RtpTransceiverDirection::SendRecv)?;
    callee.set_local_description(None).await?;
    caller
        .set_remote_description(callee.gathered().await?)
        .await?;
    caller.wait_for(PeerConnectionState::Connected).await?;
    callee.wait_for(PeerConnectionState::Connected).await?;
    println!("connected, and it rings");

    // It is answered.
    let answered = Instant::now();
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    calling.sender().replace_track(Some(&microphone)).await?;
    let speaking = tokio::spawn(async move {
        let silence = vec![0xf8, 0xff, 0xfe];
        while sound
            .write(EncodedFrame::new(Codec::Opus, silence.clone()))
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let track = loop {
        let event = callee.next_event().await;
        if let Event::Track { track, .. } = event.context("the connection ended")? {
            break track;
        }
    };
    let mut heard = track.frames()?;
    heard.next().await.context("the track ended")?;
    println!("heard after {:?}", answered.elapsed());
    speaking.abort();
    caller.shutdown().await;
    Ok(())
}
