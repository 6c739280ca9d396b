//! Settings of an agent.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use oxirtc_turn as turn;

use crate::external::Externals;

/// Settings of an [`Agent`](crate::Agent). The defaults are those of the RFCs and suit a WebRTC peer.
///
/// ```
/// use oxirtc_ice::Config;
/// let config = Config::default().loopback(true).max_pairs(50);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) label: String,
    pub(crate) loopback: bool,
    pub(crate) link_local: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) max_pairs: usize,
    pub(crate) pacing: Duration,
    pub(crate) patience: Duration,
    pub(crate) consent_interval: Duration,
    pub(crate) consent_expiry: Duration,
    pub(crate) nomination_wait: Duration,
    pub(crate) tie_breaker: Option<u64>,
    pub(crate) renomination: bool,
    pub(crate) hide_addresses: bool,
    pub(crate) lite: bool,
    pub(crate) tcp: bool,
    pub(crate) externals: Externals,
    pub(crate) ip_handling: IpHandling,
    pub(crate) continual: bool,
}

impl Config {
    /// Whether loopback addresses become candidates even though other addresses exist.
    ///
    /// They tell a peer nothing useful unless it runs on the same machine. Default: `false`; without any
    /// other address they are gathered all the same.
    #[must_use]
    pub fn loopback(mut self, gather: bool) -> Self {
        self.loopback = gather;
        self
    }

    /// Whether link-local addresses (169.254/16, fe80::/10) become candidates even though other
    /// addresses exist. Default: `false`; without any other address they are gathered all the same.
    #[must_use]
    pub fn link_local(mut self, gather: bool) -> Self {
        self.link_local = gather;
        self
    }

    /// Whether IPv4 addresses are gathered. Default: `true`.
    #[must_use]
    pub fn ipv4(mut self, gather: bool) -> Self {
        self.ipv4 = gather;
        self
    }

    /// Whether IPv6 addresses are gathered. Default: `true`.
    #[must_use]
    pub fn ipv6(mut self, gather: bool) -> Self {
        self.ipv6 = gather;
        self
    }

    /// How many candidate pairs are checked at most (RFC 8445 §6.1.2.5).
    ///
    /// More pairs find more exotic paths and take longer to fail. Default: 100; at least 1.
    #[must_use]
    pub fn max_pairs(mut self, pairs: usize) -> Self {
        self.max_pairs = pairs.max(1);
        self
    }

    /// Ta, the time between two connectivity checks (RFC 8445 §14.2).
    ///
    /// Less finds a path sooner and may overrun the state tables of a cheap router. Default: 50 ms;
    /// at least 5 ms, at most an hour.
    #[must_use]
    pub fn pacing(mut self, interval: Duration) -> Self {
        self.pacing = interval.clamp(MIN_PACING, LONGEST);
        self
    }

    /// How long failure is held back while the peer may still reach us (the PAC timer of RFC 8863 §4).
    /// Default: 39.5 s; at most an hour.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(LONGEST);
        self
    }

    /// The mean time between two answered consent checks, varied by ±20 % (RFC 7675 §5.1).
    /// Default: 5 s, which is also the least; at most an hour.
    #[must_use]
    pub fn consent_interval(mut self, interval: Duration) -> Self {
        self.consent_interval = interval.clamp(CONSENT_INTERVAL, LONGEST);
        self
    }

    /// How long consent lasts after the last answer (RFC 7675 §5.1). Default: 30 s, which is also the most.
    #[must_use]
    pub fn consent_expiry(mut self, expiry: Duration) -> Self {
        self.consent_expiry = expiry.min(CONSENT_EXPIRY);
        self
    }

    /// How long a controlling agent that has a valid pair waits for one of higher priority before it
    /// nominates; twice the round trip when that is longer. Payload flows meanwhile. Default: 100 ms; at most an hour.
    #[must_use]
    pub fn nomination_wait(mut self, wait: Duration) -> Self {
        self.nomination_wait = wait.min(LONGEST);
        self
    }

    /// Whether nominations are numbered where the peer does it too (draft-thatcher-ice-renomination), so
    /// that a controlling agent may nominate again. The description has to say so. Default: `false`.
    #[must_use]
    pub fn renomination(mut self, renominate: bool) -> Self {
        self.renomination = renominate;
        self
    }

    /// Whether the peer is told names instead of the addresses of this machine
    /// (draft-ietf-mmusic-mdns-ice-candidates §3.1). Each is asked for by [`Request::Publish`](crate::Request::Publish); an address
    /// that gets none is not used. Default: `false`.
    #[must_use]
    pub fn hide_addresses(mut self, hide: bool) -> Self {
        self.hide_addresses = hide;
        self
    }

    /// Whether it takes the lite role (RFC 8445 §2.5), for servers that every peer reaches. It asks no server, makes no pair of its own and
    /// never controls; what the peer checks is checked in return, so that nobody is sent payload who is not there. The description has to
    /// say so. Default: `false`.
    #[must_use]
    pub fn lite(mut self, lite: bool) -> Self {
        self.lite = lite;
        self
    }

    /// Whether streams are opened to peers, and accepted from them, beside datagrams (RFC 6544). A way out of networks that let
    /// no UDP through; costs a listening socket an address. Default: `false`.
    #[must_use]
    pub fn tcp(mut self, on: bool) -> Self {
        self.tcp = on;
        self
    }

    /// What the peer is told in the place of an address of this machine, or of all of its family that are neither loopback nor
    /// link-local: that of a NAT which maps each address to one, or where a port of a container is published. Port 0 stands for the
    /// one that is bound. Datagrams still come and go at the address itself; what several addresses share is told once. Default: nothing.
    #[must_use]
    pub fn external_address(mut self, internal: Option<IpAddr>, external: SocketAddr) -> Self {
        self.externals.add(internal, external);
        self
    }

    /// Which addresses of this machine are used and told (RFC 8828 §5.2). Default: [`IpHandling::EnumerateAll`].
    #[must_use]
    pub fn ip_handling(mut self, mode: IpHandling) -> Self {
        self.ip_handling = mode;
        self
    }

    /// Whether candidates that come later are told as well, of addresses and servers that another network brings. The end of candidates
    /// is then never told, and the gathering state stays [`Gathering`](crate::GatheringState::Gathering). Without it gathering ends, and
    /// what comes later is used without being told. Default: `false`.
    #[must_use]
    pub fn continual(mut self, on: bool) -> Self {
        self.continual = on;
        self
    }

    /// What the connection is called in the log: its lines begin with it, a colon and a blank. Default: they begin with nothing.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = format!("{label}: ");
        self
    }

    /// The first tie-breaker (RFC 8445 §7.1), for tests of role conflicts. Default: random.
    #[must_use]
    pub fn tie_breaker(mut self, tie_breaker: u64) -> Self {
        self.tie_breaker = Some(tie_breaker);
        self
    }
}

/// Which candidates are used (`RTCIceTransportPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransportPolicy {
    /// All.
    #[default]
    All,
    /// Relayed ones alone: no address of this machine is told, checked from or answered at.
    Relay,
}

/// How much the addresses of this machine are used and told: the modes of RFC 8828 §5.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpHandling {
    /// Mode 1: the addresses of all interfaces. It finds the best path and shows the most.
    #[default]
    EnumerateAll,
    /// Mode 2: the interfaces that the default routes of both families leave by, with all of their addresses.
    DefaultRouteAndLocal,
    /// Mode 3: the addresses that the default routes leave from, of which nothing is told but what servers see of them: no host
    /// candidate, no related address.
    DefaultRouteOnly,
    /// Mode 4: as mode 3, and nothing leaves but by TCP or TLS to a relay. An agent knows of no proxy but such a server: no socket for
    /// UDP is bound, and no other server is asked.
    ForceProxy,
}

impl IpHandling {
    /// Whether the addresses of this machine are kept from the peer and the application.
    pub(crate) fn hides_hosts(self) -> bool {
        matches!(self, Self::DefaultRouteOnly | Self::ForceProxy)
    }
}

impl Config {
    /// Whether nothing that is shown has an address of this machine in it.
    pub(crate) fn hides(&self) -> bool {
        self.hide_addresses || self.ip_handling.hides_hosts()
    }

    /// Of which families relayed addresses are wanted.
    pub(crate) fn relayed_families(&self) -> turn::Families {
        match (self.ipv4, self.ipv6) {
            (true, true) => turn::Families::Both,
            (false, true) => turn::Families::Ipv6,
            _ => turn::Families::Ipv4,
        }
    }

    /// Whether the addresses of this machine have names.
    pub(crate) fn names(&self) -> bool {
        self.hide_addresses && !self.ip_handling.hides_hosts()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            label: String::new(),
            loopback: false,
            link_local: false,
            ipv4: true,
            ipv6: true,
            max_pairs: 100,
            pacing: Duration::from_millis(50),
            patience: Duration::from_millis(39_500),
            consent_interval: CONSENT_INTERVAL,
            consent_expiry: CONSENT_EXPIRY,
            nomination_wait: Duration::from_millis(100),
            tie_breaker: None,
            renomination: false,
            hide_addresses: false,
            lite: false,
            tcp: false,
            externals: Externals::default(),
            ip_handling: IpHandling::EnumerateAll,
            continual: false,
        }
    }
}

/// Nobody waits longer, and what is added to a time stays one.
const LONGEST: Duration = Duration::from_secs(3600);
const MIN_PACING: Duration = Duration::from_millis(5);
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
const CONSENT_EXPIRY: Duration = Duration::from_secs(30);
