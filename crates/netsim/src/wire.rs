//! What lies between two machines.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::net::SocketAddr;
use std::time::Instant;

use crate::link::Duplex;
use crate::machine::End;
use crate::network::{Delivery, Network, NodeId};

/// What lies between the two machines of a [`Pair`](crate::Pair), which see routes `R`. A test may have a wire of its own.
pub trait Wire<R> {
    /// Takes a datagram for an end, with its route as that end is to see it.
    fn send(&mut self, now: Instant, to: End, route: R, datagram: Vec<u8>);

    /// When the next datagram arrives.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next datagram that has arrived by `now`, and at which end.
    fn receive(&mut self, now: Instant) -> Option<(End, R, Vec<u8>)>;

    /// Whether a machine whose time is up takes what arrives at the same moment first, as who reads a socket before looking at the clock.
    fn is_read_first(&self) -> bool {
        false
    }

    /// Whether the wire writes a capture of its own, so that the pair writes none.
    fn captures(&self) -> bool {
        false
    }
}

/// A wire through a [`Network`], for machines that see addresses: each end is a node of it, perhaps behind NATs, and
/// other nodes may be servers.
pub struct Across<R> {
    /// The network, to be changed at will.
    pub network: Network,
    nodes: [NodeId; 2],
    to_addresses: fn(R) -> (SocketAddr, SocketAddr),
    to_route: fn(SocketAddr, SocketAddr) -> R,
    servers: BTreeMap<NodeId, Server>,
}

/// What a server sends for a datagram that arrived: from which of its addresses, where to, what.
pub type Answers = Vec<(SocketAddr, SocketAddr, Vec<u8>)>;

type Server = Box<dyn FnMut(Instant, &Delivery) -> Answers>;

impl<R> Across<R> {
    /// A wire between two nodes of a network. `to_addresses` gives the local and the remote address of a route, `to_route`
    /// makes a route of them.
    pub fn new(
        network: Network,
        nodes: [NodeId; 2],
        to_addresses: fn(R) -> (SocketAddr, SocketAddr),
        to_route: fn(SocketAddr, SocketAddr) -> R,
    ) -> Self {
        Self {
            network,
            nodes,
            to_addresses,
            to_route,
            servers: BTreeMap::new(),
        }
    }

    /// Makes a third node a server: `answer` is called with each datagram that arrives there.
    pub fn serve(
        &mut self,
        node: NodeId,
        answer: impl FnMut(Instant, &Delivery) -> Answers + 'static,
    ) {
        self.servers.insert(node, Box::new(answer));
    }

    /// The node of an end.
    pub fn node(&self, end: End) -> NodeId {
        *end.of(&self.nodes)
    }
}

impl<R> Wire<R> for Across<R> {
    fn send(&mut self, now: Instant, _to: End, route: R, datagram: Vec<u8>) {
        // Where it arrives is a matter of the addresses.
        let (local, remote) = (self.to_addresses)(route);
        self.network.send(now, remote, local, datagram);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.network.poll_timeout()
    }

    fn receive(&mut self, now: Instant) -> Option<(End, R, Vec<u8>)> {
        loop {
            let delivery = self.network.receive(now)?;
            let at_end = |end: &End| *end.of(&self.nodes) == delivery.node;
            if let Some(end) = End::BOTH.into_iter().find(at_end) {
                let route = (self.to_route)(delivery.to, delivery.from);
                return Some((end, route, delivery.datagram));
            }
            if let Some(server) = self.servers.get_mut(&delivery.node) {
                for (from, to, datagram) in server(now, &delivery) {
                    self.network.send(now, from, to, datagram);
                }
            }
        }
    }

    fn captures(&self) -> bool {
        true
    }
}

/// `there` leads to [`End::B`], `back` to [`End::A`].
impl Wire<()> for Duplex {
    fn send(&mut self, now: Instant, to: End, _route: (), datagram: Vec<u8>) {
        let link = match to {
            End::A => &mut self.back,
            End::B => &mut self.there,
        };
        link.send(now, datagram);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn receive(&mut self, now: Instant) -> Option<(End, (), Vec<u8>)> {
        let (there, back) = (self.there.poll_timeout(), self.back.poll_timeout());
        let there_first = match (there, back) {
            (Some(there), Some(back)) => there <= back,
            (there, _) => there.is_some(),
        };
        let (to, link) = match there_first {
            true => (End::B, &mut self.there),
            false => (End::A, &mut self.back),
        };
        link.receive(now).map(|datagram| (to, (), datagram))
    }
}

impl<R> Debug for Across<R> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Across")
            .field("network", &self.network)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}
