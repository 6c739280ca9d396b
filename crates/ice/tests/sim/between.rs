//! What lies between two agents: delay and loss, a NAT, servers that tell addresses and relay, or a network.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use oxirtc_ice::{Path, Protocol};
use oxirtc_netsim::{End, Network, Wire, earliest, ms};

use super::{
    ip,
    server::{Out, Server},
};

/// A wire for datagrams and streams.
pub(crate) struct Between {
    pub(crate) delay: Duration,
    /// Of 256 datagrams, so many are lost.
    pub(crate) loss: u8,
    /// Whether what this end sends gets through.
    pub(crate) up: [bool; 2],
    /// A NAT knows the first address by the second from now on, and by the first no more.
    pub(crate) mapped: Option<(SocketAddr, SocketAddr)>,
    /// Addresses that nothing reaches and nothing leaves.
    pub(crate) dead: Vec<IpAddr>,
    /// Nothing gets from one end to the other.
    pub(crate) apart: bool,
    /// Datagrams are lost, and streams are not.
    pub(crate) no_udp: bool,
    /// Where each end lives.
    pub(crate) addresses: [Vec<IpAddr>; 2],
    /// STUN and TURN servers.
    pub(crate) servers: Vec<(SocketAddr, Server)>,
    /// What lies between, where it is more than a wire.
    pub(crate) network: Option<Network>,
    /// Where the streams of the ends come from.
    streams: BTreeSet<SocketAddr>,
    flights: BTreeMap<(Instant, u64), Flight>,
    serial: u64,
    random: u64,
}

/// For whom, on which path as the receiver sees it.
type Flight = (End, Path, Vec<u8>);

impl Between {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            delay: ms(10),
            loss: 0,
            up: [true, true],
            mapped: None,
            dead: Vec::new(),
            apart: false,
            no_udp: false,
            addresses: [vec![ip("10.0.0.1")], vec![ip("10.0.0.2")]],
            servers: Vec::new(),
            network: None,
            streams: BTreeSet::new(),
            flights: BTreeMap::new(),
            serial: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn put(&mut self, now: Instant, to: End, path: Path, bytes: Vec<u8>) {
        let due = (now + self.delay, self.serial);
        self.flights.insert(due, (to, path, bytes));
        self.serial += 1;
    }

    /// Something leaves a server.
    fn relay(
        &mut self,
        now: Instant,
        (local, remote): (SocketAddr, SocketAddr),
        protocol: Protocol,
        bytes: Vec<u8>,
    ) {
        if let Some(network) = &mut self.network {
            network.send(now, remote, local, bytes);
            return;
        }
        let path = Path {
            local,
            remote,
            protocol,
        };
        self.put(now, self.owner(local.ip()), path, bytes);
    }

    fn owner(&self, address: IpAddr) -> End {
        let is_first = !self.addresses[1].contains(&address) || self.owns(End::A, address);
        if is_first { End::A } else { End::B }
    }

    fn owns(&self, end: End, address: IpAddr) -> bool {
        self.addresses[super::number(end)].contains(&address)
    }

    /// The next that has arrived anywhere.
    fn arrival(&mut self, now: Instant) -> Option<Flight> {
        if let Some(network) = &mut self.network {
            let it = network.receive(now)?;
            let to = self.owner(it.to.ip());
            return Some((to, Path::udp(it.to, it.from), it.datagram));
        }
        let first = self.flights.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Whether a server has the address, or relays it; it answers then, or passes on.
    fn is_served(&mut self, now: Instant, path: Path, bytes: &[u8]) -> bool {
        let from = path.remote;
        let mut servers = self.servers.iter_mut();
        if let Some((address, server)) = servers.find(|(at, _)| *at == path.local) {
            let address = *address;
            let outs = server.handle(now, from, bytes);
            let relayed = server.allocations.get(&from);
            let relayed = relayed.map(|it| it.relayed.clone()).unwrap_or_default();
            for out in outs {
                match out {
                    Out::Client(answer) => self.relay(now, (from, address), path.protocol, answer),
                    Out::Peer(peer, data) => {
                        let source = relayed.iter().find(|it| it.is_ipv4() == peer.is_ipv4());
                        self.relay(now, (peer, *source.unwrap()), Protocol::Udp, data);
                    }
                }
            }
            return true;
        }
        let found = self.servers.iter().find_map(|(address, server)| {
            let mut allocations = server.allocations.iter();
            let found = allocations.find(|(_, it)| it.relayed.contains(&path.local));
            found.map(|(client, _)| (*address, *client, server))
        });
        let Some((address, client, server)) = found else {
            return false;
        };
        if let Some(mut passed) = server.pass_on(now, client, from, bytes) {
            let protocol = match self.streams.contains(&client) {
                true => Protocol::Tcp,
                false => Protocol::Udp,
            };
            if protocol == Protocol::Tcp {
                passed.resize(passed.len().next_multiple_of(4), 0);
            }
            self.relay(now, (client, address), protocol, passed);
        }
        true
    }
}

impl Wire<Path> for Between {
    fn send(&mut self, now: Instant, to: End, path: Path, bytes: Vec<u8>) {
        if let Some(network) = &mut self.network {
            network.send(now, path.remote, path.local, bytes);
            return;
        }
        if path.protocol == Protocol::Tcp {
            self.streams.insert(path.remote);
        }
        let random = (self.random() >> 20).to_be_bytes()[7] < self.loss;
        let lost = random
            || self.no_udp && path.protocol == Protocol::Udp
            || self.apart && self.owns(to, path.local.ip())
            || [path.local, path.remote]
                .iter()
                .any(|it| self.dead.contains(&it.ip()));
        let known = self.mapped.filter(|(inside, _)| *inside == path.remote);
        let source = known.map_or(path.remote, |(_, outside)| outside);
        let (target, unknown) = match self.mapped {
            Some((inside, outside)) if path.local == outside => (inside, false),
            Some((inside, _)) => (path.local, path.local == inside),
            None => (path.local, false),
        };
        if self.up[super::number(to.other())] && !lost && !unknown {
            let path = Path {
                local: target,
                remote: source,
                protocol: path.protocol,
            };
            self.put(now, to, path, bytes);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let flight = self.flights.keys().next().map(|(due, _)| *due);
        let network = self.network.as_ref().and_then(Network::poll_timeout);
        earliest([flight, network])
    }

    fn receive(&mut self, now: Instant) -> Option<(End, Path, Vec<u8>)> {
        loop {
            let (to, path, bytes) = self.arrival(now)?;
            if !self.is_served(now, path, &bytes) && self.owns(to, path.local.ip()) {
                return Some((to, path, bytes));
            }
        }
    }

    fn is_read_first(&self) -> bool {
        true
    }
}
