//! Candidates of the peer that are names (RFC 8445 §5.1, draft-ietf-mmusic-mdns-ice-candidates).

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use super::Agent;
use crate::{
    Address, ChecklistSet, Protocol, Request, RequestId, TransportPolicy,
    candidate::reachable,
    combine::Which,
    generation::{SideId, prioritize},
    name::Name,
};

impl Agent {
    /// Wants the addresses of a candidate's name. They are asked for when it is its turn.
    pub(super) fn look_up_name(&mut self, side: SideId, at: usize) {
        if self.usable_name(side, at).is_none() {
            return;
        }
        let tables = &self.tables;
        let waiting = &mut self.names.waiting;
        waiting.retain(|(of, _)| tables.remote(*of).is_some());
        waiting.push_back((side, at));
    }

    /// Asks for as many of the names that wait as may be asked for at once.
    pub(super) fn ask_names(&mut self, now: Instant) {
        while self.names.asked.len() < MAX_NAMES {
            let Some((side, at)) = self.names.waiting.pop_front() else {
                return;
            };
            // Its side may be gone meanwhile, and a policy may have come.
            let Some(name) = self.usable_name(side, at).map(str::to_owned) else {
                continue;
            };
            let id = self.gatherer.request_id();
            self.gatherer.ask(Request::Resolve { id, name });
            let until = now + PATIENCE;
            self.names.asked.push(Name {
                id,
                side,
                at,
                until,
            });
        }
    }

    /// The name of a candidate that could be checked if its address were known. With relayed candidates alone nothing is asked, as the
    /// question itself would show where we are ([4.2.5-02]).
    fn usable_name(&self, side: SideId, at: usize) -> Option<&str> {
        let candidate = self.tables.remote(side)?.candidates.get(at)?;
        let Address::Name(name) = &candidate.candidate.address else {
            return None;
        };
        let stream = candidate.candidate.protocol == Protocol::Tcp;
        // Whatever it stands for: another component or a peer that opens the stream itself is not checked.
        let checked = candidate.candidate.target(Some(SOMEWHERE)).is_some();
        let hidden = self
            .tables
            .listed()
            .filter(|listed| listed.remote == Some(side))
            .filter_map(|listed| self.tables.local(listed.local))
            .any(|local| local.policy == TransportPolicy::Relay);
        let unused = candidate.late || hidden || self.config.lite || stream && !self.config.tcp;
        (checked && !unused).then_some(name)
    }

    /// A name of the peer is resolved, or has no address.
    pub(super) fn name_resolved(
        &mut self,
        set: &ChecklistSet,
        id: RequestId,
        addresses: &[IpAddr],
    ) {
        let asked = &mut self.names.asked;
        let Some(place) = asked.iter().position(|name| name.id == id) else {
            return;
        };
        let Name { side, at, .. } = asked.swap_remove(place);
        let bases = &self.gatherer.bases;
        let Some(remote) = self.tables.remotes.iter_mut().find(|it| it.id == side) else {
            return;
        };
        let Some(candidate) = remote.candidates.get(at).map(|it| it.candidate.clone()) else {
            return;
        };
        // Of several addresses one is used, the first that a socket of ours can reach. A name that stands
        // for this machine would let a peer reach what listens on it.
        let usable = addresses.iter().map(|ip| ip.to_canonical()).find(|ip| {
            let to = candidate.target(Some(*ip)).filter(|_| !ip.is_loopback());
            to.is_some_and(|to| bases.iter().any(|it| reachable(it.address, to).is_some()))
        });
        let Some(to) = usable.and_then(|ip| candidate.target(Some(ip))) else {
            return;
        };
        let learnt = remote.at(to, candidate.protocol);
        if let Some(named) = remote.candidates.get_mut(at) {
            named.resolved = usable;
        }
        let merged = learnt.and_then(|at| remote.candidates.get_mut(at));
        if let Some(learnt) = merged.filter(|learnt| !learnt.signalled) {
            // RFC 8445 §7.3.1.3: the peer's own check came first. Its pair takes what was signalled; the name
            // that is shown in its place is not to be paired a second time.
            learnt.candidate.priority = candidate.priority;
            learnt.candidate.kind = candidate.kind;
        }
        for session in self.sessions_with(side) {
            if let Some(whole) = self.tables.whole(session) {
                let controlling = set.is_controlling();
                prioritize(whole.session, whole.local, whole.remote, controlling);
            }
            self.combine(set, session, Which::Remote(at));
        }
    }

    /// Gives up names that were not resolved in time.
    pub(super) fn give_up_names(&mut self, now: Instant) {
        let tables = &self.tables;
        self.names
            .asked
            .retain(|name| name.until > now && tables.remote(name.side).is_some());
    }
}

/// How long a name is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// An address of documentation (RFC 5737), which a name could stand for.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Names that are resolved at once.
const MAX_NAMES: usize = 16;
