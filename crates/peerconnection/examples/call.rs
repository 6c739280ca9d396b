//! A call with sound and pictures: W3C's first example. Descriptions and candidates go over a signalling channel of the application's,
//! here one of this process; each end sends what its devices give, and plays what comes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, Event, IceCandidate, MediaKind, MediaStream, MediaStreamTrack, PeerConnection,
    SessionDescription,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter, Hint},
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// What signalling carries.
enum Signal {
    Description(SessionDescription),
    Candidate(Option<IceCandidate>),
}

#[tokio::main]
async fn main() -> Result<()> {
    let (to_callee, from_caller) = mpsc::unbounded_channel();
    let (to_caller, from_callee) = mpsc::unbounded_channel();
    let ends = [
        end("caller", to_callee, from_callee),
        end("callee", to_caller, from_caller),
    ];
    let [caller, callee] = ends;
    tokio::try_join!(caller, callee)?;
    Ok(())
}

/// One end, from its first track to the pictures of the other end.
async fn end(
    name: &'static str,
    send: UnboundedSender<Signal>,
    mut receive: UnboundedReceiver<Signal>,
) -> Result<()> {
    let settings = Settings::default().loopback(true);
    let connection = PeerConnection::with_settings(Configuration::default(), settings)?;
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let stream = MediaStream::new([&camera, &microphone]);
    connection.add_track(&camera, std::slice::from_ref(&stream))?;
    connection.add_track(&microphone, std::slice::from_ref(&stream))?;
    let devices = [tokio::spawn(film(pictures)), tokio::spawn(speak(sound))];
    if name == "caller" {
        connection.set_local_description(None).await?;
        offer(&connection, &send)?;
    }
    let mut playing = Vec::new();
    while playing.len() < 2 {
        tokio::select! {
            event = connection.next_event() => match event.context("the connection ended")? {
                Event::IceCandidate(it) => { let _ended = send.send(Signal::Candidate(it)); }
                Event::Track { track, .. } => playing.push(tokio::spawn(play(name, track))),
                _ => {}
            },
            Some(signal) = receive.recv() => match signal {
                Signal::Description(it) => {
                    connection.set_remote_description(it).await?;
                    if name == "callee" {
                        connection.set_local_description(None).await?;
                        offer(&connection, &send)?;
                    }
                }
                Signal::Candidate(it) => connection.add_ice_candidate(it).await?,
            },
        }
    }
    // Candidates go on while the media is awaited.
    let signalling = async {
        loop {
            tokio::select! {
                Some(event) = connection.next_event() => if let Event::IceCandidate(it) = event {
                    let _ended = send.send(Signal::Candidate(it));
                },
                Some(Signal::Candidate(it)) = receive.recv() => connection.add_ice_candidate(it).await?,
                else => return Ok::<_, anyhow::Error>(()),
            }
        }
    };
    let played = async {
        for it in playing {
            it.await??;
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::select! {
        done = played => done?,
        failed = signalling => failed?,
    }
    // The other end may still be looking.
    tokio::time::sleep(Duration::from_millis(500)).await;
    devices.iter().for_each(|it| it.abort());
    connection.shutdown().await;
    Ok(())
}

/// Sends what was set just now.
fn offer(connection: &PeerConnection, send: &UnboundedSender<Signal>) -> Result<()> {
    let description = connection.local_description().context("it was set")?;
    let _ended = send.send(Signal::Description(description));
    Ok(())
}

async fn play(name: &str, track: MediaStreamTrack) -> Result<()> {
    let mut frames = track.frames()?;
    for _ in 0..10 {
        let frame = frames.next().await.context("the track ended")?;
        ensure!(
            frame.codec.kind() == track.kind(),
            "a frame of another kind"
        );
    }
    println!("the {name} plays {}", track.kind());
    Ok(())
}

/// In yours, an encoder of VP8.
async fn film(writer: FrameWriter) -> Result<()> {
    let mut key = true;
    loop {
        while let Some(hint) = writer.try_hint() {
            key |= matches!(hint, Hint::Keyframe { .. });
        }
        let mut payload = vec![0; if key { 8000 } else { 1500 }];
        payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        writer.write(EncodedFrame::new(Codec::Vp8, payload)).await?;
        key = false;
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
}

/// In yours, an encoder of Opus: this is silence.
async fn speak(writer: FrameWriter) -> Result<()> {
    loop {
        let silence = vec![0xf8, 0xff, 0xfe];
        writer
            .write(EncodedFrame::new(Codec::Opus, silence))
            .await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
