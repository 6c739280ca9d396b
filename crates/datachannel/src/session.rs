//! The channels of one association.

mod remote;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::channel::{Agreed, Channel, ChannelId, Origin, State};
use crate::config::Config;
use crate::error::Error;
use crate::event::{Event, Failure, Initiator};
use crate::message::{Message, Open};
use crate::parameters::{MAX_ID, Parameters, Reliability};
use crate::payload::{Parts, Payload, Unusable, encode, ppid};
use crate::stream::{Occupant, Reset, Stream};

/// The channels of one SCTP association.
///
/// Methods are of four classes: verbs of the user ([`open`](Self::open), [`send`](Self::send), [`decode`](Self::decode),
/// [`close`](Self::close)), facts from the association (`set_…`, `handle_…`), drains (`poll_…`), and getters.
///
/// **Order of polling.** After any verb or fact, everything is to be taken, in this order: [`poll_send`](Self::poll_send) until
/// `None`, given to the association at once; [`poll_reset`](Self::poll_reset) until `None`; [`poll_event`](Self::poll_event) until
/// `None`. A channel opens when its OPEN is taken, so that nothing can be sent before it.
#[derive(Debug)]
pub struct Session {
    config: Config,
    role: Option<Role>,
    /// Streams in each direction, once the association is there.
    max_channels: Option<u16>,
    ended: bool,
    channels: BTreeMap<ChannelId, Channel>,
    next_channel: u64,
    streams: BTreeMap<u16, Stream>,
    /// No id of our parity below is free.
    first_free: u16,
    controls: VecDeque<Control>,
    resets: VecDeque<u16>,
    events: VecDeque<Event>,
    held: Held,
    stats: Stats,
}

/// The role in the DTLS handshake, which decides who opens channels with which ids (RFC 8832 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opens channels with even ids.
    Client,
    /// Opens channels with odd ids.
    Server,
}

/// A message for the association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The stream to send on.
    pub stream: u16,
    /// The payload protocol identifier.
    pub ppid: u32,
    /// The bytes, at least one.
    pub payload: Bytes,
    /// Whether it is delivered in order.
    pub ordered: bool,
    /// How hard is tried to deliver it.
    pub reliability: Reliability,
}

/// What is to be done with user messages on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// A channel has it: leave them in the association until the user reads.
    Deliver,
    /// They have no channel yet: leave them in the association until one is there.
    Hold,
    /// They have no channel any more, or never will: read and drop them.
    Discard,
}

/// Counts since the session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Channels that were open (W3C: `dataChannelsOpened`).
    pub opened: u64,
    /// Channels that were open and closed (W3C: `dataChannelsClosed`).
    pub closed: u64,
    /// Streams that were reset because what the peer sent there could not become a channel.
    pub rejected: u64,
    /// DCEP messages that had no effect: second or unexpected ACKs, messages on streams that are closing or do not exist.
    pub ignored: u64,
}

/// A DCEP message to be sent.
#[derive(Debug, Clone, Copy)]
enum Control {
    Open(ChannelId),
    Ack(ChannelId),
}

/// What the peer makes us hold.
#[derive(Debug, Default)]
struct Held {
    /// Channels it opened, also such that wait for a reset.
    channels: usize,
    /// Bytes of their labels and protocols.
    text: usize,
    /// Streams with user messages and without a channel.
    unclaimed: usize,
    /// Bytes of messages in parts.
    parts: usize,
}

impl Session {
    /// A session without channels, whose association is still to come.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            role: None,
            max_channels: None,
            ended: false,
            channels: BTreeMap::new(),
            next_channel: 0,
            streams: BTreeMap::new(),
            first_free: 0,
            controls: VecDeque::new(),
            resets: VecDeque::new(),
            events: VecDeque::new(),
            held: Held::default(),
            stats: Stats::default(),
        }
    }

    /// A channel, until it is closed.
    pub fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id)
    }

    /// The channel that has a stream.
    pub fn by_stream(&self, stream: u16) -> Option<ChannelId> {
        match self.streams.get(&stream)?.occupant {
            Occupant::Channel(id) => Some(id),
            Occupant::Refused | Occupant::Unclaimed => None,
        }
    }

    /// All channels, in the order they were made.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> {
        self.channels.keys().copied()
    }

    /// How many channels there can be, once the association is there.
    pub fn max_channels(&self) -> Option<u16> {
        self.max_channels
    }

    /// The role that was set.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Opens a channel. It may be opened before the role is known and before there is an association; it opens on the
    /// wire when both are there.
    ///
    /// # Errors
    /// [`Error`], when a parameter is out of its range, the id is taken, none is left, or the association has ended.
    pub fn open(&mut self, parameters: Parameters) -> Result<ChannelId, Error> {
        if self.ended {
            return Err(Error::Ended);
        }
        parameters.check()?;
        let (origin, stream) = match (parameters.negotiated, self.role) {
            (Some(id), _) => (Origin::Negotiated, Some(self.claimed(id)?)),
            (None, Some(role)) => {
                let id = self.free_id(role).ok_or(Error::NoIdLeft)?;
                (Origin::Local, Some(id))
            }
            (None, None) => (Origin::Local, None),
        };
        let agreed = Agreed {
            label: parameters.label.into(),
            protocol: parameters.protocol.into(),
            ordered: parameters.ordered,
            reliability: parameters.reliability,
            priority: parameters.priority,
        };
        let id = self.insert(Channel::new(origin, agreed));
        if let Some(stream) = stream {
            self.assign(id, stream);
            self.start(id);
        }
        Ok(id)
    }

    /// Closes a channel. What was sent before is still delivered. [`Event::Closed`] follows when both directions are reset, or at
    /// once when nothing was on the wire yet. A channel that is closing or closed is left alone.
    pub fn close(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        match (channel.state, channel.stream) {
            (State::Closing, _) => {}
            (State::Open, Some(stream)) => {
                channel.state = State::Closing;
                channel.end = (Initiator::User, None);
                self.ask_reset(stream);
            }
            (State::Connecting | State::Open, _) => self.drop_unsent(id, Initiator::User, None),
        }
    }

    /// A user message, encoded for the association. It is counted as sent.
    ///
    /// # Errors
    /// [`Error::NotOpen`] or [`Error::UnknownChannel`].
    pub fn send(&mut self, id: ChannelId, payload: Payload) -> Result<Outgoing, Error> {
        let channel = self.channels.get_mut(&id).ok_or(Error::UnknownChannel)?;
        let (State::Open, Some(stream)) = (channel.state, channel.stream) else {
            return Err(Error::NotOpen);
        };
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += payload.len() as u64;
        let (ppid, payload) = encode(payload);
        Ok(Outgoing {
            stream,
            ppid,
            payload,
            // RFC 8832 §6: an unordered message could arrive before the OPEN.
            ordered: channel.agreed.ordered || !channel.acknowledged,
            reliability: channel.agreed.reliability,
        })
    }

    /// Undoes the counting of a message that the association did not take: of `bytes` bytes, as the [`Payload`] said.
    pub fn take_back(&mut self, id: ChannelId, bytes: usize) {
        if let Some(channel) = self.channels.get_mut(&id) {
            let stats = &mut channel.stats;
            stats.messages_sent = stats.messages_sent.saturating_sub(1);
            stats.bytes_sent = stats.bytes_sent.saturating_sub(bytes as u64);
        }
    }

    /// Makes a user message of what was read from the association for a channel. `None` is a part of a message (sent under a
    /// deprecated identifier) that others follow.
    ///
    /// # Errors
    /// [`Unusable`], when it is no message. It is dropped, and the channel is closed (RFC 8831 §6.6).
    pub fn decode(
        &mut self,
        id: ChannelId,
        ppid: u32,
        payload: Bytes,
    ) -> Result<Option<Payload>, Unusable> {
        let channel = self.channels.get_mut(&id).ok_or(Unusable::Closed)?;
        let is_part = [ppid::STRING_PARTIAL, ppid::BINARY_PARTIAL].contains(&ppid);
        let before = channel.held_by_parts();
        let room = MAX_PARTS.saturating_sub(self.held.parts - before);
        let limit = self.config.max_message_size.min(room);
        // RFC 8831 §6.6: parts were for reliable and ordered channels only.
        let whole = channel.agreed.ordered && channel.agreed.reliability == Reliability::Reliable;
        let result = if is_part && !whole {
            Err(Unusable::Parts)
        } else {
            Parts::next(&mut channel.parts, ppid, payload, limit)
        };
        if result.is_err() {
            channel.parts = None;
        }
        self.held.parts = self.held.parts + channel.held_by_parts() - before;
        match &result {
            Ok(Some(message)) => {
                channel.stats.messages_received += 1;
                channel.stats.bytes_received += message.len() as u64;
            }
            Ok(None) => {}
            Err(error) => {
                log::debug!("closing {id:?}: {error}");
                self.begin_closing(id, Initiator::Library, Some(Failure::Violation));
            }
        }
        result
    }

    /// Tells the role in the DTLS handshake. Channels that wait for an id get one, in the order they were opened. The role
    /// of an association does not change: later calls are ignored.
    pub fn set_role(&mut self, role: Role) {
        if self.role.is_some() {
            return;
        }
        self.role = Some(role);
        self.first_free = role.parity();
        let waiting: Vec<_> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.stream.is_none())
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            let Some(stream) = self.free_id(role) else {
                self.drop_unsent(id, Initiator::Library, Some(Failure::IdUnavailable));
                continue;
            };
            self.assign(id, stream);
            self.events.push_back(Event::IdAssigned {
                channel: id,
                stream,
            });
            self.start(id);
        }
    }

    /// Tells that the association is there, with this many streams in each direction (the smaller number). Channels that wait
    /// for it open; those whose id is out of range fail. Another call with a larger number says that streams were added.
    pub fn set_connected(&mut self, max_channels: u16) {
        if self.ended {
            return;
        }
        if let Some(before) = self.max_channels {
            self.max_channels = Some(before.max(max_channels));
            return;
        }
        self.max_channels = Some(max_channels);
        let all: Vec<_> = self.channels.keys().copied().collect();
        for id in all {
            let stream = self.channels.get(&id).and_then(Channel::stream);
            if stream.is_some_and(|stream| stream >= max_channels) {
                self.drop_unsent(id, Initiator::Library, Some(Failure::IdUnavailable));
            } else {
                self.start(id);
            }
        }
    }

    /// Tells that the peer restarted the association: all channels are closed, and new ones may be opened.
    pub fn handle_restart(&mut self) {
        let all: Vec<_> = self.channels.keys().copied().collect();
        self.streams.clear();
        self.controls.clear();
        self.resets.clear();
        self.held = Held::default();
        self.first_free = self.role.map_or(0, Role::parity);
        for id in all {
            let Some(channel) = self.channels.remove(&id) else {
                continue;
            };
            let end = match channel.state {
                State::Closing => channel.end,
                State::Connecting | State::Open => (Initiator::Transport, None),
            };
            self.report_closed(id, &channel, end);
        }
    }

    /// Tells that the association is gone, or never came: all channels are closed, and no others can be opened.
    pub fn fail_all(&mut self) {
        self.ended = true;
        self.handle_restart();
    }

    /// The next DCEP message for the association.
    pub fn poll_send(&mut self) -> Option<Outgoing> {
        loop {
            let (id, is_open) = match self.controls.pop_front()? {
                Control::Open(id) => (id, true),
                Control::Ack(id) => (id, false),
            };
            let Some(channel) = self.channels.get_mut(&id) else {
                continue;
            };
            let Some(stream) = channel.stream else {
                continue;
            };
            if is_open && channel.state != State::Connecting {
                continue; // closed before it was sent
            }
            let mut payload = Vec::new();
            if is_open {
                Message::Open(Open {
                    priority: channel.agreed.priority.weight(),
                    ordered: channel.agreed.ordered,
                    reliability: channel.agreed.reliability,
                    label: &channel.agreed.label,
                    protocol: &channel.agreed.protocol,
                })
                .write(&mut payload);
                self.mark_open(id);
            } else {
                Message::Ack.write(&mut payload);
            }
            // RFC 8832 §6: DCEP messages are ordered and reliable, whatever the channel is.
            return Some(Outgoing {
                stream,
                ppid: ppid::DCEP,
                payload: payload.into(),
                ordered: true,
                reliability: Reliability::Reliable,
            });
        }
    }

    /// The next outgoing stream that the association shall reset, after what was sent on it. `None` also while
    /// [`poll_send`](Self::poll_send) has messages.
    pub fn poll_reset(&mut self) -> Option<u16> {
        if !self.controls.is_empty() {
            return None;
        }
        let number = self.resets.pop_front()?;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.outgoing = Reset::Underway;
        }
        Some(number)
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Checks and frees the id of a negotiated channel.
    fn claimed(&mut self, id: u16) -> Result<u16, Error> {
        if self.max_channels.is_some_and(|most| id >= most) {
            return Err(Error::IdAboveLimit);
        }
        match self.streams.get(&id).map(|stream| stream.occupant) {
            None => {}
            Some(Occupant::Unclaimed) => self.held.unclaimed -= 1,
            Some(Occupant::Channel(_) | Occupant::Refused) => return Err(Error::IdInUse),
        }
        Ok(id)
    }

    /// The lowest free id that this side may open a channel with.
    fn free_id(&mut self, role: Role) -> Option<u16> {
        let first = self.first_free.max(role.parity());
        let end = self.max_channels.unwrap_or(MAX_ID + 1);
        let free = (first..end)
            .step_by(2)
            .find(|id| !self.streams.contains_key(id));
        let next = end.saturating_add((end ^ role.parity()) & 1);
        self.first_free = free.unwrap_or(next);
        free
    }

    fn insert(&mut self, channel: Channel) -> ChannelId {
        let id = ChannelId(self.next_channel);
        self.next_channel += 1;
        self.channels.insert(id, channel);
        id
    }

    fn assign(&mut self, id: ChannelId, stream: u16) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stream = Some(stream);
            let occupied = Stream::new(Occupant::Channel(id));
            self.streams.insert(stream, occupied);
        }
    }

    /// Opens a channel that has its id, if the association is there.
    fn start(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        if self.max_channels.is_none() || channel.stream.is_none() {
            return;
        }
        match channel.origin {
            Origin::Negotiated => self.mark_open(id),
            Origin::Local => self.controls.push_back(Control::Open(id)),
            Origin::Remote => {}
        }
    }

    fn mark_open(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.state = State::Open;
            self.stats.opened += 1;
            self.events.push_back(Event::Opened { channel: id });
        }
    }

    /// Ends a channel of which nothing was on the wire.
    fn drop_unsent(&mut self, id: ChannelId, by: Initiator, failure: Option<Failure>) {
        if let Some(channel) = self.channels.remove(&id) {
            if let Some(stream) = channel.stream {
                self.free(stream);
            }
            self.report_closed(id, &channel, (by, failure));
        }
    }

    /// Starts to close an open channel for another reason than the user's wish.
    fn begin_closing(&mut self, id: ChannelId, by: Initiator, failure: Option<Failure>) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        let Some(stream) = channel.stream else {
            return;
        };
        if channel.state == State::Open {
            channel.state = State::Closing;
            channel.end = (by, failure);
            self.events.push_back(Event::Closing { channel: id });
            self.ask_reset(stream);
        }
    }

    fn ask_reset(&mut self, number: u16) {
        if let Some(stream) = self.streams.get_mut(&number)
            && stream.outgoing == Reset::Unasked
        {
            stream.outgoing = Reset::Queued;
            self.resets.push_back(number);
        }
    }

    fn free(&mut self, number: u16) -> Option<Stream> {
        let stream = self.streams.remove(&number);
        let ours = self.role.is_some_and(|role| number & 1 == role.parity());
        if ours {
            self.first_free = self.first_free.min(number);
        }
        stream
    }

    fn report_closed(
        &mut self,
        id: ChannelId,
        channel: &Channel,
        (by, failure): (Initiator, Option<Failure>),
    ) {
        self.stats.closed += u64::from(channel.state != State::Connecting);
        self.held.parts = self.held.parts.saturating_sub(channel.held_by_parts());
        self.events.push_back(Event::Closed {
            channel: id,
            stream: channel.stream,
            by,
            failure,
            stats: channel.stats,
        });
    }
}

impl Role {
    /// The lowest bit of the ids this role opens channels with.
    fn parity(self) -> u16 {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// How many bytes of messages in parts are held for all channels together.
const MAX_PARTS: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
