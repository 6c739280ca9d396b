#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

pub mod api;
mod candidate;
mod certificate;
mod configuration;
mod description;
#[cfg(feature = "tokio")]
pub mod driver;
pub mod engine;
mod error;
mod message;
mod path;
mod state;

pub use api::{
    Carrier, Core, DataChannel, DataChannelEvent, DtlsTransport, DtlsTransportEvent, Event,
    IceTransport, IceTransportEvent, PeerConnection, SctpTransport, TrySendError,
};
pub use candidate::{
    IceCandidate, IceCandidateError, IceCandidateInit, IceCandidateType, IceComponent,
    IceTcpCandidateType,
};
pub use certificate::{Certificate, DtlsFingerprint, KeyAlgorithm};
pub use configuration::{
    BundlePolicy, Configuration, IceServer, IceTransportPolicy, RtcpMuxPolicy, Settings,
};
pub use description::{OfferOptions, SdpType, SessionDescription};
#[cfg(feature = "tokio")]
pub use driver::{Batch, Endpoint, EndpointSettings, Outgoing, Received, Socket, UdpSocket};
pub use engine::{Counters, IceCandidatePair, IceParameters};
pub use error::{Error, ErrorKind, RtcErrorDetail};
pub use message::{DataChannelInit, Message, Priority, SendError};
pub use path::{Anchor, Interface, Path, Protocol, Request, RequestId, Route, Transmit};
pub use state::{
    DataChannelState, DtlsTransportState, IceConnectionState, IceGatheringState, IceRole,
    IceTransportState, PeerConnectionState, SctpTransportState, SignalingState,
};
