//! Events of a connection.

use super::{DataChannel, MediaStream, MediaStreamTrack, RtpReceiver, RtpTransceiver};
use crate::{
    IceCandidate, IceCandidateError, IceConnectionState, IceGatheringState, PeerConnectionState,
    SignalingState,
};

/// An event of a connection, with the value that it announces ([W3C §12](https://www.w3.org/TR/webrtc/#event-summary)).
///
/// The attributes of the connection may be further on already, as they change when the event is queued.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// `negotiationneeded`: an offer is to be made. Not told when it was made in the meantime.
    NegotiationNeeded,
    /// `icecandidate`: for the peer's [`add_ice_candidate`](crate::PeerConnection::add_ice_candidate), which takes it as it is. An
    /// empty line ends a generation, `None` ends them all.
    IceCandidate(Option<IceCandidate>),
    /// `icecandidateerror`: a server did not help.
    IceCandidateError(IceCandidateError),
    /// The signaling state has changed: which description is awaited now (`signalingstatechange`).
    SignalingStateChange(SignalingState),
    /// ICE has found a path to the peer, has lost it, or looks for one (`iceconnectionstatechange`). The connection itself, DTLS
    /// included, is up with [`ConnectionStateChange`](Self::ConnectionStateChange).
    IceConnectionStateChange(IceConnectionState),
    /// Gathering of addresses has begun, or has ended (`icegatheringstatechange`).
    IceGatheringStateChange(IceGatheringState),
    /// `connectionstatechange`. `Failed` says that the peer is out of reach: only an ICE restart helps. What waits for the peer
    /// [ends then](crate::api#waiting); channels and what is queued stay, for half a minute where data is on
    /// its way: then they are closed, and a new connection is to be made.
    ConnectionStateChange(PeerConnectionState),
    /// `datachannel`: the peer has opened a channel.
    DataChannel(DataChannel),
    /// `track`: the peer sends a track, or has put it into another stream. It is muted until its first packet has come.
    Track {
        /// Who receives it.
        receiver: RtpReceiver,
        /// The track.
        track: MediaStreamTrack,
        /// The streams that it is in.
        streams: Vec<MediaStream>,
        /// The transceiver of the receiver.
        transceiver: RtpTransceiver,
    },
    /// The peer has said goodbye: with a close_notify of DTLS, or by ending the SCTP association. Its channels are closed by
    /// now, and a loop over events can end.
    ///
    /// This is an addition: W3C's connection learns of it only through its channels, and stays `connected` until consent runs out.
    /// It changes no state. When both ends restart their association, it is told again at the end of the next one.
    PeerClosed,
}
