//! The agent: what it is given, what it gives, and in which order.

mod check;
mod message;
mod nominate;
mod progress;
mod request;
mod response;
mod restart;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_stun::{Class, Message, Method};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::{
    Candidate, Config, Credentials, Error, Event, GatheringState, Interface, Pair, PairState,
    PairStats, Path, Request, RequestId, Role, State, Stats,
    control::ControlQueue,
    gather::{Answer, Gatherer},
    hold::Held,
    pair::{CandidatePair, Nomination, PairId},
    session::{Local, Session},
    timer::Timers,
};

/// A full ICE agent for one transport with one component (RFC 8445), sans-IO.
///
/// - Commands: [`set_local_credentials`](Self::set_local_credentials),
///   [`set_remote_credentials`](Self::set_remote_credentials), [`set_role`](Self::set_role),
///   [`gather`](Self::gather), [`add_remote_candidate`](Self::add_remote_candidate),
///   [`close`](Self::close) …
/// - Input: [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout),
///   [`handle_interfaces`](Self::handle_interfaces), [`handle_response`](Self::handle_response).
/// - After any of these, poll until nothing comes: [`poll_transmit`](Self::poll_transmit),
///   [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event); then wait for
///   [`poll_timeout`](Self::poll_timeout).
/// - Payload goes on [`payload_path`](Self::payload_path).
pub struct Agent {
    config: Config,
    random: ChaCha20Rng,
    role: RoleState,
    gatherer: Gatherer,
    current: Session,
    /// The generation before a restart, alive until the current one has selected a pair.
    previous: Option<Session>,
    control: ControlQueue,
    held: Held,
    outcome: Outcome,
    next_check: Instant,
    timers: Timers,
    stats: Stats,
}

/// The role and what a conflict about it is decided with (RFC 8445 §7.3.1.1).
struct RoleState {
    role: Role,
    tie_breaker: u64,
}

/// What was told outside, or waits to be.
struct Outcome {
    events: VecDeque<Event>,
    state: State,
    payload: Option<Path>,
    authenticated: Vec<Path>,
    next_pair: u64,
}

impl Agent {
    /// An agent that knows nothing yet. `seed` makes its passwords, transaction ids and tie-breaker:
    /// it must come from a secure generator and be used once.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        let tie_breaker = config.tie_breaker.unwrap_or_else(|| random.next_u64());
        Self {
            config,
            random,
            role: RoleState {
                role: Role::Controlled,
                tie_breaker,
            },
            gatherer: Gatherer::default(),
            current: Session::default(),
            previous: None,
            control: ControlQueue::default(),
            held: Held::default(),
            outcome: Outcome {
                events: VecDeque::new(),
                state: State::New,
                payload: None,
                authenticated: Vec::new(),
                next_pair: 0,
            },
            next_check: now,
            timers: Timers::default(),
            stats: Stats::default(),
        }
    }

    /// Fresh credentials from the agent's own generator: a fragment of 8 and a password of 24 characters.
    pub fn generate_credentials(&mut self) -> Credentials {
        Credentials::generate(&mut self.random)
    }

    /// The local credentials of the current generation.
    pub fn local_credentials(&self) -> Option<&Credentials> {
        self.current.local.as_ref().map(|keys| &keys.credentials)
    }

    /// The remote credentials of the current generation.
    pub fn remote_credentials(&self) -> Option<&Credentials> {
        self.current.remote.as_ref().map(|keys| &keys.credentials)
    }

    /// The role; [`Role::Controlled`] until it is set.
    pub fn role(&self) -> Role {
        self.role.role
    }

    /// Takes a role: the side that offered first controls, unless the other one is lite.
    pub fn set_role(&mut self, now: Instant, role: Role) {
        if self.role.role != role {
            self.take_role(role);
            self.settle(now);
        }
    }

    /// Says that the peer is ICE-lite (`a=ice-lite`): this agent then controls (RFC 8445 §6.1.1).
    pub fn set_remote_lite(&mut self, now: Instant, lite: bool) {
        if lite {
            self.set_role(now, Role::Controlling);
        }
    }

    /// Gathers the candidates of the current generation.
    ///
    /// Waits for [`handle_interfaces`](Self::handle_interfaces) if nothing was told yet. Sockets of an
    /// earlier generation are used again. A second call for the same generation does nothing.
    ///
    /// # Errors
    /// [`Error::MissingCredentials`] before [`set_local_credentials`](Self::set_local_credentials);
    /// [`Error::Closed`] after [`close`](Self::close).
    pub fn gather(&mut self, now: Instant) -> Result<(), Error> {
        self.check_open()?;
        if self.current.local.is_none() {
            return Err(Error::MissingCredentials);
        }
        if !self.current.progress.gathering {
            self.current.progress.gathering = true;
            self.gatherer.restart();
            self.set_gathering_state(GatheringState::Gathering);
            self.continue_gathering(now);
        }
        Ok(())
    }

    /// Tells all addresses of this machine. What is new is used while gathering is under way, else
    /// from the next generation on.
    pub fn handle_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        if self.outcome.state == State::Closed {
            return;
        }
        self.gatherer.set_interfaces(interfaces);
        if self.gatherer.state() == GatheringState::Gathering {
            self.continue_gathering(now);
        }
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
        id: RequestId,
        result: Result<SocketAddr, io::ErrorKind>,
    ) {
        if let Err(kind) = &result {
            log::debug!("no socket for {id:?}: {kind}");
        }
        match self.gatherer.handle_response(id, result.ok()) {
            Answer::Bound(local) if self.current.progress.gathering => self.add_local(local),
            Answer::Bound(_) | Answer::Unasked => {}
            Answer::Refused => self.stats.drops.binds += 1,
        }
        self.finish_gathering();
        self.settle(now);
    }

    /// Adds a candidate of the peer to the current generation and checks it as soon as pacing allows.
    ///
    /// A name is listed and not checked. So is what this agent cannot reach by its kind: TCP, another
    /// component, an unspecified or multicast address. Beyond 1,000 candidates they are counted only.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`close`](Self::close).
    pub fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: Candidate,
    ) -> Result<(), Error> {
        self.check_open()?;
        let address = candidate.is_checkable().then(|| candidate.socket_address());
        let known = address.flatten().and_then(|at| self.current.remote_at(at));
        match known.and_then(|at| {
            self.current
                .remotes
                .get(at)
                .map(|remote| (at, remote.signalled))
        }) {
            Some((_, true)) => {}
            Some((at, false)) => {
                let controlling = self.is_controlling();
                self.current.replace_remote(at, candidate, controlling);
            }
            None => match self.current.push_remote(candidate, true) {
                Some(at) => self.pair_remote(at),
                None => self.stats.drops.candidates += 1,
            },
        }
        self.settle(now);
        Ok(())
    }

    /// The peer has no more candidates in the current generation (RFC 8838 §14).
    pub fn set_remote_end_of_candidates(&mut self, now: Instant) {
        self.current.remote_end = true;
        self.settle(now);
    }

    /// Takes a datagram that came on `path`. STUN ends here. Payload from a validated pair is handed
    /// to `sink`; payload that came earlier, from a path which this datagram makes valid, after it.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        sink: &mut impl FnMut(&mut [u8]),
    ) {
        let path = path.normalized();
        // RFC 7983 §7: the first byte tells STUN from everything else.
        match datagram.first() {
            Some(0..=3) => {
                if self.handle_stun(now, path, datagram) {
                    self.settle(now);
                    self.release_payload(sink);
                }
            }
            _ if self.outcome.payload == Some(path) || self.is_validated(path) => {
                self.stats.payload_received += 1;
                sink(datagram);
            }
            Some(_) if self.outcome.authenticated.contains(&path) => {
                if self.held.push(path, datagram) {
                    self.stats.payload_held += 1;
                } else {
                    self.stats.drops.payload += 1;
                }
            }
            _ => self.stats.drops.payload += 1,
        }
    }

    /// Lets time pass. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The path of the datagram that [`poll_transmit`](Self::poll_transmit) gives next.
    pub fn control_path(&self) -> Option<Path> {
        self.control.path()
    }

    /// Appends the next check or response, if there is one and it fits in `room`. Every one of them
    /// fits in 1,200 bytes.
    pub fn poll_transmit(&mut self, _now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        self.control.pop(room, buf)
    }

    /// Where payload goes: the selected pair, before that the best valid one. `None` without consent.
    pub fn payload_path(&self) -> Option<Path> {
        self.outcome.payload
    }

    /// Whether the peer consents to receive payload (RFC 7675).
    pub fn has_consent(&self) -> bool {
        self.outcome.payload.is_some()
    }

    /// Bytes that [`wrap`](Self::wrap) writes before a payload on the present payload path.
    pub fn headroom(&self) -> usize {
        0
    }

    /// Bytes that [`wrap`](Self::wrap) writes after a payload on the present payload path.
    pub fn tailroom(&self) -> usize {
        0
    }

    /// Makes the datagram that starts at `start` ready for the payload path.
    ///
    /// # Errors
    /// [`Error::NoPath`] without consent: nothing but STUN may leave then.
    pub fn wrap(&mut self, _buf: &mut Vec<u8>, _start: usize) -> Result<(), Error> {
        self.outcome.payload.ok_or(Error::NoPath)?;
        self.stats.payload_sent += 1;
        Ok(())
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outcome.events.pop_front()
    }

    /// When the next check may go out: the token of Ta, which agents of one connection share.
    pub fn next_check(&self) -> Instant {
        self.next_check
    }

    /// Moves the token after another agent used it (RFC 8445 §6.1.4.2).
    pub fn set_next_check(&mut self, now: Instant, at: Instant) {
        self.next_check = at;
        self.settle(now);
    }

    /// State of the transport.
    pub fn state(&self) -> State {
        self.outcome.state
    }

    /// State of gathering.
    pub fn gathering_state(&self) -> GatheringState {
        self.gatherer.state()
    }

    /// The nominated pair, also after it was lost; during a restart the one of the generation before.
    pub fn selected_pair(&self) -> Option<Pair> {
        let sessions = [Some(&self.current), self.previous.as_ref()];
        let mut sessions = sessions.into_iter().flatten();
        sessions
            .find_map(|session| session.describe(session.selected()?))
            .filter(|_| !matches!(self.outcome.state, State::New | State::Closed))
    }

    /// The local candidates of the current generation, peer-reflexive ones included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.current.locals.iter().map(|local| &local.candidate)
    }

    /// The signalled candidates of the peer in the current generation, names included.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        let signalled = self
            .current
            .remotes
            .iter()
            .filter(|remote| remote.signalled);
        signalled.map(|remote| &remote.candidate)
    }

    /// The pairs of the current generation.
    pub fn pairs(&self) -> impl Iterator<Item = PairStats> {
        let pairs = self.current.list.iter();
        pairs.filter_map(|pair| self.pair_stats(pair))
    }

    /// The smoothed round trip of the payload path.
    pub fn rtt(&self) -> Option<Duration> {
        let path = self.outcome.payload?;
        let sessions = [Some(&self.current), self.previous.as_ref()];
        sessions
            .into_iter()
            .flatten()
            .filter_map(|session| session.list.on_path(path))
            .find_map(|pair| pair.counters.smoothed_round_trip)
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Ends everything at once: nothing is sent any more, and all sockets may be closed.
    pub fn close(&mut self, _now: Instant) {
        if self.outcome.state == State::Closed {
            return;
        }
        self.gatherer.close();
        self.control.clear();
        self.timers.clear();
        self.held = Held::default();
        self.current = Session::default();
        self.previous = None;
        self.outcome.payload = None;
        self.release_paths();
        self.set_state(State::Closed);
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.outcome.state {
            State::Closed => Err(Error::Closed),
            _ => Ok(()),
        }
    }

    fn is_controlling(&self) -> bool {
        self.role.role == Role::Controlling
    }

    fn take_role(&mut self, role: Role) {
        self.role.role = role;
        let controlling = self.is_controlling();
        self.current.progress.nominating = None;
        self.current.prioritize(controlling);
        if let Some(previous) = &mut self.previous {
            previous.prioritize(controlling);
        }
    }

    fn continue_gathering(&mut self, now: Instant) {
        for local in self.gatherer.plan(&self.config) {
            self.add_local(local);
        }
        self.finish_gathering();
        self.settle(now);
    }

    fn finish_gathering(&mut self) {
        let under_way = self.gatherer.state() == GatheringState::Gathering;
        if under_way && self.gatherer.is_idle() {
            self.current.progress.gathered = self.current.progress.gathering;
            self.set_gathering_state(GatheringState::Complete);
        }
    }

    fn set_gathering_state(&mut self, state: GatheringState) {
        if self.gatherer.set_state(state) {
            let event = Event::GatheringStateChanged(state);
            self.outcome.events.push_back(event);
        }
    }

    fn add_local(&mut self, local: Local) {
        let Some(keys) = &self.current.local else {
            return;
        };
        self.outcome.events.push_back(Event::CandidateGathered {
            candidate: local.candidate.clone(),
            ufrag: keys.ufrag().to_owned(),
        });
        let at = self.current.locals.len();
        self.current.locals.push(local);
        for remote in 0..self.current.remotes.len() {
            self.pair(at, remote);
        }
    }

    fn pair_remote(&mut self, remote: usize) {
        for local in 0..self.current.locals.len() {
            self.pair(local, remote);
        }
    }

    fn pair(&mut self, local: usize, remote: usize) {
        let controlling = self.is_controlling();
        let Some(pair) = self.current.pair(local, remote, controlling) else {
            return;
        };
        // RFC 8445 §8.1.2: nomination ends the checks. Only a controlled agent goes on with what is
        // better, as its peer may nominate aggressively.
        let selected = self.current.selected();
        if selected.is_none_or(|selected| !controlling && selected.priority < pair.priority) {
            self.insert(pair, false);
        }
    }

    fn insert(&mut self, pair: CandidatePair, urgent: bool) -> Option<PairId> {
        let id = PairId(self.outcome.next_pair);
        self.outcome.next_pair += 1;
        let pair = CandidatePair { id, ..pair };
        let inserted = self
            .current
            .list
            .insert(pair, self.config.max_pairs, urgent);
        if !inserted {
            self.stats.drops.pairs += 1;
        }
        inserted.then_some(id)
    }

    /// Whether the datagram was worth a look at everything.
    fn handle_stun(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        let drops = &mut self.stats.drops;
        let parsed = Message::parse(datagram).ok();
        // RFC 8489 §14.7: a fingerprint that is there must be right.
        let sound = |message: &Message<'_>| {
            !matches!(
                message.verify_fingerprint(),
                Err(oxirtc_stun::Error::Mismatch(_))
            )
        };
        let Some(message) = parsed.filter(sound) else {
            drops.malformed += 1;
            return false;
        };
        let full = self.outcome.events.len() >= MAX_EVENTS;
        if message.method() != Method::BINDING || !self.gatherer.has_socket(path.local) || full {
            drops.unexpected += 1;
            return false;
        }
        match message.class() {
            Class::Request => self.handle_request(now, path, &message),
            Class::Success | Class::Error => self.handle_answer(now, path, &message),
            Class::Indication => {
                // RFC 8445 §11: keeps a binding open, and says nothing else.
                self.stats.indications_received += 1;
                false
            }
        }
    }

    fn is_validated(&self, path: Path) -> bool {
        let sessions = [Some(&self.current), self.previous.as_ref()];
        let mut pairs = sessions
            .into_iter()
            .flatten()
            .flat_map(|session| session.list.iter());
        pairs.any(|pair| pair.path == path && pair.is_valid())
    }

    fn release_payload(&mut self, sink: &mut impl FnMut(&mut [u8])) {
        if self.held.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        while let Some(mut datagram) = held.pop(|path| self.is_validated(path)) {
            self.stats.payload_received += 1;
            sink(&mut datagram);
        }
        self.held = held;
    }

    fn pair_stats(&self, pair: &CandidatePair) -> Option<PairStats> {
        let counters = &pair.counters;
        Some(PairStats {
            pair: self.current.describe(pair)?,
            state: if pair.cancelled {
                PairState::Frozen
            } else {
                pair.state
            },
            priority: pair.priority,
            nominated: matches!(pair.nomination, Nomination::Done(_)),
            current_round_trip: counters.last_round_trip,
            total_round_trip: counters.total_round_trip,
            requests_sent: counters.requests_sent,
            consent_requests_sent: counters.consent_requests_sent,
            requests_received: counters.requests_received,
            responses_sent: counters.responses_sent,
            responses_received: counters.responses_received,
        })
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("role", &self.role.role)
            .field("state", &self.outcome.state)
            .field("payload", &self.outcome.payload)
            .finish_non_exhaustive()
    }
}

/// Facts that wait to be fetched before requests of the peer, which make more of them, are dropped.
const MAX_EVENTS: usize = 1024;
