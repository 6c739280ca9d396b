//! Two engines, their network and their clock.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

pub(crate) mod media;
pub(crate) mod words;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::{Deref, DerefMut},
    time::{Duration, Instant, SystemTime},
};

use oxirtc_netsim::{
    self as netsim, Across, Link, Machine, Nat, NatId, NatKind, Network, NodeId, epoch,
};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, Error, IceCandidateInit, Message,
    OfferOptions, PeerConnectionState, Protocol, SdpType, SessionDescription,
    engine::{
        Anchor, ChannelEvent, ChannelId, Engine, Event, Interface, Path, Request, Route, SendError,
        Settings,
    },
};

pub(crate) const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
];

/// Two engines in a network. 0 offers unless a test says otherwise.
pub(crate) struct Pair(Wired);

/// The engines, what lies between them, and their clock.
pub(crate) type Wired = netsim::Pair<End, Across<Path>>;

/// One side.
pub(crate) struct End {
    pub(crate) engine: Engine,
    pub(crate) address: IpAddr,
    next_port: u16,
    own_ports: u16,
    /// All of its sockets are one.
    pub(crate) one_port: bool,
    /// No UDP gets through to it, and it opens and takes streams.
    pub(crate) without_udp: bool,
    streams: u16,
    /// All events so far, those of one task in one list.
    pub(crate) tasks: Vec<Vec<Event>>,
    pub(crate) channels: Vec<ChannelId>,
    pub(crate) inbox: Vec<(ChannelId, Message)>,
    /// What comes is read at once.
    pub(crate) reads: bool,
    /// Channels of the peer are closed as they are told.
    pub(crate) refuses: bool,
    /// Candidates go to the other side as they are told.
    pub(crate) trickle: bool,
    pub(crate) sockets: Vec<SocketAddr>,
    /// What was said for a shared port.
    pub(crate) routes: Vec<Route>,
    /// Datagrams of DTLS that it has sent.
    pub(crate) dtls_sent: u64,
    /// How many datagrams it has sent of each kind, with each SSRC of RTP, under each mark.
    pub(crate) marks: BTreeMap<(u8, u32, u8), u64>,
    /// How many datagrams of each length it has received.
    pub(crate) lengths: BTreeMap<usize, u64>,
    /// Candidates that the other side cannot take yet.
    pub(crate) held: Vec<IceCandidateInit>,
}

impl Deref for Pair {
    type Target = Wired;

    fn deref(&self) -> &Wired {
        &self.0
    }
}

impl DerefMut for Pair {
    fn deref_mut(&mut self) -> &mut Wired {
        &mut self.0
    }
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
        Self::with_each(seed, link, configurations, [settings.clone(), settings])
    }

    pub(crate) fn with_each(
        seed: u64,
        link: Link,
        configurations: [Configuration; 2],
        settings: [Settings; 2],
    ) -> Self {
        let mut network = Network::new(seed).default_link(link);
        let nodes = ADDRESSES.map(|address| network.add_node(&[address]));
        Self::across((network, nodes), ADDRESSES, seed, configurations, settings)
    }

    /// Two engines that have other addresses.
    pub(crate) fn between(seed: u64, link: Link, addresses: [IpAddr; 2]) -> Self {
        let mut network = Network::new(seed).default_link(link);
        let nodes = addresses.map(|address| network.add_node(&[address]));
        let configurations = [(); 2].map(|()| Configuration::default());
        let settings = [(); 2].map(|()| Settings::default());
        Self::across((network, nodes), addresses, seed, configurations, settings)
    }

    /// Two engines, of which 0 is behind a NAT.
    pub(crate) fn behind_nat(seed: u64, link: Link) -> (Self, NatId) {
        let mut network = Network::new(seed).default_link(link);
        let nat = Nat::new(NatKind::Symmetric, [203, 0, 113, 1].into());
        let nat = network.add_nat(nat);
        let [inside, outside] = ADDRESSES;
        let nodes = [
            network.add_node_behind(nat, &[inside]),
            network.add_node(&[outside]),
        ];
        let configurations = [(); 2].map(|()| Configuration::default());
        let settings = [(); 2].map(|()| Settings::default());
        let pair = Self::across((network, nodes), ADDRESSES, seed, configurations, settings);
        (pair, nat)
    }

    fn across(
        (network, nodes): (Network, [NodeId; 2]),
        addresses: [IpAddr; 2],
        seed: u64,
        configurations: [Configuration; 2],
        mut settings: [Settings; 2],
    ) -> Self {
        let mut index = 0;
        let ends = configurations.map(|configuration| {
            let address = addresses[usize::from(index)];
            let settings = std::mem::take(&mut settings[usize::from(index)]);
            index += 1;
            let mut bytes = [index; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            End::new(configuration, settings, bytes, address)
        });
        let wire = Across::new(network, nodes, |path| (path.local, path.remote), route);
        let mut pair = netsim::Pair::new(ends, wire);
        pair.room = LONGEST;
        Self(pair)
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
        let now = self.now;
        self.ends[side]
            .engine
            .create_data_channel(now, label, init)
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
        let now = self.now;
        let engine = &mut self.ends[side].engine;
        engine.set_remote_description(now, answer)?;
        self.exchange();
        Ok(())
    }

    pub(crate) fn offer(
        &mut self,
        side: usize,
        options: &OfferOptions,
    ) -> Result<SessionDescription, Error> {
        let now = self.now;
        let engine = &mut self.ends[side].engine;
        let offer = engine.create_offer(options)?;
        engine.set_local_description(now, Some(offer.clone()))?;
        Ok(offer)
    }

    pub(crate) fn answer(
        &mut self,
        side: usize,
        offer: SessionDescription,
    ) -> Result<SessionDescription, Error> {
        let now = self.now;
        let engine = &mut self.ends[side].engine;
        engine.set_remote_description(now, offer)?;
        let answer = engine.create_answer()?;
        engine.set_local_description(now, Some(answer.clone()))?;
        Ok(answer)
    }

    /// Each side learns the candidates that the other one was told.
    pub(crate) fn exchange(&mut self) {
        self.flush(netsim::End::A);
        self.flush(netsim::End::B);
    }

    /// Everything that can happen now.
    pub(crate) fn step(&mut self) {
        self.run(Duration::ZERO);
    }

    /// Lets time pass until `done`.
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Wired) -> bool) -> Duration {
        self.run_until(limit, |pair| done(pair))
    }

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_for(time);
    }

    pub(crate) fn send(&mut self, side: usize, channel: ChannelId, message: impl Into<Message>) {
        self.try_send(side, channel, &message.into()).unwrap();
    }

    pub(crate) fn try_send(
        &mut self,
        side: usize,
        channel: ChannelId,
        message: &Message,
    ) -> Result<(), SendError> {
        let now = self.now;
        self.ends[side].engine.send(now, channel, message)
    }

    pub(crate) fn close_channel(&mut self, side: usize, channel: ChannelId) {
        let now = self.now;
        self.ends[side].engine.close_channel(now, channel);
    }
}

/// What is sent between two ports of streams goes on one.
pub(crate) fn route(local: SocketAddr, remote: SocketAddr) -> Path {
    let protocol = match local.port() > OF_STREAMS {
        true => Protocol::Tcp,
        false => Protocol::Udp,
    };
    Path {
        protocol,
        ..Path::udp(local, remote)
    }
}

/// STUN, DTLS, RTP or RTCP (RFC 7983 §7, RFC 5761 §4), and the SSRC of RTP.
fn kind_of(datagram: &[u8]) -> (u8, u32) {
    match datagram {
        [0..=3, ..] => (0, 0),
        [20..=63, ..] => (1, 0),
        [_, second, ..] if (192..=223).contains(second) => (3, 0),
        [_, _, _, _, _, _, _, _, ssrc @ ..] if ssrc.len() >= 4 => {
            (2, u32::from_be_bytes(ssrc[..4].try_into().unwrap()))
        }
        _ => (4, 0),
    }
}

impl Machine for End {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        if self.without_udp && path.protocol == Protocol::Udp {
            return;
        }
        *self.lengths.entry(datagram.len()).or_default() += 1;
        self.engine.handle_datagram(now, path, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        _room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let start = buf.len();
        let transmit = self.engine.poll_transmit(now, buf)?;
        // RFC 6679 §7: nobody has agreed to report congestion.
        assert_eq!(transmit.ecn, 0);
        let batch = &buf[start..];
        let (bytes, segment) = (batch.len(), transmit.segment);
        let fits = bytes <= 65_487 && bytes.div_ceil(segment) <= 64;
        assert!(fits, "{bytes} bytes in segments of {segment}");
        let of_dtls = |datagram: &&[u8]| matches!(datagram.first(), Some(20..=63));
        let sent = batch.chunks(transmit.segment).filter(of_dtls).count();
        self.dtls_sent += sent as u64;
        for datagram in batch.chunks(transmit.segment) {
            let (kind, ssrc) = kind_of(datagram);
            *self.marks.entry((kind, ssrc, transmit.dscp)).or_default() += 1;
        }
        Some((transmit.path, transmit.segment))
    }

    fn poll(&mut self, now: Instant) -> bool {
        self.answer(now) | self.collect(now)
    }

    fn mirrored(path: Path) -> Path {
        route(path.remote, path.local)
    }

    /// One that comes before its description is lost, as with signalling that is out of order.
    fn signal(&mut self, now: Instant, other: &mut Self) -> bool {
        if !self.trickle {
            self.held.clear();
        }
        if self.held.is_empty() || other.engine.remote_description().is_none() {
            return false;
        }
        for candidate in self.held.drain(..) {
            let _late = other.engine.add_ice_candidate(now, &candidate);
        }
        true
    }

    fn describe(&self) -> String {
        format!("{:#?}", (self.story(), self.engine.counters()))
    }
}

impl End {
    pub(crate) fn new(
        configuration: Configuration,
        settings: Settings,
        seed: [u8; 32],
        address: IpAddr,
    ) -> Self {
        let (instant, unix) = (epoch(), SystemTime::UNIX_EPOCH);
        let wall = unix + Duration::from_secs(1_700_000_000);
        let anchor = Anchor { instant, wall };
        let mut engine = Engine::new(configuration, settings, seed, anchor).unwrap();
        engine.handle_interfaces(
            instant,
            &[Interface {
                name: "eth0".into(),
                index: 2,
                address,
                default_route: true,
                cost: 0,
            }],
        );
        Self {
            engine,
            address,
            one_port: false,
            without_udp: false,
            streams: 0,
            next_port: 4000,
            own_ports: 0,
            tasks: Vec::new(),
            channels: Vec::new(),
            inbox: Vec::new(),
            reads: true,
            refuses: false,
            trickle: true,
            sockets: Vec::new(),
            routes: Vec::new(),
            marks: BTreeMap::new(),
            dtls_sent: 0,
            lengths: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    /// Answers a request; false when there is none.
    fn answer(&mut self, now: Instant) -> bool {
        let Some(request) = self.engine.poll_request() else {
            return false;
        };
        match request {
            Request::Bind {
                id, address, own, ..
            } => {
                self.next_port += u16::from(!self.one_port);
                // Beside the one port.
                self.own_ports += u16::from(own);
                let beside = if own { 1000 + self.own_ports } else { 0 };
                let bound = SocketAddr::new(address, self.next_port + beside);
                self.sockets.retain(|it| *it != bound);
                self.sockets.push(bound);
                self.engine.handle_response(now, id, Ok(bound));
            }
            Request::Listen { id, address, .. }
            | Request::Connect {
                id, from: address, ..
            } if self.without_udp => {
                self.streams += 1;
                let bound = SocketAddr::new(address, OF_STREAMS + self.streams);
                self.engine.handle_response(now, id, Ok(bound));
            }
            Request::Close { local } => self.sockets.retain(|it| *it != local),
            Request::Route(route) => self.routes.push(route),
            _ => {}
        }
        true
    }

    /// Takes a task of the engine; false when there is none.
    fn collect(&mut self, now: Instant) -> bool {
        let Some(task) = self.engine.poll_task() else {
            return false;
        };
        let mut events = Vec::new();
        for event in task {
            match &event {
                Event::IceCandidate(Some(candidate)) => self.held.push(candidate.to_init()),
                Event::DataChannel(id) => {
                    self.channels.push(*id);
                    if self.refuses {
                        self.engine.close_channel(now, *id);
                    }
                }
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
        true
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

/// Streams have ports above it, and sockets below.
const OF_STREAMS: u16 = 30_000;
/// What an engine sends at most: 1,500 bytes less the headers of IPv4 and UDP.
pub(crate) const LONGEST: usize = 1472;
