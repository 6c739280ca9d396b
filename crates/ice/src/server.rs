//! Servers that tell addresses, and servers that lend them.

use std::fmt;

use oxirtc_turn::Credentials as RelayCredentials;

use crate::{Address, RelayProtocol};

/// Names a server for as long as its agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceId(pub(crate) u64);

/// A STUN or TURN server (RFC 7064, RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// How its user names it; errors are told with it.
    pub url: String,
    /// Where it is.
    pub host: Address,
    /// Its port.
    pub port: u16,
    /// What it is asked for.
    pub kind: ServerKind,
}

/// What a server is asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerKind {
    /// The address that it sees us at.
    Stun,
    /// An address of its own that it relays for us.
    Turn {
        /// How it is reached.
        protocol: RelayProtocol,
        /// Who asks. Secrets are wiped from memory when the value is dropped.
        credentials: RelayCredentials,
    },
}

impl Server {
    /// Whether it may be asked, by a datagram, which address it sees us at.
    pub(crate) fn reflects(&self) -> bool {
        match &self.kind {
            ServerKind::Stun => true,
            ServerKind::Turn { protocol, .. } => *protocol == RelayProtocol::Udp,
        }
    }

    pub(crate) fn relays(&self) -> bool {
        matches!(self.kind, ServerKind::Turn { .. })
    }

    /// Whether it relays over a stream, so that no datagram leaves.
    pub(crate) fn is_stream(&self) -> bool {
        let udp = RelayProtocol::Udp;
        matches!(&self.kind, ServerKind::Turn { protocol, .. } if *protocol != udp)
    }

    /// The name that a TLS server has to prove, `None` when there is no TLS.
    pub(crate) fn tls_name(&self) -> Option<String> {
        let tls = RelayProtocol::Tls;
        match (&self.kind, &self.host) {
            (ServerKind::Turn { protocol, .. }, host) if *protocol == tls => Some(match host {
                Address::Ip(ip) => ip.to_string(),
                Address::Name(name) => name.clone(),
            }),
            _ => None,
        }
    }
}

impl fmt::Debug for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stun => f.write_str("Stun"),
            Self::Turn { protocol, .. } => f.debug_tuple("Turn").field(protocol).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let server = Server {
            url: "turns:example.org".into(),
            host: Address::Name("example.org".into()),
            port: 5349,
            kind: ServerKind::Turn {
                protocol: RelayProtocol::Tls,
                credentials: RelayCredentials::LongTerm {
                    username: "alice".into(),
                    password: String::from("secret").into(),
                },
            },
        };
        let shown = format!("{server:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("alice"),
            "{shown}"
        );
        assert_eq!(server.tls_name().as_deref(), Some("example.org"));
        assert!(server.relays() && !server.reflects());
    }
}
