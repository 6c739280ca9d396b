//! Which addresses of a server are believed.

use std::net::{IpAddr, SocketAddr};

/// An IPv4 address in IPv6 clothes is IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether a server may name this address, relayed or as its alternate: one that can be sent to, and on
/// this machine only where that was asked for.
pub(crate) fn is_believable(address: SocketAddr, loopback: bool) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && !broadcast
        && (loopback || !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known failure 38.
    #[test]
    fn addresses_that_are_traps_are_refused() {
        let believed = |text: &str| is_believable(text.parse().unwrap(), false);
        assert!(believed("192.0.2.1:5") && believed("10.0.0.1:5") && believed("[2001:db8::1]:5"));
        for trap in [
            "192.0.2.1:0",
            "0.0.0.0:5",
            "127.0.0.1:5",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "[::]:5",
            "[::1]:5",
            "[ff02::1]:5",
        ] {
            assert!(!believed(trap), "{trap}");
        }
        assert!(is_believable("127.0.0.1:5".parse().unwrap(), true));
        let mapped = canonical("[::ffff:127.0.0.1]:5".parse().unwrap());
        assert!(!is_believable(mapped, false));
    }
}
