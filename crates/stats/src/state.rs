//! The enumerations that members have as values. Their words are those of W3C.

use serde::{Deserialize, Serialize};

/// `RTCQualityLimitationReason`: why the encoder makes less than it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCQualityLimitationReason")]
pub enum QualityLimitationReason {
    /// It is not limited.
    None,
    /// The processor is busy.
    Cpu,
    /// The network carries no more.
    Bandwidth,
    /// Something else.
    Other,
}

/// Which side began the handshake of DTLS (`RTCDtlsRole`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCDtlsRole")]
pub enum DtlsRole {
    /// It sends the ClientHello.
    Client,
    /// It waits for the ClientHello.
    Server,
    /// Not settled yet.
    Unknown,
}

/// `RTCStatsIceCandidatePairState`: the state in the check list (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCStatsIceCandidatePairState")]
pub enum CandidatePairState {
    /// Waits for another pair.
    Frozen,
    /// Waits for its turn.
    Waiting,
    /// A check was sent.
    InProgress,
    /// No check was answered.
    Failed,
    /// A check was answered.
    Succeeded,
}

/// How far a handshake of DTLS is, or how it has ended (`RTCDtlsTransportState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCDtlsTransportState")]
pub enum DtlsTransportState {
    /// Not started.
    New,
    /// The handshake runs.
    Connecting,
    /// Secure.
    Connected,
    /// Closed by either side.
    Closed,
    /// The handshake failed.
    Failed,
}

/// Whether a transport has a path to the peer (`RTCIceTransportState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCIceTransportState")]
pub enum IceTransportState {
    /// Waits for candidates of the peer.
    New,
    /// Checks pairs.
    Checking,
    /// A pair works.
    Connected,
    /// A pair works, and no check is left.
    Completed,
    /// Nothing came for a while.
    Disconnected,
    /// No pair works.
    Failed,
    /// Closed.
    Closed,
}

/// Whether this side chooses the pair of addresses, or the peer does (`RTCIceRole`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCIceRole")]
pub enum IceRole {
    /// Not settled yet.
    Unknown,
    /// It nominates the pair.
    Controlling,
    /// The peer nominates the pair.
    Controlled,
}

/// Whether a channel connects, is open, closes or is closed (`RTCDataChannelState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCDataChannelState")]
pub enum DataChannelState {
    /// It waits for the association.
    Connecting,
    /// Messages go both ways.
    Open,
    /// It is being closed.
    Closing,
    /// It is closed.
    Closed,
}

/// How an address was found (`RTCIceCandidateType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCIceCandidateType")]
pub enum IceCandidateType {
    /// An address of an interface.
    Host,
    /// What a STUN server saw.
    Srflx,
    /// What the peer saw.
    Prflx,
    /// An address of a TURN server.
    Relay,
}

/// `RTCIceServerTransportProtocol`: how a TURN server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCIceServerTransportProtocol")]
pub enum IceServerTransportProtocol {
    /// In datagrams.
    Udp,
    /// On a connection.
    Tcp,
    /// On a connection with TLS.
    Tls,
}

/// Which side opens a connection of TCP (`RTCIceTcpCandidateType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCIceTcpCandidateType")]
pub enum IceTcpCandidateType {
    /// It connects.
    Active,
    /// It listens.
    Passive,
    /// Both connect at once.
    So,
}
