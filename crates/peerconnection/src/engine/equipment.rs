//! What transports are made with.

use super::{convert, seed::Seed};
use crate::{Certificate, IceTransportPolicy, Interface, Settings};

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
}

impl Equipment {
    /// [4.2.5-01]: with relayed candidates only, no address of ours may show or be checked from.
    pub(super) fn shown_interfaces(&self) -> Option<Vec<oxirtc_ice::Interface>> {
        let interfaces = self.interfaces.as_deref()?;
        Some(match self.ice_transport_policy {
            IceTransportPolicy::All => convert::interfaces(interfaces),
            IceTransportPolicy::Relay => Vec::new(),
        })
    }
}
