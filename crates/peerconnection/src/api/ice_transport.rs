//! `RTCIceTransport`.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    IceTransportEvent,
    engine_lock::{Connection, KeepOpen},
    events::Events,
    waiters::{Waiter, wait},
};
use crate::{
    IceCandidate, IceCandidatePair, IceComponent, IceGatheringState, IceParameters, IceRole,
    IceTransportState,
    engine::{TransportId, TransportView},
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

    /// Which transport of which connection it is.
    pub(super) fn identity(&self) -> (&Connection, TransportId) {
        (self.keep_open.connection(), self.id)
    }

    /// Whether this side chooses the pair, or the peer does (`role`).
    pub fn role(&self) -> IceRole {
        self.get(|it| it.ice_role()).unwrap_or(IceRole::Unknown)
    }

    /// `component`: RTP, as RTCP is multiplexed with it.
    pub fn component(&self) -> IceComponent {
        IceComponent::Rtp
    }

    /// Whether there is a path to the peer (`state`).
    pub fn state(&self) -> IceTransportState {
        self.get(|it| it.ice_state())
            .unwrap_or(IceTransportState::Closed)
    }

    /// Whether it still gathers addresses (`gatheringState`).
    pub fn gathering_state(&self) -> IceGatheringState {
        self.get(|it| it.gathering_state())
            .unwrap_or(IceGatheringState::Complete)
    }

    /// `getLocalCandidates()`: those that were told.
    pub fn local_candidates(&self) -> Vec<IceCandidate> {
        self.get(|it| it.local_candidates().to_vec())
            .unwrap_or_default()
    }

    /// `getRemoteCandidates()`: those that signalling brought.
    pub fn remote_candidates(&self) -> Vec<IceCandidate> {
        self.get(|it| it.remote_candidates().cloned().collect())
            .unwrap_or_default()
    }

    /// The addresses between which data goes (`getSelectedCandidatePair()`); `None` before there is a path.
    pub fn selected_candidate_pair(&self) -> Option<IceCandidatePair> {
        self.get(|it| it.selected_candidate_pair().cloned())
            .flatten()
    }

    /// The username fragment and password of this side (`getLocalParameters()`); `None` before a local description.
    pub fn local_parameters(&self) -> Option<IceParameters> {
        self.get(|it| it.local_parameters().cloned()).flatten()
    }

    /// The peer's username fragment and password (`getRemoteParameters()`); `None` before a remote description.
    pub fn remote_parameters(&self) -> Option<IceParameters> {
        self.get(|it| it.remote_parameters().cloned()).flatten()
    }

    /// The next event. `None` when the connection is closed, its runtime has ended, or a description has taken the transport away
    /// (as bundling does).
    /// Those before the first handle was made are not told, and of those that nobody reads the last 64 are kept. `failed` does not
    /// end it. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<IceTransportEvent> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<IceTransportEvent>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<IceTransportEvent> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<IceTransportEvent>> {
        self.keep_open.connection().poll_event_until(
            waiter,
            |engine| engine.transport(self.id).is_none(),
            |queues| queues.ice.entry(self.id).or_default(),
        )
    }

    /// `None` for a transport that is not in use any more.
    fn get<R>(&self, f: impl FnOnce(TransportView<'_>) -> R) -> Option<R> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.transport(self.id).map(f))
    }
}

impl std::fmt::Debug for IceTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
