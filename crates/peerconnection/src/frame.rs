//! Media as the application gives and takes it: encoded frames, packets, and the dictionaries about them.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;

use crate::Dependencies;

/// `kind` of a track ([Media Capture §4.3](https://www.w3.org/TR/mediacapture-streams/#dom-mediastreamtrack-kind)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Sound: `audio`.
    Audio,
    /// Pictures: `video`.
    Video,
}

/// The codec of an encoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722; its clock says 8,000 Hz, though it samples at 16,000.
    G722,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// AV1, a temporal unit a frame, without temporal delimiters.
    Av1,
    /// H.264 in the form of its Annex B.
    H264,
    /// H.265 in the form of its Annex B.
    H265,
}

/// Whether a frame needs others before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// It stands alone, as every frame of audio does.
    Key,
    /// It needs frames before it.
    #[default]
    Delta,
}

/// Where a frame lies among the layers of scalable video; zeroes without layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layer {
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
}

/// How a picture is to be turned before it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// As it is.
    #[default]
    None,
    /// A quarter turn clockwise.
    Clockwise90,
    /// Upside down.
    Clockwise180,
    /// A quarter turn counterclockwise.
    Clockwise270,
}

/// A frame as an encoder gives it: a picture, or a stretch of sound.
///
/// What is written needs only `codec` and `payload`; what is read has all that the peer told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedFrame {
    /// The encoded frame.
    pub payload: Bytes,
    /// Its codec.
    pub codec: Codec,
    /// Whether it stands alone. On writing, the payload itself is asked.
    pub kind: FrameKind,
    /// Its time in ticks of the codec's clock. On writing, `None` derives it from `captured`.
    pub timestamp: Option<u32>,
    /// When it was captured, by our clock. On writing, `None` is now.
    pub captured: Option<Instant>,
    /// When it was captured, by the clock of who sent it; known once a report has told it.
    pub sender_time: Option<SystemTime>,
    /// How long it lasts.
    pub duration: Option<Duration>,
    /// Its stream among the parallel ones of simulcast.
    pub rid: Option<String>,
    /// Its layer.
    pub layer: Layer,
    /// Which frames it needs, where its codec tells it. On writing it goes to the peers as the codec has it; `None` is video whose
    /// frames need each other in the order of their layers.
    pub dependencies: Option<Dependencies>,
    /// Width and height, of key frames that tell it.
    pub size: Option<(u16, u16)>,
    /// How it is to be turned.
    pub rotation: Rotation,
    /// How loud it is: 0, as loud as it gets, to 127, silence.
    pub audio_level: Option<u8>,
    /// How many frames, or gaps of unknown length, are missing before it.
    pub missing_before: u32,
}

/// A packet of RTP without its header, for who forwards, records or analyses.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RtpPacket {
    /// The payload, with the header of its format. What is read shares memory with others that came at its time:
    /// [`detach`](Self::detach) before it is kept for long.
    pub payload: Bytes,
    /// Its codec.
    pub codec: Codec,
    /// Its number, which does not wrap; gaps are what was lost. Another [stream](Self::stream) counts from somewhere else.
    pub sequence: u64,
    /// Its time in ticks of the codec's clock.
    pub timestamp: u32,
    /// The marker: the end of a frame of video, the beginning of speech.
    pub marker: bool,
    /// When it was captured, by our clock; when it came, if that is not known.
    pub captured: Option<Instant>,
    /// Its stream among the parallel ones of simulcast, from 0.
    pub lane: u8,
    /// Which of the streams that have had its lane: a number that is another where the peer has put another stream in the place of one. Numbers and
    /// timestamps are those of that stream.
    pub stream: u32,
}

impl MediaKind {
    /// The word of W3C and of SDP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Opus,
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::Vp8,
        Self::Vp9,
        Self::Av1,
        Self::H264,
        Self::H265,
    ];

    /// Whether it is for sound or for pictures.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma | Self::G722 => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::Av1 | Self::H264 | Self::H265 => MediaKind::Video,
        }
    }

    /// Ticks of its timestamps a second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Vp8 | Self::Vp9 | Self::Av1 | Self::H264 | Self::H265 => 90_000,
        }
    }

    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::H264 => "H264",
            Self::H265 => "H265",
        }
    }
}

impl EncodedFrame {
    /// A frame to be written: the time is that of writing.
    pub fn new(codec: Codec, payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            codec,
            kind: FrameKind::default(),
            timestamp: None,
            captured: None,
            sender_time: None,
            duration: None,
            rid: None,
            layer: Layer::default(),
            dependencies: None,
            size: None,
            rotation: Rotation::default(),
            audio_level: None,
            missing_before: 0,
        }
    }

    /// True if it stands alone.
    pub fn is_key(&self) -> bool {
        self.kind == FrameKind::Key
    }
}

impl RtpPacket {
    /// A packet to be written.
    pub fn new(codec: Codec, sequence: u64, timestamp: u32, payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            codec,
            sequence,
            timestamp,
            marker: false,
            captured: None,
            lane: 0,
            stream: 0,
        }
    }

    /// Gives it memory of its own.
    pub fn detach(&mut self) {
        self.payload = Bytes::copy_from_slice(&self.payload);
    }
}
