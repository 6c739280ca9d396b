//! Redundancy and parity, negotiated with a browser.

use anyhow::{bail, ensure};
use oxirtc_peerconnection::{MediaKind, RtpTransceiver, engine::Parity, media::Codec};

use super::loss::Loss;
use super::media::{self, Filmed};
use super::suite::Suite;

/// Camera and microphone with RED and ULPFEC agreed on and no RTX, over a path that loses one packet of ten: the browser's packets are read
/// within RED, and it decodes what we send within RED, by our parity.
pub(crate) async fn camera_and_microphone(suite: &Suite) -> anyhow::Result<()> {
    let filmed = Filmed {
        redundant: true,
        parity: Parity::Always,
        ..Filmed::new(Codec::Vp8, Codec::Opus)
    };
    let loss = Loss::begin(10)?;
    let call = media::filming(suite, filmed).await?;
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
    // Firefox repeats no sound.
    let repeated = audio.iter().any(|it| it == "audio/red");
    ensure!(repeated != suite.is_firefox(), "{audio:?}");
    let decoded = "return h.decoded({ frames: 200, packets: 300 }, 60)";
    let decoded = match call.tab.run(decoded, &[]).await {
        Ok(decoded) => decoded,
        Err(error) => {
            let came = call
                .tab
                .run("return h.pictures('inbound-rtp')", &[])
                .await?;
            let sent = call
                .tab
                .run("return h.pictures('outbound-rtp')", &[])
                .await?;
            bail!("{error:#}; came: {came}; sent: {sent}");
        }
    };
    ensure!(decoded["framesDecoded"].as_u64() >= Some(200), "{decoded}");
    let pictures = call
        .tab
        .run("return h.pictures('inbound-rtp')", &[])
        .await?;
    let count = |name: &str| pictures[name].as_u64().unwrap_or(0);
    let (lost, asked) = (count("packetsLost"), count("pliCount"));
    println!("     {lost} packets were lost to the browser, which asked for {asked} key frames");
    ensure!(count("retransmittedPacketsReceived") == 0, "{pictures}");
    // Whatever parity does not bring back costs a key frame.
    ensure!(lost > 10 && asked * 3 < lost, "{pictures}");
    loss.end()?;
    call.end().await
}
