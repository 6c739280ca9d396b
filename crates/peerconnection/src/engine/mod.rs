//! The whole stack as one machine, without I/O.
//!
//! An [`Engine`] is told what came ([`Engine::handle_datagram`]), what time it is
//! ([`Engine::handle_timeout`]), and what the application wants (W3C's verbs). After each of these it is
//! asked, in this order, for batches ([`Engine::poll_transmit`]), requests ([`Engine::poll_request`]),
//! W3C's tasks ([`Engine::poll_task`]) and the next deadline ([`Engine::poll_timeout`]). It reads no
//! clock, opens no socket and spawns nothing: simulators, fuzzers and other runtimes use it as it is.
//!
//! What it knows is looked at through views: [`Engine::channel`], [`Engine::transport`],
//! [`Engine::sctp`].
//!
//! Each operation of W3C's operations chain runs whole within its call, so the chain is the order of
//! calls. Gathering begins when a local description is set, so no candidate is ever early.

mod apply;
mod channel;
mod convert;
mod counters;
mod data;
mod demux;
mod describe;
mod facts;
mod input;
mod output;
mod request;
mod seed;
mod task;
mod transport;
mod transports;

use std::{collections::VecDeque, time::Instant};

use zeroize::Zeroize;

pub use channel::{ChannelId, ChannelView};
pub use counters::Counters;
pub use data::SctpView;
pub use task::{ChannelEvent, DtlsTransportEvent, Event, IceTransportEvent, Task};
pub use transport::{IceCandidatePair, IceParameters, TransportId, TransportView};

use crate::{
    Anchor, Certificate, Configuration, DtlsTransportState, Error, IceConnectionState,
    IceGatheringState, IceTransportState, KeyAlgorithm, Path, PeerConnectionState, Settings,
};
use data::Data;
use describe::Negotiation;
use facts::States;
use request::Requests;
use seed::Seed;
use task::Tasks;
use transport::{Equipment, Transport, Up};
use transports::Transports;

/// A peer connection without I/O.
pub struct Engine {
    configuration: Configuration,
    equipment: Equipment,
    negotiation: Negotiation,
    transports: Transports,
    data: Data,
    states: States,
    tasks: Tasks,
    requests: Requests,
    /// The last datagrams of a closed connection.
    farewells: VecDeque<(Path, Vec<u8>)>,
    /// Something was sent since events were lifted last.
    has_sent: bool,
    closed: bool,
    counters: Counters,
}

impl Engine {
    /// A connection as W3C's constructor makes it (§4.4.1.1). Everything random comes from `seed`,
    /// but for keys, which the crypto library makes. `anchor` gives the wall clock, for certificates.
    ///
    /// # Errors
    ///
    /// As W3C has them for the configuration: `Syntax`, `InvalidAccess`, `NotSupported`.
    pub fn new(
        configuration: Configuration,
        settings: Settings,
        mut seed: [u8; 32],
        anchor: Anchor,
    ) -> Result<Self, Error> {
        configuration.check_certificates(anchor.wall)?;
        configuration.check(None, false)?;
        let certificate = match configuration.certificates.first() {
            Some(certificate) => certificate.clone(),
            None => Certificate::generate_at(KeyAlgorithm::EcdsaP256, anchor.wall, None)?,
        };
        let own = Seed::new(seed);
        seed.zeroize();
        let negotiation = Negotiation::new(&configuration, &settings, &certificate, &own);
        let data = Data::new(&settings);
        let ice_transport_policy = configuration.ice_transport_policy;
        Ok(Self {
            configuration,
            equipment: Equipment {
                seed: own,
                settings,
                certificate,
                interfaces: None,
                ice_transport_policy,
            },
            negotiation,
            transports: Transports::default(),
            data,
            states: States::default(),
            tasks: Tasks::default(),
            requests: Requests::default(),
            farewells: VecDeque::new(),
            has_sent: false,
            closed: false,
            counters: Counters::default(),
        })
    }

    /// W3C §4.4.2, `close()`: at once and without events. An ABORT and a close_notify wait in
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.data.close(now);
        self.build_farewells(now);
        self.closed = true;
        self.data.forget_associations();
        self.negotiation.negotiator.close();
        self.tasks.close();
        for transport in self.transports.iter_mut() {
            transport.release_ufrags(&mut self.requests.routes);
            transport.ice.close(now);
            transport.shown.ice = IceTransportState::Closed;
            transport.shown.dtls = DtlsTransportState::Closed;
            transport.shown.pair = None;
        }
        self.states.ice = IceConnectionState::Closed;
        self.states.connection = PeerConnectionState::Closed;
    }

    /// A layer affects only those above it, so one pass from the bottom settles.
    fn ascend(&mut self, now: Instant) {
        self.has_sent = false;
        if self.closed {
            return;
        }
        self.transports.each(|transport, others| {
            let mut up = Up {
                others,
                negotiation: &mut self.negotiation,
                data: &mut self.data,
                states: &mut self.states,
                tasks: &mut self.tasks,
                routes: &mut self.requests.routes,
            };
            transport.ascend(now, &mut up);
        });
        self.data.settle(now, &mut self.tasks);
    }

    // ---- what is shown

    /// W3C's `[[IsClosed]]`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closed, and the last datagrams were taken: nothing will happen any more. Requests to close
    /// sockets may still wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.closed && self.farewells.is_empty()
    }

    /// `iceGatheringState`.
    #[must_use]
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.states.gathering
    }

    /// `iceConnectionState`.
    #[must_use]
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.states.ice
    }

    /// `connectionState`.
    #[must_use]
    pub fn connection_state(&self) -> PeerConnectionState {
        self.states.connection
    }

    /// The transports in use.
    pub fn transports(&self) -> impl Iterator<Item = TransportView<'_>> {
        self.transports.iter().map(TransportView::new)
    }

    /// A transport in use; `None` for one that was removed.
    #[must_use]
    pub fn transport(&self, id: TransportId) -> Option<TransportView<'_>> {
        self.transports.by_id(id).map(TransportView::new)
    }

    /// `sctp`; `None` while W3C's is null.
    #[must_use]
    pub fn sctp(&self) -> Option<SctpView<'_>> {
        self.data.sctp()
    }

    /// Bytes of all channels that the peer has not acknowledged.
    #[must_use]
    pub fn total_unacknowledged(&self) -> u64 {
        self.data.total_unacknowledged()
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.equipment.settings
    }

    /// Counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let channels = self.data.stats();
        Counters {
            messages_dropped: self.data.messages_dropped(),
            round_trip: self.transports.first().and_then(Transport::round_trip),
            channels_opened: channels.opened,
            channels_closed: channels.closed,
            ..self.counters
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed {
            Err(Error::closed())
        } else {
            Ok(())
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("signaling", &self.signaling_state())
            .field("connection", &self.states.connection)
            .finish_non_exhaustive()
    }
}
