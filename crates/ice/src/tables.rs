//! The three tables of an agent: local sides, remote sides, and the sessions between them.

use std::{collections::BTreeSet, mem, time::Instant};

use crate::{
    base::{Base, BaseId, PairKey},
    generation::{GenerationId, LocalSide, RemoteSide, Session, SideId, Standing},
    pair::{CandidatePair, PairId},
};

/// Everything that descriptions have brought and that still lives.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) locals: Vec<LocalSide>,
    pub(crate) remotes: Vec<RemoteSide>,
    /// In the order in which they were armed.
    pub(crate) sessions: Vec<Session>,
    pub(crate) stable: Option<Listed>,
    pub(crate) open: Option<Listed>,
    next_side: u64,
    next_session: u64,
}

/// A generation of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) local: SideId,
    pub(crate) remote: Option<SideId>,
}

/// A session with both of its sides.
pub(crate) struct Whole<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) local: &'a mut LocalSide,
    pub(crate) remote: &'a mut RemoteSide,
}

impl Tables {
    pub(crate) fn next_side(&mut self) -> SideId {
        self.next_side += 1;
        SideId(self.next_side)
    }

    /// The number of the session that is armed next; they count from 1.
    pub(crate) fn next_session(&mut self) -> GenerationId {
        self.next_session += 1;
        GenerationId(self.next_session)
    }

    pub(crate) fn newest_session(&self) -> GenerationId {
        GenerationId(self.next_session)
    }

    pub(crate) fn local(&self, id: SideId) -> Option<&LocalSide> {
        self.locals.iter().find(|side| side.id == id)
    }

    pub(crate) fn remote(&self, id: SideId) -> Option<&RemoteSide> {
        self.remotes.iter().find(|side| side.id == id)
    }

    pub(crate) fn session(&self, id: GenerationId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(crate) fn session_mut(&mut self, id: GenerationId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    pub(crate) fn session_of(&self, local: SideId, remote: SideId) -> Option<&Session> {
        let of = |session: &&Session| session.local == local && session.remote == remote;
        self.sessions.iter().find(of)
    }

    pub(crate) fn whole(&mut self, id: GenerationId) -> Option<Whole<'_>> {
        let session = self.sessions.iter_mut().find(|session| session.id == id)?;
        let local = self
            .locals
            .iter_mut()
            .find(|side| side.id == session.local)?;
        let remote = self
            .remotes
            .iter_mut()
            .find(|side| side.id == session.remote)?;
        Some(Whole {
            session,
            local,
            remote,
        })
    }

    /// The places of the peer's candidates that a pair is of, in any session with the remote side of this one.
    pub(crate) fn paired_remotes(&self, id: GenerationId) -> BTreeSet<usize> {
        let remote = self.session(id).map(|it| it.remote);
        let of = self.sessions.iter().filter(|it| Some(it.remote) == remote);
        of.flat_map(|it| it.list.iter().map(|pair| pair.remote))
            .collect()
    }

    /// The session behind this one, or the first: for who changes them on the way.
    pub(crate) fn next_id(&self, after: Option<GenerationId>) -> Option<GenerationId> {
        let ids = self.sessions.iter().map(|session| session.id);
        ids.filter(|id| Some(*id) > after).min()
    }

    /// The generations of the plan, the newer one first.
    pub(crate) fn listed(&self) -> impl Iterator<Item = Listed> {
        [self.open, self.stable].into_iter().flatten()
    }

    /// The local side that is gathered for now: that of the newer generation.
    pub(crate) fn newest_local(&self) -> Option<&LocalSide> {
        self.local(self.listed().next()?.local)
    }

    /// The remote side of the newer generation that has one.
    pub(crate) fn newest_remote(&self) -> Option<&RemoteSide> {
        self.remote(self.listed().find_map(|listed| listed.remote)?)
    }

    /// The session of the newer generation that has one.
    pub(crate) fn newest_listed(&self) -> Option<&Session> {
        self.listed()
            .find_map(|it| self.session_of(it.local, it.remote?))
    }

    /// The listed remote side that has this fragment.
    pub(crate) fn remote_named(&self, ufrag: &str) -> Option<SideId> {
        let mut listed = self.listed().filter_map(|listed| listed.remote);
        listed.find(|id| self.remote(*id).is_some_and(|side| side.ufrag() == ufrag))
    }

    /// Whether a peer whose description has not come may use this side: an offer may have several
    /// answers.
    pub(crate) fn awaits_peers(&self, side: SideId) -> bool {
        self.open.is_some_and(|open| open.local == side)
    }

    pub(crate) fn is_listed(&self, side: SideId) -> bool {
        self.listed()
            .any(|it| it.local == side || it.remote == Some(side))
    }

    /// Which session and pair payload goes on, of those that are not older than `since`.
    ///
    /// The nominated pair of the newest session that has one, else that of the session that was
    /// replaced, else that of the stable one, else the newest valid pair.
    pub(crate) fn payload(
        &self,
        now: Instant,
        since: GenerationId,
    ) -> Option<(&Session, &CandidatePair)> {
        let usable = || {
            let sessions = self.sessions.iter().rev();
            sessions
                .filter(move |session| session.id >= since && !session.is_fading())
                .filter_map(move |session| Some((session, session.usable(now)?)))
        };
        let stable = self
            .stable
            .and_then(|it| self.session_of(it.local, it.remote?));
        let stable = stable.map(|session| session.id);
        usable()
            .find(|(session, _)| session.is_listed() && session.nominated.is_some())
            .or_else(|| usable().find(|(session, _)| session.standing == Standing::Retired))
            .or_else(|| usable().find(|(session, _)| Some(session.id) == stable))
            .or_else(|| usable().next())
    }

    /// The newest session that has a valid pair of this key.
    pub(crate) fn validated(&self, key: PairKey) -> Option<GenerationId> {
        let mut sessions = self.sessions.iter().rev();
        let valid = |it: &&Session| it.list.at(key).is_some_and(CandidatePair::is_valid);
        sessions.find(valid).map(|session| session.id)
    }

    pub(crate) fn is_in_use(&self, key: PairKey) -> bool {
        let paired = self
            .sessions
            .iter()
            .any(|session| session.list.at(key).is_some_and(|pair| !pair.expired));
        let early = |side: &LocalSide| side.early.iter().any(|early| early.key == key);
        paired || self.locals.iter().any(early)
    }

    /// Forgets sessions; the pairs that they had.
    pub(crate) fn forget(&mut self, mut gone: impl FnMut(&Session) -> bool) -> Vec<PairId> {
        let mut pairs = Vec::new();
        self.sessions.retain(|session| {
            let goes = gone(session);
            if goes {
                pairs.extend(session.list.iter().map(|pair| pair.id));
            }
            !goes
        });
        pairs
    }

    /// Forgets sides that neither the plan nor a session names. Whether there were any.
    pub(crate) fn forget_sides(&mut self) -> bool {
        let (locals, remotes) = (mem::take(&mut self.locals), mem::take(&mut self.remotes));
        let before = locals.len() + remotes.len();
        let named = |id: SideId| {
            let in_session = |it: &Session| it.local == id || it.remote == id;
            self.is_listed(id) || self.sessions.iter().any(in_session)
        };
        let locals: Vec<_> = locals.into_iter().filter(|side| named(side.id)).collect();
        let remotes: Vec<_> = remotes.into_iter().filter(|side| named(side.id)).collect();
        (self.locals, self.remotes) = (locals, remotes);
        before != self.locals.len() + self.remotes.len()
    }

    /// Whether a living side has a candidate on this base, or is to have one.
    pub(crate) fn uses(&self, base: &Base) -> bool {
        self.locals.iter().any(|side| {
            side.binds(base.address.ip())
                || side.candidates.iter().any(|local| local.base == base.id)
        })
    }

    /// Takes the pairs of a base that is gone out of service; which they were.
    pub(crate) fn end_base(&mut self, now: Instant, base: BaseId) -> Vec<PairId> {
        self.end_pairs(now, |key| key.base == base)
    }

    /// Takes pairs out of service that have lost what they go on; which they were.
    pub(crate) fn end_pairs(
        &mut self,
        now: Instant,
        over: impl Fn(PairKey) -> bool,
    ) -> Vec<PairId> {
        for side in &mut self.locals {
            side.early.retain(|early| !over(early.key));
        }
        let mut ended = Vec::new();
        for session in &mut self.sessions {
            let mut pairs = session.list.iter().filter(|pair| over(pair.key));
            if pairs.any(CandidatePair::is_valid) {
                session.bereft = Some(now);
            }
            drop(pairs);
            ended.extend(session.list.end(&over));
        }
        ended
    }
}
