//! Two connections in simulated time, each with an agent for each transport: what lies between them is the test's, and
//! signalling is instant unless a test holds it back.
#![expect(dead_code, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod between;
pub(crate) mod peer;
#[path = "../../../turn/tests/server/mod.rs"]
pub(crate) mod server;

use std::{
    borrow::BorrowMut,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use oxirtc_ice::{
    Candidate, Config, Credentials, Event, GenerationId, Path, Plan, Protocol, RemoteIce, Role,
    State,
};
use oxirtc_netsim::{End, Pair};

use self::{between::Between, peer::Peer};

/// The first controls, unless the test says otherwise.
pub(crate) type Sim = Pair<Peer, Between>;

pub(crate) type Sent = oxirtc_netsim::Sent<Path>;

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

pub(crate) fn new(seed: u64) -> Sim {
    with(seed, [Config::default(), Config::default()])
}

pub(crate) fn with(seed: u64, configs: [Config; 2]) -> Sim {
    many(seed, configs, 1)
}

/// Connections of several transports.
pub(crate) fn many(seed: u64, [a, b]: [Config; 2], transports: u8) -> Sim {
    let peers =
        [(1, a), (2, b)].map(|(number, config)| Peer::new(number, seed, &config, transports));
    let mut sim = Sim::new(peers, Between::new(seed));
    sim.room = 1280;
    sim.sent = Some(Vec::new());
    sim.ends[0].set.set_role(Role::Controlling);
    sim
}

pub(crate) fn number(end: End) -> usize {
    usize::from(end == End::B)
}

/// What tests of agents do with a pair, whose sides have numbers.
pub(crate) trait Sides: BorrowMut<Sim> {
    /// Both gather and know each other's credentials; candidates and their end are passed on.
    fn connect(&mut self) -> &mut Sim {
        let sim: &mut Sim = self.borrow_mut();
        sim.exchange();
        sim.gather(0);
        sim.gather(1);
        sim.settle();
        sim
    }

    /// Everything that both have to say.
    fn settle(&mut self) {
        let sim: &mut Sim = self.borrow_mut();
        sim.flush(End::A);
        sim.flush(End::B);
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) -> &mut Sim {
        let sim: &mut Sim = self.borrow_mut();
        sim.run_for(time);
        sim
    }

    /// Sets something of both.
    fn both(&mut self, set: impl FnMut(&mut Peer)) {
        let sim: &mut Sim = self.borrow_mut();
        sim.ends.iter_mut().for_each(set);
    }

    /// What a name stands for, whoever asks.
    fn name(&mut self, name: &str, address: IpAddr) {
        self.both(|it| drop(it.names.insert(name.into(), vec![address])));
    }

    /// Names that were asked for, by the first and by the second.
    fn asked(&self) -> Vec<&str> {
        let sim: &Sim = self.borrow();
        let asked = sim.ends.iter().flat_map(|it| &it.asked);
        asked.map(String::as_str).collect()
    }

    fn exchange(&mut self) {
        self.tell_credentials(0);
        self.tell_credentials(1);
    }

    /// Tells the other side this one's credentials.
    fn tell_credentials(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        let [mut teller, mut hearer] = sim.ends.each_mut();
        if side == 1 {
            std::mem::swap(&mut teller, &mut hearer);
        }
        for (told, it) in teller.transports.iter().zip(&mut hearer.transports) {
            it.remote = Some(RemoteIce {
                credentials: told.local.clone(),
                lite: false,
                trickle: teller.says_trickle,
                renomination: teller.says_renomination,
            });
        }
        hearer.replan(sim.now, |it| it.planned);
    }

    /// Gives the first agent of a side a plan of the test's own.
    fn plan(&mut self, side: usize, plan: Plan) {
        let sim: &mut Sim = self.borrow_mut();
        let peer = &mut sim.ends[side];
        peer.transports[0].set_plan(sim.now, &mut peer.set, plan);
        sim.settle();
    }

    /// New credentials for one side.
    fn renew(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        for transport in &mut sim.ends[side].transports {
            transport.local = transport.agent.generate_credentials();
        }
        sim.gather(side);
    }

    /// Tells a side its addresses, and gathers for its newest credentials.
    fn gather(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        sim.tell_interfaces(side);
        sim.ends[side].replan(sim.now, |it| it.agent.state() != State::Closed);
    }

    fn tell_interfaces(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        sim.ends[side].tell_interfaces(sim.now, &sim.wire.addresses[side]);
    }

    /// A candidate that a side is told of, in its newest generation.
    fn candidate(&mut self, side: usize, candidate: Candidate) {
        let sim: &mut Sim = self.borrow_mut();
        sim.ends[side].hear(sim.now, Some(candidate));
    }

    /// The end of candidates in the newest generation.
    fn end_of_candidates(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        sim.ends[side].hear(sim.now, None);
    }

    fn set_role(&mut self, side: usize, role: Role) {
        let sim: &mut Sim = self.borrow_mut();
        let peer = &mut sim.ends[side];
        peer.set.set_role(role);
        peer.attend(sim.now);
    }

    fn close(&mut self, side: usize) {
        let sim: &mut Sim = self.borrow_mut();
        let peer = &mut sim.ends[side];
        for transport in &mut peer.transports {
            transport.agent.close(sim.now, &mut peer.set);
        }
    }

    fn payload_path(&self, side: usize) -> Option<Path> {
        let sim: &Sim = self.borrow();
        let agent = &sim.ends[side].agent;
        let way = agent.payload_way(sim.now, GenerationId::default());
        way.map(|way| way.path)
    }

    fn has_consent(&self, side: usize) -> bool {
        self.payload_path(side).is_some()
    }

    /// Sends this as if the agent of this side did.
    fn carry(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        let sim: &mut Sim = self.borrow_mut();
        sim.ends[from].send(path, bytes);
        sim.flush(End::BOTH[from]);
    }

    /// Sends payload where the agent wants it.
    fn send_payload(&mut self, from: usize, payload: &[u8]) {
        let sim: &mut Sim = self.borrow_mut();
        let now = sim.now;
        let agent = &mut sim.ends[from].agent;
        let way = agent.payload_way(now, GenerationId::default()).unwrap();
        let mut bytes = vec![0; way.headroom];
        bytes.extend_from_slice(payload);
        agent.wrap(now, &way, &mut bytes, 0).unwrap();
        assert!(bytes.len() <= way.headroom + payload.len() + way.tailroom);
        sim.carry(from, way.path, bytes);
    }

    fn states(&self) -> [State; 2] {
        let sim: &Sim = self.borrow();
        sim.ends.each_ref().map(|it| it.agent.state())
    }

    fn both_are(&self, state: State) -> bool {
        self.states() == [state, state]
    }

    /// What was sent since it was forgotten.
    fn sent(&self) -> &[Sent] {
        let sim: &Sim = self.borrow();
        sim.sent.as_ref().unwrap()
    }

    fn sent_by(&self, side: usize) -> impl Iterator<Item = &Sent> {
        let sent = self.sent().iter();
        sent.filter(move |it| it.from == End::BOTH[side])
    }

    fn forget_sent(&mut self) {
        let sim: &mut Sim = self.borrow_mut();
        sim.sent = Some(Vec::new());
    }

    /// When this side sent requests, and what.
    fn requests(&self, side: usize) -> Vec<&Sent> {
        let is_request = |it: &&Sent| it.datagram.starts_with(&[0, 1]);
        self.sent_by(side).filter(is_request).collect()
    }

    /// Ends the streams of a side to a server.
    fn cut_streams(&mut self, side: usize, server: SocketAddr) {
        let sim: &mut Sim = self.borrow_mut();
        let peer = &mut sim.ends[side];
        for transport in &mut peer.transports {
            for local in transport.bound.clone() {
                let path = Path {
                    local,
                    remote: server,
                    protocol: Protocol::Tcp,
                };
                transport.agent.handle_closed(sim.now, &mut peer.set, path);
            }
        }
    }

    /// How many streams were opened.
    fn opened(&self) -> usize {
        let sim: &Sim = self.borrow();
        sim.ends.iter().map(|it| it.connects.len()).sum()
    }

    /// The states that an agent went through.
    fn history(&self, side: usize) -> Vec<State> {
        let sim: &Sim = self.borrow();
        let state = |event: &Event| match event {
            Event::StateChanged(state) => Some(*state),
            _ => None,
        };
        sim.ends[side].events.iter().filter_map(state).collect()
    }
}

impl Sides for Sim {}
