//! What transports are made with.

use super::seed::Seed;
use crate::{Certificate, IceTransportPolicy, Interface, Settings, label::Label};

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
    pub(super) ice_servers: Vec<oxirtc_ice::Server>,
    /// What the log calls the connection.
    pub(super) label: Label,
}
