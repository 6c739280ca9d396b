//! The transports of a connection, and how one is found.

use std::{net::SocketAddr, time::Instant};

use oxirtc_ice::Agent;
use oxirtc_jsep as jsep;

use super::{ids::TransportId, transport::Transport};

/// The transports in use, and what is left of removed ones.
#[derive(Default)]
pub(super) struct Transports {
    list: Vec<Transport>,
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

    pub(super) fn by_id_mut(&mut self, id: TransportId) -> Option<&mut Transport> {
        self.list.iter_mut().find(|it| it.id == id)
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
    pub(super) fn owner(&mut self, socket: SocketAddr) -> Option<&mut Transport> {
        if self.list.len() == 1 {
            return self.list.first_mut();
        }
        let mut owners = self
            .list
            .iter_mut()
            .filter(|it| it.sockets.contains(&socket));
        let owner = owners.next()?;
        if owners.next().is_some() {
            return None;
        }
        Some(owner)
    }

    pub(super) fn add(&mut self, transport: Transport) {
        self.list.push(transport);
    }

    pub(super) fn remove(&mut self, name: jsep::TransportId) -> Option<Transport> {
        let index = self.list.iter().position(|it| it.name == name)?;
        Some(self.list.remove(index))
    }

    /// Does something to the agent of each, which may start a check.
    pub(super) fn each_in_turn(&mut self, now: Instant, mut f: impl FnMut(&mut Transport)) {
        for index in 0..self.list.len() {
            if let Some(transport) = self.list.get_mut(index) {
                f(transport);
            }
            self.share_pace(now);
        }
    }

    /// RFC 8445 §6.1.4.2: one check in Ta, over all agents of a connection. To be called when one agent
    /// may have started one.
    pub(super) fn share_pace(&mut self, now: Instant) {
        if self.list.len() < 2 {
            return;
        }
        let next = self.list.iter().map(|it| it.ice.next_check()).max();
        for transport in &mut self.list {
            if let Some(next) = next.filter(|next| transport.ice.next_check() < *next) {
                transport.ice.set_next_check(now, next);
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
