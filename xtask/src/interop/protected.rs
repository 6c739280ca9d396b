//! Redundancy and parity, negotiated with a browser.

use anyhow::ensure;
use oxirtc_peerconnection::{Codec, MediaKind, RtpTransceiver};
use serde_json::json;

use super::call::{Call, Setup};
use super::loss::Loss;
use super::media::{self, Filmed};
use super::suite::Suite;

/// Camera and microphone with RED and ULPFEC agreed on, over a path that loses: the browser's packets are read within RED, and it
/// decodes what we send within RED, with parity of ours beside it.
pub(crate) async fn camera_and_microphone(suite: &Suite) -> anyhow::Result<()> {
    let filmed = Filmed {
        redundant: true,
        ..Filmed::new(Codec::Vp8, Codec::Opus)
    };
    let loss = Loss::begin(5)?;
    let Some(call) = media::filming(suite, filmed).await? else {
        return loss.end();
    };
    let parameters = |kind: MediaKind| {
        let all = call.peer.connection().transceivers();
        let of_kind = |it: &RtpTransceiver| it.kind() == kind;
        let found = all.into_iter().find(of_kind);
        let codecs = found.map(|it| it.receiver().parameters().codecs);
        let names = codecs.into_iter().flatten().map(|it| it.codec.mime_type);
        names.collect::<Vec<_>>()
    };
    let (video, audio) = (parameters(MediaKind::Video), parameters(MediaKind::Audio));
    for wanted in ["video/red", "video/ulpfec"] {
        ensure!(video.iter().any(|it| it == wanted), "{video:?}");
    }
    ensure!(audio.iter().any(|it| it == "audio/red"), "{audio:?}");
    let decoded = "return h.decoded({ frames: 100, packets: 300 })";
    let decoded = call.tab.run(decoded, &[]).await?;
    ensure!(decoded["framesDecoded"].as_u64() >= Some(100), "{decoded}");
    if !suite.is_firefox() {
        let pictures = call
            .tab
            .run("return h.pictures('inbound-rtp')", &[])
            .await?;
        let parity = pictures["fecPacketsReceived"].as_u64();
        println!("     {parity:?} packets of parity came to the browser");
        ensure!(parity > Some(20), "{pictures}");
    }
    loss.end()?;
    call.end().await
}

/// What the page is told to offer.
pub(super) fn wishes(filmed: &Filmed) -> serde_json::Value {
    json!({ "audio": filmed.audio.name(), "video": filmed.video.name(), "redundant": filmed.redundant })
}
