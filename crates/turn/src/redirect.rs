//! Redirection (RFC 8489 §10).

use std::net::SocketAddr;

use crate::{address::is_believable, config::Config};

/// The servers that an allocation was asked of.
#[derive(Clone, Debug)]
pub(crate) struct Trail(Vec<SocketAddr>);

impl Trail {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self(vec![server])
    }

    /// Takes the next step, unless it leads in a circle, too far, to another family, or to a place that
    /// no server has to name.
    pub(crate) fn follow(&mut self, server: SocketAddr, config: &Config) -> bool {
        let first = self.0.first();
        let same_family = first.is_some_and(|first| first.is_ipv4() == server.is_ipv4());
        let from_loopback = first.is_some_and(|first| first.ip().is_loopback());
        let believable = is_believable(server, config.loopback || from_loopback);
        let fits = same_family && believable && !self.0.contains(&server);
        if !fits || self.0.len() > MAX_REDIRECTS {
            return false;
        }
        self.0.push(server);
        true
    }
}

/// How often one server may name another.
const MAX_REDIRECTS: usize = 3;

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::config::{Credentials, Leg};

    fn followed(from: &str, to: &[&str]) -> Vec<bool> {
        let credentials = Credentials::LongTerm {
            username: String::new(),
            password: Zeroizing::new(String::new()),
        };
        let server = from.parse().unwrap();
        let config = Config::new(server, Leg::Datagrams, credentials);
        let mut trail = Trail::new(server);
        let to = to
            .iter()
            .map(|to| trail.follow(to.parse().unwrap(), &config));
        to.collect()
    }

    #[test]
    fn a_trail_is_short_and_straight() {
        let four = ["192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1", "192.0.2.5:1"];
        assert_eq!(followed("192.0.2.1:1", &four), [true, true, true, false]);
        let ring = ["192.0.2.2:1", "192.0.2.1:1", "192.0.2.2:1"];
        assert_eq!(followed("192.0.2.1:1", &ring), [true, false, false]);
        let traps = ["127.0.0.1:1", "[2001:db8::1]:1", "0.0.0.0:1", "192.0.2.2:0"];
        assert_eq!(followed("192.0.2.1:1", &traps), [false; 4]);
        assert_eq!(followed("127.0.0.1:1", &["127.0.0.2:1"]), [true]);
    }
}
