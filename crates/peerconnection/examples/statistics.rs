//! W3C §8.7: what part of a sender's packets was lost on the way, by two reports and the peer's view in each. Then what the transport
//! tells, and all of it, as a browser would write it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use oxirtc_peerconnection::{
    Configuration, MediaKind, MediaStreamTrack, PeerConnection, RtpSender, StatsReport,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter},
    stats::StatsObject,
};

#[tokio::main]
async fn main() -> Result<()> {
    let settings = || Settings::default().loopback(true);
    let connection = || PeerConnection::with_settings(Configuration::default(), settings());
    let (here, there) = (connection()?, connection()?);
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = here.add_track(&microphone, &[])?;
    here.set_local_description(None).await?;
    there.set_remote_description(here.gathered().await?).await?;
    there.set_local_description(None).await?;
    here.set_remote_description(there.gathered().await?).await?;
    let speaking = tokio::spawn(speak(sound));

    let baseline = reported(&sender).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let current = sender.get_stats().await;
    speaking.abort();
    for now in current.outbound_rtp() {
        // An id names the same object in both.
        let Some(StatsObject::OutboundRtp(base)) = baseline.get(&now.sent.stream.stats.id) else {
            bail!("the stream was there");
        };
        let remote_now = current.remote_inbound_rtp(now).context("a report")?;
        let remote_base = baseline.remote_inbound_rtp(base).context("a report")?;
        let difference = |now: Option<u64>, base: Option<u64>| {
            let both = now.zip(base).context("a counter")?;
            both.0.checked_sub(both.1).context("it only rises")
        };
        let sent = difference(now.sent.packets_sent, base.sent.packets_sent)?;
        let received = difference(
            remote_now.received.packets_received,
            remote_base.received.packets_received,
        )?;
        // The peer does not yet know of the last ones.
        let lost = 1.0 - received as f64 / sent as f64;
        println!(
            "{sent} sent, {received} received: {:.0} % lost or on the way",
            100.0 * lost
        );
        ensure!(received > 0, "the peer has reported again");
    }

    let transport = current.transports().next().context("a transport")?;
    let pair = current.selected_pair(transport).context("a pair in use")?;
    println!(
        "DTLS {} with {}, SRTP with {}, {:.2} ms there and back",
        transport.tls_version.as_deref().unwrap_or("?"),
        transport.dtls_cipher.as_deref().unwrap_or("?"),
        transport.srtp_cipher.as_deref().unwrap_or("?"),
        1000.0 * pair.current_round_trip_time.unwrap_or_default(),
    );
    let everything = here.get_stats(None).await?;
    println!("{}", serde_json::to_string_pretty(&everything)?);
    here.shutdown().await;
    Ok(())
}

/// A report of the sender's, as soon as the peer has told what it has received.
async fn reported(sender: &RtpSender) -> StatsReport {
    loop {
        let report = sender.get_stats().await;
        let known = |it| report.remote_inbound_rtp(it).is_some();
        if report.outbound_rtp().any(known) {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
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
