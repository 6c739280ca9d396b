//! The agent: what it is given, what it gives, and in which order.

mod check;
mod doubt;
mod learn;
mod locate;
mod message;
mod names;
mod nominate;
mod plan;
mod progress;
mod relays;
mod remote;
mod request;
mod response;
mod show;
mod sources;
mod streams;
mod taken;

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Instant};

use oxirtc_turn::Client;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    ChecklistSet, Config, Credentials, Error, Event, GatheringState, GenerationId, Interface,
    IpHandling, Pair, Path, Request, RequestId, Server, State, Stats, TransportPolicy, Way,
    base::{Bases, PairKey},
    control::ControlQueue,
    framing,
    gather::{Answer, Gatherer},
    hold::Held,
    name::Names,
    pair::PairId,
    set::MemberId,
    silence::Silence,
    source::{MAX_SOURCES, Sources},
    tables::Tables,
    timer::{Timer, Timers},
};

/// A full ICE agent for one transport with one component (RFC 8445), sans-IO.
///
/// - Commands: [`set_plan`](Self::set_plan), [`add_remote_candidate`](Self::add_remote_candidate),
///   [`set_remote_end_of_candidates`](Self::set_remote_end_of_candidates), [`close`](Self::close) …
/// - Input: [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout),
///   [`handle_interfaces`](Self::handle_interfaces), [`handle_response`](Self::handle_response),
///   [`handle_unreachable`](Self::handle_unreachable), [`handle_challenge`](Self::handle_challenge),
///   [`handle_taken`](Self::handle_taken), [`handle_granted`](Self::handle_granted).
/// - After any of these, poll until nothing comes: [`poll_transmit`](Self::poll_transmit),
///   [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event); then wait for
///   [`poll_timeout`](Self::poll_timeout).
/// - Payload takes the [`payload_way`](Self::payload_way).
///
/// What the agents of one connection share is lent to them as a [`ChecklistSet`].
pub struct Agent {
    config: Config,
    random: ChaCha20Rng,
    policy: TransportPolicy,
    servers: Arc<[Server]>,
    /// Names of the peer that are to be resolved.
    names: Names,
    gatherer: Gatherer,
    tables: Tables,
    control: ControlQueue,
    held: Held,
    outcome: Outcome,
    /// Its place in the set, once it was lent one.
    member: Option<MemberId>,
    /// That of the set when it was seen last.
    epoch: u32,
    /// The session that was checked last: they take turns.
    turn: GenerationId,
    silence: Silence,
    timers: Timers,
    stats: Stats,
}

/// What was told outside, or waits to be.
struct Outcome {
    events: VecDeque<Event>,
    state: State,
    gathering: GatheringState,
    payload: Option<InUse>,
    /// The pair that was told last.
    shown: Option<Pair>,
    authenticated: Vec<(PairKey, Path)>,
    /// The paths of valid pairs that were told.
    validated: Vec<PairKey>,
    next_pair: u64,
    /// Counts the pairs that payload went on.
    stamp: u32,
}

/// Where payload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InUse {
    session: GenerationId,
    pair: PairId,
    path: Path,
}

impl Agent {
    /// An agent that knows nothing yet. `seed` makes its passwords and transaction ids: it must come from
    /// a secure generator and be used once.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            random: ChaCha20Rng::from_seed(seed),
            policy: first_policy(&config),
            servers: [].into(),
            names: Names::default(),
            gatherer: Gatherer::new(config.externals.clone()),
            config,
            tables: Tables::default(),
            control: ControlQueue::default(),
            held: Held::default(),
            outcome: Outcome {
                events: VecDeque::new(),
                state: State::New,
                gathering: GatheringState::New,
                payload: None,
                shown: None,
                authenticated: Vec::new(),
                validated: Vec::new(),
                next_pair: 0,
                stamp: 0,
            },
            member: None,
            epoch: 0,
            turn: GenerationId::default(),
            silence: Silence::default(),
            timers: Timers::default(),
            stats: Stats::default(),
        }
    }

    /// Fresh credentials from the agent's own generator: a fragment of 8 and a password of 24 characters.
    pub fn generate_credentials(&mut self) -> Credentials {
        Credentials::generate(&mut self.random)
    }

    /// Which candidates may be used, from the next local credentials on: what has been gathered already
    /// is not taken back (W3C §4.4.1.5).
    pub fn set_transport_policy(&mut self, policy: TransportPolicy) {
        self.policy = match self.config.ip_handling {
            IpHandling::ForceProxy => TransportPolicy::Relay,
            _ => policy,
        };
    }

    /// Which servers are asked for addresses, from the next local credentials on.
    ///
    /// At most 16 count; of each address of this machine and each server one question is asked, 64 at most, and
    /// 8 allocations are held.
    pub fn set_servers(&mut self, servers: Vec<Server>) {
        // RFC 8828 §5.2: no datagram of UDP leaves but by a proxy, which a relay over a stream is.
        let proxied = self.config.ip_handling == IpHandling::ForceProxy;
        let servers = servers.into_iter().filter(|it| !proxied || it.is_stream());
        self.servers = servers.take(MAX_SOURCES).collect();
    }

    /// Tells all addresses of this machine, again when they have changed.
    ///
    /// What is gone is not used any more from this moment on. What is new is told while gathering is
    /// under way; later it is used without being told, as the peer learns it from checks.
    pub fn handle_interfaces(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        interfaces: &[Interface],
    ) {
        if self.outcome.state == State::Closed {
            return;
        }
        for base in self.gatherer.set_interfaces(interfaces) {
            for pair in self.tables.end_base(now, base.id) {
                self.control.cancel(pair);
            }
            self.control.cancel_base(base.id);
        }
        self.count_costs();
        self.begin_again(now);
        self.gather(now, set);
        self.settle(now, set);
    }

    /// What sockets are wanted.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.gatherer.poll_request()
    }

    /// Answers a [`Request`]. The address is that of the socket, port included; a socket shared by all
    /// addresses is told as `0.0.0.0` or `[::]`, and stands for the address that was asked for.
    pub fn handle_response(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        id: RequestId,
        result: Result<SocketAddr, io::ErrorKind>,
    ) {
        if let Err(kind) = &result {
            log::debug!("{}no socket for {id:?}: {kind}", self.config.label);
        }
        let hide = self.config.names();
        let answer = self.gatherer.handle_response(id, result.ok(), hide);
        self.take_answer(now, set, answer);
    }

    /// Answers a [`Request::Publish`]: the name that stands for the address.
    pub fn handle_name(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        id: RequestId,
        result: Result<String, io::ErrorKind>,
    ) {
        let answer = self.gatherer.handle_name(id, result.ok());
        self.take_answer(now, set, answer);
    }

    fn take_answer(&mut self, now: Instant, set: &mut ChecklistSet, answer: Answer) {
        match answer {
            Answer::Bound(base) => {
                self.add_base(now, set, base);
                self.open_tcp(now, set, base);
            }
            Answer::Stream(key, local) => self.stream_answered(key, local),
            Answer::Relay(relay, local) => self.open_relay(now, relay, local),
            Answer::Nameless | Answer::Unasked => {}
            Answer::Refused => self.stats.drops.binds += 1,
        }
        self.settle(now, set);
    }

    /// Lets time pass. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant, set: &mut ChecklistSet) {
        self.settle(now, set);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The way of the datagram that [`poll_transmit`](Self::poll_transmit) gives next.
    pub fn control_way(&self) -> Option<Way> {
        self.control.path().map(Way::plain)
    }

    /// Appends the next check or response, if there is one and it fits in `room`. Every one of them
    /// fits in 1,200 bytes.
    pub fn poll_transmit(&mut self, _now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let Some(path) = self.control.path() else {
            return false;
        };
        while self.control.path() == Some(path) {
            let sources = &self.gatherer.sources;
            let bases = &self.gatherer.bases;
            let relayed = |key| relay_of(bases, sources, key).is_some();
            let framed = |key: Option<PairKey>| key.map_or(0, |key| bases.headroom(key.base));
            let Some(next) = self.control.pop(|it| match relayed(it.key) {
                true => room.saturating_sub(MAX_AROUND),
                false => room.saturating_sub(framed(it.key)),
            }) else {
                return false;
            };
            let start = buf.len();
            let relay = next.key.and_then(|key| self.relay_client(key));
            let written = match relay {
                None => {
                    let headroom = next.key.map(|it| self.gatherer.bases.headroom(it.base));
                    let headroom = headroom.unwrap_or(0);
                    buf.resize(start + headroom, 0);
                    buf.extend_from_slice(&next.bytes);
                    headroom == 0 || framing::frame(buf, start).is_ok()
                }
                Some((client, peer)) => {
                    buf.resize(start + client.headroom(peer), 0);
                    buf.extend_from_slice(&next.bytes);
                    client.wrap(buf, start, peer).is_ok()
                }
            };
            self.control.reuse(next.bytes);
            if written {
                return true;
            }
            // The relay has let go of the peer.
            buf.truncate(start);
        }
        false
    }

    /// How payload leaves: on the pair in use, of no generation older than `since`. `None` without
    /// consent, which ends on the instant, whether or not a timer ran (RFC 7675 §5.1).
    ///
    /// With the default of `since` every generation counts. A DTLS association that was made with a new
    /// generation has that one as `since`: so its handshake never reaches the peer of an older one.
    pub fn payload_way(&self, now: Instant, since: GenerationId) -> Option<Way> {
        if self.outcome.state == State::Closed {
            return None;
        }
        let (session, pair) = self.tables.payload(now, since)?;
        let bases = &self.gatherer.bases;
        let relay = relay_of(bases, &self.gatherer.sources, Some(pair.key));
        let framed = (bases.headroom(pair.key.base), 0);
        let around = relay.map_or(framed, |client| {
            let peer = pair.key.remote;
            (client.headroom(peer), client.tailroom(peer))
        });
        Some(Way {
            generation: Some(session.id),
            pair: Some(pair.id),
            stamp: self.outcome.stamp,
            mapping: pair.mappings,
            headroom: around.0,
            tailroom: around.1,
            ..Way::plain(bases.path(pair.key)?)
        })
    }

    /// The newest generation of which both sides' credentials are known.
    pub fn newest_generation(&self) -> GenerationId {
        self.tables.newest_session()
    }

    /// Makes the datagram that starts at `start` ready to leave on `way`.
    ///
    /// # Errors
    /// [`Error::Stale`] when another pair has taken the place of this way: what was built for it is to be
    /// built anew. [`Error::NoPath`] for a way that is not one of payload.
    pub fn wrap(
        &mut self,
        now: Instant,
        way: &Way,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        let (Some(generation), Some(pair)) = (way.generation, way.pair) else {
            return Err(Error::NoPath);
        };
        let session = self.tables.session(generation);
        let in_use = session.and_then(|session| session.list.get(pair));
        let in_use = in_use.filter(|pair| pair.is_valid());
        let Some(key) = in_use
            .map(|pair| pair.key)
            .filter(|_| way.stamp == self.outcome.stamp)
        else {
            return Err(Error::Stale);
        };
        if let Some((client, peer)) = self.relay_client(key) {
            // A channel that the server has refused to go on with leaves less room for payload.
            if client.headroom(peer) != way.headroom {
                return Err(Error::Stale);
            }
            let wrapped = client.wrap(buf, start, peer);
            wrapped.map_err(|_| Error::Stale)?;
        } else if self.gatherer.bases.headroom(key.base) > 0 {
            framing::frame(buf, start)?;
        }
        self.stats.payload_sent += 1;
        if let Some(due) = self.silence.sent(now) {
            self.timers.set(Timer::OneWay, Some(due));
        }
        Ok(())
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outcome.events.pop_front()
    }

    /// Ends everything at once. What allocations are given back with waits in
    /// [`poll_transmit`](Self::poll_transmit); nothing else is sent any more, and then all sockets may be closed.
    pub fn close(&mut self, now: Instant, set: &mut ChecklistSet) {
        if self.outcome.state == State::Closed {
            return;
        }
        if let Some(member) = self.member.take() {
            set.leave(member);
        }
        self.control.clear();
        self.give_back(now);
        self.gatherer.close();
        self.names = Names::default();
        self.timers.clear();
        self.silence = Silence::default();
        self.held = Held::default();
        self.tables = Tables::default();
        self.outcome.payload = None;
        self.outcome.shown = None;
        self.release_paths();
        self.set_state(State::Closed);
    }

    /// The client behind a relayed pair, and the peer.
    fn relay_client(&mut self, key: PairKey) -> Option<(&mut Client, SocketAddr)> {
        let relay = self.gatherer.bases.relay(key.base)?;
        let relay = self.gatherer.sources.relay_mut(relay)?;
        Some((relay.client_mut()?, key.remote))
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.outcome.state {
            State::Closed => Err(Error::Closed),
            _ => Ok(()),
        }
    }
}

fn first_policy(config: &Config) -> TransportPolicy {
    match config.ip_handling {
        IpHandling::ForceProxy => TransportPolicy::Relay,
        _ => TransportPolicy::All,
    }
}

/// The client behind a relayed pair.
fn relay_of<'a>(bases: &Bases, sources: &'a Sources, key: Option<PairKey>) -> Option<&'a Client> {
    sources.relay(bases.relay(key?.base)?)?.client()
}

/// A Send indication to an IPv6 peer, and padding.
const MAX_AROUND: usize = 51;
