//! `RTCIceTransport`.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{IceTransportEvent, engine_lock::KeepOpen, events::Events};
use crate::{
    IceCandidate, IceCandidatePair, IceComponent, IceGatheringState, IceParameters, IceRole,
    IceTransportState,
    engine::{Engine, TransportId},
};

/// `RTCIceTransport` (W3C §5.6).
#[derive(Clone)]
#[doc(alias = "RTCIceTransport")]
pub struct IceTransport {
    keep_open: Arc<KeepOpen>,
    id: TransportId,
}

impl IceTransport {
    pub(super) fn new(keep_open: Arc<KeepOpen>, id: TransportId) -> Self {
        keep_open.connection().with(|state| {
            state.queues.ice.entry(id).or_default();
        });
        Self { keep_open, id }
    }

    /// `role`.
    pub fn role(&self) -> IceRole {
        self.get(|engine| engine.ice_role(self.id))
    }

    /// `component`: RTP, as RTCP is multiplexed with it.
    pub fn component(&self) -> IceComponent {
        IceComponent::Rtp
    }

    /// `state`.
    pub fn state(&self) -> IceTransportState {
        self.get(|engine| engine.ice_transport_state(self.id))
    }

    /// `gatheringState`.
    pub fn gathering_state(&self) -> IceGatheringState {
        self.get(|engine| engine.ice_transport_gathering_state(self.id))
    }

    /// `getLocalCandidates()`: those that were told.
    pub fn local_candidates(&self) -> Vec<IceCandidate> {
        self.get(|engine| engine.local_candidates(self.id))
    }

    /// `getRemoteCandidates()`: those that signalling brought.
    pub fn remote_candidates(&self) -> Vec<IceCandidate> {
        self.get(|engine| engine.remote_candidates(self.id))
    }

    /// `getSelectedCandidatePair()`.
    pub fn selected_candidate_pair(&self) -> Option<IceCandidatePair> {
        self.get(|engine| engine.selected_candidate_pair(self.id))
    }

    /// `getLocalParameters()`.
    pub fn local_parameters(&self) -> Option<IceParameters> {
        self.get(|engine| engine.local_parameters(self.id))
    }

    /// `getRemoteParameters()`.
    pub fn remote_parameters(&self) -> Option<IceParameters> {
        self.get(|engine| engine.remote_parameters(self.id))
    }

    /// The next event. `None` when the connection is closed. Those before the first handle was made are not told, and of those
    /// that nobody reads the last 64 are kept. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<IceTransportEvent> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand.
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<IceTransportEvent>> {
        self.keep_open
            .connection()
            .poll_event(cx, |queues| queues.ice.entry(self.id).or_default())
    }

    /// The events, as a stream.
    pub fn events(&self) -> Events<IceTransportEvent> {
        let this = self.clone();
        Events::new(move |cx| this.poll_next_event(cx))
    }

    fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        self.keep_open.connection().get(f)
    }
}

impl std::fmt::Debug for IceTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
