//! The plan of generations, and the gathering that it begins (RFC 8445 §9).

use std::{net::SocketAddr, time::Instant};

use super::Agent;
use crate::{
    CandidateKind, ChecklistSet, Credentials, Error, Event, GatheringState, Generation,
    GenerationId, Plan, RemoteIce, Role,
    base::RelayId,
    base::{Base, BaseId},
    combine::{Parts, Which},
    credentials::Keys,
    generation::{FADING, LocalSide, RemoteSide, Session, SideId, Standing},
    tables::Listed,
};

impl Agent {
    /// Says which generations there are: the whole of it each time, so that saying the same again
    /// changes nothing.
    ///
    /// A side is known by its fragment and its password. A new local side is gathered for, with the
    /// transport policy of this moment. A session begins when both sides of a generation are known;
    /// what the peer checked before that is made up for. What is not listed any more goes, but the
    /// session that payload goes on carries it until a listed one has a nominated pair. So a rollback is
    /// the plan without `open`: the stable generation was not touched by it.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], with nothing changed; [`Error::Closed`].
    pub fn set_plan(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        plan: Plan,
    ) -> Result<(), Error> {
        self.check_open()?;
        for generation in [&plan.stable, &plan.open].into_iter().flatten() {
            generation.local.check()?;
            if let Some(remote) = &generation.remote {
                remote.credentials.check()?;
            }
        }
        let stable = plan.stable.as_ref().and_then(|it| self.list(now, it));
        let open = plan.open.as_ref().and_then(|it| self.list(now, it));
        (self.tables.stable, self.tables.open) = (stable, open);
        let lite = |it: &Generation| it.remote.as_ref().is_some_and(|remote| remote.lite);
        if self.config.lite {
            set.set_role(Role::Controlled);
        } else if [&plan.stable, &plan.open].into_iter().flatten().any(lite) {
            // RFC 8445 §6.1.1: of a full and a lite agent the full one controls.
            set.set_role(Role::Controlling);
        }
        self.arm(now, set);
        // What is new takes the sockets over from what goes.
        self.gather(now, set);
        self.dismiss(now);
        self.settle(now, set);
        Ok(())
    }

    /// The sides of a generation, which are made if they are new.
    fn list(&mut self, now: Instant, generation: &Generation) -> Option<Listed> {
        let local = self.list_local(now, &generation.local)?;
        let remote = generation
            .remote
            .as_ref()
            .and_then(|it| self.list_remote(it));
        Some(Listed { local, remote })
    }

    fn list_local(&mut self, now: Instant, credentials: &Credentials) -> Option<SideId> {
        let mut known = self.tables.locals.iter();
        if let Some(side) = known.find(|side| side.keys.credentials == *credentials) {
            return Some(side.id);
        }
        let keys = Keys::new(credentials.clone()).ok()?;
        let id = self.tables.next_side();
        let servers = match self.config.lite {
            true => [].into(),
            false => self.servers.clone(),
        };
        let mut side = LocalSide::new(id, keys, (self.policy, servers), now);
        side.hides_addresses = self.config.hides();
        side.hides_hosts = self.config.ip_handling.hides_hosts();
        side.continual = self.config.continual;
        self.gatherer.sources.renew(now);
        self.tables.locals.push(side);
        self.outcome.gathering = GatheringState::Gathering;
        let event = Event::GatheringStateChanged(GatheringState::Gathering);
        self.outcome.events.push_back(event);
        Some(id)
    }

    fn list_remote(&mut self, remote: &RemoteIce) -> Option<SideId> {
        let mut known = self.tables.remotes.iter_mut();
        if let Some(side) = known.find(|side| side.keys.credentials == remote.credentials) {
            (side.lite, side.trickle) = (remote.lite, remote.trickle);
            side.renomination = remote.renomination;
            return Some(side.id);
        }
        let keys = Keys::new(remote.credentials.clone()).ok()?;
        let id = self.tables.next_side();
        let side = RemoteSide::new(id, keys, remote);
        self.tables.remotes.push(side);
        Some(id)
    }

    /// Begins the sessions that are listed with both sides, and takes back those that are listed again.
    fn arm(&mut self, now: Instant, set: &ChecklistSet) {
        let listed: Vec<_> = self.tables.listed().collect();
        for Listed { local, remote } in listed.into_iter().rev() {
            let Some(remote) = remote else {
                continue;
            };
            let known = self
                .tables
                .session_of(local, remote)
                .map(|session| session.id);
            if let Some(session) = known.and_then(|id| self.tables.session_mut(id)) {
                session.standing = Standing::Listed;
                continue;
            }
            let id = self.tables.next_session();
            let (Some(near), Some(far)) = (self.tables.local(local), self.tables.remote(remote))
            else {
                continue;
            };
            let session = Session::new(id, near, far, now);
            self.tables.sessions.push(session);
            self.combine(set, id, Which::All);
            self.learn_early(now, set, id);
        }
    }

    /// Lets go of what is not listed any more. Of the sessions, the one that payload goes on is kept, or
    /// else one that payload could go on.
    fn dismiss(&mut self, now: Instant) {
        let (stable, open) = (self.tables.stable, self.tables.open);
        let is_listed = |session: &Session| {
            let listed = [stable, open].into_iter().flatten();
            listed
                .into_iter()
                .any(|it| it.local == session.local && it.remote == Some(session.remote))
        };
        let carries = self.tables.payload(now, GenerationId::default());
        let carries = carries.map(|(session, _)| session.id);
        let unlisted = || self.tables.sessions.iter().filter(|it| !is_listed(it));
        let heir = unlisted().find(|session| Some(session.id) == carries);
        let heir = heir.or_else(|| unlisted().rev().find(|it| it.usable(now).is_some()));
        let heir = heir.map(|session| session.id);
        let gone = self
            .tables
            .forget(|it| !is_listed(it) && Some(it.id) != heir);
        for pair in gone {
            self.control.cancel(pair);
        }
        let heir = heir.and_then(|id| self.tables.session_mut(id));
        if let Some(session) = heir.filter(|session| session.is_listed()) {
            session.standing = Standing::Retired;
            session.nominating = None;
            session.list.cancel(|_| true);
            for pair in session.list.iter().filter(|pair| !pair.is_valid()) {
                self.control.cancel(pair.id);
            }
        }
        self.forget_sides();
    }

    /// Lets go of sides that nothing names, and of sockets that no side uses.
    pub(super) fn forget_sides(&mut self) {
        if !self.tables.forget_sides() {
            return;
        }
        let tables = &self.tables;
        self.gatherer
            .cancel(|address| tables.locals.iter().any(|side| side.binds(address)));
        self.gatherer.close_unused(|base| tables.uses(base));
        let pairs = self.held.retain(|key| tables.is_in_use(key));
        self.stats.drops.payload += u64::try_from(pairs).unwrap_or(u64::MAX);
    }

    /// The session that was replaced ends when a listed one has a nominated pair, or when it has none
    /// itself; what is then still on its way is accepted for a moment more.
    pub(super) fn retire(&mut self, now: Instant) {
        let agreed = |session: &Session| {
            session.is_listed() && session.nominated().is_some_and(|pair| pair.is_usable(now))
        };
        let replaced = self.tables.sessions.iter().any(agreed);
        for session in &mut self.tables.sessions {
            if session.standing == Standing::Retired && replaced {
                session.standing = Standing::Fading(now + FADING);
                session.list.stop();
                for pair in session.list.iter() {
                    self.control.cancel(pair.id);
                }
            }
        }
        let gone = self.tables.forget(|session| match session.standing {
            Standing::Listed => false,
            Standing::Retired => session.usable(now).is_none(),
            Standing::Fading(until) => until <= now,
        });
        for pair in &gone {
            self.control.cancel(*pair);
        }
        if !gone.is_empty() {
            self.forget_sides();
        }
    }

    /// Asks for what the living sides lack, and uses what is there.
    pub(super) fn gather(&mut self, now: Instant, set: &ChecklistSet) {
        let mut ready = Vec::new();
        for listed in self.tables.listed().collect::<Vec<_>>() {
            let side = self
                .tables
                .locals
                .iter_mut()
                .find(|side| side.id == listed.local);
            if let Some(side) = side {
                ready.extend(self.gatherer.plan(side, &self.config));
            }
        }
        // Allocations and mappings that still hold serve a new side as well.
        let bases = self.gatherer.bases.iter().map(|base| base.id);
        let relayed = bases.filter(|id| self.gatherer.bases.relay(*id).is_some());
        ready.extend(relayed);
        for base in ready {
            self.add_base(now, set, base);
        }
        self.add_mappings(now);
    }

    fn relay_foundation(&mut self, base: Base, relay: RelayId) -> Option<String> {
        let relay = self.gatherer.sources.relay(relay)?;
        let (from, server) = (relay.from.address, relay.server);
        // RFC 8445 §5.1.1.3: addresses of different families fail apart.
        let kind = CandidateKind::Relayed;
        let server = SocketAddr::new(
            server.ip(),
            server.port() ^ u16::from(base.address.is_ipv6()),
        );
        Some(self.gatherer.foundation(kind, from, server))
    }

    /// A base has come: it becomes a candidate of each side that wants it, and one of pairs.
    pub(super) fn add_base(&mut self, now: Instant, set: &ChecklistSet, id: BaseId) {
        let Some(base) = self.gatherer.bases.get(id) else {
            return;
        };
        let base = *base;
        let relay = self.gatherer.bases.relay(id);
        let foundation = relay.and_then(|it| self.relay_foundation(base, it));
        let sources = &self.gatherer.sources;
        let relay = relay.and_then(|it| sources.relay(it));
        let server = relay.and_then(|it| Some(&sources.source(it.source)?.server));
        let mut sides = Vec::new();
        for side in &mut self.tables.locals {
            if side.of_base(id).is_some() {
                continue;
            }
            let timely = side.tells();
            let local = match (relay, &foundation, server) {
                (Some(relay), Some(foundation), Some(server)) => side
                    .servers
                    .contains(server)
                    .then(|| side.relayed(&base, relay, foundation.clone())),
                _ => side.candidate(&base, timely),
            };
            let Some(mut local) = local else {
                continue;
            };
            local.candidate.network_cost = self.gatherer.bases.cost(id);
            if relay.is_none() {
                let shown = self.gatherer.shown(base.address);
                (local.candidate.address, local.candidate.port) = shown;
                local.told &= !side.has_told(&local.candidate);
                // RFC 8828 §5.2: nothing that an interface has is told, but what is said to stand for it outside.
                local.told &= !side.hides_hosts || self.gatherer.is_external(base.address);
            }
            if local.told {
                self.outcome.events.push_back(Event::CandidateGathered {
                    candidate: local.candidate.clone(),
                    ufrag: side.ufrag().to_owned(),
                    url: server.map(|server| server.url.clone()),
                    relay: relay.map(|relay| relay.protocol),
                });
            }
            side.candidates.push(local);
            sides.push((side.id, side.gathered));
        }
        let mut last = None;
        while let Some(session) = self.tables.next_id(last) {
            last = Some(session);
            let of = self.tables.session(session).filter(|it| it.is_listed());
            let side = sides
                .iter()
                .find(|(side, _)| of.is_some_and(|it| it.local == *side));
            if let Some((_, gathered)) = side.copied() {
                self.combine(set, session, Which::Base(id));
                if gathered {
                    self.doubt_in_use(now, session);
                }
            }
        }
    }

    /// Makes the pairs that a session lacks.
    pub(super) fn combine(&mut self, set: &ChecklistSet, id: GenerationId, which: Which) {
        if self.config.lite {
            // RFC 8445 §6.2: the peer's checks say which pairs there are.
            return;
        }
        let Some(whole) = self.tables.whole(id) else {
            return;
        };
        if !whole.session.is_listed() || whole.session.failed {
            return;
        }
        let parts = Parts {
            bases: &self.gatherer.bases,
            local: whole.local,
            remote: whole.remote,
            controlling: set.is_controlling(),
            limit: self.config.max_pairs,
        };
        self.stats.drops.pairs += parts.combine(whole.session, which, &mut self.outcome.next_pair);
    }
}
