//! Two agents in simulated time: a wire with delay and loss between them, signalling that is instant
//! unless a test holds it back.
#![expect(dead_code, reason = "each test uses its part")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use oxirtc_ice::{Agent, Candidate, Config, Event, Interface, Path, Request, Role, State};

/// One agent with what it said.
pub(crate) struct Peer {
    pub(crate) agent: Agent,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) events: Vec<Event>,
    pub(crate) gathered: Vec<Candidate>,
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) closed: Vec<SocketAddr>,
    next_port: u16,
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
    /// Candidates are passed on as they come.
    pub(crate) trickle: bool,
    pub(crate) sent: Vec<Sent>,
    wire: BTreeMap<(Instant, u64), (usize, Path, Vec<u8>)>,
    serial: u64,
    random: u64,
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

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, [Config::default(), Config::default()])
    }

    pub(crate) fn with(seed: u64, configs: [Config; 2]) -> Self {
        let now = oxirtc_netsim::epoch();
        let mut side = 0;
        let peers = configs.map(|config| {
            side += 1;
            let mut bytes = [side; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            let mut agent = Agent::new(config, bytes, now);
            let credentials = agent.generate_credentials();
            agent.set_local_credentials(now, credentials).unwrap();
            Peer {
                agent,
                addresses: vec![ip(&format!("10.0.0.{side}"))],
                events: Vec::new(),
                gathered: Vec::new(),
                received: Vec::new(),
                closed: Vec::new(),
                next_port: 1000 * u16::from(side),
            }
        });
        let mut sim = Self {
            now,
            start: now,
            peers,
            delay: ms(10),
            loss: 0,
            up: [true, true],
            trickle: true,
            sent: Vec::new(),
            wire: BTreeMap::new(),
            serial: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        sim.peers[0].agent.set_role(now, Role::Controlling);
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
        let credentials = self.peers[side].agent.local_credentials().unwrap().clone();
        let other = &mut self.peers[1 - side].agent;
        other.set_remote_credentials(self.now, credentials).unwrap();
    }

    /// New credentials for one side.
    pub(crate) fn renew(&mut self, side: usize) {
        let agent = &mut self.peers[side].agent;
        let credentials = agent.generate_credentials();
        agent.set_local_credentials(self.now, credentials).unwrap();
    }

    pub(crate) fn gather(&mut self, side: usize) {
        let now = self.now;
        let peer = &mut self.peers[side];
        let interfaces: Vec<_> = peer
            .addresses
            .iter()
            .map(|address| Interface {
                name: "eth0".into(),
                index: 1,
                address: *address,
            })
            .collect();
        peer.agent.handle_interfaces(now, &interfaces);
        peer.agent.gather(now).unwrap();
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
            for side in [0, 1] {
                while let Some(request) = self.peers[side].agent.poll_request() {
                    busy = true;
                    self.answer(side, request);
                }
                while let Some(event) = self.peers[side].agent.poll_event() {
                    busy = true;
                    self.signal(side, event);
                }
                while let Some(path) = self.peers[side].agent.control_path() {
                    let mut bytes = Vec::new();
                    assert!(self.peers[side].agent.poll_transmit(now, 1200, &mut bytes));
                    self.carry(side, path, bytes);
                }
            }
        }
    }

    fn answer(&mut self, side: usize, request: Request) {
        let now = self.now;
        let peer = &mut self.peers[side];
        match request {
            Request::Bind { id, address, .. } => {
                peer.next_port += 1;
                let bound = SocketAddr::new(address, peer.next_port);
                peer.agent.handle_response(now, id, Ok(bound));
            }
            Request::Close { local } => peer.closed.push(local),
            _ => {}
        }
    }

    fn signal(&mut self, side: usize, event: Event) {
        use oxirtc_ice::GatheringState::Complete;
        let now = self.now;
        let other = &mut self.peers[1 - side].agent;
        if let Event::CandidateGathered { candidate, .. } = &event {
            if self.trickle {
                other.add_remote_candidate(now, candidate.clone()).unwrap();
            }
            self.peers[side].gathered.push(candidate.clone());
        } else if self.trickle && event == Event::GatheringStateChanged(Complete) {
            other.set_remote_end_of_candidates(now);
        }
        self.peers[side].events.push(event);
    }

    /// Puts a datagram on the wire.
    pub(crate) fn carry(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        let at = self.now;
        let lost = (self.random() >> 20).to_be_bytes()[7] < self.loss;
        if self.up[from] && !lost {
            let back = Path::udp(path.remote, path.local);
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

    /// Hands a datagram to one side.
    pub(crate) fn deliver(&mut self, to: usize, path: Path, mut bytes: Vec<u8>) {
        let peer = &mut self.peers[to];
        let known = peer.addresses.contains(&path.local.ip());
        if known {
            let received = &mut peer.received;
            let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
            peer.agent
                .handle_datagram(self.now, path, &mut bytes, &mut sink);
        }
    }

    /// Sends payload where the agent wants it.
    pub(crate) fn send_payload(&mut self, from: usize, payload: &[u8]) {
        let path = self.peers[from].agent.payload_path().unwrap();
        self.carry(from, path, payload.to_vec());
    }

    /// Lets one moment pass; `false` when nothing happens until `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        self.flush();
        let timers = self
            .peers
            .iter()
            .filter_map(|peer| peer.agent.poll_timeout());
        let arrivals = self.wire.keys().map(|(due, _)| *due);
        let Some(next) = timers.chain(arrivals).min().filter(|next| *next <= end) else {
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
            self.deliver(to, path, bytes);
        }
        for peer in &mut self.peers {
            peer.agent.handle_timeout(next);
            let timeout = peer.agent.poll_timeout();
            assert!(
                timeout.is_none_or(|at| at > next),
                "a timer stands in the past"
            );
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

    /// The states that an agent went through.
    pub(crate) fn history(&self, side: usize) -> Vec<State> {
        let states = self.peers[side].events.iter();
        let state = |event: &Event| match event {
            Event::StateChanged(state) => Some(*state),
            _ => None,
        };
        states.filter_map(state).collect()
    }
}
