//! What an agent tells and asks, and what it is told.

use std::net::{IpAddr, SocketAddr};

use crate::{Candidate, Pair, Path, RelayProtocol};

/// A fact that became true inside the agent, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Gathering started or is complete.
    GatheringStateChanged(GatheringState),
    /// A local candidate is ready to be signalled.
    CandidateGathered {
        /// The candidate.
        candidate: Candidate,
        /// The local username fragment of the generation it belongs to.
        ufrag: String,
        /// The server that it came from, by its URL.
        url: Option<String>,
        /// How that server is reached, when it relays.
        relay: Option<RelayProtocol>,
    },
    /// A server did not give what it was asked for (W3C §4.8.3).
    CandidateError {
        /// The server, by its URL.
        url: String,
        /// The code that it answered with (RFC 8489 §14.8); 701 when it was not reached.
        code: u16,
        /// What it said, or what was found.
        reason: String,
        /// The local address that it was asked from, when a candidate has shown it already.
        from: Option<SocketAddr>,
    },
    /// The state of the transport changed.
    StateChanged(State),
    /// Payload goes on this pair from now on: told from the first one, and before the state that comes
    /// with it.
    PairChanged(Pair),
    /// A STUN message with correct MESSAGE-INTEGRITY came on this path for the first time. Its sender may have
    /// been forged by somebody who has the credentials.
    PathAuthenticated(Path),
    /// A pair on this path is valid: the peer has answered from there.
    PathValidated(Path),
    /// No pair uses this path any more.
    PathReleased(Path),
    /// The role of the connection changed, by a description or by a conflict (RFC 8445 §7.3.1.1).
    RoleChanged(Role),
}

/// State of the transport, as `RTCIceTransportState` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known of the peer yet.
    New,
    /// Checks are made, or candidates of the peer are waited for; no pair is valid.
    Checking,
    /// A pair is valid.
    Connected,
    /// A pair is nominated, both sides have gathered, and no check remains.
    Completed,
    /// The peer has not answered for a while, or all pairs failed while more may come.
    Disconnected,
    /// No pair works. Only a restart leads out.
    Failed,
    /// The agent was closed.
    Closed,
}

/// State of gathering, as `RTCIceGathererState` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatheringState {
    /// Not started.
    New,
    /// Under way.
    Gathering,
    /// All candidates of this generation were told.
    Complete,
}

/// Which agent nominates (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// This agent nominates the pair to use.
    Controlling,
    /// The peer does.
    Controlled,
}

/// What the agent asks of whoever owns sockets. Answer with
/// [`Agent::handle_response`](crate::Agent::handle_response), unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Bind a UDP socket to this address, any port; the response names the address it was bound to.
    Bind {
        /// Names this request in the response.
        id: RequestId,
        /// The address of an interface.
        address: IpAddr,
        /// Index of the interface when `address` is an IPv6 link-local one, else 0.
        scope: u32,
        /// It must be a socket that nobody else uses: a server tells its clients apart by their addresses.
        own: bool,
    },
    /// Accept streams at this address, any port; the response names the address with its port. What comes on such a stream is
    /// given to [`Agent::handle_datagram`](crate::Agent::handle_datagram) in pieces of any size.
    Listen {
        /// Names this request in the response.
        id: RequestId,
        /// The address of an interface.
        address: IpAddr,
        /// Index of the interface when `address` is an IPv6 link-local one, else 0.
        scope: u32,
    },
    /// Accept no streams any more at this address. Those that are open stay. It takes no response.
    Unlisten {
        /// The address that the response named.
        local: SocketAddr,
    },
    /// Open a stream to this server or peer; the response names the local address of it.
    Connect {
        /// Names this request in the response.
        id: RequestId,
        /// The address of an interface to open it from.
        from: IpAddr,
        /// Index of the interface when `from` is an IPv6 link-local one, else 0.
        scope: u32,
        /// The server, or the peer.
        to: SocketAddr,
        /// Speak TLS, and want a certificate for this name.
        tls: Option<String>,
    },
    /// Find the addresses of this name. The response is given with
    /// [`Agent::handle_addresses`](crate::Agent::handle_addresses).
    Resolve {
        /// Names this request in the response.
        id: RequestId,
        /// The name; one that ends in `.local` is asked for by multicast (RFC 6762).
        name: String,
    },
    /// Answer for a random name with this address on the local link (RFC 6762). The response is given with
    /// [`Agent::handle_name`](crate::Agent::handle_name).
    Publish {
        /// Names this request in the response.
        id: RequestId,
        /// The address of an interface.
        address: IpAddr,
    },
    /// This stream is not needed any more. It takes no response.
    Disconnect {
        /// Its two ends.
        path: Path,
    },
    /// Nothing is sent from this socket any more. It takes no response.
    Close {
        /// The address that the socket was bound to.
        local: SocketAddr,
    },
}

impl Request {
    /// Whether it lets go of something that is there.
    pub(crate) fn ends(&self) -> bool {
        matches!(
            self,
            Self::Unlisten { .. } | Self::Disconnect { .. } | Self::Close { .. }
        )
    }
}

/// Names a [`Request`] in its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name of the interface, as the system has it.
    pub name: String,
    /// Index of the interface, as the system has it.
    pub index: u32,
    /// One of its addresses.
    pub address: IpAddr,
    /// The system leaves from this address when nothing speaks for another one: its default route, one of each family. What
    /// [`IpHandling`](crate::IpHandling) makes use of.
    pub default_route: bool,
    /// What it costs to send there, in no unit: 0 for a cable, more for a radio, most where bytes are paid for. Of pairs that work the
    /// cheaper one is used (`network-cost`, as libwebrtc has it: 10 for wireless, 900 for mobile networks).
    pub cost: u16,
}

/// What another connection of a shared socket keeps from an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// It has the path of a pair that works, and no socket of our own is to be had.
    PathTaken,
    /// It is known by the same fragment, and what comes for it is handed to it.
    FragmentTaken,
}
