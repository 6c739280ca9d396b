//! Simulcast, W3C's example of chapter 10: a camera in three sizes to a server, which names those that it takes. The server here is a
//! connection of this process; the example `sfu` shows what one does with the three.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, RtpEncodingParameters,
    RtpTransceiverDirection, RtpTransceiverInit,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter, Hint},
    stats::StatsObject,
};

#[tokio::main]
async fn main() -> Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (near, server) = (connection()?, connection()?);
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    // Without more words the sizes are halves of each other, the last one is whole.
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        send_encodings: RIDS.map(RtpEncodingParameters::named).to_vec(),
        ..RtpTransceiverInit::default()
    };
    let sending = near.add_transceiver(&camera, init)?;
    let encodings = sending.sender().parameters().encodings;
    let scales: Vec<_> = encodings
        .iter()
        .map(|it| it.scale_resolution_down_by)
        .collect();
    ensure!(scales == [Some(4.0), Some(2.0), Some(1.0)]);

    near.set_local_description(None).await?;
    let offer = near.gathered().await?;
    ensure!(offer.sdp.contains("a=simulcast:send q;h;f"));
    server.set_remote_description(offer).await?;
    server.set_local_description(None).await?;
    near.set_remote_description(server.gathered().await?)
        .await?;
    let filming = tokio::spawn(film(pictures, scales));

    let track = loop {
        let event = server.next_event().await;
        if let Event::Track { track, .. } = event.context("the connection ended")? {
            break track;
        }
    };
    let mut frames = track.frames()?;
    let mut sizes: BTreeMap<String, (u16, u16)> = BTreeMap::new();
    while sizes.len() < RIDS.len() {
        let frame = frames.next().await.context("the track ended")?;
        if let (Some(rid), Some(size)) = (frame.rid, frame.size) {
            sizes.insert(rid, size);
        }
    }
    println!("the server sees {sizes:?}");
    let whole = |rid: &str| sizes.get(rid).copied();
    ensure!(whole("q") == Some((320, 180)) && whole("f") == Some((1280, 720)));

    // The whole picture is not sent for now: the others go on.
    let mut parameters = sending.sender().parameters();
    parameters.encodings[2].active = false;
    sending.sender().set_parameters(parameters).await?;
    let paused = Instant::now();
    let mut last = paused;
    while paused.elapsed() < Duration::from_secs(1) {
        let frame = frames.next().await.context("the track ended")?;
        if frame.rid.as_deref() == Some("f") {
            last = Instant::now();
        }
    }
    println!("the last whole picture came {:?} later", last - paused);
    ensure!(
        last - paused < Duration::from_millis(500),
        "it is still sent"
    );
    let report = sending.sender().get_stats().await;
    let active: Vec<_> = report
        .iter()
        .filter_map(|it| match it {
            StatsObject::OutboundRtp(it) => Some((it.rid.clone()?, it.active?)),
            _ => None,
        })
        .collect();
    for (rid, active) in active {
        ensure!(active == (rid != "f"), "{rid} is said to be {active}");
    }
    filming.abort();
    near.shutdown().await;
    Ok(())
}

/// In yours, three encoders of VP8, each for its size.
async fn film(writer: FrameWriter, scales: Vec<Option<f64>>) -> Result<()> {
    let mut keys = [true; 3];
    loop {
        while let Some(hint) = writer.try_hint() {
            if let Hint::Keyframe { rid } = hint {
                for (key, own) in keys.iter_mut().zip(RIDS) {
                    *key |= rid.as_deref().is_none_or(|rid| rid == own);
                }
            }
        }
        for (at, key) in keys.iter_mut().enumerate() {
            let by = scales[at].unwrap_or(1.0) as u16;
            let ([w, width], [h, height]) = ((1280 / by).to_le_bytes(), (720 / by).to_le_bytes());
            let mut payload = vec![0; 500 << (2 * at)];
            let head = [u8::from(!std::mem::take(key)), 0, 0, 0x9d, 1, 0x2a];
            payload[..6].copy_from_slice(&head);
            payload[6..10].copy_from_slice(&[w, width, h, height]);
            let mut frame = EncodedFrame::new(Codec::Vp8, payload);
            frame.rid = Some(RIDS[at].to_owned());
            writer.write(frame).await?;
        }
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
}

/// A quarter of the size, half of it, all of it.
const RIDS: [&str; 3] = ["q", "h", "f"];
