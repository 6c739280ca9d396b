//! `RTCDataChannel`.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    DataChannelEvent,
    core::{Handle, Shared, State},
    objects::fill,
};
use crate::{
    DataChannelState, Error, ErrorKind, Message, Priority, SendError,
    engine::{ChannelId, ChannelView},
};

/// `RTCDataChannel` (W3C §6.2): messages both ways.
///
/// A handle, cheap to clone; it keeps the connection open. When all handles of a channel are dropped,
/// what still comes on it is discarded.
#[derive(Clone)]
#[doc(alias = "RTCDataChannel")]
pub struct DataChannel {
    channel: Arc<ChannelHandle>,
}

/// What the handles of one channel share.
struct ChannelHandle {
    handle: Arc<Handle>,
    id: ChannelId,
}

/// Why a message was not taken, with the message.
#[derive(Debug, thiserror::Error)]
pub enum TrySendError {
    /// The send buffer is full: it goes later.
    #[error("the send buffer is full")]
    Full(Message),
    /// It does not go, and why.
    #[error("{0}")]
    Refused(Error, Message),
}

impl DataChannel {
    pub(super) fn new(handle: Arc<Handle>, id: ChannelId) -> Self {
        Self {
            channel: Arc::new(ChannelHandle { handle, id }),
        }
    }

    /// Sends a message, and waits before it while the send buffer is full.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the channel is not open, `Type` when the peer does not take so long a
    /// message.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        poll_fn(|cx| self.poll_send(cx, &message)).await
    }

    /// Sends a message when there is room in the send buffer, for who polls by hand.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) has them.
    pub fn poll_send(&self, cx: &mut Context<'_>, message: &Message) -> Poll<Result<(), Error>> {
        self.shared()
            .with(|state| match self.send_now(state, message) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(SendError::Refused(error)) => Poll::Ready(Err(error)),
                Err(SendError::Full) => {
                    if let Some(object) = state.objects.channels.get_mut(&self.channel.id) {
                        object.writers.register(cx);
                        object.refused_at = fill(&state.engine, self.channel.id);
                        state.objects.watch(self.channel.id);
                    }
                    Poll::Pending
                }
            })
    }

    /// Sends a message without waiting.
    ///
    /// # Errors
    ///
    /// The message comes back when the buffer is full, and when it cannot be sent.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.shared().with(|state| self.send_now(state, &message)) {
            Ok(()) => Ok(()),
            Err(SendError::Full) => Err(TrySendError::Full(message)),
            Err(SendError::Refused(error)) => Err(TrySendError::Refused(error, message)),
        }
    }

    fn send_now(&self, state: &mut State, message: &Message) -> Result<(), SendError> {
        let now = self.shared().now();
        let before = state.engine.total_unacknowledged();
        state.engine.send(now, self.channel.id, message)?;
        let carrier = self.shared().carrier();
        // A lone message leaves on this thread; those of a transfer leave in batches.
        if before < INLINE {
            carrier.flush(now, &mut state.engine);
        } else {
            carrier.wake();
        }
        Ok(())
    }

    /// The next message. `None` when the channel is closed and all that came before was read.
    pub async fn recv(&self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message, for who polls by hand.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.shared().with(|state| {
            if let Some(message) = self.read(state) {
                return Poll::Ready(Some(message));
            }
            let closed = state
                .engine
                .channel(self.channel.id)
                .is_none_or(|it| it.ready_state() == DataChannelState::Closed);
            if closed {
                return Poll::Ready(None);
            }
            if let Some(object) = state.objects.channels.get_mut(&self.channel.id) {
                object.readers.register(cx);
            }
            Poll::Pending
        })
    }

    /// A message that is there already.
    #[must_use]
    pub fn try_recv(&self) -> Option<Message> {
        self.shared().with(|state| self.read(state))
    }

    fn read(&self, state: &mut State) -> Option<Message> {
        let message = state.engine.read(self.shared().now(), self.channel.id);
        // The window has grown, which the peer may wait for.
        if message.is_some() && state.engine.wants_transmit() {
            self.shared().carrier().wake();
        }
        message
    }

    /// The next event. `None` after [`DataChannelEvent::Close`], and when the connection was closed
    /// here.
    pub async fn next_event(&self) -> Option<DataChannelEvent> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// The next event, for who polls by hand.
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<DataChannelEvent>> {
        self.shared().with(|state| {
            let Some(object) = state.objects.channels.get_mut(&self.channel.id) else {
                return Poll::Ready(None);
            };
            if let Some(event) = object.events.pop() {
                return Poll::Ready(Some(event));
            }
            let channel = state.engine.channel(self.channel.id);
            if channel.is_none_or(|it| it.ready_state() == DataChannelState::Closed) {
                return Poll::Ready(None);
            }
            object.events.readers.register(cx);
            Poll::Pending
        })
    }

    /// Waits until the channel is open.
    ///
    /// # Errors
    ///
    /// `Aborted` when it closes first.
    pub async fn opened(&self) -> Result<(), Error> {
        let state = self
            .wait_until(|state| state != DataChannelState::Connecting)
            .await;
        match state {
            DataChannelState::Open => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Aborted,
                "the channel was closed before it was open",
            )),
        }
    }

    /// Waits until the peer has acknowledged all that was sent.
    ///
    /// # Errors
    ///
    /// `Aborted` when the channel has ended without that.
    pub async fn flush(&self) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared().with(|state| {
                let channel = state.engine.channel(self.channel.id);
                if channel.is_none_or(ChannelView::has_lost) {
                    let message = "the channel has ended before all was acknowledged";
                    return Poll::Ready(Err(Error::new(ErrorKind::Aborted, message)));
                }
                if channel.is_none_or(|it| it.unacknowledged() == 0) {
                    return Poll::Ready(Ok(()));
                }
                if let Some(object) = state.objects.channels.get_mut(&self.channel.id) {
                    object.flushers.register(cx);
                    state.objects.watch(self.channel.id);
                }
                Poll::Pending
            })
        })
        .await
    }

    /// `close()`: what was sent is still delivered. The closing begins with the call; the future ends
    /// when both directions are closed.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        let id = self.channel.id;
        self.shared()
            .verb(|engine, now| engine.close_channel(now, id));
        let channel = self.clone();
        async move {
            channel
                .wait_until(|state| state == DataChannelState::Closed)
                .await;
        }
    }

    async fn wait_until(&self, reached: impl Fn(DataChannelState) -> bool) -> DataChannelState {
        poll_fn(|cx| {
            self.shared().with(|state| {
                let channel = state.engine.channel(self.channel.id);
                let current = channel.map_or(DataChannelState::Closed, ChannelView::ready_state);
                if reached(current) {
                    return Poll::Ready(current);
                }
                if let Some(object) = state.objects.channels.get_mut(&self.channel.id) {
                    object.watchers.register(cx);
                }
                Poll::Pending
            })
        })
        .await
    }

    /// `label`.
    #[must_use]
    pub fn label(&self) -> String {
        self.get(|it| it.label().to_owned()).unwrap_or_default()
    }

    /// `protocol`.
    #[must_use]
    pub fn protocol(&self) -> String {
        self.get(|it| it.protocol().to_owned()).unwrap_or_default()
    }

    /// `ordered`.
    #[must_use]
    pub fn ordered(&self) -> bool {
        self.get(|it| it.ordered()).unwrap_or(true)
    }

    /// `maxPacketLifeTime`, in milliseconds.
    #[must_use]
    pub fn max_packet_life_time(&self) -> Option<u16> {
        self.get(|it| it.max_packet_life_time()).flatten()
    }

    /// `maxRetransmits`.
    #[must_use]
    pub fn max_retransmits(&self) -> Option<u16> {
        self.get(|it| it.max_retransmits()).flatten()
    }

    /// `negotiated`.
    #[must_use]
    pub fn negotiated(&self) -> bool {
        self.get(|it| it.negotiated()).unwrap_or(false)
    }

    /// `priority`, of webrtc-priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.get(|it| it.priority()).unwrap_or_default()
    }

    /// `id`; `None` until it is known.
    #[must_use]
    pub fn id(&self) -> Option<u16> {
        self.get(|it| it.id()).flatten()
    }

    /// `readyState`.
    #[must_use]
    pub fn ready_state(&self) -> DataChannelState {
        self.get(|it| it.ready_state())
            .unwrap_or(DataChannelState::Closed)
    }

    /// `bufferedAmount`: bytes that are not on their way yet.
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        self.get(|it| it.buffered_amount()).unwrap_or(0)
    }

    /// `bufferedAmountLowThreshold`, in bytes.
    #[must_use]
    pub fn buffered_amount_low_threshold(&self) -> u64 {
        self.get(|it| it.buffered_amount_low_threshold())
            .unwrap_or(0)
    }

    /// Sets `bufferedAmountLowThreshold`. That alone causes no event.
    pub fn set_buffered_amount_low_threshold(&self, bytes: u64) {
        let id = self.channel.id;
        self.shared()
            .with(|state| state.engine.set_buffered_amount_low_threshold(id, bytes));
    }

    /// Messages and bytes sent, messages and bytes read.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64, u64) {
        let counts = |it: ChannelView<'_>| {
            (
                it.messages_sent(),
                it.bytes_sent(),
                it.messages_received(),
                it.bytes_received(),
            )
        };
        self.get(counts).unwrap_or_default()
    }

    fn shared(&self) -> &Shared {
        self.channel.handle.shared()
    }

    fn get<R>(&self, f: impl FnOnce(ChannelView<'_>) -> R) -> Option<R> {
        self.shared()
            .get(|engine| engine.channel(self.channel.id).map(f))
    }
}

impl Drop for ChannelHandle {
    fn drop(&mut self) {
        let shared = self.handle.shared();
        shared.with(|state| {
            state.objects.channels.remove(&self.id);
            state.engine.forget_channel(shared.now(), self.id);
            // What is discarded opens the window.
            if state.engine.wants_transmit() {
                shared.carrier().wake();
            }
        });
    }
}

impl fmt::Debug for DataChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataChannel")
            .field("label", &self.label())
            .field("id", &self.id())
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}

/// With less than this unacknowledged, a message is not part of a transfer.
const INLINE: u64 = 4096;
