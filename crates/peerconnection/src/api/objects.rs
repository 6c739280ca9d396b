//! What the objects of a connection hold: their unread events, and who waits for them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::{
    DataChannelEvent, DtlsTransportEvent, IceTransportEvent,
    waiters::{Waiters, Wakeups},
};
use crate::{
    SctpTransportState,
    engine::{ChannelId, Engine, Event, TransportId},
};

/// Views of the engine's one queue, filled from it in order.
#[derive(Default)]
pub(super) struct Objects {
    /// Those of the connection itself.
    pub(super) events: Events<Event>,
    pub(super) channels: BTreeMap<ChannelId, ChannelObject>,
    pub(super) ice: BTreeMap<TransportId, Events<IceTransportEvent>>,
    pub(super) dtls: BTreeMap<TransportId, Events<DtlsTransportEvent>>,
    pub(super) sctp: Option<Events<SctpTransportState>>,
    /// Who waits for a state of the connection.
    pub(super) watchers: Waiters,
    /// Who waits until the peer has acknowledged everything.
    pub(super) drainers: Waiters,
    /// Channels where someone waits for room or for acknowledgement.
    watched: Vec<ChannelId>,
    /// How many unread events the engine was told of.
    told: usize,
    closed: bool,
}

/// Unread events of one object.
#[derive(Debug)]
pub(super) struct Events<T> {
    unread: VecDeque<T>,
    pub(super) readers: Waiters,
}

/// What a channel's handles share.
#[derive(Debug, Default)]
pub(super) struct ChannelObject {
    pub(super) events: Events<DataChannelEvent>,
    pub(super) readers: Waiters,
    pub(super) writers: Waiters,
    /// How full the buffers were when a writer was refused last.
    pub(super) refused_at: (u64, u64),
    pub(super) flushers: Waiters,
    /// Who waits until it is open or closed.
    pub(super) watchers: Waiters,
}

impl Objects {
    /// Brings what the engine tells to the objects, and gathers who is to be woken.
    pub(super) fn settle(
        &mut self,
        engine: &mut Engine,
        now: impl Fn() -> Instant,
        wakeups: &mut Wakeups,
    ) {
        while let Some(task) = engine.poll_task() {
            for event in task {
                self.dispatch(event, wakeups);
            }
        }
        self.look_after(engine, wakeups);
        if engine.is_closed() && !self.closed {
            self.closed = true;
            self.wake_all(wakeups);
        }
        let unread = self.events.unread.len();
        if unread.max(self.told) >= MANY && unread != self.told {
            self.told = unread;
            engine.set_unread_events(now(), unread);
        }
    }

    fn dispatch(&mut self, event: Event, wakeups: &mut Wakeups) {
        match event {
            Event::Channel(id, event) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.push(event, wakeups);
                }
            }
            Event::IceTransport(id, event) => {
                if let Some(events) = self.ice.get_mut(&id) {
                    events.push_bounded(event, wakeups);
                }
            }
            Event::DtlsTransport(id, event) => {
                if let Some(events) = self.dtls.get_mut(&id) {
                    events.push_bounded(event, wakeups);
                }
            }
            Event::SctpTransport(state) => {
                self.watchers.wake(wakeups);
                if let Some(events) = &mut self.sctp {
                    events.push_bounded(state, wakeups);
                }
            }
            Event::Readable(id) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.readers.wake(wakeups);
                }
            }
            Event::Writable => {
                for channel in self.channels.values_mut() {
                    channel.writers.wake(wakeups);
                }
            }
            Event::DataChannel(id) => {
                self.channels.entry(id).or_default();
                self.events.push(Event::DataChannel(id), wakeups);
            }
            event => {
                self.watchers.wake(wakeups);
                self.drainers.wake(wakeups);
                self.events.push(event, wakeups);
            }
        }
    }

    /// Who waits for room in a send buffer is woken when it is half empty, so that he is not woken for
    /// each message.
    fn look_after(&mut self, engine: &Engine, wakeups: &mut Wakeups) {
        if !self.drainers.is_empty() && engine.total_unacknowledged() == 0 {
            self.drainers.wake(wakeups);
        }
        let channels = &mut self.channels;
        self.watched.retain(|id| {
            let Some(channel) = channels.get_mut(id) else {
                return false;
            };
            let fill = fill(engine, *id);
            // Who was refused at this very fill would be refused again.
            if fill.0 <= engine.settings().send_buffer_size() / 2 && fill != channel.refused_at {
                channel.writers.wake(wakeups);
            }
            if engine
                .channel(*id)
                .is_none_or(|it| it.unacknowledged() == 0)
            {
                channel.flushers.wake(wakeups);
            }
            !channel.writers.is_empty() || !channel.flushers.is_empty()
        });
    }

    pub(super) fn watch(&mut self, id: ChannelId) {
        if !self.watched.contains(&id) {
            self.watched.push(id);
        }
    }

    fn wake_all(&mut self, wakeups: &mut Wakeups) {
        self.events.readers.wake(wakeups);
        self.watchers.wake(wakeups);
        self.drainers.wake(wakeups);
        for channel in self.channels.values_mut() {
            channel.wake_all(wakeups);
        }
        for events in self.ice.values_mut() {
            events.readers.wake(wakeups);
        }
        for events in self.dtls.values_mut() {
            events.readers.wake(wakeups);
        }
        if let Some(events) = &mut self.sctp {
            events.readers.wake(wakeups);
        }
    }
}

/// How full the send buffers of a channel and of its association are.
pub(super) fn fill(engine: &Engine, id: ChannelId) -> (u64, u64) {
    let buffered = engine.channel(id).map_or(0, |it| it.buffered_amount());
    (buffered, engine.total_unacknowledged())
}

impl ChannelObject {
    fn push(&mut self, event: DataChannelEvent, wakeups: &mut Wakeups) {
        let low = |it: &DataChannelEvent| matches!(it, DataChannelEvent::BufferedAmountLow);
        // One that nobody has read yet says it already.
        if low(&event) && self.events.unread.iter().any(low) {
            return;
        }
        match event {
            DataChannelEvent::Close => self.wake_all(wakeups),
            DataChannelEvent::BufferedAmountLow | DataChannelEvent::Error(_) => {}
            DataChannelEvent::Open | DataChannelEvent::Closing => {
                self.watchers.wake(wakeups);
                self.writers.wake(wakeups);
            }
        }
        self.events.push(event, wakeups);
    }

    fn wake_all(&mut self, wakeups: &mut Wakeups) {
        self.events.readers.wake(wakeups);
        self.readers.wake(wakeups);
        self.writers.wake(wakeups);
        self.flushers.wake(wakeups);
        self.watchers.wake(wakeups);
    }
}

impl<T> Events<T> {
    fn push(&mut self, event: T, wakeups: &mut Wakeups) {
        self.unread.push_back(event);
        self.readers.wake(wakeups);
    }

    /// For events that are states: the oldest go when nobody reads.
    fn push_bounded(&mut self, event: T, wakeups: &mut Wakeups) {
        if self.unread.len() >= MAX_STATES {
            self.unread.pop_front();
        }
        self.push(event, wakeups);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.unread.pop_front()
    }
}

impl<T> Default for Events<T> {
    fn default() -> Self {
        Self {
            unread: VecDeque::new(),
            readers: Waiters::default(),
        }
    }
}

/// From here on the engine is told how many events are unread.
const MANY: usize = 512;
const MAX_STATES: usize = 64;
