//! Channels that end with their association. There may be very many, so each is closed by itself.

use super::{Role, Session, ending::Ending};
use crate::channel::{ChannelId, State};
use crate::end::Initiator;

impl Session {
    /// Tells that the peer restarted the association: all channels are closed, and new ones may be opened.
    pub fn handle_restart(&mut self) {
        self.begin_restart();
        while self.end_next() {}
    }

    /// Tells that the association is gone, or never came: all channels are closed. Those that are opened from now on wait for
    /// another, whose role and number of streams are its own.
    pub fn handle_end(&mut self) {
        self.begin_end();
        while self.end_next() {}
    }

    /// As [`handle_restart`](Self::handle_restart), but each channel is closed by a call of [`end_next`](Self::end_next). Until
    /// then it can neither be sent on nor be found by its stream, which another may have.
    pub fn begin_restart(&mut self) {
        let streams = std::mem::take(&mut self.streams);
        self.controls.clear();
        self.resets.clear();
        self.opening = None;
        (self.held.channels, self.held.text, self.held.unclaimed) = (0, 0, 0);
        self.first_free = self.role.map_or(0, Role::parity);
        let end = ChannelId(self.next_channel);
        let ending = self.ending.get_or_insert_with(|| Ending {
            next: ChannelId(0),
            end,
            streams: Vec::new(),
        });
        ending.end = end;
        ending.streams.push(streams);
        if let Some(carrying) = &mut self.carrying {
            carrying.stream = None;
        }
    }

    /// As [`handle_end`](Self::handle_end), a channel at a time like [`begin_restart`](Self::begin_restart).
    pub fn begin_end(&mut self) {
        self.role = None;
        self.max_channels = None;
        self.begin_restart();
    }

    /// The channel that [`end_next`](Self::end_next) closes; it may be closed already.
    pub fn next_ending(&self) -> Option<ChannelId> {
        let ending = self.ending.as_ref()?;
        let mut channels = self.channels.range(ending.next..ending.end);
        channels.next().map(|(id, _)| *id)
    }

    /// Whether a channel is still to be closed by [`end_next`](Self::end_next).
    #[inline]
    pub fn is_ending(&self, id: ChannelId) -> bool {
        let ending = self.ending.as_ref();
        ending.is_some_and(|it| (it.next..it.end).contains(&id))
    }

    /// Closes the next channel whose association is gone; false when nothing is left to do.
    pub fn end_next(&mut self) -> bool {
        let next = self.next_ending();
        let Some(ending) = &mut self.ending else {
            return false;
        };
        if let Some(streams) = ending.streams.last_mut()
            && streams.pop_first().is_none()
        {
            ending.streams.pop();
        }
        match next {
            Some(id) => {
                ending.next = ChannelId(id.0 + 1);
                self.close_ended(id);
            }
            None => ending.next = ending.end,
        }
        self.ending
            .take_if(|it| it.next == it.end && it.streams.is_empty());
        self.ending.is_some()
    }

    fn close_ended(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        match channel.state {
            State::Closed => return,
            State::Closing => {}
            _ => channel.end = (Initiator::Transport, None),
        }
        self.finish(id);
    }
}
