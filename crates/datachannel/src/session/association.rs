//! What the association tells the session, and what it is to do for it.

use std::collections::BTreeSet;

use super::{Control, Outgoing, Role, Session};
use crate::channel::{Channel, ChannelId, Origin, State};
use crate::end::{Failure, Initiator};
use crate::event::Event;
use crate::message::{self, Message, Open};
use crate::parameters::Reliability;
use crate::payload::ppid;
use crate::stream::{Occupant, Reset, Stream};

impl Session {
    /// Tells the role in the DTLS handshake. Channels that wait for an id get one, in the order they were opened. The role
    /// of an association does not change: later calls are ignored.
    pub fn set_role(&mut self, role: Role) {
        if self.role.is_some() {
            return;
        }
        self.role = Some(role);
        self.first_free = role.parity();
        for id in Vec::from_iter(self.channels()) {
            if self.channels.get(&id).is_some_and(|it| it.stream.is_some()) {
                continue;
            }
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
        if let Some(before) = self.max_channels {
            self.max_channels = Some(before.max(max_channels));
            return;
        }
        self.max_channels = Some(max_channels);
        for id in Vec::from_iter(self.channels()) {
            let stream = self.channels.get(&id).and_then(Channel::stream);
            if stream.is_some_and(|stream| stream >= max_channels) {
                self.drop_unsent(id, Initiator::Library, Some(Failure::IdUnavailable));
            } else {
                self.start(id);
            }
        }
    }

    /// Tells that another association takes the place of one that is gone without the channels' end: those that were open go on with
    /// their ids, and those that were not open yet wait for it. Closed are those that were closing, as both ends have forgotten
    /// their streams, and those of `lost`, of which something was on the way that nobody sends again.
    pub fn carry_over(&mut self, lost: &[ChannelId]) {
        // There may be very many.
        let lost: BTreeSet<_> = lost.iter().copied().collect();
        self.resets.clear();
        for id in Vec::from_iter(self.channels()) {
            let Some(channel) = self.channels.get_mut(&id) else {
                continue;
            };
            self.held.parts -= channel.held_by_parts();
            channel.parts = None;
            match channel.state {
                State::Closing => {}
                _ if lost.contains(&id) => channel.end = (Initiator::Transport, None),
                _ => continue,
            }
            let stream = channel.stream;
            if channel.origin == Origin::Remote {
                self.held.channels -= 1;
                self.held.text -= channel.agreed.text();
            }
            if let Some(stream) = stream {
                self.release(stream);
            }
            self.finish(id);
        }
        // What was refused, or had no channel yet, is forgotten.
        let channel = |it: &Stream| matches!(it.occupant, Occupant::Channel(_));
        let others = self.streams.iter().filter(|(_, it)| !channel(it));
        for stream in Vec::from_iter(others.map(|(stream, _)| *stream)) {
            self.release(stream);
        }
        self.held.unclaimed = 0;
    }

    /// A stream is free, and no channel has waited for that.
    fn release(&mut self, number: u16) {
        let next = self.free(number).and_then(|it| it.next);
        if let Some(next) = next {
            self.held.channels -= 1;
            self.held.text -= next.agreed.text();
        }
    }

    /// Tells the role in the DTLS handshake of another association that carries channels over: those that are opened from now on
    /// get their ids by it.
    pub fn turn(&mut self, role: Role) {
        if self.role.is_some_and(|it| it != role) {
            self.role = Some(role);
            self.first_free = role.parity();
        }
    }

    /// Stream and length of the next DCEP message, to ask the association for room.
    pub fn peek_send(&mut self) -> Option<(u16, usize)> {
        loop {
            let control = *self.controls.front()?;
            if let Some((channel, stream)) = self.due(control) {
                let length = match control {
                    Control::Open(_) => message::open_len(channel.label(), channel.protocol()),
                    Control::Ack(_) => 1,
                };
                return Some((stream, length));
            }
            self.controls.pop_front();
        }
    }

    /// The channel of a DCEP message and its stream, unless it has been overtaken.
    fn due(&self, control: Control) -> Option<(&Channel, u16)> {
        let (id, state) = match control {
            // It may have been closed before it was announced.
            Control::Open(id) => (id, Some(State::Connecting)),
            Control::Ack(id) => (id, None),
        };
        let channel = self.channels.get(&id)?;
        let wanted = state.map_or(channel.state != State::Closed, |it| it == channel.state);
        Some((channel, channel.stream?)).filter(|_| wanted)
    }

    /// The association can never take the next DCEP message, as it is longer than the peer takes. A channel that it would have
    /// announced is closed.
    pub fn refuse_send(&mut self) {
        if self.peek_send().is_some()
            && let Some(Control::Open(id)) = self.controls.pop_front()
        {
            self.drop_unsent(id, Initiator::Library, Some(Failure::OpenTooLong));
        }
    }

    /// The next DCEP message, which the association is to take: [`peek_send`](Self::peek_send) says what to ask it before.
    pub fn poll_send(&mut self) -> Option<Outgoing> {
        self.peek_send()?;
        let control = self.controls.pop_front()?;
        let (channel, stream) = self.due(control)?;
        let mut payload = Vec::new();
        match control {
            Control::Open(id) => {
                Message::Open(Open {
                    priority: channel.priority().weight(),
                    ordered: channel.ordered(),
                    reliability: channel.reliability(),
                    label: channel.label(),
                    protocol: channel.protocol(),
                })
                .write(&mut payload);
                self.mark_open(id);
            }
            Control::Ack(_) => Message::Ack.write(&mut payload),
        }
        // RFC 8832 §6: DCEP messages are ordered and reliable, whatever the channel is.
        Some(Outgoing {
            stream,
            ppid: ppid::DCEP,
            payload: payload.into(),
            ordered: true,
            reliability: Reliability::Reliable,
        })
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
}
