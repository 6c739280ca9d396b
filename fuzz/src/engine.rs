//! Two whole engines, with their signalling.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Instant, SystemTime},
};

use arbitrary::Arbitrary;
use oxirtc_peerconnection::{
    Anchor, Certificate, Configuration, DataChannelInit, DataChannelState, IceCandidateInit,
    Interface, Message, OfferOptions, Path, PeerConnectionState, Request, SdpType,
    SessionDescription, Settings,
    engine::{ChannelId, Engine, Event},
};

use crate::wire::{End, Machine, Pair, Step};

/// A life of two engines.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    connected: bool,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Negotiate(End),
    Offer(End, bool),
    Answer(End),
    Describe(End),
    Rollback(End, bool),
    Pass(End, Damage),
    Candidates(End),
    Candidate(End, String),
    Open(End, u8, Kind),
    Send(End, u8, u16, bool),
    Read(End, u8),
    CloseChannel(End, u8),
    Forget(End, u8),
    Threshold(End, u8, u16),
    RestartIce(End),
    Close(End),
}

/// What happens to a description between the two.
#[derive(Arbitrary, Debug)]
enum Damage {
    None,
    Cut(u16),
    Alter(u16, u8),
    Type(u8),
    Without(u8),
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Reliable,
    Unordered,
    Limited(u8),
    Timed(u8),
    Negotiated(u8),
}

/// An engine and what it said.
struct Peer {
    engine: Engine,
    address: IpAddr,
    channels: Vec<ChannelId>,
    candidates: Vec<IceCandidateInit>,
    next_port: u16,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let mut pair = Pair::new(Peer::new(1, now), Peer::new(2, now), now);
        if self.connected {
            open(&mut pair, End::A, 0, &Kind::Reliable);
            negotiate(&mut pair, End::A);
            pair.settle(20);
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            perform(&mut pair, operation);
        }
        pair.settle(MAX_ROUNDS);
    }
}

/// Verbs may refuse: what they must not do is panic or break an invariant.
fn perform(pair: &mut Pair<Peer>, operation: Operation) {
    match operation {
        Operation::Wire(step) => pair.step(step),
        Operation::Negotiate(end) => negotiate(pair, end),
        Operation::Offer(end, ice_restart) => pair.with(end, |peer, _| {
            let _ = peer.engine.create_offer(&OfferOptions { ice_restart });
        }),
        Operation::Answer(end) => pair.with(end, |peer, _| drop(peer.engine.create_answer())),
        Operation::Describe(end) => pair.with(end, |peer, now| {
            let _ = peer.engine.set_local_description(now, None);
        }),
        Operation::Rollback(end, local) => pair.with(end, |peer, now| {
            let _ = match local {
                true => peer
                    .engine
                    .set_local_description(now, Some(SessionDescription::rollback())),
                false => peer
                    .engine
                    .set_remote_description(now, SessionDescription::rollback()),
            };
        }),
        Operation::Pass(from, damage) => pass(pair, from, &damage),
        Operation::Candidates(from) => {
            for candidate in std::mem::take(&mut pair.end(from).candidates) {
                let _ = pair.with(from.other(), |peer, now| {
                    peer.engine.add_ice_candidate(now, &candidate)
                });
            }
        }
        Operation::Candidate(end, candidate) => {
            let sdp_mid = Some("0".to_owned());
            let candidate = IceCandidateInit {
                candidate,
                sdp_mid,
                ..IceCandidateInit::default()
            };
            let _ = pair.with(end, |peer, now| {
                peer.engine.add_ice_candidate(now, &candidate)
            });
        }
        Operation::Open(end, name, kind) => open(pair, end, name, &kind),
        Operation::RestartIce(end) => pair.with(end, |peer, _| peer.engine.restart_ice()),
        Operation::Close(end) => pair.with(end, |peer, now| peer.engine.close(now)),
        on_channel => perform_on_channel(pair, &on_channel),
    }
}

fn perform_on_channel(pair: &mut Pair<Peer>, operation: &Operation) {
    match *operation {
        Operation::Send(end, channel, length, text) => {
            let message = match text {
                true => Message::Text("x".repeat(length.into())),
                false => Message::from(vec![7; length.into()]),
            };
            on(pair, end, channel, |engine, now, id| {
                let _ = engine.send(now, id, &message);
            });
        }
        Operation::Read(end, channel) => {
            on(
                pair,
                end,
                channel,
                |engine, now, id| {
                    while engine.read(now, id).is_some() {}
                },
            )
        }
        Operation::CloseChannel(end, channel) => on(pair, end, channel, |engine, now, id| {
            engine.close_channel(now, id)
        }),
        Operation::Forget(end, channel) => {
            on(pair, end, channel, |engine, now, id| {
                engine.forget_channel(now, id)
            });
        }
        Operation::Threshold(end, channel, bytes) => on(pair, end, channel, |engine, _, id| {
            engine.set_buffered_amount_low_threshold(id, bytes.into());
        }),
        _ => {}
    }
}

/// A verb on one of an engine's channels.
fn on(
    pair: &mut Pair<Peer>,
    end: End,
    channel: u8,
    verb: impl FnOnce(&mut Engine, Instant, ChannelId),
) {
    pair.with(end, |peer, now| {
        let picked = usize::from(channel) % peer.channels.len().max(1);
        if let Some(&id) = peer.channels.get(picked) {
            verb(&mut peer.engine, now, id);
        }
    });
}

fn negotiate(pair: &mut Pair<Peer>, offerer: End) {
    let _ = pair.with(offerer, |peer, now| {
        peer.engine.set_local_description(now, None)
    });
    pass(pair, offerer, &Damage::None);
    let _ = pair.with(offerer.other(), |peer, now| {
        peer.engine.set_local_description(now, None)
    });
    pass(pair, offerer.other(), &Damage::None);
}

fn pass(pair: &mut Pair<Peer>, from: End, damage: &Damage) {
    let Some(mut description) = pair.end(from).engine.local_description() else {
        return;
    };
    if !matches!(damage, Damage::None) {
        pair.honest = false;
    }
    damage.apply(&mut description);
    let _ = pair.with(from.other(), |peer, now| {
        peer.engine.set_remote_description(now, description)
    });
}

fn open(pair: &mut Pair<Peer>, end: End, name: u8, kind: &Kind) {
    let mut init = DataChannelInit::default();
    match *kind {
        Kind::Reliable => {}
        Kind::Unordered => init.ordered = false,
        Kind::Limited(count) => init.max_retransmits = Some(count.into()),
        Kind::Timed(ms) => init.max_packet_life_time = Some(ms.into()),
        Kind::Negotiated(id) => (init.negotiated, init.id) = (true, Some(id.into())),
    }
    pair.with(end, |peer, now| {
        if peer.channels.len() < MAX_CHANNELS
            && let Ok(id) = peer
                .engine
                .create_data_channel(now, &name.to_string(), &init)
        {
            peer.channels.push(id);
        }
    });
}

impl Damage {
    fn apply(&self, description: &mut SessionDescription) {
        let sdp = &mut description.sdp;
        match *self {
            Self::None => {}
            Self::Cut(length) => sdp.truncate(length.into()),
            Self::Alter(at, byte) => {
                let at = usize::from(at) % sdp.len().max(1);
                // What browsers and we write is ASCII, so every position is a border.
                if sdp.is_char_boundary(at) && sdp.is_char_boundary(at + 1) {
                    sdp.replace_range(at..=at, char::from(byte).encode_utf8(&mut [0; 4]));
                }
            }
            Self::Type(kind) => {
                let kinds = [SdpType::Offer, SdpType::Pranswer, SdpType::Answer];
                description.kind = kinds[usize::from(kind) % kinds.len()];
            }
            Self::Without(line) => {
                let mut lines: Vec<&str> = sdp.split_inclusive('\n').collect();
                lines.remove(usize::from(line) % lines.len().max(1));
                *sdp = lines.concat();
            }
        }
    }
}

impl Peer {
    fn new(host: u8, now: Instant) -> Self {
        let pem = if host == 1 {
            CERTIFICATES[0]
        } else {
            CERTIFICATES[1]
        };
        let certificate = Certificate::from_pem(pem).expect("the certificate in this crate is one");
        let configuration = Configuration {
            certificates: vec![certificate],
            ..Configuration::default()
        };
        let anchor = Anchor {
            instant: now,
            wall: SystemTime::UNIX_EPOCH,
        };
        let engine = Engine::new(configuration, Settings::default(), [host; 32], anchor);
        let mut engine = engine.expect("the configuration is right");
        let address = IpAddr::from([10, 0, 0, host]);
        let interface = Interface {
            name: "eth0".into(),
            index: 1,
            address,
        };
        engine.handle_interfaces(now, &[interface]);
        Self {
            engine,
            address,
            channels: Vec::new(),
            candidates: Vec::new(),
            next_port: 1000,
        }
    }
}

impl Machine for Peer {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, route: Path, datagram: &mut [u8]) {
        self.engine.handle_datagram(now, route, datagram);
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
        // An engine knows the room of its paths by itself.
        if room < crate::wire::ROOM {
            return None;
        }
        let transmit = self.engine.poll_transmit(now, buf)?;
        Some((transmit.path, transmit.segment))
    }

    fn poll(&mut self, now: Instant) -> bool {
        while let Some(request) = self.engine.poll_request() {
            if let Request::Bind { id, address, .. } = request {
                assert_eq!(address, self.address, "only what was told is gathered");
                self.next_port += 1;
                self.engine
                    .handle_response(now, id, Ok(SocketAddr::new(address, self.next_port)));
            }
        }
        while self.engine.poll_route().is_some() {}
        while self.engine.poll_notice().is_some() {}
        let Some(task) = self.engine.poll_task() else {
            return false;
        };
        for event in task.events {
            match event {
                Event::DataChannel(channel) => self.channels.push(channel),
                Event::IceCandidate(Some(candidate)) if self.candidates.len() < MAX_CANDIDATES => {
                    self.candidates.push(candidate.into());
                }
                _ => {}
            }
        }
        true
    }

    fn check(&self) {
        if !self.engine.is_closed() {
            return;
        }
        assert_eq!(self.engine.connection_state(), PeerConnectionState::Closed);
        let channels = self
            .channels
            .iter()
            .filter_map(|&id| self.engine.channel(id));
        for channel in channels {
            assert_eq!(
                channel.ready_state(),
                DataChannelState::Closed,
                "a channel outlived its connection"
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

const CERTIFICATES: [&str; 2] = [include_str!("ecdsa.pem"), include_str!("rsa.pem")];
const MAX_OPERATIONS: usize = 100;
const MAX_ROUNDS: usize = 50;
const MAX_CHANNELS: usize = 32;
const MAX_CANDIDATES: usize = 64;
