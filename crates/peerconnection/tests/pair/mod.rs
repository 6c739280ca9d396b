//! Two engines, their network and their clock.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use oxirtc_netsim::{Link, Network, NodeId, epoch};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, Error, IceCandidateInit, Message,
    OfferOptions, PeerConnectionState, SdpType, SessionDescription, Settings,
    engine::{Anchor, ChannelEvent, ChannelId, Engine, Event, Interface, Path, Request, Route},
};

/// Two engines. 0 offers unless a test says otherwise.
pub(crate) struct Pair {
    pub(crate) ends: [End; 2],
    pub(crate) network: Network,
    pub(crate) now: Instant,
    /// Candidates go to the other side as they are told.
    pub(crate) trickle: bool,
    /// Counts datagrams by their first byte, as they are sent: of DTLS and of the rest.
    pub(crate) dtls_sent: [u64; 2],
    /// Looks at, and may change or drop, each datagram on its way.
    pub(crate) tap: Option<Tap>,
}

pub(crate) type Tap = Box<dyn FnMut(usize, &mut Vec<u8>) -> bool>;

/// One side.
pub(crate) struct End {
    pub(crate) engine: Engine,
    pub(crate) node: NodeId,
    pub(crate) address: IpAddr,
    next_port: u16,
    /// All events so far, those of one task in one list.
    pub(crate) tasks: Vec<Vec<Event>>,
    pub(crate) channels: Vec<ChannelId>,
    pub(crate) inbox: Vec<(ChannelId, Message)>,
    /// What comes is read at once.
    pub(crate) reads: bool,
    pub(crate) sockets: Vec<SocketAddr>,
    /// What was said for a shared port.
    pub(crate) routes: Vec<Route>,
    /// Candidates that the other side cannot take yet.
    held: Vec<IceCandidateInit>,
}

impl Pair {
    pub(crate) fn new(seed: u64, link: Link) -> Self {
        let configuration = Configuration::default;
        Self::with(
            seed,
            link,
            [configuration(), configuration()],
            Settings::default(),
        )
    }

    pub(crate) fn with(
        seed: u64,
        link: Link,
        configurations: [Configuration; 2],
        settings: Settings,
    ) -> Self {
        let mut network = Network::new(seed).default_link(link);
        let now = epoch();
        let mut index = 0;
        let ends = configurations.map(|configuration| {
            index += 1;
            let address: IpAddr = format!("10.0.0.{index}").parse().unwrap();
            let node = network.add_node(&[address]);
            let mut bytes = [index; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            End::new(configuration, settings.clone(), bytes, node, address, now)
        });
        Self {
            ends,
            network,
            now,
            trickle: true,
            dtls_sent: [0; 2],
            tap: None,
        }
    }

    /// Two engines that are connected, and the channel that 0 has opened with `init`, at both ends.
    pub(crate) fn connected(
        seed: u64,
        link: Link,
        init: &DataChannelInit,
    ) -> (Self, [ChannelId; 2]) {
        let mut pair = Self::new(seed, link);
        let channels = pair.connect(init);
        (pair, channels)
    }

    pub(crate) fn connect(&mut self, init: &DataChannelInit) -> [ChannelId; 2] {
        let here = self.open(0, "test", init);
        let there = init.negotiated.then(|| self.open(1, "test", init));
        self.negotiate(0).unwrap();
        let open = DataChannelState::Open;
        self.until(Duration::from_secs(60), |pair| {
            pair.ends[0].state(here) == open
        });
        let there = there.unwrap_or_else(|| {
            self.until(Duration::from_secs(60), |pair| {
                !pair.ends[1].channels.is_empty()
            });
            self.ends[1].channels[0]
        });
        self.until(Duration::from_secs(60), |pair| {
            pair.ends[1].state(there) == open
        });
        [here, there]
    }

    pub(crate) fn open(&mut self, side: usize, label: &str, init: &DataChannelInit) -> ChannelId {
        self.ends[side]
            .engine
            .create_data_channel(self.now, label, init)
            .unwrap()
    }

    /// An offer of `side` and its answer, both over signalling that takes no time.
    pub(crate) fn negotiate(&mut self, side: usize) -> Result<(), Error> {
        self.negotiate_with(side, &OfferOptions::default())
    }

    pub(crate) fn negotiate_with(
        &mut self,
        side: usize,
        options: &OfferOptions,
    ) -> Result<(), Error> {
        let offer = self.offer(side, options)?;
        let answer = self.answer(1 - side, offer)?;
        self.ends[side]
            .engine
            .set_remote_description(self.now, answer)?;
        self.exchange();
        Ok(())
    }

    pub(crate) fn offer(
        &mut self,
        side: usize,
        options: &OfferOptions,
    ) -> Result<SessionDescription, Error> {
        let engine = &mut self.ends[side].engine;
        let offer = engine.create_offer(options)?;
        engine.set_local_description(self.now, Some(offer.clone()))?;
        Ok(offer)
    }

    pub(crate) fn answer(
        &mut self,
        side: usize,
        offer: SessionDescription,
    ) -> Result<SessionDescription, Error> {
        let engine = &mut self.ends[side].engine;
        engine.set_remote_description(self.now, offer)?;
        let answer = engine.create_answer()?;
        engine.set_local_description(self.now, Some(answer.clone()))?;
        Ok(answer)
    }

    /// The other side learns the candidates that were told.
    pub(crate) fn exchange(&mut self) {
        for side in 0..2 {
            self.collect(side);
        }
    }

    fn collect(&mut self, side: usize) {
        let now = self.now;
        let told = self.ends[side].collect(now);
        if !self.trickle {
            return;
        }
        for candidate in told {
            // One that comes before its description is lost, as with signalling that is out of order.
            let other = &mut self.ends[1 - side].engine;
            if other.remote_description().is_some() {
                let _late = other.add_ice_candidate(now, &candidate);
            } else {
                self.ends[side].held.push(candidate);
            }
        }
    }

    /// Everything that can happen now; answers when something will.
    pub(crate) fn step(&mut self) -> Option<Instant> {
        loop {
            for side in 0..2 {
                self.ends[side].engine.handle_timeout(self.now);
                self.serve(side);
            }
            let mut arrived = false;
            while let Some(mut delivery) = self.network.receive(self.now) {
                arrived = true;
                let side = usize::from(delivery.node == self.ends[1].node);
                let path = Path::udp(delivery.to, delivery.from);
                self.ends[side]
                    .engine
                    .handle_datagram(self.now, path, &mut delivery.datagram);
                self.serve(side);
            }
            if !arrived {
                break;
            }
        }
        let deadlines = self.ends.iter().map(|end| end.engine.poll_timeout());
        let next = deadlines
            .chain([self.network.poll_timeout()])
            .flatten()
            .min();
        for end in &self.ends {
            let next = end.engine.poll_timeout();
            assert!(
                next.is_none_or(|at| at > self.now),
                "a deadline stays in the past"
            );
        }
        next
    }

    /// Sends, answers requests, gathers events.
    fn serve(&mut self, side: usize) {
        let mut buf = Vec::new();
        loop {
            self.collect(side);
            let end = &mut self.ends[side];
            let mut idle = true;
            while let Some(transmit) = end.engine.poll_transmit(self.now, &mut buf) {
                idle = false;
                assert!(transmit.segment <= 1200 && buf.len() <= 65_487);
                assert!(buf.len().div_ceil(transmit.segment) <= 64);
                for datagram in buf.chunks(transmit.segment) {
                    let mut datagram = datagram.to_vec();
                    if matches!(datagram.first(), Some(20..=63)) {
                        self.dtls_sent[side] += 1;
                    }
                    let tap = self.tap.as_mut();
                    if tap.is_none_or(|tap| tap(side, &mut datagram)) {
                        let Path { local, remote, .. } = transmit.path;
                        self.network.send(self.now, local, remote, datagram);
                    }
                }
                buf.clear();
            }
            while let Some(request) = end.engine.poll_request() {
                idle = false;
                match request {
                    Request::Bind { id, address, .. } => {
                        end.next_port += 1;
                        let bound = SocketAddr::new(address, end.next_port);
                        end.sockets.push(bound);
                        end.engine.handle_response(self.now, id, Ok(bound));
                    }
                    Request::Close { local } => end.sockets.retain(|it| *it != local),
                    Request::Route(route) => end.routes.push(route),
                    _ => {}
                }
            }
            if idle {
                return;
            }
        }
    }

    /// Lets time pass until `done`.
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let (start, end) = (self.now, self.now + limit);
        loop {
            let next = self.step();
            if done(self) {
                return self.now - start;
            }
            match next {
                Some(next) if next <= end => self.now = next.max(self.now),
                _ => panic!(
                    "it did not happen within {limit:?}: {:#?}",
                    self.ends
                        .each_ref()
                        .map(|end| (end.story(), end.engine.counters()))
                ),
            }
        }
    }

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.step().filter(|next| *next <= end) {
            self.now = next.max(self.now);
        }
        self.now = end;
        self.step();
    }

    pub(crate) fn send(&mut self, side: usize, channel: ChannelId, message: impl Into<Message>) {
        self.ends[side]
            .engine
            .send(self.now, channel, &message.into())
            .unwrap();
    }

    pub(crate) fn close_channel(&mut self, side: usize, channel: ChannelId) {
        self.ends[side].engine.close_channel(self.now, channel);
    }
}

impl End {
    fn new(
        configuration: Configuration,
        settings: Settings,
        seed: [u8; 32],
        node: NodeId,
        address: IpAddr,
        now: Instant,
    ) -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let anchor = Anchor { instant: now, wall };
        let mut engine = Engine::new(configuration, settings, seed, anchor).unwrap();
        engine.handle_interfaces(
            now,
            &[Interface {
                name: "eth0".into(),
                index: 2,
                address,
            }],
        );
        Self {
            engine,
            node,
            address,
            next_port: 4000,
            tasks: Vec::new(),
            channels: Vec::new(),
            inbox: Vec::new(),
            reads: true,
            sockets: Vec::new(),
            routes: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Takes what the engine tells; answers the candidates.
    fn collect(&mut self, now: Instant) -> Vec<IceCandidateInit> {
        let mut candidates = std::mem::take(&mut self.held);
        while let Some(task) = self.engine.poll_task() {
            let mut events = Vec::new();
            for event in task {
                match &event {
                    Event::IceCandidate(Some(candidate)) => candidates.push(candidate.to_init()),
                    Event::DataChannel(id) => self.channels.push(*id),
                    Event::Readable(id) => {
                        if self.reads {
                            self.read(now, *id);
                        }
                        continue;
                    }
                    Event::Writable => continue,
                    _ => {}
                }
                events.push(event);
            }
            if !events.is_empty() {
                self.tasks.push(events);
            }
        }
        candidates
    }

    pub(crate) fn read(&mut self, now: Instant, channel: ChannelId) {
        while let Some(message) = self.engine.read(now, channel) {
            self.inbox.push((channel, message));
        }
    }

    pub(crate) fn state(&self, channel: ChannelId) -> DataChannelState {
        self.engine
            .channel(channel)
            .map_or(DataChannelState::Closed, |it| it.ready_state())
    }

    /// The messages of one channel.
    pub(crate) fn messages(&self, channel: ChannelId) -> Vec<&Message> {
        self.inbox
            .iter()
            .filter(|it| it.0 == channel)
            .map(|it| &it.1)
            .collect()
    }

    /// The events so far, without those of transports and candidates, as words.
    pub(crate) fn story(&self) -> Vec<String> {
        self.tasks.iter().flatten().filter_map(word).collect()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.engine.connection_state() == PeerConnectionState::Connected
    }

    pub(crate) fn set(&mut self, now: Instant, kind: SdpType, sdp: &str) -> Result<(), Error> {
        let description = SessionDescription {
            kind,
            sdp: sdp.to_owned(),
        };
        self.engine.set_remote_description(now, description)
    }
}

/// An event in a word, for lists that a test can be read against.
fn word(event: &Event) -> Option<String> {
    Some(match event {
        Event::NegotiationNeeded => "negotiationneeded".into(),
        Event::SignalingStateChange(state) => format!("signaling {state:?}"),
        Event::ConnectionStateChange(state) => format!("connection {state:?}"),
        Event::DataChannel(_) => "datachannel".into(),
        Event::Channel(_, event) => match event {
            ChannelEvent::Error(error) => format!("error {}", error.detail().unwrap().name()),
            event => format!("{event:?}").to_lowercase(),
        },
        Event::SctpTransport(state) => format!("sctp {state:?}"),
        _ => return None,
    })
}
