//! One generation of ICE: its credentials, candidates and check list. A restart makes the next one.

use std::{net::SocketAddr, time::Instant};

use crate::{
    Candidate, CandidateKind, Pair, Path,
    candidate::{pair_priority, reachable},
    checks::CheckList,
    credentials::Keys,
    pair::{CandidatePair, Candidates, Nomination, PairId},
};

/// A generation.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) local: Option<Keys>,
    pub(crate) remote: Option<Keys>,
    /// "remote:local", once both are known.
    username: String,
    pub(crate) locals: Vec<Local>,
    pub(crate) remotes: Vec<Remote>,
    pub(crate) remote_end: bool,
    pub(crate) list: CheckList,
    pub(crate) early: Vec<Early>,
    pub(crate) progress: Progress,
}

/// A local candidate.
pub(crate) struct Local {
    pub(crate) candidate: Candidate,
    pub(crate) base: SocketAddr,
    pub(crate) preference: u16,
}

/// A remote candidate.
pub(crate) struct Remote {
    pub(crate) candidate: Candidate,
    /// Number of its foundation: the place of the first candidate that has it.
    foundation: usize,
    /// Learnt from signalling, not from a check.
    pub(crate) signalled: bool,
}

/// A request that passed integrity before the peer's credentials were known.
pub(crate) struct Early {
    pub(crate) path: Path,
    pub(crate) ufrag: String,
    pub(crate) priority: u32,
    pub(crate) nominates: bool,
}

/// How far the generation is.
#[derive(Default)]
pub(crate) struct Progress {
    /// It follows another one.
    pub(crate) restarted: bool,
    /// Local candidates were asked for.
    pub(crate) gathering: bool,
    /// Local candidates are complete.
    pub(crate) gathered: bool,
    /// Given up.
    pub(crate) failed: bool,
    /// When it was started by a restart.
    pub(crate) born: Option<Instant>,
    /// When the patience timer started (RFC 8863 §4).
    pub(crate) started: Option<Instant>,
    pub(crate) first_valid: Option<Instant>,
    pub(crate) nominating: Option<PairId>,
    pub(crate) selected: Option<PairId>,
    /// A selected pair lost its consent.
    pub(crate) lost: bool,
    /// When a generation that was replaced is forgotten.
    pub(crate) retires: Option<Instant>,
}

impl Session {
    /// Sets the user name of checks when both sides' credentials are there, and starts patience.
    pub(crate) fn arm(&mut self, now: Instant) {
        if let (Some(local), Some(remote)) = (&self.local, &self.remote) {
            self.username = format!("{}:{}", remote.ufrag(), local.ufrag());
            self.progress.started.get_or_insert(now);
            // An answer may come after it was given up waiting for.
            self.progress.failed = false;
        }
    }

    /// Both sides' credentials are known, so that checks can be sent.
    pub(crate) fn is_armed(&self) -> bool {
        self.local.is_some() && self.remote.is_some()
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.progress.retires.is_some()
    }

    /// The pair that payload goes on: the selected one, before that the best valid one.
    pub(crate) fn payload_pair(&self, now: Instant) -> Option<&CandidatePair> {
        let selected = self.selected().filter(|pair| pair.is_usable(now));
        selected.or_else(|| self.list.best_usable(now))
    }

    pub(crate) fn selected(&self) -> Option<&CandidatePair> {
        self.list.get(self.progress.selected?)
    }

    /// Whether consent checks keep this pair alive: the selected one, before that every valid one.
    pub(crate) fn is_kept(&self, pair: &CandidatePair) -> bool {
        !self.is_retired()
            && pair.is_valid()
            && self
                .progress
                .selected
                .is_none_or(|selected| selected == pair.id)
    }

    pub(crate) fn describe(&self, pair: &CandidatePair) -> Option<Pair> {
        Some(Pair {
            local: self.locals.get(pair.candidates.local)?.candidate.clone(),
            remote: self.remotes.get(pair.candidates.remote)?.candidate.clone(),
            path: pair.path,
        })
    }

    /// The host candidate of a socket.
    pub(crate) fn local_at(&self, base: SocketAddr) -> Option<usize> {
        self.locals
            .iter()
            .position(|local| local.base == base && local.candidate.kind == CandidateKind::Host)
    }

    pub(crate) fn remote_at(&self, address: SocketAddr) -> Option<usize> {
        self.remotes.iter().position(|remote| {
            remote.candidate.is_checkable()
                && remote
                    .candidate
                    .socket_address()
                    .is_some_and(|at| same(at, address))
        })
    }

    /// Lists a remote candidate; its place, unless there are too many.
    pub(crate) fn push_remote(&mut self, candidate: Candidate, signalled: bool) -> Option<usize> {
        let at = self.remotes.len();
        if at >= MAX_REMOTES {
            return None;
        }
        let alike = self.remotes.iter().position(|other| {
            other.candidate.foundation == candidate.foundation && other.signalled == signalled
        });
        self.remotes.push(Remote {
            candidate,
            foundation: alike.unwrap_or(at),
            signalled,
        });
        Some(at)
    }

    /// RFC 8445 §7.3.1.3: a candidate that was learnt from a check keeps its pair when it is
    /// signalled after all, and takes the signalled kind, foundation and priority.
    pub(crate) fn replace_remote(&mut self, at: usize, candidate: Candidate, controlling: bool) {
        if let Some(remote) = self.remotes.get_mut(at) {
            remote.candidate = candidate;
            remote.signalled = true;
        }
        self.prioritize(controlling);
    }

    /// Makes the pair of a local and a remote candidate, if the two can reach each other.
    pub(crate) fn pair(
        &self,
        local: usize,
        remote: usize,
        controlling: bool,
    ) -> Option<CandidatePair> {
        let (near, far) = (self.locals.get(local)?, self.remotes.get(remote)?);
        // RFC 8445 §6.1.2.4: reflexive candidates are pruned, as their base stands for them.
        if near.candidate.kind != CandidateKind::Host || !far.candidate.is_checkable() {
            return None;
        }
        let address = reachable(near.base, far.candidate.socket_address()?)?;
        let path = Path::udp(near.base, address);
        if self.list.on_path(path).is_some() {
            return None;
        }
        let candidates = Candidates {
            local,
            remote,
            foundation: (self.local_foundation(local), far.foundation),
        };
        let priority = self.priority(local, remote, controlling);
        Some(CandidatePair::new(PairId(0), path, candidates, priority))
    }

    fn local_foundation(&self, at: usize) -> usize {
        let foundation = self.locals.get(at).map(|local| &local.candidate.foundation);
        let alike = |local: &Local| Some(&local.candidate.foundation) == foundation;
        self.locals.iter().position(alike).unwrap_or(at)
    }

    fn priority(&self, local: usize, remote: usize, controlling: bool) -> u64 {
        let near = self
            .locals
            .get(local)
            .map_or(0, |local| local.candidate.priority);
        let far = self
            .remotes
            .get(remote)
            .map_or(0, |remote| remote.candidate.priority);
        if controlling {
            pair_priority(near, far)
        } else {
            pair_priority(far, near)
        }
    }

    /// Computes the priorities of all pairs anew: after a change of role or of a candidate.
    pub(crate) fn prioritize(&mut self, controlling: bool) {
        let mut list = std::mem::take(&mut self.list);
        for pair in list.iter_mut() {
            let Candidates { local, remote, .. } = pair.candidates;
            pair.priority = self.priority(local, remote, controlling);
        }
        self.list = list;
    }

    /// RFC 8445 §7.2.5.3.1: the address that the peer saw is a local candidate of its own.
    pub(crate) fn learn_local(
        &mut self,
        pair: PairId,
        mapped: SocketAddr,
        priority: u32,
        controlling: bool,
    ) {
        let Some(candidates) = self.list.get(pair).map(|pair| pair.candidates) else {
            return;
        };
        let known = self.locals.iter().position(|local| {
            local
                .candidate
                .socket_address()
                .is_some_and(|at| same(at, mapped))
        });
        let Some(base) = self.locals.get(candidates.local).map(|local| local.base) else {
            return;
        };
        if same(base, mapped) {
            return;
        }
        let at = known.unwrap_or(self.locals.len());
        if known.is_none() {
            if at >= MAX_LOCALS {
                return;
            }
            self.locals.push(Local {
                candidate: Candidate {
                    kind: CandidateKind::PeerReflexive,
                    related: Some(base),
                    ..peer_reflexive(mapped, priority, at)
                },
                base,
                preference: 0,
            });
        }
        if let Some(pair) = self.list.get_mut(pair) {
            pair.candidates.local = at;
        }
        self.prioritize(controlling);
    }

    /// Whether the peer may still nominate something else, or checks go on.
    pub(crate) fn is_complete(&self) -> bool {
        self.progress.gathered
            && self.remote_end
            && !self.list.is_pending()
            && self
                .selected()
                .is_some_and(|pair| pair.nomination != Nomination::None)
    }
}

/// A candidate learnt from a check; `number` makes its foundation differ from all others.
pub(crate) fn peer_reflexive(address: SocketAddr, priority: u32, number: usize) -> Candidate {
    Candidate {
        foundation: format!("peer{number}"),
        component: 1,
        protocol: crate::Protocol::Udp,
        tcp_type: None,
        priority,
        address: crate::Address::Ip(address.ip()),
        port: address.port(),
        kind: CandidateKind::PeerReflexive,
        related: None,
    }
}

/// Equal but for the scope, which only one machine knows.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip(), one.port()) == (other.ip(), other.port())
}

/// Remote candidates that are listed at most, checked or not.
const MAX_REMOTES: usize = 1000;
const MAX_LOCALS: usize = 200;
/// Requests remembered until the peer's credentials come.
pub(crate) const MAX_EARLY: usize = 16;
