//! What a client is made with.

use std::{fmt, net::SocketAddr};

use zeroize::Zeroizing;

/// Settings of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) label: String,
    pub(crate) server: SocketAddr,
    pub(crate) leg: Leg,
    pub(crate) credentials: Credentials,
    pub(crate) families: Families,
    pub(crate) loopback: bool,
    pub(crate) lifetime: u32,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Datagrams, which may be lost.
    Datagrams,
    /// A stream: TCP or TLS. Messages are padded to four bytes (RFC 8656 §12.5).
    Stream,
}

/// Of which families relayed addresses are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Both in one allocation (RFC 8656 §7.1). A server that does not know that gives one of IPv4.
    Both,
}

/// Who asks. `Debug` shows no secret; secrets are wiped from memory when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password (RFC 8489 §9.2).
    LongTerm {
        /// The name.
        username: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token of an authorization server (RFC 7635).
    Token {
        /// The identifier of the key that the token is encrypted with.
        key_id: String,
        /// The key of the session, which the token carries for the server.
        mac_key: Zeroizing<Vec<u8>>,
        /// The token, as it came.
        access_token: Vec<u8>,
    },
}

impl Config {
    /// A client of this server that wants an IPv4 address.
    pub fn new(server: SocketAddr, leg: Leg, credentials: Credentials) -> Self {
        Self {
            label: String::new(),
            server,
            leg,
            credentials,
            families: Families::Ipv4,
            loopback: false,
            lifetime: DEFAULT_LIFETIME,
        }
    }

    /// Of which families relayed addresses are wanted. Default: IPv4.
    #[must_use]
    pub fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Whether relayed and redirected addresses may be on loopback. Default: `false`, as a server could
    /// turn the traffic of its client against the client's own machine.
    #[must_use]
    pub fn loopback(mut self, allow: bool) -> Self {
        self.loopback = allow;
        self
    }

    /// Which lifetime in seconds is asked for, first and at each refresh; what the server grants counts. 0 is 1, as a refresh of
    /// 0 gives the allocation back. Default: 600, the default lifetime of RFC 8656 §3.2.
    #[must_use]
    pub fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds.max(1);
        self
    }

    /// What the connection is called in the log: its lines begin with it, a colon and a blank. Default: they begin with nothing.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = format!("{label}: ");
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::LongTerm { .. } => "LongTerm",
            Self::Token { .. } => "Token",
        };
        f.debug_struct(kind).finish_non_exhaustive()
    }
}

/// It is asked for by name: a server whose most is less may take a request without LIFETIME for one of the default.
const DEFAULT_LIFETIME: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let credentials = Credentials::LongTerm {
            username: "alice".into(),
            password: Zeroizing::new("secret".into()),
        };
        let server = "192.0.2.1:3478".parse().unwrap();
        let config = Config::new(server, Leg::Stream, credentials);
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("alice"),
            "{shown}"
        );
    }
}
