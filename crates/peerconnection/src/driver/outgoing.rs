//! What a socket is given to send.

use std::net::{IpAddr, SocketAddr};

/// What one call of [`Socket::try_send`](super::Socket::try_send) sends.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub destination: SocketAddr,
    /// The source address, for a socket that is bound to all addresses.
    pub source: Option<IpAddr>,
    /// The two bits of Explicit Congestion Notification (RFC 3168).
    pub ecn: u8,
    /// The code point of Differentiated Services (RFC 2474), 0 to 63. A socket that cannot write it sends unmarked.
    pub dscp: u8,
    /// Bytes of each segment.
    pub segment: usize,
    /// The segments, one behind the other.
    pub contents: &'a [u8],
}
