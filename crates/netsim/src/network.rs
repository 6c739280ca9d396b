//! Nodes with addresses, and what lies between them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::link::{Duplex, Link};
use crate::nat::{Nat, NatId};
use crate::pcap::Capture;
use crate::seed::derived;

/// Nodes that send datagrams to each other in simulated time.
///
/// Any node reaches any other: a link of its own conditions ([`connect`](Self::connect)) or of the default ones lies
/// between each two. Nodes behind the same [`Nat`] reach each other directly by their inner addresses; from outside they are
/// reached through its public address. Translation happens when a datagram leaves, filtering when it arrives.
///
/// ```
/// use oxirtc_netsim::{Link, Nat, NatKind, Network, epoch, ms};
///
/// let mut network = Network::new(1).default_link(Link::new(0).delay(ms(20)));
/// let nat = network.add_nat(Nat::new(NatKind::FullCone, "203.0.113.1".parse()?));
/// network.add_node_behind(nat, &["10.0.0.2".parse()?]);
/// network.add_node(&["192.0.2.1".parse()?]);
///
/// network.send(epoch(), "10.0.0.2:5000".parse()?, "192.0.2.1:9".parse()?, b"ping".to_vec());
/// let now = network.poll_timeout().unwrap();
/// let delivery = network.receive(now).unwrap();
/// assert_eq!((delivery.from, now), ("203.0.113.1:5000".parse()?, epoch() + ms(20)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Network {
    seed: u64,
    default_link: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    nodes: u32,
    nats: Vec<Nat>,
    interfaces: BTreeMap<IpAddr, Interface>,
    flights: BTreeMap<(Instant, u64), Flight>,
    serial: u64,
    capture: Option<Capture>,
    stats: NetworkStats,
}

/// A node of a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// A datagram that has arrived, with the addresses as the receiver sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The node that it arrived at.
    pub node: NodeId,
    /// The sender's address, translated where a NAT lies between.
    pub from: SocketAddr,
    /// The receiver's own address.
    pub to: SocketAddr,
    /// The payload.
    pub datagram: Vec<u8>,
}

/// Counts of datagrams since a [`Network`] was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NetworkStats {
    /// Given to the network.
    pub sent: u64,
    /// Delivered; duplicates are counted too.
    pub delivered: u64,
    /// Dropped by a link: lost, too big, or its queue was full.
    pub lost: u64,
    /// Sent to an address that does not exist where the sender is, or from one that is not there at all.
    pub unreachable: u64,
    /// Stopped by a NAT, or larger than UDP can carry.
    pub filtered: u64,
    /// Sent from, or arrived at, an interface that was down.
    pub interface_down: u64,
}

#[derive(Debug)]
struct Interface {
    node: NodeId,
    /// The NAT behind which the address is valid; `None` is the public network.
    realm: Option<NatId>,
    up: bool,
}

#[derive(Debug, Clone)]
struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    datagram: Vec<u8>,
}

/// Why a datagram does not travel.
#[derive(Debug, Clone, Copy)]
enum Dropped {
    Unreachable,
    Filtered,
    InterfaceDown,
}

impl Network {
    /// An empty network; every chance in it comes from `seed`. With `NETSIM_PCAP=<directory>` in the environment it
    /// [captures](Self::capture) what is sent to a file there, named after the test.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            default_link: Link::new(seed),
            links: BTreeMap::new(),
            nodes: 0,
            nats: Vec::new(),
            interfaces: BTreeMap::new(),
            flights: BTreeMap::new(),
            serial: 0,
            capture: Capture::from_environment(),
            stats: NetworkStats::default(),
        }
    }

    /// The conditions between nodes that are not [connected](Self::connect) by links of their own; each direction of each
    /// pair gets a seed of its own. Default: perfect links.
    #[must_use]
    pub fn default_link(mut self, like: Link) -> Self {
        self.default_link = like;
        self
    }

    /// Adds a NAT.
    ///
    /// # Panics
    /// When its public address is taken, or it is behind a NAT of another network.
    pub fn add_nat(&mut self, nat: Nat) -> NatId {
        self.assert_free(nat.public().into());
        if let Some(parent) = nat.parent() {
            self.assert_known(parent);
        }
        let id = NatId(self.nats.len() as u32);
        self.nats.push(nat);
        id
    }

    /// Adds a node to the public network, with an interface for each address.
    ///
    /// # Panics
    /// When an address is taken: addresses are unique in the whole network, so that a datagram says by its source which
    /// node sent it.
    pub fn add_node(&mut self, addresses: &[IpAddr]) -> NodeId {
        self.insert_node(None, addresses)
    }

    /// Adds a node behind a NAT. Its IPv4 addresses are translated; its IPv6 addresses are part of the public network.
    ///
    /// # Panics
    /// When an address is taken, or the NAT belongs to another network.
    pub fn add_node_behind(&mut self, nat: NatId, addresses: &[IpAddr]) -> NodeId {
        self.assert_known(nat);
        self.insert_node(Some(nat), addresses)
    }

    /// Gives a node another interface, in the public network or, for IPv4, behind `nat`.
    ///
    /// # Panics
    /// When the address is taken.
    pub fn add_address(&mut self, node: NodeId, nat: Option<NatId>, address: IpAddr) {
        self.assert_free(address);
        let realm = nat.filter(|_| address.is_ipv4());
        let up = true;
        self.interfaces
            .insert(address, Interface { node, realm, up });
    }

    /// Takes an interface down, so that nothing is sent from it and nothing arrives, or up again.
    ///
    /// # Panics
    /// When no node has the address.
    pub fn set_interface(&mut self, address: IpAddr, up: bool) {
        let Some(interface) = self.interfaces.get_mut(&address) else {
            panic!("no node has the address {address}");
        };
        interface.up = up;
    }

    /// The addresses of a node whose interfaces are up, in order.
    pub fn addresses(&self, node: NodeId) -> Vec<IpAddr> {
        let all = self.interfaces.iter();
        all.filter(|(_, interface)| interface.node == node && interface.up)
            .map(|(address, _)| *address)
            .collect()
    }

    /// Lays links between two nodes: `there` from `a` to `b`, `back` from `b` to `a`.
    pub fn connect(&mut self, a: NodeId, b: NodeId, duplex: Duplex) {
        self.links.insert((a, b), duplex.there);
        self.links.insert((b, a), duplex.back);
    }

    /// The link from one node to another, for example to change its conditions. Only what is sent from now on sees a change.
    pub fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let Self {
            seed, default_link, ..
        } = self;
        self.links.entry((from, to)).or_insert_with(|| {
            let part = u64::from(from.0) << 32 | u64::from(to.0);
            default_link.reseeded(derived(*seed, part))
        })
    }

    /// Makes a NAT forget all its mappings, as if it had been started again.
    pub fn forget_mappings(&mut self, nat: NatId) {
        if let Some(nat) = self.nats.get_mut(nat.0 as usize) {
            nat.forget();
        }
    }

    /// Writes everything that is sent from now on to `writer` as a classic pcap file of raw IP packets, with the
    /// addresses they have outside of the sender's NAT and the simulated time; also what is lost on its way.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn capture(&mut self, writer: impl Write + Send + 'static) -> io::Result<()> {
        self.capture = Some(Capture::new(Box::new(writer))?);
        Ok(())
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// The first that happened while it was written, after which nothing more was.
    pub fn finish_capture(&mut self) -> io::Result<()> {
        match self.capture.take() {
            Some(capture) => capture.finish(),
            None => Ok(()),
        }
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> NetworkStats {
        self.stats
    }

    /// The seed the network was made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Sends a datagram at `now` from an address of a node to any address.
    pub fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, datagram: Vec<u8>) {
        self.stats.sent += 1;
        let (node, from, heading) = match self.egress(now, from, to, datagram.len()) {
            Ok(route) => route,
            Err(cause) => return self.count(cause),
        };
        if let Some(capture) = &mut self.capture {
            capture.record(now, from, to, &datagram);
        }
        let mut arrivals = [None, None];
        let link = self.link_mut(node, heading);
        let Some(datagram) = link.carry(now, datagram, &mut arrivals) else {
            self.stats.lost += 1;
            return;
        };
        let flight = Flight { from, to, datagram };
        for at in arrivals.into_iter().flatten() {
            self.flights.insert((at, self.serial), flight.clone());
            self.serial += 1;
        }
    }

    /// When the next datagram arrives. (It may still be stopped by a NAT or an interface that is down.)
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.flights.keys().next().map(|(at, _)| *at)
    }

    /// The next datagram that has arrived by `now`, in the order of arrival.
    pub fn receive(&mut self, now: Instant) -> Option<Delivery> {
        loop {
            let entry = self.flights.first_entry()?;
            let at = entry.key().0;
            if at > now {
                return None;
            }
            let flight = entry.remove();
            match self.ingress(at, flight) {
                Ok(delivery) => {
                    self.stats.delivered += 1;
                    return Some(delivery);
                }
                Err(cause) => self.count(cause),
            }
        }
    }

    /// Finds the way out of the sender's network: the sending node, the source address outside, and the node towards which
    /// the datagram travels.
    fn egress(
        &mut self,
        now: Instant,
        mut from: SocketAddr,
        to: SocketAddr,
        len: usize,
    ) -> Result<(NodeId, SocketAddr, NodeId), Dropped> {
        let Some(interface) = self.interfaces.get(&from.ip()) else {
            return Err(Dropped::Unreachable);
        };
        if !interface.up {
            return Err(Dropped::InterfaceDown);
        }
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Dropped::Unreachable);
        }
        if len > MAX_PAYLOAD {
            return Err(Dropped::Filtered);
        }
        let (node, mut realm) = (interface.node, interface.realm);
        loop {
            if let Some(target) = self.interfaces.get(&to.ip())
                && target.realm == realm
            {
                return Ok((node, from, target.node));
            }
            if let Some(id) = self.nat_at(to.ip())
                && self.nats.get(id.0 as usize).and_then(Nat::parent) == realm
            {
                let heading = self.behind(id, to.port());
                return heading
                    .map(|heading| (node, from, heading))
                    .ok_or(Dropped::Filtered);
            }
            let id = realm.ok_or(Dropped::Unreachable)?;
            let nat = self
                .nats
                .get_mut(id.0 as usize)
                .ok_or(Dropped::Unreachable)?;
            if to.ip() == nat.public() && !nat.has_hairpin() {
                return Err(Dropped::Filtered);
            }
            from = nat.outbound(now, from, to).ok_or(Dropped::Filtered)?;
            realm = nat.parent();
        }
    }

    /// Passes the NATs on the receiver's side.
    fn ingress(&self, now: Instant, flight: Flight) -> Result<Delivery, Dropped> {
        let Flight {
            from,
            mut to,
            datagram,
        } = flight;
        while let Some(id) = self.nat_at(to.ip()) {
            let nat = self.nats.get(id.0 as usize);
            to = nat
                .and_then(|nat| nat.inbound(now, to.port(), from))
                .ok_or(Dropped::Filtered)?;
        }
        match self.interfaces.get(&to.ip()) {
            Some(interface) if interface.up => Ok(Delivery {
                node: interface.node,
                from,
                to,
                datagram,
            }),
            Some(_) => Err(Dropped::InterfaceDown),
            None => Err(Dropped::Unreachable),
        }
    }

    fn nat_at(&self, address: IpAddr) -> Option<NatId> {
        let position = self
            .nats
            .iter()
            .position(|nat| IpAddr::V4(nat.public()) == address)?;
        Some(NatId(position as u32))
    }

    /// The node that has a port of a NAT. A port without a mapping may get one while a datagram travels, so that any node behind
    /// the NAT serves then to choose the link.
    fn behind(&self, id: NatId, port: u16) -> Option<NodeId> {
        if let Some(inside) = self.nats.get(id.0 as usize)?.inside(port) {
            return match self.interfaces.get(&inside.ip()) {
                Some(interface) => Some(interface.node),
                None => self.behind(self.nat_at(inside.ip())?, inside.port()),
            };
        }
        let mut interfaces = self.interfaces.values();
        if let Some(interface) = interfaces.find(|interface| interface.realm == Some(id)) {
            return Some(interface.node);
        }
        let inner = self.nats.iter().position(|nat| nat.parent() == Some(id))?;
        self.behind(NatId(inner as u32), port)
    }

    fn insert_node(&mut self, nat: Option<NatId>, addresses: &[IpAddr]) -> NodeId {
        let node = NodeId(self.nodes);
        self.nodes += 1;
        for address in addresses {
            self.add_address(node, nat, *address);
        }
        node
    }

    fn assert_free(&self, address: IpAddr) {
        let taken = self.interfaces.contains_key(&address) || self.nat_at(address).is_some();
        assert!(!taken, "the address {address} is taken");
    }

    fn assert_known(&self, nat: NatId) {
        let known = (nat.0 as usize) < self.nats.len();
        assert!(known, "{nat:?} is not of this network");
    }

    fn count(&mut self, cause: Dropped) {
        let counter = match cause {
            Dropped::Unreachable => &mut self.stats.unreachable,
            Dropped::Filtered => &mut self.stats.filtered,
            Dropped::InterfaceDown => &mut self.stats.interface_down,
        };
        *counter += 1;
    }
}

/// What UDP over IPv4 carries at most.
const MAX_PAYLOAD: usize = 65_507;
