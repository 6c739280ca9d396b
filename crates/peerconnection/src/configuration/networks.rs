//! Which addresses of this machine a connection uses, and what its peer is told of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
};

use crate::Interface;

/// What was said of the networks of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    pub(crate) filter: Option<Filter>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// What stands outside for an address of ours, or for all of a family.
    pub(crate) externals: Vec<(Option<IpAddr>, SocketAddr)>,
}

/// Which addresses are used. Two are equal when they are the same.
#[derive(Clone)]
pub(crate) struct Filter(pub(crate) Arc<dyn Fn(&Interface) -> bool + Send + Sync>);

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
