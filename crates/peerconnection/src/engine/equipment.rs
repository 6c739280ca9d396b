//! What transports are made with.

use super::seed::Seed;
use crate::{Certificate, IceTransportPolicy, Interface, Settings, label::Label, path::Anchor};

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
    /// What the log calls the connection.
    pub(super) label: Label,
    /// What the wall clock said once.
    pub(super) anchor: Anchor,
}
