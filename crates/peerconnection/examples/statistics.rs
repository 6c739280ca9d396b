//! W3C §8.7: what a connection tells of itself, twice, and what happened in between. Then all of it, as a browser would write it.

use std::time::Duration;

use anyhow::{Context, Result};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, PeerConnection, StatsReport,
    engine::Settings,
    stats::{StatsObject, TransportStats},
};

#[tokio::main]
async fn main() -> Result<()> {
    let settings = || Settings::default().loopback(true);
    let connection = || PeerConnection::with_settings(Configuration::default(), settings());
    let (here, there) = (connection()?, connection()?);
    let channel = here.create_data_channel("load", DataChannelInit::default())?;
    here.set_local_description(None).await?;
    there.set_remote_description(here.gathered().await?).await?;
    there.set_local_description(None).await?;
    here.set_remote_description(there.gathered().await?).await?;
    let incoming = there.next_data_channel().await?;
    channel.opened().await?;

    let before = here.get_stats(None).await?;
    for _ in 0..100 {
        channel.send(vec![7; 10_000]).await?;
        incoming.recv().await.context("a message")?;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = here.get_stats(None).await?;

    // An id names the same object in both.
    let old = transport(&before)?;
    let Some(StatsObject::Transport(new)) = after.get(&old.stats.id) else {
        anyhow::bail!("the transport is still there");
    };
    let seconds = (new.stats.timestamp - old.stats.timestamp) / 1000.0;
    let bytes = new.bytes_sent.unwrap_or_default() - old.bytes_sent.unwrap_or_default();
    println!("{bytes} bytes in {seconds:.3} s");
    let pair = after.selected_pair(new).context("a pair in use")?;
    println!(
        "DTLS {} with {}, {} ms there and back",
        new.tls_version.as_deref().unwrap_or("?"),
        new.dtls_cipher.as_deref().unwrap_or("?"),
        pair.current_round_trip_time.unwrap_or_default() * 1000.0,
    );
    anyhow::ensure!(bytes >= 1_000_000, "more went through than the messages");
    println!("{}", serde_json::to_string_pretty(&after)?);

    // What belongs to one channel.
    let about = here.get_stats(&channel).await?;
    println!(
        "{} of {} objects are about the channel",
        about.len(),
        after.len()
    );
    here.shutdown().await;
    Ok(())
}

fn transport(report: &StatsReport) -> Result<&TransportStats> {
    report.transports().next().context("a transport")
}
