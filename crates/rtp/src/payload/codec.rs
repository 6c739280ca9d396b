//! The codecs.

/// A codec, as RTP carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 (RFC 3551 §4.5.2); its clock says 8000, though it samples at 16000.
    G722,
    /// Linear samples of 16 bits, the higher byte first (RFC 3551 §4.5.11).
    L16,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Tones and events (RFC 4733).
    TelephoneEvent,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// AV1 (RTP payload format for AV1, version 1.0).
    Av1,
    /// H.264 (RFC 6184), packetization modes 0 and 1.
    H264,
    /// H.265 (RFC 7798), without decoding order numbers.
    H265,
}

impl Codec {
    /// True for audio, whose every packet stands alone.
    pub const fn is_audio(self) -> bool {
        matches!(
            self,
            Self::Opus
                | Self::Pcmu
                | Self::Pcma
                | Self::G722
                | Self::L16
                | Self::ComfortNoise
                | Self::TelephoneEvent
        )
    }

    /// True if each payload says whether it is the first of its frame.
    pub const fn tells_beginning(self) -> bool {
        !matches!(self, Self::Av1 | Self::H264 | Self::H265)
    }
}
