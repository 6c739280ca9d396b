//! An association in the place of one whose DTLS association the peer has replaced, with the channels that there are.

use std::time::Instant;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{
    Data,
    association::sctp_failure,
    backlog::Backlog,
    carrying::Carrying,
    inbound::{self, Moved},
};
use crate::{
    SctpTransportState,
    engine::{
        ids::{ChannelId, TransportId},
        task::Tasks,
    },
};

impl Data {
    /// Whether the peer may begin anew, and what the association that follows is made of.
    pub(in crate::engine) fn expect_another(&mut self, seed: Option<[u8; 32]>) {
        self.another = seed;
    }

    /// The keys of this transport are left for those of another DTLS association. Nothing that was under the old ones can be
    /// sent any more.
    pub(in crate::engine) fn leave_keys(
        &mut self,
        now: Instant,
        transport: TransportId,
        tasks: &mut Tasks,
    ) {
        if self.is_on(transport) {
            self.carry_over(now, tasks);
        }
        self.cut_off(transport);
    }

    /// Another association takes the place of the one that there is, if one is expected. What is on the way is lost with the
    /// association, so a reliable channel that has some ends; the others go on, as they do at the peer. Each of them with the steps
    /// that follow.
    pub(super) fn carry_over(&mut self, now: Instant, tasks: &mut Tasks) -> bool {
        let standing = self.sctp.as_ref();
        let standing = standing.filter(|it| it.state == SctpTransportState::Connected);
        let agreed = standing.and_then(|it| Some((it.agreed?, it.max_message_size)));
        let (Some((agreed, limit)), Some(seed)) = (agreed, self.another.take()) else {
            return false;
        };
        self.finish_carrying(tasks);
        let mut association =
            sctp::Association::new(self.limits.association(agreed.ports), seed, now);
        let limit = limit.unwrap_or(u64::MAX);
        association.set_max_outgoing_message_size(usize::try_from(limit).unwrap_or(usize::MAX));
        let former = self.sctp.as_mut().and_then(|sctp| {
            (sctp.seed, sctp.announced, sctp.remote_init, sctp.way) = (seed, false, None, None);
            sctp.association.replace(Box::new(association))
        });
        if let Some(former) = former {
            let backlog = self.backlog.renew();
            self.carrying = Some(Carrying { former, backlog });
            self.session.begin_carrying();
        }
        true
    }

    /// All that is left at once: something else is to begin.
    pub(in crate::engine) fn finish_carrying(&mut self, tasks: &mut Tasks) {
        if self.carrying.is_some() {
            self.finish(tasks);
        }
    }

    /// Carries the next channel over, or lets go of the next thing that came for the association that was. False when there is none.
    pub(super) fn go_on_carrying(&mut self, tasks: &mut Tasks) -> bool {
        if let Some(id) = self.session.next_left().map(ChannelId) {
            if self.keep_what_came_on(id) != Moved::Some {
                self.bring_over(id, tasks);
            }
            return true;
        }
        if self.session.carry_stream() {
            return true;
        }
        let backlog = self.carrying.as_mut().map(|it| &mut it.backlog);
        let dropped = backlog.and_then(Backlog::forget_one);
        self.messages_dropped += dropped.unwrap_or_default();
        dropped.is_some()
    }

    /// Carries a channel over if that was not done yet, as it is used. One that ends anyway is left.
    #[inline]
    pub(in crate::engine) fn bring_over(&mut self, id: ChannelId, tasks: &mut Tasks) {
        if self.session.is_left(id.0) && !self.session.is_ending(id.0) {
            self.carry_channel(id, tasks);
        }
    }

    fn carry_channel(&mut self, id: ChannelId, tasks: &mut Tasks) {
        self.tell_all(None, tasks);
        while self.keep_what_came_on(id) == Moved::Some {}
        // It is in the association that was.
        let left = self.stream_in_use(id).map(|it| self.amounts(id, it));
        self.session.carry(id.0, self.loses(id));
        let error = match self.is_cut(id) {
            true => inbound::cut_off(),
            false => sctp_failure(None, "the association ended before the peer had everything"),
        };
        self.tell_all(Some(&error), tasks);
        // One that is not reliable goes on.
        if let Some(local) = self.channels.get_mut(&id) {
            local.cut = false;
        }
        if let Some(stream) = self.stream_in_use(id) {
            self.equip(id);
            self.offer_kept(id, stream, tasks);
        } else if let (Some(left), Some(local)) = (left, self.channels.get_mut(&id)) {
            (local.left_behind, local.lost) = left;
        }
    }

    /// The association that knows of a channel: while it is to be carried over, that was.
    pub(super) fn association_of(&self, id: ChannelId) -> Option<&sctp::Association> {
        match &self.carrying {
            Some(it) if self.session.is_left(id.0) => Some(&it.former),
            _ => self.live_ref(),
        }
    }

    /// The same, to read from.
    pub(super) fn carrier(&mut self, id: Option<ChannelId>) -> Option<&mut sctp::Association> {
        let is_left = id.is_some_and(|id| self.session.is_left(id.0));
        match self.carrying.as_mut().filter(|_| is_left) {
            Some(carrying) => Some(&mut carrying.former),
            None => self.sctp.as_mut()?.association.as_deref_mut(),
        }
    }

    /// Whether an association waits for another DTLS association, and W3C's shows that it is connected.
    pub(in crate::engine) fn is_suspended(&self) -> bool {
        let sctp = self.sctp.as_ref();
        sctp.is_some_and(|it| {
            let association = it.association.as_deref();
            it.state == SctpTransportState::Connected
                && association.is_some_and(|it| it.state() == sctp::State::Closed)
        })
    }

    /// The roles in the DTLS association that has taken the place of another.
    pub(in crate::engine) fn turn(&mut self, role: datachannel::Role) {
        self.session.turn(role);
    }

    /// Something that the peer is to get for certain is on the way, or of what came for certain something was dropped.
    fn loses(&self, id: ChannelId) -> bool {
        let reliable = self
            .channel(id)
            .is_some_and(|it| it.reliability() == datachannel::Reliability::Reliable);
        reliable && (self.unacknowledged(id) > 0 || self.is_cut(id))
    }
}
