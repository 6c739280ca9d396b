//! A client and the small server in simulated time.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_turn::{Client, Config, Credentials, Event, Families, Input, Leg};

use crate::server::{Out, Server, at};

pub(crate) const CLIENT: &str = "192.0.2.77:5000";
pub(crate) const SERVER: &str = "192.0.2.1:3478";

/// A client and a server.
pub(crate) struct Sim {
    pub(crate) now: Instant,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) events: Vec<Event>,
    /// What reached peers.
    pub(crate) relayed: Vec<(SocketAddr, Vec<u8>)>,
    /// Whether datagrams are lost.
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
        Self {
            now,
            client: Client::new(config, [3; 32], now),
            server,
            events: Vec::new(),
            relayed: Vec::new(),
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
            let bytes = std::mem::take(&mut buf);
            if self.down {
                continue;
            }
            // A redirected client asks the next server.
            if let Some(position) = self
                .server
                .redirect
                .iter()
                .position(|it| *it == self.client.server() && *it != at(SERVER))
            {
                self.server.redirect.drain(..=position);
            }
            for out in self.server.handle(self.now, at(CLIENT), &bytes) {
                self.take(out);
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    fn take(&mut self, out: Out) {
        match out {
            Out::Client(bytes) => {
                assert_eq!(
                    self.client.handle_datagram(self.now, &bytes),
                    Input::Consumed
                );
            }
            Out::Peer(peer, data) => self.relayed.push((peer, data)),
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
        for out in self.server.handle(self.now, at(CLIENT), &buf) {
            self.take(out);
        }
        Some(buf.len())
    }

    /// A peer sends; what reaches the client.
    pub(crate) fn receive(&mut self, peer: &str, data: &[u8]) -> Option<Vec<u8>> {
        let bytes = self.server.pass_on(self.now, at(CLIENT), at(peer), data)?;
        match self.client.handle_datagram(self.now, &bytes) {
            Input::Data { peer: from, range } => {
                assert_eq!(from, at(peer));
                Some(bytes[range].to_vec())
            }
            _ => None,
        }
    }

    pub(crate) fn both(server: Server) -> Self {
        Self::new(config().families(Families::Both), server)
    }
}
