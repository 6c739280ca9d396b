//! `RTCPeerConnection`.

use std::{
    fmt,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::SystemTime,
};

use super::{
    DataChannel, Event, SctpTransport,
    engine_lock::{Carrier, Connection, EngineLock, KeepOpen, State},
    events::Events,
    waiters::{Waiter, wait},
};
use crate::{
    Anchor, Configuration, DataChannelInit, Error, ErrorKind, IceCandidateInit, IceConnectionState,
    IceGatheringState, OfferOptions, PeerConnectionState, SessionDescription, Settings,
    SignalingState,
    engine::{self, Counters, Engine},
};

/// `RTCPeerConnection` ([W3C §4.4](https://www.w3.org/TR/webrtc/#rtcpeerconnection-interface)): a connection to one peer.
///
/// A handle, cheap to clone. The connection closes when the last handle of any kind is dropped; a [`WeakPeerConnection`] does not
/// keep it open. Clones read from one queue of events: each event goes to one of them.
///
/// All futures may be dropped before they are ready. A verb does its work when its future is polled first, and is ready then;
/// the others wait, lose nothing when they are dropped, and say below what ends them ([more](crate::api#waiting)).
#[derive(Clone)]
#[doc(alias = "RTCPeerConnection")]
pub struct PeerConnection {
    pub(super) keep_open: Arc<KeepOpen>,
}

/// A handle that does not keep its connection open: for a task that serves a connection as long as others have it.
#[derive(Clone, Debug)]
pub struct WeakPeerConnection {
    keep_open: Weak<KeepOpen>,
}

impl PeerConnection {
    /// `createOffer()`. `None` stands for the default options.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or not in `stable` or `have-local-offer`.
    pub async fn create_offer(
        &self,
        options: impl Into<Option<OfferOptions>>,
    ) -> Result<SessionDescription, Error> {
        let options = options.into().unwrap_or_default();
        self.connection()
            .verb(|engine, _| engine.create_offer(&options))
    }

    /// `createAnswer()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or no offer of the peer is open.
    pub async fn create_answer(&self) -> Result<SessionDescription, Error> {
        self.connection().verb(|engine, _| engine.create_answer())
    }

    /// `setLocalDescription()`. `None` makes the one that is due: an offer, or the answer to an open offer. Gathering begins with
    /// it: candidates follow as events, or [`gathered`](Self::gathered) waits for all of them.
    ///
    /// # Errors
    ///
    /// `InvalidState`, `InvalidModification` when it is not the one that was created last, `InvalidAccess`, and an `Operation`
    /// with `sdp-syntax-error`. Nothing has changed then.
    pub async fn set_local_description(
        &self,
        description: impl Into<Option<SessionDescription>>,
    ) -> Result<(), Error> {
        let description = description.into();
        self.connection()
            .verb(|engine, now| engine.set_local_description(now, description))
    }

    /// The local description with all of its candidates, for signalling that carries one text each way. It waits until gathering
    /// has ended; at once when it has, or when there is nothing to gather. `failed` does not end it, as gathering needs no peer.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// `InvalidState` when no local description was set, or it was rolled back; `Aborted` when the connection is closed here, or
    /// its runtime ends.
    pub async fn gathered(&self) -> Result<SessionDescription, Error> {
        wait(|waiter| {
            self.connection().with(|state| {
                let engine = &state.engine;
                if engine.is_closed() {
                    return Poll::Ready(Err(state.hopeless().unwrap_or_else(Error::closed)));
                }
                let Some(description) = engine.local_description() else {
                    let message = "there is no local description to gather for";
                    return Poll::Ready(Err(Error::new(ErrorKind::InvalidState, message)));
                };
                let complete = |state| state == IceGatheringState::Complete;
                let done = engine.transports().all(|it| complete(it.gathering_state()));
                if done {
                    return Poll::Ready(Ok(description));
                }
                state.queues.watchers.register(waiter);
                Poll::Pending
            })
        })
        .await
    }

    /// `setRemoteDescription()`. An offer while ours is open rolls ours back.
    ///
    /// # Errors
    ///
    /// `InvalidState`, `InvalidAccess`, and an `Operation` with `sdp-syntax-error` and the line. Nothing has changed then, but that
    /// an offer of ours has been rolled back.
    pub async fn set_remote_description(
        &self,
        description: SessionDescription,
    ) -> Result<(), Error> {
        self.connection()
            .verb(|engine, now| engine.set_remote_description(now, description))
    }

    /// `addIceCandidate()`: a candidate of the peer, as [`Event::IceCandidate`] told it there. A `None` that it told, and an empty
    /// one, end them; where nothing was told, [`IceCandidateInit::default()`] is an empty one, as a bare `None` does not say of what.
    ///
    /// # Errors
    ///
    /// `Type` when it names no section, `InvalidState` when closed or without a remote description, `Operation` when it does not
    /// belong to it.
    pub async fn add_ice_candidate(
        &self,
        candidate: impl Into<IceCandidateInit>,
    ) -> Result<(), Error> {
        let candidate = candidate.into();
        self.connection()
            .verb(|engine, now| engine.add_ice_candidate(now, &candidate))
    }

    /// `createDataChannel()`. It opens when the connection is there, and may be created before: negotiation is needed then.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `Type` for options out of range, `Operation` when no id is free.
    pub fn create_data_channel(
        &self,
        label: &str,
        init: DataChannelInit,
    ) -> Result<DataChannel, Error> {
        let id = self.connection().with(|state| {
            let now = state.carrier.now();
            let id = state.engine.create_data_channel(now, label, &init)?;
            state.queues.channels.entry(id).or_default();
            state.carrier.flush(now, &mut state.engine);
            Ok::<_, Error>(id)
        })?;
        Ok(DataChannel::new(self.keep_open.clone(), id))
    }

    /// The next channel that the peer opens. Other events stay where they are, for [`next_event`](Self::next_event); one that
    /// `next_event` has returned does not come here again. Cancel safe: a channel is returned or stays.
    ///
    /// # Errors
    ///
    /// `Aborted` when none can come any more: the connection is closed, by either side, its runtime has ended, or it has `failed`.
    /// Channels that came before are returned first.
    pub async fn next_data_channel(&self) -> Result<DataChannel, Error> {
        let id = wait(|waiter| self.connection().with(|state| next_channel(state, waiter))).await?;
        Ok(DataChannel::new(self.keep_open.clone(), id))
    }

    /// `restartIce()`: the next offer has new credentials, and negotiation is needed. It brings back a connection that has failed.
    pub fn restart_ice(&self) {
        self.connection().verb(|engine, _| engine.restart_ice());
    }

    /// What it was made with, or was given since (`getConfiguration()`).
    pub fn configuration(&self) -> Configuration {
        self.get(|engine| engine.configuration().clone())
    }

    /// `setConfiguration()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed; otherwise as W3C §4.4.1.5 has them. Nothing has changed then.
    pub fn set_configuration(&self, configuration: Configuration) -> Result<(), Error> {
        self.connection().verb(|engine, now| {
            engine.set_configuration(configuration)?;
            engine.gather_ahead(now);
            Ok(())
        })
    }

    /// `close()`: at once. What was not sent is lost, and no event follows here; the peer is told.
    pub fn close(&self) {
        self.connection().with(|state| {
            let now = state.carrier.now();
            // What statistics keep is called as it was.
            state
                .queues
                .media
                .name_tracks(&mut state.engine, &state.inbox);
            state.engine.close(now);
            state.carrier.flush(now, &mut state.engine);
        });
    }

    /// Waits until the peer has acknowledged all that was sent, and has passed over what was given up, as what it acknowledged behind that
    /// is not read before; then closes. The waiting ends when the connection has `failed`, is closed by either side, or its runtime
    /// ends, as nothing will be acknowledged then.
    ///
    /// Cancel safe: a future that was dropped while it waited has closed nothing.
    pub async fn shutdown(&self) {
        wait(|waiter| self.poll_drained(waiter)).await;
        self.close();
    }

    fn poll_drained(&self, waiter: &mut Waiter<'_>) -> Poll<()> {
        self.connection().with(|state| {
            if state.hopeless().is_some() || state.engine.is_drained() {
                return Poll::Ready(());
            }
            state.queues.drainers.register(waiter);
            Poll::Pending
        })
    }

    /// The next event. `None` when the connection was closed here, or its runtime has ended, and all events were read. When the
    /// peer has closed, [`Event::PeerClosed`] tells so, and no more comes by itself: a loop that serves a peer ends there. `failed`
    /// is an event as well, and ends nothing. Cancel safe: an event is returned or stays.
    ///
    /// ```
    /// # use oxirtc_peerconnection::{Event, PeerConnection, PeerConnectionState};
    /// # fn serve(_: oxirtc_peerconnection::DataChannel) {}
    /// async fn attend(connection: PeerConnection) {
    ///     while let Some(event) = connection.next_event().await {
    ///         match event {
    ///             Event::DataChannel(channel) => serve(channel),
    ///             Event::PeerClosed | Event::ConnectionStateChange(PeerConnectionState::Failed) => break,
    ///             _ => {}
    ///         }
    ///     }
    ///     // A task that serves a channel has a handle, too, and would wait on for the words of a peer that is lost.
    ///     connection.close();
    /// }
    /// ```
    pub async fn next_event(&self) -> Option<Event> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<Event>> {
        loop {
            match self.poll_engine_event(waiter) {
                // Of what is gone again, such as a track that a rollback has taken back, nothing is told.
                Poll::Ready(Some(event)) => {
                    if let Some(event) = self.event(event) {
                        return Poll::Ready(Some(event));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_engine_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<engine::Event>> {
        self.connection().with(|state| {
            loop {
                let closed = state.engine.is_closed();
                match state.queues.connection.poll(waiter, closed) {
                    // The application has made its offer in the meantime.
                    Poll::Ready(Some(engine::Event::NegotiationNeeded))
                        if !state.engine.is_negotiation_needed() => {}
                    // [5.6-02]: its offer was rolled back in the meantime.
                    Poll::Ready(Some(engine::Event::IceCandidate(Some(candidate))))
                        if !closed && !state.engine.is_described(&candidate) => {}
                    other => return other,
                }
            }
        })
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does. It holds a handle.
    pub fn events(&self) -> Events<Event> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
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
                Event::DataChannel(DataChannel::new(self.keep_open.clone(), id))
            }
            engine::Event::Track {
                transceiver,
                streams,
            } => return self.track_event(transceiver, &streams),
            engine::Event::PeerClosed => Event::PeerClosed,
            // Those of other objects were given to them.
            engine::Event::Channel(..)
            | engine::Event::IceTransport(..)
            | engine::Event::DtlsTransport(..)
            | engine::Event::SctpTransport(_)
            | engine::Event::StatsEnded(_)
            | engine::Event::StreamChange { .. }
            | engine::Event::TrackMute(..)
            | engine::Event::TrackEnded(_)
            | engine::Event::ToneChange(..)
            | engine::Event::FrameReadable(_)
            | engine::Event::KeyframeRequested { .. }
            | engine::Event::BitrateAllowed { .. }
            | engine::Event::SendingStopped { .. }
            | engine::Event::EncodingsChanged(_)
            | engine::Event::Rtcp(..)
            | engine::Event::Tone(..)
            | engine::Event::Readable(_)
            | engine::Event::Writable => return None,
        })
    }

    /// Waits until the connection is in `state`; at once when it is. A state that it passes through quickly may be missed: events
    /// tell of each. Cancel safe.
    ///
    /// # Errors
    ///
    /// `Aborted` when it is closed, its runtime ends, or it has `failed`, and `state` is another.
    pub async fn wait_for(&self, state: PeerConnectionState) -> Result<(), Error> {
        wait(|waiter| {
            self.connection().with(|shared| {
                if shared.engine.connection_state() == state {
                    return Poll::Ready(Ok(()));
                }
                if let Some(error) = shared.hopeless() {
                    return Poll::Ready(Err(error));
                }
                shared.queues.watchers.register(waiter);
                Poll::Pending
            })
        })
        .await
    }

    /// Which description is awaited now (`signalingState`).
    pub fn signaling_state(&self) -> SignalingState {
        self.get(Engine::signaling_state)
    }

    /// Whether addresses are being gathered (`iceGatheringState`).
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.get(Engine::ice_gathering_state)
    }

    /// Whether ICE has a path to the peer (`iceConnectionState`). `connectionState` counts DTLS as well.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.get(Engine::ice_connection_state)
    }

    /// Whether the connection is up: ICE and DTLS together (`connectionState`).
    pub fn connection_state(&self) -> PeerConnectionState {
        self.get(Engine::connection_state)
    }

    /// `canTrickleIceCandidates`: `None` before the first remote description.
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.get(Engine::can_trickle_ice_candidates)
    }

    /// `localDescription`: the pending one, else the current one, with the candidates so far.
    pub fn local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::local_description)
    }

    /// The local description of the last negotiation that was completed (`currentLocalDescription`), with its candidates.
    pub fn current_local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::current_local_description)
    }

    /// The local description of a negotiation that is under way (`pendingLocalDescription`), with its candidates.
    pub fn pending_local_description(&self) -> Option<SessionDescription> {
        self.get(Engine::pending_local_description)
    }

    /// `remoteDescription`: the pending one, else the current one, with the candidates so far.
    pub fn remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::remote_description)
    }

    /// The remote description of the last negotiation that was completed (`currentRemoteDescription`), with its candidates.
    pub fn current_remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::current_remote_description)
    }

    /// The remote description of a negotiation that is under way (`pendingRemoteDescription`), with its candidates.
    pub fn pending_remote_description(&self) -> Option<SessionDescription> {
        self.get(Engine::pending_remote_description)
    }

    /// `sctp`: from the first offer that describes data.
    pub fn sctp(&self) -> Option<SctpTransport> {
        let there = self.connection().with(|state| {
            let there = state.engine.sctp().is_some();
            if there {
                state.queues.sctp.get_or_insert_default();
            }
            there
        });
        there.then(|| SctpTransport::new(self.keep_open.clone()))
    }

    /// Counters of the whole connection.
    pub fn counters(&self) -> Counters {
        self.get(Engine::counters)
    }

    /// A handle that does not keep the connection open.
    pub fn downgrade(&self) -> WeakPeerConnection {
        WeakPeerConnection {
            keep_open: Arc::downgrade(&self.keep_open),
        }
    }

    /// A connection on a runtime of your own: `carrier` moves its datagrams, and drives the engine through the lock that is
    /// returned beside it. Everything random comes from `seed`, but for keys; `wall` is the time of day, for certificates.
    ///
    /// # Errors
    ///
    /// As W3C has them for the configuration (§4.4.1.1, §4.4.1.5).
    pub fn with_carrier<C: Carrier>(
        configuration: Configuration,
        settings: Settings,
        seed: [u8; 32],
        wall: SystemTime,
        carrier: C,
    ) -> Result<(Self, EngineLock<C>), Error> {
        let anchor = Anchor {
            instant: carrier.now(),
            wall,
        };
        let lock = EngineLock::new(Engine::new(configuration, settings, seed, anchor)?, carrier);
        let keep_open = Arc::new(lock.keep_open());
        Ok((Self { keep_open }, lock))
    }

    pub(super) fn connection(&self) -> &Connection {
        self.keep_open.connection()
    }

    fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        self.connection().get(f)
    }
}

impl WeakPeerConnection {
    /// The connection, while a handle of any kind keeps it open.
    pub fn upgrade(&self) -> Option<PeerConnection> {
        let keep_open = self.keep_open.upgrade()?;
        Some(PeerConnection { keep_open })
    }
}

fn next_channel(
    state: &mut State,
    waiter: &mut Waiter<'_>,
) -> Poll<Result<engine::ChannelId, Error>> {
    let channel = |event: &engine::Event| match event {
        engine::Event::DataChannel(id) => Some(*id),
        _ => None,
    };
    if let Some(id) = state.queues.connection.take(channel) {
        return Poll::Ready(Ok(id));
    }
    if let Some(error) = state.hopeless() {
        return Poll::Ready(Err(error));
    }
    if state.queues.peer_closed {
        let message = "the peer has closed the connection";
        return Poll::Ready(Err(Error::new(ErrorKind::Aborted, message)));
    }
    state.queues.connection.register(waiter);
    Poll::Pending
}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("label", &self.get(Engine::label).to_string())
            .field("signaling_state", &self.signaling_state())
            .field("connection_state", &self.connection_state())
            .finish_non_exhaustive()
    }
}
