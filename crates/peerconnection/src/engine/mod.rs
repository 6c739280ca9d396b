//! The whole stack as one machine, without I/O.
//!
//! An [`Engine`] is told what came ([`Engine::handle_datagram`]), what time it is
//! ([`Engine::handle_timeout`]), and what the application wants (W3C's verbs). It is asked for batches
//! ([`Engine::poll_transmit`]), requests ([`Engine::poll_request`]), the next deadline
//! ([`Engine::poll_timeout`]) and W3C's tasks ([`Engine::poll_task`]), in this order. It reads no
//! clock, opens no socket and spawns nothing: simulators, fuzzers and other runtimes use it as it is.
//!
//! Each operation of W3C's operations chain runs whole within its call, so the chain is the order of
//! calls. Gathering begins when a local description is set, so no candidate is ever early.

mod apply;
mod ascend;
mod channel;
mod convert;
mod data;
mod demux;
mod generation;
mod negotiate;
mod request;
mod seed;
mod stats;
mod task;
mod transmit;
mod transport;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use oxirtc_ice as ice;
use zeroize::Zeroize;

pub use channel::{Channel, ChannelId};
pub use stats::Stats;
pub use task::{ChannelEvent, DtlsTransportEvent, Event, IceTransportEvent, Notice, Task};
pub use transport::{IceCandidatePair, IceParameters, TransportId};

use crate::{
    Anchor, Certificate, Configuration, DataChannelInit, DataChannelState, DtlsTransportState,
    Error, IceCandidate, IceConnectionState, IceGatheringState, IceRole, IceTransportState,
    KeyAlgorithm, Message, Path, PeerConnectionState, Route, SctpTransportState, SendError,
    Settings, state,
};
use data::Data;
use demux::Kind;
use negotiate::Negotiation;
use request::Requests;
use seed::Seed;
use task::Tasks;
use transport::{Foundation, Transport};

/// A peer connection without I/O.
pub struct Engine {
    configuration: Configuration,
    foundation: Foundation,
    negotiation: Negotiation,
    transports: Vec<Transport>,
    /// Agents of removed transports, whose sockets are still to be closed.
    retired: Vec<ice::Agent>,
    /// What the agents share.
    ice_set: ice::ChecklistSet,
    data: Data,
    states: States,
    tasks: Tasks,
    requests: Requests,
    routes: VecDeque<Route>,
    /// The last datagrams of a closed connection.
    farewells: VecDeque<(Path, Vec<u8>)>,
    closed: bool,
    stats: Stats,
}

/// States that W3C shows of the whole connection; each stands since its task was queued.
struct States {
    gathering: IceGatheringState,
    ice: IceConnectionState,
    connection: PeerConnectionState,
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
        let ice_set =
            ice::ChecklistSet::new(&convert::ice_config(&settings), own.derive("ice set", 0));
        let ice_transport_policy = configuration.ice_transport_policy;
        let interfaces = None;
        Ok(Self {
            configuration,
            foundation: Foundation {
                seed: own,
                settings,
                certificate,
                interfaces,
                ice_transport_policy,
            },
            negotiation,
            transports: Vec::new(),
            retired: Vec::new(),
            ice_set,
            data,
            states: States {
                gathering: IceGatheringState::New,
                ice: IceConnectionState::New,
                connection: PeerConnectionState::New,
            },
            tasks: Tasks::default(),
            requests: Requests::default(),
            routes: VecDeque::new(),
            farewells: VecDeque::new(),
            closed: false,
            stats: Stats::default(),
        })
    }

    // ---- from below

    /// A datagram that came on `path`. It is opened in place.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        if self.closed {
            return;
        }
        let owners = || {
            self.transports
                .iter()
                .filter(|it| it.sockets.contains(&path.local))
        };
        match (self.transports.len(), owners().count()) {
            (0, _) => self.stats.dropped += 1,
            (1, _) => self.demux(0, now, path, datagram),
            (_, 1) => {
                let index = self
                    .transports
                    .iter()
                    .position(|it| it.sockets.contains(&path.local));
                self.demux(index.unwrap_or(0), now, path, datagram);
            }
            // A shared socket, and transports that are not bundled yet: each agent knows its own by
            // the credentials, so none takes what is another's.
            (count, _) => {
                for index in 0..count {
                    self.demux(index, now, path, &mut datagram.to_vec());
                }
            }
        }
        self.ascend(now);
    }

    fn demux(&mut self, index: usize, now: Instant, path: Path, datagram: &mut [u8]) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let (dtls, stats, id) = (&mut transport.dtls, &mut self.stats, transport.id);
        let mut association = match &mut self.data.transport {
            Some(sctp) if sctp.on == id => sctp.association.as_mut(),
            _ => None,
        };
        let since = transport.since;
        let mut demux = |generation, payload: &mut [u8]| match Kind::of(payload) {
            // It comes from the peer of an association that was replaced.
            _ if generation < since => stats.dropped += 1,
            Kind::Dtls => {
                dtls.handle_datagram(now, payload, &mut |packet| match &mut association {
                    Some(association) => association.handle_packet(now, packet),
                    None => stats.dropped += 1,
                })
            }
            Kind::Rtp | Kind::Rtcp | Kind::Unknown => stats.dropped += 1,
        };
        let (set, path) = (&mut self.ice_set, convert::ice_path(path));
        let epoch = set.epoch();
        transport
            .ice
            .handle_datagram(now, set, path, datagram, &mut demux);
        if self.ice_set.epoch() != epoch {
            self.settle_ice(now);
        }
    }

    /// Time has passed. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        for transport in &mut self.transports {
            transport.handle_timeout(now, &mut self.ice_set);
        }
        if let Some(association) = self.data.association() {
            association.handle_timeout(now);
        }
        self.ascend(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let sctp = self
            .data
            .transport
            .as_ref()
            .and_then(|it| it.association.as_ref());
        let sctp = sctp.and_then(oxirtc_sctp::Association::poll_timeout);
        let transports = self.transports.iter().filter_map(Transport::poll_timeout);
        transports.chain(sctp).min()
    }

    // ---- channels

    /// W3C §6.1, `createDataChannel`. The first one makes negotiation needed.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `Type` for arguments out of range, `Operation` when there is no
    /// id.
    pub fn create_data_channel(
        &mut self,
        now: Instant,
        label: &str,
        init: &DataChannelInit,
    ) -> Result<ChannelId, Error> {
        self.check_open()?;
        let id = self.data.open(label, init)?;
        self.data.drain(now, &mut self.tasks);
        self.negotiation.negotiator.add_data_channel();
        self.update_negotiation_needed();
        Ok(id)
    }

    /// W3C §6.2, `send()`. The bytes of a message are shared, not copied; a string's are copied once.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] when as much is buffered as the settings allow. Otherwise `InvalidState`
    /// when the channel is not open, `Type` when the message is longer than the peer takes.
    pub fn send(
        &mut self,
        now: Instant,
        channel: ChannelId,
        message: &Message,
    ) -> Result<(), SendError> {
        self.data.send(now, channel, message)
    }

    /// The next message of a channel. What is not read stays in the receive window, so that a slow
    /// reader slows its peer. Messages that came before the peer closed can be read after it.
    pub fn read(&mut self, now: Instant, channel: ChannelId) -> Option<Message> {
        self.data.read(now, channel, &mut self.tasks)
    }

    /// W3C §6.2, `close()` of a channel: what was sent is still delivered.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        self.data.close_channel(channel);
        self.data.drain(now, &mut self.tasks);
    }

    /// Nobody will read from this channel any more, nor ask about it once it is closed.
    pub fn forget_channel(&mut self, now: Instant, channel: ChannelId) {
        self.data.forget_channel(now, channel, &self.tasks);
    }

    /// A channel; closed ones until they are forgotten.
    #[must_use]
    pub fn channel(&self, channel: ChannelId) -> Option<&Channel> {
        self.data.channel(channel)
    }

    /// `bufferedAmount`: bytes that are not on their way yet.
    #[must_use]
    pub fn buffered_amount(&self, channel: ChannelId) -> u64 {
        self.data.buffered_amount(channel)
    }

    /// Bytes of a channel that the peer has not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self, channel: ChannelId) -> u64 {
        self.data.unacknowledged(channel)
    }

    /// Bytes of all channels that the peer has not acknowledged.
    #[must_use]
    pub fn total_unacknowledged(&self) -> u64 {
        self.data.total_unacknowledged()
    }

    /// `bufferedAmountLowThreshold`.
    pub fn set_buffered_amount_low_threshold(&mut self, channel: ChannelId, threshold: u64) {
        self.data.set_threshold(channel, threshold);
    }

    /// Messages may be taken from reading to acknowledging: [`poll_transmit`](Self::poll_transmit) may
    /// have something.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        let sctp = self
            .data
            .transport
            .as_ref()
            .and_then(|it| it.association.as_ref());
        sctp.is_some_and(oxirtc_sctp::Association::wants_transmit)
    }

    // ---- facts

    /// The next of W3C's tasks.
    pub fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop()
    }

    /// The next notice.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.data.poll_notice()
    }

    /// How many events were taken and not read by the application. Above 1,024, channels that the peer
    /// opens wait in the association.
    pub fn set_unread_events(&mut self, now: Instant, events: usize) {
        self.tasks.set_unread(events);
        self.data.resume(now, &mut self.tasks);
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
        self.data.forget_association();
        self.negotiation.negotiator.close();
        self.tasks.close();
        for transport in &mut self.transports {
            transport.release_ufrags(&mut self.routes);
            transport.ice.close(&mut self.ice_set);
            transport.view.ice = IceTransportState::Closed;
            transport.view.dtls = DtlsTransportState::Closed;
            transport.view.pair = None;
        }
        self.states.ice = IceConnectionState::Closed;
        self.states.connection = PeerConnectionState::Closed;
    }

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

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.foundation.settings
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let channels = self.data.stats();
        Stats {
            messages_dropped: self.data.messages_dropped,
            round_trip: self.transports.first().and_then(Transport::round_trip),
            channels_opened: channels.opened,
            channels_closed: channels.closed,
            ..self.stats
        }
    }

    // ---- transports

    /// The transports in use.
    pub fn transports(&self) -> impl Iterator<Item = TransportId> {
        self.transports.iter().map(|it| it.id)
    }

    fn view(&self, id: TransportId) -> Option<&transport::View> {
        self.transports
            .iter()
            .find(|it| it.id == id)
            .map(|it| &it.view)
    }

    /// `state` of an ICE transport (W3C §5.6). That of a removed one is closed.
    #[must_use]
    pub fn ice_transport_state(&self, id: TransportId) -> IceTransportState {
        self.view(id).map_or(IceTransportState::Closed, |it| it.ice)
    }

    /// `gatheringState` of an ICE transport.
    #[must_use]
    pub fn ice_transport_gathering_state(&self, id: TransportId) -> IceGatheringState {
        self.view(id)
            .map_or(IceGatheringState::Complete, |it| it.gathering)
    }

    /// `role` of an ICE transport.
    #[must_use]
    pub fn ice_role(&self, id: TransportId) -> IceRole {
        self.view(id).map_or(IceRole::Unknown, |it| it.role)
    }

    /// `getSelectedCandidatePair()`.
    #[must_use]
    pub fn selected_candidate_pair(&self, id: TransportId) -> Option<IceCandidatePair> {
        self.view(id)?.pair.clone()
    }

    /// `getLocalCandidates()`: those that were told.
    #[must_use]
    pub fn local_candidates(&self, id: TransportId) -> Vec<IceCandidate> {
        self.view(id)
            .map_or_else(Vec::new, |it| it.local_candidates.clone())
    }

    /// `getRemoteCandidates()`: those that signalling brought.
    #[must_use]
    pub fn remote_candidates(&self, id: TransportId) -> Vec<IceCandidate> {
        self.view(id)
            .map_or_else(Vec::new, |it| it.remote_candidates.clone())
    }

    /// `getLocalParameters()`.
    #[must_use]
    pub fn local_parameters(&self, id: TransportId) -> Option<IceParameters> {
        self.view(id)?.local_parameters.clone()
    }

    /// `getRemoteParameters()`.
    #[must_use]
    pub fn remote_parameters(&self, id: TransportId) -> Option<IceParameters> {
        self.view(id)?.remote_parameters.clone()
    }

    /// `state` of a DTLS transport (W3C §5.5).
    #[must_use]
    pub fn dtls_transport_state(&self, id: TransportId) -> DtlsTransportState {
        self.view(id)
            .map_or(DtlsTransportState::Closed, |it| it.dtls)
    }

    /// `getRemoteCertificates()`: DER, the peer's own first; empty before it is connected.
    #[must_use]
    pub fn remote_certificates(&self, id: TransportId) -> Vec<Vec<u8>> {
        let transport = self.transports.iter().find(|it| it.id == id);
        transport.map_or_else(Vec::new, |it| it.dtls.remote_certificates().to_vec())
    }

    /// `sctp.transport`: what carries the association; `None` while W3C's `sctp` is null.
    #[must_use]
    pub fn sctp_transport(&self) -> Option<TransportId> {
        self.data.transport.as_ref().map(|it| it.on)
    }

    /// `sctp.state`.
    #[must_use]
    pub fn sctp_state(&self) -> Option<SctpTransportState> {
        self.data.transport.as_ref().map(|it| it.state)
    }

    /// `sctp.maxMessageSize` in bytes; `u64::MAX` is no limit.
    #[must_use]
    pub fn max_message_size(&self) -> Option<u64> {
        self.data.transport.as_ref()?.max_message_size
    }

    /// `sctp.maxChannels`.
    #[must_use]
    pub fn max_channels(&self) -> Option<u16> {
        self.data.transport.as_ref()?.max_channels
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed {
            Err(Error::closed())
        } else {
            Ok(())
        }
    }

    /// W3C §4.3.4 and §4.3.3, from the states of the transports.
    fn derive_states(&self) -> (IceConnectionState, PeerConnectionState) {
        let ice: Vec<_> = self.transports.iter().map(|it| it.view.ice).collect();
        let dtls: Vec<_> = self.transports.iter().map(|it| it.view.dtls).collect();
        let ice = state::ice_connection(self.closed, &ice);
        (ice, state::peer_connection(ice, &dtls))
    }

    /// The open channels, for one who waits until they are drained.
    #[must_use]
    pub fn has_open_channels(&self) -> bool {
        self.data.any_channel(|it| {
            matches!(
                it.ready_state(),
                DataChannelState::Open | DataChannelState::Closing
            )
        })
    }

    /// The round trip of the path in use, from its STUN checks.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.transports.first().and_then(Transport::round_trip)
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
