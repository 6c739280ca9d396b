//! Pairing: which base and which candidate of the peer make a pair (RFC 8445 §6.1.2.2).

use crate::{
    base::{Base, BaseId, Bases, PairKey, Via},
    candidate::{is_link_local, reachable},
    generation::{LocalSide, RemoteSide, Session, priority_of},
    pair::{CandidatePair, PairId},
};

/// What pairs are made of.
pub(crate) struct Parts<'a> {
    pub(crate) bases: &'a Bases,
    pub(crate) local: &'a LocalSide,
    pub(crate) remote: &'a RemoteSide,
    pub(crate) controlling: bool,
    pub(crate) limit: usize,
}

/// Which combinations are looked at.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// All: the session is new, or a pair of it has ended.
    All,
    /// Those of a base that came.
    Base(BaseId),
    /// Those of a candidate that came, by its place.
    Remote(usize),
}

impl Parts<'_> {
    /// Adds what is missing on the list, the best first. How many pairs found no room.
    pub(crate) fn combine(&self, session: &mut Session, which: Which, next: &mut u64) -> u64 {
        let mut pairs = self.combinations(session, which);
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.priority));
        let mut refused = 0;
        for mut pair in pairs {
            pair.id = PairId(*next);
            *next += 1;
            if !self.insert(session, pair, false) {
                refused += 1;
                if matches!(which, Which::All) {
                    // What comes behind it is worse.
                    break;
                }
            }
        }
        refused
    }

    /// Puts a pair on the list; `urgent` is one that the peer has just checked.
    pub(crate) fn insert(&self, session: &mut Session, pair: CandidatePair, urgent: bool) -> bool {
        let key = pair.key;
        let inserted = session.list.insert(pair, self.limit, urgent);
        if inserted.is_full() {
            session.overflow = true;
        }
        if inserted.is_in() {
            session.spent.insert(key);
        }
        inserted.is_in()
    }

    fn combinations(&self, session: &Session, which: Which) -> Vec<CandidatePair> {
        let locals = self
            .local
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, local)| {
                // RFC 8445 §6.1.2.4: reflexive candidates are pruned, as their base stands for them.
                local.is_base()
                    && self.local.may_use(local.candidate.kind)
                    && !matches!(which, Which::Base(base) if base != local.base)
            });
        let mut pairs = Vec::new();
        for (near, local) in locals {
            for (far, remote) in self.remote.candidates.iter().enumerate() {
                let asked = !matches!(which, Which::Remote(only) if only != far);
                if asked && remote.signalled && !remote.late {
                    pairs.extend(self.pair(session, which, local.base, (near, far)));
                }
            }
        }
        pairs
    }

    fn pair(
        &self,
        session: &Session,
        which: Which,
        base: BaseId,
        (near, far): (usize, usize),
    ) -> Option<CandidatePair> {
        let remote = self.remote.candidates.get(far)?;
        let Base {
            address: from, via, ..
        } = *self.bases.get(base)?;
        let to = reachable(from, remote.target()?)?;
        // RFC 6544 §6.2: who accepts streams makes no pairs, and what opens them opens them to such.
        if via == Via::Passive || self.bases.protocol(base) != remote.candidate.protocol {
            return None;
        }
        let relayed = self.bases.relay(base).is_some();
        let beside = to.ip().is_loopback() && !from.ip().is_loopback() || is_link_local(to.ip());
        if relayed && beside {
            // What the server has beside itself is not what the peer means.
            return None;
        }
        let key = PairKey { base, remote: to };
        if session.spent.contains(&key) {
            return None;
        }
        let pair = self.make(key, near, far);
        // A base that comes after nomination is another way to the peer, worth knowing that it works.
        let is_way_out = matches!(which, Which::Base(_));
        (is_way_out || session.wants(pair.priority, self.controlling)).then_some(pair)
    }

    /// A pair of these two candidates, without a name yet.
    pub(crate) fn make(&self, key: PairKey, near: usize, far: usize) -> CandidatePair {
        let number = self
            .remote
            .candidates
            .get(far)
            .map_or(far, |it| it.foundation);
        let foundation = (self.local.foundation(near), number);
        let priority = priority_of(self.local, self.remote, (near, far), self.controlling);
        let mut pair = CandidatePair::new(key, (near, far), foundation, priority);
        pair.shut = !self.bases.is_open(key);
        pair.barred = self.bases.is_barred(key);
        pair.cost = self.remote.cost_of(far) + u32::from(self.bases.cost(key.base));
        pair
    }
}
