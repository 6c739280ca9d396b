//! What addresses of this machine are known by outside: behind a NAT that maps each to one, or a port that is published for a container.

use std::net::{IpAddr, SocketAddr};

use crate::candidate::{DISCARD, is_link_local};

/// Addresses that others stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Externals(Vec<(Option<IpAddr>, SocketAddr)>);

impl Externals {
    /// `external` stands for `internal`, or for all of its family that nothing else stands for. Port 0 is the one that was bound.
    pub(crate) fn add(&mut self, internal: Option<IpAddr>, external: SocketAddr) {
        let internal = internal.map(|it| it.to_canonical());
        let ip = external.ip().to_canonical();
        if internal.is_none_or(|it| it.is_ipv4() == ip.is_ipv4()) {
            self.0
                .push((internal, SocketAddr::new(ip, external.port())));
        }
    }

    /// What stands for this socket, or place to open streams from.
    pub(crate) fn of(&self, base: SocketAddr) -> Option<SocketAddr> {
        let ip = base.ip();
        let named = self.0.iter().find(|(internal, _)| *internal == Some(ip));
        let any = self.0.iter().find(|(internal, external)| {
            // Nothing leads from outside to those.
            let inside = ip.is_loopback() || is_link_local(ip);
            internal.is_none() && external.is_ipv4() == ip.is_ipv4() && !inside
        });
        let (_, external) = named.or(any)?;
        // RFC 6544 §4.1: who opens streams is at no port.
        let bound = external.port() == 0 || base.port() == DISCARD;
        let port = if bound { base.port() } else { external.port() };
        Some(SocketAddr::new(external.ip(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_named_comes_before_what_is_not() {
        let mut externals = Externals::default();
        externals.add(None, at("203.0.113.1:0"));
        externals.add(Some("10.0.0.2".parse().unwrap()), at("203.0.113.2:7000"));
        externals.add(Some("10.0.0.3".parse().unwrap()), at("[2001:db8::1]:7000"));
        for (base, expected) in [
            ("10.0.0.1:4000", Some("203.0.113.1:4000")),
            ("10.0.0.2:4000", Some("203.0.113.2:7000")),
            ("10.0.0.2:9", Some("203.0.113.2:9")),
            ("10.0.0.3:4000", Some("203.0.113.1:4000")),
            ("127.0.0.1:4000", None),
            ("169.254.0.1:4000", None),
            ("[fd00::1]:4000", None),
        ] {
            assert_eq!(externals.of(at(base)), expected.map(at), "{base}");
        }
        externals.add(Some("127.0.0.1".parse().unwrap()), at("203.0.113.3:1"));
        let loopback = externals.of(at("127.0.0.1:4000"));
        assert_eq!(loopback, Some(at("203.0.113.3:1")), "it was asked for");
    }
}
