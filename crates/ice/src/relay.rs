//! Allocations on TURN servers: one client, and one socket or stream, each.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_turn as turn;

use crate::{
    Path, Protocol, RelayProtocol, RequestId, ServerKind,
    base::{BaseId, Host, RelayId},
    server::SourceId,
};

/// One allocation, or the way to it.
pub(crate) struct Relay {
    pub(crate) id: RelayId,
    pub(crate) source: SourceId,
    /// The address of this machine that it is asked from.
    pub(crate) from: Host,
    pub(crate) server: SocketAddr,
    /// The name that the server has to prove, where another one has sent us on to it and said so.
    pub(crate) domain: Option<String>,
    pub(crate) protocol: RelayProtocol,
    /// Of which addresses are wanted.
    pub(crate) families: turn::Families,
    pub(crate) stage: Stage,
    pub(crate) deframer: turn::Deframer,
    pub(crate) bases: Vec<BaseId>,
    /// The address that the server sees.
    pub(crate) mapped: Option<SocketAddr>,
    /// It is being given back.
    pub(crate) leaving: bool,
    /// Until when gathering waits for it.
    pub(crate) deadline: Instant,
    /// It had its second socket (RFC 8656 §7.4: 437 says that another one may work).
    pub(crate) again: bool,
    /// How often it was asked for again in vain since it was there, the loss itself included; 0 until one was lost.
    pub(crate) losses: u32,
}

/// How far an allocation is.
pub(crate) enum Stage {
    /// A socket or stream was asked for, perhaps for a client that was sent on to another server.
    Opening(RequestId, Option<Box<turn::Client>>),
    /// The server is asked, or has granted it.
    Open {
        local: SocketAddr,
        client: Box<turn::Client>,
        granted: Option<Instant>,
    },
    /// It was lost; it is asked for again then.
    Waiting(Instant),
    /// It cannot be had.
    Over,
}

impl Relay {
    /// Where its datagrams go, once it has a socket.
    pub(crate) fn path(&self) -> Option<Path> {
        let Stage::Open { local, client, .. } = &self.stage else {
            return None;
        };
        Some(Path {
            local: *local,
            remote: client.server(),
            protocol: self.socket_protocol(),
        })
    }

    /// The stream that was asked for and has not come, and where it leads.
    pub(crate) fn opening(&self) -> Option<(RequestId, SocketAddr)> {
        match self.stage {
            Stage::Opening(id, _) if self.socket_protocol() == Protocol::Tcp => {
                Some((id, self.server))
            }
            _ => None,
        }
    }

    /// The protocol of its socket.
    pub(crate) fn socket_protocol(&self) -> Protocol {
        match self.protocol {
            RelayProtocol::Udp => Protocol::Udp,
            RelayProtocol::Tcp | RelayProtocol::Tls => Protocol::Tcp,
        }
    }

    /// Whether what came on this path came on its socket or stream.
    pub(crate) fn is_on(&self, path: Path) -> bool {
        let local = match &self.stage {
            Stage::Open { local, .. } => Some(*local),
            _ => None,
        };
        local == Some(path.local) && self.socket_protocol() == path.protocol
    }

    pub(crate) fn client(&self) -> Option<&turn::Client> {
        match &self.stage {
            Stage::Open { client, .. } => Some(client),
            _ => None,
        }
    }

    pub(crate) fn client_mut(&mut self) -> Option<&mut turn::Client> {
        match &mut self.stage {
            Stage::Open { client, .. } => Some(client),
            _ => None,
        }
    }

    /// Whether gathering still waits for it.
    pub(crate) fn is_under_way(&self, now: Instant) -> bool {
        let started = match &self.stage {
            Stage::Opening(..) => true,
            Stage::Open {
                client, granted, ..
            } => granted.is_none() || client.is_verifying(),
            Stage::Waiting(_) | Stage::Over => false,
        };
        started && now < self.deadline
    }

    /// One that was there is asked for again after 1, 2, 4 … 60 s.
    pub(crate) fn ask_again(&mut self, now: Instant) {
        if self.losses > 0 {
            let wait = FIRST_RETRY * 2_u32.saturating_pow(self.losses.min(7) - 1);
            self.losses = self.losses.saturating_add(1);
            self.stage = Stage::Waiting(now + wait.min(LAST_RETRY));
        }
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let own = match &self.stage {
            Stage::Opening(..) | Stage::Over => None,
            Stage::Open { client, .. } => client.poll_timeout(),
            Stage::Waiting(until) => Some(*until),
        };
        let deadline = Some(self.deadline).filter(|_| self.is_under_way(now));
        own.into_iter().chain(deadline).min()
    }
}

/// The settings of a client.
pub(crate) fn config(kind: &ServerKind, relay: &Relay, label: &str) -> Option<turn::Config> {
    let ServerKind::Turn {
        protocol,
        credentials,
    } = kind
    else {
        return None;
    };
    let leg = match protocol {
        RelayProtocol::Udp => turn::Leg::Datagrams,
        RelayProtocol::Tcp | RelayProtocol::Tls => turn::Leg::Stream,
    };
    // A server that a user has on this machine may relay on this machine.
    let loopback = relay.server.ip().is_loopback();
    let config = turn::Config::new(relay.server, leg, credentials.clone());
    let config = config.families(relay.families).loopback(loopback);
    Some(match label.strip_suffix(": ") {
        Some(label) => config.label(label),
        None => config,
    })
}

/// How long after its loss an allocation is asked for again; each time twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
pub(crate) const LAST_RETRY: Duration = Duration::from_secs(60);
