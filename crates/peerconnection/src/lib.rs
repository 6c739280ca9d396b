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
mod key_log;
mod label;
mod media;
mod message;
mod parameters;
mod path;
mod raw_rtcp;
mod state;

#[doc(inline)]
pub use api::{
    DataChannel, DataChannelEvent, DtlsTransport, DtlsTransportEvent, DtmfSender, Event, Events,
    FrameReader, FrameWriter, Hint, IceTransport, IceTransportEvent, MediaStream, MediaStreamTrack,
    PacketReader, PacketWriter, PeerConnection, RtcpReader, RtpReceiver, RtpSender, RtpTransceiver,
    RtpTransceiverInit, SctpTransport, StatsSelector, StreamEvent, TrackEvent, TrackOrKind,
    TrackReadyState, TrySendError, WeakPeerConnection,
};
pub use candidate::{
    IceCandidate, IceCandidateError, IceCandidateInit, IceCandidateType, IceComponent,
    IceServerTransportProtocol, IceTcpCandidateType,
};
pub use certificate::{Certificate, DtlsFingerprint, KeyAlgorithm};
pub use choice::Choice;
pub use configuration::{
    BundlePolicy, Configuration, CongestionControl, IceCredential, IceServer, IceTransportPolicy,
    IpHandling, OAuthCredential, Parity, RtcpMuxPolicy, Settings,
};
pub use dependencies::{
    Av1Dependencies, Av1Frame, DecodeTargetIndication, Dependencies, DependencyStructure,
    DependencyTemplate, Vp8Dependencies, Vp9Dependencies, Vp9Layer,
};
pub use description::{OfferOptions, SdpType, SessionDescription};
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use driver::{Endpoint, EndpointSettings, Incoming, IncomingRequest};
pub use dtls::{DtlsGroup, DtlsVersion, SrtpProfile};
#[doc(inline)]
pub use engine::{IceCandidatePair, IceParameters};
pub use error::{Error, ErrorDetail, ErrorKind};
pub use key_log::KeyLog;
pub use media::{Codec, EncodedFrame, FrameKind, Layer, MediaKind, Rotation, RtpPacket};
pub use message::{DataChannelInit, Message, MessageCounts, Priority};
pub use parameters::{
    DegradationPreference, DtxStatus, ResolutionRestriction, RtcpParameters, RtpCapabilities,
    RtpCodec, RtpCodecParameters, RtpDecodingParameters, RtpEncodingParameters,
    RtpHeaderExtensionCapability, RtpHeaderExtensionParameters, RtpReceiveParameters,
    RtpSendParameters, RtpSource, RtpTransceiverDirection,
};
pub use path::Protocol;
pub use raw_rtcp::{RtcpApp, RtcpDatagram};
pub use state::{
    DataChannelState, DtlsTransportState, IceConnectionState, IceGatheringState, IceRole,
    IceTransportState, PeerConnectionState, SctpTransportState, SignalingState,
};

#[doc(inline)]
pub use oxirtc_rtp::rtcp;
#[doc(inline)]
pub use oxirtc_stats::{self as stats, StatsReport};

// They stand in `engine` for all others.
pub(crate) use message::SendError;
pub(crate) use path::{Anchor, Interface, Path, Request, RequestId, Route, Transmit};
