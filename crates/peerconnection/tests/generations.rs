//! Generations of ICE between two and three engines: restarts, forks, rollbacks and glare, with one transport and with two. Each ends with
//! bytes both ways, and no check names a generation that is gone.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_netsim::{epoch, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, IceCandidateInit, IceTransportState,
    MediaKind, Message, OfferOptions, SdpType, SessionDescription,
    engine::{
        Anchor, ChannelId, Engine, Event, Interface, Path, Request, Settings, TransceiverInit,
    },
};
use oxirtc_stun::{Class, Message as Stun};

/// One engine, with what it has told.
struct End {
    engine: Engine,
    next_port: u16,
    channels: Vec<ChannelId>,
    inbox: Vec<Message>,
    told: Vec<IceCandidateInit>,
}

/// What an engine has sent.
struct Sent {
    at: Instant,
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

/// Some engines, each of which reaches each.
struct Sim {
    now: Instant,
    ends: Vec<End>,
    wire: BTreeMap<(Instant, usize), (usize, Path, Vec<u8>)>,
    sent: Vec<Sent>,
    /// Nothing arrives.
    severed: bool,
    /// Sections have a transport each.
    apart: bool,
    /// Candidates are passed on as they are told, between these two.
    trickles: Option<(usize, usize)>,
}

impl Sim {
    fn new(count: u8, apart: bool) -> Self {
        let ends = (1..=count).map(|index| {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            let instant = epoch();
            let anchor = Anchor { instant, wall };
            let (configuration, settings) = (Configuration::default(), Settings::default());
            let mut engine = Engine::new(configuration, settings, [index; 32], anchor).unwrap();
            let interface = Interface {
                name: "eth0".into(),
                index: 2,
                address: [10, 0, 0, index].into(),
                default_route: true,
                cost: 0,
            };
            engine.handle_interfaces(instant, &[interface]);
            End {
                engine,
                next_port: 4000,
                channels: Vec::new(),
                inbox: Vec::new(),
                told: Vec::new(),
            }
        });
        Self {
            now: epoch(),
            ends: ends.collect(),
            wire: BTreeMap::new(),
            sent: Vec::new(),
            severed: false,
            apart,
            trickles: Some((0, 1)),
        }
    }

    /// Everything that is to be said now.
    fn settle(&mut self) {
        let now = self.now;
        for at in 0..self.ends.len() {
            let end = &mut self.ends[at];
            loop {
                while let Some(request) = end.engine.poll_request() {
                    if let Request::Bind { id, address, .. } = request {
                        end.next_port += 1;
                        let bound = SocketAddr::new(address, end.next_port);
                        end.engine.handle_response(now, id, Ok(bound));
                    }
                }
                let Some(task) = end.engine.poll_task() else {
                    break;
                };
                for event in task {
                    match event {
                        Event::IceCandidate(Some(candidate)) => {
                            end.told.push(candidate.to_init());
                        }
                        Event::DataChannel(id) => end.channels.push(id),
                        Event::Readable(id) => {
                            while let Some(message) = end.engine.read(now, id) {
                                end.inbox.push(message);
                            }
                        }
                        _ => {}
                    }
                }
            }
            let mut buf = Vec::new();
            while let Some(transmit) = end.engine.poll_transmit(now, &mut buf) {
                let to = owner(transmit.path.remote);
                for bytes in buf.chunks(transmit.segment) {
                    let bytes = bytes.to_vec();
                    let path = Path::udp(transmit.path.remote, transmit.path.local);
                    self.sent.push(Sent {
                        at: now,
                        from: at,
                        to,
                        bytes: bytes.clone(),
                    });
                    if !self.severed {
                        let due = (now + ms(5), self.sent.len());
                        self.wire.insert(due, (to, path, bytes));
                    }
                }
                buf.clear();
            }
        }
        if let Some((a, b)) = self.trickles {
            self.pass_candidates(a, b);
            self.pass_candidates(b, a);
        }
    }

    /// What one has told so far, to another one that may not be ready for it.
    fn pass_candidates(&mut self, from: usize, to: usize) {
        if self.ends[to].engine.remote_description().is_none() {
            return;
        }
        for candidate in std::mem::take(&mut self.ends[from].told) {
            let _late = self.ends[to].engine.add_ice_candidate(self.now, &candidate);
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        self.settle();
        let timers = self.ends.iter().filter_map(|it| it.engine.poll_timeout());
        let arrivals = self.wire.keys().map(|(due, _)| *due);
        let Some(next) = timers.chain(arrivals).min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        while let Some(entry) = self.wire.first_entry().filter(|it| it.key().0 <= next) {
            let (to, path, mut bytes) = entry.remove();
            self.ends[to]
                .engine
                .handle_datagram(self.now, path, &mut bytes);
        }
        for end in &mut self.ends {
            end.engine.handle_timeout(self.now);
        }
        self.settle();
        true
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(20);
        while !done(self) {
            let states: Vec<_> = (0..self.ends.len()).map(|at| self.states(at)).collect();
            assert!(self.step(end), "{what}: {states:?}");
        }
    }

    fn states(&self, at: usize) -> Vec<IceTransportState> {
        let transports = self.ends[at].engine.transports();
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
        let now = self.now;
        let engine = &mut self.ends[0].engine;
        if self.apart {
            let init = TransceiverInit::default();
            engine
                .add_transceiver(MediaKind::Audio, None, init)
                .unwrap();
        }
        engine
            .create_data_channel(now, "first", &DataChannelInit::default())
            .unwrap();
    }

    fn offer(&mut self, from: usize, restart: bool) -> SessionDescription {
        let options = OfferOptions {
            ice_restart: restart,
            ..OfferOptions::default()
        };
        let engine = &mut self.ends[from].engine;
        let offer = engine.create_offer(&options).unwrap();
        engine.set_local_description(self.now, Some(offer)).unwrap();
        self.settle();
        self.shown(self.ends[from].engine.pending_local_description().unwrap())
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
        let engine = &mut self.ends[at].engine;
        engine.set_remote_description(self.now, offer).unwrap();
        self.answer_as(at, kind)
    }

    fn answer_as(&mut self, at: usize, kind: SdpType) -> SessionDescription {
        let engine = &mut self.ends[at].engine;
        let sdp = engine.create_answer().unwrap().sdp;
        let answer = SessionDescription { kind, sdp };
        engine
            .set_local_description(self.now, Some(answer))
            .unwrap();
        self.settle();
        let engine = &self.ends[at].engine;
        self.shown(engine.local_description().unwrap())
    }

    fn take(&mut self, at: usize, description: SessionDescription) {
        let engine = &mut self.ends[at].engine;
        engine
            .set_remote_description(self.now, description)
            .unwrap();
        self.settle();
    }

    fn roll_back(&mut self, at: usize) {
        let back = SessionDescription {
            kind: SdpType::Rollback,
            sdp: String::new(),
        };
        let engine = &mut self.ends[at].engine;
        engine.set_local_description(self.now, Some(back)).unwrap();
        self.settle();
    }

    /// Bytes both ways between 0 and another one, on a channel that is new.
    fn exchange(&mut self, with: usize) {
        self.until("up", |sim| sim.is_up(0) && sim.is_up(with));
        let now = self.now;
        let init = DataChannelInit::default();
        let near = &mut self.ends[0].engine;
        let here = near.create_data_channel(now, "new", &init).unwrap();
        let known = self.ends[with].channels.len();
        self.until("a channel", |sim| {
            let open = sim.ends[0].engine.channel(here).map(|it| it.ready_state());
            open == Some(DataChannelState::Open) && sim.ends[with].channels.len() > known
        });
        let there = *self.ends[with].channels.last().unwrap();
        for (at, channel) in [(0, here), (with, there)] {
            self.ends[0].inbox.clear();
            self.ends[with].inbox.clear();
            let other = if at == 0 { with } else { 0 };
            let message = Message::from("there");
            let engine = &mut self.ends[at].engine;
            engine.send(self.now, channel, &message).unwrap();
            self.until("a message", |sim| {
                sim.ends[other].inbox == [message.clone()]
            });
        }
    }

    fn ufrag(&self, at: usize) -> String {
        let mut transports = self.ends[at].engine.transports();
        let view = transports.next().unwrap();
        view.local_parameters().unwrap().username_fragment.clone()
    }

    /// Which fragments of others the checks of one have named since then.
    fn named(&self, from: usize, since: Instant) -> Vec<String> {
        let sent = self.sent.iter();
        let sent = sent.filter(|it| it.from == from && it.at >= since);
        let named = sent.filter_map(|it| {
            let message = Stun::parse(&it.bytes).ok()?;
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
        self.severed = !connected;
        self.trickles = Some((0, with));
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
            sim.severed = false;
            let answer = sim.answer(to, offer, SdpType::Answer);
            sim.take(from, answer);
            sim.exchange(1);
            sim.run(Duration::from_secs(5));
            let since = sim.now;
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
        sim.severed = false;
        sim.exchange(1);
        // Nothing was told of what was taken back.
        let since = sim.now;
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
        sim.severed = false;
        let answer = sim.answer(0, offer, SdpType::Answer);
        sim.take(1, answer);
        sim.exchange(1);
    });
}

/// Table of generations, 19: a second restart before the first one has a pair.
#[test]
fn a_second_restart_takes_over() {
    cases(|mut sim| {
        sim.severed = true;
        for _ in 0..2 {
            let offer = sim.offer(0, true);
            let answer = sim.answer(1, offer, SdpType::Answer);
            sim.take(0, answer);
            sim.run(ms(500));
        }
        sim.severed = false;
        sim.exchange(1);
    });
}

/// Table of generations, 10, 11, 13: a provisional answer, then the answer of the same peer. Until then both generations are there.
#[test]
fn a_provisional_answer_lets_both_live() {
    cases(|mut sim| {
        let old = sim.ufrag(1);
        let offer = sim.offer(0, true);
        sim.severed = false;
        let provisional = sim.answer(1, offer, SdpType::Pranswer);
        sim.take(0, provisional);
        sim.exchange(1);
        let since = sim.now;
        sim.run(Duration::from_secs(12));
        let named = sim.named(0, since);
        assert!(named.contains(&sim.ufrag(1)), "{named:?}");
        let answer = sim.answer_as(1, SdpType::Answer);
        sim.take(0, answer);
        sim.exchange(1);
        sim.run(Duration::from_secs(3));
        let since = sim.now;
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
        sim.trickles = None;
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
        let late = std::mem::take(&mut sim.ends[1].told);
        let offer = sim.offer(0, true);
        let provisional = sim.answer(1, strip(offer), SdpType::Pranswer);
        sim.take(0, strip(provisional));
        sim.run(Duration::from_secs(1));
        assert!(!sim.is_up(0));
        let ufrags = late.iter().filter_map(|it| it.username_fragment.clone());
        let ufrags: BTreeSet<_> = ufrags.collect();
        assert_eq!(ufrags.len(), 1 + usize::from(apart));
        for candidate in &late {
            let engine = &mut sim.ends[0].engine;
            engine.add_ice_candidate(sim.now, candidate).unwrap();
        }
        let since = sim.now;
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
        sim.trickles = Some((0, 1));
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
        sim.trickles = Some((0, 2));
        let since = sim.now;
        sim.take(0, second);
        sim.exchange(2);
        // RFC 9147 §4: handshakes are in the clear at first, with content type 22.
        let mut sent = sim.sent.iter().filter(|it| it.from == 0 && it.at >= since);
        let strayed = sent.any(|it| it.to == 1 && it.bytes.first() == Some(&22));
        assert!(!strayed, "the handshake with one goes to the other");
        let first = sim.ufrag(1);
        sim.run(Duration::from_secs(40));
        let later = sim.now;
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
        sim.trickles = Some((0, 2));
        let offer = sim.offer(0, false);
        let answer = sim.answer(2, offer, SdpType::Answer);
        sim.take(0, answer);
        sim.exchange(2);
        assert_ne!(sim.ufrag(1), sim.ufrag(2));
    }
}
