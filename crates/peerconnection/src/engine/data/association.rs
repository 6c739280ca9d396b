//! The life of the association: it is described, negotiated, connected, and ends.

use std::{
    mem,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{
    Data, Limits,
    backlog::All,
    sctp::{Agreed, Leaving, Mapped, Sctp, SctpView},
};
use crate::{
    CongestionControl, Error, ErrorDetail, SctpTransportState,
    engine::{
        ids::TransportId,
        task::{Event, Tasks},
    },
};

impl Data {
    /// W3C's `sctp`; `None` while it is null.
    pub(in crate::engine) fn sctp(&self) -> Option<SctpView<'_>> {
        self.sctp.as_ref().map(SctpView)
    }

    /// The INIT chunk of the first association that will begin, for descriptions.
    pub(in crate::engine) fn announce(&mut self, now: Instant, seed: [u8; 32]) -> String {
        self.snap = Some(seed);
        // Ports do not stand in it.
        let config = self.limits.association((5000, 5000));
        let config = config.zero_checksum(self.limits.zero_checksum);
        let init = sctp::Association::new(config, seed, now).local_init();
        STANDARD.encode(init)
    }

    /// An offer describes an association: W3C's `sctp` is there, and connecting.
    pub(in crate::engine) fn create(&mut self, on: TransportId, seed: [u8; 32]) {
        self.priority = None;
        let announced = self.snap.is_some();
        let seed = self.snap.unwrap_or(seed);
        self.sctp = Some(Sctp {
            on,
            association: None,
            state: SctpTransportState::Connecting,
            max_message_size: None,
            max_channels: None,
            agreed: None,
            seed,
            announced,
            remote_init: None,
            way: None,
        });
        self.weigh_channels();
    }

    /// An answer has settled it.
    pub(in crate::engine) fn negotiate(
        &mut self,
        now: Instant,
        on: TransportId,
        ports: (u16, u16),
        remote_limit: u64,
    ) {
        let Some(sctp) = &mut self.sctp else {
            return;
        };
        sctp.on = on;
        sctp.agreed = Some(Agreed {
            ports,
            remote_limit,
        });
        // W3C §6.1.1.2; no limit is the largest number on both sides.
        let own = match self.limits.max_outgoing_message_size {
            0 => u64::MAX,
            limit => limit,
        };
        let limit = own.min(remote_limit);
        sctp.max_message_size = Some(limit);
        // One that has ended stays so: another follows with another DTLS association or another port.
        if sctp.state == SctpTransportState::Closed {
            return;
        }
        let (config, seed) = (self.limits.association(ports), sctp.seed);
        let association = sctp
            .association
            .get_or_insert_with(|| Box::new(sctp::Association::new(config, seed, now)));
        association.set_max_outgoing_message_size(usize::try_from(limit).unwrap_or(usize::MAX));
    }

    /// A new association, agreed on as the one before it, whose channels end.
    pub(in crate::engine) fn renew(&mut self, now: Instant, seed: [u8; 32], tasks: &mut Tasks) {
        let Some((on, agreed)) = self.sctp.as_ref().map(|it| (it.on, it.agreed)) else {
            return;
        };
        if let Some(association) = self.live() {
            association.abort(now, "another association takes its place");
        }
        self.end(None, tasks);
        self.finish(tasks);
        self.create(on, seed);
        if let Some(agreed) = agreed {
            self.negotiate(now, on, agreed.ports, agreed.remote_limit);
        }
    }

    /// The peer's INIT chunk in base64, as its description has it. What is none is passed over.
    pub(in crate::engine) fn set_remote_init(&mut self, init: Option<&str>) {
        if let Some(sctp) = self.sctp.as_mut().filter(|it| it.announced) {
            let init = init.filter(|it| it.len() <= MAX_INIT);
            sctp.remote_init = init.and_then(|it| STANDARD.decode(it).ok());
        }
    }

    /// DTLS is connected: both ends begin. A `recent` peer skips a parameter that it does not know.
    pub(in crate::engine) fn connect(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        recent: bool,
    ) {
        let remote_init = self.sctp.as_mut().and_then(|it| it.remote_init.take());
        let zero_checksum = self.limits.zero_checksum;
        let is_over = self.ending.as_ref().is_some_and(|it| it.over.is_some());
        let begins = |it: &&mut sctp::Association| it.state() == sctp::State::Closed && !is_over;
        let Some(association) = self.live().filter(begins) else {
            return;
        };
        if let Some(round_trip) = round_trip {
            association.set_round_trip(round_trip);
        }
        // One who knows that draft knows this parameter, or skips it.
        association.set_zero_checksum(zero_checksum && (recent || remote_init.is_some()));
        if !remote_init.is_some_and(|init| association.connect_with(now, &init)) {
            association.set_zero_checksum(zero_checksum && recent);
            association.connect(now);
        }
        // The tag and the first TSN are used once.
        self.snap = None;
    }

    /// The role in DTLS; that of an association does not change.
    pub(in crate::engine) fn set_role(&mut self, role: datachannel::Role) {
        self.session.set_role(role);
    }

    /// The association, from the answer until it ends.
    pub(super) fn live(&mut self) -> Option<&mut sctp::Association> {
        self.sctp.as_mut()?.association.as_deref_mut()
    }

    pub(super) fn live_ref(&self) -> Option<&sctp::Association> {
        self.sctp.as_ref()?.association.as_deref()
    }

    /// What the association has counted, from the answer until it ends.
    pub(in crate::engine) fn association_stats(&self) -> Option<sctp::Stats> {
        self.live_ref().map(sctp::Association::stats)
    }

    /// The association, if this transport carries it.
    pub(in crate::engine) fn association_on(
        &mut self,
        transport: TransportId,
    ) -> Option<&mut sctp::Association> {
        let sctp = self.sctp.as_mut().filter(|it| it.on == transport)?;
        sctp.association.as_deref_mut()
    }

    /// Whether this transport carries W3C's `sctp`.
    pub(in crate::engine) fn is_on(&self, transport: TransportId) -> bool {
        self.sctp.as_ref().is_some_and(|it| it.on == transport)
    }

    /// A packet that DTLS has opened; false when nothing here could want it.
    pub(in crate::engine) fn handle_packet(
        &mut self,
        now: Instant,
        transport: TransportId,
        packet: &[u8],
    ) -> bool {
        // Both tell theirs by the verification tag. An INIT has none, and is for the one that lives.
        let mut known = false;
        let tagged = packet.get(4..8) != Some(&[0; 4]);
        let leaving = self.leaving.iter_mut().filter(|it| it.on == transport);
        for it in leaving.filter(|_| tagged) {
            it.association.handle_packet(now, packet);
            known = true;
        }
        if let Some(live) = self.association_on(transport) {
            live.handle_packet(now, packet);
            known = true;
        }
        known
    }

    /// Appends a packet that shows how long packets may be on this path, to be a datagram by itself; at most `longest` is
    /// of interest. Paths are compared by their ends, also as a NAT maps ours: on another one all is open again.
    pub(in crate::engine) fn poll_probe(
        &mut self,
        now: Instant,
        transport: TransportId,
        (path, longest): (Mapped, usize),
        buf: &mut Vec<u8>,
    ) -> bool {
        let Some(sctp) = self.sctp.as_mut().filter(|it| it.on == transport) else {
            return false;
        };
        let Some(association) = &mut sctp.association else {
            return false;
        };
        if sctp.way != Some((path, longest)) {
            sctp.way = Some((path, longest));
            association.path_changed(longest);
        }
        association.poll_probe(now, buf)
    }

    /// Appends the next packet for a transport.
    pub(in crate::engine) fn poll_transmit(
        &mut self,
        now: Instant,
        transport: TransportId,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> bool {
        let mut leaving = self.leaving.iter_mut().filter(|it| it.on == transport);
        if leaving.any(|it| it.association.poll_transmit(now, room, buf)) {
            return true;
        }
        let live = self.association_on(transport);
        live.is_some_and(|it| it.poll_transmit(now, room, buf))
    }

    /// [`poll_transmit`](Self::poll_transmit) may have something.
    pub(in crate::engine) fn wants_transmit(&self) -> bool {
        self.live_ref()
            .is_some_and(sctp::Association::wants_transmit)
            || self.leaving.iter().any(|it| !it.association.is_drained())
    }

    /// There is more to do at once than a step takes.
    pub(in crate::engine) fn goes_on(&self) -> bool {
        self.backlog.more.is_some()
    }

    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = self.live() {
            association.handle_timeout(now);
        }
        self.give_up_unclaimed(now);
    }

    pub(in crate::engine) fn poll_timeout(&self) -> Option<Instant> {
        let association = self.live_ref().and_then(sctp::Association::poll_timeout);
        let unclaimed = self.backlog.unclaimed.deadline();
        let timers = [association, unclaimed, self.backlog.more];
        timers.into_iter().flatten().min()
    }

    pub(super) fn poll_association(&mut self) -> Option<sctp::Event> {
        self.live()?.poll_event()
    }

    /// What the association tells.
    pub(super) fn handle_event(&mut self, now: Instant, event: sctp::Event, tasks: &mut Tasks) {
        match event {
            sctp::Event::Connected => self.connected(tasks),
            sctp::Event::Readable { stream } => self.backlog.look_at(stream),
            sctp::Event::BufferedAmountLow { stream } => self.amount_low(stream, tasks),
            sctp::Event::Writable => tasks.push_one(Event::Writable),
            sctp::Event::OutgoingReset { stream } | sctp::Event::OutgoingResetDenied { stream } => {
                self.session.handle_outgoing_reset(stream);
                // The channel of a next life that the peer has ended already is told of before, and has what came on it.
                self.tell_all(None, tasks);
                // What had come for a next life that the peer has ended already.
                self.drop_unclaimed(stream);
            }
            sctp::Event::IncomingReset { stream } => self.backlog.handle_reset(stream),
            sctp::Event::AllIncomingReset => self.backlog.all = Some(All::default()),
            sctp::Event::StreamsAdded { .. } => {
                if let Some(channels) = self.live().map(|it| it.max_channels()) {
                    self.session.set_connected(channels);
                }
            }
            // None are asked for here.
            sctp::Event::StreamsDenied { .. } => {}
            sctp::Event::Restarted => {
                let error = sctp_failure(None, "the peer has restarted the association");
                self.restart(&error, tasks);
            }
            // A SHUTDOWN ends in peace, an ABORT does not.
            sctp::Event::Closed {
                by: sctp::Initiator::Remote,
                ..
            } if self.carry_over(now, tasks) => {}
            sctp::Event::Closed { cause_code, by } => {
                let error = cause_code.map(|it| sctp_failure(Some(it), "the peer has aborted"));
                self.end(error.as_ref(), tasks);
                if by == sctp::Initiator::Remote {
                    self.ended_by_peer(tasks);
                }
            }
            sctp::Event::Failed { cause } => {
                let error = sctp_failure(cause.cause_code(), "the association has failed");
                self.end(Some(&error), tasks);
            }
            _ => {}
        }
    }

    /// W3C §6.1.1.3: failed channels, the state, and in tasks of their own what opens, with the steps that follow.
    fn connected(&mut self, tasks: &mut Tasks) {
        let Some(sctp) = &mut self.sctp else {
            return;
        };
        let association = sctp.association.as_deref();
        let channels = association.map_or(0, sctp::Association::max_channels);
        sctp.max_channels = Some(channels);
        tasks.peer_is_there();
        self.session.begin_connected(channels);
    }

    /// The next channel that has waited for the association fails or opens. False when there is none.
    pub(super) fn go_on_opening(&mut self, tasks: &mut Tasks) -> bool {
        if !self.session.refuse_next() {
            // One that has carried the channels over has shown no other state.
            let state = self.sctp.as_mut().map(|it| &mut it.state);
            let before = state.map(|it| mem::replace(it, SctpTransportState::Connected));
            if before.is_some_and(|it| it != SctpTransportState::Connected) {
                tasks.push_one(Event::SctpTransport(SctpTransportState::Connected));
            }
            if !self.session.open_next() {
                return false;
            }
        }
        self.tell_all(None, tasks);
        true
    }

    /// The section was rejected or rolled back: W3C's `sctp` is null again.
    pub(in crate::engine) fn remove(&mut self, now: Instant, tasks: &mut Tasks) {
        let established = self.live_ref().is_some_and(|it| it.is_established());
        if let Some(association) = self.live() {
            association.abort(now, "not wanted any more");
        }
        if established {
            self.end(None, tasks);
        }
        self.finish(tasks);
        self.leave();
        self.sctp = None;
    }

    /// RFC 9260 §8.4, §9.1: the peer is to learn of the end, and may ask again when that is lost.
    pub(super) fn leave(&mut self) {
        let sctp = self.sctp.as_mut();
        if let Some((on, association)) = sctp.and_then(|it| Some((it.on, it.association.take()?))) {
            // The last one still answers, those before it once they have said what they had to.
            self.leaving.retain(|it| !it.association.is_drained());
            if self.leaving.len() >= MOST_LEAVING {
                self.leaving.pop_front();
            }
            self.leaving.push_back(Leaving { on, association });
        }
        self.messages_dropped += self.backlog.begin_anew();
    }

    /// What ran on this transport cannot be told anything any more: its DTLS is gone.
    pub(in crate::engine) fn cut_off(&mut self, transport: TransportId) {
        self.leaving.retain(|it| it.on != transport);
        if self.is_on(transport) {
            self.end_silently();
        }
    }

    /// W3C's close: channels are closed without events. The ABORT waits in the association.
    pub(in crate::engine) fn close(&mut self, now: Instant) {
        self.finish(&mut Tasks::default());
        self.close_all();
        if let Some(sctp) = &mut self.sctp {
            sctp.state = SctpTransportState::Closed;
            if let Some(association) = &mut sctp.association {
                association.abort(now, "the connection was closed");
            }
        }
        self.leave();
    }

    /// The last packets have left with the connection.
    pub(in crate::engine) fn forget_associations(&mut self) {
        self.leaving.clear();
    }
}

impl Limits {
    pub(super) fn association(&self, (local, remote): (u16, u16)) -> sctp::Config {
        sctp::Config::default()
            .ports(local, remote)
            .receive_window(self.receive_window)
            .zero_checksum(false)
            .interleaving(self.interleaving)
            .congestion_control(match self.congestion_control {
                CongestionControl::NewReno => sctp::CongestionControl::NewReno,
                CongestionControl::Cubic => sctp::CongestionControl::Cubic,
                CongestionControl::Bbr => sctp::CongestionControl::Bbr,
            })
            .max_message_size(self.max_message_size as usize)
    }
}

/// Associations that ended without a packet in between. Descriptions alone bring so many.
const MOST_LEAVING: usize = 8;
/// Characters of an INIT chunk that is worth reading.
const MAX_INIT: usize = 4096;

pub(super) fn sctp_failure(cause_code: Option<u16>, message: &str) -> Error {
    Error::with_detail(ErrorDetail::SctpFailure { cause_code }, message)
}
