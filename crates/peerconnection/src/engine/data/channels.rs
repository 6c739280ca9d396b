//! What the application is told of channels.

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{Data, local::Local};
use crate::{
    Error, ErrorDetail,
    engine::{
        ids::ChannelId,
        task::{ChannelEvent, Event, Tasks},
    },
};

impl Data {
    /// What the session tells, as tasks. `ended`: why the association is gone, when it is.
    pub(super) fn tell_all(&mut self, ended: Option<&Error>, tasks: &mut Tasks) {
        while let Some(event) = self.session.poll_event() {
            self.tell(event, ended, tasks);
        }
    }

    pub(super) fn tell(
        &mut self,
        event: datachannel::Event,
        ended: Option<&Error>,
        tasks: &mut Tasks,
    ) {
        match event {
            // W3C §6.2: `datachannel`, and in a task of its own `open`.
            datachannel::Event::Announced { channel } => {
                let id = ChannelId(channel);
                self.channels.insert(id, Local::default());
                tasks.push_one(Event::DataChannel(id));
                self.opened(id, tasks);
            }
            datachannel::Event::Opened { channel } => self.opened(ChannelId(channel), tasks),
            datachannel::Event::Closing { channel } => {
                let closing = Event::Channel(ChannelId(channel), ChannelEvent::Closing);
                tasks.push_one(closing);
            }
            datachannel::Event::Closed {
                channel,
                by,
                failure,
            } => {
                let error = failure.map(channel_failure);
                let lost = by == datachannel::Initiator::Transport;
                let error = error.or_else(|| ended.filter(|_| lost).cloned());
                self.closed(ChannelId(channel), error, tasks);
            }
            _ => {}
        }
    }

    fn opened(&mut self, id: ChannelId, tasks: &mut Tasks) {
        tasks.push_one(Event::Channel(id, ChannelEvent::Open));
        self.weigh_channel(id);
        if let Some(stream) = self.equip(id) {
            self.claim(id, stream, tasks);
        }
    }

    /// Tells the association what is wanted of the stream of a channel.
    pub(super) fn equip(&mut self, id: ChannelId) -> Option<u16> {
        let channel = self.channel(id)?;
        let (stream, priority) = (channel.stream()?, channel.priority());
        let threshold = self.threshold(id);
        if let Some(association) = self.live() {
            let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
            association.set_buffered_amount_low_threshold(stream, threshold);
            association.set_priority(stream, priority.weight());
        }
        Some(stream)
    }

    /// W3C §6.2: `error` when there was one, then `close`.
    fn closed(&mut self, id: ChannelId, error: Option<Error>, tasks: &mut Tasks) {
        self.note_end(id);
        let error = error.map(|error| Event::Channel(id, ChannelEvent::Error(error)));
        let close = Event::Channel(id, ChannelEvent::Close);
        tasks.push(error.into_iter().chain([close]).collect());
    }

    /// What W3C goes on showing of a channel that has just been closed.
    fn note_end(&mut self, id: ChannelId) {
        let left = match self.channel(id).map(|it| it.stream()) {
            Some(Some(stream)) if !self.is_restarting() => self.amounts(id, stream),
            // The association has forgotten what was on its way, and the peer what it had.
            Some(Some(_)) => (0, self.has_sent(id)),
            _ => (0, false),
        };
        let Some(local) = self.channels.get_mut(&id) else {
            return;
        };
        (local.left_behind, local.lost) = left;
        if local.discards {
            self.let_go(id);
            self.channels.remove(&id);
        }
    }

    fn has_sent(&self, id: ChannelId) -> bool {
        let channel = self.channel(id);
        channel.is_some_and(|it| it.stats().messages_sent > 0)
    }

    /// What is buffered on the stream of a channel, and whether the peer has not acknowledged everything.
    pub(super) fn amounts(&self, id: ChannelId, stream: u16) -> (u64, bool) {
        (self.buffered(id, stream), self.pending(id, stream) > 0)
    }

    /// W3C §4.4.2: all channels are closed at once, and nothing is told.
    pub(super) fn close_all(&mut self) {
        let living: Vec<_> = self.session.channels().map(ChannelId).collect();
        self.session.handle_end();
        while self.session.poll_event().is_some() {}
        for id in living {
            self.note_end(id);
            self.let_go(id);
            if let Some(local) = self.channels.get_mut(&id) {
                local.lost = true;
            }
        }
    }

    /// The buffered amount has fallen to its threshold.
    pub(super) fn amount_low(&self, stream: u16, tasks: &mut Tasks) {
        if let Some(id) = self.by_stream(stream) {
            tasks.push_one(Event::Channel(id, ChannelEvent::BufferedAmountLow));
        }
    }

    /// W3C's `bufferedAmount`.
    pub(in crate::engine) fn buffered_amount(&self, id: ChannelId) -> u64 {
        match self.living_stream(id) {
            Some(stream) => self.buffered(id, stream),
            None => self.channels.get(&id).map_or(0, |it| it.left_behind),
        }
    }

    fn buffered(&self, id: ChannelId, stream: u16) -> u64 {
        let association = self.association_of(id);
        association.map_or(0, |it| it.buffered_amount(stream) as u64)
    }

    /// Bytes that the peer has not acknowledged.
    pub(in crate::engine) fn unacknowledged(&self, id: ChannelId) -> u64 {
        self.living_stream(id)
            .map_or(0, |stream| self.pending(id, stream))
    }

    fn pending(&self, id: ChannelId, stream: u16) -> u64 {
        let association = self.association_of(id);
        association.map_or(0, |it| it.unacknowledged(stream) as u64)
    }

    pub(in crate::engine) fn total_unacknowledged(&self) -> u64 {
        self.live_ref()
            .map_or(0, |it| it.total_unacknowledged() as u64)
    }

    /// The peer has all that was sent, and has passed over what was given up, so that nothing of it waits there.
    pub(in crate::engine) fn is_drained(&self) -> bool {
        self.live_ref().is_none_or(sctp::Association::is_idle)
    }

    /// It ended before the peer had acknowledged everything.
    pub(in crate::engine) fn has_lost(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|it| it.lost)
    }

    pub(in crate::engine) fn threshold(&self, id: ChannelId) -> u64 {
        self.channels.get(&id).map_or(0, |it| it.threshold)
    }

    pub(in crate::engine) fn set_threshold(&mut self, id: ChannelId, threshold: u64) {
        let Some(local) = self.channels.get_mut(&id) else {
            return;
        };
        local.threshold = threshold;
        let stream = self.living_stream(id);
        if let (Some(association), Some(stream)) = (self.live(), stream) {
            let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
            association.set_buffered_amount_low_threshold(stream, threshold);
        }
    }
}

fn channel_failure(failure: datachannel::Failure) -> Error {
    let message = match failure {
        datachannel::Failure::IdUnavailable => "no id is left for the channel",
        datachannel::Failure::OpenTooLong => {
            "label and protocol are longer than a message that the peer takes"
        }
        datachannel::Failure::Rejected => "the peer has refused the channel",
        _ => "the peer broke the rules of the channel",
    };
    Error::with_detail(ErrorDetail::DataChannelFailure, message)
}
