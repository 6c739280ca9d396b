//! A client and the small server, two nodes of a network.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_netsim::{Network, NodeId};
use oxirtc_turn::{Client, Config, Credentials, Event, Families, Input, Leg};

use crate::server::{Out, Server, at, ip};

pub(crate) const CLIENT: &str = "192.0.2.77:5000";
pub(crate) const SERVER: &str = "192.0.2.1:3478";

/// A client and a server.
pub(crate) struct Sim {
    pub(crate) now: Instant,
    pub(crate) client: Client,
    pub(crate) server: Server,
    network: Network,
    nodes: [NodeId; 2],
    pub(crate) events: Vec<Event>,
    /// What reached peers.
    pub(crate) relayed: Vec<(SocketAddr, Vec<u8>)>,
    /// What peers sent that reached the client.
    received: Vec<(SocketAddr, Vec<u8>)>,
    /// Whether what the client sends is lost.
    pub(crate) down: bool,
    pub(crate) sent: usize,
}

pub(crate) fn alice() -> Credentials {
    Credentials::LongTerm {
        username: "alice".into(),
        password: String::from("secret").into(),
    }
}

pub(crate) fn config() -> Config {
    Config::new(at(SERVER), Leg::Datagrams, alice())
}

impl Sim {
    pub(crate) fn new(config: Config, server: Server) -> Self {
        let now = oxirtc_netsim::epoch();
        let mut network = Network::new(1);
        // The server has the addresses that it redirects to, too.
        let others = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ip);
        let nodes = [&[at(CLIENT).ip()][..], &others].map(|it| network.add_node(it));
        Self {
            now,
            client: Client::new(config, [3; 32], now),
            server,
            network,
            nodes,
            events: Vec::new(),
            relayed: Vec::new(),
            received: Vec::new(),
            down: false,
            sent: 0,
        }
    }

    /// Everything that is to be said is said.
    pub(crate) fn flush(&mut self) {
        let mut buf = Vec::new();
        while self.client.poll_transmit(self.now, 1200, &mut buf) {
            self.sent += 1;
            assert!(self.sent < 100_000, "polling ends");
            self.carry(std::mem::take(&mut buf));
        }
        self.events
            .extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    /// From the client to its server, and the answers.
    fn carry(&mut self, bytes: Vec<u8>) {
        let [client, server] = self.nodes;
        self.network.link_mut(client, server).set_up(!self.down);
        self.network
            .send(self.now, at(CLIENT), self.client.server(), bytes);
        self.deliver();
    }

    /// Whatever is under way arrives.
    fn deliver(&mut self) {
        while let Some(it) = self.network.receive(self.now) {
            if it.node == self.nodes[0] {
                match self.client.handle_datagram(self.now, &it.datagram) {
                    Input::Data { peer, range } => {
                        self.received.push((peer, it.datagram[range].to_vec()));
                    }
                    input => assert_eq!(input, Input::Consumed),
                }
                continue;
            }
            // A redirected client asks the next server.
            let mut others = self.server.redirect.iter();
            if let Some(position) = others.position(|other| *other == it.to && it.to != at(SERVER))
            {
                self.server.redirect.drain(..=position);
            }
            for out in self.server.handle(self.now, it.from, &it.datagram) {
                match out {
                    Out::Client(bytes) => self.network.send(self.now, it.to, it.from, bytes),
                    Out::Peer(peer, data) => self.relayed.push((peer, data)),
                }
            }
        }
    }

    pub(crate) fn run(&mut self, duration: Duration) -> &mut Self {
        let end = self.now + duration;
        self.flush();
        while let Some(next) = self.client.poll_timeout().filter(|next| *next <= end) {
            assert!(next >= self.now);
            self.now = next;
            self.client.handle_timeout(next);
            assert!(self.client.poll_timeout().is_none_or(|at| at > next));
            self.flush();
        }
        self.now = end;
        self
    }

    /// Sends to a peer; the size of what went to the server, if it may.
    pub(crate) fn send(&mut self, peer: &str, data: &[u8]) -> Option<usize> {
        let peer = at(peer);
        let mut buf = vec![0; self.client.headroom(peer)];
        buf.extend_from_slice(data);
        self.client.wrap(&mut buf, 0, peer).ok()?;
        let length = buf.len();
        self.carry(buf);
        Some(length)
    }

    /// A peer sends; what reaches the client.
    pub(crate) fn receive(&mut self, peer: &str, data: &[u8]) -> Option<Vec<u8>> {
        let bytes = self.server.pass_on(self.now, at(CLIENT), at(peer), data)?;
        self.network
            .send(self.now, self.client.server(), at(CLIENT), bytes);
        self.deliver();
        let (from, data) = self.received.pop()?;
        assert_eq!(from, at(peer));
        Some(data)
    }

    pub(crate) fn both(server: Server) -> Self {
        Self::new(config().families(Families::Both), server)
    }
}
