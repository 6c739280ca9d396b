//! W3C's dictionaries about RTP (§5.2 to §5.4).

/// `RTCRtpTransceiverDirection` (W3C §5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpTransceiverDirection")]
pub enum RtpTransceiverDirection {
    /// Sends and receives.
    #[default]
    SendRecv,
    /// Only sends.
    SendOnly,
    /// Only receives.
    RecvOnly,
    /// Neither.
    Inactive,
    /// Neither, for ever. It is told, and cannot be set.
    Stopped,
}

/// `RTCRtpEncodingParameters` (W3C §5.2.5): one stream of a sender.
///
/// There is no encoder here: what needs one (`max_bitrate`, `max_framerate`, `scale_resolution_down_by`) is kept for the application,
/// which has it.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "RTCRtpEncodingParameters")]
pub struct RtpEncodingParameters {
    /// Its name among several, given when the transceiver is made.
    pub rid: Option<String>,
    /// Whether it is sent.
    pub active: bool,
    /// Bits a second at most, without the headers of IP and UDP.
    pub max_bitrate: Option<u32>,
    /// Frames a second at most.
    pub max_framerate: Option<f64>,
    /// By how much width and height are divided; 1 or more.
    pub scale_resolution_down_by: Option<f64>,
    /// The codec that it is to be sent with, of those that are negotiated. It stands first in
    /// [`RtpSender::codecs`](crate::RtpSender::codecs).
    pub codec: Option<RtpCodec>,
}

/// `RTCRtpCodec` (W3C §5.2.8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpCodec")]
pub struct RtpCodec {
    /// `video/VP8`, `audio/opus`; it has no case.
    pub mime_type: String,
    /// Ticks a second.
    pub clock_rate: u32,
    /// Of audio: how many, where that is not one.
    pub channels: Option<u16>,
    /// What stands in `a=fmtp`.
    pub sdp_fmtp_line: Option<String>,
}

/// `RTCRtpCodecParameters` (W3C §5.2.9): a codec with its payload type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpCodecParameters")]
pub struct RtpCodecParameters {
    /// The codec.
    pub codec: RtpCodec,
    /// Its payload type.
    pub payload_type: u8,
}

/// `RTCRtpHeaderExtensionParameters` (W3C §5.2.7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpHeaderExtensionParameters")]
pub struct RtpHeaderExtensionParameters {
    /// Which one.
    pub uri: String,
    /// Its number.
    pub id: u8,
    /// It is encrypted on its own (RFC 6904).
    pub encrypted: bool,
}

/// `RTCRtcpParameters` (W3C §5.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtcpParameters")]
pub struct RtcpParameters {
    /// What our streams are called; not told of a receiver.
    pub cname: Option<String>,
    /// RTCP need not be compound.
    pub reduced_size: bool,
}

/// `RTCRtpSendParameters` (W3C §5.2.2).
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "RTCRtpSendParameters")]
pub struct RtpSendParameters {
    /// By which [`set_parameters`](crate::RtpSender::set_parameters) knows that nothing has changed in between.
    pub transaction_id: String,
    /// The streams, in their order.
    pub encodings: Vec<RtpEncodingParameters>,
    /// The header extensions that were agreed on.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// RTCP.
    pub rtcp: RtcpParameters,
    /// The codecs that were agreed on, the preferred one first.
    pub codecs: Vec<RtpCodecParameters>,
}

/// `RTCRtpReceiveParameters` (W3C §5.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "RTCRtpReceiveParameters")]
pub struct RtpReceiveParameters {
    /// The header extensions that packets may have.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// RTCP.
    pub rtcp: RtcpParameters,
    /// The codecs that can be received.
    pub codecs: Vec<RtpCodecParameters>,
}

/// `RTCRtpContributingSource` and `RTCRtpSynchronizationSource` (W3C §5.3.1): who was heard or seen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "RTCRtpContributingSource")]
#[doc(alias = "RTCRtpSynchronizationSource")]
pub struct RtpSource {
    /// Its SSRC, or CSRC.
    pub source: u32,
    /// It contributed to what another has mixed; else it sent the packets itself.
    pub contributes: bool,
    /// When it was heard last.
    pub at: std::time::SystemTime,
    /// The timestamp of the packet.
    pub rtp_timestamp: u32,
    /// How loud it was, from 0 to 1, where the peer tells.
    pub audio_level: Option<f64>,
}

/// `RTCRtpCapabilities` (W3C §5.2.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "RTCRtpCapabilities")]
pub struct RtpCapabilities {
    /// The codecs in the order of our preference.
    pub codecs: Vec<RtpCodec>,
    /// The URIs of the header extensions.
    pub header_extensions: Vec<String>,
}

impl Default for RtpEncodingParameters {
    fn default() -> Self {
        Self {
            rid: None,
            active: true,
            max_bitrate: None,
            max_framerate: None,
            scale_resolution_down_by: None,
            codec: None,
        }
    }
}

impl RtpEncodingParameters {
    /// A stream with this name among several.
    pub fn named(rid: impl Into<String>) -> Self {
        Self {
            rid: Some(rid.into()),
            ..Self::default()
        }
    }
}

impl RtpTransceiverDirection {
    /// Whether it sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether it receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}
