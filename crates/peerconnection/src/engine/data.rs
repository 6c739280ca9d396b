//! Data: the SCTP association of a connection and the channels on it.

mod inbound;
mod outbound;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{
    TransportId,
    channel::{Channel, ChannelId},
    convert,
    task::{ChannelEvent, Event, Notice, Tasks},
};
use crate::{
    DataChannelInit, DataChannelState, Error, ErrorDetail, ErrorKind, SctpTransportState, Settings,
};

/// The channels of a connection, and what carries them.
pub(super) struct Data {
    session: datachannel::Session,
    /// W3C's `sctp`, from the first offer that describes one.
    pub(super) transport: Option<Sctp>,
    channels: BTreeMap<ChannelId, Channel>,
    names: BTreeMap<datachannel::ChannelId, ChannelId>,
    next_channel: u32,
    notices: VecDeque<Notice>,
    /// A DCEP message that the association had no room for.
    held: Option<datachannel::Outgoing>,
    /// Streams with an OPEN at their head that waits until the user has read some events.
    waiting: Vec<u16>,
    /// Streams that the peer has reset, whose unread messages have no room beside the window yet.
    unfinished: Vec<u16>,
    /// Bytes in the tails of channels.
    tails: usize,
    limits: Limits,
    pub(super) messages_dropped: u64,
}

/// The association, and W3C's view of it (§6.1.1).
pub(super) struct Sctp {
    pub(super) on: TransportId,
    pub(super) association: Option<sctp::Association>,
    pub(super) state: SctpTransportState,
    /// Bytes; `None` before it is negotiated. `u64::MAX` is no limit.
    pub(super) max_message_size: Option<u64>,
    pub(super) max_channels: Option<u16>,
    /// Ports, ours first, and the peer's limit of a message.
    agreed: Option<((u16, u16), u64)>,
    seed: [u8; 32],
}

/// What the settings say about data.
struct Limits {
    max_message_size: u32,
    max_outgoing_message_size: u64,
    receive_window: u32,
    send_buffer: usize,
}

impl Data {
    pub(super) fn new(settings: &Settings) -> Self {
        let limits = Limits {
            max_message_size: settings.max_message_size,
            max_outgoing_message_size: settings.max_outgoing_message_size,
            receive_window: settings.receive_window,
            send_buffer: settings.send_buffer,
        };
        Self {
            session: limits.session(),
            transport: None,
            channels: BTreeMap::new(),
            names: BTreeMap::new(),
            next_channel: 0,
            notices: VecDeque::new(),
            held: None,
            waiting: Vec::new(),
            unfinished: Vec::new(),
            tails: 0,
            limits,
            messages_dropped: 0,
        }
    }

    // ---- the association

    /// An offer describes an association: W3C's `sctp` is there, and connecting.
    pub(super) fn create(&mut self, on: TransportId, seed: [u8; 32]) {
        let state = SctpTransportState::Connecting;
        let (association, max_message_size, max_channels, agreed) = (None, None, None, None);
        self.transport = Some(Sctp {
            on,
            association,
            state,
            max_message_size,
            max_channels,
            agreed,
            seed,
        });
    }

    /// An answer has settled it.
    pub(super) fn negotiate(
        &mut self,
        now: Instant,
        on: TransportId,
        ports: (u16, u16),
        remote_limit: u64,
    ) {
        let Some(sctp) = &mut self.transport else {
            return;
        };
        sctp.on = on;
        sctp.agreed = Some((ports, remote_limit));
        // W3C §6.1.1.2; no limit is the largest number on both sides.
        let own = match self.limits.max_outgoing_message_size {
            0 => u64::MAX,
            limit => limit,
        };
        let limit = own.min(remote_limit);
        sctp.max_message_size = Some(limit);
        let (config, seed) = (self.limits.association(ports), sctp.seed);
        let association = sctp
            .association
            .get_or_insert_with(|| sctp::Association::new(config, seed, now));
        association.set_max_outgoing_message_size(usize::try_from(limit).unwrap_or(usize::MAX));
    }

    /// A new association, agreed on as the one before it, whose channels end.
    pub(super) fn renew(&mut self, now: Instant, seed: [u8; 32], tasks: &mut Tasks) {
        let Some((on, agreed)) = self.transport.as_ref().map(|it| (it.on, it.agreed)) else {
            return;
        };
        self.end(None, tasks);
        self.create(on, seed);
        if let Some((ports, remote_limit)) = agreed {
            self.negotiate(now, on, ports, remote_limit);
        }
    }

    /// DTLS is connected: both ends begin.
    pub(super) fn connect(&mut self, now: Instant, round_trip: Option<Duration>) {
        if let Some(association) = self.association() {
            if let Some(round_trip) = round_trip {
                association.set_round_trip(round_trip);
            }
            association.connect(now);
        }
    }

    pub(super) fn set_role(&mut self, role: datachannel::Role) {
        self.session.set_role(role);
    }

    pub(super) fn set_consent(&mut self, consent: bool) {
        if let Some(association) = self.association() {
            association.set_consent(consent);
        }
    }

    pub(super) fn association(&mut self) -> Option<&mut sctp::Association> {
        self.transport.as_mut()?.association.as_mut()
    }

    fn association_ref(&self) -> Option<&sctp::Association> {
        self.transport.as_ref()?.association.as_ref()
    }

    /// The association has ended, with an error or in peace: its state is closed, and its channels.
    pub(super) fn end(&mut self, error: Option<&Error>, tasks: &mut Tasks) {
        let Some(sctp) = &mut self.transport else {
            return;
        };
        if sctp.state == SctpTransportState::Closed {
            return;
        }
        sctp.state = SctpTransportState::Closed;
        self.keep_what_came();
        tasks.push_one(Event::SctpTransport(SctpTransportState::Closed));
        self.session.fail_all();
        self.drain_session(error, tasks);
        self.drop_association();
        // Channels of a later association are another session's.
        self.session = self.limits.session();
    }

    /// The section was rejected or rolled back: W3C's `sctp` is null again.
    pub(super) fn remove(&mut self, now: Instant, tasks: &mut Tasks) {
        let established = self.association_ref().is_some_and(|it| it.is_established());
        if let Some(association) = self.association() {
            association.abort(now, "not wanted any more");
        }
        if established {
            self.end(None, tasks);
        }
        self.drop_association();
        self.transport = None;
    }

    fn drop_association(&mut self) {
        if let Some(sctp) = &mut self.transport {
            sctp.association = None;
        }
        self.held = None;
        self.waiting.clear();
        self.unfinished.clear();
    }

    /// W3C's close: channels are closed without events. The ABORT waits in the association.
    pub(super) fn close(&mut self, now: Instant) {
        for channel in self.channels.values_mut() {
            channel.lost |= channel.inner.is_some();
            channel.left_behind = match (&self.transport, channel.stream) {
                (
                    Some(Sctp {
                        association: Some(it),
                        ..
                    }),
                    Some(stream),
                ) if channel.inner.is_some() => it.buffered_amount(stream) as u64,
                _ => channel.left_behind,
            };
            channel.state = DataChannelState::Closed;
            channel.inner = None;
            channel.inbox.tail.clear();
        }
        if let Some(sctp) = &mut self.transport {
            sctp.state = SctpTransportState::Closed;
            if let Some(association) = &mut sctp.association {
                association.abort(now, "the connection was closed");
            }
        }
        self.notices.clear();
    }

    /// The ABORT has left.
    pub(super) fn forget_association(&mut self) {
        self.drop_association();
    }

    // ---- verbs

    /// W3C §6.1, `createDataChannel`.
    pub(super) fn open(&mut self, label: &str, init: &DataChannelInit) -> Result<ChannelId, Error> {
        let parameters = convert::parameters(label, init)?;
        let attributes = convert::attributes(&parameters);
        let inner = self
            .session
            .open(parameters)
            .map_err(convert::channel_error)?;
        let id = self.add(Channel::new(inner, attributes), inner);
        let stream = self
            .session
            .channel(inner)
            .and_then(datachannel::Channel::stream);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stream = stream;
        }
        Ok(id)
    }

    fn add(&mut self, channel: Channel, inner: datachannel::ChannelId) -> ChannelId {
        let id = ChannelId(self.next_channel);
        self.next_channel += 1;
        self.channels.insert(id, channel);
        self.names.insert(inner, id);
        id
    }

    pub(super) fn close_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if let (Some(inner), DataChannelState::Connecting | DataChannelState::Open) =
            (channel.inner, channel.state)
        {
            channel.state = DataChannelState::Closing;
            self.tails -= channel.inbox.clear();
            self.session.close(inner);
        }
    }

    /// Nobody will read from the channel, or ask about it when it is closed.
    pub(super) fn forget_channel(&mut self, now: Instant, id: ChannelId, tasks: &Tasks) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.inbox.discards = true;
        self.tails -= channel.inbox.clear();
        if channel.inner.is_none() {
            self.channels.remove(&id);
        } else if let Some(stream) = channel.stream {
            self.pull(now, stream, tasks);
        }
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id)
    }

    pub(super) fn any_channel(&self, is: impl Fn(&Channel) -> bool) -> bool {
        self.channels.values().any(is)
    }

    /// W3C's `bufferedAmount`.
    pub(super) fn buffered_amount(&self, id: ChannelId) -> u64 {
        let Some(channel) = self.channels.get(&id) else {
            return 0;
        };
        match (self.association_ref(), channel.stream) {
            // An announcement stands in front of them, and is none of the application's bytes.
            (Some(association), Some(stream)) if channel.inner.is_some() => {
                (association.buffered_amount(stream) as u64).min(channel.counts.bytes_sent)
            }
            _ => channel.left_behind,
        }
    }

    /// Bytes that the peer has not acknowledged.
    pub(super) fn unacknowledged(&self, id: ChannelId) -> u64 {
        let live = self.channels.get(&id).filter(|it| it.inner.is_some());
        match (self.association_ref(), live.and_then(|it| it.stream)) {
            (Some(association), Some(stream)) => association.unacknowledged(stream) as u64,
            _ => 0,
        }
    }

    pub(super) fn total_unacknowledged(&self) -> u64 {
        self.association_ref()
            .map_or(0, |it| it.total_unacknowledged() as u64)
    }

    pub(super) fn set_threshold(&mut self, id: ChannelId, threshold: u64) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.threshold = threshold;
        let (stream, threshold) = (channel.stream, usize::try_from(threshold));
        if let (Some(association), Some(stream)) = (self.association(), stream) {
            association.set_buffered_amount_low_threshold(stream, threshold.unwrap_or(usize::MAX));
        }
    }

    pub(super) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(super) fn stats(&self) -> datachannel::Stats {
        self.session.stats()
    }

    /// What the session tells, as tasks. `ended`: why the association is gone, when it is.
    fn drain_session(&mut self, ended: Option<&Error>, tasks: &mut Tasks) {
        while let Some(event) = self.session.poll_event() {
            match event {
                datachannel::Event::Announced { channel } => self.announce(channel, tasks),
                datachannel::Event::IdAssigned { channel, stream } => {
                    self.assign(channel, stream);
                }
                datachannel::Event::Opened { channel } => self.opened(channel, tasks),
                datachannel::Event::Closing { channel } => {
                    self.tell(
                        channel,
                        DataChannelState::Closing,
                        ChannelEvent::Closing,
                        tasks,
                    );
                }
                datachannel::Event::Closed {
                    channel,
                    by,
                    failure,
                    ..
                } => {
                    let error = failure.map(|_| channel_failure(failure));
                    let lost = by == datachannel::Initiator::Transport;
                    let error = error.or_else(|| ended.filter(|_| lost).cloned());
                    self.closed(channel, error, tasks);
                }
                _ => {}
            }
        }
    }

    /// W3C §6.2: `datachannel`, and in a task of its own `open`.
    fn announce(&mut self, inner: datachannel::ChannelId, tasks: &mut Tasks) {
        let Some(channel) = self.session.channel(inner) else {
            return;
        };
        let stream = channel.stream();
        let mut channel = Channel::new(inner, convert::attributes_of(channel));
        channel.state = DataChannelState::Open;
        let id = self.add(channel, inner);
        if let Some(stream) = stream {
            self.assign(inner, stream);
        }
        tasks.push_one(Event::DataChannel(id));
        tasks.push_one(Event::Channel(id, ChannelEvent::Open));
    }

    fn assign(&mut self, inner: datachannel::ChannelId, stream: u16) {
        let Some(channel) = self
            .names
            .get(&inner)
            .and_then(|id| self.channels.get_mut(id))
        else {
            return;
        };
        channel.stream = Some(stream);
        let (threshold, weight) = (channel.threshold, convert::weight(channel.priority()));
        if let Some(association) = self.association() {
            let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
            association.set_buffered_amount_low_threshold(stream, threshold);
            association.set_priority(stream, weight);
        }
    }

    fn opened(&mut self, inner: datachannel::ChannelId, tasks: &mut Tasks) {
        if let Some(stream) = self
            .session
            .channel(inner)
            .and_then(datachannel::Channel::stream)
        {
            self.assign(inner, stream);
        }
        self.tell(inner, DataChannelState::Open, ChannelEvent::Open, tasks);
    }

    fn tell(
        &mut self,
        inner: datachannel::ChannelId,
        state: DataChannelState,
        event: ChannelEvent,
        tasks: &mut Tasks,
    ) {
        let Some(&id) = self.names.get(&inner) else {
            return;
        };
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.state = state;
            tasks.push_one(Event::Channel(id, event));
        }
    }

    /// W3C §6.2: `error` when there was one, then `close`.
    fn closed(&mut self, inner: datachannel::ChannelId, error: Option<Error>, tasks: &mut Tasks) {
        let Some(id) = self.names.remove(&inner) else {
            return;
        };
        let left_behind = self.buffered_amount(id);
        let lost = self.unacknowledged(id) > 0;
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.inner = None;
        channel.left_behind = left_behind;
        channel.lost = lost;
        channel.state = DataChannelState::Closed;
        let error = error.map(|error| Event::Channel(id, ChannelEvent::Error(error)));
        let close = Event::Channel(id, ChannelEvent::Close);
        tasks.push(error.into_iter().chain([close]).collect());
        if channel.inbox.discards {
            self.channels.remove(&id);
        }
    }
}

impl Limits {
    fn session(&self) -> datachannel::Session {
        let config = datachannel::Config::new();
        datachannel::Session::new(config.max_message_size(self.max_message_size as usize))
    }

    fn association(&self, (local, remote): (u16, u16)) -> sctp::Config {
        sctp::Config::default()
            .ports(local, remote)
            .receive_window(self.receive_window)
            .max_message_size(self.max_message_size as usize)
    }
}

fn channel_failure(failure: Option<datachannel::Failure>) -> Error {
    let message = match failure {
        Some(datachannel::Failure::IdUnavailable) => "no id is left for the channel",
        Some(datachannel::Failure::Rejected) => "the peer has refused the channel",
        _ => "the peer broke the rules of the channel",
    };
    Error::with_detail(ErrorDetail::DataChannelFailure, message)
}

/// A call on a channel that is not there.
pub(super) fn no_such_channel() -> Error {
    Error::new(ErrorKind::InvalidState, "there is no such channel")
}
