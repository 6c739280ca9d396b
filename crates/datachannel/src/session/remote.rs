//! What the peer does: DCEP messages, user messages and resets of streams.

use super::{Control, Disposition, Session};
use crate::channel::{Agreed, Channel, ChannelId, Origin, State};
use crate::end::{Failure, Initiator};
use crate::event::Event;
use crate::message::{Message, Open};
use crate::parameters::Priority;
use crate::stream::{Next, Occupant, Reset, Stream};

impl Session {
    /// Takes a DCEP message: what was received on `stream` with [`ppid::DCEP`](crate::ppid::DCEP). It is to be read from the
    /// association as soon as it stands at the head of its stream.
    ///
    /// What is not valid never reaches the user: the stream is reset, no ACK is sent, and a channel that has it is closed (RFC
    /// 8832 §6).
    pub fn handle_message(&mut self, stream: u16, payload: &[u8]) {
        if !self.has_stream(stream) {
            self.ignore(stream, "the association has no such stream");
            return;
        }
        match Message::parse(payload) {
            Ok(Message::Open(open)) => self.handle_open(stream, &open),
            Ok(Message::Ack) => self.handle_ack(stream),
            Err(error) => {
                log::debug!("{}DCEP on stream {stream}: {error}", self.config.label);
                self.refuse(stream);
            }
        }
    }

    /// Tells that a user message stands at the head of a stream of the association, and asks what is to be done with it. May be
    /// called any number of times for the same message.
    pub fn handle_user_message(&mut self, stream: u16) -> Disposition {
        if !self.has_stream(stream) {
            return Disposition::Discard;
        }
        let Some(used) = self.streams.get(&stream) else {
            return self.hold_unclaimed(stream);
        };
        match &used.next {
            Some(next) if next.refused => return Disposition::Discard,
            Some(_) => return Disposition::Hold,
            None => {}
        }
        let id = match used.occupant {
            Occupant::Channel(id) => id,
            Occupant::Unclaimed => return Disposition::Hold,
            Occupant::Refused => return self.hold_for_next(stream),
        };
        match self.channels.get_mut(&id) {
            Some(channel) if channel.state == State::Open => {
                // RFC 8832 §6: any message says that the peer has the channel.
                channel.acknowledged = true;
                Disposition::Deliver
            }
            Some(channel) if channel.state == State::Connecting => Disposition::Hold,
            _ => self.hold_for_next(stream),
        }
    }

    /// Gives up a stream on which user messages were [held](Disposition::Hold): they have no channel, or one that does not open.
    /// It is reset, and what stands in the association is to be dropped. A stream with an open channel is left alone.
    pub fn reject(&mut self, number: u16) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if let Some(next) = &mut stream.next {
            self.stats.rejected += u64::from(!next.refused);
            next.refused = true;
            return;
        }
        let refuse = match stream.occupant {
            Occupant::Unclaimed => true,
            Occupant::Channel(id) => {
                let channel = self.channels.get(&id);
                channel.is_some_and(|channel| channel.state == State::Connecting)
            }
            Occupant::Refused => false,
        };
        if refuse {
            self.refuse(number);
        }
    }

    /// Tells that the peer has reset its direction of a stream. It is to be told when all that came before was read from the
    /// association, as the channel may be gone afterwards.
    pub fn handle_incoming_reset(&mut self, number: u16) {
        if !self.has_stream(number) {
            return;
        }
        let Some(stream) = self.streams.get_mut(&number) else {
            // The peer has a channel that we do not have. It waits for our direction to be reset.
            self.refuse_silently(number);
            return self.handle_incoming_reset(number);
        };
        if let Some(next) = &mut stream.next {
            next.closed = true;
            return;
        }
        // SCTP has told of each request once, so the peer means this one.
        if stream.may_be_over_for_peer() {
            stream.reset_again = true;
            return;
        }
        match stream.occupant {
            Occupant::Channel(id) => {
                let Some(channel) = self.channels.get(&id) else {
                    return;
                };
                if channel.state == State::Connecting {
                    return; // nothing of ours is on the wire
                }
                stream.incoming_reset = true;
                // RFC 8832 §6: a reset before the ACK says that the peer refused the channel.
                let failure = (!channel.acknowledged).then_some(Failure::Rejected);
                self.begin_closing(id, Initiator::Remote, failure);
            }
            Occupant::Refused => stream.incoming_reset = true,
            Occupant::Unclaimed => {
                stream.incoming_reset = true;
                stream.occupant = Occupant::Refused;
                self.held.unclaimed -= 1;
                self.ask_reset(number);
            }
        }
        self.finish_if_over(number);
    }

    /// Tells that the reset of an outgoing stream, which [`poll_reset`](Self::poll_reset) asked for, was performed; or that the
    /// peer will never perform it.
    pub fn handle_outgoing_reset(&mut self, number: u16) {
        if let Some(stream) = self.streams.get_mut(&number)
            && stream.outgoing == Reset::Underway
        {
            stream.outgoing = Reset::Performed;
            self.finish_if_over(number);
        }
    }

    fn has_stream(&self, stream: u16) -> bool {
        self.max_channels.is_some_and(|most| stream < most)
    }

    fn handle_ack(&mut self, stream: u16) {
        let channel = self.by_stream(stream);
        match channel.and_then(|id| self.channels.get_mut(&id)) {
            // Also while closing: it may have been on its way when the user closed.
            Some(channel) if channel.state != State::Connecting && !channel.acknowledged => {
                channel.acknowledged = true;
            }
            _ => self.ignore(stream, "an ACK that nobody waits for"),
        }
    }

    fn handle_open(&mut self, number: u16, open: &Open<'_>) {
        let Some(stream) = self.streams.get(&number) else {
            return self.accept(number, Agreed::from(open));
        };
        match stream.occupant {
            Occupant::Channel(id) if !self.is_closing(id) => self.refuse(number),
            Occupant::Unclaimed => self.refuse(number),
            Occupant::Channel(_) | Occupant::Refused => self.keep_for_next(number, open),
        }
    }

    /// Takes an OPEN on a stream whose resets are underway. The peer may have seen both performed while the answer to ours is
    /// still on its way to us: then it opens the next channel, which has to wait until we may send on the stream again.
    fn keep_for_next(&mut self, number: u16, open: &Open<'_>) {
        let agreed = Agreed::from(open);
        let fits = self.fits(&agreed);
        match self.streams.get_mut(&number) {
            Some(stream) if stream.may_be_over_for_peer() && stream.next.is_none() && fits => {
                self.held.channels += 1;
                self.held.text += agreed.text();
                stream.next = Some(Box::new(Next {
                    agreed: Some(agreed),
                    closed: false,
                    refused: false,
                }));
            }
            // Behind user messages it is as much an error as on a stream that has no channel.
            Some(Stream { next, .. }) if next.as_ref().is_some_and(|it| it.agreed.is_none()) => {
                self.reject(number);
            }
            _ => self.ignore(number, "an OPEN while the stream is being reset"),
        }
    }

    /// The same for a user message: the peer may have its side of a negotiated channel already. All that it had sent on the stream
    /// before was read before its reset was told.
    fn hold_for_next(&mut self, number: u16) -> Disposition {
        let negotiated = match self.by_stream(number).and_then(|id| self.channels.get(&id)) {
            Some(channel) => channel.origin == Origin::Negotiated,
            None => false,
        };
        let Some(stream) = self.streams.get_mut(&number) else {
            return Disposition::Discard;
        };
        if !stream.may_be_over_for_peer() {
            return Disposition::Discard;
        }
        // Our own negotiated channels are as many as the user has made, and one answer that was lost may have been for all of them.
        let most = self.config.max_unclaimed;
        let fits = self.held.unclaimed < most || negotiated && most > 0;
        self.held.unclaimed += 1;
        self.stats.rejected += u64::from(!fits);
        stream.next = Some(Box::new(Next {
            agreed: None,
            closed: false,
            refused: !fits,
        }));
        match fits {
            true => Disposition::Hold,
            false => Disposition::Discard,
        }
    }

    /// Makes a channel of an OPEN on a free stream, if it is in order.
    fn accept(&mut self, number: u16, agreed: Agreed) {
        // RFC 8832 §6: the peer opens with the ids of its own role.
        let theirs = self.role.is_some_and(|role| number & 1 != role.parity());
        if !theirs || !self.fits(&agreed) {
            return self.refuse(number);
        }
        self.held.channels += 1;
        self.held.text += agreed.text();
        let mut channel = Channel::new(Origin::Remote, agreed);
        channel.state = State::Open;
        let id = self.insert(channel);
        self.assign(id, number);
        self.stats.opened += 1;
        self.controls.push_back(Control::Ack(id));
        self.events.push_back(Event::Announced { channel: id });
    }

    fn fits(&self, agreed: &Agreed) -> bool {
        self.held.channels < self.config.max_remote_channels
            && self.held.text + agreed.text() <= self.config.max_remote_text
    }

    fn is_closing(&self, id: ChannelId) -> bool {
        let channel = self.channels.get(&id);
        channel.is_none_or(|channel| matches!(channel.state, State::Closing | State::Closed))
    }

    /// Answers something wrong on a stream: a channel that has it is closed; else the stream is reset.
    fn refuse(&mut self, number: u16) {
        match self.streams.get(&number).map(|stream| stream.occupant) {
            Some(Occupant::Channel(id)) => self.end_for_violation(id, number),
            Some(Occupant::Refused) => self.ignore(number, "the stream is being reset"),
            Some(Occupant::Unclaimed) => {
                self.held.unclaimed -= 1;
                self.stats.rejected += 1;
                self.refuse_silently(number);
            }
            None => {
                self.stats.rejected += 1;
                self.refuse_silently(number);
            }
        }
    }

    fn end_for_violation(&mut self, id: ChannelId, number: u16) {
        let failure = Some(Failure::Violation);
        match self.channels.get(&id).map(Channel::state) {
            Some(State::Open) => self.begin_closing(id, Initiator::Library, failure),
            Some(State::Connecting) => {
                // Its OPEN has not been sent, but the peer has taken its stream.
                self.drop_unsent(id, Initiator::Library, failure);
                self.refuse_silently(number);
            }
            Some(State::Closing | State::Closed) | None => {
                self.ignore(number, "its channel is closing");
            }
        }
    }

    fn ignore(&mut self, stream: u16, reason: &str) {
        self.stats.ignored += 1;
        let label = &self.config.label;
        log::trace!("{label}a DCEP message on stream {stream} is dropped: {reason}");
    }

    fn refuse_silently(&mut self, number: u16) {
        self.streams.insert(number, Stream::new(Occupant::Refused));
        self.ask_reset(number);
    }

    fn hold_unclaimed(&mut self, number: u16) -> Disposition {
        if self.held.unclaimed >= self.config.max_unclaimed {
            // RFC 8832 §6: user data on an unused stream is an error.
            self.refuse(number);
            return Disposition::Discard;
        }
        self.held.unclaimed += 1;
        let stream = Stream::new(Occupant::Unclaimed);
        self.streams.insert(number, stream);
        Disposition::Hold
    }

    /// Frees a stream that was reset in both directions, and lets its next life begin.
    fn finish_if_over(&mut self, number: u16) {
        let over = self.streams.get(&number).is_some_and(Stream::is_over);
        let Some(stream) = over.then(|| self.free(number)).flatten() else {
            return;
        };
        if let Occupant::Channel(id) = stream.occupant
            && let Some(channel) = self.channels.get(&id)
        {
            if channel.origin == Origin::Remote {
                self.held.channels -= 1;
                self.held.text -= channel.agreed.text();
            }
            self.finish(id);
        }
        if let Some(next) = stream.next {
            self.begin_next(number, *next);
        } else if stream.reset_again {
            // The peer has a channel still, which waits for our direction to be reset. Had anything come behind, it would have none.
            self.handle_incoming_reset(number);
        }
    }

    fn begin_next(&mut self, number: u16, next: Next) {
        self.no_longer_held(&next);
        match next.agreed {
            _ if next.refused => self.refuse_silently(number),
            Some(agreed) => self.accept(number, agreed),
            None => {
                self.held.unclaimed += 1;
                let stream = Stream::new(Occupant::Unclaimed);
                self.streams.insert(number, stream);
            }
        }
        if next.closed {
            self.handle_incoming_reset(number);
        }
    }

    /// The next life of a stream begins, or will not come.
    pub(super) fn no_longer_held(&mut self, next: &Next) {
        match &next.agreed {
            Some(agreed) => {
                self.held.channels -= 1;
                self.held.text -= agreed.text();
            }
            None => self.held.unclaimed -= 1,
        }
    }
}

impl From<&Open<'_>> for Agreed {
    fn from(open: &Open<'_>) -> Self {
        Self {
            label: open.label.into(),
            protocol: open.protocol.into(),
            ordered: open.ordered,
            reliability: open.reliability,
            priority: Priority::from_weight(open.priority),
        }
    }
}
