//! One connection: a checklist set, and an agent for each transport.

use std::{
    collections::{BTreeMap, VecDeque},
    io::ErrorKind,
    mem,
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    time::Instant,
};

use oxirtc_ice::{
    Agent, Candidate, ChecklistSet, Config, Credentials, Error, Event, GatheringState, Generation,
    Interface, Path, Plan, RemoteIce, Request, RequestId,
};
use oxirtc_netsim::{Machine, earliest, epoch};

/// One agent with what it said, and what descriptions say of it.
pub(crate) struct Transport {
    pub(crate) agent: Agent,
    pub(crate) events: Vec<Event>,
    pub(crate) gathered: Vec<Candidate>,
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) closed: Vec<SocketAddr>,
    /// The newest credentials of this side.
    pub(crate) local: Credentials,
    /// The newest description of the peer.
    pub(crate) remote: Option<RemoteIce>,
    pub(crate) plan: Plan,
    /// Candidates and ends for generations that are not listed yet.
    held: Vec<(String, Option<Candidate>)>,
    pub(super) planned: bool,
    pub(super) bound: Vec<SocketAddr>,
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) set: ChecklistSet,
    pub(crate) transports: Vec<Transport>,
    /// The interfaces of addresses, where it is not the first.
    pub(crate) links: BTreeMap<IpAddr, u32>,
    /// Addresses that no default route leaves from.
    pub(crate) detours: Vec<IpAddr>,
    /// What sending costs.
    pub(crate) costs: BTreeMap<IpAddr, u16>,
    /// Candidates are passed on as they come.
    pub(crate) trickle: bool,
    /// Descriptions say that candidates are trickled.
    pub(crate) says_trickle: bool,
    /// Descriptions say that numbers of nominations are read.
    pub(crate) says_renomination: bool,
    /// What names stand for.
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    /// Names that were asked for.
    pub(crate) asked: Vec<String>,
    /// Addresses for which a name was wanted.
    pub(crate) published: Vec<IpAddr>,
    /// It gets no name.
    pub(crate) nameless: bool,
    /// What comes of streams that are opened.
    pub(crate) opening: Opening,
    /// Where to streams were opened, and whose certificate is wanted.
    pub(crate) connects: Vec<(SocketAddr, Option<String>)>,
    number: u16,
    next_port: u16,
    /// Names that the other side knows from now on.
    named: Vec<(String, IpAddr)>,
    /// For the other side: candidates or their end, of which transport and generation.
    signals: Vec<(usize, String, Option<Candidate>)>,
    /// What is sent beside what the agents say.
    outgoing: VecDeque<(Path, Vec<u8>)>,
    now: Instant,
}

/// What comes of streams that are opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Works,
    Fails,
    /// Nothing, for ever.
    Hangs,
}

impl Deref for Peer {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        &self.transports[0]
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Transport {
        &mut self.transports[0]
    }
}

impl Transport {
    fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut agent = Agent::new(config, seed);
        let local = agent.generate_credentials();
        Self {
            agent,
            events: Vec::new(),
            gathered: Vec::new(),
            received: Vec::new(),
            closed: Vec::new(),
            local,
            remote: None,
            plan: Plan::default(),
            held: Vec::new(),
            planned: false,
            bound: Vec::new(),
        }
    }

    /// What the descriptions come to: a generation is complete when both sides of it are new.
    pub(super) fn next_plan(&self) -> Plan {
        let newest = |remote: &Option<RemoteIce>| {
            Some(Generation {
                local: self.local.clone(),
                remote: remote.clone(),
            })
        };
        let stable = self.plan.stable.as_ref();
        let is_renewed = stable.is_none_or(|it| it.local != self.local);
        let is_answered = stable.map_or(&None, |it| &it.remote) != &self.remote;
        let (stable, open) = match (is_renewed, is_answered) {
            (true, true) => (newest(&self.remote), None),
            (true, false) => (stable.cloned(), newest(&None)),
            (false, _) => (stable.cloned(), None),
        };
        Plan { stable, open }
    }

    /// Gives the agent a plan, and what was held for it.
    pub(super) fn set_plan(&mut self, now: Instant, set: &mut ChecklistSet, plan: Plan) {
        self.plan = plan.clone();
        self.planned = true;
        self.agent.set_plan(now, set, plan).unwrap();
        for (ufrag, candidate) in mem::take(&mut self.held) {
            self.hear(now, set, ufrag, candidate);
        }
    }

    /// Gives the agent a candidate or, without one, their end.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        ufrag: String,
        candidate: Option<Candidate>,
    ) {
        let result = match &candidate {
            Some(candidate) => self
                .agent
                .add_remote_candidate(now, set, &ufrag, candidate.clone()),
            None => self.agent.set_remote_end_of_candidates(now, set, &ufrag),
        };
        if result == Err(Error::UnknownGeneration) && self.held.len() < 100 {
            self.held.push((ufrag, candidate));
        }
    }
}

impl Peer {
    /// The first or the second of two.
    pub(super) fn new(number: u8, seed: u64, config: &Config, transports: u8) -> Self {
        let mut bytes = [number; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let set = ChecklistSet::new(config, bytes);
        let transports = (0..transports).map(|at| {
            bytes[9] = 1 + at;
            Transport::new(config.clone(), bytes)
        });
        Self {
            set,
            transports: transports.collect(),
            links: BTreeMap::new(),
            detours: Vec::new(),
            costs: BTreeMap::new(),
            trickle: true,
            says_trickle: true,
            says_renomination: false,
            names: BTreeMap::new(),
            asked: Vec::new(),
            published: Vec::new(),
            nameless: false,
            opening: Opening::Works,
            connects: Vec::new(),
            number: number.into(),
            next_port: 1000 * u16::from(number),
            named: Vec::new(),
            signals: Vec::new(),
            outgoing: VecDeque::new(),
            now: epoch(),
        }
    }

    /// Sends this beside what the agents say.
    pub(super) fn send(&mut self, path: Path, bytes: Vec<u8>) {
        self.outgoing.push_back((path, bytes));
    }

    pub(super) fn tell_interfaces(&mut self, now: Instant, addresses: &[IpAddr]) {
        let interface = |address: &IpAddr| {
            let index = self.links.get(address).copied().unwrap_or(1);
            Interface {
                name: format!("eth{}", index - 1),
                index,
                address: *address,
                default_route: !self.detours.contains(address),
                cost: self.costs.get(address).copied().unwrap_or(0),
            }
        };
        let interfaces: Vec<_> = addresses.iter().map(interface).collect();
        for transport in &mut self.transports {
            transport
                .agent
                .handle_interfaces(now, &mut self.set, &interfaces);
        }
    }

    /// Plans anew what is planned, or everything.
    pub(super) fn replan(&mut self, now: Instant, is_planned: impl Fn(&Transport) -> bool) {
        for transport in &mut self.transports {
            if is_planned(transport) {
                let plan = transport.next_plan();
                transport.set_plan(now, &mut self.set, plan);
            }
        }
    }

    /// A candidate, or their end, that a description of the newest generation would tell.
    pub(super) fn hear(&mut self, now: Instant, candidate: Option<Candidate>) {
        if let Some(remote) = &self.remote {
            let ufrag = remote.credentials.ufrag.clone();
            self.transports[0].hear(now, &mut self.set, ufrag, candidate);
        }
    }

    /// Lets all agents find out what has changed for all.
    pub(super) fn attend(&mut self, now: Instant) {
        for transport in &mut self.transports {
            transport.agent.handle_timeout(now, &mut self.set);
        }
    }

    fn answer(&mut self, now: Instant, at: usize, request: Request) {
        match request {
            Request::Bind { id, address, .. } | Request::Listen { id, address, .. } => {
                self.open(now, at, id, address);
            }
            Request::Connect {
                id, from, to, tls, ..
            } => {
                self.connects.push((to, tls));
                match self.opening {
                    Opening::Works => self.open(now, at, id, from),
                    Opening::Fails => {
                        let refused = Err(ErrorKind::ConnectionRefused);
                        let agent = &mut self.transports[at].agent;
                        agent.handle_response(now, &mut self.set, id, refused);
                    }
                    Opening::Hangs => {}
                }
            }
            Request::Close { local } | Request::Unlisten { local } => self.close(at, local),
            Request::Disconnect { path } => self.close(at, path.local),
            Request::Resolve { name, .. } if name.starts_with("silent") => self.asked.push(name),
            Request::Resolve { id, name } => {
                let addresses = self.names.get(&name).cloned().unwrap_or_default();
                self.asked.push(name);
                let agent = &mut self.transports[at].agent;
                agent.handle_addresses(now, &mut self.set, id, Ok(addresses));
            }
            Request::Publish { id, address } => {
                let number = usize::from(self.number) + 2 * self.published.len();
                self.published.push(address);
                let name = format!("name{number}.local");
                self.names.insert(name.clone(), vec![address]);
                self.named.push((name.clone(), address));
                let name = match self.nameless {
                    true => Err(ErrorKind::NotFound),
                    false => Ok(name),
                };
                let agent = &mut self.transports[at].agent;
                agent.handle_name(now, &mut self.set, id, name);
            }
            _ => {}
        }
    }

    fn open(&mut self, now: Instant, at: usize, id: RequestId, address: IpAddr) {
        self.next_port += 1;
        let bound = SocketAddr::new(address, self.next_port);
        let transport = &mut self.transports[at];
        transport.bound.push(bound);
        let agent = &mut transport.agent;
        agent.handle_response(now, &mut self.set, id, Ok(bound));
    }

    fn close(&mut self, at: usize, local: SocketAddr) {
        let transport = &mut self.transports[at];
        transport.bound.retain(|bound| *bound != local);
        transport.closed.push(local);
    }

    fn keep(&mut self, at: usize, event: Event) {
        let transport = &mut self.transports[at];
        let signal = match &event {
            Event::CandidateGathered {
                candidate, ufrag, ..
            } => {
                transport.gathered.push(candidate.clone());
                Some((ufrag.clone(), Some(candidate.clone())))
            }
            Event::GatheringStateChanged(GatheringState::Complete) => {
                let local = transport.agent.local_credentials();
                local.map(|local| (local.ufrag.clone(), None))
            }
            _ => None,
        };
        if let Some((ufrag, candidate)) = signal.filter(|_| self.trickle) {
            self.signals.push((at, ufrag, candidate));
        }
        self.transports[at].events.push(event);
    }
}

impl Machine for Peer {
    type Route = Path;
    const BATCHED: bool = true;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        let mut owners = self.transports.iter();
        let owner = owners.position(|it| it.bound.contains(&path.local));
        let transport = &mut self.transports[owner.unwrap_or(0)];
        let received = &mut transport.received;
        let mut sink = |_, payload: &mut [u8]| received.push(payload.to_vec());
        let epoch = self.set.epoch();
        transport
            .agent
            .handle_datagram(now, &mut self.set, path, datagram, &mut sink);
        if self.set.epoch() != epoch {
            self.attend(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for transport in &mut self.transports {
            transport.agent.handle_timeout(now, &mut self.set);
            let next = transport.agent.poll_timeout();
            assert!(next.is_none_or(|at| at > now), "a timer stays");
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.transports.iter().map(|it| it.agent.poll_timeout()))
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        if let Some((path, bytes)) = self.outgoing.pop_front() {
            buf.extend(bytes);
            return Some((path, usize::MAX));
        }
        let mut agents = self.transports.iter_mut().map(|it| &mut it.agent);
        let (path, agent) = agents.find_map(|it| Some((it.control_way()?.path, it)))?;
        assert!(agent.poll_transmit(now, room, buf));
        Some((path, usize::MAX))
    }

    fn poll(&mut self, now: Instant) -> bool {
        self.now = now;
        for at in 0..self.transports.len() {
            if let Some(request) = self.transports[at].agent.poll_request() {
                self.answer(now, at, request);
                return true;
            }
            if let Some(event) = self.transports[at].agent.poll_event() {
                self.keep(at, event);
                return true;
            }
        }
        false
    }

    fn mirrored(path: Path) -> Path {
        Path {
            local: path.remote,
            remote: path.local,
            protocol: path.protocol,
        }
    }

    /// Tells candidates, and makes names known on the link.
    fn signal(&mut self, now: Instant, other: &mut Self) -> bool {
        let is_any = !self.named.is_empty() || !self.signals.is_empty();
        let named = self.named.drain(..);
        other
            .names
            .extend(named.map(|(name, address)| (name, vec![address])));
        for (at, ufrag, candidate) in self.signals.drain(..) {
            other.transports[at].hear(now, &mut other.set, ufrag, candidate);
        }
        is_any
    }

    fn check(&self) {
        let next = self.poll_timeout();
        assert!(next.is_none_or(|at| at >= self.now), "time goes on");
    }

    fn describe(&self) -> String {
        let transports = self.transports.iter().map(|it| {
            let pairs = it.agent.pairs().map(|pair| (pair.pair.path, pair.state));
            (it.agent.state(), pairs.collect::<Vec<_>>())
        });
        format!("{:?}", transports.collect::<Vec<_>>())
    }
}
