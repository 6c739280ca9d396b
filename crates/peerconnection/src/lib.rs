#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

// First, so that `PeerConnection::new` stands first on its page.
#[cfg(feature = "tokio")]
pub mod driver;

pub mod api;
mod candidate;
mod certificate;
mod choice;
mod configuration;
mod dependencies;
mod description;
mod dtls;
pub mod engine;
mod error;
mod frame;
mod key_log;
mod label;
mod media_drops;
mod message;
mod parameters;
mod path;
mod raw_rtcp;
mod state;
mod stopped;

// At the root stand W3C's names and `Endpoint` alone; what else there is stands in the rooms.
#[doc(inline)]
pub use api::{
    DataChannel, DataChannelEvent, DtlsTransport, DtlsTransportEvent, DtmfSender, Event,
    IceTransport, IceTransportEvent, MediaStream, MediaStreamTrack, PeerConnection, RtpReceiver,
    RtpSender, RtpTransceiver, RtpTransceiverInit, SctpTransport, StreamEvent, TrackEvent,
    TrackOrKind, TrackReadyState,
};
pub use candidate::{
    IceCandidate, IceCandidateError, IceCandidateInit, IceCandidateType, IceComponent,
    IceServerTransportProtocol, IceTcpCandidateType,
};
pub use certificate::{Certificate, DtlsFingerprint, KeyAlgorithm};
pub use configuration::{
    BundlePolicy, Configuration, IceCredential, IceServer, IceTransportPolicy, OAuthCredential,
    RtcpMuxPolicy,
};
pub use description::{OfferOptions, SdpType, SessionDescription};
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use driver::Endpoint;
#[doc(inline)]
pub use engine::{IceCandidatePair, IceParameters};
pub use error::{Error, ErrorDetail, ErrorKind};
pub use frame::MediaKind;
pub use message::{DataChannelInit, Message, Priority};
pub use parameters::{
    DegradationPreference, DtxStatus, ResolutionRestriction, RtcpParameters, RtpCapabilities,
    RtpCodec, RtpCodecParameters, RtpDecodingParameters, RtpEncodingParameters,
    RtpHeaderExtensionCapability, RtpHeaderExtensionParameters, RtpReceiveParameters,
    RtpSendParameters, RtpSource, RtpTransceiverDirection,
};
pub use path::Protocol;
pub use state::{
    DataChannelState, DtlsTransportState, IceConnectionState, IceGatheringState, IceRole,
    IceTransportState, PeerConnectionState, SctpTransportState, SignalingState,
};

/// What a connection counts and measures: the objects of a report, as W3C's webrtc-stats has them.
#[doc(inline)]
pub use oxirtc_stats as stats;
#[doc(inline)]
pub use stats::StatsReport;

/// What an application reads from tracks and writes to them: encoded frames, RTP packets and RTCP.
pub mod media {
    #[doc(inline)]
    pub use crate::api::{FrameReader, FrameWriter, Hint, PacketReader, PacketWriter, RtcpReader};
    pub use crate::dependencies::{
        Av1Dependencies, Av1Frame, DecodeTargetIndication, Dependencies, DependencyStructure,
        DependencyTemplate, Vp8Dependencies, Vp9Dependencies, Vp9Layer,
    };
    pub use crate::frame::{Codec, EncodedFrame, FrameKind, Layer, Rotation, RtpPacket};
    pub use crate::media_drops::MediaDrops;
    pub use crate::raw_rtcp::{RtcpApp, RtcpDatagram};
    pub use crate::stopped::StopCause;

    #[doc(inline)]
    pub use oxirtc_rtp::rtcp;
}

// They stand in the rooms for all others.
pub(crate) use choice::Choice;
pub(crate) use configuration::{CongestionControl, IpHandling, Parity, Settings};
pub(crate) use dependencies::{
    Av1Dependencies, Av1Frame, DecodeTargetIndication, Dependencies, DependencyStructure,
    DependencyTemplate, Vp8Dependencies, Vp9Dependencies, Vp9Layer,
};
pub(crate) use dtls::{DtlsGroup, DtlsVersion, SrtpProfile};
pub(crate) use frame::{Codec, EncodedFrame, FrameKind, Layer, Rotation, RtpPacket};
pub(crate) use key_log::KeyLog;
pub(crate) use media_drops::MediaDrops;
pub(crate) use message::{MessageCounts, SendError};
pub(crate) use path::{Anchor, Interface, Path, Request, RequestId, Route, Transmit};
pub(crate) use raw_rtcp::{RtcpApp, RtcpDatagram};
pub(crate) use stopped::StopCause;
