//! The channels of one connection.

mod another;
mod association;
mod carrying;
mod connected;
mod ending;
mod opening;
mod over;
mod remote;
mod sending;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

pub use self::sending::Sending;
use self::{carrying::Carrying, ending::Ending, opening::Opening};
use crate::channel::{Agreed, Channel, ChannelId, Origin, State};
use crate::config::Config;
use crate::end::{Failure, Initiator};
use crate::error::Error;
use crate::event::Event;
use crate::parameters::{MAX_ID, Parameters, Reliability};
use crate::payload::{Payload, Unusable, decode, ppid};
use crate::stream::{Occupant, Reset, Stream};

/// The channels of one connection. It outlives the SCTP association that carries them: when that ends its channels are closed,
/// and those opened afterwards wait for the next one.
///
/// Methods are of four classes: verbs of the user ([`open`](Self::open), [`send`](Self::send), [`decode`](Self::decode),
/// [`close`](Self::close), [`forget`](Self::forget)), facts from the association (`set_…`, `handle_…`), drains (`poll_…`), and getters.
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
    opening: Option<Opening>,
    ending: Option<Ending>,
    carrying: Option<Carrying>,
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
            channels: BTreeMap::new(),
            next_channel: 0,
            streams: BTreeMap::new(),
            first_free: 0,
            controls: VecDeque::new(),
            resets: VecDeque::new(),
            events: VecDeque::new(),
            held: Held::default(),
            stats: Stats::default(),
            opening: None,
            ending: None,
            carrying: None,
        }
    }

    /// A channel; a closed one until it is [forgotten](Self::forget).
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

    /// All channels that are neither closed nor [ending](Self::is_ending), in the order they were made.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> {
        let living = self.channels.iter();
        living
            .filter(|(id, channel)| channel.state != State::Closed && !self.is_ending(**id))
            .map(|(id, _)| *id)
    }

    /// The streams from `first` on that are not free, in order: those of channels, those that are being reset, and those on which
    /// user messages wait for a channel.
    pub fn streams_from(&self, first: u16) -> impl Iterator<Item = u16> {
        self.streams.range(first..).map(|(stream, _)| *stream)
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
    /// [`Error`], when a parameter is out of its range, the id is taken, or none is left.
    pub fn open(&mut self, parameters: Parameters) -> Result<ChannelId, Error> {
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
        let is_ending = self.is_ending(id);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        match (channel.state, channel.stream) {
            (State::Closing | State::Closed, _) => {}
            // Its stream is another's, and it closes at its turn.
            _ if is_ending => {
                channel.state = State::Closing;
                channel.end = (Initiator::User, None);
            }
            (State::Open, Some(stream)) => {
                channel.state = State::Closing;
                channel.end = (Initiator::User, None);
                self.ask_reset(stream);
            }
            (State::Connecting | State::Open, _) => self.drop_unsent(id, Initiator::User, None),
        }
    }

    /// Nobody will ask about a channel any more: a closed one is not known afterwards, another goes when it is closed.
    pub fn forget(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.forgotten = true;
            if channel.state == State::Closed {
                self.channels.remove(&id);
            }
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
        let channel = self.channels.get_mut(&id);
        let channel = channel.filter(|channel| channel.state != State::Closed);
        let channel = channel.ok_or(Unusable::Closed)?;
        let is_part = matches!(ppid, ppid::STRING_PARTIAL | ppid::BINARY_PARTIAL);
        let result = if is_part || channel.parts.is_some() {
            let before = channel.held_by_parts();
            let room = MAX_PARTS.saturating_sub(self.held.parts - before);
            let limit = self.config.max_message_size.min(room);
            let result = channel.next_in_parts(ppid, payload, limit);
            self.held.parts = self.held.parts + channel.held_by_parts() - before;
            result
        } else {
            decode(ppid, payload).map(Some)
        };
        match &result {
            Ok(Some(message)) => {
                channel.stats.messages_received += 1;
                channel.stats.bytes_received += message.len() as u64;
            }
            Ok(None) => {}
            Err(error) => {
                log::debug!("{}closing {id:?}: {error}", self.config.label);
                self.begin_closing(id, Initiator::Library, Some(Failure::Violation));
            }
        }
        result
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

    fn mark_open(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.state = State::Open;
            self.stats.opened += 1;
            self.events.push_back(Event::Opened { channel: id });
        }
    }

    /// Ends a channel of which nothing was on the wire.
    fn drop_unsent(&mut self, id: ChannelId, by: Initiator, failure: Option<Failure>) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.end = (by, failure);
        if let Some(stream) = channel.stream {
            self.free(stream);
        }
        self.finish(id);
    }

    /// Starts to close an open channel for another reason than the user's wish.
    fn begin_closing(&mut self, id: ChannelId, by: Initiator, failure: Option<Failure>) {
        let is_ending = self.is_ending(id);
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
            if !is_ending {
                self.ask_reset(stream);
            }
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

    /// A channel is over, for the reason it has noted.
    fn finish(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        self.stats.closed += u64::from(channel.state != State::Connecting);
        self.held.parts -= channel.held_by_parts();
        channel.parts = None;
        channel.state = State::Closed;
        let (by, failure) = channel.end;
        self.events.push_back(Event::Closed {
            channel: id,
            by,
            failure,
        });
        if channel.forgotten {
            self.channels.remove(&id);
        }
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
