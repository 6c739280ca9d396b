//! Two ICE agents.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use arbitrary::Arbitrary;
use oxirtc_ice::{
    Address, Agent, Candidate, Config, Credentials, Event, Interface, Path, Request, Role, State,
};
use oxirtc_stun::{Attribute, Builder, Class, IntegrityKey, Method, TransactionId};

use crate::wire::{End, Machine, Pair, Step};

/// A life of two agents.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    introduced: bool,
    same_role: bool,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Gather(End),
    Credentials(End),
    Restart(End),
    Rollback(End),
    Candidates(End),
    Candidate(End, u8, u16, u32, bool),
    EndOfCandidates(End),
    Role(End, bool),
    Lite(End, bool),
    Payload(End, Vec<u8>),
    Interfaces(End, u8),
    Forge(End, u8, Forgery),
    Close(End),
}

/// A check with the password of its receiver.
#[derive(Arbitrary, Debug)]
struct Forgery {
    priority: u32,
    controlling: bool,
    tie_breaker: u64,
    nominates: bool,
    port: u16,
    id: [u8; 12],
}

/// An agent and what it said.
struct Peer {
    agent: Agent,
    address: IpAddr,
    gathered: Vec<Candidate>,
    earlier: Option<Credentials>,
    next_port: u16,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let mut game = Pair::new(Peer::new(1, now), Peer::new(2, now), now);
        if !self.same_role {
            game.with(End::A, |peer, now| {
                peer.agent.set_role(now, Role::Controlling)
            });
        }
        if self.introduced {
            for end in [End::A, End::B] {
                let _ = game.with(end, |peer, now| peer.agent.gather(now));
                tell_credentials(&mut game, end);
                tell_candidates(&mut game, end);
            }
            game.step(Step::Flow);
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            perform(&mut game, operation);
        }
        game.settle(MAX_ROUNDS);
    }
}

fn perform(game: &mut Pair<Peer>, operation: Operation) {
    match operation {
        Operation::Wire(step) => game.step(step),
        Operation::Gather(end) => {
            let _ = game.with(end, |peer, now| peer.agent.gather(now));
        }
        Operation::Credentials(end) => tell_credentials(game, end),
        Operation::Restart(end) => game.with(end, Peer::restart),
        Operation::Rollback(end) => game.with(end, |peer, now| {
            if let Some(earlier) = peer.earlier.take() {
                let _ = peer.agent.set_local_credentials(now, earlier);
            }
        }),
        Operation::Candidates(end) => tell_candidates(game, end),
        Operation::Candidate(end, host, port, priority, name) => {
            let candidate = stranger(host, port, priority, name);
            let _ = game.with(end, |peer, now| {
                peer.agent.add_remote_candidate(now, candidate)
            });
        }
        Operation::EndOfCandidates(end) => {
            game.with(end, |peer, now| {
                peer.agent.set_remote_end_of_candidates(now)
            });
        }
        Operation::Role(end, controlling) => {
            let role = if controlling {
                Role::Controlling
            } else {
                Role::Controlled
            };
            game.with(end, |peer, now| peer.agent.set_role(now, role));
        }
        Operation::Lite(end, lite) => {
            game.with(end, |peer, now| peer.agent.set_remote_lite(now, lite));
        }
        Operation::Payload(end, payload) => {
            if let Some(path) = game.end(end).agent.payload_path() {
                game.send(end.other(), Peer::mirrored(path), payload);
            }
        }
        Operation::Interfaces(end, count) => game.with(end, |peer, now| {
            let interfaces: Vec<_> = (0..count % 4).map(|host| peer.interface(host)).collect();
            peer.agent.handle_interfaces(now, &interfaces);
        }),
        Operation::Forge(to, pick, forgery) => forge(game, to, pick, &forgery),
        Operation::Close(end) => game.with(end, |peer, now| peer.agent.close(now)),
    }
}

fn tell_credentials(game: &mut Pair<Peer>, from: End) {
    if let Some(credentials) = game.end(from).agent.local_credentials().cloned() {
        let _ = game.with(from.other(), |peer, now| {
            peer.agent.set_remote_credentials(now, credentials)
        });
    }
}

fn tell_candidates(game: &mut Pair<Peer>, from: End) {
    for candidate in game.end(from).gathered.clone() {
        let _ = game.with(from.other(), |peer, now| {
            peer.agent.add_remote_candidate(now, candidate)
        });
    }
}

fn stranger(host: u8, port: u16, priority: u32, name: bool) -> Candidate {
    let address = match name {
        true => Address::Name("somebody.local".into()),
        false => Address::Ip(IpAddr::from([10, 0, 0, host])),
    };
    Candidate {
        foundation: host.to_string(),
        component: 1,
        protocol: oxirtc_ice::Protocol::Udp,
        tcp_type: None,
        priority,
        address,
        port,
        kind: oxirtc_ice::CandidateKind::Host,
        related: None,
    }
}

fn forge(game: &mut Pair<Peer>, to: End, pick: u8, forgery: &Forgery) {
    let Some((mut route, _)) = game.sent_to(to, pick) else {
        return;
    };
    let receiver = &game.end(to).agent;
    let (Some(ours), Some(theirs)) = (receiver.local_credentials(), receiver.remote_credentials())
    else {
        return;
    };
    let username = format!("{}:{}", ours.ufrag, theirs.ufrag);
    let Ok(key) = IntegrityKey::short_term(&ours.password) else {
        return;
    };
    let mut check = Vec::new();
    let id = TransactionId::new(forgery.id);
    let mut builder = Builder::new(&mut check, Class::Request, Method::BINDING, id);
    builder
        .add(Attribute::Username(&username))
        .add(Attribute::Priority(forgery.priority));
    builder.add(match forgery.controlling {
        true => Attribute::IceControlling(forgery.tie_breaker),
        false => Attribute::IceControlled(forgery.tie_breaker),
    });
    if forgery.nominates {
        builder.add(Attribute::UseCandidate);
    }
    builder.message_integrity(&key).fingerprint();
    if builder.finish().is_ok() {
        route.remote.set_port(forgery.port);
        game.forge(to, route, check);
    }
}

impl Peer {
    fn new(host: u8, now: Instant) -> Self {
        let mut agent = Agent::new(Config::default(), [host; 32], now);
        let credentials = agent.generate_credentials();
        let accepted = agent.set_local_credentials(now, credentials);
        assert!(accepted.is_ok(), "an agent accepts its own credentials");
        let mut peer = Self {
            agent,
            address: IpAddr::from([10, 0, host, 1]),
            gathered: Vec::new(),
            earlier: None,
            next_port: 1000,
        };
        let interfaces = [peer.interface(0)];
        peer.agent.handle_interfaces(now, &interfaces);
        peer
    }

    fn interface(&self, host: u8) -> Interface {
        let IpAddr::V4(address) = self.address else {
            unreachable!("peers have IPv4 addresses");
        };
        let [a, b, c, d] = address.octets();
        let address = IpAddr::from([a, b, c, d + host]);
        Interface {
            name: format!("eth{host}"),
            index: u32::from(host) + 1,
            address,
        }
    }

    fn restart(&mut self, now: Instant) {
        self.earlier = self.agent.local_credentials().cloned();
        let credentials = self.agent.generate_credentials();
        let _ = self.agent.set_local_credentials(now, credentials);
    }
}

impl Machine for Peer {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, route: Path, datagram: &mut [u8]) {
        let agent = &mut self.agent;
        let mut payloads = 0;
        agent.handle_datagram(now, route, datagram, &mut |_| payloads += 1);
        // Its own, and what was held until now.
        assert!(payloads <= 1 + HELD, "{payloads} payloads of one datagram");
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
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
        let path = self.agent.control_path()?;
        self.agent
            .poll_transmit(now, room, buf)
            .then_some((path, usize::MAX))
    }

    fn poll(&mut self, now: Instant) -> bool {
        while let Some(request) = self.agent.poll_request() {
            if let Request::Bind { id, address, .. } = request {
                self.next_port += 1;
                let bound = SocketAddr::new(address, self.next_port);
                self.agent.handle_response(now, id, Ok(bound));
            }
        }
        let event = self.agent.poll_event();
        if let Some(Event::CandidateGathered { candidate, .. }) = &event {
            self.gathered.push(candidate.clone());
        }
        event.is_some()
    }

    fn check(&self) {
        assert!(self.agent.pairs().count() <= MAX_PAIRS, "too many pairs");
        assert_eq!(
            self.agent.has_consent(),
            self.agent.payload_path().is_some()
        );
        if self.agent.state() == State::Closed {
            assert_eq!(
                self.agent.poll_timeout(),
                None,
                "what is closed waits for nothing"
            );
            assert_eq!(
                self.agent.control_path(),
                None,
                "what is closed says nothing"
            );
        }
    }

    fn mirrored(route: Path) -> Path {
        Path {
            local: route.remote,
            remote: route.local,
            protocol: route.protocol,
        }
    }
}

const MAX_OPERATIONS: usize = 200;
const MAX_ROUNDS: usize = 100;
/// Those of two generations.
const MAX_PAIRS: usize = 200;
const HELD: usize = 64;
