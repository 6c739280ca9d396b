//! The client: what it is given, what it gives, and in which order.

mod ask;
mod outcome;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::{Duration, Instant},
};

use oxirtc_stun::{Class, Message, Method, RoundTrip, TransactionId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    Config, Error, Event, Leg,
    address::canonical,
    allocation::Allocation,
    auth::Auth,
    channel::Channels,
    permission::Permissions,
    redirect::Trail,
    request::{Pending, Purpose, is_of_turn},
    wrap,
};

/// A client of one TURN server with one allocation (RFC 8656), sans-IO.
///
/// One client has one socket or stream of its own, as a server tells allocations apart by their
/// addresses. It asks for its allocation when it is made.
pub struct Client {
    config: Config,
    random: ChaCha20Rng,
    server: SocketAddr,
    trail: Trail,
    auth: Auth,
    round_trip: RoundTrip,
    pending: Vec<Pending>,
    state: State,
    allocation: Option<Allocation>,
    /// When the server was asked last whether it knows the allocation.
    verified: Option<Instant>,
    permissions: Permissions,
    channels: Channels,
    events: VecDeque<Event>,
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Allocating,
    /// Another stream is waited for.
    Redirected,
    Allocated,
    /// What was given is given back.
    Closing,
    Over,
}

/// What became of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It was for the client, and ends here.
    Consumed,
    /// Payload of a peer, which stands in this part of the datagram.
    Data {
        /// The peer.
        peer: SocketAddr,
        /// Where the payload stands.
        range: Range<usize>,
    },
    /// It is none of the client's: the server's host may be a peer as well.
    NotMine,
}

impl Client {
    /// A client that asks for an allocation at once. `seed` makes its transaction ids: it must come from a
    /// secure generator and be used once.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let server = canonical(config.server);
        let mut client = Self {
            trail: Trail::new(server),
            server,
            config,
            random: ChaCha20Rng::from_seed(seed),
            auth: Auth::default(),
            round_trip: RoundTrip::new(),
            pending: Vec::new(),
            state: State::Allocating,
            allocation: None,
            verified: None,
            permissions: Permissions::default(),
            channels: Channels::default(),
            events: VecDeque::new(),
        };
        client.ask(now, Purpose::Allocate, None);
        client
    }

    /// The server that datagrams go to, and are to come from.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// A stream to the server that [`Event::Redirected`] named is open: the allocation is asked for there.
    pub fn restart(&mut self, now: Instant) {
        if self.state == State::Redirected {
            self.state = State::Allocating;
            self.ask(now, Purpose::Allocate, None);
        }
    }

    /// Takes a datagram of the server, or a message that a [`Deframer`](crate::Deframer) has cut off.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Input {
        match datagram.first() {
            Some(64..=79) => {
                let data = wrap::read_channel(datagram);
                let data =
                    data.and_then(|(number, range)| Some((self.channels.peer(number)?, range)));
                self.data(data)
            }
            Some(0..=3) => self.handle_stun(now, datagram),
            _ => Input::NotMine,
        }
    }

    fn handle_stun(&mut self, now: Instant, datagram: &[u8]) -> Input {
        let Ok(message) = Message::parse(datagram) else {
            return Input::NotMine;
        };
        match message.class() {
            Class::Indication if message.method() == Method::DATA => {
                let data = wrap::read_indication(&message);
                self.data(data)
            }
            Class::Success | Class::Error => {
                let matches = |it: &Pending| it.transaction.matches(&message);
                if let Some(at) = self.pending.iter().position(matches) {
                    self.handle_response(now, at, &message);
                    self.settle(now);
                    Input::Consumed
                } else if is_of_turn(&message) {
                    Input::Consumed
                } else {
                    Input::NotMine
                }
            }
            _ => Input::NotMine,
        }
    }

    /// Payload counts only of peers that we permitted.
    fn data(&self, data: Option<(SocketAddr, Range<usize>)>) -> Input {
        match data {
            Some((peer, range)) if self.may_send(canonical(peer)) => Input::Data {
                peer: canonical(peer),
                range,
            },
            _ => Input::Consumed,
        }
    }

    /// Lets time pass. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut at = 0;
        while let Some(pending) = self.pending.get_mut(at) {
            pending.transaction.handle_timeout(now);
            match pending.transaction.poll_event() {
                Some(_) => {
                    let pending = self.pending.swap_remove(at);
                    self.unanswered(now, pending.purpose);
                }
                None => at += 1,
            }
        }
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self
            .pending
            .iter()
            .filter_map(|it| it.transaction.poll_timeout());
        let allocation = self.allocation.filter(|_| self.state == State::Allocated);
        let refreshing = self.is_pending(&Purpose::Refresh);
        let life = allocation.map(|it| if refreshing { it.expires } else { it.refresh });
        let peers = [
            self.permissions.poll_timeout(),
            self.channels.poll_timeout(),
        ];
        let peers = peers.into_iter().flatten().filter(|_| allocation.is_some());
        transactions.chain(life).chain(peers).min()
    }

    /// Appends the next request, if one is due and fits in `room`. It goes to [`server`](Self::server).
    pub fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let mut pending = self.pending.iter_mut();
        pending.any(|it| it.transaction.poll_transmit(now, room, buf))
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Wants peers at this address to be able to send and to be sent to. [`Event::Permitted`] follows, or
    /// [`Event::PermissionRefused`].
    ///
    /// # Errors
    /// [`Error::NoAllocation`], [`Error::Family`], [`Error::Full`].
    pub fn permit(&mut self, now: Instant, ip: IpAddr) -> Result<(), Error> {
        let ip = ip.to_canonical();
        self.check_family(ip)?;
        if !self.permissions.want(ip) {
            return Err(Error::Full);
        }
        self.settle(now);
        Ok(())
    }

    /// Whether this address is permitted.
    pub fn is_permitted(&self, ip: IpAddr) -> bool {
        self.allocation.is_some() && self.permissions.has(ip.to_canonical())
    }

    /// Wants a channel to this peer, so that payload costs four bytes. Payload may go meanwhile;
    /// [`Event::ChannelBound`] follows, or nothing when the server refuses.
    ///
    /// # Errors
    /// As [`permit`](Self::permit).
    pub fn bind(&mut self, now: Instant, peer: SocketAddr) -> Result<(), Error> {
        let peer = canonical(peer);
        self.check_family(peer.ip())?;
        if !self.permissions.want(peer.ip()) || self.channels.want(peer).is_none() {
            return Err(Error::Full);
        }
        self.settle(now);
        Ok(())
    }

    /// Bytes that [`wrap`](Self::wrap) writes before payload for this peer.
    pub fn headroom(&self, peer: SocketAddr) -> usize {
        let peer = canonical(peer);
        match self.channels.bound(peer) {
            Some(_) => wrap::CHANNEL_HEADER,
            None => wrap::indication_header(peer),
        }
    }

    /// Bytes that [`wrap`](Self::wrap) writes behind payload for this peer, at most.
    pub fn tailroom(&self, peer: SocketAddr) -> usize {
        let bound = self.channels.bound(canonical(peer)).is_some();
        match self.config.leg {
            Leg::Datagrams if bound => 0,
            _ => wrap::MAX_PADDING,
        }
    }

    /// Makes what stands behind `start` and [`headroom`](Self::headroom) ready for the server to pass on.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], [`Error::NoAllocation`], [`Error::Family`], [`Error::Length`].
    pub fn wrap(&mut self, buf: &mut Vec<u8>, start: usize, peer: SocketAddr) -> Result<(), Error> {
        let peer = canonical(peer);
        self.check_family(peer.ip())?;
        if !self.may_send(peer) {
            return Err(Error::NotPermitted);
        }
        match self.channels.bound(peer) {
            Some(number) => {
                let padded = self.config.leg == Leg::Stream;
                wrap::write_channel(buf, start, number, padded)
            }
            None => {
                let id = TransactionId::generate(&mut self.random);
                wrap::write_indication(buf, start, peer, id)
            }
        }
    }

    /// Asks the server whether it still knows the allocation, now and not only when a refresh is due; at most every five seconds.
    /// [`Event::Lost`] follows where it does not.
    pub fn verify(&mut self, now: Instant) {
        let recently = self.verified.is_some_and(|at| now < at + VERIFIED);
        if self.state == State::Allocated && !recently && !self.is_pending(&Purpose::Refresh) {
            self.verified = Some(now);
            self.ask(now, Purpose::Refresh, None);
        }
    }

    /// Whether the server was asked so and has not answered.
    pub fn is_verifying(&self) -> bool {
        self.verified.is_some() && self.is_pending(&Purpose::Refresh)
    }

    /// Gives the allocation back. [`Event::Closed`] follows when the server has answered, or has not.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Closing | State::Over => return,
            State::Allocated => {
                self.pending.clear();
                self.ask(now, Purpose::Close, None);
            }
            // What the server gives late is given back when it comes.
            State::Allocating => {}
            State::Redirected => self.end(Event::Closed),
        }
        if self.state != State::Over {
            self.state = State::Closing;
        }
    }

    /// Nothing is under way any more.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn may_send(&self, peer: SocketAddr) -> bool {
        self.state == State::Allocated
            && (self.permissions.has(peer.ip()) || self.channels.bound(peer).is_some())
    }

    fn check_family(&self, ip: IpAddr) -> Result<(), Error> {
        let allocation = self.allocation.filter(|_| self.state == State::Allocated);
        let relayed = allocation.ok_or(Error::NoAllocation)?.relayed;
        let own = if ip.is_ipv4() {
            relayed.ipv4
        } else {
            relayed.ipv6
        };
        own.map(|_| ()).ok_or(Error::Family)
    }

    fn is_pending(&self, purpose: &Purpose) -> bool {
        self.pending.iter().any(|it| it.purpose == *purpose)
    }

    /// Begins what is due.
    fn settle(&mut self, now: Instant) {
        let Some(allocation) = self.allocation.filter(|_| self.state == State::Allocated) else {
            return;
        };
        if allocation.expires <= now {
            self.end(Event::Lost);
            return;
        }
        if allocation.refresh <= now && !self.is_pending(&Purpose::Refresh) {
            self.ask(now, Purpose::Refresh, None);
        }
        loop {
            let due = self.permissions.take_due(now);
            if due.is_empty() {
                break;
            }
            self.ask(now, Purpose::Permit(due), None);
        }
        while let Some((number, peer)) = self.channels.take_due(now) {
            self.ask(now, Purpose::Bind { number, peer }, None);
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What was asked so short a time ago is not asked again.
const VERIFIED: Duration = Duration::from_secs(5);
