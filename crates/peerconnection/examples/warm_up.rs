//! W3C §10.2, warming up: everything is negotiated while the telephone still rings, and when somebody answers, sound and pictures flow at
//! once, both ways. Nothing is sent before that, as the senders have no tracks yet; `replaceTrack` needs no negotiation.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, PeerConnectionState,
    RtpTransceiver, RtpTransceiverDirection, RtpTransceiverInit,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter, Hint},
};

#[tokio::main]
async fn main() -> Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (caller, callee) = (connection()?, connection()?);
    // The caller wants to send and to receive, and has nothing yet.
    for kind in [MediaKind::Audio, MediaKind::Video] {
        caller.add_transceiver(kind, RtpTransceiverInit::default())?;
    }
    caller.set_local_description(None).await?;
    callee
        .set_remote_description(caller.gathered().await?)
        .await?;
    // So does the callee, while it rings.
    let called = negotiated(&callee).await?;
    for (transceiver, _) in &called {
        transceiver.set_direction(RtpTransceiverDirection::SendRecv)?;
    }
    callee.set_local_description(None).await?;
    caller
        .set_remote_description(callee.gathered().await?)
        .await?;
    let calling = negotiated(&caller).await?;
    caller.wait_for(PeerConnectionState::Connected).await?;
    callee.wait_for(PeerConnectionState::Connected).await?;
    let all = [calling, called].concat();
    ensure!(
        all.iter().all(|(it, _)| it.sender().track().is_none()),
        "nothing is sent yet"
    );
    println!("connected, and it rings");

    // It is answered.
    let answered = Instant::now();
    let mut devices = Vec::new();
    for (transceiver, _) in &all {
        let (track, writer) = MediaStreamTrack::from_frames(transceiver.kind());
        transceiver.sender().replace_track(Some(&track)).await?;
        devices.push(tokio::spawn(give(transceiver.kind(), writer)));
    }
    for (_, track) in &all {
        let mut frames = track.frames()?;
        frames.next().await.context("the track ended")?;
        println!("{} after {:?}", track.kind(), answered.elapsed());
    }
    devices.iter().for_each(|it| it.abort());
    caller.shutdown().await;
    Ok(())
}

/// The transceivers of sound and of pictures, as the events of their tracks tell them.
async fn negotiated(
    connection: &PeerConnection,
) -> Result<Vec<(RtpTransceiver, MediaStreamTrack)>> {
    let mut all = Vec::new();
    while all.len() < 2 {
        let event = connection.next_event().await;
        if let Event::Track {
            track, transceiver, ..
        } = event.context("the connection ended")?
        {
            all.push((transceiver, track));
        }
    }
    Ok(all)
}

/// In yours, a device and its encoder.
async fn give(kind: MediaKind, writer: FrameWriter) -> Result<()> {
    let mut key = true;
    loop {
        while let Some(hint) = writer.try_hint() {
            key |= matches!(hint, Hint::Keyframe { .. });
        }
        let frame = match kind {
            MediaKind::Audio => EncodedFrame::new(Codec::Opus, vec![0xf8, 0xff, 0xfe]),
            MediaKind::Video => {
                let mut picture = vec![0; if key { 8000 } else { 1500 }];
                picture[..10].copy_from_slice(&[
                    u8::from(!key),
                    0,
                    0,
                    0x9d,
                    1,
                    0x2a,
                    64,
                    1,
                    180,
                    0,
                ]);
                EncodedFrame::new(Codec::Vp8, picture)
            }
        };
        writer.write(frame).await?;
        key = false;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
