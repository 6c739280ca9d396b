//! Streams of peers to an agent (RFC 4571), and to a twin of it that is given the same bytes in other pieces.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use oxirtc_ice::{
    Address, Agent, Candidate, CandidateKind, ChecklistSet, Config, Credentials, Generation,
    GenerationId, Interface, Path, Plan, Protocol, RemoteIce, Request, Role, TcpType,
};
use oxirtc_stun::{Attribute, Builder, Class, IntegrityKey, Message, Method, TransactionId};

/// A life of one agent and its twin.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    controlling: bool,
    operations: Vec<Operation>,
    /// How long the pieces are that the twin gets.
    pieces: Vec<u8>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wait(u16),
    /// A check of a peer, by its password or another one.
    Check(u8, bool, bool),
    /// The answer to the last check on a stream.
    Answer(u8, bool),
    Payload(u8, u16),
    /// Several frames at once, and what is between them.
    Frames(u8, Vec<Vec<u8>>),
    Bytes(u8, Vec<u8>),
    /// A candidate of the peer where it accepts streams.
    Candidate(u8),
    Closed(u8),
    /// So many strangers open streams.
    Crowd(u8),
    Send(u16),
}

impl Scenario {
    /// Performs it: however a stream is cut, what becomes of it is the same.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let role = [Role::Controlled, Role::Controlling][usize::from(self.controlling)];
        let mut ends = [End::new(role), End::new(role)];
        let mut pieces = self.pieces.into_iter().cycle();
        for operation in self.operations.iter().take(MAX_OPERATIONS) {
            ends[0].perform(operation, &mut std::iter::empty());
            ends[1].perform(operation, &mut pieces);
            let [one, other] = ends.each_ref();
            assert_eq!(one.received, other.received);
            assert_eq!(one.sent, other.sent);
            let pairs = ends.each_ref().map(|it| it.agent.pairs().count());
            assert_eq!(pairs[0], pairs[1]);
        }
        let states = ends.map(|mut end| {
            end.wait(Duration::from_secs(60));
            end.agent.state()
        });
        assert_eq!(states[0], states[1]);
    }
}

struct End {
    now: Instant,
    agent: Agent,
    set: ChecklistSet,
    /// Streams that peers have opened and nobody has closed.
    accepted: BTreeSet<SocketAddr>,
    opened: u16,
    received: Vec<(GenerationId, Vec<u8>)>,
    sent: Vec<(Path, Vec<u8>)>,
}

impl End {
    fn new(role: Role) -> Self {
        let config = Config::default().tcp(true).ipv6(false);
        let mut set = ChecklistSet::new(&config, [2; 32]);
        set.set_role(role);
        let mut end = Self {
            now: oxirtc_netsim::epoch(),
            agent: Agent::new(config, [1; 32]),
            set,
            accepted: BTreeSet::new(),
            opened: 0,
            received: Vec::new(),
            sent: Vec::new(),
        };
        let here = Interface {
            name: "eth0".into(),
            index: 1,
            address: HERE,
            default_route: true,
            cost: 0,
        };
        end.agent.handle_interfaces(end.now, &mut end.set, &[here]);
        let generation = Generation {
            local: credentials("here"),
            remote: Some(RemoteIce {
                credentials: credentials("there"),
                lite: false,
                trickle: true,
                renomination: false,
            }),
        };
        let plan = Plan {
            stable: Some(generation),
            open: None,
        };
        let planned = end.agent.set_plan(end.now, &mut end.set, plan);
        planned.expect("a plan");
        end.fetch();
        end
    }

    fn perform(&mut self, operation: &Operation, pieces: &mut impl Iterator<Item = u8>) {
        match operation {
            Operation::Wait(time) => self.wait(Duration::from_millis((*time).into())),
            Operation::Check(stream, right, nominate) => {
                let check = check(*stream, *right, *nominate);
                self.arrive(*stream, framed(&check), pieces);
            }
            Operation::Answer(stream, right) => {
                if let Some(answer) = self.answer(*stream, *right) {
                    self.arrive(*stream, framed(&answer), pieces);
                }
            }
            Operation::Payload(stream, length) => {
                let payload = vec![0x80; usize::from(*length)];
                self.arrive(*stream, framed(&payload), pieces);
            }
            Operation::Frames(stream, frames) => {
                let bytes = frames.iter().flat_map(|it| framed(it)).collect();
                self.arrive(*stream, bytes, pieces);
            }
            Operation::Bytes(stream, bytes) => self.arrive(*stream, bytes.clone(), pieces),
            Operation::Candidate(number) => {
                let (now, set) = (self.now, &mut self.set);
                let candidate = candidate(*number);
                let _ = self
                    .agent
                    .add_remote_candidate(now, set, "there", candidate);
                self.fetch();
            }
            Operation::Closed(stream) => {
                if let Some(path) = self.path(*stream) {
                    self.accepted.remove(&path.remote);
                    self.agent.handle_closed(self.now, &mut self.set, path);
                    self.fetch();
                }
            }
            Operation::Crowd(count) => {
                for number in 0..count % 32 {
                    self.arrive(2 * number, vec![0], pieces);
                }
            }
            Operation::Send(length) => self.send((*length).into()),
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(next) = self.agent.poll_timeout().filter(|at| *at <= end) {
            self.now = next.max(self.now);
            self.agent.handle_timeout(self.now, &mut self.set);
            let next = self.agent.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "a timer of the past");
            self.fetch();
            steps += 1;
            assert!(steps < MAX_STEPS, "time does not pass");
        }
        self.now = end;
    }

    /// Where a stream goes: the even ones were opened by peers, the odd ones by the agent.
    fn path(&self, stream: u8) -> Option<Path> {
        let remote = there(stream);
        let local = match stream % 2 {
            0 => Some(SocketAddr::new(HERE, LISTENING)),
            _ => {
                let to = |(path, _): &&(Path, Vec<u8>)| path.remote == remote;
                self.sent.iter().rev().find(to).map(|(path, _)| path.local)
            }
        };
        Some(Path {
            local: local?,
            remote,
            protocol: Protocol::Tcp,
        })
    }

    fn arrive(&mut self, stream: u8, mut bytes: Vec<u8>, pieces: &mut impl Iterator<Item = u8>) {
        let Some(path) = self.path(stream).filter(|_| !bytes.is_empty()) else {
            return;
        };
        let received = &mut self.received;
        let mut sink = |generation, payload: &mut [u8]| {
            assert!(
                payload.first().is_some_and(|it| *it > 3),
                "STUN is no payload"
            );
            received.push((generation, payload.to_vec()));
        };
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let length = pieces.next().map_or(rest.len(), |it| usize::from(it) + 1);
            let (piece, behind) = rest.split_at_mut(length.min(rest.len()));
            let set = &mut self.set;
            self.agent
                .handle_datagram(self.now, set, path, piece, &mut sink);
            rest = behind;
        }
        if stream.is_multiple_of(2) {
            self.accepted.insert(path.remote);
        }
        self.fetch();
        assert!(self.accepted.len() <= MAX_ACCEPTED, "too many streams");
    }

    /// Takes what the agent asks and sends, which is framed.
    fn fetch(&mut self) {
        loop {
            let request = self.agent.poll_request();
            let (now, set) = (self.now, &mut self.set);
            match request {
                None => break,
                Some(Request::Bind { id, .. }) => {
                    let bound = Ok(SocketAddr::new(HERE, 40_000));
                    self.agent.handle_response(now, set, id, bound);
                }
                Some(Request::Listen { id, .. }) => {
                    let bound = Ok(SocketAddr::new(HERE, LISTENING));
                    self.agent.handle_response(now, set, id, bound);
                }
                Some(Request::Connect { id, to, .. }) => {
                    self.opened += 1;
                    let refused = to.port().is_multiple_of(7);
                    let local = SocketAddr::new(HERE, 50_000 + self.opened % 10_000);
                    let opened = match refused {
                        true => Err(io::ErrorKind::ConnectionRefused),
                        false => Ok(local),
                    };
                    self.agent.handle_response(now, set, id, opened);
                }
                Some(Request::Disconnect { path }) => drop(self.accepted.remove(&path.remote)),
                Some(_) => {}
            }
        }
        while let Some(way) = self.agent.control_way() {
            let mut buf = Vec::new();
            if !self.agent.poll_transmit(self.now, ROOM, &mut buf) {
                break;
            }
            if way.path.protocol == Protocol::Tcp {
                let (length, datagram) = buf.split_at(2);
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                assert_eq!(length, datagram.len(), "what is sent is a frame");
                self.sent.push((way.path, datagram.to_vec()));
            }
            assert!(self.sent.len() < MAX_STEPS, "datagrams without end");
        }
        while self.agent.poll_event().is_some() {}
    }

    fn send(&mut self, length: usize) {
        let since = GenerationId::default();
        let Some(way) = self.agent.payload_way(self.now, since) else {
            return;
        };
        let mut buf = vec![0x80; way.headroom + length];
        if self.agent.wrap(self.now, &way, &mut buf, 0).is_ok() {
            assert_eq!(buf.len(), way.headroom + length);
            let field = usize::from(u16::from_be_bytes([buf[0], buf[1]]));
            assert!(way.path.protocol != Protocol::Tcp || field == length);
        }
    }

    /// The peer's answer to the last check on this stream.
    fn answer(&self, stream: u8, right: bool) -> Option<Vec<u8>> {
        let path = self.path(stream)?;
        let on = |(of, _): &&(Path, Vec<u8>)| *of == path;
        let checks = self.sent.iter().rev().filter(on);
        let mut checks = checks.filter_map(|(_, bytes)| Message::parse(bytes).ok());
        let check = checks.find(|it| it.class() == Class::Request)?;
        let mut bytes = Vec::new();
        let mut builder = Builder::response(&mut bytes, Class::Success, &check);
        builder.add(Attribute::XorMappedAddress(path.local));
        sign(&mut builder, if right { "there" } else { "nobody" });
        builder.finish().ok()?;
        Some(bytes)
    }
}

fn check(stream: u8, right: bool, nominate: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let id = TransactionId::new([stream; 12]);
    let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
    builder.add(Attribute::Username("here:there"));
    builder.add(Attribute::Priority(1_853_824_767));
    builder.add(Attribute::IceControlled(1));
    if nominate {
        builder.add(Attribute::UseCandidate);
    }
    sign(&mut builder, if right { "here" } else { "nobody" });
    builder.finish().expect("a check fits");
    bytes
}

fn sign(builder: &mut Builder<'_>, whose: &str) {
    let key = IntegrityKey::short_term(&credentials(whose).password).expect("a key");
    builder.message_integrity(&key);
    builder.fingerprint();
}

fn framed(datagram: &[u8]) -> Vec<u8> {
    let datagram = &datagram[..datagram.len().min(usize::from(u16::MAX))];
    let length = (datagram.len() as u16).to_be_bytes();
    [&length[..], datagram].concat()
}

fn credentials(ufrag: &str) -> Credentials {
    Credentials {
        ufrag: ufrag.into(),
        password: format!("{ufrag:x>24}"),
    }
}

fn candidate(number: u8) -> Candidate {
    let address = there(number);
    Candidate {
        foundation: "1".into(),
        component: 1,
        protocol: Protocol::Tcp,
        tcp_type: Some(TcpType::Passive),
        priority: 1_000_000 + u32::from(number),
        address: Address::Ip(address.ip()),
        port: address.port(),
        kind: CandidateKind::Host,
        related: None,
        network_cost: 0,
    }
}

fn there(stream: u8) -> SocketAddr {
    let ip = Ipv4Addr::new(198, 51, 100, stream % 64);
    SocketAddr::new(ip.into(), 5000 + u16::from(stream % 64))
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const LISTENING: u16 = 9000;
const ROOM: usize = 1200;
const MAX_OPERATIONS: usize = 150;
const MAX_ACCEPTED: usize = 16;
const MAX_STEPS: usize = 100_000;
