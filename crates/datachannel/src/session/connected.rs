//! The association is there, and opens the channels that wait for it. There may be very many, so each is opened by itself.

use super::{Control, Session, opening::Opening};
use crate::channel::{ChannelId, Origin, State};
use crate::end::{Failure, Initiator};

impl Session {
    /// Tells that the association is there, with this many streams in each direction (the smaller number). Channels that wait
    /// for it open; those whose id is out of range fail. Another call with a larger number says that streams were added.
    pub fn set_connected(&mut self, max_channels: u16) {
        self.begin_connected(max_channels);
        while self.refuse_next() {}
        while self.open_next() {}
    }

    /// As [`set_connected`](Self::set_connected), but channels fail with calls of [`refuse_next`](Self::refuse_next), and open with those
    /// of [`open_next`](Self::open_next) behind them.
    pub fn begin_connected(&mut self, max_channels: u16) {
        if let Some(before) = self.max_channels {
            self.max_channels = Some(before.max(max_channels));
            return;
        }
        self.max_channels = Some(max_channels);
        let first = ChannelId(0);
        self.opening = Some(Opening {
            unchecked: first,
            next: first,
        });
    }

    /// Whether [`refuse_next`](Self::refuse_next) and [`open_next`](Self::open_next) are not through.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Looks at the next channel that waits for the association, which fails if there is no stream for it. False when there is none.
    pub fn refuse_next(&mut self) -> bool {
        let (Some(opening), Some(most)) = (&mut self.opening, self.max_channels) else {
            return false;
        };
        let next = self.channels.range(opening.unchecked..).next();
        let Some((&id, channel)) = next else {
            return false;
        };
        opening.unchecked = ChannelId(id.0 + 1);
        let waits = channel.state == State::Connecting;
        if waits && channel.stream.is_some_and(|stream| stream >= most) {
            self.drop_unsent(id, Initiator::Library, Some(Failure::IdUnavailable));
        }
        true
    }

    /// Opens the next channel that waits for the association, or has it announced. False when there is none.
    pub fn open_next(&mut self) -> bool {
        let Some(opening) = &mut self.opening else {
            return false;
        };
        let next = self.channels.range(opening.next..).next();
        let Some((&id, channel)) = next else {
            self.opening = None;
            return false;
        };
        opening.next = ChannelId(id.0 + 1);
        if channel.state == State::Connecting {
            self.start(id);
        }
        true
    }

    /// Opens a channel that has its id, if the association is there and it has no turn of its own.
    pub(super) fn start(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        let has_turn = self.opening.as_ref().is_some_and(|it| it.next <= id);
        if has_turn || self.max_channels.is_none() || channel.stream.is_none() {
            return;
        }
        match channel.origin {
            Origin::Negotiated => self.mark_open(id),
            Origin::Local => self.controls.push_back(Control::Open(id)),
            Origin::Remote => {}
        }
    }
}
