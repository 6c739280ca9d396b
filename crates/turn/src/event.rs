//! What a client tells.

use std::net::{IpAddr, SocketAddr};

use oxirtc_stun::AddressFamily;

/// A fact, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is an allocation.
    Allocated(Relayed),
    /// The server gives no address of this family, with the code it named; the other one is there.
    FamilyRefused(AddressFamily, Option<u16>),
    /// The server named another one (RFC 8489 §10), which is asked from now on. Over a stream, a new
    /// one is to be opened to it, and [`Client::restart`](crate::Client::restart) to be called then.
    Redirected {
        /// The other server.
        server: SocketAddr,
        /// The name that its certificate has to have, when it is another one.
        domain: Option<String>,
    },
    /// Peers at this address may send and be sent to.
    Permitted(IpAddr),
    /// The server does not permit this address, with the code it named; `None` when it did not answer.
    PermissionRefused(IpAddr, Option<u16>),
    /// Payload for this peer goes in a channel from now on.
    ChannelBound(SocketAddr),
    /// No allocation could be made. Nothing comes after it.
    Failed(Failure),
    /// The allocation is gone: the server does not know it any more, or did not answer until its end.
    /// Nothing comes after it.
    Lost,
    /// [`Client::close`](crate::Client::close) is done: answered, or given up.
    Closed,
}

/// The addresses of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The relayed IPv4 address.
    pub ipv4: Option<SocketAddr>,
    /// The relayed IPv6 address.
    pub ipv6: Option<SocketAddr>,
    /// The address that the server sees us at.
    pub mapped: SocketAddr,
}

/// Why there is no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code of the server (RFC 8656 §19); 701 when it was not reached, as W3C §4.8.3 has it.
    pub code: u16,
    /// What the server said of it, or what we found.
    pub reason: String,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}
