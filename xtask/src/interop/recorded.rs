//! What a browser sends, in files; key frames that are asked for; and a path that loses datagrams.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_container::{IvfWriter, OggWriter, PATTERN, Reader, TONE};
use oxirtc_peerconnection::{
    MediaKind, MediaStreamTrack,
    media::{Codec, EncodedFrame, FrameReader, FrameWriter},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Call, Setup};
use super::loss::Loss;
use super::media::track;
use super::peer::{Negotiation, soon};
use super::serve::directory;
use super::suite::Suite;

/// The camera and the microphone are recorded, a key frame comes when it is asked for, and with one datagram in ten lost pictures flow
/// in both directions.
pub(crate) async fn camera(suite: &Suite) -> anyhow::Result<()> {
    let negotiation = Negotiation {
        echo: true,
        ..Negotiation::default()
    };
    let setup = Setup {
        negotiation,
        ..Setup::default()
    };
    let call = Call::start(suite, setup).await?;
    let camera = json!({ "width": 640, "height": 360, "frameRate": 15 });
    let film = "return h.film({ audio: 'opus', video: 'VP8', camera: A[0] })";
    let can = call.tab.run(film, &[camera]).await?;
    ensure!(can == json!(true), "{can}");
    let pictures = soon("the browser's camera", track(&call, MediaKind::Video)).await?;
    let sound = soon("its microphone", track(&call, MediaKind::Audio)).await?;
    let path = |end| directory().map(|it| it.join(format!("{}.{end}", suite.file_name("camera"))));
    let (video, audio) = (path("ivf")?, path("ogg")?);
    let (shown, heard) = tokio::join!(
        write_pictures(&pictures, &video, 45),
        write_sound(&sound, &audio, 150)
    );
    shown?;
    heard?;
    plays(&video, "vp8", 45)?;
    plays(&audio, "opus", 150)?;
    keyframe(&call, &pictures).await?;
    lossy(&call, &pictures).await?;
    call.end().await
}

async fn write_pictures(track: &MediaStreamTrack, path: &Path, count: u32) -> anyhow::Result<()> {
    let mut frames = track.frames()?;
    let first = next(&mut frames).await?;
    ensure!(first.is_key(), "the first frame is no key frame");
    let codec = oxirtc_container::Codec::Vp8;
    let size = first.size.context("a key frame tells no size")?;
    let mut file = IvfWriter::new(BufWriter::new(File::create(path)?), codec, size)?;
    let begin = first.timestamp.unwrap_or_default();
    let mut frame = first;
    for _ in 1..count {
        let ticks = frame.timestamp.unwrap_or_default().wrapping_sub(begin);
        let time = Duration::from_micros(u64::from(ticks) * 100 / 9);
        file.write(time, &frame.payload)?;
        frame = next(&mut frames).await?;
    }
    let ticks = frame.timestamp.unwrap_or_default().wrapping_sub(begin);
    let time = Duration::from_micros(u64::from(ticks) * 100 / 9);
    file.write(time, &frame.payload)?;
    file.finish()?;
    Ok(())
}

async fn write_sound(track: &MediaStreamTrack, path: &Path, count: u32) -> anyhow::Result<()> {
    let mut frames = track.frames()?;
    let mut file = OggWriter::new(BufWriter::new(File::create(path)?), 2, 1)?;
    for _ in 0..count {
        file.write(&next(&mut frames).await?.payload)?;
    }
    file.finish()?;
    Ok(())
}

async fn next(frames: &mut FrameReader) -> anyhow::Result<EncodedFrame> {
    let frame = timeout(PATIENCE, frames.next()).await;
    frame.context("no frame comes")?.context("the track ended")
}

/// ffmpeg decodes all of it and has nothing to say.
fn plays(path: &Path, codec: &str, frames: u32) -> anyhow::Result<()> {
    let arguments =
        "-v error -count_packets -show_entries stream=codec_name,nb_read_packets -of csv=p=0";
    let probed = Command::new("ffprobe")
        .args(arguments.split(' '))
        .arg(path)
        .output()
        .context("ffprobe is missing: run `cargo xtask setup`")?;
    let said = String::from_utf8_lossy(&probed.stdout);
    let wanted = format!("{codec},{frames}");
    ensure!(
        said.trim() == wanted,
        "{}: {said}, not {wanted}",
        path.display()
    );
    let mut decode = Command::new("ffmpeg");
    decode.args(["-v", "error", "-i"]).arg(path);
    // With their own times: at one rate, as else, two pictures that a busy camera makes shortly after one another would be one.
    let decoded = decode
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-f", "null", "-"])
        .output()
        .context("ffmpeg did not start")?;
    let said = String::from_utf8_lossy(&decoded.stderr);
    ensure!(
        decoded.status.success() && said.is_empty(),
        "{}: {said}",
        path.display()
    );
    Ok(())
}

/// Encoders of browsers make key frames only when they are asked.
async fn keyframe(call: &Call, track: &MediaStreamTrack) -> anyhow::Result<()> {
    let before = sent(call).await?;
    let mut frames = track.frames()?;
    track.request_keyframe();
    let end = Instant::now() + PATIENCE;
    while !next(&mut frames).await?.is_key() {
        ensure!(Instant::now() < end, "no key frame came");
    }
    // A browser keeps a report for 50 ms.
    loop {
        let after = sent(call).await?;
        if asked(&after) > asked(&before) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "asked for: {before}, {after}");
        sleep_until(Instant::now() + Duration::from_millis(100)).await;
    }
}

async fn lossy(call: &Call, track: &MediaStreamTrack) -> anyhow::Result<()> {
    let (sent_before, decoded_before) = (sent(call).await?, decoded(call).await?);
    let loss = Loss::begin(10)?;
    let mut frames = track.frames()?;
    let end = Instant::now() + Duration::from_secs(10);
    let mut came = 0;
    while let Ok(frame) = tokio::time::timeout_at(end, frames.next()).await {
        frame.context("the track ended")?;
        came += 1;
    }
    let (sent_after, decoded_after) = (sent(call).await?, decoded(call).await?);
    loss.end()?;
    let rise = |name: &str| number(&sent_after, name) - number(&sent_before, name);
    let filmed = rise("framesEncoded");
    let repaired = rise("retransmittedPacketsSent");
    let back = number(&decoded_after, "framesDecoded") - number(&decoded_before, "framesDecoded");
    println!(
        "     10 % lost: {filmed} frames sent, {came} came, {back} came back and were decoded, {repaired} packets sent again"
    );
    ensure!(
        filmed >= 30.0 && repaired >= 1.0,
        "{sent_before}, {sent_after}"
    );
    ensure!(
        f64::from(came) >= filmed * 0.7,
        "{came} frames of {filmed} came"
    );
    ensure!(back >= filmed * 0.5, "{back} frames of {filmed} came back");
    Ok(())
}

/// Ours is a file, and the browser's is nothing: what it decodes is the file.
pub(crate) async fn played(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(suite, Setup::default()).await?;
    call.tab.run("h.show()", &[]).await?;
    let mut playing = tokio::task::JoinSet::new();
    for (kind, codec, file) in [
        (MediaKind::Video, Codec::Vp8, PATTERN),
        (MediaKind::Audio, Codec::Opus, TONE),
    ] {
        let (track, writer) = MediaStreamTrack::from_frames(kind);
        call.peer.connection().add_track(&track, &[])?;
        playing.spawn(play(writer, codec, file));
    }
    let decoded = "return h.decoded({ frames: 45, packets: 150 })";
    let decoded = call.tab.run(decoded, &[]).await?;
    ensure!(decoded["framesDecoded"].as_u64() >= Some(45), "{decoded}");
    let seen = call
        .tab
        .run("return h.pictures('inbound-rtp')", &[])
        .await?;
    ensure!(seen["frameWidth"] == 320, "{seen}");
    playing.shutdown().await;
    call.end().await
}

/// Plays a file again and again: before there is a connection nothing of it is heard.
async fn play(writer: FrameWriter, codec: Codec, file: &[u8]) -> anyhow::Result<()> {
    loop {
        let start = Instant::now();
        let mut reader = Reader::open(file)?;
        while let Some(frame) = reader.read()? {
            sleep_until(start + frame.time).await;
            writer
                .write(EncodedFrame::new(codec, frame.payload))
                .await?;
        }
    }
}

/// What the browser says of the video that it sends.
async fn sent(call: &Call) -> anyhow::Result<Value> {
    call.tab.run("return h.pictures('outbound-rtp')", &[]).await
}

/// What the browser says of the video that it gets.
async fn decoded(call: &Call) -> anyhow::Result<Value> {
    call.tab.run("return h.pictures('inbound-rtp')", &[]).await
}

fn number(stats: &Value, name: &str) -> f64 {
    stats[name].as_f64().unwrap_or_default()
}

fn asked(stats: &Value) -> f64 {
    number(stats, "pliCount") + number(stats, "firCount")
}

const PATIENCE: Duration = Duration::from_secs(10);
