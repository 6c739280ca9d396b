//! Two whole engines.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
    time::{Duration, Instant, UNIX_EPOCH},
};

use arbitrary::Arbitrary;
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, IceCandidateInit, Message, OfferOptions,
    PeerConnectionState, Priority, Protocol, SdpType, SessionDescription,
    engine::{
        Anchor, ChannelId, Engine, Event, Interface, Path, Request, RequestId, SendError, Settings,
    },
};

use crate::wire::{End, Machine, Pair, ROOM, Step};

/// A life of two engines.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    /// They are connected, with one open channel.
    connected: bool,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Offer(End, bool),
    Answer(End),
    SetLocal(End, Option<u8>),
    SetRemote(End, u8, Kind, Vec<Edit>),
    Candidates(End),
    Candidate(End, u8, Vec<Edit>),
    Interfaces(End, u8),
    Respond(End, u8, bool),
    Open(End, Init),
    Send(End, u8, u16, bool),
    Read(End, u8),
    CloseChannel(End, u8),
    Forget(End, u8),
    Threshold(End, u8, u16),
    Unread(End, u16),
    Restart(End),
    Close(End),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Its,
    Offer,
    Pranswer,
    Answer,
    Rollback,
}

/// A change to a description or a candidate.
#[derive(Arbitrary, Debug)]
enum Edit {
    Swap(u8, u8),
    Remove(u8),
    Repeat(u8),
    Insert(u8, u8),
    Byte(u16, u8),
}

#[derive(Arbitrary, Debug)]
struct Init {
    ordered: bool,
    max_packet_life_time: Option<u16>,
    max_retransmits: Option<u16>,
    negotiated: bool,
    id: Option<u16>,
    priority: u8,
    long: bool,
}

struct Peer {
    engine: Engine,
    /// Binds that wait for their answer.
    requests: Vec<(RequestId, IpAddr)>,
    prompt: bool,
    bound: u16,
    /// What was told to the application and may be signalled.
    candidates: Vec<IceCandidateInit>,
    descriptions: Vec<SessionDescription>,
    channels: Vec<ChannelId>,
    /// By number: how often a message of the other end arrived.
    arrived: BTreeMap<u32, usize>,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let peer = |seed| Peer::new(seed, now);
        let mut game = Game {
            pair: Pair::hostile([peer(1), peer(2)]),
            sent: 0,
        };
        game.pair.room = LONGEST;
        if self.connected {
            game.set_up();
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.pair.settle(20);
        game.finish();
    }
}

struct Game {
    pair: Pair<Peer>,
    sent: u32,
}

impl Game {
    fn set_up(&mut self) {
        let plain = Init {
            ordered: true,
            max_packet_life_time: None,
            max_retransmits: None,
            negotiated: false,
            id: None,
            priority: 1,
            long: false,
        };
        self.perform(Operation::Open(End::A, plain));
        self.perform(Operation::Offer(End::A, false));
        self.perform(Operation::SetLocal(End::A, None));
        self.perform(Operation::SetRemote(End::B, 0, Kind::Its, Vec::new()));
        self.perform(Operation::Answer(End::B));
        self.perform(Operation::SetLocal(End::B, None));
        self.perform(Operation::SetRemote(End::A, 0, Kind::Its, Vec::new()));
        self.perform(Operation::Candidates(End::A));
        self.perform(Operation::Candidates(End::B));
        for _ in 0..100 {
            self.pair.settle(1);
            if self
                .pair
                .ends
                .iter()
                .all(|peer| !peer.channels.is_empty() && peer.is_connected())
            {
                return;
            }
        }
        panic!("no channel over a perfect network");
    }

    fn perform(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Wire(step) => pair.step(step),
            Operation::Offer(end, ice_restart) => pair.with(end, |peer, _| {
                let offer = peer.engine.create_offer(&OfferOptions {
                    ice_restart,
                    ..OfferOptions::default()
                });
                peer.keep(offer.ok());
            }),
            Operation::Answer(end) => pair.with(end, |peer, _| {
                let answer = peer.engine.create_answer();
                peer.keep(answer.ok());
            }),
            Operation::SetLocal(end, pick) => pair.with(end, |peer, now| {
                let description = pick.map(|pick| match pick {
                    u8::MAX => SessionDescription::rollback(),
                    _ => peer.description(pick),
                });
                let _ = peer.engine.set_local_description(now, description);
            }),
            Operation::SetRemote(to, pick, kind, edits) => {
                let mut description = pair.end(to.other()).description(pick);
                let line = |line: &str| format!("{line}\r\n");
                description.sdp = edited(&description.sdp, &edits).lines().map(line).collect();
                description.kind = kind.of(description.kind);
                if description.kind == SdpType::Rollback {
                    description.sdp.clear();
                }
                pair.with(to, |peer, now| {
                    let before = peer.engine.signaling_state();
                    let set = peer.engine.set_remote_description(now, description);
                    let same = peer.engine.signaling_state() == before;
                    assert!(
                        set.is_ok() || same || peer.engine.is_closed(),
                        "an error changed the state"
                    );
                });
            }
            Operation::Candidates(from) => {
                for candidate in std::mem::take(&mut pair.end(from).candidates) {
                    pair.with(from.other(), |peer, now| {
                        let _ = peer.engine.add_ice_candidate(now, &candidate);
                    });
                }
            }
            Operation::Candidate(to, pick, edits) => {
                let candidates = &pair.end(to.other()).candidates;
                let known = candidates
                    .get(usize::from(pick) % candidates.len().max(1))
                    .cloned();
                let mut candidate = known.unwrap_or_else(|| IceCandidateInit {
                    candidate: CANDIDATE.to_owned(),
                    sdp_mid: Some("0".to_owned()),
                    ..IceCandidateInit::default()
                });
                candidate.candidate = edited(&candidate.candidate, &edits);
                pair.with(to, |peer, now| {
                    let _ = peer.engine.add_ice_candidate(now, &candidate);
                });
            }
            operation => self.perform_more(operation),
        }
    }

    fn perform_more(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Interfaces(end, mask) => pair.with(end, |peer, now| {
                peer.engine
                    .handle_interfaces(now, &interfaces(end as u8, mask));
            }),
            Operation::Respond(end, pick, granted) => pair.with(end, |peer, now| {
                peer.prompt = !peer.prompt;
                peer.respond(now, pick.into(), granted);
            }),
            Operation::Open(end, init) => pair.with(end, |peer, now| {
                let label = "x".repeat(if init.long { 65_536 } else { 4 });
                let channel = peer
                    .engine
                    .create_data_channel(now, &label, &init.channel());
                peer.channels
                    .extend(channel.ok().filter(|_| peer.channels.len() < MAX_CHANNELS));
            }),
            Operation::Send(end, pick, length, text) => self.send(end, pick, length, text),
            Operation::Read(end, pick) => pair.with(end, |peer, now| {
                if let Some(channel) = peer.channel(pick) {
                    peer.read(now, channel);
                }
            }),
            Operation::CloseChannel(end, pick) => pair.with(end, |peer, now| {
                let channel = peer.channel(pick);
                channel
                    .into_iter()
                    .for_each(|channel| peer.engine.close_channel(now, channel));
            }),
            Operation::Forget(end, pick) => pair.with(end, |peer, now| {
                let channel = peer.channel(pick);
                channel
                    .into_iter()
                    .for_each(|channel| peer.engine.forget_channel(now, channel));
            }),
            Operation::Threshold(end, pick, bytes) => pair.with(end, |peer, _| {
                if let Some(channel) = peer.channel(pick) {
                    peer.engine
                        .set_buffered_amount_low_threshold(channel, bytes.into());
                }
            }),
            Operation::Unread(end, events) => pair.with(end, |peer, now| {
                peer.engine.set_unread_events(now, events.into());
            }),
            Operation::Restart(end) => pair.with(end, |peer, _| peer.engine.restart_ice()),
            Operation::Close(end) => pair.with(end, |peer, now| peer.engine.close(now)),
            _ => {}
        }
    }

    fn send(&mut self, end: End, pick: u8, length: u16, text: bool) {
        let number = self.sent;
        let length = usize::from(length) % MAX_MESSAGE;
        let message = if text {
            Message::from(format!("{number:08x}{}", "x".repeat(length)))
        } else {
            Message::from([format!("{number:08x}").as_bytes(), &vec![7; length]].concat())
        };
        let sent = self.pair.with(end, |peer, now| {
            let channel = peer.channel(pick)?;
            Some(peer.engine.send(now, channel, &message))
        });
        match sent {
            Some(Ok(())) => self.sent += 1,
            Some(Err(SendError::Full | SendError::Refused(_))) | None => {}
        }
    }

    /// Nothing came that was not sent, and nothing came twice.
    fn finish(&mut self) {
        let now = self.pair.now;
        for peer in &mut self.pair.ends {
            peer.channels
                .clone()
                .into_iter()
                .for_each(|channel| peer.read(now, channel));
            for (number, times) in &peer.arrived {
                assert!(*number < self.sent, "a message from nowhere");
                assert_eq!(*times, 1, "a message came twice");
            }
        }
        for end in [End::A, End::B] {
            self.pair.with(end, |peer, now| peer.engine.close(now));
            assert!(
                self.pair.end(end).engine.is_finished(),
                "closing does not end"
            );
        }
    }
}

impl Peer {
    fn new(seed: u8, now: Instant) -> Self {
        let pem = [include_str!("ecdsa.pem"), include_str!("rsa.pem")];
        static CERTIFICATES: LazyLock<std::sync::Mutex<BTreeMap<usize, Certificate>>> =
            LazyLock::new(Default::default);
        let index = usize::from(seed) % 2;
        let mut certificates = CERTIFICATES.lock().expect("no panic holds it");
        let certificate = certificates
            .entry(index)
            .or_insert_with(|| Certificate::from_pem(pem[index]).expect("it is one of ours"));
        let configuration = Configuration {
            certificates: vec![certificate.clone()],
            ..Configuration::default()
        };
        // No certificate is taken that has expired.
        let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let anchor = Anchor { instant: now, wall };
        let engine = Engine::new(configuration, Settings::default(), [seed; 32], anchor);
        let mut engine = engine.expect("the configuration is right");
        engine.handle_interfaces(now, &interfaces(seed, 0b1));
        Self {
            engine,
            requests: Vec::new(),
            prompt: true,
            bound: 0,
            candidates: Vec::new(),
            descriptions: Vec::new(),
            channels: Vec::new(),
            arrived: BTreeMap::new(),
        }
    }

    fn is_connected(&self) -> bool {
        self.engine.connection_state() == PeerConnectionState::Connected
    }

    fn keep(&mut self, description: Option<SessionDescription>) {
        self.descriptions.extend(description);
    }

    /// The last description is 0, those before it follow.
    fn description(&self, pick: u8) -> SessionDescription {
        let mut latest = self.descriptions.iter().rev();
        let picked = latest.nth(usize::from(pick) % self.descriptions.len().max(1));
        picked
            .cloned()
            .unwrap_or_else(|| SessionDescription::offer(OFFER))
    }

    fn channel(&self, pick: u8) -> Option<ChannelId> {
        let index = usize::from(pick) % self.channels.len().max(1);
        self.channels.get(index).copied()
    }

    fn read(&mut self, now: Instant, channel: ChannelId) {
        while let Some(message) = self.engine.read(now, channel) {
            let number = message
                .as_bytes()
                .get(..8)
                .and_then(|it| std::str::from_utf8(it).ok());
            let number = number.and_then(|it| u32::from_str_radix(it, 16).ok());
            *self.arrived.entry(number.unwrap_or(u32::MAX)).or_default() += 1;
        }
    }

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
        self.engine.handle_response(now, id, bound);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::IceCandidate(Some(candidate)) if self.candidates.len() < MAX_CHANNELS => {
                self.candidates.push(candidate.into());
            }
            Event::DataChannel(channel) if self.channels.len() < MAX_CHANNELS => {
                self.channels.push(channel);
            }
            _ => {}
        }
    }
}

impl Machine for Peer {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
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
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        if room < ROOM {
            return None;
        }
        let start = buf.len();
        let transmit = self.engine.poll_transmit(now, buf)?;
        let length = buf.len() - start;
        assert!(
            length <= 65_487 && length.div_ceil(transmit.segment) <= 64,
            "a batch too large"
        );
        Some((transmit.path, transmit.segment))
    }

    fn poll(&mut self, now: Instant) -> bool {
        if let Some(request) = self.engine.poll_request() {
            if let Request::Bind { id, address, .. } = request {
                self.requests.push((id, address));
                if self.prompt {
                    self.respond(now, 0, true);
                }
            }
            return true;
        }
        if let Some(task) = self.engine.poll_task() {
            task.into_iter().for_each(|event| self.take(event));
            return true;
        }
        false
    }

    fn check(&self) {
        let engine = &self.engine;
        assert!(
            engine.total_unacknowledged() <= MAX_QUEUED,
            "too much is queued"
        );
        if engine.is_closed() {
            assert_eq!(
                engine.poll_timeout(),
                None,
                "what is closed waits for nothing"
            );
        }
    }

    fn mirrored(path: Path) -> Path {
        Path {
            local: path.remote,
            remote: path.local,
            protocol: Protocol::Udp,
        }
    }
}

impl Kind {
    fn of(self, its: SdpType) -> SdpType {
        match self {
            Self::Its => its,
            Self::Offer => SdpType::Offer,
            Self::Pranswer => SdpType::Pranswer,
            Self::Answer => SdpType::Answer,
            Self::Rollback => SdpType::Rollback,
        }
    }
}

impl Init {
    fn channel(&self) -> DataChannelInit {
        let priorities = [
            Priority::VeryLow,
            Priority::Low,
            Priority::Medium,
            Priority::High,
        ];
        DataChannelInit {
            ordered: self.ordered,
            max_packet_life_time: self.max_packet_life_time,
            max_retransmits: self.max_retransmits,
            protocol: String::new(),
            negotiated: self.negotiated,
            id: self.id,
            priority: priorities[usize::from(self.priority) % priorities.len()],
        }
    }
}

/// The text with its lines moved, removed and repeated, lines of others added and characters replaced.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for edit in edits.iter().take(16).filter(|_| !text.is_empty()) {
        let count = lines.len().max(1);
        let at = |index: u8| usize::from(index) % count;
        match *edit {
            Edit::Swap(a, b) if !lines.is_empty() => lines.swap(at(a), at(b)),
            Edit::Remove(index) if !lines.is_empty() => drop(lines.remove(at(index))),
            Edit::Repeat(index) if !lines.is_empty() => lines.push(lines[at(index)].clone()),
            Edit::Insert(index, which) if !lines.is_empty() => {
                let line = LINES[usize::from(which) % LINES.len()];
                lines.insert(at(index), line.to_owned());
            }
            Edit::Byte(place, byte) => {
                let mut characters: Vec<char> = lines.join("\n").chars().collect();
                let place = usize::from(place) % characters.len().max(1);
                characters
                    .get_mut(place)
                    .into_iter()
                    .for_each(|it| *it = char::from(byte));
                let text: String = characters.into_iter().collect();
                lines = text.split('\n').map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    lines.join("\n")
}

fn interfaces(last: u8, mask: u8) -> Vec<Interface> {
    let addresses = [
        IpAddr::from([192, 0, 2, 1 + last]),
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]),
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)]),
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

const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.9 9 typ host";
/// What a browser offers.
const OFFER: &str = include_str!("../seeds/sdp/chromium-156.0.8078.79.offer-data.sdp");
/// Lines that mean something where they stand.
const LINES: [&str; 20] = [
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    "m=video 0 UDP/TLS/RTP/SAVPF 96",
    "a=mid:0",
    "a=mid:1",
    "a=group:BUNDLE 0 1",
    "a=group:BUNDLE",
    "a=setup:active",
    "a=setup:passive",
    "a=setup:holdconn",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789012345678901",
    "a=ice-lite",
    "a=sctp-port:0",
    "a=max-message-size:0",
    "a=fingerprint:sha-256 00:11",
    "a=candidate:1 1 udp 1 192.0.2.9 9 typ host",
    "a=end-of-candidates",
    "a=rtcp-mux",
];
const MAX_OPERATIONS: usize = 80;
/// The longest datagram of an engine.
const LONGEST: usize = 1472;
const MAX_MESSAGE: usize = 20_000;
const MAX_CHANNELS: usize = 64;
const MAX_QUEUED: u64 = 32 << 20;
