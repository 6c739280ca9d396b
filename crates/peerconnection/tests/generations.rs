//! Generations of ICE between two and three engines: restarts, forks, rollbacks and glare, with one transport and with two. Each ends with
//! bytes both ways, and no check names a generation that is gone.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use oxirtc_netsim::{self as netsim, Across, Link, Machine, Network, Tap, earliest, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, IceTransportState, MediaKind, Message,
    OfferOptions, SdpType, SessionDescription,
    engine::{ChannelId, Engine, Path, Settings, TransceiverInit},
};
use oxirtc_stun::{Class, Message as Stun};
use pair::{End, LONGEST, route};

/// The engines behind one end of signalling: one, or those that an offer is forked to (RFC 9429 §3.5). Each has an address.
struct Side {
    ends: Vec<End>,
    /// Whose candidates are passed on, and who gets those of the other side.
    trickles: Option<usize>,
}

impl Machine for Side {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        let mut ends = self.ends.iter_mut();
        let end = ends.find(|it| it.address == path.local.ip()).unwrap();
        end.handle_datagram(now, path, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ends.iter_mut().for_each(|it| it.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.ends.iter().map(End::poll_timeout))
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let mut ends = self.ends.iter_mut();
        ends.find_map(|it| it.poll_transmit(now, room, buf))
    }

    fn poll(&mut self, now: Instant) -> bool {
        self.ends.iter_mut().any(|it| it.poll(now))
    }

    fn mirrored(path: Path) -> Path {
        End::mirrored(path)
    }

    fn signal(&mut self, now: Instant, other: &mut Self) -> bool {
        let Some((here, there)) = self.trickles.zip(other.trickles) else {
            return false;
        };
        self.ends[here].signal(now, &mut other.ends[there])
    }

    fn describe(&self) -> String {
        let described: Vec<_> = self.ends.iter().map(End::describe).collect();
        described.join("\n")
    }
}

/// Engine 0 on one side, and the others on the other one.
struct Sim {
    pair: netsim::Pair<Side, Across<Path>>,
    /// Sections have a transport each.
    apart: bool,
}

impl Sim {
    fn new(count: u8, apart: bool) -> Self {
        let mut network = Network::new(0).default_link(Link::new(0).delay(ms(5)));
        let mut nodes = Vec::new();
        let [near, far] = [1..=1, 2..=count].map(|side| {
            let addresses: Vec<IpAddr> = side.clone().map(|it| [10, 0, 0, it].into()).collect();
            nodes.push(network.add_node(&addresses));
            let end = |(index, address)| {
                let (configuration, settings) = (Configuration::default(), Settings::default());
                End::new(configuration, settings, [index; 32], address)
            };
            Side {
                ends: side.zip(addresses).map(end).collect(),
                trickles: Some(0),
            }
        });
        let nodes = [nodes[0], nodes[1]];
        let wire = Across::new(network, nodes, |path| (path.local, path.remote), route);
        let mut pair = netsim::Pair::new([near, far], wire);
        pair.room = LONGEST;
        pair.sent = Some(Vec::new());
        Self { pair, apart }
    }

    fn end(&mut self, at: usize) -> &mut End {
        let (side, at) = place(at);
        &mut self.pair.end(side).ends[at]
    }

    fn engine(&self, at: usize) -> &Engine {
        let (side, at) = place(at);
        &self.pair[side].ends[at].engine
    }

    /// A verb of an engine, and all that follows from it now.
    fn with<T>(&mut self, at: usize, verb: impl FnOnce(&mut Engine, Instant) -> T) -> T {
        let (side, at) = place(at);
        let verb = |side: &mut Side, now| verb(&mut side.ends[at].engine, now);
        self.pair.with(side, verb)
    }

    /// Whether nothing arrives from now on.
    fn sever(&mut self, severed: bool) {
        self.pair.tap = severed.then(|| Box::new(|_, _: &mut Vec<u8>| false) as Tap);
    }

    /// Which of the others talks with 0 by signalling.
    fn trickle(&mut self, with: Option<usize>) {
        self.pair.ends[1].trickles = with.map(|with| place(with).1);
    }

    fn run(&mut self, time: Duration) {
        self.pair.run_for(time);
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.pair.now + Duration::from_secs(20);
        while !done(self) {
            assert!(self.pair.advance(end), "{what}");
        }
    }

    fn states(&self, at: usize) -> Vec<IceTransportState> {
        let transports = self.engine(at).transports();
        transports.map(|it| it.ice_state()).collect()
    }

    /// Whether each transport has a pair.
    fn is_up(&self, at: usize) -> bool {
        let states = self.states(at);
        let up = [IceTransportState::Connected, IceTransportState::Completed];
        states.len() == 1 + usize::from(self.apart) && states.iter().all(|it| up.contains(it))
    }

    /// With something for each transport to do.
    fn begin(&mut self) {
        if self.apart {
            let init = TransceiverInit::default();
            let added = self.with(0, |engine, _| {
                engine.add_transceiver(MediaKind::Audio, None, init)
            });
            added.unwrap();
        }
        self.open("first");
    }

    fn open(&mut self, label: &str) -> ChannelId {
        let init = DataChannelInit::default();
        let opened = self.with(0, |engine, now| {
            engine.create_data_channel(now, label, &init)
        });
        opened.unwrap()
    }

    fn offer(&mut self, from: usize, restart: bool) -> SessionDescription {
        let options = OfferOptions {
            ice_restart: restart,
            ..OfferOptions::default()
        };
        let offer = self.end(from).engine.create_offer(&options).unwrap();
        self.set(from, offer);
        self.shown(self.engine(from).pending_local_description().unwrap())
    }

    fn set(&mut self, at: usize, description: SessionDescription) {
        let set = self.with(at, |engine, now| {
            engine.set_local_description(now, Some(description))
        });
        set.unwrap();
    }

    /// As it travels.
    fn shown(&self, mut description: SessionDescription) -> SessionDescription {
        if self.apart {
            let lines = description.sdp.split_inclusive('\n');
            let lines = lines.filter(|it| !it.starts_with("a=group:BUNDLE"));
            description.sdp = lines.collect();
        }
        description
    }

    /// Takes an offer and answers it, provisionally or for good.
    fn answer(
        &mut self,
        at: usize,
        offer: SessionDescription,
        kind: SdpType,
    ) -> SessionDescription {
        let now = self.pair.now;
        let engine = &mut self.end(at).engine;
        engine.set_remote_description(now, offer).unwrap();
        self.answer_as(at, kind)
    }

    fn answer_as(&mut self, at: usize, kind: SdpType) -> SessionDescription {
        let sdp = self.end(at).engine.create_answer().unwrap().sdp;
        self.set(at, SessionDescription { kind, sdp });
        self.shown(self.engine(at).local_description().unwrap())
    }

    fn take(&mut self, at: usize, description: SessionDescription) {
        let set = self.with(at, |engine, now| {
            engine.set_remote_description(now, description)
        });
        set.unwrap();
    }

    fn roll_back(&mut self, at: usize) {
        let back = SessionDescription {
            kind: SdpType::Rollback,
            sdp: String::new(),
        };
        self.set(at, back);
    }

    /// Bytes both ways between 0 and another one, on a channel that is new.
    fn exchange(&mut self, with: usize) {
        self.until("up", |sim| sim.is_up(0) && sim.is_up(with));
        let known = self.end(with).channels.len();
        let here = self.open("new");
        self.until("a channel", |sim| {
            let open = sim.engine(0).channel(here).map(|it| it.ready_state());
            let (side, at) = place(with);
            let channels = &sim.pair[side].ends[at].channels;
            open == Some(DataChannelState::Open) && channels.len() > known
        });
        let there = *self.end(with).channels.last().unwrap();
        for ((at, channel), (other, its)) in
            [((0, here), (with, there)), ((with, there), (0, here))]
        {
            self.end(other).inbox.clear();
            let message = Message::from("there");
            let sent = self.with(at, |engine, now| engine.send(now, channel, &message));
            sent.unwrap();
            let whole = [(its, message)];
            self.until("a message", |sim| {
                let (side, at) = place(other);
                sim.pair[side].ends[at].inbox == whole
            });
        }
    }

    fn ufrag(&self, at: usize) -> String {
        let mut transports = self.engine(at).transports();
        let view = transports.next().unwrap();
        view.local_parameters().unwrap().username_fragment.clone()
    }

    /// What one has sent since then: to whom, and what.
    fn sent(&self, from: usize, since: Instant) -> impl Iterator<Item = (usize, &[u8])> {
        let sent = self.pair.sent.iter().flatten();
        let sent = sent.filter(move |it| owner(it.route.local) == from && it.at >= since);
        sent.map(|it| (owner(it.route.remote), it.datagram.as_slice()))
    }

    /// Which fragments of others the checks of one have named since then.
    fn named(&self, from: usize, since: Instant) -> Vec<String> {
        let named = self.sent(from, since).filter_map(|(_, datagram)| {
            let message = Stun::parse(datagram).ok()?;
            let name = message
                .username()
                .filter(|_| message.class() == Class::Request)?;
            Some(name.split_once(':')?.0.to_owned())
        });
        let mut named: Vec<_> = named.collect();
        named.sort();
        named.dedup();
        named
    }

    /// Two that are connected, or would be if anything arrived.
    fn pair(apart: bool, connected: bool) -> Self {
        let mut sim = Self::new(2, apart);
        sim.begin();
        sim.connect_with(1, connected);
        sim
    }

    fn connect_with(&mut self, with: usize, connected: bool) {
        self.sever(!connected);
        self.trickle(Some(with));
        let offer = self.offer(0, false);
        let answer = self.answer(with, offer, SdpType::Answer);
        self.take(0, answer);
        if connected {
            self.exchange(with);
        } else {
            self.run(Duration::from_secs(2));
            assert!(
                self.states(0)
                    .iter()
                    .all(|it| *it == IceTransportState::Checking)
            );
        }
    }
}

/// Where an engine is.
fn place(at: usize) -> (netsim::End, usize) {
    match at {
        0 => (netsim::End::A, 0),
        _ => (netsim::End::B, at - 1),
    }
}

/// The engine that has an address.
fn owner(address: SocketAddr) -> usize {
    match address {
        SocketAddr::V4(v4) => usize::from(v4.ip().octets()[3]) - 1,
        SocketAddr::V6(_) => unreachable!("all of them are of IPv4"),
    }
}

/// With one transport and with two, the stable generation connected and still checking.
fn cases(test: impl Fn(Sim)) {
    for apart in [false, true] {
        for connected in [true, false] {
            test(Sim::pair(apart, connected));
        }
    }
}

/// Table of generations, 3, 9: either side restarts.
#[test]
fn a_restart_moves_everything() {
    cases(|mut sim| {
        for (from, to) in [(0, 1), (1, 0)] {
            let before = [sim.ufrag(0), sim.ufrag(1)];
            let offer = sim.offer(from, true);
            sim.sever(false);
            let answer = sim.answer(to, offer, SdpType::Answer);
            sim.take(from, answer);
            sim.exchange(1);
            sim.run(Duration::from_secs(5));
            let since = sim.pair.now;
            sim.run(Duration::from_secs(30));
            assert!(!before.contains(&sim.ufrag(0)) && !before.contains(&sim.ufrag(1)));
            for (side, old) in [(0, &before[1]), (1, &before[0])] {
                let named = sim.named(side, since);
                assert!(!named.is_empty() && !named.contains(old), "{named:?}");
            }
        }
    });
}

/// Table of generations, 6, 18: a restart that is taken back leaves what there was, also when that has no pair yet.
#[test]
fn a_rollback_leaves_what_there_was() {
    cases(|mut sim| {
        let before = sim.ufrag(0);
        let states = sim.states(0);
        sim.offer(0, true);
        assert_ne!(sim.ufrag(0), before);
        sim.run(ms(300));
        sim.roll_back(0);
        assert_eq!(sim.ufrag(0), before);
        let was_up = states != vec![IceTransportState::Checking; states.len()];
        assert_eq!(sim.is_up(0), was_up);
        sim.sever(false);
        sim.exchange(1);
        // Nothing was told of what was taken back.
        let since = sim.pair.now;
        sim.run(Duration::from_secs(12));
        assert!(sim.named(1, since).contains(&before));
    });
}

/// Table of generations, 18: both restart at once, and one yields.
#[test]
fn one_of_two_restarts_yields() {
    cases(|mut sim| {
        sim.offer(0, true);
        let offer = sim.offer(1, true);
        sim.sever(false);
        let answer = sim.answer(0, offer, SdpType::Answer);
        sim.take(1, answer);
        sim.exchange(1);
    });
}

/// Table of generations, 19: a second restart before the first one has a pair.
#[test]
fn a_second_restart_takes_over() {
    cases(|mut sim| {
        sim.sever(true);
        for _ in 0..2 {
            let offer = sim.offer(0, true);
            let answer = sim.answer(1, offer, SdpType::Answer);
            sim.take(0, answer);
            sim.run(ms(500));
        }
        sim.sever(false);
        sim.exchange(1);
    });
}

/// Table of generations, 10, 11, 13: a provisional answer, then the answer of the same peer. Until then both generations are there.
#[test]
fn a_provisional_answer_lets_both_live() {
    cases(|mut sim| {
        let old = sim.ufrag(1);
        let offer = sim.offer(0, true);
        sim.sever(false);
        let provisional = sim.answer(1, offer, SdpType::Pranswer);
        sim.take(0, provisional);
        sim.exchange(1);
        let since = sim.pair.now;
        sim.run(Duration::from_secs(12));
        let named = sim.named(0, since);
        assert!(named.contains(&sim.ufrag(1)), "{named:?}");
        let answer = sim.answer_as(1, SdpType::Answer);
        sim.take(0, answer);
        sim.exchange(1);
        sim.run(Duration::from_secs(3));
        let since = sim.pair.now;
        sim.run(Duration::from_secs(30));
        let named = sim.named(0, since);
        assert!(!named.is_empty() && !named.contains(&old), "{named:?}");
    });
}

/// Table of generations, 20: while a restart is answered provisionally, candidates that come late for the earlier generation are checked for that one.
#[test]
fn late_candidates_are_for_their_generation() {
    for apart in [false, true] {
        let mut sim = Sim::new(2, apart);
        sim.begin();
        sim.trickle(None);
        let strip = |description: SessionDescription| {
            let lines = description.sdp.split_inclusive('\n');
            let named = |it: &&str| !it.starts_with("a=candidate") && !it.starts_with("a=end-of");
            SessionDescription {
                sdp: lines.filter(named).collect(),
                ..description
            }
        };
        let offer = sim.offer(0, false);
        let answer = sim.answer(1, strip(offer), SdpType::Answer);
        sim.take(0, strip(answer));
        let late = std::mem::take(&mut sim.end(1).held);
        let offer = sim.offer(0, true);
        let provisional = sim.answer(1, strip(offer), SdpType::Pranswer);
        sim.take(0, strip(provisional));
        sim.run(Duration::from_secs(1));
        assert!(!sim.is_up(0));
        let ufrags = late.iter().filter_map(|it| it.username_fragment.clone());
        let ufrags: BTreeSet<_> = ufrags.collect();
        assert_eq!(ufrags.len(), 1 + usize::from(apart));
        for candidate in &late {
            let added = sim.with(0, |engine, now| engine.add_ice_candidate(now, candidate));
            added.unwrap();
        }
        let since = sim.pair.now;
        sim.exchange(1);
        let named = sim.named(0, since);
        assert_eq!(BTreeSet::from_iter(named), ufrags);
    }
}

/// Table of generations, 12, 14: an offer has two answers. The association with the first peer ends, that with the second one is made, and nothing of it
/// goes to the first.
#[test]
fn the_answer_of_another_fork_counts() {
    for (apart, restart, patience) in [
        (false, false, ms(0)),
        (false, false, ms(2_000)),
        (true, false, ms(2_000)),
        (false, true, ms(0)),
        (false, true, ms(2_000)),
        (true, true, ms(2_000)),
    ] {
        let mut sim = Sim::new(3, apart);
        sim.begin();
        if restart {
            sim.connect_with(1, true);
        }
        sim.trickle(Some(1));
        let offer = sim.offer(0, restart);
        let first = sim.answer(1, offer.clone(), SdpType::Answer);
        let second = sim.answer(2, offer, SdpType::Answer);
        let provisional = SessionDescription {
            kind: SdpType::Pranswer,
            ..first
        };
        sim.take(0, provisional);
        if patience > ms(0) {
            sim.exchange(1);
        }
        sim.run(patience);
        sim.trickle(Some(2));
        let since = sim.pair.now;
        sim.take(0, second);
        sim.exchange(2);
        // RFC 9147 §4: handshakes are in the clear at first, with content type 22.
        let mut sent = sim.sent(0, since);
        let strayed = sent.any(|(to, datagram)| to == 1 && datagram.first() == Some(&22));
        drop(sent);
        assert!(!strayed, "the handshake with one goes to the other");
        let first = sim.ufrag(1);
        sim.run(Duration::from_secs(40));
        let later = sim.pair.now;
        sim.run(Duration::from_secs(30));
        let named = sim.named(0, later);
        assert!(!named.is_empty() && !named.contains(&first), "{named:?}");
    }
}

/// Table of generations, 15, 16: an answer to a restart with the old credentials, and one with new credentials to no restart, as of another server behind
/// the peer.
#[test]
fn an_answer_may_renew_alone() {
    for apart in [false, true] {
        // The peer is another one now, which nothing but its credentials and its certificate tells.
        let mut sim = Sim::new(3, apart);
        sim.begin();
        sim.connect_with(1, true);
        sim.trickle(Some(2));
        let offer = sim.offer(0, false);
        let answer = sim.answer(2, offer, SdpType::Answer);
        sim.take(0, answer);
        sim.exchange(2);
        assert_ne!(sim.ufrag(1), sim.ufrag(2));
    }
}
