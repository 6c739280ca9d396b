//! A file that is played.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use oxirtc_container as container;
use oxirtc_peerconnection::{
    MediaStreamTrack,
    media::{Codec, EncodedFrame, FrameWriter},
};
use tokio::time::{Instant, sleep_until};

/// A file, and the track that it is played on.
#[derive(Debug)]
pub(crate) struct Playing {
    path: PathBuf,
    interval: Duration,
    pub(crate) codec: Codec,
    pub(crate) track: MediaStreamTrack,
    writer: FrameWriter,
}

/// What was played so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Played {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Playing {
    /// Looks at a file. `interval` is the time from picture to picture where the file has no times.
    pub(crate) fn open(path: &Path, interval: Duration) -> anyhow::Result<Self> {
        let codec = codec(reader(path)?.codec());
        let codec = codec.with_context(|| format!("{}: its codec is not sent", path.display()))?;
        let (track, writer) = MediaStreamTrack::from_frames(codec.kind());
        Ok(Self {
            path: path.to_owned(),
            interval,
            codec,
            track,
            writer,
        })
    }

    /// Plays it once, from `start` on.
    pub(crate) async fn play(
        &self,
        start: Instant,
        mut progress: impl FnMut(Played),
    ) -> anyhow::Result<Duration> {
        let mut reader = reader(&self.path)?;
        reader.set_interval(self.interval);
        let mut played = Played::default();
        let mut end = Duration::ZERO;
        let mut step = self.interval;
        loop {
            let frame = reader.read();
            let Some(frame) = frame.with_context(|| self.path.display().to_string())? else {
                // The last frame is shown as long as the one before it.
                return Ok(end + step);
            };
            if frame.time > end {
                step = frame.time - end;
            }
            end = frame.time;
            sleep_until(start + frame.time).await;
            played.frames += 1;
            played.bytes += frame.payload.len() as u64;
            let mut written = EncodedFrame::new(self.codec, frame.payload);
            written.captured = Some((start + frame.time).into_std());
            self.writer
                .try_write(written)
                .with_context(|| format!("{}: frame {}", self.path.display(), played.frames))?;
            progress(played);
        }
    }
}

/// Opens a file, whose name has to say what its first bytes say.
fn reader(path: &Path) -> anyhow::Result<container::Reader<BufReader<File>>> {
    let name = path.display();
    let file = File::open(path).with_context(|| name.to_string())?;
    let reader = container::Reader::open(BufReader::new(file)).with_context(|| name.to_string())?;
    let end = path
        .extension()
        .and_then(|it| it.to_str())
        .unwrap_or_default();
    let (named, fits) = match (end.to_ascii_lowercase().as_str(), &reader) {
        ("ivf", it) => ("IVF", matches!(it, container::Reader::Ivf(_))),
        ("ogg" | "opus", it) => ("Ogg", matches!(it, container::Reader::Ogg(_))),
        ("h264" | "264" | "avc", it) => ("H.264", it.codec() == container::Codec::H264),
        ("h265" | "265" | "hevc", it) => ("H.265", it.codec() == container::Codec::H265),
        _ => return Ok(reader),
    };
    if !fits {
        bail!(
            "{name}: its name says {named}, but it holds {:?}",
            reader.codec()
        );
    }
    Ok(reader)
}

fn codec(of: container::Codec) -> Option<Codec> {
    Some(match of {
        container::Codec::Vp8 => Codec::Vp8,
        container::Codec::Vp9 => Codec::Vp9,
        container::Codec::Av1 => Codec::Av1,
        container::Codec::H264 => Codec::H264,
        container::Codec::H265 => Codec::H265,
        container::Codec::Opus => Codec::Opus,
        _ => return None,
    })
}
