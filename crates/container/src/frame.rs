use std::time::Duration;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1, a temporal unit a frame.
    Av1,
    /// H.264, an access unit a frame, with start codes.
    H264,
    /// H.265, an access unit a frame, with start codes.
    H265,
    /// Opus.
    Opus,
}

/// A frame of video, or a packet of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The encoded frame.
    pub payload: Vec<u8>,
    /// When it is shown, from the beginning of the file.
    pub time: Duration,
}
