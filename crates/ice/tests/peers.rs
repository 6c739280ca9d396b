//! Peers of other kinds: lite ones, aggressive ones, ones behind a NAT; and signalling that is slow.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod sim;

use std::{net::SocketAddr, time::Instant};

use oxirtc_ice::{
    Address, Agent, Candidate, CandidateKind, ChecklistSet, Config, Credentials, Event, Generation,
    GenerationId, Interface, Obstacle, PairState, Path, Plan, Protocol, RemoteIce, Request,
    RequestId, Role, State, TcpType,
};
use oxirtc_netsim::{for_each_seed, ms, secs};
use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, IntegrityKey, Message, Method,
    RawAttribute, TransactionId,
};

use crate::sim::{Sides, ip, told};

/// An agent whose peer is written by hand.
struct Bench {
    now: Instant,
    set: ChecklistSet,
    agent: Agent,
    local: SocketAddr,
    id: u8,
    payload: Vec<Vec<u8>>,
}

fn generation(remote: Option<RemoteIce>) -> Generation {
    Generation {
        local: Credentials::new("oursours", "oursoursoursoursoursours"),
        remote,
    }
}

const PASSWORD: &str = "theirtheirtheirtheirtheir";

impl Bench {
    fn new(role: Role) -> Self {
        let (mut bench, id) = Self::binding(role);
        let (now, local) = (bench.now, bench.local);
        bench
            .agent
            .handle_response(now, &mut bench.set, id, Ok(local));
        bench
    }

    /// While its only socket is still opened.
    fn binding(role: Role) -> (Self, RequestId) {
        Self::binding_with(role, Config::default())
    }

    fn binding_with(role: Role, config: Config) -> (Self, RequestId) {
        let now = oxirtc_netsim::epoch();
        let config = config.renomination(true);
        let mut set = ChecklistSet::new(&config, [8; 32]);
        set.set_role(role);
        let mut agent = Agent::new(config, [9; 32]);
        let interface = Interface {
            name: "eth0".into(),
            index: 1,
            address: ip("10.0.0.1"),
            default_route: true,
            cost: 0,
        };
        agent.handle_interfaces(now, &mut set, &[interface]);
        let plan = Plan {
            stable: None,
            open: Some(generation(None)),
        };
        agent.set_plan(now, &mut set, plan).unwrap();
        let Some(Request::Bind { id, .. }) = agent.poll_request() else {
            panic!("nothing to bind");
        };
        let bench = Self {
            now,
            set,
            agent,
            local: "10.0.0.1:1".parse().unwrap(),
            id: 0,
            payload: Vec::new(),
        };
        (bench, id)
    }

    fn know_peer(&mut self) -> &mut Self {
        self.know(told(&Credentials::new("theirs", PASSWORD)))
    }

    fn know(&mut self, remote: RemoteIce) -> &mut Self {
        let plan = Plan {
            stable: Some(generation(Some(remote))),
            open: None,
        };
        self.agent.set_plan(self.now, &mut self.set, plan).unwrap();
        self
    }

    fn candidate(&mut self, candidate: Candidate) {
        self.agent
            .add_remote_candidate(self.now, &mut self.set, "theirs", candidate)
            .unwrap();
    }

    fn end_of_candidates(&mut self) {
        self.agent
            .set_remote_end_of_candidates(self.now, &mut self.set, "theirs")
            .unwrap();
    }

    fn path(&self, port: u16) -> Path {
        Path::udp(self.local, SocketAddr::new(ip("10.0.0.2"), port))
    }

    fn input(&mut self, path: Path, mut bytes: Vec<u8>) {
        let payload = &mut self.payload;
        let mut sink = |_, data: &mut [u8]| payload.push(data.to_vec());
        self.agent
            .handle_datagram(self.now, &mut self.set, path, &mut bytes, &mut sink);
    }

    /// The peer checks from this port.
    fn request(&mut self, port: u16, attributes: &[Attribute<'_>]) {
        let mut bytes = Vec::new();
        let key = IntegrityKey::short_term("oursoursoursoursoursours").unwrap();
        self.id += 1;
        let id = TransactionId::new([self.id; 12]);
        let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
        builder.add(Attribute::Username("oursours:theirs"));
        for attribute in attributes {
            builder.add(*attribute);
        }
        builder.message_integrity(&key).fingerprint();
        builder.finish().unwrap();
        self.input(self.path(port), bytes);
    }

    fn sent(&mut self) -> Option<(Path, Vec<u8>)> {
        let path = self.agent.control_way()?.path;
        let mut bytes = Vec::new();
        assert!(self.agent.poll_transmit(self.now, 1200, &mut bytes));
        Some((path, bytes))
    }

    /// Answers all requests of the agent; which ports were asked, and whether with USE-CANDIDATE.
    fn answer(&mut self, mapped: Option<SocketAddr>) -> Vec<(u16, bool)> {
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let mut asked = Vec::new();
        while let Some((path, bytes)) = self.sent() {
            let message = Message::parse(&bytes).unwrap();
            if message.class() != Class::Request {
                continue;
            }
            assert_eq!(message.username(), Some("theirs:oursours"));
            message.verify_message_integrity(&key).unwrap();
            asked.push((path.remote.port(), message.use_candidate()));
            let mut response = Vec::new();
            let mut builder = Builder::response(&mut response, Class::Success, &message);
            builder.add(Attribute::XorMappedAddress(mapped.unwrap_or(path.local)));
            builder.message_integrity(&key).fingerprint();
            builder.finish().unwrap();
            self.input(path, response);
        }
        asked
    }

    /// The peer answers one request.
    fn reply(&mut self, path: Path, request: &Message<'_>) {
        let mut response = Vec::new();
        let mut builder = Builder::response(&mut response, Class::Success, request);
        builder.add(Attribute::XorMappedAddress(path.local));
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        builder.message_integrity(&key).fingerprint();
        builder.finish().unwrap();
        self.input(path, response);
    }

    fn pass(&mut self, time: std::time::Duration) {
        self.now += time;
        self.agent.handle_timeout(self.now, &mut self.set);
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.agent.poll_event()).collect()
    }
}

fn candidate(port: u16, priority: u32) -> Candidate {
    Candidate {
        foundation: port.to_string(),
        component: 1,
        protocol: Protocol::Udp,
        tcp_type: None,
        priority,
        address: Address::Ip(ip("10.0.0.2")),
        port,
        kind: CandidateKind::Host,
        related: None,
        network_cost: 0,
    }
}

const USE: [Attribute<'static>; 3] = [
    Attribute::Priority(1000),
    Attribute::IceControlling(1),
    Attribute::UseCandidate,
];

/// RFC 8445 §8.1.1: regular nomination. The first check does not nominate; a later one does, on the
/// best pair, once; then checks of other pairs end.
#[test]
fn regular_nomination_picks_the_best() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300), (3, 200)] {
        bench.candidate(candidate(port, priority));
    }
    // The first candidate is checked at once, then the best, then the rest.
    assert_eq!(bench.answer(None), [(1, false)]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(2, false)]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(2, true)]);
    assert_eq!(bench.agent.selected_pair().unwrap().path.remote.port(), 2);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [], "what is left is not checked");
    let pairs: Vec<_> = bench.agent.pairs().filter(|pair| pair.nominated).collect();
    assert_eq!(pairs.len(), 1);
    assert_eq!(pairs[0].state, PairState::Succeeded);
}

/// A pair that works is nominated soon even though a better one never answers.
#[test]
fn nomination_does_not_wait_for_the_dead() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300)] {
        bench.candidate(candidate(port, priority));
    }
    assert_eq!(bench.answer(None), [(1, false)]);
    bench.pass(ms(50));
    assert!(
        bench
            .sent()
            .is_some_and(|(path, _)| path.remote.port() == 2)
    );
    bench.pass(ms(49));
    assert!(bench.sent().is_none());
    bench.pass(ms(1));
    assert_eq!(bench.answer(None), [(1, true)]);
    assert!(bench.agent.selected_pair().is_some());
}

/// A lite peer sends no checks; we control, and it connects.
#[test]
fn a_lite_peer_is_nominated() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know(RemoteIce {
        lite: true,
        ..told(&Credentials::new("theirs", PASSWORD))
    });
    assert_eq!(bench.set.role(), Role::Controlling);
    bench.candidate(candidate(1, 100));
    bench.end_of_candidates();
    assert_eq!(bench.answer(None), [(1, false)]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(1, true)]);
    assert_eq!(bench.agent.state(), State::Completed);
    for _ in 0..20 {
        bench.pass(secs(6));
        assert_eq!(bench.answer(None), [(1, true)], "consent goes on");
    }
}

/// A peer that nominates aggressively: the pair of highest priority among those it named is used.
#[test]
fn aggressive_nomination_is_accepted() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300), (3, 200)] {
        bench.candidate(candidate(port, priority));
    }
    let selected = |bench: &Bench| {
        bench
            .agent
            .selected_pair()
            .map(|pair| pair.path.remote.port())
    };
    bench.request(1, &USE);
    assert_eq!(selected(&bench), None, "our own check comes first");
    bench.answer(None);
    assert_eq!(selected(&bench), Some(1));
    bench.request(2, &USE);
    bench.pass(ms(50));
    bench.answer(None);
    assert_eq!(selected(&bench), Some(2));
    bench.request(3, &USE);
    bench.pass(ms(50));
    bench.answer(None);
    assert_eq!(
        selected(&bench),
        Some(2),
        "a pair of lower priority does not replace it"
    );
}

/// RFC 8445 §7.3.1.5: nominations are for the controlled side. What a controlled peer nominates is checked, as whatever it checks is,
/// and not nominated.
#[test]
fn a_controlled_peer_nominates_nothing() {
    const CONTROLLED: [Attribute<'static>; 3] = [
        Attribute::Priority(1000),
        Attribute::IceControlled(1),
        Attribute::UseCandidate,
    ];
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300)] {
        bench.candidate(candidate(port, priority));
    }
    bench.request(1, &CONTROLLED);
    assert_eq!(bench.answer(None), [(1, false)]);
    assert_eq!(bench.nominated(), [0; 0]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(2, false)]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(2, true)]);
    for _ in 0..6 {
        bench.request(1, &CONTROLLED);
        bench.pass(secs(2));
        bench.answer(None);
        assert_eq!(bench.nominated(), [2]);
    }
    assert_eq!(bench.set.role(), Role::Controlling);
}

/// A peer that moves to a pair of lower priority and stays there is followed.
#[test]
fn a_peer_that_moves_on_is_followed() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300)] {
        bench.candidate(candidate(port, priority));
    }
    for port in [2, 1] {
        bench.request(port, &USE);
        bench.pass(ms(50));
        bench.answer(None);
    }
    assert_eq!(bench.agent.selected_pair().unwrap().path.remote.port(), 2);
    for _ in 0..6 {
        bench.pass(secs(2));
        bench.answer(None);
        bench.request(1, &USE);
    }
    bench.answer(None);
    assert_eq!(bench.agent.selected_pair().unwrap().path.remote.port(), 1);
}

/// A peer behind a NAT that is not told: it arrives as peer-reflexive, and takes its signalled kind
/// when it is signalled after all.
#[test]
fn an_unknown_peer_is_learnt() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    bench.request(7, &USE);
    assert!(
        bench
            .events()
            .contains(&Event::PathAuthenticated(bench.path(7)))
    );
    bench.answer(None);
    let pair = bench.agent.selected_pair().unwrap().clone();
    assert_eq!(pair.remote.kind, CandidateKind::PeerReflexive);
    assert_eq!(pair.remote.tcp_type, None);
    assert_eq!((pair.remote.priority, pair.remote.port), (1000, 7));
    // [5.6-10]: what was not signalled is not among the remote candidates.
    assert_eq!(bench.agent.remote_candidates().count(), 0);
    bench.candidate(candidate(7, 5));
    assert_eq!(
        bench.agent.selected_pair().unwrap().remote.kind,
        CandidateKind::Host
    );
    assert_eq!(bench.agent.pairs().count(), 1);
}

/// RFC 8445 §7.2.5.3.1: an address that only the peer sees is a local candidate.
#[test]
fn our_own_mapped_address_is_learnt() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    let mapped = "198.51.100.1:777".parse().unwrap();
    bench.answer(Some(mapped));
    bench.pass(ms(50));
    bench.answer(Some(mapped));
    let pair = bench.agent.selected_pair().unwrap().clone();
    assert_eq!(pair.local.kind, CandidateKind::PeerReflexive);
    assert_eq!(pair.local.socket_address(), Some(mapped));
    assert_eq!(pair.local.related, Some(bench.local));
    assert_eq!(pair.path.local, bench.local);
    assert_eq!(bench.agent.local_candidates().count(), 2);
}

/// Checks that come before the peer's credentials are answered at once, and made up for when they come.
#[test]
fn early_checks_are_not_lost() {
    let mut bench = Bench::new(Role::Controlled);
    bench.request(1, &USE);
    let (path, bytes) = bench.sent().unwrap();
    assert_eq!(path, bench.path(1));
    assert_eq!(Message::parse(&bytes).unwrap().class(), Class::Success);
    bench.input(bench.path(1), vec![22; 100]);
    assert!(bench.sent().is_none() && bench.payload.is_empty());
    bench.know_peer();
    assert_eq!(bench.answer(None), [(1, false)]);
    assert_eq!(bench.payload, [vec![22; 100]]);
    assert!(bench.agent.selected_pair().is_some());
}

/// DTLS that outran the answer to our check is held: four datagrams, 8 KiB, in order; then handed up.
#[test]
fn payload_waits_for_its_pair() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    bench.input(bench.path(1), vec![21; 10]);
    bench.request(1, &USE);
    for size in [3000, 1000, 5000, 1, 2, 3] {
        bench.input(bench.path(1), vec![22; size]);
    }
    assert!(bench.payload.is_empty());
    bench.answer(None);
    let sizes: Vec<_> = bench.payload.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3000, 1000, 1, 2]);
    let stats = bench.agent.stats();
    assert_eq!((stats.payload_held, stats.drops.payload), (4, 3));
    bench.input(bench.path(1), vec![22; 9]);
    assert_eq!(bench.payload.len(), 5);
}

/// A name is listed and not checked; its owner arrives as peer-reflexive.
#[test]
fn names_are_kept() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    let name = Address::Name("b1f0ffee.local".into());
    let named = Candidate {
        address: name,
        ..candidate(5, 100)
    };
    bench.candidate(named.clone());
    bench.end_of_candidates();
    assert_eq!(
        bench.agent.remote_candidates().collect::<Vec<_>>(),
        [&named]
    );
    assert!(bench.agent.pairs().next().is_none() && bench.sent().is_none());
    assert_eq!(bench.agent.state(), State::Checking);
    bench.pass(secs(20));
    bench.request(5, &USE);
    bench.answer(None);
    assert_eq!(bench.agent.state(), State::Completed);
}

/// RFC 8489 §6.3.1: what must be understood and is not is named in a 420, and nothing comes of it.
#[test]
fn unknown_attributes_are_refused() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    let kind = AttributeType(0x7f01);
    bench.request(1, &[Attribute::Other(RawAttribute { kind, value: &[] })]);
    let (_, answer) = bench.sent().unwrap();
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(
        answer.error_code().unwrap().code,
        ErrorCode::UNKNOWN_ATTRIBUTE.code
    );
    let named: Vec<_> = answer.unknown_attributes().unwrap().iter().collect();
    assert_eq!(named, [AttributeType(0x7f01)]);
    assert!(bench.agent.pairs().next().is_none());
}

/// GOOG-NETWORK-INFO and other optional attributes are ignored.
#[test]
fn optional_attributes_are_ignored() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know_peer();
    let kind = AttributeType(0xc057);
    let network = Attribute::Other(RawAttribute {
        kind,
        value: &[0, 0, 0, 10],
    });
    bench.request(1, &[network, Attribute::Priority(1)]);
    assert_eq!(bench.answer(None), [(1, false)]);
}

/// RFC 8445 §7.2.5.2.1: an answer from another address fails the check.
#[test]
fn asymmetric_answers_fail_the_pair() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    let (_, bytes) = bench.sent().unwrap();
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let mut response = Vec::new();
    let request = Message::parse(&bytes).unwrap();
    let mut builder = Builder::response(&mut response, Class::Success, &request);
    builder.add(Attribute::XorMappedAddress(bench.local));
    builder.message_integrity(&key).fingerprint();
    builder.finish().unwrap();
    bench.input(bench.path(2), response);
    assert_eq!(bench.agent.pairs().next().unwrap().state, PairState::Failed);
    assert!(!bench.agent.has_consent(bench.now));
    assert_eq!(bench.agent.stats().drops.asymmetric, 1);
}

/// Candidates that come one by one, in either order with credentials, connect all the same.
#[test]
fn trickle_in_any_order() {
    for_each_seed(50, |seed| {
        let mut sim = sim::new(seed);
        let mut steps: Vec<u64> = (0..4).collect();
        steps.sort_by_key(|step| (step * 7 + seed * 13) % 11);
        for step in steps {
            match step {
                0 | 1 => sim.gather(usize::try_from(step).unwrap()),
                _ => sim.tell_credentials(usize::try_from(step - 2).unwrap()),
            }
            sim.settle();
            sim.run(ms(seed * 3));
        }
        sim.run_until(secs(3), |sim| sim.both_are(State::Completed));
    });
}

impl Bench {
    /// Answers all requests with this error.
    fn refuse(&mut self, code: ErrorCode<'static>) -> usize {
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let mut count = 0;
        while let Some((path, bytes)) = self.sent() {
            let message = Message::parse(&bytes).unwrap();
            if message.class() != Class::Request {
                continue;
            }
            count += 1;
            let mut response = Vec::new();
            let mut builder = Builder::response(&mut response, Class::Error, &message);
            builder.add(Attribute::ErrorCode(code));
            builder.message_integrity(&key).fingerprint();
            builder.finish().unwrap();
            self.input(path, response);
        }
        count
    }

    fn in_use(&self) -> Option<u16> {
        let way = self.agent.payload_way(self.now, GenerationId::default());
        way.map(|way| way.path.remote.port())
    }

    /// The ports that were nominated.
    fn nominated(&self) -> Vec<u16> {
        let pairs = self.agent.pairs().filter(|pair| pair.nominated);
        pairs.map(|it| it.pair.path.remote.port()).collect()
    }

    /// Another connection has the path to this port, and no socket beside the shared one is to be had.
    fn take_without_another_socket(&mut self, port: u16) {
        let path = self.path(port);
        self.agent.handle_taken(self.now, &mut self.set, path);
        let refused = Err(std::io::ErrorKind::Unsupported);
        while let Some(request) = self.agent.poll_request() {
            if let Request::Bind { id, .. } = request {
                let (now, set) = (self.now, &mut self.set);
                self.agent.handle_response(now, set, id, refused);
            }
        }
    }

    /// Connected on port 1, nominated.
    fn connected(role: Role) -> Self {
        let mut bench = Self::new(role);
        bench.know_peer();
        bench.candidate(candidate(1, 100));
        bench.request(1, &USE);
        bench.answer(None);
        for _ in 0..4 {
            bench.pass(ms(50));
            bench.answer(None);
        }
        assert!(bench.agent.pairs().any(|pair| pair.nominated));
        bench
    }
}

/// A NAT gives the peer another port: in both roles payload follows within a second of its first
/// check from there.
#[test]
fn a_rebound_peer_is_followed() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut bench = Bench::connected(role);
        bench.pass(secs(2));
        bench.answer(None);
        // From now on only the new port answers.
        let mut took = 0;
        bench.request(9, &[Attribute::Priority(7)]);
        while bench.in_use() != Some(9) {
            bench.answer_only(9);
            bench.pass(ms(50));
            took += 50;
            assert!(took <= 1000, "{role:?}: {:?}", bench.in_use());
        }
        assert_eq!(bench.agent.selected_pair().unwrap().path.remote.port(), 9);
        // An address that only checks told is not the application's to see.
        assert!(!bench.agent.selected_pair().unwrap().remote_told);
    }
}

impl Bench {
    fn answer_only(&mut self, port: u16) {
        while let Some((path, bytes)) = self.sent() {
            let message = Message::parse(&bytes).unwrap();
            if message.class() != Class::Request || path.remote.port() != port {
                continue;
            }
            self.succeed(path, &message);
        }
    }

    /// The peer answers a check.
    fn succeed(&mut self, path: Path, request: &Message<'_>) {
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let mut response = Vec::new();
        let mut builder = Builder::response(&mut response, Class::Success, request);
        builder.add(Attribute::XorMappedAddress(path.local));
        builder.message_integrity(&key).fingerprint();
        builder.finish().unwrap();
        self.input(path, response);
    }
}

/// Nominations with numbers: the highest counts, whichever of the two numbers the attribute has, and whether or not USE-CANDIDATE
/// stands beside it: libwebrtc leaves that out.
#[test]
fn renominations_are_followed_by_number() {
    for (kind, beside) in [(0xc001, 1), (0x0030, 1), (0xc001, 0), (0x0030, 0)] {
        let mut bench = Bench::connected(Role::Controlled);
        bench.candidate(candidate(2, 300));
        bench.request(2, &[Attribute::Priority(1)]);
        bench.pass(ms(50));
        bench.answer(None);
        let kind = AttributeType(kind);
        for (port, value, expected) in [(2, 5_u32, 2), (1, 9, 1), (2, 9, 1), (2, 8, 1), (2, 10, 2)]
        {
            let value = value.to_be_bytes();
            let number = Attribute::Other(RawAttribute {
                kind,
                value: &value,
            });
            let attributes = [number, Attribute::Priority(1), Attribute::UseCandidate];
            bench.request(port, &attributes[..2 + beside]);
            bench.answer(None);
            bench.pass(secs(3));
            bench.answer(None);
            assert_eq!(bench.in_use(), Some(expected), "{port} {value:?}");
        }
    }
}

/// Where both number nominations, the controlling side tells where payload has moved to.
#[test]
fn a_move_is_nominated_where_both_number() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know(RemoteIce {
        renomination: true,
        ..told(&Credentials::new("theirs", PASSWORD))
    });
    bench.candidate(candidate(1, 100));
    for _ in 0..4 {
        bench.answer(None);
        bench.pass(ms(50));
    }
    bench.pass(secs(2));
    bench.answer(None);
    bench.request(9, &[Attribute::Priority(7)]);
    let mut nominated = Vec::new();
    for _ in 0..40 {
        while let Some((path, bytes)) = bench.sent() {
            let message = Message::parse(&bytes).unwrap();
            let number = message
                .get(AttributeType(0xc001))
                .map(|it| it.value.to_vec());
            if message.use_candidate() && path.remote.port() == 9 {
                nominated.extend(number);
            }
            if message.class() == Class::Request && path.remote.port() == 9 {
                bench.succeed(path, &message);
            }
        }
        bench.pass(ms(50));
    }
    assert!(!nominated.is_empty());
    assert!(
        nominated
            .iter()
            .all(|number| *number == nominated[0] && number[3] > 0)
    );
}

/// Another connection of the socket has the path: it is not used, not nominated and not answered on, and the peer is reached from a
/// socket of our own, which is not told; in a restart as well. When the path is let go of, it is as good as any.
#[test]
fn a_path_that_is_taken_is_gone_round() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    bench.end_of_candidates();
    bench.answer(None);
    assert_eq!(bench.in_use(), Some(1));
    let (shared, path) = (bench.local, bench.path(1));
    bench.agent.handle_taken(bench.now, &mut bench.set, path);
    assert_eq!(bench.in_use(), None);
    bench.input(path, vec![22; 9]);
    assert!(bench.payload.is_empty(), "it is for who has the path");
    bench.request(1, &[Attribute::Priority(1)]);
    bench.pass(ms(200));
    while let Some((path, bytes)) = bench.sent() {
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class(), Class::Request, "{path:?} is answered");
        assert!(!message.use_candidate());
    }
    let Some(Request::Bind { id, own: true, .. }) = bench.agent.poll_request() else {
        panic!("no socket of its own");
    };
    bench.events();
    let own = "10.0.0.1:2".parse().unwrap();
    bench
        .agent
        .handle_response(bench.now, &mut bench.set, id, Ok(own));
    for _ in 0..4 {
        bench.answer(None);
        bench.pass(ms(100));
    }
    let pair = bench.agent.selected_pair().unwrap();
    assert_eq!((pair.path.local, pair.path.remote), (own, path.remote));
    assert!(!pair.local_told);
    bench.agent.handle_taken(bench.now, &mut bench.set, path);
    assert_eq!(bench.agent.poll_request(), None, "one is enough");
    bench.agent.handle_granted(bench.now, &mut bench.set, path);
    bench.request(1, &[Attribute::Priority(1)]);
    let (back, bytes) = bench.sent().unwrap();
    assert_eq!(back.local, shared);
    let first = Message::parse(&bytes).unwrap().class();
    let second = bench
        .sent()
        .map(|(_, bytes)| Message::parse(&bytes).unwrap().class());
    assert!(
        [Some(first), second].contains(&Some(Class::Success)),
        "it is answered"
    );
}

/// What the peers have agreed on may be another connection's afterwards: then they agree on it no more, and another pair is nominated as
/// if there had been none, be it one that was not to be checked any more, or one that came when nothing was looked for.
#[test]
fn a_nominated_pair_that_is_taken_is_nominated_no_more() {
    for others in [[(2, 200), (3, 100)], [(3, 100), (2, 200)]] {
        let mut bench = Bench::new(Role::Controlling);
        bench.know_peer();
        bench.candidate(candidate(1, 300));
        let [before, after] = others;
        bench.candidate(candidate(before.0, before.1));
        assert_eq!(bench.answer(None), [(1, false)]);
        bench.pass(ms(50));
        assert_eq!(bench.answer(None), [(1, true)]);
        bench.candidate(candidate(after.0, after.1));
        for _ in 0..4 {
            bench.pass(ms(50));
            assert_eq!(bench.answer(None), [], "nothing else is checked");
        }
        assert_eq!(bench.nominated(), [1]);
        bench.take_without_another_socket(1);
        assert_eq!((bench.in_use(), bench.nominated()), (None, vec![]));
        let mut asked = Vec::new();
        for _ in 0..200 {
            bench.pass(ms(50));
            asked.extend(bench.answer(None));
        }
        assert!(asked.contains(&(1, false)), "its consent is kept");
        assert!(!asked.contains(&(1, true)), "{asked:?}");
        assert!(asked.contains(&(2, true)), "{asked:?}");
        assert_eq!((bench.in_use(), bench.nominated()), (Some(2), vec![2]));
        // RFC 8445 §8.1.1: nobody is nominated beside it, also when the first one is ours again.
        let path = bench.path(1);
        bench.agent.handle_granted(bench.now, &mut bench.set, path);
        for _ in 0..200 {
            bench.pass(ms(50));
            assert!(!bench.answer(None).contains(&(1, true)));
        }
        assert_eq!((bench.in_use(), bench.nominated()), (Some(2), vec![2]));
    }
}

/// The relay that stood beside it is not nominated in its place before a socket of its own was tried.
#[test]
fn what_takes_the_place_of_a_taken_path_is_the_best() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    let relayed = Candidate {
        kind: CandidateKind::Relayed,
        ..candidate(2, 100)
    };
    bench.candidate(relayed);
    bench.candidate(candidate(1, 300));
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(2, false), (1, false)]);
    bench.pass(ms(50));
    assert_eq!(bench.answer(None), [(1, true)]);
    for _ in 0..60 {
        bench.pass(ms(50));
        bench.answer(None);
    }
    let path = bench.path(1);
    bench.agent.handle_taken(bench.now, &mut bench.set, path);
    assert_eq!(bench.in_use(), Some(2), "payload does not wait");
    bench.pass(ms(50));
    assert!(!bench.answer(None).contains(&(2, true)));
    let Some(Request::Bind { id, own: true, .. }) = bench.agent.poll_request() else {
        panic!("no socket of its own");
    };
    let own = "10.0.0.1:2".parse().unwrap();
    let (now, set) = (bench.now, &mut bench.set);
    bench.agent.handle_response(now, set, id, Ok(own));
    let mut asked = Vec::new();
    for _ in 0..10 {
        bench.pass(ms(50));
        asked.extend(bench.answer(None));
    }
    assert!(!asked.contains(&(2, true)), "{asked:?}");
    let pairs = bench.agent.pairs().filter(|pair| pair.nominated);
    let paths: Vec<_> = pairs.map(|it| it.pair.path).collect();
    assert_eq!(paths, [Path::udp(own, path.remote)]);
    assert_eq!(bench.agent.selected_pair().unwrap().path, paths[0]);
}

/// The peer has nominated a path that is another connection's: what it nominates then counts at once, as low as it is.
#[test]
fn what_is_taken_stands_in_no_ones_way() {
    let mut bench = Bench::connected(Role::Controlled);
    assert_eq!((bench.in_use(), bench.nominated()), (Some(1), vec![1]));
    bench.take_without_another_socket(1);
    assert_eq!((bench.in_use(), bench.nominated()), (None, vec![]));
    bench.candidate(candidate(2, 50));
    bench.request(2, &USE);
    for _ in 0..4 {
        bench.pass(ms(50));
        bench.answer(None);
    }
    assert_eq!((bench.in_use(), bench.nominated()), (Some(2), vec![2]));
}

/// Without a socket of its own a connection waits for the path of another one, also when neither end has answered the other for longer
/// than consent lasts; and says what it waits for. What has failed meanwhile stays so.
#[test]
fn a_path_that_is_let_go_of_is_used() {
    for (waited, revives) in [(5, true), (35, true), (50, false)] {
        let mut bench = Bench::new(Role::Controlling);
        bench.know_peer();
        bench.candidate(candidate(1, 100));
        bench.end_of_candidates();
        bench.answer(None);
        let path = bench.path(1);
        bench.take_without_another_socket(1);
        assert_eq!(bench.agent.obstacle(), Some(Obstacle::PathTaken));
        for _ in 0..waited * 10 {
            bench.pass(ms(100));
            while bench.sent().is_some() {}
        }
        let failed = bench.agent.state() == State::Failed;
        assert_eq!(failed, !revives, "{waited} s");
        assert_eq!(bench.agent.obstacle(), Some(Obstacle::PathTaken));
        bench.agent.handle_granted(bench.now, &mut bench.set, path);
        for _ in 0..10 {
            bench.answer(None);
            bench.pass(ms(100));
        }
        assert_eq!(bench.in_use(), revives.then_some(1), "{waited} s");
        let obstacle = bench.agent.obstacle();
        assert_eq!(obstacle.is_none(), revives, "{waited} s");
    }
}

/// Requests for a fragment that another connection of the socket has go to that one: what was made of it cannot work, and says so.
#[test]
fn a_fragment_of_another_connection_fails() {
    let mut bench = Bench::new(Role::Controlling);
    let (now, set) = (bench.now, &mut bench.set);
    bench.agent.handle_fragment_taken(now, set, "others");
    assert_eq!(bench.agent.obstacle(), None);
    bench.agent.handle_fragment_taken(now, set, "oursours");
    assert_eq!(bench.agent.obstacle(), Some(Obstacle::FragmentTaken));
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    bench.pass(ms(1));
    assert_eq!(bench.agent.state(), State::Failed);
    assert!(bench.sent().is_none(), "nothing is checked");
    assert_eq!(bench.agent.obstacle(), Some(Obstacle::FragmentTaken));
    // A restart has another one.
    let local = Credentials::new("anothers", "oursoursoursoursoursours");
    let plan = Plan {
        stable: Some(Generation {
            local,
            remote: Some(told(&Credentials::new("theirs", PASSWORD))),
        }),
        open: None,
    };
    let (now, set) = (bench.now, &mut bench.set);
    bench.agent.set_plan(now, set, plan).unwrap();
    bench.candidate(candidate(2, 100));
    assert_eq!(bench.agent.state(), State::Checking);
    assert_eq!(bench.agent.obstacle(), None);
}

/// Whoever controls may name the highest number there is. Who controls after that counts anew.
#[test]
fn numbers_belong_to_a_role() {
    let mut bench = Bench::new(Role::Controlled);
    bench.know(RemoteIce {
        renomination: true,
        ..told(&Credentials::new("theirs", PASSWORD))
    });
    bench.candidate(candidate(1, 100));
    let number = |value| {
        Attribute::Other(RawAttribute {
            kind: AttributeType(0xc001),
            value,
        })
    };
    let controlling = [Attribute::IceControlling(1), number(&[0xff; 4])];
    bench.request(1, &controlling);
    bench.answer(None);
    assert_eq!(bench.in_use(), Some(1));
    // It says that it is controlled, and has the smaller tie-breaker.
    bench.request(1, &[Attribute::IceControlled(0)]);
    assert_eq!(bench.set.role(), Role::Controlling);
    bench.request(9, &[Attribute::Priority(7), Attribute::IceControlled(0)]);
    let mut numbers = Vec::new();
    for _ in 0..60 {
        while let Some((path, bytes)) = bench.sent() {
            let message = Message::parse(&bytes).unwrap();
            let value = message.get(AttributeType(0xc001)).map(|it| it.value);
            numbers.extend(value.map(|it| (path.remote.port(), it.to_vec())));
            if message.class() == Class::Request && path.remote.port() == 9 {
                bench.succeed(path, &message);
            }
        }
        bench.pass(ms(50));
    }
    numbers.dedup();
    assert_eq!(bench.in_use(), Some(9));
    assert_eq!(numbers, [(9, vec![0, 0, 0, 1])]);
}

/// RFC 7675 §5.1: an error is no consent. 487 is about a role, and counts.
#[test]
fn errors_do_not_renew_consent() {
    for (code, lives) in [
        (ErrorCode::BAD_REQUEST, false),
        (ErrorCode::ROLE_CONFLICT, true),
    ] {
        let mut bench = Bench::connected(Role::Controlling);
        let mut refused = 0;
        for _ in 0..66 {
            bench.pass(ms(500));
            refused += bench.refuse(code);
        }
        assert!(refused > 5);
        assert_eq!(bench.in_use().is_some(), lives, "{code:?}");
    }
}

/// RFC 8489 §6.3.3: an answer that cannot be understood was never received.
#[test]
fn answers_with_unknown_attributes_are_dropped() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    let (path, bytes) = bench.sent().unwrap();
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let mut response = Vec::new();
    let request = Message::parse(&bytes).unwrap();
    let mut builder = Builder::response(&mut response, Class::Success, &request);
    builder.add(Attribute::XorMappedAddress(path.local));
    let kind = AttributeType(0x7f02);
    builder.add(Attribute::Other(RawAttribute { kind, value: &[] }));
    builder.message_integrity(&key).fingerprint();
    builder.finish().unwrap();
    bench.input(path, response);
    assert_eq!(bench.in_use(), None);
    assert_eq!(bench.agent.stats().drops.malformed, 1);
}

/// Requests from anywhere make sixteen pairs at most that are not valid yet, each asked for once.
#[test]
fn learnt_pairs_are_bounded() {
    let mut bench = Bench::connected(Role::Controlled);
    for port in 100..200 {
        bench.request(port, &[Attribute::Priority(7)]);
        while bench.sent().is_some() {}
    }
    let learnt = bench
        .agent
        .pairs()
        .filter(|pair| pair.pair.path.remote.port() >= 100);
    let learnt: Vec<_> = learnt.map(|pair| pair.pair.path.remote.port()).collect();
    assert_eq!(learnt.len(), 16);
    assert!(
        learnt.contains(&199) && !learnt.contains(&100),
        "{learnt:?}"
    );
    assert_eq!(bench.in_use(), Some(1));
}

/// Payload that waited for its pair goes when the pair goes.
#[test]
fn held_payload_goes_with_its_pair() {
    let mut bench = Bench::new(Role::Controlled);
    bench.request(1, &USE);
    bench.input(bench.path(1), vec![22; 100]);
    assert_eq!(bench.agent.stats().payload_held, 1);
    let dropped = bench.agent.stats().drops.payload;
    bench
        .agent
        .set_plan(bench.now, &mut bench.set, Plan::default())
        .unwrap();
    assert_eq!(bench.agent.stats().drops.payload, dropped + 1);
    bench.know_peer();
    bench.answer(None);
    assert!(bench.payload.is_empty());
}

/// So it does when the pair gives way to others that the peer's requests bring, which have its room then.
#[test]
fn held_payload_makes_room_with_its_pair() {
    let mut bench = Bench::connected(Role::Controlled);
    bench.request(100, &[Attribute::Priority(7)]);
    for _ in 0..5 {
        bench.input(bench.path(100), vec![22; 100]);
    }
    assert_eq!(bench.agent.stats().payload_held, 4);
    let dropped = bench.agent.stats().drops.payload;
    for port in 101..=116 {
        bench.request(port, &[Attribute::Priority(7)]);
        while bench.sent().is_some() {}
    }
    assert_eq!(bench.agent.stats().drops.payload, dropped + 4);
    bench.input(bench.path(116), vec![22; 100]);
    assert_eq!(bench.agent.stats().payload_held, 5);
}

/// What failed is silent, and checks of a pair that lost its consent are taken back.
#[test]
fn what_failed_is_silent() {
    let mut bench = Bench::connected(Role::Controlled);
    bench.end_of_candidates();
    for _ in 0..80 {
        bench.pass(ms(500));
    }
    assert_eq!(bench.agent.state(), State::Failed);
    assert!(bench.sent().is_none(), "what was queued is taken back");
    let late = bench.agent.stats().drops.late;
    // Nor is a pair answered that nobody knew before.
    for port in [1, 77] {
        bench.request(port, &USE);
        assert!(bench.sent().is_none());
    }
    assert_eq!(bench.agent.stats().drops.late, late + 2);
}

/// The wait for a better pair is two round trips, and 100 ms at least.
#[test]
fn nomination_waits_for_two_round_trips() {
    for (round_trip, wait) in [(ms(20), ms(100)), (ms(300), ms(600)), (ms(499), ms(998))] {
        let mut bench = Bench::new(Role::Controlling);
        bench.know_peer();
        bench.candidate(candidate(1, 100));
        bench.candidate(candidate(2, 300));
        let (path, bytes) = bench.sent().unwrap();
        assert_eq!(path.remote.port(), 1);
        bench.pass(round_trip);
        let request = Message::parse(&bytes).unwrap();
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let mut response = Vec::new();
        let mut builder = Builder::response(&mut response, Class::Success, &request);
        builder.add(Attribute::XorMappedAddress(bench.local));
        builder.message_integrity(&key).fingerprint();
        builder.finish().unwrap();
        bench.input(path, response);
        let valid = bench.now;
        let mut nominated = None;
        while nominated.is_none() {
            while let Some((path, bytes)) = bench.sent() {
                let message = Message::parse(&bytes).unwrap();
                if message.use_candidate() && path.remote.port() == 1 {
                    nominated = Some(bench.now - valid);
                }
            }
            bench.pass(ms(10));
            assert!(bench.now - valid < secs(3));
        }
        let took = nominated.unwrap();
        assert!(
            took >= wait && took <= wait + ms(60),
            "{took:?} for {wait:?}"
        );
    }
}

/// However long the way, a better pair is waited for no longer than a second.
#[test]
fn nomination_waits_for_a_second_at_most() {
    let slow = Config::default().pacing(ms(250));
    let (mut bench, id) = Bench::binding_with(Role::Controlling, slow);
    bench.know_peer();
    for (port, priority) in [(1, 100), (2, 300), (3, 400)] {
        bench.candidate(candidate(port, priority));
    }
    let (now, local) = (bench.now, Ok(bench.local));
    bench.agent.handle_response(now, &mut bench.set, id, local);
    let mut sent = Vec::new();
    let first = |sent: &[(Path, Vec<u8>)]| {
        let mut sent = sent.iter();
        sent.find(|it| it.0.remote.port() == 1).cloned()
    };
    while first(&sent).is_none() {
        bench.pass(ms(10));
        sent.extend(std::iter::from_fn(|| bench.sent()));
    }
    let (path, bytes) = first(&sent).unwrap();
    bench.pass(ms(740));
    bench.reply(path, &Message::parse(&bytes).unwrap());
    let valid = bench.now;
    let nominates = |(path, bytes): (Path, Vec<u8>)| {
        path.remote.port() == 1 && Message::parse(&bytes).unwrap().use_candidate()
    };
    while !std::iter::from_fn(|| bench.sent()).any(nominates) {
        bench.pass(ms(10));
        assert!(bench.now < valid + secs(3));
    }
    let took = bench.now - valid;
    assert!(took >= secs(1) && took <= ms(1300), "{took:?}");
}

/// A request whose id is known is answered by who has the password, and by nobody else from the same place.
#[test]
fn an_answer_is_believed_with_the_password_alone() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    let (path, bytes) = bench.sent().unwrap();
    let request = Message::parse(&bytes).unwrap();
    let answer = |password: Option<&str>, class: Class| {
        let mut response = Vec::new();
        let mut builder = Builder::response(&mut response, class, &request);
        match class {
            Class::Error => builder.add(Attribute::ErrorCode(ErrorCode::ROLE_CONFLICT)),
            _ => builder.add(Attribute::XorMappedAddress(path.local)),
        };
        if let Some(password) = password {
            builder.message_integrity(&IntegrityKey::short_term(password).unwrap());
        }
        builder.fingerprint();
        builder.finish().unwrap();
        response
    };
    let forged = [None, Some("nobodysnobodysnobodysnobody")];
    for (count, password) in forged.into_iter().enumerate() {
        for class in [Class::Success, Class::Error] {
            bench.input(path, answer(password, class));
        }
        let unauthenticated = bench.agent.stats().drops.unauthenticated;
        assert_eq!(unauthenticated, 2 * (count as u64 + 1));
        assert_eq!(bench.in_use(), None);
        assert_eq!(bench.set.role(), Role::Controlling);
        let mut pairs = bench.agent.pairs();
        assert!(pairs.all(|pair| pair.state == PairState::InProgress));
    }
    bench.input(path, answer(Some(PASSWORD), Class::Success));
    assert_eq!(bench.in_use(), Some(1));
}

/// Checks that wait in the queue when consent of their pair ends are taken back, also where the connection goes on.
#[test]
fn checks_of_a_lost_pair_are_taken_back() {
    let mut bench = Bench::connected(Role::Controlled);
    bench.candidate(candidate(2, 50));
    let answer_only = |bench: &mut Bench, port: u16| {
        while let Some((path, bytes)) = bench.sent() {
            let message = Message::parse(&bytes).unwrap();
            if message.class() == Class::Request && path.remote.port() == port {
                bench.reply(path, &message);
            }
        }
    };
    bench.request(2, &[Attribute::Priority(7)]);
    let start = bench.now;
    let lost = |bench: &Bench| {
        let mut pairs = bench.agent.pairs();
        let first = pairs.find(|it| it.pair.path.remote.port() == 1);
        first.unwrap().state == PairState::Failed
    };
    while !lost(&bench) {
        bench.pass(ms(250));
        // The last checks of the first pair are not fetched.
        if bench.now < start + secs(27) {
            answer_only(&mut bench, 2);
        }
        assert!(bench.now < start + secs(40));
    }
    assert_eq!(bench.in_use(), Some(2));
    let mut queued = 0;
    while let Some((path, _)) = bench.sent() {
        assert_ne!(path.remote.port(), 1, "a check without consent");
        queued += 1;
    }
    assert!(queued > 0);
}

/// A nomination under way was made in the name of a role. When the role comes back, another one is made at once, and does not wait for
/// the next check of consent.
#[test]
fn a_conflict_ends_the_nomination_under_way() {
    let mut bench = Bench::new(Role::Controlling);
    bench.know_peer();
    bench.candidate(candidate(1, 100));
    bench.end_of_candidates();
    bench.answer(None);
    // The nomination is in the air.
    bench.pass(ms(50));
    let mut held = Vec::new();
    while held.is_empty() {
        bench.pass(ms(10));
        held.extend(std::iter::from_fn(|| bench.sent()));
    }
    assert!(
        held.iter()
            .any(|(_, bytes)| Message::parse(bytes).unwrap().use_candidate())
    );
    bench.request(
        1,
        &[Attribute::Priority(7), Attribute::IceControlling(u64::MAX)],
    );
    assert_eq!(bench.set.role(), Role::Controlled);
    bench.answer(None);
    bench.request(1, &[Attribute::Priority(7), Attribute::IceControlled(0)]);
    assert_eq!(bench.set.role(), Role::Controlling);
    let back = bench.now;
    let mut nominated = false;
    while !nominated {
        nominated = bench.answer(None).iter().any(|(_, nominates)| *nominates);
        bench.pass(ms(10));
        assert!(bench.now < back + ms(500), "it waits for consent");
    }
}

/// What a plan does not list any more answers, and follows no nomination of the peer.
#[test]
fn a_retired_generation_learns_nothing() {
    let mut bench = Bench::connected(Role::Controlled);
    bench.candidate(candidate(2, 50));
    bench.request(2, &[Attribute::Priority(7)]);
    bench.answer(None);
    for _ in 0..10 {
        bench.pass(ms(50));
        bench.answer(None);
    }
    let plan = Plan {
        stable: Some(Generation {
            local: Credentials::new("anothers", "oursoursoursoursoursours"),
            remote: Some(told(&Credentials::new("their2", PASSWORD))),
        }),
        open: None,
    };
    let (now, set) = (bench.now, &mut bench.set);
    bench.agent.set_plan(now, set, plan).unwrap();
    assert_eq!(bench.in_use(), Some(1), "it carries payload until then");
    // RFC 5245 §8.1.1.2: a listed one would follow, as the first pair was not nominated for a while.
    for _ in 0..80 {
        bench.pass(ms(100));
        while let Some((path, bytes)) = bench.sent() {
            let message = Message::parse(&bytes).unwrap();
            let ours = message.username() == Some("theirs:oursours");
            if message.class() == Class::Request && ours {
                bench.reply(path, &message);
            }
        }
    }
    let before = bench.agent.stats().responses_sent;
    bench.request(2, &USE);
    assert_eq!(bench.agent.stats().responses_sent, before + 1);
    bench.pass(ms(10));
    assert_eq!(bench.in_use(), Some(1));
}

/// The address has gone while its socket was opened: the socket goes as well.
#[test]
fn a_socket_that_comes_late_is_closed() {
    let (bench, id) = Bench::binding(Role::Controlling);
    let Bench {
        now,
        mut set,
        mut agent,
        local,
        ..
    } = bench;
    agent.handle_interfaces(now, &mut set, &[]);
    agent.handle_response(now, &mut set, id, Ok(local));
    let Some(Request::Close { local: closed }) = agent.poll_request() else {
        panic!("it stays open");
    };
    assert_eq!(closed, local);
    assert_eq!(agent.local_candidates().count(), 0);
}

/// A stream is let go of as one, though nobody waits for it any more: a socket may have the same number.
#[test]
fn a_stream_that_comes_late_is_closed() {
    let (mut bench, id) = Bench::binding_with(Role::Controlling, Config::default().tcp(true));
    let (now, local) = (bench.now, bench.local);
    let to = SocketAddr::new(ip("10.0.0.2"), 7);
    bench
        .agent
        .handle_response(now, &mut bench.set, id, Ok(local));
    bench.know_peer();
    bench.candidate(Candidate {
        protocol: Protocol::Tcp,
        tcp_type: Some(TcpType::Passive),
        ..candidate(7, 100)
    });
    let mut requests = std::iter::from_fn(|| bench.agent.poll_request());
    let id = requests.find_map(|it| match it {
        Request::Connect { id, .. } => Some(id),
        _ => None,
    });
    bench.agent.handle_interfaces(now, &mut bench.set, &[]);
    while bench.agent.poll_request().is_some() {}
    bench
        .agent
        .handle_response(now, &mut bench.set, id.unwrap(), Ok(local));
    let path = Path {
        local,
        remote: to,
        protocol: Protocol::Tcp,
    };
    assert_eq!(
        bench.agent.poll_request(),
        Some(Request::Disconnect { path })
    );
}
