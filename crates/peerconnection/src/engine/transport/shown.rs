//! What stands of a transport, since the tasks that told it were queued.

use crate::{DtlsTransportState, IceCandidate, IceGatheringState, IceRole, IceTransportState};

/// A selected pair (W3C §5.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "RTCIceCandidatePair")]
pub struct IceCandidatePair {
    /// Ours.
    pub local: IceCandidate,
    /// The peer's. That of a peer-reflexive candidate shows no address.
    pub remote: IceCandidate,
}

/// ICE credentials (W3C §5.6.1). `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "RTCIceParameters")]
pub struct IceParameters {
    /// 4 to 256 characters.
    pub username_fragment: String,
    /// 22 to 256 characters.
    pub password: String,
}

/// What W3C shows of a transport (§5.5, §5.6).
pub(in crate::engine) struct Shown {
    pub(in crate::engine) role: IceRole,
    pub(in crate::engine) ice: IceTransportState,
    pub(in crate::engine) gathering: IceGatheringState,
    pub(in crate::engine) dtls: DtlsTransportState,
    pub(in crate::engine) pair: Option<IceCandidatePair>,
    pub(in crate::engine) local_candidates: Vec<IceCandidate>,
    /// Of each generation that there is.
    pub(in crate::engine) remote_candidates: Vec<IceCandidate>,
    pub(in crate::engine) local_parameters: Option<IceParameters>,
    pub(in crate::engine) remote_parameters: Option<IceParameters>,
    /// W3C's `[[RemoteCertificates]]`: set with the state `connected`, and kept when it ends.
    pub(in crate::engine) remote_certificates: Vec<Vec<u8>>,
}

impl Shown {
    /// The candidates of the generation that the remote parameters are of.
    pub(in crate::engine) fn newest_remotes(&self) -> impl Iterator<Item = &IceCandidate> {
        let newest = self.remote_parameters.as_ref();
        let ufrag = newest.map(|it| it.username_fragment.as_str());
        let told = self.remote_candidates.iter();
        told.filter(move |it| it.username_fragment() == ufrag)
    }
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            role: IceRole::Unknown,
            ice: IceTransportState::New,
            gathering: IceGatheringState::New,
            dtls: DtlsTransportState::New,
            pair: None,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
            local_parameters: None,
            remote_parameters: None,
            remote_certificates: Vec::new(),
        }
    }
}

impl std::fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("IceParameters");
        debug
            .field("username_fragment", &self.username_fragment)
            .finish_non_exhaustive()
    }
}
