//! `RTCStatsType`.

use serde::{Deserialize, Serialize};

/// `RTCStatsType` ([webrtc-stats §6](https://www.w3.org/TR/webrtc-stats/#rtcstatstype-str*)): what an object is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[doc(alias = "RTCStatsType")]
pub enum StatsType {
    /// A codec in use.
    Codec,
    /// A stream that is received.
    InboundRtp,
    /// A stream that is sent.
    OutboundRtp,
    /// What the peer tells of a stream that is sent.
    RemoteInboundRtp,
    /// What the peer tells of a stream that is received.
    RemoteOutboundRtp,
    /// A track that is sent, before it is encoded.
    MediaSource,
    /// What plays received audio.
    MediaPlayout,
    /// The connection.
    PeerConnection,
    /// A data channel.
    DataChannel,
    /// ICE and DTLS of a transport.
    Transport,
    /// A pair of candidates.
    CandidatePair,
    /// A candidate of this side.
    LocalCandidate,
    /// A candidate of the peer.
    RemoteCandidate,
    /// A certificate.
    Certificate,
}
