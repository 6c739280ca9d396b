//! The machine: what it consists of, its beginning and its end, and what it shows.

use std::{collections::VecDeque, time::Instant};

use zeroize::Zeroize;

use super::{
    claims::Verdict,
    convert,
    counters::Counters,
    data::{Data, SctpView},
    drops::Drops,
    equipment::Equipment,
    facts::States,
    ids::TransportId,
    media::Media,
    negotiation::Negotiation,
    request::Requests,
    seed::Seed,
    stats::{Kept, Watch},
    task::Tasks,
    trace::Trace,
    transport::{Transport, TransportView},
    transports::Transports,
    up::Up,
};
use crate::{
    Certificate, Configuration, DtlsTransportState, Error, ErrorKind, IceCandidate,
    IceConnectionState, IceGatheringState, IceTransportState, KeyAlgorithm, PeerConnectionState,
    Settings,
    label::Label,
    path::{Anchor, Path},
};

/// A peer connection without I/O.
pub struct Engine {
    pub(super) configuration: Configuration,
    pub(super) equipment: Equipment,
    pub(super) negotiation: Negotiation,
    pub(super) transports: Transports,
    pub(super) data: Data,
    pub(super) media: Media,
    pub(super) states: States,
    pub(super) tasks: Tasks,
    pub(super) requests: Requests,
    /// The last datagrams of a closed connection.
    pub(super) farewells: VecDeque<(Path, Vec<u8>)>,
    /// Something was sent since events were lifted last.
    pub(super) has_sent: bool,
    pub(super) closed: bool,
    pub(super) counters: Counters,
    /// Of what was dropped, what found no room before it came here.
    pub(super) crowded: u64,
    /// What the log was told of drops.
    pub(super) told_drops: Drops,
    /// What statistics show of a closed connection.
    pub(super) last_stats: Kept,
    /// For who is told of what leaves the statistics.
    pub(super) watch: Option<Box<Watch>>,
}

impl Engine {
    /// A connection as W3C's constructor makes it (§4.4.1.1). Everything random comes from `seed`,
    /// but for keys, which the crypto library makes. `anchor` gives the wall clock, for certificates.
    ///
    /// # Errors
    ///
    /// As W3C has them for the configuration: `Syntax`, `InvalidAccess`, `NotSupported`. `NotSupported` as well for
    /// [`Settings::dtls_groups`] of which no version of [`Settings::dtls_versions`] knows one.
    pub fn new(
        configuration: Configuration,
        settings: Settings,
        mut seed: [u8; 32],
        anchor: Anchor,
    ) -> Result<Self, Error> {
        configuration.check_certificates(anchor.wall)?;
        configuration.check(None, false)?;
        let chosen = settings.networks.credentials.as_ref();
        if chosen.is_some_and(|it| !it.is_written()) {
            let message =
                "the ICE credentials are not of letters, digits, + and /, 4 and 22 to 256 of them";
            return Err(Error::new(ErrorKind::Syntax, message));
        }
        let certificate = match configuration.certificates.first() {
            Some(certificate) => certificate.clone(),
            None => Certificate::generate_at(KeyAlgorithm::EcdsaP256, anchor.wall, None)?,
        };
        let own = Seed::new(seed);
        seed.zeroize();
        let [first, second, ..] = own.derive("label", 0);
        let label = Label([first, second]);
        let dtls = convert::dtls_config(&certificate, &settings, label);
        dtls.check().map_err(|error| {
            let message = "DTLS can speak no version with these settings";
            Error::new(ErrorKind::NotSupported, message).with_source(error)
        })?;
        // RFC 7022 §4.2: 96 random bits.
        let digits = own.derive("cname", 0).into_iter().take(12);
        let digits = digits.flat_map(|byte| [byte >> 4, byte & 15]);
        let cname: String = digits
            .filter_map(|it| char::from_digit(it.into(), 16))
            .collect();
        let mut data = Data::new(&settings, label);
        let announce = |data: &mut Data| data.announce(anchor.instant, own.derive("snap", 0));
        let sctp_init = settings.snap.then(|| announce(&mut data));
        let negotiation = Negotiation::new(
            &configuration,
            &settings,
            &certificate,
            &own,
            &cname,
            sctp_init,
        );
        let config = convert::ice_config(&settings, label);
        let set = oxirtc_ice::ChecklistSet::new(&config, own.derive("ice set", 0));
        let ice_transport_policy = configuration.ice_transport_policy;
        let ice_servers = convert::servers(&configuration);
        Ok(Self {
            configuration,
            equipment: Equipment {
                seed: own,
                settings,
                certificate,
                interfaces: None,
                ice_transport_policy,
                ice_servers,
                trace: Trace { label, anchor },
                cname,
            },
            negotiation,
            transports: Transports::new(set),
            data,
            media: Media::default(),
            states: States::default(),
            tasks: Tasks::default(),
            requests: Requests::default(),
            farewells: VecDeque::new(),
            has_sent: false,
            closed: false,
            counters: Counters::default(),
            crowded: 0,
            told_drops: Drops::default(),
            last_stats: Kept::default(),
            watch: None,
        })
    }

    /// W3C §4.4.2, `close()`: at once and without events. An ABORT and a close_notify wait in
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.keep_stats(now);
        self.watch = None;
        self.data.close(now);
        self.build_farewells(now);
        self.closed = true;
        self.data.forget_associations();
        self.negotiation.negotiator.close();
        self.media.stop();
        self.tasks.close();
        let (routes, farewells) = (&mut self.requests.routes, &mut self.farewells);
        self.transports.each_in_turn(now, |transport, set| {
            transport.release_ufrags(std::iter::empty(), routes);
            transport.ice.close(now, set);
            let goodbyes = std::iter::from_fn(|| transport.poll_goodbye(now));
            farewells.extend(goodbyes);
            transport.shown.ice = IceTransportState::Closed;
            transport.shown.dtls = DtlsTransportState::Closed;
            transport.shown.pair = None;
        });
        self.gather_ahead(now);
        self.states.ice = IceConnectionState::Closed;
        self.states.connection = PeerConnectionState::Closed;
    }

    /// A layer affects only those above it, so one pass from the bottom settles.
    pub(super) fn ascend(&mut self, now: Instant) {
        self.has_sent = false;
        if self.closed {
            return;
        }
        self.climb(now);
        // Who has a path that two claim is known when all have spoken.
        loop {
            let verdicts = self.requests.claims.take_verdicts();
            if verdicts.is_empty() {
                break;
            }
            for (id, path, verdict) in verdicts {
                let path = convert::ice_path(path);
                if let Some((transport, set)) = self.transports.lend(id) {
                    match verdict {
                        Verdict::Taken => transport.ice.handle_taken(now, set, path),
                        Verdict::Granted => transport.ice.handle_granted(now, set, path),
                    }
                }
            }
            self.climb(now);
        }
        self.data.settle(now, &mut self.tasks);
    }

    /// Takes in what each transport has to tell.
    fn climb(&mut self, now: Instant) {
        self.transports.each(|transport, others| {
            let mut up = Up {
                others,
                negotiation: &mut self.negotiation,
                data: &mut self.data,
                media: &mut self.media,
                states: &mut self.states,
                tasks: &mut self.tasks,
                routes: &mut self.requests.routes,
                claims: &mut self.requests.claims,
            };
            transport.ascend(now, &mut up);
        });
    }

    // ---- what is shown

    /// W3C's `[[IsClosed]]`.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closed, and the last datagrams were taken: nothing will happen any more. Requests to close
    /// sockets may still wait.
    pub fn is_finished(&self) -> bool {
        self.closed && self.farewells.is_empty()
    }

    /// Whether addresses are being gathered (`iceGatheringState`).
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.states.gathering
    }

    /// Whether ICE has a path to the peer (`iceConnectionState`). `connectionState` counts DTLS as well.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.states.ice
    }

    /// Whether the connection is up: ICE and DTLS together (`connectionState`).
    pub fn connection_state(&self) -> PeerConnectionState {
        self.states.connection
    }

    /// Whether a local description that stands has this candidate's generation. One that was told before a rollback has none
    /// any more, and no peer could take it.
    pub fn is_described(&self, candidate: &IceCandidate) -> bool {
        let ufrag = candidate.username_fragment().unwrap_or_default();
        self.transports.iter().any(|it| it.is_described(ufrag))
    }

    /// The transports in use.
    pub fn transports(&self) -> impl Iterator<Item = TransportView<'_>> {
        self.transports.iter().map(TransportView::new)
    }

    /// A transport in use; `None` for one that was removed.
    pub fn transport(&self, id: TransportId) -> Option<TransportView<'_>> {
        self.transports.by_id(id).map(TransportView::new)
    }

    /// `sctp`; `None` while W3C's is null.
    pub fn sctp(&self) -> Option<SctpView<'_>> {
        self.data.sctp()
    }

    /// Bytes of all channels that the peer has not acknowledged.
    pub fn total_unacknowledged(&self) -> u64 {
        self.data.total_unacknowledged()
    }

    /// Whether the peer has all that was sent on channels, but for what was given up. What it has acknowledged may wait there until it has
    /// passed over that, so this can come later than [`total_unacknowledged`](Self::total_unacknowledged) is 0.
    pub fn is_drained(&self) -> bool {
        self.data.is_drained()
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.equipment.settings
    }

    /// What the connection is called in the log.
    pub fn label(&self) -> Label {
        self.equipment.trace.label
    }

    /// Counters.
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

    pub(super) fn check_open(&self) -> Result<(), Error> {
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
