//! `RTCPeerConnection`.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use super::{
    Carrier, Core, DataChannel, Event, SctpTransport,
    core::{Handle, Shared},
};
use crate::{
    Anchor, Configuration, Counters, DataChannelInit, Error, ErrorKind, IceCandidateInit,
    IceConnectionState, IceGatheringState, OfferOptions, PeerConnectionState, SessionDescription,
    Settings, SignalingState,
    engine::{self, Engine},
};

/// `RTCPeerConnection` (W3C §4.4): a connection to one peer.
///
/// A handle, cheap to clone. The connection closes when the last handle of any kind is dropped.
#[derive(Clone)]
#[doc(alias = "RTCPeerConnection")]
pub struct PeerConnection {
    handle: Arc<Handle>,
}

impl PeerConnection {
    /// A connection whose datagrams `carrier` moves. Everything random comes from `seed`, but for
    /// keys; `wall` is the time of day, for certificates.
    ///
    /// # Errors
    ///
    /// As W3C has them for the configuration (§4.4.1.1, §4.4.1.5).
    pub fn with_carrier(
        configuration: Configuration,
        settings: Settings,
        seed: [u8; 32],
        wall: SystemTime,
        carrier: Arc<dyn Carrier>,
    ) -> Result<Self, Error> {
        let anchor = Anchor {
            instant: carrier.now(),
            wall,
        };
        let engine = Engine::new(configuration, settings, seed, anchor)?;
        let shared = Arc::new(Shared::new(engine, carrier));
        Ok(Self {
            handle: Arc::new(Handle::new(shared)),
        })
    }

    /// The engine behind its lock, for the carrier. It does not keep the connection open.
    #[must_use]
    pub fn core(&self) -> Core {
        self.handle.core()
    }

    /// `createOffer()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or not in `stable` or `have-local-offer`.
    pub async fn create_offer(&self, options: OfferOptions) -> Result<SessionDescription, Error> {
        self.shared()
            .verb(|engine, _| engine.create_offer(&options))
    }

    /// `createAnswer()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or no offer of the peer is open.
    pub async fn create_answer(&self) -> Result<SessionDescription, Error> {
        self.shared().verb(|engine, _| engine.create_answer())
    }

    /// `setLocalDescription()`. Without a description, the right one is created.
    ///
    /// # Errors
    ///
    /// `InvalidState`, `InvalidModification` when it is not the one that was created last,
    /// `InvalidAccess`, and an `Operation` with `sdp-syntax-error`. Nothing has changed then.
    pub async fn set_local_description(
        &self,
        description: impl Into<Option<SessionDescription>>,
    ) -> Result<(), Error> {
        let description = description.into();
        self.shared()
            .verb(|engine, now| engine.set_local_description(now, description))
    }

    /// `setRemoteDescription()`. An offer while ours is open rolls ours back.
    ///
    /// # Errors
    ///
    /// `InvalidState`, `InvalidAccess`, and an `Operation` with `sdp-syntax-error` and the line.
    /// Nothing has changed then.
    pub async fn set_remote_description(
        &self,
        description: SessionDescription,
    ) -> Result<(), Error> {
        self.shared()
            .verb(|engine, now| engine.set_remote_description(now, description))
    }

    /// `addIceCandidate()`: a candidate of the peer. An empty one ends them.
    ///
    /// # Errors
    ///
    /// `Type` when it names no section, `InvalidState` when closed or without a remote description,
    /// `Operation` when it does not belong to it.
    pub async fn add_ice_candidate(
        &self,
        candidate: impl Into<IceCandidateInit>,
    ) -> Result<(), Error> {
        let candidate = candidate.into();
        self.shared()
            .verb(|engine, now| engine.add_ice_candidate(now, &candidate))
    }

    /// `createDataChannel()`. It opens when the connection is there, and may be created before.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `Type` for options out of range, `Operation` when no id is free.
    pub fn create_data_channel(
        &self,
        label: &str,
        init: DataChannelInit,
    ) -> Result<DataChannel, Error> {
        let id = self.shared().with(|state| {
            let now = self.shared().now();
            let id = state.engine.create_data_channel(now, label, &init)?;
            state.objects.channels.entry(id).or_default();
            self.shared().carrier().flush(now, &mut state.engine);
            Ok::<_, Error>(id)
        })?;
        Ok(DataChannel::new(self.handle.clone(), id))
    }

    /// `restartIce()`: the next offer has new credentials, and negotiation is needed.
    pub fn restart_ice(&self) {
        self.shared().verb(|engine, _| engine.restart_ice());
    }

    /// `getConfiguration()`.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        self.get(|engine| engine.configuration().clone())
    }

    /// `setConfiguration()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed; otherwise as W3C §4.4.1.5 has them. Nothing has changed then.
    pub fn set_configuration(&self, configuration: Configuration) -> Result<(), Error> {
        self.shared()
            .verb(|engine, _| engine.set_configuration(configuration))
    }

    /// `close()`: at once. What was not sent is lost, and no event follows here; the peer is told.
    pub fn close(&self) {
        self.shared().verb(|engine, now| engine.close(now));
    }

    /// Waits until the peer has acknowledged all that was sent, then closes. When the peer is gone,
    /// that is when the connection fails.
    pub async fn shutdown(&self) {
        poll_fn(|cx| self.poll_drained(cx)).await;
        self.close();
    }

    fn poll_drained(&self, cx: &Context<'_>) -> Poll<()> {
        self.shared().with(|state| {
            let engine = &state.engine;
            let failed = engine.connection_state() == PeerConnectionState::Failed;
            if engine.is_closed() || failed || engine.total_unacknowledged() == 0 {
                return Poll::Ready(());
            }
            state.objects.drainers.register(cx);
            Poll::Pending
        })
    }

    /// The next event. `None` when the connection is closed and all events were read.
    pub async fn next_event(&self) -> Option<Event> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// The next event, for who polls by hand. The last waker of each task is woken.
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let next = self.shared().with(|state| {
            loop {
                match state.objects.events.pop() {
                    // The application has made its offer in the meantime.
                    Some(engine::Event::NegotiationNeeded)
                        if !state.engine.is_negotiation_needed() => {}
                    Some(event) => return Poll::Ready(Some(event)),
                    None if state.engine.is_closed() => return Poll::Ready(None),
                    None => {
                        state.objects.events.readers.register(cx);
                        return Poll::Pending;
                    }
                }
            }
        });
        next.map(|event| event.and_then(|event| self.event(event)))
    }

    fn event(&self, event: engine::Event) -> Option<Event> {
        Some(match event {
            engine::Event::NegotiationNeeded => Event::NegotiationNeeded,
            engine::Event::IceCandidate(candidate) => Event::IceCandidate(candidate),
            engine::Event::IceCandidateError(error) => Event::IceCandidateError(error),
            engine::Event::SignalingStateChange(state) => Event::SignalingStateChange(state),
            engine::Event::IceConnectionStateChange(state) => {
                Event::IceConnectionStateChange(state)
            }
            engine::Event::IceGatheringStateChange(state) => Event::IceGatheringStateChange(state),
            engine::Event::ConnectionStateChange(state) => Event::ConnectionStateChange(state),
            engine::Event::DataChannel(id) => {
                Event::DataChannel(DataChannel::new(self.handle.clone(), id))
            }
            // Those of other objects were given to them.
            engine::Event::Channel(..)
            | engine::Event::IceTransport(..)
            | engine::Event::DtlsTransport(..)
            | engine::Event::SctpTransport(_)
            | engine::Event::Readable(_)
            | engine::Event::Writable => return None,
        })
    }

    /// Waits until the connection is in `state`.
    ///
    /// # Errors
    ///
    /// `Aborted` when it is closed or has failed first.
    pub async fn wait_for(&self, state: PeerConnectionState) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared().with(|shared| {
                let current = shared.engine.connection_state();
                let ended = matches!(
                    current,
                    PeerConnectionState::Closed | PeerConnectionState::Failed
                );
                if current == state {
                    Poll::Ready(Ok(()))
                } else if ended {
                    let message = "the connection has ended before it was in the state waited for";
                    Poll::Ready(Err(Error::new(ErrorKind::Aborted, message)))
                } else {
                    shared.objects.watchers.register(cx);
                    Poll::Pending
                }
            })
        })
        .await
    }

    /// `signalingState`.
    #[must_use]
    pub fn signaling_state(&self) -> SignalingState {
        self.get(Engine::signaling_state)
    }

    /// `iceGatheringState`.
    #[must_use]
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.get(Engine::ice_gathering_state)
    }

    /// `iceConnectionState`.
    #[must_use]
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.get(Engine::ice_connection_state)
    }

    /// `connectionState`.
    #[must_use]
    pub fn connection_state(&self) -> PeerConnectionState {
        self.get(Engine::connection_state)
    }

    /// `canTrickleIceCandidates`: `None` before the first remote description.
    #[must_use]
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.get(Engine::can_trickle_ice_candidates)
    }

    /// `localDescription`: the pending one, else the current one, with the candidates so far.
    #[must_use]
    pub fn local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::local_description)
    }

    /// `currentLocalDescription`.
    #[must_use]
    pub fn current_local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::current_local_description)
    }

    /// `pendingLocalDescription`.
    #[must_use]
    pub fn pending_local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::pending_local_description)
    }

    /// `remoteDescription`: the pending one, else the current one, with the candidates so far.
    #[must_use]
    pub fn remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::remote_description)
    }

    /// `currentRemoteDescription`.
    #[must_use]
    pub fn current_remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::current_remote_description)
    }

    /// `pendingRemoteDescription`.
    #[must_use]
    pub fn pending_remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::pending_remote_description)
    }

    /// `sctp`: from the first offer that describes data.
    #[must_use]
    pub fn sctp(&self) -> Option<SctpTransport> {
        let there = self.shared().with(|state| {
            let there = state.engine.sctp().is_some();
            if there {
                state.objects.sctp.get_or_insert_default();
            }
            there
        });
        there.then(|| SctpTransport::new(self.handle.clone()))
    }

    /// Counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.get(Engine::counters)
    }

    fn shared(&self) -> &Shared {
        self.handle.shared()
    }

    fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        self.shared().get(f)
    }
}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("signaling_state", &self.signaling_state())
            .field("connection_state", &self.connection_state())
            .finish_non_exhaustive()
    }
}
