//! Where candidates come from beside this machine's own addresses: servers, and what was asked of them.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use oxirtc_stun::{
    Builder, Class, Event as Ended, Message, Method, Schedule, Transaction, TransactionId,
};

use crate::{
    Address, RequestId, Server,
    base::{Base, BaseId, Host, RelayId},
    candidate::normalized,
    relay::{Relay, Stage},
    server::SourceId,
};

/// A server that a living side lists.
pub(crate) struct Source {
    pub(crate) id: SourceId,
    pub(crate) server: Server,
    pub(crate) lookup: Lookup,
    /// It has given something.
    pub(crate) useful: bool,
    /// The codes that were told.
    pub(crate) told: Vec<u16>,
}

/// The addresses of a server.
pub(crate) enum Lookup {
    /// The name is being resolved, until then at the latest.
    Asked(RequestId, Instant),
    /// These are they; none when the name has none.
    Known(Vec<IpAddr>),
}

/// A question to a server: which address it sees a base at (RFC 8445 §5.1.1.2).
pub(crate) struct Probe {
    pub(crate) source: SourceId,
    pub(crate) base: BaseId,
    pub(crate) server: SocketAddr,
    /// While it is under way.
    pub(crate) transaction: Option<Transaction>,
    pub(crate) mapped: Option<(SocketAddr, Instant)>,
    /// It was answered, or was not, once.
    pub(crate) ended: bool,
}

/// All of an agent.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) sources: Vec<Source>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) relays: Vec<Relay>,
    next_source: u64,
    next_relay: u64,
    /// When the next question may begin (RFC 8445 §14.2).
    pub(crate) next_start: Option<Instant>,
}

/// What a side lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Probe(SourceId, BaseId, SocketAddr),
    Relay(SourceId, Host, SocketAddr),
}

impl Sources {
    pub(crate) fn next_source(&mut self) -> SourceId {
        self.next_source += 1;
        SourceId(self.next_source)
    }

    pub(crate) fn next_relay(&mut self) -> RelayId {
        self.next_relay += 1;
        RelayId(self.next_relay)
    }

    pub(crate) fn source_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources.iter_mut().find(|it| it.id == id)
    }

    pub(crate) fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.iter().find(|it| it.id == id)
    }

    pub(crate) fn of(&self, server: &Server) -> Option<&Source> {
        self.sources.iter().find(|it| it.server == *server)
    }

    pub(crate) fn relay(&self, id: RelayId) -> Option<&Relay> {
        self.relays.iter().find(|it| it.id == id)
    }

    pub(crate) fn relay_mut(&mut self, id: RelayId) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|it| it.id == id)
    }

    /// Whether one more allocation may be asked for.
    pub(crate) fn has_room(&self) -> bool {
        self.relays.len() < MAX_RELAYS
    }

    /// A new side asks anew: what had no answer, or none that still holds.
    pub(crate) fn renew(&mut self, now: Instant) {
        // What it is told of is to be there still, and one that is waited for is asked for at once.
        for relay in &mut self.relays {
            relay.deadline = now + ALLOCATION;
            if let Some(client) = relay.client_mut() {
                client.verify(now);
            }
        }
        self.probes
            .retain(|probe| probe.transaction.is_some() || probe.fresh(now).is_some());
        self.relays
            .retain(|relay| !matches!(relay.stage, Stage::Over | Stage::Waiting(_)));
        self.sources.retain(
            |source| !matches!(&source.lookup, Lookup::Known(addresses) if addresses.is_empty()),
        );
        for source in &mut self.sources {
            source.told.clear();
        }
    }

    /// The first question that these servers have not been asked: every server from the first address,
    /// then every server from the second.
    pub(crate) fn missing(
        &self,
        servers: &[Server],
        bases: &[Base],
        hosts: &[Host],
    ) -> Option<Missing> {
        let known = || servers.iter().filter_map(|server| self.of(server));
        let probes = bases.iter().flat_map(|base| {
            known()
                .filter(|source| source.server.reflects())
                .filter_map(|source| {
                    let server = source.reached_from(base.address.ip())?;
                    Some(Missing::Probe(source.id, base.id, server))
                })
        });
        let relays = hosts.iter().flat_map(|host| {
            known()
                .filter(|source| source.server.relays())
                .filter_map(|source| {
                    let server = source.reached_from(host.address)?;
                    Some(Missing::Relay(source.id, *host, server))
                })
        });
        // The quick ones first.
        probes.chain(relays).find(|missing| match missing {
            Missing::Probe(source, base, _) => {
                let mut probes = self.probes.iter();
                self.probes.len() < MAX_PROBES
                    && !probes.any(|it| it.source == *source && it.base == *base)
            }
            Missing::Relay(source, host, _) => {
                let mut relays = self.relays.iter();
                self.has_room()
                    && !relays.any(|it| it.source == *source && it.from.address == host.address)
            }
        })
    }

    /// Whether something is under way that gathering for these servers waits for.
    pub(crate) fn is_under_way(&self, now: Instant, servers: &[Server]) -> bool {
        let ids = self
            .sources
            .iter()
            .filter(|it| servers.contains(&it.server));
        let mut ids = ids.map(|source| {
            let asked = matches!(source.lookup, Lookup::Asked(..));
            let probes = self.probes.iter().filter(|it| it.source == source.id);
            let relays = self.relays.iter().filter(|it| it.source == source.id);
            asked
                || probes.into_iter().any(|it| !it.ended)
                || relays.into_iter().any(|it| it.is_under_way(now))
        });
        ids.any(|busy| busy)
    }

    /// The probe that this answer is for, which came from there.
    pub(crate) fn asked(
        &mut self,
        base: BaseId,
        from: SocketAddr,
        answer: &Message<'_>,
    ) -> Option<&mut Probe> {
        self.probes.iter_mut().find(|probe| {
            let transaction = probe.transaction.as_ref();
            probe.base == base
                && probe.server == from
                && transaction.is_some_and(|it| it.matches(answer))
        })
    }
}

impl Source {
    pub(crate) fn new(id: SourceId, server: Server, lookup: Lookup) -> Self {
        Self {
            id,
            server,
            lookup,
            useful: false,
            told: Vec::new(),
        }
    }

    /// The address of the server that is asked from this one, if there is one of its family.
    fn reached_from(&self, from: IpAddr) -> Option<SocketAddr> {
        let Lookup::Known(addresses) = &self.lookup else {
            return None;
        };
        // What is on this machine is asked on this machine.
        let fits =
            |to: &&IpAddr| to.is_ipv4() == from.is_ipv4() && to.is_loopback() == from.is_loopback();
        let to = addresses.iter().find(fits)?;
        Some(SocketAddr::new(*to, self.server.port))
    }
}

impl Lookup {
    /// What is known of a server from its URL.
    pub(crate) fn of(host: &Address) -> Option<Self> {
        match host {
            Address::Ip(ip) => Some(Self::Known(vec![ip.to_canonical()])),
            Address::Name(_) => None,
        }
    }
}

impl Probe {
    pub(crate) fn new(source: SourceId, base: BaseId, server: SocketAddr) -> Self {
        Self {
            source,
            base,
            server,
            transaction: None,
            mapped: None,
            ended: false,
        }
    }

    /// Asks, or asks again.
    pub(crate) fn ask(&mut self, now: Instant, id: TransactionId) {
        let mut request = Vec::new();
        let mut builder = Builder::new(&mut request, Class::Request, Method::BINDING, id);
        let schedule = Schedule::unreliable(RTO);
        let schedule = schedule.with_max_requests(5).with_last_wait(4);
        let built = builder.finish().is_ok();
        self.transaction = Transaction::new(request, schedule, now)
            .ok()
            .filter(|_| built);
        self.ended |= self.transaction.is_none();
    }

    /// When it is to be asked again, so that the mapping stays (RFC 8445 §5.1.1.4).
    pub(crate) fn renewal(&self) -> Option<Instant> {
        let (_, at) = self.mapped.filter(|_| self.transaction.is_none())?;
        Some(at + KEEPALIVE)
    }

    /// The address that the server sees, while that is believed to hold.
    pub(crate) fn fresh(&self, now: Instant) -> Option<SocketAddr> {
        let (mapped, at) = self.mapped?;
        (now <= at + FRESH).then_some(mapped)
    }

    /// Whether it has gone without an answer.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Some(transaction) = &mut self.transaction else {
            return false;
        };
        transaction.handle_timeout(now);
        let over: Option<Ended> = transaction.poll_event();
        if over.is_some() {
            self.transaction = None;
            self.mapped = None;
            self.ended = true;
        }
        over.is_some()
    }
}

/// The address that an answer names; one that nobody could send to is none.
pub(crate) fn mapped(answer: &Message<'_>, base: SocketAddr) -> Option<SocketAddr> {
    // RFC 8489 §14.1: servers of RFC 3489 know the plain attribute only.
    let mapped = answer.xor_mapped_address().or(answer.mapped_address())?;
    let mapped = normalized(mapped);
    let ip = mapped.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let usable = mapped.port() != 0
        && mapped.is_ipv4() == base.is_ipv4()
        && !(ip.is_unspecified() || ip.is_multicast() || broadcast)
        && (!ip.is_loopback() || base.ip().is_loopback());
    usable.then_some(mapped)
}

/// RFC 8489 §6.2.1.
const RTO: Duration = Duration::from_millis(500);
/// RFC 8445 §5.1.1.4: a mapping is kept alive until a pair is nominated.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long an answer is believed after it came.
const FRESH: Duration = Duration::from_secs(25);
/// Time between the beginnings of two questions.
pub(crate) const PACING: Duration = Duration::from_millis(20);
/// A name that is not resolved by then is not waited for.
pub(crate) const LOOKUP: Duration = Duration::from_secs(5);
/// An allocation that is not there by then is not waited for.
pub(crate) const ALLOCATION: Duration = Duration::from_secs(15);
pub(crate) const MAX_SOURCES: usize = 16;
const MAX_PROBES: usize = 64;
const MAX_RELAYS: usize = 8;
