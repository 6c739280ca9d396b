//! What the association tells the session, and what it is to do for it.

use super::{Control, Outgoing, Role, Session};
use crate::channel::{Channel, State};
use crate::end::{Failure, Initiator};
use crate::event::Event;
use crate::message::{self, Message, Open};
use crate::parameters::Reliability;
use crate::payload::ppid;
use crate::stream::Reset;

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
        if self.carrying.is_some() {
            return None;
        }
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
        if !self.controls.is_empty() || self.carrying.is_some() {
            return None;
        }
        let number = self.resets.pop_front()?;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.outgoing = Reset::Underway;
        }
        Some(number)
    }
}
