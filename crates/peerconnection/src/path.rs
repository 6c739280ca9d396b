//! What stands between an engine and the sockets that carry it.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Instant, SystemTime},
};

/// Where a datagram goes or came from, at socket level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The address of our socket.
    pub local: SocketAddr,
    /// The address at the other end: the peer, or a server.
    pub remote: SocketAddr,
    /// The protocol of the socket.
    pub protocol: Protocol,
}

/// The protocol of a socket; of a candidate, `RTCIceProtocol`.
#[doc(alias = "RTCIceProtocol")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// An address of this machine, as the driver tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name of the interface: `eth0`.
    pub name: String,
    /// Its index: the scope of an IPv6 link-local address.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The system leaves from this address when nothing speaks for another one: its default route, one of each family. What
    /// [`IpHandling`](crate::IpHandling) makes use of.
    pub default_route: bool,
    /// What it costs to send there, in no unit: 0 for a cable, 10 for wireless, 900 for mobile networks. Of pairs that work the cheaper
    /// one is used.
    pub cost: u16,
}

/// What the engine needs from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// A UDP socket on this address, with a port of the system's choice. To be answered by
    /// [`handle_response`](crate::engine::Engine::handle_response) with the address it got.
    Bind {
        /// What the answer refers to.
        id: RequestId,
        /// The address to bind to.
        address: IpAddr,
        /// The interface's index when the address is IPv6 link-local, else 0.
        scope: u32,
        /// It must not be a socket that other connections use: TURN servers tell their clients apart by it.
        own: bool,
    },
    /// Streams that peers open to this address, with a port of the system's choice. To be answered by
    /// [`handle_response`](crate::engine::Engine::handle_response) with the address it got, which is the local one of their paths.
    Listen {
        /// What the answer refers to.
        id: RequestId,
        /// The address to listen at.
        address: IpAddr,
        /// The interface's index when the address is IPv6 link-local, else 0.
        scope: u32,
    },
    /// No more streams are to be taken at this address; those that are open stay. No answer.
    Unlisten {
        /// The address that the answer to its `Listen` named.
        local: SocketAddr,
    },
    /// A stream to a TURN server or a peer. To be answered by
    /// [`handle_response`](crate::engine::Engine::handle_response) with its local address. What comes on it is
    /// handed in as datagrams on its path are, in pieces of any size, and what leaves on the path is written to it.
    Connect {
        /// What the answer refers to.
        id: RequestId,
        /// The address of this machine to connect from.
        from: IpAddr,
        /// The interface's index when that is IPv6 link-local, else 0.
        scope: u32,
        /// The server, or the peer.
        to: SocketAddr,
        /// Over TLS, whose certificate has to have this name.
        tls: Option<String>,
    },
    /// The addresses of a name, to be answered by
    /// [`handle_addresses`](crate::engine::Engine::handle_addresses). Names that end in `.local` are asked for by
    /// multicast (RFC 6762).
    Resolve {
        /// What the answer refers to.
        id: RequestId,
        /// The name.
        name: String,
    },
    /// A random name that stands for this address on the local link, to be answered by
    /// [`handle_name`](crate::engine::Engine::handle_name). Only with [`Settings::hide_addresses`](crate::Settings::hide_addresses).
    Publish {
        /// What the answer refers to.
        id: RequestId,
        /// The address.
        address: IpAddr,
    },
    /// This stream is not needed any more. No answer.
    Disconnect {
        /// Its ends.
        path: Path,
    },
    /// This socket is not needed any more. No answer.
    Close {
        /// The address that the answer to its `Bind`, or one that came too late to any request, named.
        local: SocketAddr,
    },
    /// A change of what belongs to this connection, for a driver that shares a socket among
    /// connections; others pass it over. No answer.
    Route(Route),
}

/// What an answer refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// What a driver that shares a socket among connections must know of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// A STUN message whose USERNAME starts with this and a colon is for this connection.
    Ufrag(String),
    /// It is not any more.
    UfragReleased(String),
    /// A STUN message from this remote address passed MESSAGE-INTEGRITY. Until the peer has answered from there
    /// its sender may be forged: the path may be reserved for a moment while it is nobody's.
    Reserve(Path),
    /// The peer has answered on this path: it is this connection's, unless it is another one's already.
    Path(Path),
    /// The path is not used any more.
    PathReleased(Path),
}

/// One batch for the kernel.
///
/// The buffer holds datagrams of `segment` bytes, of which the last may be shorter: at most 64 of
/// them, at most 65,487 bytes, all on one path and with one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where they go.
    pub path: Path,
    /// The ECN bits of the IP header, 0 to 3.
    pub ecn: u8,
    /// The DSCP of the IP header, 0 to 63.
    pub dscp: u8,
    /// The length of each datagram but the last, in bytes.
    pub segment: usize,
}

/// One moment on both clocks. The wall clock enters an engine with it, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The moment on the monotonic clock.
    pub instant: Instant,
    /// The same moment on the wall clock.
    pub wall: SystemTime,
}

impl Path {
    /// A path over UDP.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local,
            remote,
            protocol: Protocol::Udp,
        }
    }
}
