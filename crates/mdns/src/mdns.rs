//! Both halves: who asks and who answers.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    PORT, is_local,
    message::{self, Content},
    name,
    publish::Published,
    query::{Query, is_usable},
};

/// A resolver of names behind which peers hide their addresses, and a responder for ours.
pub struct Mdns {
    random: ChaCha20Rng,
    queries: Vec<Query>,
    published: Vec<Published>,
    out: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub target: Target,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the groups of both families, on each interface, from port 5353.
    Group,
    /// To the groups of both families, on each interface, from a port that nobody shares: who answers by the book
    /// answers there, to us alone (RFC 6762 §5.1, §6.7). Other programs of this machine have port 5353 as well.
    Question,
    /// To the one who asked.
    One(SocketAddr),
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A name has this address. The first answer counts.
    Resolved {
        /// The name, as it was asked for.
        name: String,
        /// The address.
        address: IpAddr,
    },
    /// Nobody has answered for 10 s.
    Unresolved {
        /// The name.
        name: String,
    },
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Names of multicast DNS for ICE are one label before `.local`.
    #[error("the name is not one label before .local")]
    Name,
    /// There are too many names at once.
    #[error("too many names at once")]
    Full,
}

impl Mdns {
    /// One that knows nothing yet. `seed` makes the names of our addresses: it must come from a secure
    /// generator and be used once.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            random: ChaCha20Rng::from_seed(seed),
            queries: Vec::new(),
            published: Vec::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Wants the address of a name. A name that is asked for already is not asked for twice.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Full`] beyond 64 names.
    pub fn resolve(&mut self, now: Instant, name: &str) -> Result<(), Error> {
        if !is_local(name) {
            return Err(Error::Name);
        }
        if self
            .queries
            .iter()
            .any(|it| it.name.eq_ignore_ascii_case(name))
        {
            return Ok(());
        }
        if self.queries.len() >= MAX_NAMES {
            return Err(Error::Full);
        }
        self.queries.push(Query::new(now, name));
        self.handle_timeout(now);
        Ok(())
    }

    /// The answer is not wanted any more.
    pub fn cancel(&mut self, name: &str) {
        self.queries
            .retain(|it| !it.name.eq_ignore_ascii_case(name));
    }

    /// Publishes an address of this machine behind a random name, which is announced and answered for.
    ///
    /// # Errors
    /// [`Error::Full`] beyond 64 names.
    pub fn publish(&mut self, now: Instant, address: IpAddr) -> Result<String, Error> {
        if self.published.len() >= MAX_NAMES {
            return Err(Error::Full);
        }
        let name = name::random(&mut self.random);
        self.published
            .push(Published::new(now, name.clone(), address));
        self.handle_timeout(now);
        Ok(name)
    }

    /// A name is not used any more: caches are told (RFC 6762 §10.1).
    pub fn withdraw(&mut self, name: &str) {
        let Some(at) = self.published.iter().position(|it| it.name == name) else {
            return;
        };
        let gone = self.published.swap_remove(at);
        let bytes = message::answer(&gone.name, gone.address, 0);
        self.push(Target::Group, bytes);
    }

    /// Takes a datagram that came to port 5353 or to the port that questions left from. It has to come
    /// from the local link, which the owner of the socket sees to.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        match message::read(bytes) {
            Some(Content::Addresses(addresses)) if from.port() == PORT => self.learn(&addresses),
            Some(Content::Questions { id, asked }) => self.answer(now, from, id, &asked),
            // RFC 6762 §6: answers come from the port.
            _ => {}
        }
    }

    fn learn(&mut self, addresses: &[(String, IpAddr)]) {
        for (name, address) in addresses {
            let is = |it: &Query| it.name.eq_ignore_ascii_case(name);
            if let Some(at) = self
                .queries
                .iter()
                .position(is)
                .filter(|_| is_usable(*address))
            {
                let name = self.queries.swap_remove(at).name;
                let address = *address;
                self.events.push_back(Event::Resolved { name, address });
            }
        }
    }

    /// Answers for each name once, however often it stands in a message.
    fn answer(&mut self, now: Instant, from: SocketAddr, id: u16, asked: &[message::Asked]) {
        // RFC 6762 §6.7: who asks from another port is a resolver of the old kind.
        let is_legacy = from.port() != PORT;
        let mut answers = Vec::new();
        for published in &mut self.published {
            let Some(asked) = asked.iter().find(|it| published.is_asked(it)) else {
                continue;
            };
            if is_legacy {
                let bytes = message::legacy_answer(id, asked, published.address);
                answers.push((Target::One(from), bytes));
                continue;
            }
            let target = if asked.unicast {
                Target::One(from)
            } else if published.may_tell_all(now) {
                Target::Group
            } else {
                continue;
            };
            let bytes = message::answer(&published.name, published.address, TTL);
            answers.push((target, bytes));
        }
        for (target, bytes) in answers {
            self.push(target, bytes);
        }
    }

    /// Lets time pass. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (mut told, mut asked) = (Vec::new(), Vec::new());
        for published in &mut self.published {
            if published.announce(now) {
                told.push(message::answer(&published.name, published.address, TTL));
            }
        }
        self.queries.retain(|query| {
            let is_over = query.is_over(now);
            if is_over {
                let name = query.name.clone();
                self.events.push_back(Event::Unresolved { name });
            }
            !is_over
        });
        for query in &mut self.queries {
            if query.ask(now) {
                asked.push(message::question(&query.name));
            }
        }
        for bytes in told {
            self.push(Target::Group, bytes);
        }
        for bytes in asked {
            self.push(Target::Question, bytes);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let queries = self.queries.iter().map(Query::poll_timeout);
        let announcements = self.published.iter().filter_map(Published::poll_timeout);
        queries.chain(announcements).min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn push(&mut self, target: Target, bytes: Option<Vec<u8>>) {
        if let Some(bytes) = bytes.filter(|_| self.out.len() < MAX_QUEUED) {
            self.out.push_back(Transmit { target, bytes });
        }
    }
}

impl std::fmt::Debug for Mdns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mdns")
            .field("queries", &self.queries.len())
            .field("published", &self.published.len())
            .finish_non_exhaustive()
    }
}

/// RFC 6762 §10: the time to live of addresses, in seconds.
const TTL: u32 = 120;
const MAX_NAMES: usize = 64;
const MAX_QUEUED: usize = 128;
