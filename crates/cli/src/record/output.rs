//! The files that a recording makes.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use oxirtc_container::{AnnexBWriter, IvfWriter, OggWriter, opus_duration};
use oxirtc_peerconnection::{
    MediaKind,
    media::{Codec, EncodedFrame},
};

/// Writes one track.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    codec: Codec,
    file: Writer,
    /// The time of the first frame, from the beginning of the recording.
    begin: Duration,
    /// Since then, in ticks of the codec's clock.
    ticks: u64,
    last: Option<u32>,
    /// How long what was written lasts, of sound.
    written: Duration,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    losses: Losses,
}

/// What was lost: when, and how much, in a text beside the file. There is none until something is.
#[derive(Debug)]
struct Losses {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

#[derive(Debug)]
enum Writer {
    Ivf(IvfWriter<BufWriter<File>>),
    AnnexB(AnnexBWriter<BufWriter<File>>),
    Ogg(OggWriter<BufWriter<File>>),
}

impl Output {
    /// A file for a track whose first frame this is; its name ends as its codec has it.
    pub(crate) fn create(
        base: &Path,
        first: &EncodedFrame,
        begin: Duration,
    ) -> anyhow::Result<Self> {
        let codec = first.codec;
        let (end, container) = match codec {
            Codec::Vp8 => ("ivf", Some(oxirtc_container::Codec::Vp8)),
            Codec::Vp9 => ("ivf", Some(oxirtc_container::Codec::Vp9)),
            Codec::Av1 => ("ivf", Some(oxirtc_container::Codec::Av1)),
            Codec::H264 => ("h264", None),
            Codec::H265 => ("h265", None),
            Codec::Opus => ("ogg", None),
            other => bail!("{} is not recorded", other.name()),
        };
        let path = named(base, end);
        let losses = Losses {
            path: named(&path, "lost.txt"),
            file: None,
        };
        let opened = File::create(&path).with_context(|| path.display().to_string())?;
        let opened = BufWriter::new(opened);
        let file = match container {
            Some(of) => Writer::Ivf(IvfWriter::new(opened, of, first.size.unwrap_or_default())?),
            None if codec == Codec::Opus => {
                let channels = 2;
                Writer::Ogg(OggWriter::new(opened, channels, std::process::id())?)
            }
            None => Writer::AnnexB(AnnexBWriter::new(opened)),
        };
        Ok(Self {
            path,
            codec,
            file,
            begin,
            ticks: 0,
            last: None,
            written: Duration::ZERO,
            frames: 0,
            bytes: 0,
            losses,
        })
    }

    /// Writes a frame at its time.
    pub(crate) fn write(&mut self, frame: &EncodedFrame) -> anyhow::Result<()> {
        if frame.codec != self.codec {
            bail!(
                "{}: after {} frames the peer goes on with {}",
                self.path.display(),
                self.frames,
                frame.codec.name()
            );
        }
        let timestamp = frame.timestamp.unwrap_or_default();
        let step = timestamp.wrapping_sub(self.last.replace(timestamp).unwrap_or(timestamp));
        let rate = u64::from(self.codec.clock_rate());
        // What comes before its time has none of its own, and a clock that was set tells nothing of what was lost.
        let is_jump = u64::from(step) > rate * LONGEST_GAP;
        self.ticks += if is_jump { 0 } else { u64::from(step) };
        let time = self.begin + Duration::from_micros(self.ticks.saturating_mul(1_000_000) / rate);
        if frame.missing_before > 0 && self.codec.kind() == MediaKind::Video {
            let what = format!("{} pictures or gaps", frame.missing_before);
            self.losses.tell(time, &what)?;
        }
        if is_jump {
            self.losses.tell(time, "the clock of the peer was set")?;
        }
        let written = match &mut self.file {
            Writer::Ivf(file) => file.write(time, &frame.payload),
            Writer::AnnexB(file) => file.write(&frame.payload),
            Writer::Ogg(file) => {
                // The file has no times: what is not there is concealed by who plays it.
                let missing = time.saturating_sub(self.written);
                if missing >= SHORTEST {
                    self.written += file.write_missing(missing)?;
                    if self.frames > 0 {
                        let what = format!("{} ms of sound, or silence", missing.as_millis());
                        self.losses.tell(time, &what)?;
                    }
                }
                self.written += opus_duration(&frame.payload).unwrap_or_default();
                file.write(&frame.payload)
            }
        };
        written.with_context(|| self.path.display().to_string())?;
        self.frames += 1;
        self.bytes += frame.payload.len() as u64;
        Ok(())
    }

    /// Ends the files. Returns a line about them.
    pub(crate) fn finish(self) -> anyhow::Result<String> {
        let name = self.path.display().to_string();
        match self.file {
            Writer::Ivf(file) => _ = file.finish().with_context(|| name.clone())?,
            Writer::AnnexB(file) => _ = file.finish().with_context(|| name.clone())?,
            Writer::Ogg(file) => _ = file.finish().with_context(|| name.clone())?,
        }
        let mut line = format!("{name}: {} frames of {}", self.frames, self.codec.name());
        if let Some(mut losses) = self.losses.file {
            losses.flush()?;
            line = format!("{line}; what was lost is in {}", self.losses.path.display());
        }
        Ok(line)
    }
}

impl Losses {
    fn tell(&mut self, time: Duration, what: &str) -> anyhow::Result<()> {
        let name = || self.path.display().to_string();
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let made = File::create(&self.path).with_context(name)?;
                self.file.insert(BufWriter::new(made))
            }
        };
        writeln!(file, "{:.3} s: {what}", time.as_secs_f64()).with_context(name)
    }
}

/// `base` with something more behind its name.
fn named(base: &Path, end: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// In seconds. A gap that is longer is none.
const LONGEST_GAP: u64 = 60;
/// Less is jitter of the clock of who sends.
const SHORTEST: Duration = Duration::from_millis(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(codec: Codec, timestamp: u32, payload: &[u8], missing: u32) -> EncodedFrame {
        let mut frame = EncodedFrame::new(codec, payload.to_vec());
        frame.timestamp = Some(timestamp);
        frame.missing_before = missing;
        frame
    }

    /// What a key frame of VP8 begins with.
    const KEY: [u8; 10] = [0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0];

    fn base(name: &str) -> PathBuf {
        let name = format!("oxirtc-output-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    fn times(path: &Path) -> Vec<u128> {
        let mut reader = oxirtc_container::Reader::open(File::open(path).unwrap()).unwrap();
        let frames = std::iter::from_fn(|| reader.read().unwrap());
        frames.map(|it| it.time.as_millis()).collect()
    }

    /// Gaps keep their time, and are written down.
    #[test]
    fn what_was_lost_is_written_down() {
        let base = base("video");
        let begin = Duration::from_millis(100);
        // The timestamps wrap.
        let first = frame(Codec::Vp8, u32::MAX - 2999, &KEY, 0);
        let mut output = Output::create(&base, &first, begin).unwrap();
        output.write(&first).unwrap();
        output.write(&frame(Codec::Vp8, 0, b"\x01next", 0)).unwrap();
        output
            .write(&frame(Codec::Vp8, 9000, b"\x01later", 2))
            .unwrap();
        let jump = frame(Codec::Vp8, 1 << 30, b"\x01another clock", 0);
        output.write(&jump).unwrap();
        let other = output.write(&frame(Codec::Vp9, 12_000, b"x", 0));
        let said = other.unwrap_err().to_string();
        assert!(
            said.ends_with("after 4 frames the peer goes on with VP9"),
            "{said}"
        );
        let line = output.finish().unwrap();
        assert!(
            line.contains("4 frames of VP8; what was lost is in"),
            "{line}"
        );
        let (file, lost) = (named(&base, "ivf"), named(&base, "ivf.lost.txt"));
        assert_eq!(times(&file), [100, 133, 233, 233]);
        let text = std::fs::read_to_string(&lost).unwrap();
        assert_eq!(
            text,
            "0.233 s: 2 pictures or gaps\n0.233 s: the clock of the peer was set\n"
        );
        std::fs::remove_file(file).unwrap();
        std::fs::remove_file(lost).unwrap();
    }

    /// Sound that begins later than the recording, and has a gap, is as long as it was.
    #[test]
    fn silence_and_loss_of_sound_keep_their_time() {
        let base = base("sound");
        let packet = [0xfc, 1, 2];
        let first = frame(Codec::Opus, 5000, &packet, 0);
        let mut output = Output::create(&base, &first, Duration::from_millis(40)).unwrap();
        for timestamp in [5000, 5960, 8840] {
            output
                .write(&frame(Codec::Opus, timestamp, &packet, 0))
                .unwrap();
        }
        output.finish().unwrap();
        let (file, lost) = (named(&base, "ogg"), named(&base, "ogg.lost.txt"));
        assert_eq!(times(&file), [0, 20, 40, 60, 80, 100, 120]);
        let text = std::fs::read_to_string(&lost).unwrap();
        assert_eq!(text, "0.120 s: 40 ms of sound, or silence\n");
        std::fs::remove_file(file).unwrap();
        std::fs::remove_file(lost).unwrap();
    }

    #[test]
    fn what_has_no_file_is_refused() {
        let first = frame(Codec::G722, 0, b"x", 0);
        let refused = Output::create(&base("none"), &first, Duration::ZERO);
        assert_eq!(refused.unwrap_err().to_string(), "G722 is not recorded");
    }
}
