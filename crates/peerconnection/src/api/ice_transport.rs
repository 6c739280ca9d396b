//! `RTCIceTransport`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{IceTransportEvent, core::Handle};
use crate::{
    IceCandidate, IceCandidatePair, IceComponent, IceGatheringState, IceParameters, IceRole,
    IceTransportState,
    engine::{Engine, TransportId},
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
        self.get(|engine| engine.ice_role(self.id))
    }

    /// `component`: RTP, as RTCP is multiplexed with it.
    #[must_use]
    pub fn component(&self) -> IceComponent {
        IceComponent::Rtp
    }

    /// `state`.
    #[must_use]
    pub fn state(&self) -> IceTransportState {
        self.get(|engine| engine.ice_transport_state(self.id))
    }

    /// `gatheringState`.
    #[must_use]
    pub fn gathering_state(&self) -> IceGatheringState {
        self.get(|engine| engine.ice_transport_gathering_state(self.id))
    }

    /// `getLocalCandidates()`: those that were told.
    #[must_use]
    pub fn local_candidates(&self) -> Vec<IceCandidate> {
        self.get(|engine| engine.local_candidates(self.id))
    }

    /// `getRemoteCandidates()`: those that signalling brought.
    #[must_use]
    pub fn remote_candidates(&self) -> Vec<IceCandidate> {
        self.get(|engine| engine.remote_candidates(self.id))
    }

    /// `getSelectedCandidatePair()`.
    #[must_use]
    pub fn selected_candidate_pair(&self) -> Option<IceCandidatePair> {
        self.get(|engine| engine.selected_candidate_pair(self.id))
    }

    /// `getLocalParameters()`.
    #[must_use]
    pub fn local_parameters(&self) -> Option<IceParameters> {
        self.get(|engine| engine.local_parameters(self.id))
    }

    /// `getRemoteParameters()`.
    #[must_use]
    pub fn remote_parameters(&self) -> Option<IceParameters> {
        self.get(|engine| engine.remote_parameters(self.id))
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

    fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        self.handle.shared().get(f)
    }
}

impl std::fmt::Debug for IceTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
