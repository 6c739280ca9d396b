//! `RTCIceTransport`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{IceTransportEvent, core::Handle};
use crate::{
    IceCandidate, IceCandidatePair, IceComponent, IceGatheringState, IceParameters, IceRole,
    IceTransportState,
    engine::{TransportId, TransportView},
};

/// `RTCIceTransport` (W3C §5.6).
#[derive(Clone)]
#[doc(alias = "RTCIceTransport")]
pub struct IceTransport {
    handle: Arc<Handle>,
    id: TransportId,
}

impl IceTransport {
    pub(super) fn new(handle: Arc<Handle>, id: TransportId) -> Self {
        handle.shared().with(|state| {
            state.objects.ice.entry(id).or_default();
        });
        Self { handle, id }
    }

    /// `role`.
    #[must_use]
    pub fn role(&self) -> IceRole {
        self.get(|it| it.ice_role()).unwrap_or(IceRole::Unknown)
    }

    /// `component`: RTP, as RTCP is multiplexed with it.
    #[must_use]
    pub fn component(&self) -> IceComponent {
        IceComponent::Rtp
    }

    /// `state`.
    #[must_use]
    pub fn state(&self) -> IceTransportState {
        self.get(|it| it.ice_state())
            .unwrap_or(IceTransportState::Closed)
    }

    /// `gatheringState`.
    #[must_use]
    pub fn gathering_state(&self) -> IceGatheringState {
        self.get(|it| it.gathering_state())
            .unwrap_or(IceGatheringState::Complete)
    }

    /// `getLocalCandidates()`: those that were told.
    #[must_use]
    pub fn local_candidates(&self) -> Vec<IceCandidate> {
        self.get(|it| it.local_candidates().to_vec())
            .unwrap_or_default()
    }

    /// `getRemoteCandidates()`: those that signalling brought.
    #[must_use]
    pub fn remote_candidates(&self) -> Vec<IceCandidate> {
        self.get(|it| it.remote_candidates().to_vec())
            .unwrap_or_default()
    }

    /// `getSelectedCandidatePair()`.
    #[must_use]
    pub fn selected_candidate_pair(&self) -> Option<IceCandidatePair> {
        self.get(|it| it.selected_candidate_pair().cloned())
            .flatten()
    }

    /// `getLocalParameters()`.
    #[must_use]
    pub fn local_parameters(&self) -> Option<IceParameters> {
        self.get(|it| it.local_parameters().cloned()).flatten()
    }

    /// `getRemoteParameters()`.
    #[must_use]
    pub fn remote_parameters(&self) -> Option<IceParameters> {
        self.get(|it| it.remote_parameters().cloned()).flatten()
    }

    /// The next event. `None` when the connection is closed. Events before the first handle was made
    /// are not told.
    pub async fn next_event(&self) -> Option<IceTransportEvent> {
        poll_fn(|cx| {
            self.handle.shared().with(|state| {
                let events = state.objects.ice.entry(self.id).or_default();
                match events.pop() {
                    Some(event) => Poll::Ready(Some(event)),
                    None if state.engine.is_closed() => Poll::Ready(None),
                    None => {
                        events.readers.register(cx);
                        Poll::Pending
                    }
                }
            })
        })
        .await
    }

    /// `None` for a transport that is not in use any more.
    fn get<R>(&self, f: impl FnOnce(TransportView<'_>) -> R) -> Option<R> {
        let shared = self.handle.shared();
        shared.get(|engine| engine.transport(self.id).map(f))
    }
}

impl std::fmt::Debug for IceTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
