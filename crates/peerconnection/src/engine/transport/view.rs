//! What W3C shows of a transport (§5.5, §5.6).

use std::time::Duration;

use super::{
    Transport,
    shown::{IceCandidatePair, IceParameters},
};
use crate::{
    DtlsTransportState, IceCandidate, IceGatheringState, IceRole, IceTransportState, MediaDrops,
    engine::ids::TransportId,
};

/// An ICE transport and the DTLS transport on it (W3C §5.5, §5.6), as they are at this moment.
#[derive(Clone, Copy)]
pub struct TransportView<'a>(&'a Transport);

impl<'a> TransportView<'a> {
    pub(in crate::engine) fn new(transport: &'a Transport) -> Self {
        Self(transport)
    }

    /// Its number.
    pub fn id(self) -> TransportId {
        self.0.id
    }

    /// `role` of the ICE transport.
    pub fn ice_role(self) -> IceRole {
        self.0.shown.role
    }

    /// `state` of the ICE transport.
    pub fn ice_state(self) -> IceTransportState {
        self.0.shown.ice
    }

    /// `gatheringState` of the ICE transport.
    pub fn gathering_state(self) -> IceGatheringState {
        self.0.shown.gathering
    }

    /// The addresses between which data goes (`getSelectedCandidatePair()`); `None` before there is a path.
    pub fn selected_candidate_pair(self) -> Option<&'a IceCandidatePair> {
        self.0.shown.pair.as_ref()
    }

    /// `getLocalCandidates()`: those that were told.
    pub fn local_candidates(self) -> &'a [IceCandidate] {
        &self.0.shown.local_candidates
    }

    /// `getRemoteCandidates()`: those that signalling brought, of the peer's newest generation.
    pub fn remote_candidates(self) -> impl Iterator<Item = &'a IceCandidate> {
        self.0.shown.newest_remotes()
    }

    /// The username fragment and password of this side (`getLocalParameters()`); `None` before a local description.
    pub fn local_parameters(self) -> Option<&'a IceParameters> {
        self.0.shown.local_parameters.as_ref()
    }

    /// The peer's username fragment and password (`getRemoteParameters()`); `None` before a remote description.
    pub fn remote_parameters(self) -> Option<&'a IceParameters> {
        self.0.shown.remote_parameters.as_ref()
    }

    /// `state` of the DTLS transport.
    pub fn dtls_state(self) -> DtlsTransportState {
        self.0.shown.dtls
    }

    /// `getRemoteCertificates()`: DER, the peer's own first; empty before it is connected, and still there afterwards.
    pub fn remote_certificates(self) -> &'a [Vec<u8>] {
        &self.0.shown.remote_certificates
    }

    /// The round trip of the path in use, from its STUN checks.
    pub fn round_trip(self) -> Option<Duration> {
        self.0.round_trip()
    }

    /// What of media was dropped as it came.
    pub fn media_drops(self) -> MediaDrops {
        let media = self.0.media.as_ref();
        media.map(|it| it.drops()).unwrap_or_default()
    }
}

impl std::fmt::Debug for TransportView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportView")
            .field("id", &self.id())
            .field("ice_state", &self.ice_state())
            .field("dtls_state", &self.dtls_state())
            .finish_non_exhaustive()
    }
}
