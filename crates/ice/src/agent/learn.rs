//! Pairs that the peer's requests bring (RFC 8445 §7.3.1.3 to §7.3.1.5).

use std::{mem, net::SocketAddr, time::Instant};

use super::Agent;
use crate::{
    Candidate, CandidateKind, ChecklistSet, GenerationId, PairState, Protocol, TcpType,
    base::{Base, PairKey, Via},
    candidate::priority,
    combine::Parts,
    generation::{Local, LocalSide, MAX_LOCALS, same},
    pair::{Nomination, PairId},
};

/// What a request of the peer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) key: PairKey,
    pub(super) priority: Option<u32>,
    /// It nominates, with a number or without (0).
    pub(super) nominates: Option<u32>,
    /// What sending costs at the peer's end.
    pub(super) cost: u16,
}

impl Agent {
    /// Learns the candidate, checks the pair, notes the nomination.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        id: GenerationId,
        asked: Asked,
    ) {
        let known = self
            .tables
            .session(id)
            .and_then(|session| session.list.at(asked.key));
        let known = known.map(|pair| pair.id);
        let Some(pair_id) = known.or_else(|| self.learn_pair(set, id, asked)) else {
            return;
        };
        let nominates = asked.nominates.filter(|_| !set.is_controlling());
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let Some(pair) = session.list.get_mut(pair_id) else {
            return;
        };
        if pair.is_usable(now) {
            match nominates {
                Some(value) => self.nominated(now, set, id, (pair_id, value)),
                None => self.doubt(now, id, pair_id),
            }
            return;
        }
        if let Some(value) = nominates {
            pair.nomination = Nomination::Wanted(value);
        }
        // What lost its consent is not checked again with the same credentials.
        if pair.expired || pair.is_valid() && nominates.is_none() {
            return;
        }
        // RFC 8445 §7.3.1.4: a check under way is not repeated, its answer still counts.
        pair.check = None;
        pair.cancelled = false;
        if !pair.is_valid() {
            pair.state = PairState::Waiting;
        }
        session.list.trigger(pair_id);
        // Before a pair is nominated all come for the first time.
        match known.is_none() && session.nominated.is_some() {
            true => self.doubt_strongly(now, id),
            false => self.doubt_in_use(now, id),
        }
    }

    fn learn_pair(&mut self, set: &ChecklistSet, id: GenerationId, asked: Asked) -> Option<PairId> {
        let number = self.outcome.next_pair;
        let paired = self.tables.paired_remotes(id);
        let whole = self.tables.whole(id)?;
        let near = whole.local.of_base(asked.key.base)?;
        let protocol = self.gatherer.bases.protocol(asked.key.base);
        let far = whole.remote.at(asked.key.remote, protocol).or_else(|| {
            let priority = asked.priority.unwrap_or(lowest_priority());
            let candidate = Candidate {
                protocol,
                tcp_type: (protocol == Protocol::Tcp).then_some(TcpType::Active),
                network_cost: asked.cost,
                ..peer_reflexive(asked.key.remote, priority, number)
            };
            let is_paired = |at| paired.contains(&at);
            let (far, gone) = whole.remote.learn(candidate, is_paired)?;
            whole.session.spent.retain(|key| Some(key.remote) != gone);
            Some(far)
        });
        let Some(far) = far else {
            self.stats.drops.candidates += 1;
            return None;
        };
        let parts = Parts {
            bases: &self.gatherer.bases,
            local: whole.local,
            remote: whole.remote,
            controlling: set.is_controlling(),
            limit: self.config.max_pairs,
        };
        let mut pair = parts.make(asked.key, near, far);
        pair.id = PairId(self.outcome.next_pair);
        pair.learnt = true;
        self.outcome.next_pair += 1;
        let id = pair.id;
        let inserted = parts.insert(whole.session, pair, true);
        if !inserted {
            self.stats.drops.pairs += 1;
        }
        inserted.then_some(id)
    }

    /// Checks in return what the peer checked before its credentials were known.
    pub(super) fn learn_early(&mut self, now: Instant, set: &ChecklistSet, id: GenerationId) {
        let Some(whole) = self.tables.whole(id) else {
            return;
        };
        let ufrag = whole.remote.ufrag();
        let early = mem::take(&mut whole.local.early);
        let (mine, others) = early.into_iter().partition(|early| early.ufrag == ufrag);
        // Another fork of the same offer may still answer.
        whole.local.early = others;
        let mine: Vec<crate::generation::Early> = mine;
        for early in mine {
            let asked = Asked {
                key: early.key,
                priority: Some(early.priority),
                nominates: early.nominates.then_some(0),
                cost: early.cost,
            };
            self.learn(now, set, id, asked);
        }
    }
}

impl LocalSide {
    /// The candidate for an address of ours that only the peer sees; `None` when there are too many.
    pub(super) fn reflexive(
        &mut self,
        base: &Base,
        mapped: SocketAddr,
        priority: u32,
    ) -> Option<usize> {
        let here = |local: &Local| {
            let at = local.candidate.socket_address();
            // RFC 6544 §4.5: each stream has a port of its own, which the candidate does not tell.
            let opens =
                base.via == Via::Active && local.is_base() && base.address.ip() == mapped.ip();
            local.base == base.id && (opens || at.is_some_and(|at| same(at, mapped)))
        };
        let told = self.candidates.iter().position(|it| it.told && here(it));
        let known = told.or_else(|| self.candidates.iter().position(here));
        let at = self.candidates.len();
        if known.is_some() || at >= MAX_LOCALS {
            return known;
        }
        let (protocol, tcp_type) = match base.via {
            Via::Active => (Protocol::Tcp, Some(TcpType::Active)),
            Via::Passive => (Protocol::Tcp, Some(TcpType::Passive)),
            Via::Socket | Via::Relay(..) => (Protocol::Udp, None),
        };
        self.candidates.push(Local {
            candidate: Candidate {
                protocol,
                tcp_type,
                related: Some(self.shown_base(base.address)),
                ..peer_reflexive(mapped, priority, at as u64)
            },
            base: base.id,
            preference: 0,
            told: false,
        });
        Some(at)
    }
}

/// The priority of a peer-reflexive candidate whose peer did not name one.
pub(super) fn lowest_priority() -> u32 {
    priority(CandidateKind::PeerReflexive, 0)
}

/// A candidate learnt from a check; `number` makes its foundation differ from all others.
fn peer_reflexive(address: SocketAddr, priority: u32, number: u64) -> Candidate {
    Candidate {
        foundation: format!("peer{number}"),
        component: 1,
        protocol: Protocol::Udp,
        tcp_type: None,
        priority,
        address: crate::Address::Ip(address.ip()),
        port: address.port(),
        kind: CandidateKind::PeerReflexive,
        related: None,
        network_cost: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, TransportPolicy, credentials::Keys, generation::SideId, key::BaseId};

    /// RFC 6544 §4.5: what a peer sees of a stream behind a NAT is an address for streams.
    #[test]
    fn what_the_peer_sees_has_the_protocol_of_its_base() {
        let tcp = |kind| (Protocol::Tcp, Some(kind));
        for (via, expected) in [
            (Via::Socket, (Protocol::Udp, None)),
            (Via::Active, tcp(TcpType::Active)),
            (Via::Passive, tcp(TcpType::Passive)),
        ] {
            let keys = Keys::new(Credentials::new("ufrag", "a-password-of-22-letters")).unwrap();
            let servers = (TransportPolicy::All, std::sync::Arc::from([]));
            let mut side = LocalSide::new(SideId(0), keys, servers, oxirtc_netsim::epoch());
            let base = Base {
                id: BaseId(0),
                address: ([10, 0, 0, 1], 1).into(),
                via,
            };
            let at = side.reflexive(&base, ([192, 0, 2, 1], 2).into(), 1);
            let candidate = &side.candidates[at.unwrap()].candidate;
            assert_eq!((candidate.protocol, candidate.tcp_type), expected);
        }
    }
}
