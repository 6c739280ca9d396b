//! Tones of a telephone: the five examples of W3C §10.6, and a pause. Tones are sent in the place of the sender's audio, also while that is silent.
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, DtmfSender, MediaKind, MediaStreamTrack, PeerConnection, PeerConnectionState,
    engine::Settings,
};

#[tokio::main]
async fn main() -> Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (caller, exchange) = (connection()?, connection()?);
    let (microphone, _silent) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = caller.add_track(&microphone, &[])?;
    caller.set_local_description(None).await?;
    exchange
        .set_remote_description(caller.gathered().await?)
        .await?;
    exchange.set_local_description(None).await?;
    caller
        .set_remote_description(exchange.gathered().await?)
        .await?;
    caller.wait_for(PeerConnectionState::Connected).await?;

    let dtmf = sender.dtmf().context("of audio")?;
    ensure!(dtmf.can_insert(), "the peer takes no tones");
    let gap = Duration::from_millis(70);
    // Four tones of half a second each.
    dtmf.insert_with("1234", Duration::from_millis(500), gap)?;
    ensure!(played(&dtmf, 2).await? == "12");
    // "1" and "2" were played. What is left goes on, with "AB" behind it.
    let left = dtmf.tone_buffer();
    dtmf.insert(&format!("{left}AB"))?;
    // A light for each tone, until all were played.
    ensure!(played(&dtmf, usize::MAX).await? == "34AB");
    // A tone, a pause of two seconds, and one more.
    dtmf.insert("1,2")?;
    ensure!(played(&dtmf, usize::MAX).await? == "1,2");
    // What is left after "2" is given up.
    dtmf.insert("1234")?;
    ensure!(played(&dtmf, 2).await? == "12");
    dtmf.insert("")?;
    ensure!(played(&dtmf, usize::MAX).await?.is_empty());
    // A tone of one second, and while it sounds one of two is put behind it.
    let begun = Instant::now();
    dtmf.insert_with("1", Duration::from_secs(1), gap)?;
    ensure!(played(&dtmf, 1).await? == "1");
    dtmf.insert_with("2", Duration::from_secs(2), gap)?;
    ensure!(played(&dtmf, usize::MAX).await? == "2");
    ensure!(begun.elapsed() >= Duration::from_secs(3), "too short");
    caller.shutdown().await;
    Ok(())
}

/// The tones that are told, at most so many.
async fn played(dtmf: &DtmfSender, most: usize) -> Result<String> {
    let mut all = String::new();
    while all.len() < most {
        let tone = dtmf.next_event().await.context("the connection ended")?;
        if tone.is_empty() {
            break;
        }
        println!("now: {tone}");
        all += &tone;
    }
    Ok(all)
}
