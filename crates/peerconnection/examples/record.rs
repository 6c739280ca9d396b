//! Records what a peer sends: pictures to IVF, sound to Ogg, with the times of the peer's own clock and a line for what was lost. Two
//! connections of this process talk to each other, so that it runs by itself; in yours the peer is a browser.

use std::{fs::File, io::BufWriter, path::Path, time::Duration};

use oxirtc_container::{IvfWriter, OggWriter, PATTERN, Reader, TONE, opus_duration};
use oxirtc_peerconnection::{
    Configuration, MediaKind, MediaStreamTrack, PeerConnection,
    engine::Settings,
    media::{Codec, EncodedFrame},
};
use tokio::time::{Instant, sleep_until, timeout};

/// Writes so many pictures of a track, from the first key frame on.
async fn record_pictures(
    track: MediaStreamTrack,
    path: &Path,
    count: u32,
) -> anyhow::Result<Duration> {
    let codec = oxirtc_container::Codec::Vp8;
    let mut file: Option<IvfWriter<_>> = None;
    let mut frames = track.frames()?;
    let (mut ticks, mut last) = (0_u64, None);
    for _ in 0..count {
        let Some(frame) = timeout(PATIENCE, frames.next()).await? else {
            break;
        };
        if frame.missing_before > 0 {
            println!("{} pictures are missing", frame.missing_before);
        }
        let timestamp = frame.timestamp.unwrap_or_default();
        // Timestamps wrap; what lies between two of them does not.
        ticks += u64::from(timestamp.wrapping_sub(last.replace(timestamp).unwrap_or(timestamp)));
        let time = Duration::from_nanos(ticks * 100_000 / 9);
        let file = match &mut file {
            Some(file) => file,
            None => {
                let output = BufWriter::new(File::create(path)?);
                file.insert(IvfWriter::new(
                    output,
                    codec,
                    frame.size.unwrap_or_default(),
                )?)
            }
        };
        file.write(time, &frame.payload)?;
    }
    if let Some(file) = file {
        file.finish()?;
    }
    Ok(Duration::from_nanos(ticks * 100_000 / 9))
}

/// Writes so many packets of a track.
async fn record_sound(
    track: MediaStreamTrack,
    path: &Path,
    count: u32,
) -> anyhow::Result<Duration> {
    let mut file = OggWriter::new(BufWriter::new(File::create(path)?), 2, 1)?;
    let mut packets = track.frames()?;
    let (mut length, mut next) = (Duration::ZERO, None);
    for _ in 0..count {
        let Some(packet) = timeout(PATIENCE, packets.next()).await? else {
            break;
        };
        let timestamp = packet.timestamp.unwrap_or_default();
        // What was lost, or not sent as it was silent, keeps its time.
        let missing = timestamp
            .wrapping_sub(next.unwrap_or(timestamp))
            .cast_signed();
        let missing = Duration::from_micros(u64::try_from(missing).unwrap_or(0) * 125 / 6);
        // Less than a packet is a clock that is not quite even; more than a minute is one that was set.
        if (TICK..JUMP).contains(&missing) {
            println!("{missing:?} of sound are missing");
            length += file.write_missing(missing)?;
        }
        file.write(&packet.payload)?;
        let lasts = opus_duration(&packet.payload).unwrap_or_default();
        next = Some(timestamp.wrapping_add((lasts.as_micros() * 6 / 125) as u32));
        length += lasts;
    }
    file.finish()?;
    Ok(length)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (peer, recorder) = (connection()?, connection()?);
    let mut playing = tokio::task::JoinSet::new();
    for (kind, codec, file) in [
        (MediaKind::Video, Codec::Vp8, PATTERN),
        (MediaKind::Audio, Codec::Opus, TONE),
    ] {
        let (track, writer) = MediaStreamTrack::from_frames(kind);
        peer.add_track(&track, &[])?;
        playing.spawn(async move {
            let start = Instant::now();
            let mut reader = Reader::open(file)?;
            while let Some(frame) = reader.read()? {
                sleep_until(start + frame.time).await;
                let mut written = EncodedFrame::new(codec, frame.payload);
                // The time of the file, which is more even than that of our timers.
                written.captured = Some((start + frame.time).into_std());
                writer.write(written).await?;
            }
            anyhow::Ok(())
        });
    }
    peer.set_local_description(None).await?;
    recorder
        .set_remote_description(peer.gathered().await?)
        .await?;
    recorder.set_local_description(None).await?;
    peer.set_remote_description(recorder.gathered().await?)
        .await?;
    let track = |kind| {
        let all = recorder.transceivers();
        let found = all.iter().find(|it| it.kind() == kind);
        found.map(|it| it.receiver().track().clone())
    };
    let tracks = track(MediaKind::Video).zip(track(MediaKind::Audio));
    let (pictures, sound) = tracks.ok_or_else(|| anyhow::anyhow!("two tracks were offered"))?;
    let folder = std::env::temp_dir();
    let name = |end| folder.join(format!("oxirtc-record-{}.{end}", std::process::id()));
    let (video, audio) = (name("ivf"), name("ogg"));
    let (shown, heard) = tokio::try_join!(
        record_pictures(pictures, &video, 30),
        record_sound(sound, &audio, 100)
    )?;
    println!("{shown:?} of pictures, {heard:?} of sound");
    for path in [video, audio] {
        let mut reader = Reader::open(File::open(&path)?)?;
        let mut count = 0;
        while reader.read()?.is_some() {
            count += 1;
        }
        println!("{}: {count} frames of {:?}", path.display(), reader.codec());
        std::fs::remove_file(path)?;
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(15);
const JUMP: Duration = Duration::from_secs(60);
