//! Bulk, with digests at both ends.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use oxirtc_peerconnection::{DataChannel, Message};
use ring::digest::{Context as Digest, SHA256};
use serde_json::{Value, json};

use super::call::{Call, Setup, Side};
use super::suite::Suite;

/// 64 MiB from each side at the same time.
pub(crate) async fn each_way(suite: &Suite) -> anyhow::Result<()> {
    let (call, channel) = Call::connect(suite, Setup::default(), Side::Browser, "bulk").await?;
    both_ways(&call, &channel, 64 << 20, async |_| Ok(())).await?;
    call.end().await
}

/// Sends that many bytes each way on a channel `bulk`, and compares digests. `meanwhile` is called
/// after each message that came to us, with the bytes so far.
pub(crate) async fn both_ways(
    call: &Call,
    channel: &DataChannel,
    total: usize,
    mut meanwhile: impl AsyncFnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let script = "return Promise.all([h.stream('bulk', A[0], A[1]), h.digest('bulk', A[0])])";
    let arguments = [json!(total), json!(PIECE)];
    let browser = call.tab.run(script, &arguments);
    let receiving = async {
        let mut digest = Digest::new(&SHA256);
        let mut came = 0;
        while came < total {
            let message = channel
                .recv()
                .await
                .with_context(|| format!("closed after {came} bytes"))?;
            let Message::Binary(piece) = message else {
                anyhow::bail!("text came");
            };
            digest.update(&piece);
            came += piece.len();
            meanwhile(came).await?;
        }
        anyhow::Ok(hex(digest))
    };
    let (browser, received, sent) = tokio::try_join!(browser, receiving, send(channel, total))?;
    let digests: [Value; 2] = serde_json::from_value(browser)?;
    ensure!(
        digests[0] == json!(received),
        "browser to us: sent {}, came {received}",
        digests[0]
    );
    ensure!(
        digests[1] == json!(sent),
        "us to browser: sent {sent}, came {}",
        digests[1]
    );
    Ok(())
}

/// Sends that many bytes, each message another; gives their digest.
pub(crate) async fn send(channel: &DataChannel, total: usize) -> anyhow::Result<String> {
    let mut digest = Digest::new(&SHA256);
    for number in 0..total.div_ceil(PIECE) {
        let length = PIECE.min(total - number * PIECE);
        let piece: Bytes = (0..length)
            .map(|at| (at * 13 + (at >> 8) + number * 101) as u8)
            .collect();
        digest.update(&piece);
        channel.send(piece).await?;
    }
    Ok(hex(digest))
}

pub(crate) fn hex(digest: Digest) -> String {
    digest
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const PIECE: usize = 64 << 10;
