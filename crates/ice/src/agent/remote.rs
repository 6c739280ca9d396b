//! Candidates of the peer, and their end.

use std::time::Instant;

use super::Agent;
use crate::{
    Candidate, ChecklistSet, Error, GenerationId,
    combine::Which,
    generation::{SideId, prioritize, same},
};

impl Agent {
    /// Adds a candidate of the peer to the listed generation that has these remote credentials, and
    /// checks it as soon as pacing allows.
    ///
    /// A name is resolved first ([`Request::Resolve`](crate::Request::Resolve)). What this agent cannot reach by
    /// its kind is listed and not checked: TCP, another component, an unspecified or multicast address; and
    /// so is what comes after the end of candidates. Beyond 1,000 candidates they are counted only.
    ///
    /// # Errors
    /// [`Error::UnknownGeneration`] when the plan does not list it; [`Error::Closed`].
    pub fn add_remote_candidate(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        ufrag: &str,
        candidate: Candidate,
    ) -> Result<(), Error> {
        self.check_open()?;
        let side = self
            .tables
            .remote_named(ufrag)
            .ok_or(Error::UnknownGeneration)?;
        self.take_candidate(now, set, side, candidate);
        self.settle(now, set);
        Ok(())
    }

    fn take_candidate(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        id: SideId,
        candidate: Candidate,
    ) {
        let Some(side) = self.tables.remotes.iter_mut().find(|side| side.id == id) else {
            return;
        };
        if side.end {
            // RFC 8838 §14: nothing was to come any more.
            self.stats.drops.candidates += 1;
        } else {
            side.heard = Some(now);
        }
        let at = candidate.target(None);
        let known = at.and_then(|at| side.at(at, candidate.protocol));
        let known = known.and_then(|at| Some((at, side.candidates.get_mut(at)?)));
        match known {
            Some((_, remote)) if remote.signalled => {}
            Some((_, remote)) => {
                // RFC 8445 §7.3.1.3: a candidate that was learnt from a check keeps its pair when it is
                // signalled after all, and takes the signalled kind, foundation and priority.
                remote.candidate = candidate;
                remote.signalled = true;
                for session in self.sessions_with(id) {
                    if let Some(whole) = self.tables.whole(session) {
                        let controlling = set.is_controlling();
                        prioritize(whole.session, whole.local, whole.remote, controlling);
                    }
                    self.combine(set, session, Which::All);
                }
                self.count_costs();
            }
            None => match side.push(candidate, true) {
                Some(at) => {
                    for session in self.sessions_with(id) {
                        self.combine(set, session, Which::Remote(at));
                    }
                    self.look_up_name(id, at);
                }
                None => self.stats.drops.candidates += 1,
            },
        }
    }

    /// The peer has no more candidates in the generation with these remote credentials (RFC 8838 §14).
    ///
    /// # Errors
    /// As [`add_remote_candidate`](Self::add_remote_candidate).
    pub fn set_remote_end_of_candidates(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        ufrag: &str,
    ) -> Result<(), Error> {
        self.check_open()?;
        let id = self
            .tables
            .remote_named(ufrag)
            .ok_or(Error::UnknownGeneration)?;
        let side = self.tables.remotes.iter_mut().find(|side| side.id == id);
        if let Some(side) = side {
            side.end = true;
        }
        self.settle(now, set);
        Ok(())
    }

    pub(super) fn sessions_with(&self, remote: SideId) -> Vec<GenerationId> {
        let sessions = self.tables.sessions.iter();
        let of = sessions.filter(|session| session.remote == remote && session.is_listed());
        of.map(|session| session.id).collect()
    }

    /// RFC 8445 §7.2.5.3.1: the address that the peer saw is a local candidate of its own.
    pub(super) fn learn_local(
        &mut self,
        id: GenerationId,
        pair: crate::pair::PairId,
        mapped: std::net::SocketAddr,
        (priority, controlling): (u32, bool),
    ) {
        let bases = &self.gatherer.bases;
        let Some(whole) = self.tables.whole(id) else {
            return;
        };
        let key = whole.session.list.get(pair).map(|pair| pair.key);
        let Some(base) = key.and_then(|key| bases.get(key.base)) else {
            return;
        };
        let base_candidate = whole.local.of_base(base.id);
        let at = if same(base.address, mapped) && !whole.local.hides_hosts {
            base_candidate
        } else {
            whole.local.reflexive(base, mapped, priority)
        };
        if let (Some(at), Some(pair)) = (at, whole.session.list.get_mut(pair))
            && pair.local != at
        {
            pair.local = at;
            pair.mappings = pair.mappings.wrapping_add(1);
            prioritize(whole.session, whole.local, whole.remote, controlling);
        }
    }
}
