//! Generations of ICE: the local side, the remote side, and the session between the two.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Candidate, CandidateKind, Credentials, Pair, Protocol, Server, TransportPolicy,
    base::{BaseId, Bases, Host, PairKey},
    candidate::{pair_priority, unspecified},
    checks::CheckList,
    consent::Freshness,
    credentials::Keys,
    pair::{CandidatePair, PairId},
};

/// What the description says of ICE: the generation that is agreed, and the one that is being offered.
///
/// A generation is named by the fragments of both sides. What a plan lists lives; what it does not list
/// goes, but for the session that carries payload, which carries it on until another one has a nominated
/// pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The generation of the last completed offer and answer.
    pub stable: Option<Generation>,
    /// The generation of a local offer or of a provisional answer, where it differs from the stable one.
    pub open: Option<Generation>,
}

/// The credentials of both sides, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Ours.
    pub local: Credentials,
    /// The peer's, once it has answered.
    pub remote: Option<RemoteIce>,
}

/// What the peer's description says of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIce {
    /// Its credentials.
    pub credentials: Credentials,
    /// It is ICE-lite (`a=ice-lite`): it sends no checks, and we control.
    pub lite: bool,
    /// It trickles (`a=ice-options:trickle`). A peer that does not has told all its candidates.
    pub trickle: bool,
    /// It understands nominations with a number (`a=ice-options:renomination`).
    pub renomination: bool,
}

/// Counts sessions in the order in which both sides' credentials were known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(pub(crate) u64);

/// Names a side for as long as its agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SideId(pub(crate) u64);

/// Our half of a generation.
pub(crate) struct LocalSide {
    pub(crate) id: SideId,
    pub(crate) keys: Keys,
    pub(crate) candidates: Vec<Local>,
    /// The addresses it gathers on, in order of preference.
    pub(crate) wanted: Vec<Host>,
    /// How many preferences it has given away.
    pub(crate) ranked: u16,
    pub(crate) policy: TransportPolicy,
    /// Nothing that is shown has an address of this machine in it.
    pub(crate) hides_addresses: bool,
    /// No host candidate is told (RFC 8828 §5.2).
    pub(crate) hides_hosts: bool,
    /// What comes after gathering is told as well.
    pub(crate) continual: bool,
    /// The servers that are asked for it.
    pub(crate) servers: Arc<[Server]>,
    pub(crate) gathered: bool,
    /// Authentic requests of peers whose credentials are not known.
    pub(crate) early: Vec<Early>,
    pub(crate) born: Instant,
    /// Another connection of the socket has its fragment: nothing of the peer's reaches it.
    pub(crate) deaf: bool,
}

/// A local candidate.
pub(crate) struct Local {
    pub(crate) candidate: Candidate,
    pub(crate) base: BaseId,
    pub(crate) preference: u16,
    /// The application was told of it.
    pub(crate) told: bool,
}

/// The peer's half of a generation.
pub(crate) struct RemoteSide {
    pub(crate) id: SideId,
    pub(crate) keys: Keys,
    pub(crate) lite: bool,
    pub(crate) trickle: bool,
    pub(crate) renomination: bool,
    pub(crate) candidates: Vec<Remote>,
    pub(crate) end: bool,
    /// When its last candidate came.
    pub(crate) heard: Option<Instant>,
}

/// A remote candidate.
pub(crate) struct Remote {
    pub(crate) candidate: Candidate,
    /// What its name stands for.
    pub(crate) resolved: Option<IpAddr>,
    /// Number of its foundation: the place of the first candidate that has it.
    pub(crate) foundation: usize,
    /// Learnt from signalling, not from a check.
    pub(crate) signalled: bool,
    /// It came after the end of candidates: it is listed and not paired.
    pub(crate) late: bool,
}

/// A request that passed integrity before the peer's credentials were known.
pub(crate) struct Early {
    pub(crate) key: PairKey,
    pub(crate) ufrag: String,
    pub(crate) priority: u32,
    pub(crate) nominates: bool,
    pub(crate) cost: u16,
}

/// Whether a session is listed in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is.
    Listed,
    /// It carries payload until a listed one has a nominated pair.
    Retired,
    /// It sends nothing but answers until then.
    Fading(Instant),
}

/// Two sides that check each other.
pub(crate) struct Session {
    pub(crate) id: GenerationId,
    pub(crate) local: SideId,
    pub(crate) remote: SideId,
    /// "remote:local".
    pub(crate) username: String,
    pub(crate) standing: Standing,
    pub(crate) list: CheckList,
    /// Keys of pairs that were on the list once.
    pub(crate) spent: BTreeSet<PairKey>,
    /// Combinations were left out as the list was full.
    pub(crate) overflow: bool,
    /// When both sides' credentials were known (RFC 8863 §4).
    pub(crate) armed: Instant,
    /// When the last authentic message of the peer came.
    pub(crate) heard: Instant,
    /// Since when a better pair is waited for before one is nominated.
    pub(crate) first_valid: Option<Instant>,
    pub(crate) nominating: Option<PairId>,
    /// The pair that both sides agreed on.
    pub(crate) nominated: Option<PairId>,
    /// The number of the last nomination, where they are numbered.
    pub(crate) nomination_value: u32,
    /// The better pair that payload has left, where we have nominated another one since: it returns there.
    pub(crate) left: Option<PairId>,
    /// We control, and both ends number their nominations.
    pub(crate) renominates: bool,
    /// The pair that payload goes on, as far as this session is concerned.
    pub(crate) in_use: Option<PairId>,
    /// When payload left the preferred pair.
    pub(crate) moved: Option<Instant>,
    /// A nominated pair lost its consent and no other was left.
    pub(crate) lost: bool,
    /// When a base went away with a valid pair: its successor is waited for.
    pub(crate) bereft: Option<Instant>,
    /// Given up.
    pub(crate) failed: bool,
}

impl LocalSide {
    pub(crate) fn new(
        id: SideId,
        keys: Keys,
        (policy, servers): (TransportPolicy, Arc<[Server]>),
        now: Instant,
    ) -> Self {
        Self {
            id,
            keys,
            candidates: Vec::new(),
            wanted: Vec::new(),
            ranked: 0,
            policy,
            hides_addresses: false,
            hides_hosts: false,
            continual: false,
            servers,
            gathered: false,
            early: Vec::new(),
            born: now,
            deaf: false,
        }
    }

    pub(crate) fn ufrag(&self) -> &str {
        self.keys.ufrag()
    }

    /// Whether candidates that come now are told.
    pub(crate) fn tells(&self) -> bool {
        !self.gathered || self.continual
    }

    /// The candidate whose base is itself: a host or a relayed one.
    pub(crate) fn of_base(&self, base: BaseId) -> Option<usize> {
        let own = |local: &Local| local.base == base && local.is_base();
        self.candidates.iter().position(own)
    }

    /// The base of a reflexive candidate as it is shown: nothing of it, when it is hidden.
    pub(crate) fn shown_base(&self, address: SocketAddr) -> SocketAddr {
        match self.hides_addresses {
            true => unspecified(address),
            false => address,
        }
    }

    /// Whether the peer was told of this address, as two of ours may be one outside.
    pub(crate) fn has_told(&self, candidate: &Candidate) -> bool {
        let key = |it: &Candidate| (it.address.clone(), it.port, it.tcp_type);
        let mut told = self.candidates.iter().filter(|local| local.told);
        told.any(|local| key(&local.candidate) == key(candidate))
    }

    pub(crate) fn foundation(&self, at: usize) -> usize {
        let foundation = self.candidates.get(at).map(|it| &it.candidate.foundation);
        let alike = |local: &Local| Some(&local.candidate.foundation) == foundation;
        self.candidates.iter().position(alike).unwrap_or(at)
    }
}

impl Local {
    /// RFC 8445 §4: host and relayed candidates are their own bases; reflexive ones have another one.
    pub(crate) fn is_base(&self) -> bool {
        let kind = self.candidate.kind;
        matches!(kind, CandidateKind::Host | CandidateKind::Relayed)
    }
}

impl Remote {
    /// Where checks of it go.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.candidate.target(self.resolved)
    }
}

impl RemoteSide {
    pub(crate) fn new(id: SideId, keys: Keys, remote: &RemoteIce) -> Self {
        Self {
            id,
            keys,
            lite: remote.lite,
            trickle: remote.trickle,
            renomination: remote.renomination,
            candidates: Vec::new(),
            end: false,
            heard: None,
        }
    }

    pub(crate) fn ufrag(&self) -> &str {
        self.keys.ufrag()
    }

    pub(crate) fn at(&self, address: SocketAddr, protocol: Protocol) -> Option<usize> {
        self.candidates.iter().position(|remote| {
            let candidate = &remote.candidate;
            // One that opens streams has no target, and an address once it was learnt.
            let learnt = candidate.socket_address().filter(|_| !remote.signalled);
            let at = remote.target().or(learnt);
            candidate.protocol == protocol && at.is_some_and(|at| same(at, address))
        })
    }

    /// Lists a candidate; its place, unless there are too many.
    pub(crate) fn push(&mut self, candidate: Candidate, signalled: bool) -> Option<usize> {
        let at = self.candidates.len();
        if at >= MAX_REMOTES {
            return None;
        }
        let alike = self.candidates.iter().position(|other| {
            other.candidate.foundation == candidate.foundation && other.signalled == signalled
        });
        self.candidates.push(Remote {
            candidate,
            resolved: None,
            foundation: alike.unwrap_or(at),
            signalled,
            late: signalled && self.end,
        });
        Some(at)
    }

    /// Lists a candidate that a request has brought. Whoever has seen one request can repeat it from anywhere, so these have a bound of
    /// their own, and one beyond it takes the place of another that no pair is of: the address of that one, beside its own place.
    pub(crate) fn learn(
        &mut self,
        candidate: Candidate,
        is_paired: impl Fn(usize) -> bool,
    ) -> Option<(usize, Option<SocketAddr>)> {
        let learnt = self.candidates.iter().filter(|it| !it.signalled);
        if learnt.count() < MAX_LEARNT {
            return Some((self.push(candidate, false)?, None));
        }
        let mut all = self.candidates.iter_mut().enumerate();
        let (at, place) = all.find(|(at, it)| !it.signalled && !is_paired(*at))?;
        let before = std::mem::replace(&mut place.candidate, candidate);
        Some((at, before.socket_address()))
    }

    /// What sending costs at the peer's end.
    pub(crate) fn cost_of(&self, at: usize) -> u32 {
        let candidate = self.candidates.get(at);
        candidate.map_or(0, |it| u32::from(it.candidate.network_cost))
    }

    /// Whether it was said, by word or by omission, that no candidate is to come.
    pub(crate) fn has_ended(&self) -> bool {
        self.end || !self.trickle
    }
}

impl Session {
    pub(crate) fn new(
        id: GenerationId,
        local: &LocalSide,
        remote: &RemoteSide,
        now: Instant,
    ) -> Self {
        Self {
            id,
            local: local.id,
            remote: remote.id,
            username: format!("{}:{}", remote.ufrag(), local.ufrag()),
            standing: Standing::Listed,
            list: CheckList::default(),
            spent: BTreeSet::new(),
            overflow: false,
            armed: now,
            heard: now,
            first_valid: None,
            nominating: None,
            nominated: None,
            nomination_value: 0,
            left: None,
            renominates: false,
            in_use: None,
            moved: None,
            lost: false,
            bereft: None,
            failed: false,
        }
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.standing == Standing::Listed
    }

    pub(crate) fn is_fading(&self) -> bool {
        matches!(self.standing, Standing::Fading(_))
    }

    /// The pair that payload belongs on as long as it answers: the one that was nominated, or a better one before it, or a cheaper one
    /// after it where it can be nominated again.
    pub(crate) fn preferred(&self, now: Instant) -> Option<PairId> {
        let left = self.left.and_then(|id| self.list.get(id));
        let left = left.filter(|pair| pair.is_usable(now));
        let nominated = self.nominated().filter(|_| self.renominates);
        let cheaper = nominated.and_then(|nominated| {
            let pairs = self.list.iter().filter(|pair| {
                pair.cost < nominated.cost && pair.is_usable(now) && !pair.is_suspect(now)
            });
            pairs.max_by_key(|pair| pair.rank())
        });
        let better = left.into_iter().chain(cheaper);
        let better = better.max_by_key(|pair| pair.rank());
        better.map(|pair| pair.id).or(self.nominated)
    }

    /// The pair in use, if payload may go on it now.
    pub(crate) fn usable(&self, now: Instant) -> Option<&CandidatePair> {
        self.list
            .get(self.in_use?)
            .filter(|pair| pair.is_usable(now))
    }

    pub(crate) fn nominated(&self) -> Option<&CandidatePair> {
        self.list.get(self.nominated?)
    }

    /// How often this pair's consent is asked for: `None` when it is not.
    pub(crate) fn freshness(&self, pair: &CandidatePair) -> Option<Freshness> {
        if self.is_fading() || !pair.is_valid() {
            return None;
        }
        let leads = self.in_use == Some(pair.id) || self.nominated == Some(pair.id);
        if leads || self.nominated.is_none() && self.is_listed() {
            return Some(Freshness::Consent);
        }
        // The peer keeps it warm as a way of its own: without a check in return its consent would end here, and with it our answers.
        if pair.consent.is_some_and(|consent| consent.is_hastened()) {
            return Some(Freshness::Backup);
        }
        let limit = if self.is_listed() { MAX_BACKUPS } else { 1 };
        self.backups()
            .take(limit)
            .any(|id| id == pair.id)
            .then_some(Freshness::Backup)
    }

    /// The best valid pair of each base beside those that are checked anyway, the best first.
    fn backups(&self) -> impl Iterator<Item = PairId> {
        let leads = [self.in_use, self.nominated];
        let mut valid: Vec<&CandidatePair> = self.list.iter().filter(|it| it.is_valid()).collect();
        valid.sort_by_key(|pair| std::cmp::Reverse(pair.priority));
        let mut bases = Vec::new();
        valid.retain(|pair| {
            let first = !bases.contains(&pair.key.base);
            bases.push(pair.key.base);
            first && !leads.contains(&Some(pair.id))
        });
        valid.into_iter().map(|pair| pair.id)
    }

    /// RFC 8445 §8.1.2: after nomination only a controlled agent takes up what is better, as its peer
    /// may nominate aggressively.
    pub(crate) fn wants(&self, priority: u64, controlling: bool) -> bool {
        self.nominated()
            .is_none_or(|nominated| !controlling && nominated.priority < priority)
    }
}

/// The priority of a pair of these two, as the one or the other role has it.
pub(crate) fn priority_of(
    local: &LocalSide,
    remote: &RemoteSide,
    (near, far): (usize, usize),
    controlling: bool,
) -> u64 {
    let near = local
        .candidates
        .get(near)
        .map_or(0, |it| it.candidate.priority);
    let far = remote
        .candidates
        .get(far)
        .map_or(0, |it| it.candidate.priority);
    if controlling {
        pair_priority(near, far)
    } else {
        pair_priority(far, near)
    }
}

/// Computes the priorities of all pairs anew: after a change of role or of a candidate.
pub(crate) fn prioritize(
    session: &mut Session,
    local: &LocalSide,
    remote: &RemoteSide,
    controlling: bool,
) {
    for pair in session.list.iter_mut() {
        pair.priority = priority_of(local, remote, (pair.local, pair.remote), controlling);
    }
}

pub(crate) fn describe(
    bases: &Bases,
    local: &LocalSide,
    remote: &RemoteSide,
    pair: &CandidatePair,
) -> Option<Pair> {
    let (near, far) = (
        local.candidates.get(pair.local)?,
        remote.candidates.get(pair.remote)?,
    );
    Some(Pair {
        local: near.candidate.clone(),
        local_told: near.told,
        local_hidden: !near.told && local.hides_addresses,
        local_ufrag: local.ufrag().to_owned(),
        remote: far.candidate.clone(),
        remote_told: far.signalled,
        remote_ufrag: remote.ufrag().to_owned(),
        path: bases.shown_path(pair.key)?,
    })
}

/// Equal but for the scope, which only one machine knows.
pub(crate) fn same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip(), one.port()) == (other.ip(), other.port())
}

/// Remote candidates that are listed at most, checked or not.
const MAX_REMOTES: usize = 1000;
/// How many of them requests may have brought.
const MAX_LEARNT: usize = 200;
pub(crate) const MAX_LOCALS: usize = 200;
/// Requests remembered until the peer's credentials come.
pub(crate) const MAX_EARLY: usize = 16;
/// Pairs kept warm beside the one in use.
const MAX_BACKUPS: usize = 4;
/// How long a session that is over still answers: what was on its way arrives.
pub(crate) const FADING: Duration = Duration::from_secs(2);
