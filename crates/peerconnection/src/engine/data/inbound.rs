//! From the association up: what came, and who reads it.

use std::time::Instant;

use bytes::Bytes;
use oxirtc_datachannel as datachannel;

use super::{Data, association::sctp_failure};
use crate::{
    Error, Message,
    engine::{
        convert,
        ids::ChannelId,
        task::{Event, Tasks},
    },
};

impl Data {
    /// What stands at the head of a stream: DCEP is taken at once, a user's message waits for him.
    pub(super) fn pull(&mut self, now: Instant, stream: u16, tasks: &mut Tasks) {
        for _ in 0..MOVED {
            let Some(association) = self.live() else {
                return;
            };
            match association.peek(stream) {
                None => {
                    association.rearm(stream);
                    self.backlog.read_out(stream);
                    return;
                }
                // An OPEN would become another event; an ACK would not, and has one byte.
                Some((datachannel::ppid::DCEP, 2..)) if tasks.is_full() => {
                    self.backlog.waiting.entry(stream).or_default();
                    return;
                }
                Some((datachannel::ppid::DCEP, _)) => {
                    if let Some(message) = association.read(stream) {
                        self.session.handle_message(stream, &message.payload);
                        self.drop_unclaimed(stream);
                    }
                    // What stands behind it has to wait until the application knows the channel.
                    self.backlog.ready.push_front(stream);
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
        self.backlog.ready.push_front(stream);
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

    /// Reads the next message of a channel. With `None` there is none yet, or what is no message stood before it.
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
        for _ in 0..PASSED {
            let local = self.channels.get_mut(&id)?;
            if let Some(message) = local.tail.pop_front() {
                self.backlog.tails -= cost(&message);
                if !self.backlog.unfinished.is_empty() {
                    self.backlog.room_came = true;
                    self.settle(now, tasks);
                }
                return Some(message);
            }
            let discards = local.discards;
            let is_ending = self.session.is_ending(id.0);
            if self.session.is_left(id.0) && !is_ending {
                if self.keep_what_came_on(id) != Moved::Some {
                    self.bring_over(id, tasks);
                }
                continue;
            }
            if self.is_restarting() || self.session.is_left(id.0) {
                // What is on its stream now is not told yet.
                if !is_ending {
                    return None;
                }
                let more = self.keep_what_came_on(id) == Moved::Some;
                if !more && self.channels.get(&id)?.tail.is_empty() {
                    return None;
                }
                continue;
            }
            let stream = self.living_stream(id).filter(|_| !discards)?;
            let association = self.live()?;
            if let Some(message) = association.read_unless(stream, datachannel::ppid::DCEP) {
                let decoded = self.session.decode(id.0, message.ppid, message.payload);
                self.messages_dropped += u64::from(decoded.is_err());
                if self.is_read_out(stream) || decoded.is_err() {
                    self.settle(now, tasks);
                }
                match decoded {
                    Ok(Some(payload)) => return Some(convert::message(payload)),
                    Ok(None) | Err(_) => continue,
                }
            }
            if association.peek(stream).is_none() {
                association.rearm(stream);
                return None;
            }
            // A message of DCEP.
            self.backlog.look_at(stream);
            self.settle(now, tasks);
            if self.backlog.waiting.contains_key(&stream) {
                return None;
            }
        }
        // What stands behind so much that is no message is told of in another step.
        let stream = self.living_stream(id)?;
        self.backlog.look_at(stream);
        self.backlog.more = Some(now);
        None
    }

    /// Whether a reset has waited for what was read of a stream just now, and is to be dealt with.
    fn is_read_out(&mut self, stream: u16) -> bool {
        let waits = self.backlog.unfinished.contains(&stream);
        let is_read = waits && self.live().is_some_and(|it| it.peek(stream).is_none());
        if is_read {
            self.backlog.read_out(stream);
        }
        is_read
    }

    /// Takes the message at the head of a stream that has no open channel aside, or gives the stream up.
    fn hold(&mut self, now: Instant, stream: u16) {
        let window = self.limits.receive_window as usize;
        let share = window / UNCLAIMED_SHARE;
        // It will lie in a tail when it has a channel.
        let most = share.min((window + share).saturating_sub(self.backlog.tails));
        let Some(message) = self.live().and_then(|it| it.read(stream)) else {
            return;
        };
        if !self.backlog.unclaimed.hold(now, stream, message, most) {
            self.messages_dropped += 1;
            self.give_up(stream);
        }
    }

    /// RFC 8832 §6: user messages for no channel are an error, and their stream is reset.
    fn give_up(&mut self, stream: u16) {
        self.messages_dropped += self.backlog.unclaimed.refuse(stream);
        self.session.reject(stream);
    }

    /// Streams that have waited too long for their channel.
    pub(super) fn give_up_unclaimed(&mut self, now: Instant) {
        // Others that are due have a turn of their own.
        if let Some(stream) = self.backlog.unclaimed.due(now) {
            self.give_up(stream);
        }
    }

    /// What waited on a stream goes when it will get no channel any more.
    pub(super) fn drop_unclaimed(&mut self, stream: u16) {
        if self.backlog.unclaimed.has(stream)
            && self.session.handle_user_message(stream) == datachannel::Disposition::Discard
        {
            self.messages_dropped += self.backlog.unclaimed.refuse(stream);
        }
    }

    /// A channel is open: what waited for it is its own.
    pub(super) fn claim(&mut self, id: ChannelId, stream: u16, tasks: &mut Tasks) {
        for message in self.backlog.unclaimed.take(stream) {
            self.keep(id, message.ppid, message.payload);
        }
        self.offer_kept(id, stream, tasks);
        self.backlog.look_at(stream);
    }

    /// Tells the user that he can read what was kept for him.
    pub(super) fn offer_kept(&mut self, id: ChannelId, stream: u16, tasks: &mut Tasks) {
        if self.channels.get(&id).is_some_and(|it| !it.tail.is_empty()) {
            self.offer(stream, tasks);
        }
    }

    /// Puts a message into the tail of its channel.
    pub(super) fn keep(&mut self, id: ChannelId, ppid: u32, payload: Bytes) {
        let decoded = self.session.decode(id.0, ppid, payload);
        match (decoded, self.channels.get_mut(&id)) {
            (Ok(Some(payload)), Some(local)) => {
                let message = convert::message(payload);
                self.backlog.tails += cost(&message);
                local.tail.push_back(message);
            }
            (Ok(None), _) => {}
            _ => self.messages_dropped += 1,
        }
    }

    /// The peer has reset its side of a stream. What came before it is the channel's still, and the
    /// stream may be another channel's soon: it moves beside. False when there is nothing to do.
    pub(super) fn finish_reset(&mut self) -> bool {
        if let Some(stream) = self.backlog.resets.pop_front() {
            if let Some(reset) = self.backlog.waiting.get_mut(&stream) {
                *reset = true;
                return true;
            }
            match self.move_aside(stream, self.by_stream(stream)) {
                Moved::All => self.reset(stream),
                Moved::Some => self.backlog.resets.push_front(stream),
                Moved::NoRoom => {
                    self.backlog.unfinished.insert(stream);
                }
            }
            return true;
        }
        if !std::mem::take(&mut self.backlog.room_came) {
            return false;
        }
        let Some(&stream) = self.backlog.unfinished.first() else {
            return false;
        };
        let moved = self.move_aside(stream, self.by_stream(stream));
        self.backlog.room_came = !matches!(moved, Moved::NoRoom);
        if let Moved::All = moved {
            self.backlog.unfinished.remove(&stream);
            self.reset(stream);
        }
        true
    }

    /// The peer has reset its side of all streams: those in use, and those whose OPEN was not taken yet. The next of them are dealt with
    /// like any. False when no such reset is under way.
    pub(super) fn list_resets(&mut self) -> bool {
        let Some(mut all) = self.backlog.all.take() else {
            return false;
        };
        for _ in 0..LISTED {
            let used = self.session.streams_from(all.next).next();
            let waiting = self.backlog.waiting.range(all.next..).next();
            let waiting = waiting.map(|(stream, _)| *stream);
            let Some(stream) = used.into_iter().chain(waiting).min() else {
                return true;
            };
            if !all.newer.remove(&stream) {
                self.backlog.handle_reset(stream);
            }
            match stream.checked_add(1) {
                Some(next) => all.next = next,
                None => return true,
            }
        }
        self.backlog.all = Some(all);
        true
    }

    fn reset(&mut self, stream: u16) {
        self.session.handle_incoming_reset(stream);
        self.drop_unclaimed(stream);
    }

    /// Moves a few unread messages of a stream to its channel. Of an association that is over what has no room is dropped.
    pub(super) fn move_aside(&mut self, stream: u16, id: Option<ChannelId>) -> Moved {
        let is_over =
            id.is_some_and(|id| self.session.is_ending(id.0) || self.session.is_left(id.0));
        let most = self.most_beside(is_over);
        let local = id.and_then(|id| self.channels.get(&id));
        let mut reader = id.filter(|_| local.is_some_and(|it| !it.discards && !it.cut));
        for _ in 0..MOVED {
            let tails = self.backlog.tails;
            let Some(association) = self.carrier(id) else {
                return Moved::All;
            };
            let Some((ppid, length)) = association.peek(stream) else {
                association.rearm(stream);
                return Moved::All;
            };
            let is_users = ppid != datachannel::ppid::DCEP;
            if reader.is_some() && is_users && tails > 0 && tails + length > most {
                if !is_over {
                    return Moved::NoRoom;
                }
                let local = reader.take().and_then(|id| self.channels.get_mut(&id));
                if let Some(local) = local {
                    local.cut = true;
                }
            }
            let Some(message) = self.carrier(id).and_then(|it| it.read(stream)) else {
                return Moved::All;
            };
            match reader.filter(|_| is_users) {
                Some(id) => self.keep(id, message.ppid, message.payload),
                None => self.messages_dropped += u64::from(is_users),
            }
        }
        Moved::Some
    }

    /// How many bytes may lie beside the window: as many as it has. Of an association that is over all has room besides, which is
    /// less than two windows and a message.
    pub(super) fn most_beside(&self, is_over: bool) -> usize {
        let window = self.limits.receive_window as usize;
        match is_over {
            true => {
                let message = self.limits.max_message_size as usize;
                window.saturating_mul(3).saturating_add(message)
            }
            false => window,
        }
    }

    /// Lets go of what was not read of a channel.
    pub(super) fn let_go(&mut self, id: ChannelId) {
        if let Some(local) = self.channels.get_mut(&id) {
            let held: usize = local.tail.drain(..).map(|message| cost(&message)).sum();
            self.backlog.tails -= held;
            self.backlog.room_came = true;
        }
    }
}

/// What came before an association ended was dropped, as too much lay unread.
pub(super) fn cut_off() -> Error {
    sctp_failure(
        None,
        "more lay unread than is kept of an association that is over",
    )
}

/// How far the messages of a stream were moved beside the window.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Moved {
    All,
    /// There are more.
    Some,
    /// There is no room for more.
    NoRoom,
}

/// What a message costs in memory.
fn cost(message: &Message) -> usize {
    message.len() + size_of::<Message>()
}

/// How much that is no message is passed over at once.
const PASSED: usize = 32;
/// How many messages are moved or dropped at once.
const MOVED: usize = 8;
/// How many streams are listed at once.
pub(super) const LISTED: usize = 8;
/// All streams without a channel may hold this part of the receive window.
const UNCLAIMED_SHARE: usize = 8;
