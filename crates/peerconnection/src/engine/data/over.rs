//! The end of an association, or its restart, which every channel is told of: a few at a time, as there may be very many.

use super::{
    Data,
    ending::{Ending, Leaves},
    inbound::{self, Moved},
};
use crate::{
    Error, SctpTransportState,
    engine::{
        ids::ChannelId,
        task::{Event, Tasks},
    },
};

impl Data {
    /// The association has ended, with an error or in peace: its state is closed, and its channels, those beyond a few with the
    /// steps that follow.
    pub(in crate::engine) fn end(&mut self, error: Option<&Error>, tasks: &mut Tasks) {
        let Some(sctp) = &mut self.sctp else {
            return;
        };
        if sctp.state == SctpTransportState::Closed {
            return;
        }
        sctp.state = SctpTransportState::Closed;
        tasks.push_one(Event::SctpTransport(SctpTransportState::Closed));
        self.session.begin_end();
        let ending = self.begin_ending(error);
        ending.over = Some(Leaves::Telling);
        self.take_steps(tasks);
    }

    /// The peer has restarted the association: its channels are closed.
    pub(super) fn restart(&mut self, error: &Error, tasks: &mut Tasks) {
        self.session.begin_restart();
        self.begin_ending(Some(error)).restarted = true;
        self.take_steps(tasks);
    }

    fn begin_ending(&mut self, error: Option<&Error>) -> &mut Ending {
        let backlog = self.backlog.renew();
        let ending = self.ending.get_or_insert_with(|| Ending {
            error: None,
            restarted: false,
            over: None,
            by_peer: false,
            backlogs: Vec::new(),
        });
        ending.error = error.cloned();
        ending.backlogs.push(backlog);
        ending
    }

    /// The peer has said that it ends: the application is told after the events of what closes with it.
    pub(in crate::engine) fn ended_by_peer(&mut self, tasks: &mut Tasks) {
        match &mut self.ending {
            Some(ending) => ending.by_peer = true,
            None => tasks.push_peer_closed(),
        }
    }

    /// Nothing can be sent on the transport of what ends.
    pub(super) fn end_silently(&mut self) {
        let over = self.ending.as_mut().and_then(|it| it.over.as_mut());
        if let Some(leaves) = over {
            *leaves = Leaves::Silently;
        }
    }

    /// Closes the next channel of what has ended, or lets go of the next thing that was to be dealt with. False when there is none.
    pub(super) fn go_on_ending(&mut self, tasks: &mut Tasks) -> bool {
        let next = self.session.next_ending().map(ChannelId);
        if next.is_some_and(|id| self.keep_what_came_on(id) == Moved::Some) {
            return true;
        }
        let more = self.session.end_next();
        if let Some(id) = next {
            let error = match self.is_cut(id) {
                true => Some(inbound::cut_off()),
                false => self.ending.as_ref().and_then(|it| it.error.clone()),
            };
            self.tell_all(error.as_ref(), tasks);
        }
        if more {
            return true;
        }
        let Some(ending) = &mut self.ending else {
            return false;
        };
        let Some(backlog) = ending.backlogs.last_mut() else {
            return false;
        };
        match backlog.forget_one() {
            Some(dropped) => self.messages_dropped += dropped,
            None => drop(ending.backlogs.pop()),
        }
        true
    }

    /// All channels are told, and what was to be dealt with is let go of.
    pub(super) fn ended(&mut self, ending: &Ending, tasks: &mut Tasks) {
        if ending.over.is_some() {
            self.leave();
        }
        if ending.over == Some(Leaves::Silently)
            && let Some(on) = self.sctp.as_ref().map(|it| it.on)
        {
            self.leaving.retain(|it| it.on != on);
        }
        if ending.by_peer {
            tasks.push_peer_closed();
        }
    }

    /// Whether the streams are of another life than the channels that were.
    pub(super) fn is_restarting(&self) -> bool {
        self.ending.as_ref().is_some_and(|it| it.restarted)
    }

    /// Something that came on a channel is lost here.
    pub(super) fn is_cut(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|it| it.cut)
    }

    /// The stream of a channel goes: what came on it and was not read is kept, a few messages at once.
    pub(super) fn keep_what_came_on(&mut self, id: ChannelId) -> Moved {
        let Some(stream) = self.stream_in_use(id) else {
            return Moved::All;
        };
        let of_another = self.is_restarting()
            && !self
                .association_of(id)
                .is_some_and(|it| it.is_from_before(stream));
        if of_another {
            return Moved::All;
        }
        self.move_aside(stream, Some(id))
    }
}
