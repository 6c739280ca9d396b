//! `RTCDataChannel`.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use super::{
    engine_lock::{Connection, KeepOpen, State},
    events::Events,
    queues::{ChannelQueue, fill},
    waiters::{Waiter, wait},
};
use crate::{
    DataChannelState, Error, ErrorKind, Message, MessageCounts, Priority,
    engine::{ChannelEvent, ChannelId, ChannelView, SendError},
};

/// `RTCDataChannel` ([W3C §6.2](https://www.w3.org/TR/webrtc/#rtcdatachannel)): messages both ways.
///
/// A handle, cheap to clone; it keeps the connection open. Clones read from one queue: each message and each event goes to one of
/// them. When all handles of a channel are dropped, what still comes on it is discarded; the peer's channel stays open until
/// [`close`](Self::close), or the end of the connection.
///
/// All futures may be dropped before they are ready; nothing is lost then ([more](crate::api#waiting)).
#[derive(Clone)]
#[doc(alias = "RTCDataChannel")]
pub struct DataChannel {
    channel: Arc<ChannelHandle>,
}

/// What the handles of one channel share.
struct ChannelHandle {
    keep_open: Arc<KeepOpen>,
    id: ChannelId,
    /// Whether its messages are given up at a time. That does not change, and is asked of each message.
    has_life_time: OnceLock<bool>,
}

/// Why [`DataChannel::try_send`] did not take a message, with the message.
#[derive(Debug, thiserror::Error)]
pub enum TrySendError {
    /// The send buffer is full: the message can go later.
    #[error("the send buffer is full")]
    Full(Message),
    /// The message cannot go, and why.
    #[error("{0}")]
    Refused(Error, Message),
}

impl DataChannel {
    /// Which channel of which connection it is.
    pub(super) fn identity(&self) -> (&Connection, ChannelId) {
        (self.channel.keep_open.connection(), self.channel.id)
    }

    pub(super) fn new(keep_open: Arc<KeepOpen>, id: ChannelId) -> Self {
        Self {
            channel: Arc::new(ChannelHandle {
                keep_open,
                id,
                has_life_time: OnceLock::new(),
            }),
        }
    }

    /// Sends a message, and waits before it while the send buffer is full ([`Settings::send_buffer`](crate::Settings::send_buffer)).
    /// A loop around `send` is so as fast as the network takes it, and holds no more than the buffer.
    ///
    /// Cancel safe: a future that was dropped while it waited has sent nothing.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the channel is not open: also for one that waits when the channel or the connection is closed, or the
    /// runtime ends. `Type` when the peer does not take so long a message, `Operation` when the association takes none, as the peer is
    /// about to end it, `Aborted` when the buffer is full and the connection has `failed`.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        wait(|waiter| self.send_or_wait(waiter, &message)).await
    }

    /// [`send`](Self::send), for code that polls by hand. Its task is woken once there is room, and [noted until then](crate::api#waiting).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) has them.
    pub fn poll_send(&self, cx: &mut Context<'_>, message: &Message) -> Poll<Result<(), Error>> {
        self.send_or_wait(&mut Waiter::by_hand(cx), message)
    }

    fn send_or_wait(&self, waiter: &mut Waiter<'_>, message: &Message) -> Poll<Result<(), Error>> {
        self.connection()
            .with(|state| match self.send_now(state, message) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(SendError::Refused(error)) => Poll::Ready(Err(error)),
                Err(SendError::Full) => {
                    if let Some(error) = state.hopeless() {
                        return Poll::Ready(Err(error));
                    }
                    if let Some(queue) = state.queues.channels.get_mut(&self.channel.id) {
                        queue.writers.register(waiter);
                        queue.refused_at = fill(&state.engine, self.channel.id);
                        state.queues.watch(self.channel.id);
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
        match self
            .connection()
            .with(|state| self.send_now(state, &message))
        {
            Ok(()) => Ok(()),
            Err(SendError::Full) => Err(TrySendError::Full(message)),
            Err(SendError::Refused(error)) => Err(TrySendError::Refused(error, message)),
        }
    }

    fn send_now(&self, state: &mut State, message: &Message) -> Result<(), SendError> {
        let is_lone = state.engine.total_unacknowledged() < INLINE;
        // The clock is asked where the time makes a difference: for what leaves now, and for the end of a message's life.
        let now = if is_lone || self.has_life_time(state) {
            state.carrier.now()
        } else {
            state.served
        };
        state.engine.send(now, self.channel.id, message)?;
        // A lone message leaves on this thread; those of a transfer leave in batches.
        if is_lone {
            state.carrier.flush(now, &mut state.engine);
        } else {
            state.carrier.wake();
        }
        Ok(())
    }

    fn has_life_time(&self, state: &State) -> bool {
        *self.channel.has_life_time.get_or_init(|| {
            let channel = state.engine.channel(self.channel.id);
            channel.is_some_and(|it| it.max_packet_life_time().is_some())
        })
    }

    /// The next message. `None` when the channel is closed, by either side, with the connection or with its runtime, and all that
    /// came before was read.
    ///
    /// Cancel safe: a message is returned or stays. `failed` does not end it, as an ICE restart can bring the connection back:
    /// [how to learn of it](crate::api#waiting).
    pub async fn recv(&self) -> Option<Message> {
        wait(|waiter| self.recv_or_wait(waiter)).await
    }

    /// [`recv`](Self::recv), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.recv_or_wait(&mut Waiter::by_hand(cx))
    }

    fn recv_or_wait(&self, waiter: &mut Waiter<'_>) -> Poll<Option<Message>> {
        self.connection().with(|state| {
            if let Some(message) = self.read(state) {
                return Poll::Ready(Some(message));
            }
            if self.state_in(state) == DataChannelState::Closed {
                return Poll::Ready(None);
            }
            if let Some(queue) = state.queues.channels.get_mut(&self.channel.id) {
                queue.readers.register(waiter);
            }
            Poll::Pending
        })
    }

    /// A message that is there already.
    pub fn try_recv(&self) -> Option<Message> {
        self.connection().with(|state| self.read(state))
    }

    /// The messages, as a stream that ends as [`recv`](Self::recv) does.
    pub fn messages(&self) -> Events<Message> {
        let this = self.clone();
        Events::new(move |waiter| this.recv_or_wait(waiter))
    }

    fn read(&self, state: &mut State) -> Option<Message> {
        let message = state.engine.read(state.served, self.channel.id);
        // The window has grown, which the peer may wait for; or what is no message stands before one.
        let grown = message.is_some() && state.engine.wants_transmit();
        if grown || state.engine.goes_on() {
            state.carrier.wake();
        }
        message
    }

    /// The next event. `None` after [`DataChannelEvent::Close`](crate::DataChannelEvent::Close), and when the connection was
    /// closed here or its runtime has ended. `failed` does not end it. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<ChannelEvent> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<ChannelEvent>> {
        let id = self.channel.id;
        self.connection().poll_event(waiter, |queues| {
            &mut queues.channels.entry(id).or_default().events
        })
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<ChannelEvent> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    /// Waits until the channel is open; at once when it is. Cancel safe.
    ///
    /// # Errors
    ///
    /// `Aborted` when the channel or the connection is closed first, by either side, when the connection has `failed`, and when its
    /// runtime ends.
    pub async fn opened(&self) -> Result<(), Error> {
        let state = self
            .wait_until(|state| state != DataChannelState::Connecting)
            .await?;
        match state {
            DataChannelState::Open => Ok(()),
            _ => Err(self
                .connection()
                .with(|state| state.hopeless())
                .unwrap_or_else(|| {
                    let message = "the channel was closed before it was open";
                    Error::new(ErrorKind::Aborted, message)
                })),
        }
    }

    /// Waits until the channel is closed in both directions; at once when it is. It does not close it: see
    /// [`close`](Self::close). Cancel safe.
    ///
    /// # Errors
    ///
    /// `Aborted` when the connection has `failed`, as no word of the peer can come then. After `close()` of the connection, and
    /// the end of its runtime, the channel is closed, and this is no error.
    pub async fn closed(&self) -> Result<(), Error> {
        self.wait_until(|state| state == DataChannelState::Closed)
            .await
            .map(|_| ())
    }

    /// Waits until the peer has acknowledged all that was sent. Cancel safe.
    ///
    /// # Errors
    ///
    /// `Aborted` when the channel has ended without that, as by `close()` of the connection or the end of its runtime, and when the
    /// connection has `failed`; also when the peer has begun its association anew, as it has forgotten then what it had acknowledged.
    pub async fn flush(&self) -> Result<(), Error> {
        wait(|waiter| {
            self.connection().with(|state| {
                let channel = state.engine.channel(self.channel.id);
                if channel.is_none_or(ChannelView::has_lost) {
                    let message = "the channel has ended before all was acknowledged";
                    return Poll::Ready(Err(Error::new(ErrorKind::Aborted, message)));
                }
                if channel.is_none_or(|it| it.unacknowledged() == 0) {
                    return Poll::Ready(Ok(()));
                }
                if let Some(error) = state.hopeless() {
                    return Poll::Ready(Err(error));
                }
                if let Some(queue) = state.queues.channels.get_mut(&self.channel.id) {
                    queue.flushers.register(waiter);
                    state.queues.watch(self.channel.id);
                }
                Poll::Pending
            })
        })
        .await
    }

    /// `close()`: begins the closing, and returns. What was sent is still delivered, and what came before the peer's end can be
    /// read. [`closed`](Self::closed) waits for the end.
    pub fn close(&self) {
        let id = self.channel.id;
        self.connection()
            .verb(|engine, now| engine.close_channel(now, id));
    }

    async fn wait_until(
        &self,
        reached: impl Fn(DataChannelState) -> bool,
    ) -> Result<DataChannelState, Error> {
        wait(|waiter| {
            self.connection().with(|state| {
                let current = self.state_in(state);
                if reached(current) {
                    return Poll::Ready(Ok(current));
                }
                if let Some(error) = state.hopeless() {
                    return Poll::Ready(Err(error));
                }
                if let Some(queue) = state.queues.channels.get_mut(&self.channel.id) {
                    queue.watchers.register(waiter);
                }
                Poll::Pending
            })
        })
        .await
    }

    fn state_in(&self, state: &State) -> DataChannelState {
        let channel = state.engine.channel(self.channel.id);
        channel.map_or(DataChannelState::Closed, ChannelView::ready_state)
    }

    /// The name that its creator gave it (`label`). Several channels may have the same.
    pub fn label(&self) -> String {
        self.get(|it| it.label().to_owned()).unwrap_or_default()
    }

    /// The protocol that the application speaks on it (`protocol`); empty without one.
    pub fn protocol(&self) -> String {
        self.get(|it| it.protocol().to_owned()).unwrap_or_default()
    }

    /// Whether messages arrive in the order in which they were sent (`ordered`).
    pub fn ordered(&self) -> bool {
        self.get(|it| it.ordered()).unwrap_or(true)
    }

    /// `maxPacketLifeTime`, in milliseconds.
    pub fn max_packet_life_time(&self) -> Option<u16> {
        self.get(|it| it.max_packet_life_time()).flatten()
    }

    /// How often a message is sent again before it is given up (`maxRetransmits`); `None` is no limit.
    pub fn max_retransmits(&self) -> Option<u16> {
        self.get(|it| it.max_retransmits()).flatten()
    }

    /// Whether both applications have made the channel themselves, under one id (`negotiated`), and not one of them for both.
    pub fn negotiated(&self) -> bool {
        self.get(|it| it.negotiated()).unwrap_or(false)
    }

    /// `priority`, of webrtc-priority.
    pub fn priority(&self) -> Priority {
        self.get(|it| it.priority()).unwrap_or_default()
    }

    /// `id`; `None` until it is known.
    pub fn id(&self) -> Option<u16> {
        self.get(|it| it.id()).flatten()
    }

    /// Whether it connects, is open, closes or is closed (`readyState`).
    pub fn ready_state(&self) -> DataChannelState {
        self.get(|it| it.ready_state())
            .unwrap_or(DataChannelState::Closed)
    }

    /// `bufferedAmount`: bytes that are not on their way yet.
    pub fn buffered_amount(&self) -> u64 {
        self.get(|it| it.buffered_amount()).unwrap_or(0)
    }

    /// `bufferedAmountLowThreshold`, in bytes.
    pub fn buffered_amount_low_threshold(&self) -> u64 {
        self.get(|it| it.buffered_amount_low_threshold())
            .unwrap_or(0)
    }

    /// Sets `bufferedAmountLowThreshold`. That alone causes no event.
    pub fn set_buffered_amount_low_threshold(&self, bytes: u64) {
        let id = self.channel.id;
        self.connection()
            .with(|state| state.engine.set_buffered_amount_low_threshold(id, bytes));
    }

    /// Messages and bytes that went and that were read.
    pub fn counts(&self) -> MessageCounts {
        let counts = |it: ChannelView<'_>| MessageCounts {
            messages_sent: it.messages_sent(),
            bytes_sent: it.bytes_sent(),
            messages_received: it.messages_received(),
            bytes_received: it.bytes_received(),
        };
        self.get(counts).unwrap_or_default()
    }

    fn connection(&self) -> &Connection {
        self.channel.keep_open.connection()
    }

    fn get<R>(&self, f: impl FnOnce(ChannelView<'_>) -> R) -> Option<R> {
        self.connection()
            .get(|engine| engine.channel(self.channel.id).map(f))
    }
}

impl Drop for ChannelHandle {
    fn drop(&mut self) {
        let forget = |state: &mut State| {
            let now = state.carrier.now();
            state.engine.forget_channel(now, self.id);
            // What is discarded opens the window, and may be much.
            if state.engine.wants_transmit() || state.engine.goes_on() {
                state.carrier.wake();
            }
            state.queues.channels.remove(&self.id)
        };
        // Wakers are dropped here, without the lock: they may hold a task that holds a handle.
        drop::<Option<ChannelQueue>>(self.keep_open.connection().with(forget));
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
