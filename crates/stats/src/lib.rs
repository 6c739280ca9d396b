#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod codec;
mod connection;
mod dictionary;
mod ids;
mod kind;
mod media;
mod object;
mod report;
mod rtp;
mod state;
mod supplied;
mod transport;

pub use codec::CodecStats;
pub use connection::{DataChannelStats, PeerConnectionStats};
pub use dictionary::Stats;
pub use ids::Ids;
pub use kind::StatsType;
pub use media::{AudioPlayoutStats, AudioSourceStats, MediaSourceStats, VideoSourceStats};
pub use object::{MediaSource, StatsObject};
pub use report::StatsReport;
pub use rtp::{
    InboundRtpStreamStats, OutboundRtpStreamStats, ReceivedRtpStreamStats,
    RemoteInboundRtpStreamStats, RemoteOutboundRtpStreamStats, RtpStreamStats, SentRtpStreamStats,
};
pub use state::{
    CandidatePairState, DataChannelState, DtlsRole, DtlsTransportState, IceCandidateType, IceRole,
    IceServerTransportProtocol, IceTcpCandidateType, IceTransportState, QualityLimitationReason,
};
pub use supplied::{
    CameraStats, DecoderStats, EncoderStats, MicrophoneStats, PlayoutStats, SourceStats,
};
pub use transport::{CertificateStats, IceCandidatePairStats, IceCandidateStats, TransportStats};

#[cfg(test)]
mod tests;
