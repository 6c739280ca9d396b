//! From the association up: what came, and who reads it.

use std::time::Instant;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{
    super::{
        channel::{ChannelId, Inbox},
        convert,
        task::{ChannelEvent, Event, Notice, Tasks},
    },
    Data,
};
use crate::{DataChannelState, Error, ErrorDetail, Message, SctpTransportState};

impl Data {
    /// Lifts what the association and the session have to tell.
    pub(in super::super) fn ascend(&mut self, now: Instant, tasks: &mut Tasks) {
        while let Some(event) = self.association().and_then(sctp::Association::poll_event) {
            self.handle_event(now, event, tasks);
        }
        self.drain(now, tasks);
    }

    fn handle_event(&mut self, now: Instant, event: sctp::Event, tasks: &mut Tasks) {
        match event {
            sctp::Event::Connected => self.connected(now, tasks),
            sctp::Event::Readable { stream } => self.pull(now, stream, tasks),
            sctp::Event::BufferedAmountLow { stream } => {
                let low = ChannelEvent::BufferedAmountLow;
                // An announcement is no data of the application's.
                let id = self.by_stream(stream);
                let has_sent = |id: &ChannelId| {
                    self.channels
                        .get(id)
                        .is_some_and(|it| it.messages_sent() > 0)
                };
                if let Some(id) = id.filter(has_sent) {
                    tasks.push_one(Event::Channel(id, low));
                }
            }
            sctp::Event::Writable => self.notices.push_back(Notice::Writable),
            sctp::Event::OutgoingReset { stream } | sctp::Event::OutgoingResetDenied { stream } => {
                self.session.handle_outgoing_reset(stream);
            }
            sctp::Event::IncomingReset { stream } => self.handle_reset(now, stream, tasks),
            sctp::Event::AllIncomingReset => {
                let streams: Vec<_> = self.channels.values().filter_map(|it| it.stream).collect();
                for stream in streams {
                    self.handle_reset(now, stream, tasks);
                }
            }
            sctp::Event::StreamsAdded { .. } => {
                if let Some(channels) = self.association().map(|it| it.max_channels()) {
                    self.session.set_connected(channels);
                }
            }
            sctp::Event::Restarted => {
                self.keep_what_came();
                self.session.handle_restart();
                let error = sctp_failure(None, "the peer has restarted the association");
                self.drain_session(Some(&error), tasks);
            }
            // A SHUTDOWN ends in peace, an ABORT does not.
            sctp::Event::Closed { cause_code, by } => {
                let error = cause_code.map(|it| sctp_failure(Some(it), "the peer has aborted"));
                self.end(error.as_ref(), tasks);
                if by == sctp::Initiator::Remote {
                    tasks.push_peer_closed();
                }
            }
            sctp::Event::Failed { cause } => {
                let error = sctp_failure(cause.cause_code(), "the association has failed");
                self.end(Some(&error), tasks);
            }
            _ => {}
        }
    }

    /// W3C §6.1.1.3: failed channels, the state, and in tasks of their own what opens.
    fn connected(&mut self, now: Instant, tasks: &mut Tasks) {
        let Some(sctp) = &mut self.transport else {
            return;
        };
        let channels = sctp
            .association
            .as_ref()
            .map_or(0, sctp::Association::max_channels);
        sctp.max_channels = Some(channels);
        sctp.state = SctpTransportState::Connected;
        tasks.peer_is_there();
        self.session.set_connected(channels);
        self.drain_session(None, tasks);
        tasks.push_one(Event::SctpTransport(SctpTransportState::Connected));
        self.drain(now, tasks);
        self.resume(now, tasks);
    }

    /// What stands at the head of a stream: DCEP is taken at once, a user's message waits for him.
    pub(super) fn pull(&mut self, now: Instant, stream: u16, tasks: &Tasks) {
        // Data may overtake the end of the set-up.
        let connected = self
            .transport
            .as_ref()
            .is_some_and(|it| it.max_channels.is_some());
        if !connected {
            self.wait(stream);
            return;
        }
        loop {
            let Some(association) = self.association() else {
                return;
            };
            match head(association, stream) {
                None => return,
                // An OPEN would become another event; an ACK would not, and has one byte.
                Some((datachannel::ppid::DCEP, 2..)) if tasks.is_full() => {
                    self.wait(stream);
                    return;
                }
                Some((datachannel::ppid::DCEP, _)) => {
                    if let Some(message) = association.read(stream) {
                        self.session.handle_message(stream, &message.payload);
                        self.pass_down(now);
                    }
                }
                Some(_) => match self.session.handle_user_message(stream) {
                    datachannel::Disposition::Deliver if self.offer(stream) => return,
                    datachannel::Disposition::Hold => return,
                    _ => {
                        if let Some(association) = self.association() {
                            association.read(stream);
                        }
                        self.messages_dropped += 1;
                    }
                },
            }
        }
    }

    fn wait(&mut self, stream: u16) {
        if !self.waiting.contains(&stream) {
            self.waiting.push(stream);
        }
    }

    /// Tells the user that he can read; false when he will not.
    fn offer(&mut self, stream: u16) -> bool {
        // The channel may have been announced a moment ago.
        let Some(inner) = self.session.by_stream(stream) else {
            return false;
        };
        let Some(&id) = self.names.get(&inner) else {
            // Its announcement is still to be drained, and looks again.
            return true;
        };
        let Some(channel) = self.channels.get_mut(&id) else {
            return false;
        };
        // [6.2-14]: what comes when the channel is not open is discarded.
        if channel.inbox.discards || channel.state == DataChannelState::Closing {
            return false;
        }
        if !channel.inbox.told {
            channel.inbox.told = true;
            self.notices.push_back(Notice::Readable(id));
        }
        true
    }

    /// Reads the next message of a channel.
    pub(in super::super) fn read(
        &mut self,
        now: Instant,
        id: ChannelId,
        tasks: &mut Tasks,
    ) -> Option<Message> {
        let message = self.next_message(now, id, tasks);
        let channel = self.channels.get_mut(&id)?;
        match &message {
            Some(message) => {
                channel.counts.messages_received += 1;
                channel.counts.bytes_received += message.len() as u64;
            }
            None => channel.inbox.told = false,
        }
        message
    }

    fn next_message(&mut self, now: Instant, id: ChannelId, tasks: &mut Tasks) -> Option<Message> {
        loop {
            let channel = self.channels.get_mut(&id)?;
            if let Some(message) = channel.inbox.tail.pop_front() {
                self.tails -= cost(&message);
                self.finish_resets(now, tasks);
                return Some(message);
            }
            let (inner, stream) = (channel.inner?, channel.stream?);
            if channel.state == DataChannelState::Closing && channel.inbox.discards {
                return None;
            }
            let association = self.transport.as_mut()?.association.as_mut()?;
            match head(association, stream)? {
                (datachannel::ppid::DCEP, _) => {
                    self.pull(now, stream, tasks);
                    self.drain(now, tasks);
                    if self.waiting.contains(&stream) {
                        return None;
                    }
                }
                _ => {
                    let message = association.read(stream)?;
                    match self.session.decode(inner, message.ppid, message.payload) {
                        Ok(Some(payload)) => return Some(convert::message(payload)),
                        Ok(None) => {}
                        Err(_) => {
                            self.messages_dropped += 1;
                            self.drain(now, tasks);
                        }
                    }
                }
            }
        }
    }

    /// The peer has reset its side of a stream. What came before it is the channel's still, and the
    /// stream may be another channel's soon: it moves beside.
    fn handle_reset(&mut self, now: Instant, stream: u16, tasks: &mut Tasks) {
        self.pull(now, stream, tasks);
        self.drain(now, tasks);
        if !self.move_aside(stream) {
            self.unfinished.push(stream);
            return;
        }
        self.session.handle_incoming_reset(stream);
        self.drain(now, tasks);
    }

    /// Room has come up beside the window.
    fn finish_resets(&mut self, now: Instant, tasks: &mut Tasks) {
        while let Some(&stream) = self.unfinished.first() {
            if !self.move_aside(stream) {
                return;
            }
            self.unfinished.remove(0);
            self.session.handle_incoming_reset(stream);
            self.drain(now, tasks);
        }
    }

    /// Moves unread messages of a stream to its channel. False when there is no room for more.
    fn move_aside(&mut self, stream: u16) -> bool {
        let limit = self.limits.receive_window as usize;
        loop {
            let Some(association) = self
                .transport
                .as_mut()
                .and_then(|it| it.association.as_mut())
            else {
                return true;
            };
            let Some((ppid, length)) = head(association, stream) else {
                return true;
            };
            let names = &self.names;
            let inner = self.session.by_stream(stream);
            let id = inner.and_then(|inner| names.get(&inner).copied());
            let channel = id.and_then(|id| self.channels.get_mut(&id));
            let channel =
                channel.filter(|it| !it.inbox.discards && ppid != datachannel::ppid::DCEP);
            if channel.is_some() && self.tails > 0 && self.tails + length > limit {
                return false;
            }
            let Some(message) = association.read(stream) else {
                return true;
            };
            let (Some(channel), Some(inner)) = (channel, inner) else {
                self.messages_dropped += 1;
                continue;
            };
            match self.session.decode(inner, message.ppid, message.payload) {
                Ok(Some(payload)) => {
                    let message = convert::message(payload);
                    self.tails += cost(&message);
                    channel.inbox.tail.push_back(message);
                }
                Ok(None) => {}
                Err(_) => self.messages_dropped += 1,
            }
        }
    }

    /// The association goes: what came on it and was not read is kept.
    pub(super) fn keep_what_came(&mut self) {
        let open = self.channels.values().filter(|it| it.inner.is_some());
        let streams: Vec<_> = open.filter_map(|it| it.stream).collect();
        for stream in streams {
            self.move_aside(stream);
        }
    }

    /// Streams whose OPEN waited until there was room for the event.
    pub(in super::super) fn resume(&mut self, now: Instant, tasks: &mut Tasks) {
        if self.waiting.is_empty() || tasks.is_full() {
            return;
        }
        for stream in std::mem::take(&mut self.waiting) {
            self.pull(now, stream, tasks);
            self.drain(now, tasks);
        }
    }

    fn by_stream(&self, stream: u16) -> Option<ChannelId> {
        let inner = self.session.by_stream(stream)?;
        self.names.get(&inner).copied()
    }

    /// The session's drains, in their order; then streams whose channel has just been made.
    pub(in super::super) fn drain(&mut self, now: Instant, tasks: &mut Tasks) {
        self.pass_down(now);
        let known = self.next_channel;
        self.drain_session(None, tasks);
        // What stands behind an OPEN was passed over as its channel had no name yet.
        for id in known..self.next_channel {
            let channel = self.channels.get(&ChannelId(id));
            if let Some(stream) = channel.and_then(|it| it.stream) {
                self.pull(now, stream, tasks);
            }
        }
    }
}

impl Inbox {
    /// Lets go of what was not read; answers what it had cost.
    pub(super) fn clear(&mut self) -> usize {
        self.tail.drain(..).map(|message| cost(&message)).sum()
    }
}

/// What stands at the head of a stream. When that is nothing, the association tells of what comes.
fn head(association: &mut sctp::Association, stream: u16) -> Option<(u32, usize)> {
    let head = association.peek(stream);
    if head.is_none() {
        let nothing = association.read(stream);
        debug_assert!(nothing.is_none());
    }
    head
}

/// What a message costs in memory.
fn cost(message: &Message) -> usize {
    message.len() + size_of::<Message>()
}

fn sctp_failure(cause_code: Option<u16>, message: &str) -> Error {
    Error::with_detail(ErrorDetail::SctpFailure { cause_code }, message)
}
