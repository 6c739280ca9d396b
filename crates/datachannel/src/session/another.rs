//! Channels that go on with another association. There may be very many, so each is carried over by itself.

use std::collections::BTreeSet;

use super::{Session, carrying::Carrying};
use crate::channel::{ChannelId, Origin, State};
use crate::end::Initiator;
use crate::stream::Occupant;

impl Session {
    /// Tells that another association takes the place of one that is gone without the channels' end: those that were open go on with
    /// their ids, and those that were not open yet wait for it. Closed are those that were closing, as both ends have forgotten
    /// their streams, and those of `lost`, of which something was on the way that nobody sends again.
    pub fn carry_over(&mut self, lost: &[ChannelId]) {
        self.begin_carrying();
        // There may be very many.
        let lost: BTreeSet<_> = lost.iter().copied().collect();
        while let Some(id) = self.next_left() {
            self.carry(id, lost.contains(&id));
        }
        while self.carry_stream() {}
    }

    /// As [`carry_over`](Self::carry_over), but each channel is carried over by a call of [`carry`](Self::carry), and each stream dealt
    /// with by one of [`carry_stream`](Self::carry_stream). Until all is done nothing is to be told of the other association, and
    /// [`poll_send`](Self::poll_send) and [`poll_reset`](Self::poll_reset) have nothing for it.
    pub fn begin_carrying(&mut self) {
        self.resets.clear();
        self.carrying = Some(Carrying {
            next: ChannelId(0),
            end: ChannelId(self.next_channel),
            early: BTreeSet::new(),
            stream: Some(0),
        });
    }

    /// The next channel that is still to be [carried over](Self::carry); it may be closed.
    pub fn next_left(&self) -> Option<ChannelId> {
        let carrying = self.carrying.as_ref()?;
        let channels = self.channels.range(carrying.next..carrying.end);
        let mut left = channels.filter(|(id, _)| !carrying.early.contains(id));
        left.next().map(|(id, _)| *id)
    }

    /// Whether a channel is still to be [carried over](Self::carry), so that what is known of it is of the association before.
    #[inline]
    pub fn is_left(&self, id: ChannelId) -> bool {
        let carrying = self.carrying.as_ref();
        carrying.is_some_and(|it| (it.next..it.end).contains(&id) && !it.early.contains(&id))
    }

    /// Carries a channel over, whether or not it is its turn. With `lost`, something was on the way that nobody sends again, and it is
    /// closed.
    pub fn carry(&mut self, id: ChannelId, lost: bool) {
        if !self.is_left(id) {
            return;
        }
        let is_next = self.next_left() == Some(id);
        if let Some(carrying) = &mut self.carrying {
            if is_next {
                carrying.next = ChannelId(id.0 + 1);
            } else {
                carrying.early.insert(id);
            }
        }
        self.carry_channel(id, lost);
    }

    fn carry_channel(&mut self, id: ChannelId, lost: bool) {
        // It closes at its turn, and its stream is another's.
        if self.is_ending(id) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        self.held.parts -= channel.held_by_parts();
        channel.parts = None;
        match channel.state {
            State::Closed => return,
            State::Closing => {}
            _ if lost => channel.end = (Initiator::Transport, None),
            _ => return,
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

    /// Forgets what was refused on a stream, or had no channel yet, once all channels are carried over. False when that was the last
    /// stream, and all is done.
    pub fn carry_stream(&mut self) -> bool {
        let Some(carrying) = &mut self.carrying else {
            return false;
        };
        let first = carrying.stream;
        let next = first.and_then(|first| self.streams.range(first..).next());
        let Some((&number, stream)) = next else {
            self.carrying = None;
            return false;
        };
        carrying.stream = number.checked_add(1);
        if !matches!(stream.occupant, Occupant::Channel(_)) {
            self.held.unclaimed -= usize::from(stream.occupant == Occupant::Unclaimed);
            self.release(number);
        }
        true
    }

    /// A stream is free, and no channel has waited for that.
    fn release(&mut self, number: u16) {
        let next = self.free(number).and_then(|it| it.next);
        if let Some(next) = next {
            self.no_longer_held(&next);
        }
    }
}
