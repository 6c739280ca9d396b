use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    Alert, AlertDescription, AlertLevel, CipherSuite, Config, Error, Event, Failure, Fingerprint,
    Group, Initiator, Role, SrtpProfile, Stats,
    crypto::aead::TAG_LEN,
    exporter,
    flight::Flight,
    handshake::{Context, Fault, Handshake, Progress, Session},
    message::{Fragment, Kind},
    reassembly::{Outcome, Reassembly},
    record::{self, Header, Records, Refused},
    timer::{Timer, Timers},
    trust::{Trust, Verdict},
};

/// One DTLS association, client or server, without I/O.
///
/// - Input: [`set_role`](Self::set_role), [`start`](Self::start),
///   [`set_remote_fingerprints`](Self::set_remote_fingerprints),
///   [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout),
///   [`close`](Self::close), and [`seal`](Self::seal) for what is sent.
/// - Poll, after any input and in this order: [`poll_transmit`](Self::poll_transmit) until it gives
///   `false`, [`poll_event`](Self::poll_event) until it gives `None`, then
///   [`poll_timeout`](Self::poll_timeout).
/// - Everything else only reads.
///
/// No payload, key or certificate of the peer leaves before its certificate matched a fingerprint.
pub struct Connection {
    config: Config,
    role: Option<Role>,
    started: bool,
    state: State,
    /// `None` once it is complete or dead.
    handshake: Option<Box<Handshake>>,
    session: Option<Box<Session>>,
    trust: Trust,
    records: Records,
    reassembly: Reassembly,
    flight: Flight,
    outbox: Outbox,
    held: Held,
    timers: Timers,
    stats: Stats,
    /// Changes what is said, as a peer that errs or lies would.
    #[cfg(test)]
    pub(crate) edit: Option<crate::tests::peer::Edit>,
}

/// How far an association is, in the terms of W3C's `RTCDtlsTransportState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing was sent or received.
    New,
    /// The handshake runs, or the peer's certificate is not verified yet.
    Connecting,
    /// Payload flows.
    Connected,
    /// It was closed in good order.
    Closed,
    /// It failed.
    Failed,
}

/// What waits to be polled.
#[derive(Default)]
struct Outbox {
    events: VecDeque<Event>,
    /// With the epoch it is to be sent in.
    alerts: VecDeque<(u16, Alert)>,
    /// A fault that anybody could have forged; it counts when nothing genuine follows.
    doubt: Option<Fault>,
}

/// What came too early.
#[derive(Default)]
struct Held {
    /// Records that cannot be opened, or not be acted upon, before the handshake goes on.
    records: VecDeque<Vec<u8>>,
    /// Payload that waits for the peer's certificate to be verified.
    payload: VecDeque<Vec<u8>>,
    payload_len: usize,
    /// The peer closed behind that payload.
    closed: bool,
}

type Sink<'s> = &'s mut dyn FnMut(&mut [u8]);

impl Connection {
    /// An association that waits for its role. `seed` feeds the randoms of the hellos and the key of the
    /// cookie, and must be fresh for each association.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let _ = now;
        Self {
            config,
            role: None,
            started: false,
            state: State::New,
            handshake: Some(Box::new(Handshake::new(ChaCha20Rng::from_seed(seed)))),
            session: None,
            trust: Trust::default(),
            records: Records::new(),
            reassembly: Reassembly::default(),
            flight: Flight::new(),
            outbox: Outbox::default(),
            held: Held::default(),
            timers: Timers::default(),
            stats: Stats::default(),
            #[cfg(test)]
            edit: None,
        }
    }

    /// Fixes the role that signalling agreed on. Without it, the first ClientHello makes a server.
    ///
    /// # Errors
    /// [`Error::RoleFixed`] when it has the other one.
    pub fn set_role(&mut self, now: Instant, role: Role) -> Result<(), Error> {
        match self.role {
            Some(fixed) if fixed == role => return Ok(()),
            Some(_) => return Err(Error::RoleFixed),
            None => self.role = Some(role),
        }
        if role == Role::Server
            && let Some(handshake) = &mut self.handshake
        {
            handshake.start_server();
        }
        if self.started {
            self.start(now);
        }
        Ok(())
    }

    /// There is a path to the peer: a client sends its first flight, now or as soon as it has its role.
    pub fn start(&mut self, now: Instant) {
        self.started = true;
        if self.role != Some(Role::Client) || self.state != State::New {
            return;
        }
        self.begin(now);
        let (handshake, mut cx) = self.parts();
        if let Some(handshake) = handshake {
            handshake.start_client(&mut cx);
        }
    }

    /// Says which certificates the peer may have, and verifies the one it has, now or as soon as it
    /// comes. Payload that was held for that goes to the sink, after [`Event::Connected`].
    ///
    /// When none fits, the association fails: [`Failure::FingerprintMismatch`]. A later call with other
    /// fingerprints is held against the same certificate.
    pub fn set_remote_fingerprints(
        &mut self,
        now: Instant,
        fingerprints: &[Fingerprint],
        sink: &mut impl FnMut(&mut [u8]),
    ) {
        if self.is_over() {
            return;
        }
        match self.trust.set_expected(fingerprints) {
            Verdict::Mismatch => self.fail(
                Failure::FingerprintMismatch,
                Some(AlertDescription::BAD_CERTIFICATE),
            ),
            Verdict::Open => {}
            Verdict::Verified(_) => self.settle(now, sink),
        }
    }

    /// What ICE measured. The first retransmission comes after twice that, within 50 ms and 3 s.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.flight.set_round_trip(round_trip);
    }

    /// Whether the peer consents to being sent to (RFC 7675); it does at first. While it does,
    /// retransmissions are at most 3 s apart, otherwise 60 s.
    pub fn set_consent(&mut self, consent: bool) {
        self.flight.set_consent(consent);
    }

    /// Takes a datagram from the peer, opening it in place. The sink gets the payload of each
    /// application record.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &mut [u8],
        sink: &mut impl FnMut(&mut [u8]),
    ) {
        self.stats.datagrams_received += 1;
        self.handle_records(now, datagram, sink);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        if self.timers.expired(Timer::Handshake, now) {
            self.fail(
                Failure::HandshakeTimeout,
                Some(AlertDescription::USER_CANCELED),
            );
        } else if self.timers.expired(Timer::Fingerprint, now) {
            self.fail(
                Failure::FingerprintTimeout,
                Some(AlertDescription::BAD_CERTIFICATE),
            );
        } else if self.timers.expired(Timer::Doubt, now) {
            if let Some(Fault { cause, alert }) = self.outbox.doubt.take() {
                let ours = matches!(cause, Failure::AlertSent(_));
                self.fail(cause, ours.then_some(alert));
            }
        } else if self.flight.handle_timeout(now) {
            self.stats.retransmissions += 1;
        }
    }

    /// Closes in good order: `close_notify` is sent, nothing is accepted any more. Harmless when it is
    /// over already.
    pub fn close(&mut self, now: Instant) {
        let _ = now;
        if self.is_over() {
            return;
        }
        // Where the peer heard nothing yet there is nothing to close.
        if self.state != State::New {
            self.say_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        }
        self.end(
            State::Closed,
            Event::Closed {
                by: Initiator::User,
            },
        );
    }

    /// Makes a record of the payload that stands in `buf` behind `start` and
    /// [`headroom`](Self::headroom) bytes of room. The header is written there, and
    /// [`tailroom`](Self::tailroom) bytes are appended. On an error `buf` keeps its length.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Layout`] when `buf` is shorter than that,
    /// [`Error::TooLarge`] above 16,384 bytes, [`Error::SequenceExhausted`].
    pub fn seal(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        if self.state != State::Connected {
            return Err(Error::NotConnected);
        }
        let epoch = self.records.newest_epoch();
        // The last numbers are for the alert that ends it.
        if self.records.remaining(epoch) <= RESERVED_RECORDS {
            self.fail(
                Failure::SequenceExhausted,
                Some(AlertDescription::INTERNAL_ERROR),
            );
            return Err(Error::SequenceExhausted);
        }
        let payload = buf.len().saturating_sub(start + self.records.headroom());
        self.records
            .seal(epoch, record::APPLICATION_DATA, buf, start)?;
        self.stats.records_sent += 1;
        self.stats.bytes_sent += payload as u64;
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = [self.timers.next(), self.flight.poll_timeout()];
        timers.into_iter().flatten().min()
    }

    /// Appends at most one datagram of the handshake, or an alert, of at most `room` bytes.
    pub fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        if self.flight.poll_transmit(now, room, &mut self.records, buf) {
            return true;
        }
        while let Some((epoch, alert)) = self.outbox.alerts.pop_front() {
            let start = buf.len();
            let sent = self
                .records
                .append(epoch, record::ALERT, &[&alert.to_bytes()], buf);
            if sent.is_ok() && buf.len() - start <= room {
                self.stats.alerts_sent += 1;
                return true;
            }
            buf.truncate(start);
        }
        false
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.events.pop_front()
    }

    /// Bytes in front of a payload: exact once connected, the worst case before.
    pub fn headroom(&self) -> usize {
        self.records.headroom()
    }

    /// Bytes behind a payload.
    pub fn tailroom(&self) -> usize {
        TAG_LEN
    }

    /// The role, once it is known.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// How far the association is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether payload flows.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Keying material for another protocol (RFC 5705): both sides get the same for the same label and
    /// context.
    ///
    /// # Errors
    /// [`Error::NotConnected`], and [`Error::Export`] for a reserved label or a context or output of
    /// more than 65,535 bytes.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let session = self.session().ok_or(Error::NotConnected)?;
        exporter::export(session, label, context, out)
    }

    /// The SRTP profile that was agreed on, once connected.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.session()?.negotiated.srtp_profile
    }

    /// The peer's certificates in DER, its own first; none before it is connected.
    pub fn remote_certificates(&self) -> &[Vec<u8>] {
        match self.trust.trusted().is_some() && self.session.is_some() {
            true => self.trust.chain(),
            false => &[],
        }
    }

    /// The application protocol that was agreed on, once connected.
    pub fn alpn(&self) -> Option<&str> {
        self.session()?.negotiated.alpn.as_deref()
    }

    /// The version spoken, as it is on the wire, once connected.
    pub fn protocol_version(&self) -> Option<u16> {
        self.session().map(|_| record::VERSION)
    }

    /// The cipher suite, once connected.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        Some(self.session()?.negotiated.suite)
    }

    /// The group of the key agreement, once connected.
    pub fn group(&self) -> Option<Group> {
        Some(self.session()?.group)
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn session(&self) -> Option<&Session> {
        self.session
            .as_deref()
            .filter(|_| self.state == State::Connected)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed)
    }

    fn parts(&mut self) -> (Option<&mut Box<Handshake>>, Context<'_>) {
        let cx = Context {
            config: &self.config,
            flight: &mut self.flight,
            records: &mut self.records,
            trust: &mut self.trust,
            reassembly: &mut self.reassembly,
            #[cfg(test)]
            edit: &mut self.edit,
        };
        (self.handshake.as_mut(), cx)
    }

    fn begin(&mut self, now: Instant) {
        self.state = State::Connecting;
        if let Some(timeout) = self.config.handshake_timeout {
            self.timers.set(Timer::Handshake, now + timeout);
        }
    }

    fn handle_records(&mut self, now: Instant, datagram: &mut [u8], sink: Sink<'_>) {
        let mut rest = datagram;
        while !rest.is_empty() && !self.is_over() {
            let Some((header, fragment, tail)) = Header::split(rest) else {
                self.stats.records_dropped += 1;
                return;
            };
            self.handle_record(now, header, fragment, sink);
            rest = tail;
        }
    }

    fn handle_record(&mut self, now: Instant, header: Header, fragment: &mut [u8], sink: Sink<'_>) {
        // RFC 6347 §4.2.8: what anybody can make does nothing to a live association.
        let stale = header.epoch == 0 && self.handshake.is_none();
        if stale || header.epoch > 1 {
            self.stats.records_dropped += 1;
            return;
        }
        let early = match header.content_type {
            record::HANDSHAKE => header.epoch > self.records.newest_epoch(),
            // Before the peer's Finished neither its data nor its alerts are acted upon.
            _ => header.epoch > 0 && self.handshake.is_some(),
        };
        if early {
            self.hold_record(header, fragment);
            return;
        }
        let opened = match self.records.open(header, fragment) {
            Ok(opened) => opened,
            Err(Refused::Replayed) => {
                self.stats.records_replayed += 1;
                return;
            }
            Err(Refused::Forged) => {
                self.stats.records_forged += 1;
                return;
            }
            Err(Refused::Epoch) => {
                self.stats.records_dropped += 1;
                return;
            }
        };
        match (header.content_type, header.epoch) {
            // Known failure 1: application data in the clear is never anybody's.
            (record::APPLICATION_DATA, 1..) => self.deliver(opened, sink),
            (record::HANDSHAKE, epoch) => self.handle_handshake(now, epoch, opened, sink),
            (record::ALERT, 0) => self.note_plain_alert(now, opened),
            (record::ALERT, _) => self.handle_alert(opened),
            // The epoch in each header already says what this would.
            (record::CHANGE_CIPHER_SPEC, 0) => {}
            _ => self.stats.records_dropped += 1,
        }
    }

    fn hold_record(&mut self, header: Header, fragment: &[u8]) {
        let record = [&header.to_bytes()[..], fragment].concat();
        let held: usize = self.held.records.iter().map(Vec::len).sum();
        let full = self.held.records.len() == MAX_HELD_RECORDS
            || held + record.len() > MAX_HELD_RECORD_BYTES;
        if full || self.state == State::New {
            self.stats.records_dropped += 1;
            return;
        }
        self.held.records.push_back(record);
    }

    fn deliver(&mut self, payload: &mut [u8], sink: Sink<'_>) {
        if self.state == State::Connected {
            // The client has our last flight when it sends this.
            if self.flight_is_settled() {
                self.flight.clear();
            }
            self.stats.records_received += 1;
            self.stats.bytes_received += payload.len() as u64;
            if !payload.is_empty() {
                sink(payload);
            }
            return;
        }
        let full = self.held.payload.len() == MAX_HELD_PAYLOADS
            || self.held.payload_len + payload.len() > MAX_HELD_BYTES;
        if full || self.held.closed {
            self.stats.records_dropped += 1;
            return;
        }
        self.held.payload_len += payload.len();
        self.held.payload.push_back(payload.to_vec());
    }

    fn flight_is_settled(&self) -> bool {
        self.role == Some(Role::Server) && self.flight.is_sent()
    }

    fn handle_handshake(&mut self, now: Instant, epoch: u16, payload: &[u8], sink: Sink<'_>) {
        let mut rest = payload;
        while !rest.is_empty() {
            let Ok((fragment, tail)) = Fragment::parse(rest) else {
                self.stats.messages_dropped += 1;
                return;
            };
            rest = tail;
            match self.handshake.is_some() {
                true => self.handle_fragment(now, epoch, &fragment),
                false => self.handle_late_fragment(now, &fragment),
            }
        }
        self.advance(now, sink);
    }

    fn handle_fragment(&mut self, now: Instant, epoch: u16, fragment: &Fragment<'_>) {
        if self.role.is_none() && fragment.kind == Kind::ClientHello.id() {
            self.role = Some(Role::Server);
            if let Some(handshake) = &mut self.handshake {
                handshake.start_server();
            }
        }
        let Some(handshake) = &self.handshake else {
            return;
        };
        // RFC 6347 §4.1.2.7: before our first flight left there is nobody who could answer it.
        if !handshake.is_begun() || !handshake.admits(fragment.kind, epoch) {
            self.stats.messages_dropped += 1;
            return;
        }
        let outcome = self.reassembly.insert(epoch, *fragment);
        let held = self.reassembly.held() as u64;
        self.stats.reassembly_peak = self.stats.reassembly_peak.max(held);
        match outcome {
            Outcome::Stored => {}
            Outcome::Stale => {
                let again = self.flight.handle_repetition(now, false);
                self.stats.retransmissions += u64::from(again);
            }
            Outcome::Dropped => self.stats.messages_dropped += 1,
        }
    }

    /// Authenticated, after the handshake.
    fn handle_late_fragment(&mut self, now: Instant, fragment: &Fragment<'_>) {
        match Kind::from_id(fragment.kind) {
            // RFC 6347 §4.2.4: our last flight was lost.
            Some(Kind::Finished) => {
                let again = self.flight.handle_repetition(now, true);
                self.stats.retransmissions += u64::from(again);
            }
            // RFC 5246 §7.2.2: renegotiation is refused, and the association goes on.
            Some(Kind::HelloRequest | Kind::ClientHello) => {
                self.say_alert(Alert::warning(AlertDescription::NO_RENEGOTIATION));
            }
            _ => self.stats.messages_dropped += 1,
        }
    }

    /// Handles the messages that are complete, and the records that waited for them.
    fn advance(&mut self, now: Instant, sink: Sink<'_>) {
        loop {
            let epoch = self.records.newest_epoch();
            let (Some(handshake), mut cx) = self.parts() else {
                return;
            };
            match handshake.advance(&mut cx) {
                Progress::Waiting => return,
                Progress::Ignored => self.stats.messages_dropped += 1,
                Progress::Advanced => {
                    if self.state == State::New {
                        self.begin(now);
                    }
                    self.outbox.doubt = None;
                    self.timers.stop(Timer::Doubt);
                    if self.records.newest_epoch() > epoch {
                        self.release_records(now, sink);
                    }
                }
                Progress::Doubtful { fault, begun } => {
                    self.stats.messages_dropped += 1;
                    if begun && self.state == State::New {
                        self.begin(now);
                    }
                    self.doubt(now, fault);
                    if self.is_over() {
                        return;
                    }
                }
                Progress::Failed(Fault { cause, alert }) => {
                    self.fail(cause, Some(alert));
                    return;
                }
                Progress::Complete(session) => {
                    self.complete(now, session, sink);
                    return;
                }
            }
        }
    }

    fn complete(&mut self, now: Instant, session: Box<Session>, sink: Sink<'_>) {
        self.handshake = None;
        self.session = Some(session);
        self.outbox.doubt = None;
        self.timers.stop_all();
        if self.trust.trusted().is_none() {
            self.timers
                .set(Timer::Fingerprint, now + FINGERPRINT_PATIENCE);
        }
        self.settle(now, sink);
        self.release_records(now, sink);
    }

    /// Connects when the handshake is complete and the certificate is verified.
    fn settle(&mut self, now: Instant, sink: Sink<'_>) {
        let ready = self.session.is_some() && self.trust.trusted().is_some();
        if self.state != State::Connecting || !ready {
            return;
        }
        self.timers.stop_all();
        self.state = State::Connected;
        self.outbox.events.push_back(Event::Connected);
        log::debug!("connected as {:?}", self.role);
        let held = std::mem::take(&mut self.held.payload);
        self.held.payload_len = 0;
        for mut payload in held {
            self.deliver(&mut payload, sink);
        }
        let _ = now;
        if self.held.closed {
            self.close_by_peer();
        }
    }

    fn release_records(&mut self, now: Instant, sink: Sink<'_>) {
        for mut record in std::mem::take(&mut self.held.records) {
            self.handle_records(now, &mut record, sink);
        }
    }

    /// RFC 6347 §4.1.2.7 and RFC 8827: in the clear, an alert is anybody's word.
    fn note_plain_alert(&mut self, now: Instant, payload: &[u8]) {
        let Some(alert) = Alert::parse(payload) else {
            self.stats.records_dropped += 1;
            return;
        };
        self.stats.alerts_received += 1;
        let ends =
            alert.level == AlertLevel::Fatal || alert.description == AlertDescription::CLOSE_NOTIFY;
        if ends {
            self.doubt(
                now,
                Fault {
                    cause: Failure::AlertReceived(alert.description),
                    alert: alert.description,
                },
            );
        }
    }

    fn handle_alert(&mut self, payload: &[u8]) {
        let Some(alert) = Alert::parse(payload) else {
            self.stats.records_dropped += 1;
            return;
        };
        self.stats.alerts_received += 1;
        if alert.description == AlertDescription::CLOSE_NOTIFY {
            match self.state {
                State::Connected => self.close_by_peer(),
                _ => self.held.closed = true,
            }
        } else if alert.level == AlertLevel::Fatal {
            self.fail(Failure::AlertReceived(alert.description), None);
        }
    }

    /// A fault that anybody could have made counts only when the handshake stands still after it.
    fn doubt(&mut self, now: Instant, fault: Fault) {
        if self.state == State::Connecting && !self.timers.is_set(Timer::Doubt) {
            self.outbox.doubt = Some(fault);
            self.timers.set(Timer::Doubt, now + DOUBT);
        }
    }

    fn close_by_peer(&mut self) {
        // RFC 5246 §7.2.1: answered with our own.
        self.say_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        self.end(
            State::Closed,
            Event::Closed {
                by: Initiator::Remote,
            },
        );
    }

    fn fail(&mut self, cause: Failure, alert: Option<AlertDescription>) {
        if self.is_over() {
            return;
        }
        log::debug!("failed: {cause:?}");
        if let Some(alert) = alert {
            self.say_alert(Alert::fatal(alert));
        }
        self.end(State::Failed, Event::Failed { cause });
    }

    /// Queues an alert in the epoch the peer can read: ours begins with our Finished.
    fn say_alert(&mut self, alert: Alert) {
        if self.outbox.alerts.len() < MAX_ALERTS {
            let finished = self.session.is_some()
                || self.role == Some(Role::Client) && self.records.newest_epoch() > 0;
            self.outbox.alerts.push_back((u16::from(finished), alert));
        }
    }

    fn end(&mut self, state: State, event: Event) {
        self.state = state;
        self.handshake = None;
        self.session = None;
        self.held = Held::default();
        self.timers.stop_all();
        if !self.flight.is_unsent() || state == State::Failed {
            self.flight.clear();
        } else {
            self.flight.stop_timing();
        }
        self.outbox.events.push_back(event);
    }
}

/// What tests see, and what only a peer with the keys can say.
#[cfg(test)]
impl Connection {
    /// How many records are held, and their bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        let bytes = self.held.records.iter().map(Vec::len).sum();
        (self.held.records.len(), bytes)
    }

    /// A record of this side with any contents.
    pub(crate) fn protected(&mut self, epoch: u16, content: u8, payload: &[u8]) -> Vec<u8> {
        let mut buf = Vec::new();
        let sealed = self.records.append(epoch, content, &[payload], &mut buf);
        sealed.map(|_| buf).unwrap_or_default()
    }

    /// So many records are left in an epoch.
    pub(crate) fn exhaust(&mut self, epoch: u16, left: u64) {
        let next = record::MAX_SEQUENCE + 1 - left;
        self.records.set_sequence(epoch, next);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Records of the next epoch, until the handshake catches up.
const MAX_HELD_RECORDS: usize = 32;
const MAX_HELD_RECORD_BYTES: usize = 16 << 10;
const MAX_HELD_PAYLOADS: usize = 64;
const MAX_HELD_BYTES: usize = 64 << 10;
const MAX_ALERTS: usize = 2;
const RESERVED_RECORDS: u64 = 16;
const FINGERPRINT_PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any retransmission takes while there is consent.
const DOUBT: Duration = Duration::from_secs(5);
