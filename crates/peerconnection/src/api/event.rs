//! Events of a connection.

use super::DataChannel;
use crate::{
    IceCandidate, IceCandidateError, IceConnectionState, IceGatheringState, PeerConnectionState,
    SignalingState,
};

/// An event of a connection, with the value that it announces (W3C §12).
///
/// The attributes of the connection may be further on already, as they change when the event is queued.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// `negotiationneeded`: an offer is to be made. Not told when it was made in the meantime.
    NegotiationNeeded,
    /// `icecandidate`: for the peer. An empty line ends a generation, `None` ends them all.
    IceCandidate(Option<IceCandidate>),
    /// `icecandidateerror`.
    IceCandidateError(IceCandidateError),
    /// `signalingstatechange`.
    SignalingStateChange(SignalingState),
    /// `iceconnectionstatechange`.
    IceConnectionStateChange(IceConnectionState),
    /// `icegatheringstatechange`.
    IceGatheringStateChange(IceGatheringState),
    /// `connectionstatechange`.
    ConnectionStateChange(PeerConnectionState),
    /// `datachannel`: the peer has opened a channel.
    DataChannel(DataChannel),
}
