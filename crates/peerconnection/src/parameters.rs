//! W3C's dictionaries about RTP (§5.2 to §5.4).

use crate::Priority;

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
/// There is no encoder here: what needs one (`max_bitrate`, `max_framerate`, `scale_resolution_down_by`, `scalability_mode` and others) is
/// checked and kept for the application, which has it.
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
    /// Of video: the size that the picture has at most. Where it is given `scale_resolution_down_by` does not count; either all active
    /// streams have it, or none (WebRTC Extensions).
    pub scale_resolution_down_to: Option<ResolutionRestriction>,
    /// Of video: the layers of the stream, such as `L1T3` (WebRTC SVC). For the encoder.
    pub scalability_mode: Option<String>,
    /// Of audio: how long a packet is to be, in milliseconds. For the encoder.
    pub ptime: Option<u32>,
    /// Of audio: the encoder may change how long packets are as the network does (WebRTC Extensions).
    pub adaptive_ptime: bool,
    /// Of audio, of W3C's draft of 2019: whether silence need not be sent. What comes of it says
    /// [`RtpSender::discontinuous`](crate::RtpSender::discontinuous).
    pub dtx: Option<DtxStatus>,
    /// How much of the path media gets beside data: that of the most important stream counts (WebRTC Priority).
    pub priority: Priority,
    /// How packets are to be marked; the same as `priority` where it is absent (WebRTC Priority). Only with
    /// [`Settings::dscp`](crate::Settings::dscp).
    pub network_priority: Option<Priority>,
    /// Of W3C's draft of 2019: the payload type in use, once one is negotiated. It is told, and cannot be set.
    pub codec_payload_type: Option<u8>,
}

/// `RTCResolutionRestriction` (WebRTC Extensions): the longer side of a picture fits the longer one of these, the shorter the shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCResolutionRestriction")]
pub struct ResolutionRestriction {
    /// `maxWidth`, in pixels; at least 1.
    pub max_width: u32,
    /// `maxHeight`, in pixels; at least 1.
    pub max_height: u32,
}

/// `RTCDtxStatus`, of W3C's draft of 2019.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCDtxStatus")]
pub enum DtxStatus {
    /// Silence is sent as well.
    Disabled,
    /// Silence is not sent, where the peer takes that.
    Enabled,
}

/// `RTCDegradationPreference` (MediaStreamTrack Content Hints): what an encoder gives up first when bandwidth is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "RTCDegradationPreference")]
pub enum DegradationPreference {
    /// The size.
    MaintainFramerate,
    /// The number of pictures.
    MaintainResolution,
    /// Some of both.
    Balanced,
    /// Neither: pictures become worse.
    MaintainFramerateAndResolution,
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

/// `RTCRtpHeaderExtensionCapability` (WebRTC Extensions): a header extension, and the direction in which it is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpHeaderExtensionCapability")]
pub struct RtpHeaderExtensionCapability {
    /// Which one.
    pub uri: String,
    /// As we use it; `Stopped` is not at all.
    pub direction: RtpTransceiverDirection,
}

/// `RTCRtpDecodingParameters` (W3C §5.2.4): one stream of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "RTCRtpDecodingParameters")]
#[doc(alias = "RTCRtpCodingParameters")]
pub struct RtpDecodingParameters {
    /// Its name among several.
    pub rid: Option<String>,
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
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// `degradationPreference`: what gives way when bandwidth is short. For the encoder.
    pub degradation_preference: Option<DegradationPreference>,
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
    /// The streams that the peer may send, of W3C's draft of 2019: one, or one for each rid of simulcast.
    pub encodings: Vec<RtpDecodingParameters>,
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
    /// `captureTimestamp` of WebRTC Extensions: when that packet was captured, by the clock of who captured it, where abs-capture-time was
    /// negotiated and the peer tells. It is extrapolated from the last packet that told.
    pub capture_timestamp: Option<std::time::SystemTime>,
    /// `senderCaptureTimeOffset` of WebRTC Extensions, in milliseconds: what the peer takes for the difference of its own clock and that
    /// of who captured it, as it has last told it.
    pub sender_capture_time_offset: Option<f64>,
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
            scale_resolution_down_to: None,
            scalability_mode: None,
            ptime: None,
            adaptive_ptime: false,
            dtx: None,
            priority: Priority::default(),
            network_priority: None,
            codec_payload_type: None,
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
