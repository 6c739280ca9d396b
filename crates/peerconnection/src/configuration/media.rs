//! What a peer can make a connection hold of its media.

use std::time::Duration;

use super::Settings;

/// Limits of each transport, and of each stream on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaLimits {
    /// Bytes of a frame.
    pub(crate) frame: usize,
    /// SSRCs of the peer on a transport.
    pub(crate) streams: usize,
    /// Packets of a stream that wait for one before them.
    pub(crate) reorder: usize,
    /// Packets of a stream that are asked for.
    pub(crate) missing: usize,
    /// What can be sent again of a stream of ours.
    pub(crate) history: (Duration, usize),
    /// Bytes of frames that are held until they are read.
    pub(crate) buffered: usize,
}

impl Settings {
    /// The longest frame of a remote track, in bytes: one that is longer is dropped, counted, and a key frame asked for. For what is
    /// written there is [`FrameWriter::set_largest_frame`](crate::media::FrameWriter::set_largest_frame). Default: 4 MiB.
    #[must_use]
    pub fn largest_frame(mut self, bytes: usize) -> Self {
        self.media.frame = bytes;
        self
    }

    /// How many SSRCs of the peer are followed on a transport, repair streams and the one that it reports by included. Packets of further ones are dropped and counted.
    /// Each costs some kilobytes. Default: 256.
    #[must_use]
    pub fn most_remote_streams(mut self, streams: usize) -> Self {
        self.media.streams = streams;
        self
    }

    /// How many packets of a remote stream wait for one that is missing before them. When more have come it is given up, and video goes
    /// on with a key frame that is asked for. More let a stream of many packets a second be repaired over a longer path. Default: 512.
    #[must_use]
    pub fn most_reordered_packets(mut self, packets: usize) -> Self {
        self.media.reorder = packets;
        self
    }

    /// How many missing packets of a remote stream are asked for by NACK at a time. A gap that is longer is given up. Default: 1,000.
    #[must_use]
    pub fn most_missing_packets(mut self, packets: usize) -> Self {
        self.media.missing = packets;
        self
    }

    /// How long, and how many packets of each stream of ours are kept to be sent again when the peer asks for them, whichever is less.
    /// What is kept of a forwarded track is shared by all its receivers. Default: 1 s, 1,024 packets.
    #[must_use]
    pub fn retransmission_history(mut self, time: Duration, packets: usize) -> Self {
        self.media.history = (time, packets);
        self
    }

    /// How many bytes of frames all remote streams of a transport hold together until they are read, whole or not. Beyond it the stream that
    /// holds most loses what it holds, and goes on with a key frame. Default: 64 MiB.
    #[must_use]
    pub fn most_buffered_frames(mut self, bytes: usize) -> Self {
        self.media.buffered = bytes;
        self
    }
}

impl Default for MediaLimits {
    fn default() -> Self {
        Self {
            frame: oxirtc_rtp::payload::MOST_FRAME,
            streams: 256,
            reorder: 512,
            missing: 1000,
            history: (Duration::from_secs(1), 1024),
            buffered: 64 << 20,
        }
    }
}
