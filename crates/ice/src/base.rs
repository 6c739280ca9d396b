//! Bases: what datagrams are sent from.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use crate::{CandidateKind, Path, Protocol, candidate::reachable, framing, stream::Streams};

pub(crate) use crate::key::{BaseId, PairKey};

/// Names an allocation for as long as its agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RelayId(pub(crate) u64);

/// An address that datagrams are sent from (RFC 8445 §4). It belongs to the agent, whatever generations
/// have candidates on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) id: BaseId,
    pub(crate) address: SocketAddr,
    pub(crate) via: Via,
}

/// Through what a base sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A UDP socket of this machine.
    Socket,
    /// An allocation, and the way to its server.
    Relay(RelayId, Path),
    /// Streams that are opened from there, one for each pair (RFC 6544).
    Active,
    /// Streams that peers open to there, one for each pair.
    Passive,
}

/// An address that becomes a host candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    /// The interface of an IPv6 link-local one, else 0.
    pub(crate) scope: u32,
    /// RFC 8445 §5.1.2.1: the local preference.
    pub(crate) preference: u16,
}

/// The living bases of an agent.
#[derive(Default)]
pub(crate) struct Bases {
    bases: Vec<Base>,
    next: u64,
    /// What relays let through.
    permitted: BTreeSet<(BaseId, IpAddr)>,
    /// Those whose paths another connection of their sockets has.
    barred: BTreeSet<PairKey>,
    /// What sending costs from addresses of this machine, where it is more than nothing.
    pub(crate) costs: BTreeMap<IpAddr, u16>,
    /// On which the pairs over TCP go.
    pub(crate) streams: Streams,
}

impl Bases {
    /// A new base; the one on this socket, if there is one.
    pub(crate) fn add(&mut self, address: SocketAddr, via: Via) -> BaseId {
        if let Some(known) = self.at(address).filter(|_| via == Via::Socket) {
            return known.id;
        }
        let id = BaseId(self.next);
        self.next += 1;
        self.bases.push(Base { id, address, via });
        id
    }

    pub(crate) fn get(&self, id: BaseId) -> Option<&Base> {
        self.bases.iter().find(|base| base.id == id)
    }

    /// The base on this socket.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<&Base> {
        let mut sockets = self.bases.iter().filter(|it| it.via == Via::Socket);
        sockets.find(|base| base.address == address)
    }

    /// Whether checks of this pair get through as far as we are concerned: a relay has to permit the peer
    /// first.
    pub(crate) fn is_open(&self, key: PairKey) -> bool {
        match self.get(key.base).map(|base| base.via) {
            Some(Via::Socket) => true,
            Some(Via::Active | Via::Passive) => self.streams.path(key).is_some(),
            _ => self.permitted.contains(&(key.base, key.remote.ip())),
        }
    }

    /// A relay has permitted a peer, or does not.
    pub(crate) fn permit(&mut self, base: BaseId, ip: IpAddr, permitted: bool) {
        if permitted {
            self.permitted.insert((base, ip));
        } else {
            self.permitted.remove(&(base, ip));
        }
    }

    /// Whether what comes from the peer of this pair is handed to another connection.
    pub(crate) fn is_barred(&self, key: PairKey) -> bool {
        self.barred.contains(&key)
    }

    /// Another connection has the path of this pair, or has let go of it.
    pub(crate) fn bar(&mut self, key: PairKey, barred: bool) {
        if barred {
            self.barred.insert(key);
        } else {
            self.barred.remove(&key);
        }
    }

    /// The kind of the candidate that a base is.
    pub(crate) fn kind(&self, id: BaseId) -> CandidateKind {
        match self.relay(id) {
            Some(_) => CandidateKind::Relayed,
            None => CandidateKind::Host,
        }
    }

    /// The allocation behind a base.
    pub(crate) fn relay(&self, id: BaseId) -> Option<RelayId> {
        match self.get(id)?.via {
            Via::Relay(relay, _) => Some(relay),
            _ => None,
        }
    }

    /// What sending costs there.
    pub(crate) fn cost(&self, id: BaseId) -> u16 {
        let ip = self.get(id).map(|base| match base.via {
            Via::Relay(_, path) => path.local.ip(),
            Via::Socket | Via::Active | Via::Passive => base.address.ip(),
        });
        let cost = ip.and_then(|ip| self.costs.get(&ip));
        cost.copied().unwrap_or(0)
    }

    /// The protocol between a base and its peers.
    pub(crate) fn protocol(&self, id: BaseId) -> Protocol {
        match self.get(id).map(|base| base.via) {
            Some(Via::Active | Via::Passive) => Protocol::Tcp,
            _ => Protocol::Udp,
        }
    }

    /// Bytes before each datagram that leaves from there as it is.
    pub(crate) fn headroom(&self, id: BaseId) -> usize {
        match self.protocol(id) {
            Protocol::Udp => 0,
            Protocol::Tcp => framing::LENGTH,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Base> {
        self.bases.iter()
    }

    /// Ends those for which `keep` does not hold, and gives them.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Base) -> bool) -> Vec<Base> {
        let (kept, ended): (Vec<Base>, Vec<Base>) = self.bases.iter().partition(|base| keep(base));
        self.bases = kept;
        for base in &ended {
            self.permitted.retain(|(id, _)| *id != base.id);
            self.barred.retain(|key| key.base != base.id);
        }
        ended
    }

    /// Which pair a datagram belongs to that came on this path.
    pub(crate) fn locate(&self, path: Path) -> Option<PairKey> {
        let base = self.at(path.local)?;
        let remote = reachable(base.address, path.remote)?;
        Some(PairKey {
            base: base.id,
            remote,
        })
    }

    /// As [`path`](Self::path), also of a pair whose stream is not open: its end here is what the candidate says.
    pub(crate) fn shown_path(&self, key: PairKey) -> Option<Path> {
        let base = self.get(key.base)?;
        let closed = Path {
            local: base.address,
            remote: key.remote,
            protocol: self.protocol(key.base),
        };
        Some(self.path(key).unwrap_or(closed))
    }

    /// Where datagrams of this pair go.
    pub(crate) fn path(&self, key: PairKey) -> Option<Path> {
        let base = self.get(key.base)?;
        match base.via {
            Via::Socket => Some(Path {
                local: base.address,
                remote: key.remote,
                protocol: Protocol::Udp,
            }),
            Via::Relay(_, path) => Some(path),
            Via::Active | Via::Passive => self.streams.path(key),
        }
    }
}
