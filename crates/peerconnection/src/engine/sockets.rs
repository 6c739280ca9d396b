//! What the agents of a connection have of the system: sockets, listeners and streams.

use std::net::SocketAddr;

use oxirtc_ice as ice;

use super::convert;
use crate::Request;

/// What was asked of the system. The numbers of UDP and of TCP are apart, so that an address alone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Socket,
    Listener,
    /// Opened to this address.
    Stream(SocketAddr),
}

/// What an agent has, by its local address.
#[derive(Default)]
pub(super) struct Sockets(Vec<(SocketAddr, Kind)>);

impl Kind {
    /// What a request brings, if it is something that is to be closed.
    pub(super) fn of(request: &ice::Request) -> Option<Self> {
        match request {
            ice::Request::Bind { .. } => Some(Self::Socket),
            ice::Request::Listen { .. } => Some(Self::Listener),
            ice::Request::Connect { to, .. } => Some(Self::Stream(*to)),
            _ => None,
        }
    }

    /// How it is let go of.
    pub(super) fn end(self, local: SocketAddr) -> Request {
        match self {
            Self::Socket => Request::Close { local },
            Self::Listener => Request::Unlisten { local },
            Self::Stream(remote) => Request::Disconnect {
                path: convert::path(stream(local, remote)),
            },
        }
    }
}

impl Sockets {
    pub(super) fn add(&mut self, local: SocketAddr, kind: Kind) {
        self.0.push((local, kind));
    }

    pub(super) fn contains(&self, local: SocketAddr) -> bool {
        self.0.iter().any(|(at, _)| *at == local)
    }

    /// Notes what an agent lets go of.
    pub(super) fn follow(&mut self, request: &ice::Request) {
        let gone = |(at, kind): &(SocketAddr, Kind)| match (request, kind) {
            (ice::Request::Close { local }, Kind::Socket)
            | (ice::Request::Unlisten { local }, Kind::Listener) => at == local,
            (ice::Request::Disconnect { path }, Kind::Stream(to)) => *path == stream(*at, *to),
            _ => false,
        };
        if let Some(at) = self.0.iter().position(gone) {
            self.0.swap_remove(at);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn stream(local: SocketAddr, remote: SocketAddr) -> ice::Path {
    ice::Path {
        local,
        remote,
        protocol: ice::Protocol::Tcp,
    }
}
