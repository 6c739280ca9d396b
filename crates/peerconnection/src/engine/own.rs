//! Addresses of this machine in the log.

use std::fmt;

use super::Engine;
use crate::{IceTransportPolicy, IpHandling};

/// An address of this machine, as far as it may be shown.
pub(crate) struct Own<T>(Option<T>);

impl Engine {
    /// How the log is to have an address of this machine: not at all where the peer and the application are not to know it either, as
    /// logs are passed on.
    pub(crate) fn own<T: fmt::Display>(&self, address: T) -> Own<T> {
        let settings = &self.equipment.settings;
        let handling = settings.networks.ip_handling;
        let hidden = self.configuration.ice_transport_policy == IceTransportPolicy::Relay
            || self.equipment.ice_transport_policy == IceTransportPolicy::Relay
            || settings.hide_addresses
            || matches!(
                handling,
                IpHandling::DefaultRouteOnly | IpHandling::ForceProxy
            );
        Own((!hidden).then_some(address))
    }
}

impl<T: fmt::Display> fmt::Display for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("an address of ours"),
        }
    }
}
