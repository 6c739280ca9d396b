//! Two ICE agents.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Instant,
};

use arbitrary::Arbitrary;
use oxirtc_ice::{
    Address, Agent, Candidate, CandidateKind, ChecklistSet, Config, Credentials, Generation,
    GenerationId, Interface, Path, Plan, Protocol, RemoteIce, Request, RequestId, Role, State,
    TcpType, TransportPolicy,
};
use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, IntegrityKey, Message, Method,
    RawAttribute, TransactionId,
};

use crate::wire::{End, Machine, Pair, ROOM, Step};

/// A life of two agents.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    /// They have found each other over a perfect network.
    connected: bool,
    /// Sockets are bound as soon as they are asked for.
    prompt: bool,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Restart(End),
    SignalCredentials(End),
    Rollback(End),
    Pranswer(End),
    Policy(End, bool),
    Unreachable(End, u8),
    Claimed(End, u8, u8),
    SignalCandidates(End),
    SignalEnd(End),
    Gather(End),
    Interfaces(End, u8),
    Respond(End, u8, bool),
    Candidate(End, Invented),
    Role(End, bool),
    Lite(End, bool),
    Payload(End, u16),
    Move(End, u8, u8),
    Forge(End, u8, Check),
    Close(End),
}

/// A candidate that no agent gathered.
#[derive(Arbitrary, Debug)]
struct Invented {
    component: u8,
    tcp: Option<u8>,
    priority: u32,
    address: InventedAddress,
    port: u16,
    kind: u8,
}

#[derive(Arbitrary, Debug)]
enum InventedAddress {
    Known(u8),
    V4([u8; 4]),
    V6([u8; 16]),
    Name,
}

/// A STUN message with the right password or a wrong one.
#[derive(Arbitrary, Debug)]
struct Check {
    class: u8,
    elsewhere: Option<u8>,
    stranger: bool,
    wrong_key: bool,
    priority: Option<u32>,
    tie_breaker: Option<(bool, u64)>,
    nominate: bool,
    code: Option<u16>,
    mapped: Option<u8>,
    unknown: Option<u16>,
    fingerprint: bool,
}

struct Peer {
    agent: Agent,
    set: ChecklistSet,
    /// The newest credentials of both sides.
    local: Option<Credentials>,
    remote: Option<RemoteIce>,
    plan: Plan,
    now: Instant,
    /// Binds that wait for their answer.
    requests: Vec<(RequestId, IpAddr)>,
    prompt: bool,
    bound: u16,
    payloads: usize,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let peer = |seed| Peer {
            agent: Agent::new(Config::default().renomination(true), [seed; 32]),
            set: ChecklistSet::new(&Config::default(), [seed; 32]),
            local: None,
            remote: None,
            plan: Plan::default(),
            now,
            requests: Vec::new(),
            prompt: self.prompt || self.connected,
            bound: 0,
            payloads: 0,
        };
        let mut game = Game {
            pair: Pair::hostile([peer(1), peer(2)]),
        };
        if self.connected {
            game.set_up();
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.pair.settle(30);
    }
}

struct Game {
    pair: Pair<Peer>,
}

impl Game {
    fn set_up(&mut self) {
        for end in [End::A, End::B] {
            self.perform(Operation::Role(end, end == End::A));
            self.perform(Operation::Interfaces(end, 0b11));
            self.perform(Operation::Restart(end));
        }
        for end in [End::A, End::B] {
            self.perform(Operation::SignalCredentials(end));
        }
        for end in [End::A, End::B] {
            self.perform(Operation::Gather(end));
        }
        for end in [End::A, End::B] {
            self.perform(Operation::SignalCandidates(end));
            self.perform(Operation::SignalEnd(end));
        }
        self.pair.settle(30);
        for peer in &self.pair.ends {
            assert!(
                peer.agent.has_consent(peer.now),
                "no path over a perfect network"
            );
        }
    }

    fn perform(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Wire(step) => pair.step(step),
            Operation::Restart(end) => pair.with(end, |peer, now| {
                peer.local = Some(peer.agent.generate_credentials());
                peer.replan(now, false);
            }),
            Operation::SignalCredentials(from) => {
                if let Some(credentials) = pair.end(from).local.clone() {
                    pair.with(from.other(), |peer, _| {
                        peer.remote = Some(RemoteIce {
                            credentials,
                            lite: false,
                            trickle: true,
                            renomination: true,
                        });
                    });
                }
            }
            Operation::SignalCandidates(from) => {
                let candidates: Vec<_> = pair.end(from).agent.local_candidates().cloned().collect();
                for candidate in candidates {
                    pair.with(from.other(), |peer, now| peer.tell(now, Some(candidate)));
                }
            }
            Operation::SignalEnd(from) => pair.with(from.other(), |peer, now| peer.tell(now, None)),
            Operation::Gather(end) => pair.with(end, |peer, now| peer.replan(now, false)),
            Operation::Pranswer(end) => pair.with(end, |peer, now| peer.replan(now, true)),
            Operation::Rollback(end) => pair.with(end, |peer, now| peer.roll_back(now)),
            Operation::Interfaces(end, mask) => {
                let interfaces = interfaces(end, mask);
                pair.with(end, |peer, now| {
                    peer.agent
                        .handle_interfaces(now, &mut peer.set, &interfaces);
                });
            }
            Operation::Respond(end, pick, granted) => pair.with(end, |peer, now| {
                peer.respond(now, pick.into(), granted);
            }),
            Operation::Candidate(to, invented) => {
                let candidate = invented.candidate();
                pair.with(to, |peer, now| peer.tell(now, Some(candidate)));
            }
            operation => self.perform_more(operation),
        }
    }

    fn perform_more(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Role(end, controlling) => pair.with(end, |peer, now| {
                let role = [Role::Controlled, Role::Controlling][usize::from(controlling)];
                peer.set.set_role(role);
                peer.agent.handle_timeout(now, &mut peer.set);
            }),
            Operation::Lite(end, lite) => pair.with(end, |peer, now| {
                if let Some(remote) = &mut peer.remote {
                    remote.lite = lite;
                }
                peer.replan(now, false);
            }),
            Operation::Policy(end, relay) => pair.with(end, |peer, _| {
                let policy = [TransportPolicy::All, TransportPolicy::Relay][usize::from(relay)];
                peer.agent.set_transport_policy(policy);
            }),
            Operation::Unreachable(end, pick) => {
                if let Some((path, _)) = pair.sent_to(end.other(), pick) {
                    pair.with(end, |peer, now| {
                        let path = Peer::mirrored(path);
                        peer.agent.handle_unreachable(now, &mut peer.set, path);
                    });
                }
            }
            Operation::Claimed(end, pick, what) => {
                if let Some((path, _)) = pair.sent_to(end.other(), pick) {
                    pair.with(end, |peer, now| {
                        let path = Peer::mirrored(path);
                        match what % 3 {
                            0 => peer.agent.handle_challenge(now, &mut peer.set, path),
                            1 => peer.agent.handle_taken(now, &mut peer.set, path),
                            _ => peer.agent.handle_granted(now, &mut peer.set, path),
                        }
                    });
                }
            }
            Operation::Payload(end, length) => self.payload(end, usize::from(length) % ROOM),
            Operation::Move(to, pick, address) => {
                if let Some((path, bytes)) = pair.sent_to(to, pick) {
                    let (remote, bytes) = (at(address), bytes.to_vec());
                    pair.forge(to, Path { remote, ..path }, bytes);
                }
            }
            Operation::Forge(to, pick, check) => {
                if let Some((path, bytes)) = self.check(to, pick, &check) {
                    self.pair.forge(to, path, bytes);
                }
            }
            Operation::Close(end) => {
                pair.with(end, |peer, now| peer.agent.close(now, &mut peer.set))
            }
            _ => {}
        }
    }

    fn payload(&mut self, end: End, length: usize) {
        let now = self.pair.now;
        let agent = &mut self.pair.end(end).agent;
        let mut buf = vec![0x80; length + 1];
        if let Some(way) = agent.payload_way(now, GenerationId::default()) {
            assert_eq!(agent.wrap(now, &way, &mut buf, 0), Ok(()));
            self.pair.send(end.other(), Peer::mirrored(way.path), buf);
        }
    }

    /// A message to `to` as the other end could have written it, on a path that was used or another.
    fn check(&self, to: End, pick: u8, check: &Check) -> Option<(Path, Vec<u8>)> {
        let (path, _) = self.pair.sent_to(to, pick).or_else(|| {
            let (path, bytes) = self.pair.sent_to(to.other(), pick)?;
            Some((Peer::mirrored(path), bytes))
        })?;
        let agent = &self.pair.ends[to as usize].agent;
        let (local, remote) = (agent.local_credentials()?, agent.remote_credentials());
        let class = [
            Class::Request,
            Class::Indication,
            Class::Success,
            Class::Error,
        ];
        let class = class[usize::from(check.class) % class.len()];
        // A response carries the id of a request, and the password of who answers.
        let asked = self
            .pair
            .sent_to(to.other(), pick)
            .and_then(|(_, bytes)| Some(Message::parse(bytes).ok()?.transaction_id()));
        let id = asked.filter(|_| class.is_response());
        let id = id.unwrap_or(TransactionId::new([pick; 12]));
        let password = match (class.is_response(), check.wrong_key) {
            (false, false) => &local.password,
            (true, false) => &remote?.password,
            (_, true) => "a password that is nobody's",
        };
        let ufrag = remote
            .filter(|_| !check.stranger)
            .map_or("strange", |it| &it.ufrag);
        let username = format!("{}:{ufrag}", local.ufrag);

        let mut bytes = Vec::new();
        let mut builder = Builder::new(&mut bytes, class, Method::BINDING, id);
        if class == Class::Request {
            builder.add(Attribute::Username(&username));
        }
        if let Some(priority) = check.priority {
            builder.add(Attribute::Priority(priority));
        }
        match check.tie_breaker {
            Some((true, value)) => drop(builder.add(Attribute::IceControlling(value))),
            Some((false, value)) => drop(builder.add(Attribute::IceControlled(value))),
            None => {}
        }
        if check.nominate {
            builder.add(Attribute::UseCandidate);
        }
        if let Some(code) = check.code {
            let code = ErrorCode::new(300 + code % 400, "because");
            builder.add(Attribute::ErrorCode(code));
        }
        if let Some(mapped) = check.mapped {
            builder.add(Attribute::XorMappedAddress(at(mapped)));
        }
        if let Some(kind) = check
            .unknown
            .map(AttributeType)
            .filter(|kind| !kind.is_known())
        {
            let value = &[1, 2, 3];
            builder.add(Attribute::Other(RawAttribute { kind, value }));
        }
        builder.message_integrity(&IntegrityKey::short_term(password).ok()?);
        if check.fingerprint {
            builder.fingerprint();
        }
        builder.finish().ok()?;
        let remote = check.elsewhere.map_or(path.remote, at);
        Some((Path { remote, ..path }, bytes))
    }
}

impl Peer {
    fn respond(&mut self, now: Instant, pick: usize, granted: bool) {
        if self.requests.is_empty() {
            return;
        }
        let (id, address) = self.requests.swap_remove(pick % self.requests.len());
        self.bound = self.bound.wrapping_add(1);
        let bound = SocketAddr::new(address, 40_000 + self.bound % 20_000);
        let bound = granted
            .then_some(bound)
            .ok_or(io::ErrorKind::PermissionDenied);
        self.agent.handle_response(now, &mut self.set, id, bound);
    }

    /// The plan that follows from what both sides have said.
    fn replan(&mut self, now: Instant, provisional: bool) {
        let Some(local) = self.local.clone() else {
            return;
        };
        let generation = |remote| Generation {
            local: local.clone(),
            remote,
        };
        let stable = self.plan.stable.clone();
        let answered = stable.as_ref().map(|it| &it.remote) != Some(&self.remote);
        let plan = match (&self.remote, provisional) {
            (Some(_), false) if answered => Plan {
                stable: Some(generation(self.remote.clone())),
                open: None,
            },
            (Some(_), true) => Plan {
                open: Some(generation(self.remote.clone()))
                    .filter(|it| Some(it) != stable.as_ref()),
                stable,
            },
            _ => Plan {
                open: Some(generation(None)).filter(|it| {
                    stable
                        .as_ref()
                        .is_none_or(|stable| stable.local != it.local)
                }),
                stable,
            },
        };
        self.plan = plan;
        let _ = self.agent.set_plan(now, &mut self.set, self.plan.clone());
    }

    fn roll_back(&mut self, now: Instant) {
        self.plan.open = None;
        if let Some(stable) = &self.plan.stable {
            self.local = Some(stable.local.clone());
            self.remote.clone_from(&stable.remote);
        }
        let _ = self.agent.set_plan(now, &mut self.set, self.plan.clone());
    }

    /// A candidate of the newest description or, without one, their end.
    fn tell(&mut self, now: Instant, candidate: Option<Candidate>) {
        let Some(ufrag) = self.remote.as_ref().map(|it| it.credentials.ufrag.clone()) else {
            return;
        };
        let set = &mut self.set;
        let _ = match candidate {
            Some(candidate) => self.agent.add_remote_candidate(now, set, &ufrag, candidate),
            None => self.agent.set_remote_end_of_candidates(now, set, &ufrag),
        };
    }
}

impl Machine for Peer {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        let mut arrived = 0;
        self.now = now;
        let mut sink = |_, payload: &mut [u8]| {
            assert!(
                payload.first().is_none_or(|first| *first > 3),
                "STUN is no payload"
            );
            arrived += 1;
        };
        self.agent
            .handle_datagram(now, &mut self.set, path, datagram, &mut sink);
        assert!(arrived <= 1 + MAX_HELD);
        self.payloads += arrived;
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.agent.handle_timeout(now, &mut self.set);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let path = self.agent.control_way().map(|way| way.path);
        let sent = self.agent.poll_transmit(now, room, buf);
        sent.then(|| (path.expect("what is sent has a path"), usize::MAX))
    }

    fn poll(&mut self, now: Instant) -> bool {
        match self.agent.poll_request() {
            Some(Request::Bind { id, address, .. }) => {
                self.requests.push((id, address));
                if self.prompt {
                    self.respond(now, 0, true);
                }
                true
            }
            Some(_) => true,
            None => self.agent.poll_event().is_some(),
        }
    }

    fn check(&self) {
        let agent = &self.agent;
        assert!(agent.pairs().count() <= MAX_PAIRS, "too many pairs");
        assert!(
            agent.remote_candidates().count() <= 1_000,
            "too many candidates"
        );
        if agent.state() == State::Closed {
            let left = (
                agent.poll_timeout(),
                agent.control_way(),
                agent.payload_way(self.now, GenerationId::default()),
            );
            assert_eq!(left, (None, None, None), "what is closed waits for nothing");
        }
    }

    fn mirrored(path: Path) -> Path {
        Path {
            local: path.remote,
            remote: path.local,
            protocol: path.protocol,
        }
    }
}

impl Invented {
    fn candidate(self) -> Candidate {
        let tcp_types = [TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen];
        let kinds = [
            CandidateKind::Host,
            CandidateKind::ServerReflexive,
            CandidateKind::PeerReflexive,
            CandidateKind::Relayed,
        ];
        let tcp_type = self
            .tcp
            .map(|tcp| tcp_types[usize::from(tcp) % tcp_types.len()]);
        Candidate {
            foundation: (self.priority % 8).to_string(),
            component: self.component.into(),
            protocol: if tcp_type.is_some() {
                Protocol::Tcp
            } else {
                Protocol::Udp
            },
            tcp_type,
            priority: self.priority,
            address: match self.address {
                InventedAddress::Known(number) => Address::Ip(at(number).ip()),
                InventedAddress::V4(bytes) => Address::Ip(bytes.into()),
                InventedAddress::V6(bytes) => Address::Ip(bytes.into()),
                InventedAddress::Name => Address::Name("a.local".to_owned()),
            },
            port: self.port,
            kind: kinds[usize::from(self.kind) % kinds.len()],
            related: None,
            network_cost: 0,
        }
    }
}

/// One of the addresses of the network.
fn at(number: u8) -> SocketAddr {
    let ip = match number % 2 {
        0 => Ipv4Addr::new(192, 0, 2, number / 8).into(),
        _ => IpAddr::from(Ipv6Addr::new(
            0x2001,
            0xdb8,
            0,
            0,
            0,
            0,
            0,
            u16::from(number / 8),
        )),
    };
    SocketAddr::new(ip, 40_000 + u16::from(number % 8 / 2))
}

fn interfaces(end: End, mask: u8) -> Vec<Interface> {
    let last = 1 + end as u8;
    let addresses = [
        IpAddr::from([192, 0, 2, last]),
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]),
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)]),
        IpAddr::from([10, 0, 0, last]),
        IpAddr::from([169, 254, 0, last]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
    ];
    let up = addresses
        .into_iter()
        .zip(0..)
        .filter(|(_, bit)| mask >> bit & 1 == 1);
    up.map(|(address, index)| Interface {
        name: format!("eth{index}"),
        index,
        address,
        default_route: true,
        cost: 0,
    })
    .collect()
}

const MAX_OPERATIONS: usize = 150;
/// 100 that are checked, and what was learnt and is not.
const MAX_PAIRS: usize = 256;
const MAX_HELD: usize = 4;
