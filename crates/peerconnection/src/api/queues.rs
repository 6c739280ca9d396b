//! What the objects of a connection have unread, and who waits for what.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    events::Queue,
    media::{Inbox, Links, Outbound},
    waiters::{Waiters, Wakeups},
};
use crate::{
    PeerConnectionState, RtcpDatagram, SctpTransportState, StatsReport,
    engine::{
        ChannelEvent, ChannelId, DtlsTransportEvent, Engine, Event, IceTransportEvent, Task,
        TransportId,
    },
};

/// Views of the engine's one queue, filled from it in order.
#[derive(Default)]
pub(super) struct Queues {
    /// Events of the connection itself.
    pub(super) connection: Queue<Event>,
    pub(super) channels: BTreeMap<ChannelId, ChannelQueue>,
    pub(super) ice: BTreeMap<TransportId, Queue<IceTransportEvent>>,
    pub(super) dtls: BTreeMap<TransportId, Queue<DtlsTransportEvent>>,
    /// RTCP, of the transports of which it is read.
    pub(super) rtcp: BTreeMap<TransportId, RtcpQueue>,
    pub(super) sctp: Option<Queue<SctpTransportState>>,
    /// For who has asked for the last values of what ends.
    pub(super) ended_stats: Option<Queue<StatsReport>>,
    /// The tracks of senders and receivers.
    pub(super) media: Links,
    /// Who waits for a state of the connection.
    pub(super) watchers: Waiters,
    /// Who waits until the peer has acknowledged everything.
    pub(super) drainers: Waiters,
    /// The peer has closed: it opens no more channels.
    pub(super) peer_closed: bool,
    /// The runtime of the carrier ended before the connection did.
    pub(super) abandoned: bool,
    /// Channels where someone waits for room or for acknowledgement.
    watched: Vec<ChannelId>,
    /// How many unread events the engine was told of.
    told: usize,
    closed: bool,
}

/// What is read of a transport's RTCP, and by how many.
#[derive(Default)]
pub(super) struct RtcpQueue {
    pub(super) unread: Queue<RtcpDatagram>,
    pub(super) readers: usize,
}

/// What the handles of a channel share.
#[derive(Debug, Default)]
pub(super) struct ChannelQueue {
    pub(super) events: Queue<ChannelEvent>,
    /// Who waits for a message.
    pub(super) readers: Waiters,
    /// Who waits for room to send.
    pub(super) writers: Waiters,
    /// How full the buffers were when a writer was refused last.
    pub(super) refused_at: (u64, u64),
    /// Who waits for acknowledgement.
    pub(super) flushers: Waiters,
    /// Who waits until it is open or closed.
    pub(super) watchers: Waiters,
}

impl Queues {
    /// Brings what the engine tells to the objects, and gathers who is to be woken.
    pub(super) fn settle(
        &mut self,
        (engine, inbox): (&mut Engine, &Arc<Inbox>),
        now: impl Fn() -> Instant,
        wakeups: &mut Wakeups,
        outbound: &mut Outbound,
    ) {
        while let Some(task) = engine.poll_task() {
            self.carry_out(task, (engine, inbox), &now, wakeups, outbound);
        }
        self.media.collect(engine, outbound);
        if self.ended_stats.is_some() {
            self.media.name_tracks(engine, inbox);
        }
        if !self.drainers.is_empty() || !self.watched.is_empty() {
            self.look_after(engine, wakeups);
        }
        if engine.is_closed() && !self.closed {
            self.closed = true;
            self.end(wakeups, outbound);
        }
        let unread = self.connection.len();
        if unread.max(self.told) >= MANY && unread != self.told {
            self.told = unread;
            engine.set_unread_events(now(), unread);
        }
    }

    /// Brings the events of a task to their objects.
    fn carry_out(
        &mut self,
        task: Task,
        (engine, inbox): (&mut Engine, &Arc<Inbox>),
        now: &impl Fn() -> Instant,
        wakeups: &mut Wakeups,
        outbound: &mut Outbound,
    ) {
        for event in task {
            let event = self.dispatch_media(event, (engine, inbox), now, wakeups, outbound);
            if let Some(event) = event {
                self.dispatch(event, wakeups);
            }
        }
    }

    /// Does what events of media ask for; gives back all others.
    fn dispatch_media(
        &mut self,
        event: Event,
        (engine, inbox): (&mut Engine, &Arc<Inbox>),
        now: &impl Fn() -> Instant,
        wakeups: &mut Wakeups,
        outbound: &mut Outbound,
    ) -> Option<Event> {
        let media = &mut self.media;
        // [9.3-01]: a track that nobody has asked for yet is not muted either once something has come.
        if let Event::TrackMute(id, _) | Event::Tone(id, _) = &event
            && let Some(view) = engine.transceiver(*id)
        {
            media.received(view, inbox);
        }
        match event {
            Event::SignalingStateChange(_) => {
                media.name(engine, outbound);
                self.end_removed(engine, wakeups);
                return Some(event);
            }
            Event::FrameReadable(id) => media.read(now(), id, engine, wakeups),
            Event::KeyframeRequested { transceiver, lane } => {
                media.want_keyframe(transceiver, lane, outbound);
            }
            Event::TrackMute(id, muted) => media.mute(id, muted, wakeups),
            Event::Tone(id, tone) => media.hear(id, tone, wakeups),
            Event::ToneChange(id, tone) => media.tone(id, tone, wakeups),
            Event::TrackEnded(id) => media.end(id, wakeups),
            Event::StreamChange {
                stream,
                transceiver,
                added,
            } => {
                if let Some(view) = engine.transceiver(transceiver) {
                    let track = media.received(view, inbox);
                    media.change_stream(&stream, track, added, wakeups, outbound);
                }
            }
            Event::BitrateAllowed {
                transceiver,
                encoding,
                bits,
            } => media.allow(transceiver, encoding, bits, outbound),
            // Who asks is told by the sender, and who encodes by what follows.
            Event::SendingStopped { .. } => {}
            Event::EncodingsChanged(id) => media.change_encodings(id, engine, outbound),
            event => return Some(event),
        }
        None
    }

    fn dispatch(&mut self, event: Event, wakeups: &mut Wakeups) {
        match event {
            Event::Channel(id, event) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.push(event, wakeups);
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
            Event::IceTransport(id, event) => {
                if let Some(queue) = self.ice.get_mut(&id) {
                    queue.push_bounded(event, wakeups);
                }
            }
            Event::DtlsTransport(id, event) => {
                if let Some(queue) = self.dtls.get_mut(&id) {
                    queue.push_bounded(event, wakeups);
                }
            }
            Event::Rtcp(id, datagram) => {
                if let Some(queue) = self.rtcp.get_mut(&id) {
                    queue.unread.push_bounded(datagram, wakeups);
                }
            }
            Event::SctpTransport(state) => {
                self.peer_closed &= state != SctpTransportState::Connected;
                if let Some(queue) = &mut self.sctp {
                    queue.push_bounded(state, wakeups);
                }
            }
            Event::StatsEnded(report) => {
                if let Some(queue) = &mut self.ended_stats {
                    queue.push_bounded(*report, wakeups);
                }
            }
            Event::DataChannel(id) => {
                self.channels.entry(id).or_default();
                self.connection.push(Event::DataChannel(id), wakeups);
            }
            event => {
                self.peer_closed |= matches!(event, Event::PeerClosed);
                self.watchers.wake(wakeups);
                self.drainers.wake(wakeups);
                if let Event::ConnectionStateChange(PeerConnectionState::Failed) = event {
                    for channel in self.channels.values_mut() {
                        channel.wake_waiters(wakeups);
                    }
                }
                self.connection.push(event, wakeups);
            }
        }
    }

    /// Of a transport that a description has taken away nothing more is told.
    fn end_removed(&mut self, engine: &Engine, wakeups: &mut Wakeups) {
        let gone = |id: TransportId| engine.transport(id).is_none();
        for (_, queue) in self.ice.iter_mut().filter(|(id, _)| gone(**id)) {
            queue.end(wakeups);
        }
        for (_, queue) in self.dtls.iter_mut().filter(|(id, _)| gone(**id)) {
            queue.end(wakeups);
        }
        for (_, queue) in self.rtcp.iter_mut().filter(|(id, _)| gone(**id)) {
            queue.unread.end(wakeups);
        }
        self.media.end_tones(engine, wakeups);
    }

    /// Who waits for room in a send buffer is woken when it is half empty, and not for each message that leaves it.
    fn look_after(&mut self, engine: &Engine, wakeups: &mut Wakeups) {
        if !self.drainers.is_empty() && engine.is_drained() {
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

    /// The connection is closed: nothing more comes for anybody.
    fn end(&mut self, wakeups: &mut Wakeups, outbound: &mut Outbound) {
        self.connection.end(wakeups);
        self.watchers.wake(wakeups);
        self.drainers.wake(wakeups);
        for channel in self.channels.values_mut() {
            channel.end(wakeups);
        }
        self.ice.values_mut().for_each(|it| it.end(wakeups));
        self.dtls.values_mut().for_each(|it| it.end(wakeups));
        self.rtcp.values_mut().for_each(|it| it.unread.end(wakeups));
        self.sctp.iter_mut().for_each(|it| it.end(wakeups));
        let ended_stats = self.ended_stats.iter_mut();
        ended_stats.for_each(|it| it.end(wakeups));
        self.media.close(wakeups, outbound);
    }
}

impl ChannelQueue {
    fn push(&mut self, event: ChannelEvent, wakeups: &mut Wakeups) {
        let low = |it: &ChannelEvent| matches!(it, ChannelEvent::BufferedAmountLow);
        // One that nobody has read yet says it already.
        if low(&event) && self.events.has(low) {
            return;
        }
        let close = matches!(event, ChannelEvent::Close);
        match event {
            ChannelEvent::Open | ChannelEvent::Closing => self.wake_waiters(wakeups),
            ChannelEvent::Close | ChannelEvent::BufferedAmountLow | ChannelEvent::Error(_) => {}
        }
        self.events.push(event, wakeups);
        if close {
            self.end(wakeups);
        }
    }

    /// Who waits for something that can fail.
    fn wake_waiters(&mut self, wakeups: &mut Wakeups) {
        self.writers.wake(wakeups);
        self.flushers.wake(wakeups);
        self.watchers.wake(wakeups);
    }

    fn end(&mut self, wakeups: &mut Wakeups) {
        self.events.end(wakeups);
        self.readers.wake(wakeups);
        self.wake_waiters(wakeups);
    }
}

/// How full the send buffers of a channel and of its association are.
pub(super) fn fill(engine: &Engine, id: ChannelId) -> (u64, u64) {
    let buffered = engine.channel(id).map_or(0, |it| it.buffered_amount());
    (buffered, engine.total_unacknowledged())
}

/// From here on the engine is told how many events are unread.
const MANY: usize = 512;
