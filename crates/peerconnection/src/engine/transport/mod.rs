//! A transport: an ICE agent and the DTLS on it.

mod dtls;
mod ice;
mod view;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_datachannel as datachannel;
use oxirtc_dtls::Connection;
use oxirtc_ice::Agent;
use oxirtc_jsep as jsep;

pub use view::{IceCandidatePair, IceParameters, TransportView};

use super::{
    convert, data::Data, describe::Negotiation, facts::States, seed::Seed, task::Tasks,
    transports::Others,
};
use crate::{
    Certificate, DtlsTransportState, IceTransportPolicy, Interface, Path, Route, Settings,
};
use view::Shown;

/// The number of a transport. Never used twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub(super) u32);

/// An ICE agent with the DTLS on it.
pub(super) struct Transport {
    pub(super) id: TransportId,
    pub(super) name: jsep::TransportId,
    pub(super) ice: Agent,
    pub(super) dtls: Connection,
    pub(super) shown: Shown,
    /// Addresses of its sockets.
    pub(super) sockets: Vec<SocketAddr>,
    /// Who opens channels with which ids (RFC 8832 §6), once DTLS has its role.
    pub(super) role: Option<datachannel::Role>,
    /// DTLS was told that there is a pair.
    started: bool,
    /// What DTLS and what stands on it were told last.
    consent: bool,
    /// Ufrags that the peer may still use, the newest last.
    ufrags: VecDeque<String>,
}

/// What transports are made with.
pub(super) struct Equipment {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
}

/// What stands above a transport and beside it, where its events go.
pub(super) struct Up<'a> {
    pub(super) others: Others<'a>,
    pub(super) negotiation: &'a mut Negotiation,
    pub(super) data: &'a mut Data,
    pub(super) states: &'a mut States,
    pub(super) tasks: &'a mut Tasks,
    pub(super) routes: &'a mut VecDeque<Route>,
}

impl Transport {
    pub(super) fn new(name: jsep::TransportId, equipment: &Equipment, now: Instant) -> Self {
        let id = TransportId(name.value());
        let seed = |label| equipment.seed.derive(label, id.0);
        let mut ice = Agent::new(convert::ice_config(&equipment.settings), seed("ice"), now);
        if let Some(interfaces) = equipment.shown_interfaces() {
            ice.handle_interfaces(now, &interfaces);
        }
        let config = oxirtc_dtls::Config::new(equipment.certificate.inner().clone());
        Self {
            id,
            name,
            ice,
            dtls: Connection::new(config, seed("dtls"), now),
            shown: Shown::default(),
            sockets: Vec::new(),
            role: None,
            started: false,
            consent: true,
            ufrags: VecDeque::new(),
        }
    }

    /// Lifts what the layers tell, once from the bottom: a layer affects only those above it.
    pub(super) fn ascend(&mut self, now: Instant, up: &mut Up<'_>) {
        self.ascend_ice(now, up);
        self.ascend_dtls(now, up);
    }

    /// Where ICE wants to send.
    pub(super) fn control_path(&self) -> Option<Path> {
        self.ice.control_path().map(convert::path)
    }

    /// Where payload may go.
    pub(super) fn payload_path(&self) -> Option<Path> {
        self.ice.payload_path().map(convert::path)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.ice.poll_timeout(), self.dtls.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.ice.handle_timeout(now);
        self.dtls.handle_timeout(now);
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.ice.rtt()
    }

    /// Whether data may go through.
    pub(super) fn is_secure(&self) -> bool {
        self.shown.dtls == DtlsTransportState::Connected
    }
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
