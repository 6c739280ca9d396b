//! The film that a visitor can ask for, with its sound.

use oxirtc_container::{PATTERN, Reader, TONE};
use oxirtc_peerconnection::{
    Error, MediaKind, MediaStreamTrack, PeerConnection, RtpTransceiver, RtpTransceiverDirection,
    RtpTransceiverInit,
    media::{Codec, EncodedFrame, FrameWriter},
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A film that runs, again and again. It ends when this is dropped; [`stop`](Self::stop) takes its sections out as well.
#[derive(Debug)]
pub(crate) struct Film {
    sections: Vec<RtpTransceiver>,
    _playing: JoinSet<anyhow::Result<()>>,
}

impl Film {
    pub(crate) fn start(peer: &PeerConnection) -> Result<Self, Error> {
        let start = Instant::now();
        let mut sections = Vec::new();
        let mut playing = JoinSet::new();
        for (kind, codec, file) in [
            (MediaKind::Video, Codec::Vp8, PATTERN),
            (MediaKind::Audio, Codec::Opus, TONE),
        ] {
            let (track, writer) = MediaStreamTrack::from_frames(kind);
            let init = RtpTransceiverInit {
                direction: RtpTransceiverDirection::SendOnly,
                ..RtpTransceiverInit::default()
            };
            sections.push(peer.add_transceiver(&track, init)?);
            playing.spawn(play(start, writer, codec, file));
        }
        Ok(Self {
            sections,
            _playing: playing,
        })
    }

    pub(crate) fn stop(self) -> Result<(), Error> {
        self.sections.iter().try_for_each(RtpTransceiver::stop)
    }
}

/// Both files are equally long, so that they stay together.
async fn play(
    mut start: Instant,
    writer: FrameWriter,
    codec: Codec,
    file: &[u8],
) -> anyhow::Result<()> {
    loop {
        let mut reader = Reader::open(file)?;
        while let Some(frame) = reader.read()? {
            sleep_until(start + frame.time).await;
            let mut written = EncodedFrame::new(codec, frame.payload);
            written.captured = Some((start + frame.time).into_std());
            writer.write(written).await?;
        }
        start += LENGTH;
    }
}

/// Of either file.
const LENGTH: std::time::Duration = std::time::Duration::from_secs(6);
