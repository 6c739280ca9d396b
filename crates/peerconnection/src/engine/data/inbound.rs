//! From the association up: what came, and who reads it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use oxirtc_datachannel as datachannel;

use super::{ChannelId, Data, Event, Tasks, convert, unclaimed::Unclaimed};
use crate::Message;

/// What came and is still to be dealt with.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Streams to look at, in order.
    ready: VecDeque<u16>,
    /// Streams with an OPEN at their head that waits until the user has read some events, and whether
    /// the peer has reset them since.
    waiting: BTreeMap<u16, bool>,
    /// Streams that the peer has reset.
    resets: VecDeque<u16>,
    /// Those of them whose unread messages have no room beside the window yet.
    pub(super) unfinished: BTreeSet<u16>,
    /// There is more room beside the window than when the unfinished ones were tried last.
    room_came: bool,
    pub(super) unclaimed: Unclaimed,
    /// Bytes in the tails of channels.
    tails: usize,
}

impl Inbound {
    /// Something may stand at the head of a stream.
    pub(super) fn look_at(&mut self, stream: u16) {
        self.ready.push_back(stream);
    }

    /// The next stream to look at.
    pub(super) fn next_stream(&mut self, tasks: &Tasks) -> Option<u16> {
        if let Some(stream) = self.ready.pop_front() {
            return Some(stream);
        }
        if tasks.is_full() {
            return None;
        }
        let (stream, reset) = self.waiting.pop_first()?;
        if reset {
            self.resets.push_back(stream);
        }
        Some(stream)
    }

    /// The peer has reset its side of a stream: first it is looked at.
    pub(super) fn handle_reset(&mut self, stream: u16) {
        self.look_at(stream);
        self.resets.push_back(stream);
    }

    /// The association is another; answers how many messages nobody claimed.
    pub(super) fn begin_anew(&mut self) -> u64 {
        let dropped = self.unclaimed.clear();
        *self = Self {
            tails: self.tails,
            ..Self::default()
        };
        dropped
    }
}

impl Data {
    /// What stands at the head of a stream: DCEP is taken at once, a user's message waits for him.
    pub(super) fn pull(&mut self, now: Instant, stream: u16, tasks: &mut Tasks) {
        loop {
            let Some(association) = self.live() else {
                return;
            };
            match association.peek(stream) {
                None => {
                    association.rearm(stream);
                    return;
                }
                // An OPEN would become another event; an ACK would not, and has one byte.
                Some((datachannel::ppid::DCEP, 2..)) if tasks.is_full() => {
                    self.inbound.waiting.entry(stream).or_default();
                    return;
                }
                Some((datachannel::ppid::DCEP, _)) => {
                    if let Some(message) = association.read(stream) {
                        self.session.handle_message(stream, &message.payload);
                        self.drop_unclaimed(stream);
                    }
                    // What stands behind it has to wait until the application knows the channel.
                    self.inbound.ready.push_front(stream);
                    return;
                }
                Some(_) => match self.session.handle_user_message(stream) {
                    datachannel::Disposition::Deliver if self.offer(stream, tasks) => return,
                    datachannel::Disposition::Hold => self.hold(now, stream),
                    _ => {
                        if let Some(association) = self.live() {
                            association.read(stream);
                        }
                        self.messages_dropped += 1;
                    }
                },
            }
        }
    }

    /// Whether streams may be looked at: data may overtake the end of the set-up.
    pub(super) fn is_connected(&self) -> bool {
        let sctp = self.sctp.as_ref();
        sctp.is_some_and(|it| it.max_channels.is_some())
    }

    /// Tells the user that he can read; false when he will not.
    fn offer(&mut self, stream: u16, tasks: &mut Tasks) -> bool {
        let Some(id) = self.by_stream(stream) else {
            return false;
        };
        let state = self.channel(id).map(datachannel::Channel::state);
        let Some(local) = self.channels.get_mut(&id) else {
            return false;
        };
        // [6.2-14]: what comes when the channel is not open is discarded.
        if local.discards || state == Some(datachannel::State::Closing) {
            return false;
        }
        if !local.told {
            local.told = true;
            tasks.push_one(Event::Readable(id));
        }
        true
    }

    /// Reads the next message of a channel.
    pub(in crate::engine) fn read(
        &mut self,
        now: Instant,
        id: ChannelId,
        tasks: &mut Tasks,
    ) -> Option<Message> {
        let message = self.next_message(now, id, tasks);
        if message.is_none()
            && let Some(local) = self.channels.get_mut(&id)
        {
            local.told = false;
        }
        message
    }

    fn next_message(&mut self, now: Instant, id: ChannelId, tasks: &mut Tasks) -> Option<Message> {
        loop {
            let local = self.channels.get_mut(&id)?;
            if let Some(message) = local.tail.pop_front() {
                self.inbound.tails -= cost(&message);
                if !self.inbound.unfinished.is_empty() {
                    self.inbound.room_came = true;
                    self.settle(now, tasks);
                }
                return Some(message);
            }
            let discards = local.discards;
            let stream = self.living_stream(id).filter(|_| !discards)?;
            let association = self.live()?;
            match association.peek(stream) {
                None => {
                    association.rearm(stream);
                    return None;
                }
                Some((datachannel::ppid::DCEP, _)) => {
                    self.inbound.look_at(stream);
                    self.settle(now, tasks);
                    if self.inbound.waiting.contains_key(&stream) {
                        return None;
                    }
                }
                Some(_) => {
                    let message = association.read(stream)?;
                    match self.session.decode(id.0, message.ppid, message.payload) {
                        Ok(Some(payload)) => return Some(convert::message(payload)),
                        Ok(None) => {}
                        Err(_) => {
                            self.messages_dropped += 1;
                            self.settle(now, tasks);
                        }
                    }
                }
            }
        }
    }

    /// Takes the message at the head of a stream that has no open channel aside, or gives the stream up.
    fn hold(&mut self, now: Instant, stream: u16) {
        let most = self.limits.receive_window as usize / UNCLAIMED_SHARE;
        let Some(message) = self.live().and_then(|it| it.read(stream)) else {
            return;
        };
        if !self.inbound.unclaimed.hold(now, stream, message, most) {
            self.messages_dropped += 1;
            self.give_up(stream);
        }
    }

    /// RFC 8832 §6: user messages for no channel are an error, and their stream is reset.
    fn give_up(&mut self, stream: u16) {
        self.messages_dropped += self.inbound.unclaimed.take(stream).len() as u64;
        self.session.reject(stream);
    }

    /// Streams that have waited too long for their channel.
    pub(super) fn give_up_unclaimed(&mut self, now: Instant) {
        while let Some(stream) = self.inbound.unclaimed.due(now) {
            self.give_up(stream);
        }
    }

    /// What waited on a stream goes when it will get no channel any more.
    fn drop_unclaimed(&mut self, stream: u16) {
        if self.inbound.unclaimed.has(stream)
            && self.session.handle_user_message(stream) == datachannel::Disposition::Discard
        {
            self.messages_dropped += self.inbound.unclaimed.take(stream).len() as u64;
        }
    }

    /// A channel is open: what waited for it is its own.
    pub(super) fn claim(&mut self, id: ChannelId, stream: u16, tasks: &mut Tasks) {
        for message in self.inbound.unclaimed.take(stream) {
            self.keep(id, message.ppid, message.payload);
        }
        if self.channels.get(&id).is_some_and(|it| !it.tail.is_empty()) {
            self.offer(stream, tasks);
        }
        self.inbound.look_at(stream);
    }

    /// Puts a message into the tail of its channel.
    fn keep(&mut self, id: ChannelId, ppid: u32, payload: bytes::Bytes) {
        let decoded = self.session.decode(id.0, ppid, payload);
        match (decoded, self.channels.get_mut(&id)) {
            (Ok(Some(payload)), Some(local)) => {
                let message = convert::message(payload);
                self.inbound.tails += cost(&message);
                local.tail.push_back(message);
            }
            (Ok(None), _) => {}
            _ => self.messages_dropped += 1,
        }
    }

    /// The peer has reset its side of a stream. What came before it is the channel's still, and the
    /// stream may be another channel's soon: it moves beside. False when there is nothing to do.
    pub(super) fn finish_reset(&mut self) -> bool {
        if let Some(stream) = self.inbound.resets.pop_front() {
            if let Some(reset) = self.inbound.waiting.get_mut(&stream) {
                *reset = true;
            } else if self.move_aside(stream) {
                self.reset(stream);
            } else {
                self.inbound.unfinished.insert(stream);
            }
            return true;
        }
        if !std::mem::take(&mut self.inbound.room_came) {
            return false;
        }
        let Some(&stream) = self.inbound.unfinished.first() else {
            return false;
        };
        if self.move_aside(stream) {
            self.inbound.unfinished.remove(&stream);
            self.inbound.room_came = true;
            self.reset(stream);
        }
        true
    }

    fn reset(&mut self, stream: u16) {
        self.session.handle_incoming_reset(stream);
        self.drop_unclaimed(stream);
    }

    /// Moves unread messages of a stream to its channel. False when there is no room for more.
    fn move_aside(&mut self, stream: u16) -> bool {
        let limit = self.limits.receive_window as usize;
        let id = self.by_stream(stream);
        let local = id.and_then(|id| self.channels.get(&id));
        let reader = id.filter(|_| local.is_some_and(|it| !it.discards));
        loop {
            let tails = self.inbound.tails;
            let Some(association) = self.live() else {
                return true;
            };
            let Some((ppid, length)) = association.peek(stream) else {
                association.rearm(stream);
                return true;
            };
            let reader = reader.filter(|_| ppid != datachannel::ppid::DCEP);
            if reader.is_some() && tails > 0 && tails + length > limit {
                return false;
            }
            let Some(message) = association.read(stream) else {
                return true;
            };
            match reader {
                Some(id) => self.keep(id, message.ppid, message.payload),
                None => self.messages_dropped += 1,
            }
        }
    }

    /// The association goes: what came on it and was not read is kept.
    pub(super) fn keep_what_came(&mut self) {
        let living = self.session.channels().map(ChannelId);
        let streams: Vec<_> = living.filter_map(|id| self.living_stream(id)).collect();
        for stream in streams {
            self.move_aside(stream);
        }
    }

    /// Lets go of what was not read of a channel.
    pub(super) fn let_go(&mut self, id: ChannelId) {
        if let Some(local) = self.channels.get_mut(&id) {
            let held: usize = local.tail.drain(..).map(|message| cost(&message)).sum();
            self.inbound.tails -= held;
            self.inbound.room_came = true;
        }
    }
}

/// What a message costs in memory.
fn cost(message: &Message) -> usize {
    message.len() + size_of::<Message>()
}

/// All streams without a channel may hold this part of the receive window.
const UNCLAIMED_SHARE: usize = 8;
