//! Two connections in simulated time, each with an agent for each transport: a wire with delay and loss
//! between them, signalling that is instant unless a test holds it back.
#![expect(dead_code, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../../turn/tests/server/mod.rs"]
pub(crate) mod server;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use oxirtc_ice::{
    Agent, Candidate, ChecklistSet, Config, Credentials, Error, Event, Generation, GenerationId,
    Interface, Path, Plan, Protocol, RemoteIce, Request, Role, State,
};
use oxirtc_netsim::Network;

use self::server::{Out, Server};

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
    planned: bool,
    bound: Vec<SocketAddr>,
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) set: ChecklistSet,
    pub(crate) transports: Vec<Transport>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The interfaces of addresses, where it is not the first.
    pub(crate) links: BTreeMap<IpAddr, u32>,
    /// Addresses that no default route leaves from.
    pub(crate) detours: Vec<IpAddr>,
    /// What sending costs.
    pub(crate) costs: BTreeMap<IpAddr, u16>,
    next_port: u16,
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

/// What passes between the two.
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) from: usize,
    pub(crate) path: Path,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Sim {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) peers: [Peer; 2],
    pub(crate) delay: Duration,
    /// Of 256 datagrams, so many are lost.
    pub(crate) loss: u8,
    /// Whether what this peer sends gets through.
    pub(crate) up: [bool; 2],
    /// A NAT knows the first address by the second from now on, and by the first no more.
    pub(crate) mapped: Option<(SocketAddr, SocketAddr)>,
    /// Addresses that nothing reaches and nothing leaves.
    pub(crate) dead: Vec<IpAddr>,
    /// Candidates are passed on as they come.
    pub(crate) trickle: bool,
    /// Descriptions say that candidates are trickled.
    pub(crate) says_trickle: bool,
    /// Descriptions say that numbers of nominations are read.
    pub(crate) says_renomination: bool,
    pub(crate) sent: Vec<Sent>,
    wire: BTreeMap<(Instant, u64), (usize, Path, Vec<u8>)>,
    serial: u64,
    random: u64,
    /// Nothing gets from one peer to the other.
    pub(crate) apart: bool,
    /// STUN and TURN servers.
    pub(crate) servers: Vec<(SocketAddr, Server)>,
    /// What names stand for.
    streams: Vec<SocketAddr>,
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    /// Names that were asked for.
    pub(crate) asked: Vec<String>,
    /// Addresses for which a name was wanted.
    pub(crate) published: Vec<IpAddr>,
    /// No name is given to anybody.
    pub(crate) nameless: bool,
    /// Datagrams are lost, and streams are not.
    pub(crate) no_udp: bool,
    /// What comes of streams that are opened.
    pub(crate) opening: Opening,
    /// How many were opened.
    pub(crate) opened: usize,
    /// What lies between, where it is more than a wire.
    pub(crate) network: Option<Network>,
    /// Where to, and whose certificate is wanted.
    pub(crate) connects: Vec<(SocketAddr, Option<String>)>,
}

/// What comes of streams that are opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Works,
    Fails,
    /// Nothing, for ever.
    Hangs,
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What a description says of a peer that trickles.
pub(crate) fn told(credentials: &Credentials) -> RemoteIce {
    RemoteIce {
        credentials: credentials.clone(),
        lite: false,
        trickle: true,
        renomination: false,
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
    fn next_plan(&self) -> Plan {
        let generation = |remote: Option<RemoteIce>| Generation {
            local: self.local.clone(),
            remote,
        };
        let Some(stable) = &self.plan.stable else {
            return match &self.remote {
                Some(remote) => Plan {
                    stable: Some(generation(Some(remote.clone()))),
                    open: None,
                },
                None => Plan {
                    stable: None,
                    open: Some(generation(None)),
                },
            };
        };
        let renewed = stable.local != self.local;
        let answered = stable.remote != self.remote;
        match (renewed, answered) {
            (true, true) => Plan {
                stable: Some(generation(self.remote.clone())),
                open: None,
            },
            (true, false) => Plan {
                stable: Some(stable.clone()),
                open: Some(generation(None)),
            },
            (false, _) => Plan {
                stable: Some(stable.clone()),
                open: None,
            },
        }
    }

    /// Gives the agent a plan, and what was held for it.
    pub(crate) fn set_plan(&mut self, now: Instant, set: &mut ChecklistSet, plan: Plan) {
        self.plan = plan.clone();
        self.planned = true;
        self.agent.set_plan(now, set, plan).unwrap();
        for (ufrag, candidate) in std::mem::take(&mut self.held) {
            self.signal(now, set, ufrag, candidate);
        }
    }

    /// Gives the agent a candidate or, without one, their end.
    fn signal(
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

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, [Config::default(), Config::default()])
    }

    pub(crate) fn with(seed: u64, configs: [Config; 2]) -> Self {
        Self::many(seed, configs, 1)
    }

    /// Connections of several transports.
    pub(crate) fn many(seed: u64, configs: [Config; 2], transports: u8) -> Self {
        let now = oxirtc_netsim::epoch();
        let mut side = 0;
        let peers = configs.map(|config| {
            side += 1;
            let mut bytes = [side; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            let set = ChecklistSet::new(&config, bytes);
            let transports = (0..transports).map(|at| {
                bytes[9] = 1 + at;
                Transport::new(config.clone(), bytes)
            });
            Peer {
                set,
                transports: transports.collect(),
                addresses: vec![ip(&format!("10.0.0.{side}"))],
                links: BTreeMap::new(),
                detours: Vec::new(),
                costs: BTreeMap::new(),
                next_port: 1000 * u16::from(side),
            }
        });
        let mut sim = Self {
            now,
            start: now,
            peers,
            delay: ms(10),
            loss: 0,
            mapped: None,
            up: [true, true],
            dead: Vec::new(),
            trickle: true,
            says_trickle: true,
            says_renomination: false,
            sent: Vec::new(),
            wire: BTreeMap::new(),
            serial: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            apart: false,
            servers: Vec::new(),
            streams: Vec::new(),
            names: BTreeMap::new(),
            asked: Vec::new(),
            published: Vec::new(),
            nameless: false,
            no_udp: false,
            opening: Opening::Works,
            opened: 0,
            network: None,
            connects: Vec::new(),
        };
        sim.peers[0].set.set_role(Role::Controlling);
        sim
    }

    /// Both gather and know each other's credentials; candidates and their end are passed on.
    pub(crate) fn connect(&mut self) -> &mut Self {
        self.exchange();
        self.gather(0);
        self.gather(1);
        self.flush();
        self
    }

    pub(crate) fn exchange(&mut self) {
        for side in [0, 1] {
            self.tell_credentials(side);
        }
    }

    /// Tells the other side this one's credentials.
    pub(crate) fn tell_credentials(&mut self, side: usize) {
        for at in 0..self.peers[side].transports.len() {
            let remote = RemoteIce {
                trickle: self.says_trickle,
                renomination: self.says_renomination,
                ..told(&self.peers[side].transports[at].local)
            };
            self.peers[1 - side].transports[at].remote = Some(remote);
        }
        self.replan(1 - side);
    }

    fn replan(&mut self, side: usize) {
        let peer = &mut self.peers[side];
        for transport in &mut peer.transports {
            if transport.planned {
                let plan = transport.next_plan();
                transport.set_plan(self.now, &mut peer.set, plan);
            }
        }
    }

    /// Gives the first agent of a side a plan of the test's own.
    pub(crate) fn plan(&mut self, side: usize, plan: Plan) {
        let peer = &mut self.peers[side];
        peer.transports[0].set_plan(self.now, &mut peer.set, plan);
        self.flush();
    }

    /// New credentials for one side.
    pub(crate) fn renew(&mut self, side: usize) {
        for transport in &mut self.peers[side].transports {
            transport.local = transport.agent.generate_credentials();
        }
        self.gather(side);
    }

    /// Tells a side its addresses, and gathers for its newest credentials.
    pub(crate) fn gather(&mut self, side: usize) {
        self.tell_interfaces(side);
        let peer = &mut self.peers[side];
        for transport in &mut peer.transports {
            if transport.agent.state() != State::Closed {
                let plan = transport.next_plan();
                transport.set_plan(self.now, &mut peer.set, plan);
            }
        }
    }

    pub(crate) fn tell_interfaces(&mut self, side: usize) {
        let now = self.now;
        let peer = &mut self.peers[side];
        let interfaces: Vec<_> = peer
            .addresses
            .iter()
            .map(|address| {
                let index = peer.links.get(address).copied().unwrap_or(1);
                Interface {
                    name: format!("eth{}", index - 1),
                    index,
                    address: *address,
                    default_route: !peer.detours.contains(address),
                    cost: peer.costs.get(address).copied().unwrap_or(0),
                }
            })
            .collect();
        for transport in &mut peer.transports {
            transport
                .agent
                .handle_interfaces(now, &mut peer.set, &interfaces);
        }
    }

    /// A candidate that a side is told of, in its newest generation.
    pub(crate) fn candidate(&mut self, side: usize, candidate: Candidate) {
        let now = self.now;
        let peer = &mut self.peers[side];
        if let Some(remote) = peer.remote.clone() {
            let ufrag = remote.credentials.ufrag.clone();
            peer.transports[0].signal(now, &mut peer.set, ufrag, Some(candidate));
        }
    }

    /// The end of candidates in the newest generation.
    pub(crate) fn end_of_candidates(&mut self, side: usize) {
        let now = self.now;
        let peer = &mut self.peers[side];
        if let Some(remote) = peer.remote.clone() {
            let ufrag = remote.credentials.ufrag.clone();
            peer.transports[0].signal(now, &mut peer.set, ufrag, None);
        }
    }

    pub(crate) fn set_role(&mut self, side: usize, role: Role) {
        self.peers[side].set.set_role(role);
        self.attend(side);
    }

    /// Lets time pass for all agents of a side.
    fn attend(&mut self, side: usize) {
        let now = self.now;
        let peer = &mut self.peers[side];
        for transport in &mut peer.transports {
            transport.agent.handle_timeout(now, &mut peer.set);
        }
    }

    pub(crate) fn close(&mut self, side: usize) {
        let peer = &mut self.peers[side];
        for transport in &mut peer.transports {
            transport.agent.close(self.now, &mut peer.set);
        }
    }

    pub(crate) fn payload_path(&self, side: usize) -> Option<Path> {
        let way = self.peers[side]
            .agent
            .payload_way(self.now, GenerationId::default());
        way.map(|way| way.path)
    }

    pub(crate) fn has_consent(&self, side: usize) -> bool {
        self.payload_path(side).is_some()
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Fetches everything that the agents have to say.
    pub(crate) fn flush(&mut self) {
        let now = self.now;
        let mut busy = true;
        while busy {
            busy = false;
            for (side, at) in self.each() {
                while let Some(request) = self.peers[side].transports[at].agent.poll_request() {
                    busy = true;
                    self.answer((side, at), request);
                }
                while let Some(event) = self.peers[side].transports[at].agent.poll_event() {
                    busy = true;
                    self.signal((side, at), event);
                }
                while let Some(way) = self.peers[side].transports[at].agent.control_way() {
                    let mut bytes = Vec::new();
                    let agent = &mut self.peers[side].transports[at].agent;
                    assert!(agent.poll_transmit(now, 1280, &mut bytes));
                    self.carry(side, way.path, bytes);
                }
            }
        }
    }

    fn each(&self) -> Vec<(usize, usize)> {
        let count = self.peers[0].transports.len();
        let sides = [0, 1].into_iter();
        sides
            .flat_map(|side| (0..count).map(move |at| (side, at)))
            .collect()
    }

    fn answer(&mut self, (side, at): (usize, usize), request: Request) {
        let now = self.now;
        let peer = &mut self.peers[side];
        let transport = &mut peer.transports[at];
        match request {
            Request::Bind { id, address, .. } => {
                peer.next_port += 1;
                let bound = SocketAddr::new(address, peer.next_port);
                transport.bound.push(bound);
                transport
                    .agent
                    .handle_response(now, &mut peer.set, id, Ok(bound));
            }
            Request::Close { local } => {
                transport.bound.retain(|bound| *bound != local);
                transport.closed.push(local);
            }
            Request::Listen { id, address, .. } => {
                peer.next_port += 1;
                let bound = SocketAddr::new(address, peer.next_port);
                transport.bound.push(bound);
                transport
                    .agent
                    .handle_response(now, &mut peer.set, id, Ok(bound));
            }
            Request::Connect { .. } if self.opening == Opening::Hangs => self.opened += 1,
            Request::Connect { id, .. } if self.opening == Opening::Fails => {
                self.opened += 1;
                let refused = Err(std::io::ErrorKind::ConnectionRefused);
                transport
                    .agent
                    .handle_response(now, &mut peer.set, id, refused);
            }
            Request::Connect {
                id, from, to, tls, ..
            } => {
                self.connects.push((to, tls));
                self.opened += 1;
                peer.next_port += 1;
                let bound = SocketAddr::new(from, peer.next_port);
                transport.bound.push(bound);
                self.streams.push(bound);
                transport
                    .agent
                    .handle_response(now, &mut peer.set, id, Ok(bound));
            }
            Request::Unlisten { local } => {
                transport.bound.retain(|bound| *bound != local);
                transport.closed.push(local);
            }
            Request::Disconnect { path } => {
                transport.bound.retain(|bound| *bound != path.local);
                transport.closed.push(path.local);
            }
            Request::Resolve { name, .. } if name.starts_with("silent") => self.asked.push(name),
            Request::Resolve { id, name } => {
                let addresses = self.names.get(&name).cloned().unwrap_or_default();
                self.asked.push(name);
                transport
                    .agent
                    .handle_addresses(now, &mut peer.set, id, Ok(addresses));
            }
            Request::Publish { id, address } => {
                self.published.push(address);
                let name = format!("name{}.local", self.published.len());
                self.names.insert(name.clone(), vec![address]);
                let name = match self.nameless {
                    true => Err(std::io::ErrorKind::NotFound),
                    false => Ok(name),
                };
                transport.agent.handle_name(now, &mut peer.set, id, name);
            }
            _ => {}
        }
    }

    fn signal(&mut self, (side, at): (usize, usize), event: Event) {
        use oxirtc_ice::GatheringState::Complete;
        let now = self.now;
        let (candidate, ufrag) = match &event {
            Event::CandidateGathered {
                candidate, ufrag, ..
            } => {
                let gathered = &mut self.peers[side].transports[at].gathered;
                gathered.push(candidate.clone());
                (Some(candidate.clone()), Some(ufrag.clone()))
            }
            Event::GatheringStateChanged(Complete) => {
                let local = self.peers[side].transports[at].agent.local_credentials();
                (None, local.map(|local| local.ufrag.clone()))
            }
            _ => (None, None),
        };
        if let Some(ufrag) = ufrag.filter(|_| self.trickle) {
            let other = &mut self.peers[1 - side];
            other.transports[at].signal(now, &mut other.set, ufrag, candidate);
        }
        self.peers[side].transports[at].events.push(event);
    }

    /// Puts a datagram on the wire.
    pub(crate) fn carry(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        let at = self.now;
        if let Some(network) = &mut self.network {
            network.send(at, path.local, path.remote, bytes.clone());
            self.sent.push(Sent {
                at,
                from,
                path,
                bytes,
            });
            return;
        }
        let random = (self.random() >> 20).to_be_bytes()[7] < self.loss;
        let lost = random
            || self.no_udp && path.protocol == Protocol::Udp
            || self.apart && self.peers[1 - from].addresses.contains(&path.remote.ip())
            || [path.local, path.remote]
                .iter()
                .any(|it| self.dead.contains(&it.ip()));
        let known = self.mapped.filter(|(inside, _)| *inside == path.local);
        let source = known.map_or(path.local, |(_, outside)| outside);
        let (target, unknown) = match self.mapped {
            Some((inside, outside)) if path.remote == outside => (inside, false),
            Some((inside, _)) => (path.remote, path.remote == inside),
            None => (path.remote, false),
        };
        if self.up[from] && !lost && !unknown {
            let back = Path {
                local: target,
                remote: source,
                protocol: path.protocol,
            };
            let due = (at + self.delay, self.serial);
            self.wire.insert(due, (1 - from, back, bytes.clone()));
            self.serial += 1;
        }
        self.sent.push(Sent {
            at,
            from,
            path,
            bytes,
        });
    }

    /// A datagram has arrived, at a server, at an address that one relays, or at a peer.
    fn arrive(&mut self, to: usize, path: Path, bytes: Vec<u8>) {
        let (now, from) = (self.now, path.remote);
        let mut servers = self.servers.iter_mut();
        if let Some((address, server)) = servers.find(|(at, _)| *at == path.local) {
            let address = *address;
            let outs = server.handle(now, from, &bytes);
            let relayed: Vec<_> = server
                .allocations
                .get(&from)
                .map(|it| it.relayed.clone())
                .unwrap_or_default();
            for out in outs {
                match out {
                    Out::Client(answer) => self.send((address, from), path.protocol, answer),
                    Out::Peer(peer, data) => {
                        let source = relayed.iter().find(|it| it.is_ipv4() == peer.is_ipv4());
                        self.send((*source.unwrap(), peer), Protocol::Udp, data);
                    }
                }
            }
            return;
        }
        for (address, server) in &self.servers {
            let mut allocations = server.allocations.iter();
            let found = allocations.find(|(_, it)| it.relayed.contains(&path.local));
            let Some((client, _)) = found else {
                continue;
            };
            if let Some(mut passed) = server.pass_on(now, *client, from, &bytes) {
                let stream = self.streams.contains(client);
                if stream {
                    passed.resize(passed.len().next_multiple_of(4), 0);
                }
                let protocol = if stream { Protocol::Tcp } else { Protocol::Udp };
                let way = (*address, *client);
                self.send(way, protocol, passed);
            }
            return;
        }
        self.deliver(to, path, bytes);
    }

    /// Something leaves a server.
    fn send(&mut self, (from, to): (SocketAddr, SocketAddr), protocol: Protocol, bytes: Vec<u8>) {
        if let Some(network) = &mut self.network {
            network.send(self.now, from, to, bytes);
            return;
        }
        let sides = self.peers.iter();
        let mut owners = sides.map(|peer| peer.addresses.contains(&to.ip()));
        let side = owners.position(|owns| owns).unwrap_or(0);
        let path = Path {
            local: to,
            remote: from,
            protocol,
        };
        let due = (self.now + self.delay, self.serial);
        self.wire.insert(due, (side, path, bytes));
        self.serial += 1;
    }

    /// Hands a datagram to one side.
    pub(crate) fn deliver(&mut self, to: usize, path: Path, mut bytes: Vec<u8>) {
        let now = self.now;
        let peer = &mut self.peers[to];
        if !peer.addresses.contains(&path.local.ip()) {
            return;
        }
        let mut owners = peer.transports.iter();
        let owner = owners.position(|it| it.bound.contains(&path.local));
        let transport = &mut peer.transports[owner.unwrap_or(0)];
        let received = &mut transport.received;
        let mut sink = |_, payload: &mut [u8]| received.push(payload.to_vec());
        let epoch = peer.set.epoch();
        transport
            .agent
            .handle_datagram(now, &mut peer.set, path, &mut bytes, &mut sink);
        if peer.set.epoch() != epoch {
            self.attend(to);
        }
    }

    /// Sends payload where the agent wants it.
    pub(crate) fn send_payload(&mut self, from: usize, payload: &[u8]) {
        let now = self.now;
        let agent = &mut self.peers[from].agent;
        let way = agent.payload_way(now, GenerationId::default()).unwrap();
        let mut bytes = vec![0; way.headroom];
        bytes.extend_from_slice(payload);
        agent.wrap(now, &way, &mut bytes, 0).unwrap();
        assert!(bytes.len() <= way.headroom + payload.len() + way.tailroom);
        self.carry(from, way.path, bytes);
    }

    /// Lets one moment pass; `false` when nothing happens until `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        self.flush();
        let transports = || self.peers.iter().flat_map(|peer| &peer.transports);
        let timers = transports().filter_map(|it| it.agent.poll_timeout());
        let arrivals = self.wire.keys().map(|(due, _)| *due);
        let network = self.network.as_ref().and_then(Network::poll_timeout);
        let events = timers.chain(arrivals).chain(network);
        let Some(next) = events.min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        assert!(next >= self.now, "time goes on");
        self.now = next;
        while let Some(entry) = self
            .wire
            .first_entry()
            .filter(|entry| entry.key().0 <= next)
        {
            let (to, path, bytes) = entry.remove();
            self.arrive(to, path, bytes);
        }
        while let Some(it) = self.network.as_mut().and_then(|it| it.receive(next)) {
            let mut peers = self.peers.iter();
            let to = peers.position(|peer| peer.addresses.contains(&it.to.ip()));
            let path = Path::udp(it.to, it.from);
            self.arrive(to.unwrap_or(0), path, it.datagram);
        }
        for peer in &mut self.peers {
            for transport in &mut peer.transports {
                transport.agent.handle_timeout(next, &mut peer.set);
                let timeout = transport.agent.poll_timeout();
                assert!(
                    timeout.is_none_or(|at| at > next),
                    "a timer stands in the past"
                );
            }
        }
        self.flush();
        true
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) -> &mut Self {
        let end = self.now + duration;
        while self.step(end) {}
        self
    }

    /// Lets time pass until a condition holds; panics when it does not within `limit`.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let (begin, end) = (self.now, self.now + limit);
        self.flush();
        while !done(self) {
            assert!(self.step(end), "not within {limit:?}: {:?}", self.states());
        }
        self.now - begin
    }

    pub(crate) fn states(&self) -> [State; 2] {
        [self.peers[0].agent.state(), self.peers[1].agent.state()]
    }

    pub(crate) fn both_are(&self, state: State) -> bool {
        self.states() == [state, state]
    }

    pub(crate) fn agent(&mut self, side: usize) -> &mut Agent {
        &mut self.peers[side].agent
    }

    /// When this side sent requests, and what.
    pub(crate) fn requests(&self, side: usize) -> Vec<&Sent> {
        let is_request = |sent: &&Sent| sent.from == side && sent.bytes.starts_with(&[0, 1]);
        self.sent.iter().filter(is_request).collect()
    }

    /// Ends the streams of a side to a server.
    pub(crate) fn cut_streams(&mut self, side: usize, server: SocketAddr) {
        let now = self.now;
        let peer = &mut self.peers[side];
        for transport in &mut peer.transports {
            for local in transport.bound.clone() {
                let path = Path {
                    local,
                    remote: server,
                    protocol: Protocol::Tcp,
                };
                transport.agent.handle_closed(now, &mut peer.set, path);
            }
        }
    }

    /// The states that an agent went through.
    pub(crate) fn history(&self, side: usize) -> Vec<State> {
        let states = self.peers[side].transports[0].events.iter();
        let state = |event: &Event| match event {
            Event::StateChanged(state) => Some(*state),
            _ => None,
        };
        states.filter_map(state).collect()
    }
}
