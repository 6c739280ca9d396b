//! A transport: an ICE agent and the DTLS on it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_dtls as dtls;
use oxirtc_ice as ice;
use oxirtc_jsep as jsep;

use super::{convert, generation::Generations, seed::Seed};
use crate::{
    Certificate, DtlsTransportState, IceCandidate, IceGatheringState, IceRole, IceTransportPolicy,
    IceTransportState, Interface, Path, Route, Settings,
};

/// The number of a transport. Never used twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub(super) u32);

/// A selected pair (W3C §5.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "RTCIceCandidatePair")]
pub struct IceCandidatePair {
    /// Ours.
    pub local: IceCandidate,
    /// The peer's. That of a peer-reflexive candidate shows no address.
    pub remote: IceCandidate,
}

/// ICE credentials (W3C §5.6.1). `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "RTCIceParameters")]
pub struct IceParameters {
    /// 4 to 256 characters.
    pub username_fragment: String,
    /// 22 to 256 characters.
    pub password: String,
}

/// An ICE agent with the DTLS on it.
pub(super) struct Transport {
    pub(super) id: TransportId,
    pub(super) name: jsep::TransportId,
    pub(super) ice: ice::Agent,
    pub(super) generations: Generations,
    /// The oldest generation that DTLS may use.
    pub(super) since: ice::GenerationId,
    /// DTLS was replaced, and a generation that comes with it is its first.
    pub(super) renewed: bool,
    pub(super) dtls: dtls::Connection,
    /// DTLS was told that there is a pair.
    pub(super) started: bool,
    pub(super) consent: bool,
    pub(super) view: View,
    /// Addresses of its sockets.
    pub(super) sockets: Vec<SocketAddr>,
    /// Ufrags that the peer may still use, the newest last.
    ufrags: VecDeque<String>,
}

/// What W3C shows of a transport (§5.5, §5.6).
pub(super) struct View {
    pub(super) role: IceRole,
    pub(super) ice: IceTransportState,
    pub(super) gathering: IceGatheringState,
    pub(super) dtls: DtlsTransportState,
    pub(super) pair: Option<IceCandidatePair>,
    pub(super) local_candidates: Vec<IceCandidate>,
    pub(super) remote_candidates: Vec<IceCandidate>,
    pub(super) local_parameters: Option<IceParameters>,
    pub(super) remote_parameters: Option<IceParameters>,
}

/// What transports are made with.
pub(super) struct Foundation {
    pub(super) seed: Seed,
    pub(super) settings: Settings,
    pub(super) certificate: Certificate,
    /// The addresses of this machine, once they were told.
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) ice_transport_policy: IceTransportPolicy,
}

impl Transport {
    pub(super) fn new(
        name: jsep::TransportId,
        foundation: &Foundation,
        set: &mut ice::ChecklistSet,
        now: Instant,
    ) -> Self {
        let id = TransportId(name.value());
        let seed = |label| foundation.seed.derive(label, id.0);
        let mut ice = ice::Agent::new(convert::ice_config(&foundation.settings), seed("ice"));
        ice.set_transport_policy(convert::transport_policy(foundation.ice_transport_policy));
        if let Some(interfaces) = &foundation.interfaces {
            ice.handle_interfaces(now, set, &convert::interfaces(interfaces));
        }
        let config = dtls::Config::new(foundation.certificate.inner().clone());
        Self {
            id,
            name,
            ice,
            generations: Generations::default(),
            since: ice::GenerationId::default(),
            renewed: false,
            dtls: dtls::Connection::new(config, seed("dtls"), now),
            started: false,
            consent: true,
            view: View::default(),
            sockets: Vec::new(),
            ufrags: VecDeque::new(),
        }
    }

    /// A new association in the place of the one that was (RFC 8842 §4).
    pub(super) fn renew_dtls(&mut self, foundation: &Foundation, generation: u32, now: Instant) {
        let config = dtls::Config::new(foundation.certificate.inner().clone());
        let label = format!("dtls {generation}");
        self.dtls = dtls::Connection::new(config, foundation.seed.derive(&label, self.id.0), now);
        self.started = false;
        self.renewed = true;
        self.view.dtls = DtlsTransportState::New;
    }

    /// There is a pair: once per association, however many pairs or restarts there are.
    pub(super) fn start_dtls(&mut self, now: Instant) {
        if self.payload_way(now).is_none() || self.started {
            return;
        }
        if let Some(round_trip) = self.ice.rtt() {
            self.dtls.set_round_trip(round_trip);
        }
        self.dtls.start(now);
        self.started = true;
    }

    pub(super) fn set_ufrag(&mut self, ufrag: &str, routes: &mut VecDeque<Route>) {
        if self.ufrags.back().is_some_and(|last| last == ufrag) {
            return;
        }
        self.ufrags.retain(|it| it != ufrag);
        self.ufrags.push_back(ufrag.to_owned());
        routes.push_back(Route::Ufrag(ufrag.to_owned()));
        // The old pair lives until the new one is selected, and a rollback may bring it back.
        if self.ufrags.len() > KEPT_UFRAGS
            && let Some(oldest) = self.ufrags.pop_front()
        {
            routes.push_back(Route::UfragReleased(oldest));
        }
    }

    pub(super) fn release_ufrags(&mut self, routes: &mut VecDeque<Route>) {
        routes.extend(self.ufrags.drain(..).map(Route::UfragReleased));
    }

    pub(super) fn control_path(&self) -> Option<Path> {
        self.ice.control_way().map(|way| convert::path(way.path))
    }

    /// Where payload may go.
    pub(super) fn payload_way(&self, now: Instant) -> Option<ice::Way> {
        self.ice.payload_way(now, self.since)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.ice.poll_timeout(), self.dtls.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, set: &mut ice::ChecklistSet) {
        self.ice.handle_timeout(now, set);
        self.dtls.handle_timeout(now);
    }

    pub(super) fn is_secure(&self) -> bool {
        self.view.dtls == DtlsTransportState::Connected
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.ice.rtt()
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            role: IceRole::Unknown,
            ice: IceTransportState::New,
            gathering: IceGatheringState::New,
            dtls: DtlsTransportState::New,
            pair: None,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
            local_parameters: None,
            remote_parameters: None,
        }
    }
}

impl std::fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("IceParameters");
        debug
            .field("username_fragment", &self.username_fragment)
            .finish_non_exhaustive()
    }
}

/// The current generation, the one before it, and one that an open offer may bring.
const KEPT_UFRAGS: usize = 3;
