//! What can be asked of a session.

use std::time::Instant;

use super::Session;
use crate::{
    SectionId,
    batch::Lane,
    receive::{ReceiveStream, Source},
    stats::{ReceiveStats, SendStats, SessionStats},
};

impl Session {
    /// Counters of the session.
    pub fn stats(&self) -> SessionStats {
        self.stats
    }

    /// The streams that a section receives, without those that have ended: SSRC, lane, counters.
    pub fn receive_stats(
        &self,
        id: SectionId,
    ) -> impl Iterator<Item = (u32, Lane, ReceiveStats)> + '_ {
        let section = self.place(id);
        let of = self
            .receivers
            .iter()
            .filter(move |it| Some(it.section) == section && !it.ended);
        of.map(|it| (it.ssrc, it.lane, it.stats()))
    }

    /// The streams that a section sends: SSRC, place, counters.
    pub fn send_stats(&self, id: SectionId) -> impl Iterator<Item = (u32, usize, SendStats)> + '_ {
        let section = self.place(id);
        let of = self
            .senders
            .iter()
            .filter(move |it| Some(it.section) == section);
        of.map(|it| (it.encoding.ssrc, it.place, it.stats()))
    }

    /// Whether a stream of the peer belongs to a section, and has not ended.
    pub fn is_received(&self, id: SectionId) -> bool {
        let section = self.place(id);
        let of = |it: &ReceiveStream| Some(it.section) == section && !it.ended;
        self.receivers.iter().any(of)
    }

    /// Who was heard on a section in the last ten seconds, the newest first.
    pub fn sources(&self, now: Instant, id: SectionId) -> Vec<Source> {
        let state = self.place(id).and_then(|at| self.sections.get(at));
        state.map_or_else(Vec::new, |state| state.sources.recent(now))
    }
}
