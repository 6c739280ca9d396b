//! Which addresses of this machine a connection uses, and what its peer is told of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
};

use super::Settings;
use crate::Interface;

/// What was said of the networks of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    filter: Option<Filter>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// What stands outside for an address of ours, or for all of a family.
    pub(crate) externals: Vec<(Option<IpAddr>, SocketAddr)>,
}

/// Which addresses are used. Two are equal when they are the same.
#[derive(Clone)]
struct Filter(Arc<dyn Fn(&Interface) -> bool + Send + Sync>);

impl Settings {
    /// Use only those addresses of this machine for which this holds, by their interface or themselves; it is asked again when they
    /// change. It may be called from any thread, and is not to take long. Default: all.
    ///
    /// ```
    /// # use oxirtc_peerconnection::Settings;
    /// let settings = Settings::default().interfaces(|it| !it.name.starts_with("docker"));
    /// ```
    #[must_use]
    pub fn interfaces(mut self, used: impl Fn(&Interface) -> bool + Send + Sync + 'static) -> Self {
        self.networks.filter = Some(Filter(Arc::new(used)));
        self
    }

    /// Bind sockets of a connection to ports of this range, those for streams of peers too, so that a firewall may let just these in.
    /// Where none of them is free, an address has no candidate. A shared port is not concerned, nor are streams that are opened to
    /// others. Default: any port.
    #[must_use]
    pub fn ports(mut self, range: RangeInclusive<u16>) -> Self {
        self.networks.ports = Some(range);
        self
    }

    /// Tell the peer this address in the place of `internal`, or of all addresses of its family that are neither loopback nor link-local:
    /// for servers behind a NAT that maps each address to one, and containers with a published port. Port 0 stands for the one that is
    /// bound. Datagrams still come and go at the address itself. It may be called several times. Default: nothing.
    #[must_use]
    pub fn external_address(mut self, internal: Option<IpAddr>, external: SocketAddr) -> Self {
        self.networks.externals.push((internal, external));
        self
    }
}

impl Networks {
    /// What is used of the addresses of this machine.
    pub(crate) fn used(&self, found: &[Interface]) -> Vec<Interface> {
        let used = |it: &&Interface| self.filter.as_ref().is_none_or(|filter| (filter.0)(it));
        found.iter().filter(used).cloned().collect()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Filter {}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}
