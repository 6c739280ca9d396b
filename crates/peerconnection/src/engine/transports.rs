//! The transports of a connection, and how one is found.

use std::{net::SocketAddr, time::Instant};

use oxirtc_ice::{self as ice, Agent, ChecklistSet};
use oxirtc_jsep as jsep;

use super::{ids::TransportId, pool::Pool, transport::Transport};

/// The transports in use, what their agents share, and what is left of removed ones.
pub(super) struct Transports {
    list: Vec<Transport>,
    /// Agents of transports to be.
    pub(super) pool: Pool,
    pub(super) set: ChecklistSet,
    /// The epoch of the set that all agents know.
    known: u32,
    /// Agents of removed transports, whose sockets are still to be closed.
    pub(super) retired: Vec<Agent>,
}

/// All transports but one.
#[derive(Clone, Copy)]
pub(super) struct Others<'a> {
    before: &'a [Transport],
    after: &'a [Transport],
}

impl Transports {
    pub(super) fn new(set: ChecklistSet) -> Self {
        Self {
            list: Vec::new(),
            pool: Pool::default(),
            set,
            known: 0,
            retired: Vec::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Transport> + Clone {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Transport> {
        self.list.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn first(&self) -> Option<&Transport> {
        self.list.first()
    }

    pub(super) fn at(&mut self, index: usize) -> Option<&mut Transport> {
        self.list.get_mut(index)
    }

    pub(super) fn by_id(&self, id: TransportId) -> Option<&Transport> {
        self.list.iter().find(|it| it.id == id)
    }

    /// The one of this number, with what its agent is lent.
    pub(super) fn lend(&mut self, id: TransportId) -> Option<(&mut Transport, &mut ChecklistSet)> {
        let transport = self.list.iter_mut().find(|it| it.id == id)?;
        Some((transport, &mut self.set))
    }

    pub(super) fn named(&mut self, name: jsep::TransportId) -> Option<&mut Transport> {
        self.list.iter_mut().find(|it| it.name == name)
    }

    /// The one of this name, beside the others.
    pub(super) fn apart(
        &mut self,
        name: jsep::TransportId,
    ) -> Option<(&mut Transport, Others<'_>)> {
        let index = self.list.iter().position(|it| it.name == name)?;
        split(&mut self.list, index)
    }

    /// Each beside the others.
    pub(super) fn each(&mut self, mut f: impl FnMut(&mut Transport, Others<'_>)) {
        for index in 0..self.list.len() {
            if let Some((transport, others)) = split(&mut self.list, index) {
                f(transport, others);
            }
        }
    }

    /// The only one that a datagram on this socket can be for; `None` when each has to look at it.
    pub(super) fn owner(
        &mut self,
        socket: SocketAddr,
    ) -> Option<(&mut Transport, &mut ChecklistSet)> {
        if self.list.len() == 1 {
            return Some((self.list.first_mut()?, &mut self.set));
        }
        let mut owners = self
            .list
            .iter_mut()
            .filter(|it| it.sockets.contains(socket));
        let owner = owners.next()?;
        if owners.next().is_some() {
            return None;
        }
        Some((owner, &mut self.set))
    }

    /// A datagram may be for an agent of the pool; whether it is for none else.
    pub(super) fn handle_pooled(&mut self, now: Instant, path: ice::Path, datagram: &[u8]) -> bool {
        let known = self
            .pool
            .handle_datagram(now, &mut self.set, path, datagram);
        let mut others = self.list.iter();
        known && !others.any(|it| it.sockets.contains(path.local))
    }

    /// Whether an agent beside this one has a stream.
    pub(super) fn has_stream(&self, beside: Option<TransportId>, path: ice::Path) -> bool {
        let agents = self.list.iter().map(|it| (it.id, &it.ice));
        let pooled = self.pool.iter().map(|it| (it.id, &it.ice));
        let mut others = agents.chain(pooled).filter(|it| Some(it.0) != beside);
        others.any(|(_, agent)| agent.has_stream(path))
    }

    pub(super) fn add(&mut self, transport: Transport) {
        self.list.push(transport);
    }

    pub(super) fn remove(&mut self, name: jsep::TransportId) -> Option<Transport> {
        let index = self.list.iter().position(|it| it.name == name)?;
        Some(self.list.remove(index))
    }

    /// Does something to the agent of each.
    pub(super) fn each_in_turn(
        &mut self,
        now: Instant,
        mut f: impl FnMut(&mut Transport, &mut ChecklistSet),
    ) {
        for transport in &mut self.list {
            f(transport, &mut self.set);
        }
        self.follow_role(now);
    }

    /// The same with the agents of the pool.
    pub(super) fn each_agent(
        &mut self,
        now: Instant,
        mut f: impl FnMut(&mut Agent, &mut ChecklistSet),
    ) {
        self.pool.each(&mut self.set, &mut f);
        self.each_in_turn(now, |transport, set| f(&mut transport.ice, set));
    }

    /// RFC 8445 §6.1.1: a connection has one role. To be called when one agent may have found that it
    /// is another one.
    pub(super) fn follow_role(&mut self, now: Instant) {
        while self.known != self.set.epoch() {
            self.known = self.set.epoch();
            for transport in &mut self.list {
                transport.ice.handle_timeout(now, &mut self.set);
            }
        }
    }
}

impl<'a> Others<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = &'a Transport> {
        self.before.iter().chain(self.after)
    }
}

fn split(list: &mut [Transport], index: usize) -> Option<(&mut Transport, Others<'_>)> {
    let (before, rest) = list.split_at_mut_checked(index)?;
    let (transport, after) = rest.split_first_mut()?;
    Some((transport, Others { before, after }))
}
