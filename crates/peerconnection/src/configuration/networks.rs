//! Which addresses of this machine a connection uses, and what its peer is told of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
};

use oxirtc_jsep::Credentials;

use crate::Interface;

/// What was said of the networks of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    pub(crate) filter: Option<Filter>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// What stands outside for an address of ours, or for all of a family.
    pub(crate) externals: Vec<(Option<IpAddr>, SocketAddr)>,
    pub(crate) ip_handling: IpHandling,
    pub(crate) continual: bool,
    pub(crate) cost: Option<Cost>,
    /// Those of the first generation of the first transport.
    pub(crate) credentials: Option<Credentials>,
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
    /// candidate, no related address, in descriptions, pairs and statistics.
    DefaultRouteOnly,
    /// Mode 4: as mode 3, and nothing leaves but by TCP or TLS to a TURN server, which is the proxy that a library knows of: no socket
    /// for UDP is bound, no other server is asked, and no name of the peer is looked up. Names of such servers are looked up by the
    /// system; an address in the URL keeps that quiet as well.
    ForceProxy,
}

/// Which addresses are used. Two are equal when they are the same.
#[derive(Clone)]
pub(crate) struct Filter(pub(crate) Arc<dyn Fn(&Interface) -> bool + Send + Sync>);

/// What sending costs from an address. Two are equal when they are the same.
#[derive(Clone)]
pub(crate) struct Cost(pub(crate) Arc<dyn Fn(&Interface) -> u16 + Send + Sync>);

impl Networks {
    /// What is used of the addresses of this machine.
    pub(crate) fn used(&self, found: &[Interface]) -> Vec<Interface> {
        let used = |it: &&Interface| self.filter.as_ref().is_none_or(|filter| (filter.0)(it));
        let mut used: Vec<_> = found.iter().filter(used).cloned().collect();
        for interface in &mut used {
            let cost = self.cost.as_ref().map(|cost| (cost.0)(interface));
            interface.cost = cost.unwrap_or(interface.cost);
        }
        used
    }

    /// Whether nothing is used but what relays lend.
    pub(crate) fn is_proxied(&self) -> bool {
        self.ip_handling == IpHandling::ForceProxy
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Filter {}

impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cost {}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cost")
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}
