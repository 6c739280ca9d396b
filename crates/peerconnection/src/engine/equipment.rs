//! What transports are made with.

use super::{seed::Seed, trace::Trace};
use crate::{Certificate, IceTransportPolicy, Interface, Settings};

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
    pub(super) trace: Trace,
}
