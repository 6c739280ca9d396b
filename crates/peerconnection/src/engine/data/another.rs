//! An association in the place of one whose DTLS association the peer has replaced, with the channels that there are.

use std::time::Instant;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{Data, association::sctp_failure};
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
    /// association, so a reliable channel that has some ends; the others go on, as they do at the peer.
    pub(super) fn carry_over(&mut self, now: Instant, tasks: &mut Tasks) -> bool {
        let standing = self.sctp.as_ref();
        let standing = standing.filter(|it| it.state == SctpTransportState::Connected);
        let agreed = standing.and_then(|it| Some((it.agreed?, it.max_message_size)));
        let (Some((agreed, limit)), Some(seed)) = (agreed, self.another.take()) else {
            return false;
        };
        self.finish_ending(tasks);
        self.keep_what_came();
        let living = self.session.channels().map(ChannelId);
        let lost: Vec<_> = living.filter(|id| self.loses(*id)).map(|id| id.0).collect();
        self.session.carry_over(&lost);
        // The amounts that were left behind are still those of the old one.
        let error = sctp_failure(None, "the association ended before the peer had everything");
        self.tell_all(Some(&error), tasks);
        self.messages_dropped += self.backlog.begin_anew();
        let mut association =
            sctp::Association::new(self.limits.association(agreed.ports), seed, now);
        let limit = limit.unwrap_or(u64::MAX);
        association.set_max_outgoing_message_size(usize::try_from(limit).unwrap_or(usize::MAX));
        if let Some(sctp) = &mut self.sctp {
            sctp.association = Some(association);
            (sctp.seed, sctp.announced, sctp.remote_init, sctp.way) = (seed, false, None, None);
        }
        for id in Vec::from_iter(self.session.channels()) {
            self.equip(ChannelId(id));
        }
        true
    }

    /// Whether an association waits for another DTLS association, and W3C's shows that it is connected.
    pub(in crate::engine) fn is_suspended(&self) -> bool {
        let sctp = self.sctp.as_ref();
        sctp.is_some_and(|it| {
            let association = it.association.as_ref();
            it.state == SctpTransportState::Connected
                && association.is_some_and(|it| it.state() == sctp::State::Closed)
        })
    }

    /// The roles in the DTLS association that has taken the place of another.
    pub(in crate::engine) fn turn(&mut self, role: datachannel::Role) {
        self.session.turn(role);
    }

    /// Something that the peer is to get for certain is on the way.
    fn loses(&self, id: ChannelId) -> bool {
        let reliable = self
            .channel(id)
            .is_some_and(|it| it.reliability() == datachannel::Reliability::Reliable);
        reliable && self.unacknowledged(id) > 0
    }
}
