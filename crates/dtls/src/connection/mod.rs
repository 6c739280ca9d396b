mod doubt;
mod drops;
mod fate;
mod intake;
mod post;
mod reading;
mod trusting;

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::{
    Alert, AlertDescription, Config, Error, Event, Failure, Initiator, Role, Signature,
    SignatureRequest, Stats, Version,
    ack::Acks,
    handshake::{Context, Fault, Handshake, Progress, Session},
    outgoing::Outgoing,
    reassembly::Reassembly,
    record::{self, RecordNumber, Records},
    timer::{Timer, Timers},
    trust::Trust,
};
use fate::HeldRecord;

/// One DTLS association, client or server, without I/O.
///
/// - Input: [`set_role`](Self::set_role), [`start`](Self::start),
///   [`set_remote_fingerprints`](Self::set_remote_fingerprints),
///   [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout),
///   [`handle_signature`](Self::handle_signature), [`trust`](Self::trust), [`update_keys`](Self::update_keys),
///   [`set_round_trip`](Self::set_round_trip), [`set_consent`](Self::set_consent), [`close`](Self::close), and
///   [`seal`](Self::seal) for what is sent.
/// - Poll, after any input and in this order: [`poll_signature`](Self::poll_signature) where a key lives
///   elsewhere, [`poll_transmit`](Self::poll_transmit) until it gives `false`,
///   [`poll_event`](Self::poll_event) until it gives `None`, then [`poll_timeout`](Self::poll_timeout). Poll
///   after each datagram: what one has brought about may be replaced when the next is handled.
/// - Everything else only reads.
///
/// Inputs take the time, also where they make nothing of it today; [`seal`](Self::seal), [`update_keys`](Self::update_keys)
/// and what is said of the path have no use for it.
///
/// No payload or key leaves before the peer's certificate matched a fingerprint, or before whoever
/// [`Config::peer`] names in their place is content; nor does a certificate, but for the owner who is to judge it.
pub struct Connection {
    config: Config,
    role: Option<Role>,
    started: bool,
    state: State,
    /// `None` once it is complete or dead.
    handshake: Option<Box<Handshake>>,
    session: Option<Box<Session>>,
    trust: Trust,
    /// The owner was told that there is something to judge.
    asked_owner: bool,
    records: Records,
    reassembly: Reassembly,
    outgoing: Outgoing,
    acks: Acks,
    /// The records in the clear that may have brought the ServerHello.
    hello_records: Vec<RecordNumber>,
    /// A request to renew the peer's keys waits for the update that is under way.
    update_queued: bool,
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
    /// Nothing was sent, and nothing received that counts: a ClientHello that is asked for its cookie, or for another
    /// share, does not.
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
    records: VecDeque<HeldRecord>,
    /// Payload that waits for the peer's certificate to be verified.
    payload: VecDeque<Zeroizing<Vec<u8>>>,
    payload_len: usize,
    /// The peer closed behind that payload.
    closed: bool,
}

type Sink<'s> = &'s mut dyn FnMut(&mut [u8]);

impl Connection {
    /// An association that waits for its role. `seed` feeds the randoms of the hellos and the key of the
    /// cookie, and must be random, secret, and fresh for each association.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let _ = now; // like every input
        Self {
            trust: Trust::new(config.peer),
            records: Records::new(config.renew_keys_after),
            config,
            role: None,
            started: false,
            state: State::New,
            handshake: Some(Box::new(Handshake::new(ChaCha20Rng::from_seed(seed)))),
            session: None,
            asked_owner: false,
            reassembly: Reassembly::default(),
            outgoing: Outgoing::new(),
            acks: Acks::default(),
            hello_records: Vec::new(),
            update_queued: false,
            outbox: Outbox::default(),
            held: Held::default(),
            timers: Timers::default(),
            stats: Stats::default(),
            #[cfg(test)]
            edit: None,
        }
    }

    /// Fixes the role that signalling agreed on. Without it, the first ClientHello that is taken makes a server.
    ///
    /// # Errors
    /// [`Error::RoleFixed`] when it has the other one.
    pub fn set_role(&mut self, now: Instant, role: Role) -> Result<(), Error> {
        match self.role {
            Some(fixed) if fixed == role => return Ok(()),
            Some(_) => return Err(Error::RoleFixed),
            None => self.role = Some(role),
        }
        match (&mut self.handshake, role) {
            (Some(handshake), Role::Server) => handshake.start_server(&self.config),
            // What anybody said to who might have been a server.
            (Some(handshake), Role::Client) => {
                handshake.stop_server();
                self.reassembly = Reassembly::default();
                self.outgoing.clear();
                self.outgoing.number_from(0);
            }
            (None, _) => {}
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
        let (Some(handshake), mut cx) = self.parts(now, Role::Client) else {
            return;
        };
        if let Err(Fault { cause, alert }) = handshake.start_client(&mut cx) {
            self.fail(cause, Some(alert));
        }
    }

    /// What ICE measured. The first retransmission comes after twice that, within 50 ms and 3 s.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.outgoing.set_round_trip(round_trip);
    }

    /// Whether the peer consents to being sent to (RFC 7675); it does at first. While it does,
    /// retransmissions are at most 3 s apart, otherwise 60 s.
    pub fn set_consent(&mut self, consent: bool) {
        self.outgoing.set_consent(consent);
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
            self.fail_doubted();
        } else if self.outgoing.handle_timeout(now) {
            self.stats.retransmissions += 1;
        }
        self.acks.handle_timeout(now);
    }

    /// What a signer is to sign; once for each signature, and only where the certificate's key is
    /// external. The connection waits: run [`SignatureRequest::sign`] where blocking does no harm, and
    /// give the result to [`handle_signature`](Self::handle_signature).
    pub fn poll_signature(&mut self) -> Option<SignatureRequest> {
        let handshake = self.handshake.as_mut()?;
        handshake.poll_signature(&self.config)
    }

    /// Takes what a signer gave. It is verified before it is sent; one that nobody waits for any more
    /// changes nothing.
    pub fn handle_signature(
        &mut self,
        now: Instant,
        signature: Signature,
        sink: &mut impl FnMut(&mut [u8]),
    ) {
        let role = self.role.unwrap_or(Role::Server);
        let before = self.records.read_epoch();
        let (Some(handshake), mut cx) = self.parts(now, role) else {
            return;
        };
        let progress = handshake.handle_signature(&mut cx, signature);
        // The peer was not waited for, and is from now on.
        let doubted = self.outbox.doubt;
        if self.settle_progress(now, before, progress, sink) {
            if let Some(fault) = doubted {
                self.doubt(now, fault);
            }
            self.advance(now, sink);
        }
    }

    /// Closes in good order: `close_notify` is sent, nothing is accepted any more. Harmless when it is
    /// over already. It is sent once: where it is lost, or comes before our last flight did, the peer finds out
    /// by its own time.
    pub fn close(&mut self, now: Instant) {
        let _ = now; // like every input
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
    /// [`tailroom`](Self::tailroom) bytes are appended. On an error `buf` keeps its length. Nothing is cut: what is
    /// longer than the path carries is the owner's to divide.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Layout`] when `buf` is shorter than that,
    /// [`Error::TooLarge`] above 16,384 bytes, [`Error::KeyExhausted`].
    pub fn seal(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        if self.state != State::Connected {
            return Err(Error::NotConnected);
        }
        let epoch = self.records.write_epoch();
        // The last numbers are for the alert that ends it.
        if self.records.remaining(epoch) <= RESERVED_RECORDS {
            self.fail(
                Failure::KeyExhausted,
                Some(AlertDescription::INTERNAL_ERROR),
            );
            return Err(Error::KeyExhausted);
        }
        let payload = buf.len().saturating_sub(start);
        let payload = payload.saturating_sub(self.records.headroom());
        self.records
            .seal(epoch, record::APPLICATION_DATA, buf, start)?;
        self.stats.records_sent += 1;
        self.stats.bytes_sent += payload as u64;
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = [
            self.timers.next(),
            self.outgoing.poll_timeout(),
            self.acks.poll_timeout(),
        ];
        timers.into_iter().flatten().min()
    }

    /// Appends at most one datagram of the handshake, or an alert, of at most `room` bytes. What `room` is
    /// too short for waits for more; 64 bytes are always enough.
    pub fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        self.renew_keys();
        let records = &mut self.records;
        if self.outgoing.poll_transmit(now, room, records, buf)
            || self.acks.poll_transmit(room, records, buf)
        {
            return true;
        }
        while let Some(&(epoch, alert)) = self.outbox.alerts.front() {
            let payload = alert.to_bytes();
            if self.records.overhead(epoch) + payload.len() > room {
                return false;
            }
            self.outbox.alerts.pop_front();
            let sent = self.records.append(epoch, record::ALERT, &[&payload], buf);
            if sent.is_ok() {
                self.stats.alerts_sent += 1;
                return true;
            }
        }
        false
    }

    /// The datagrams of the handshake's flight that is under way, and a number that changes whenever they
    /// do. Whoever carries DTLS in another protocol may send one of them again, byte by byte: to the peer
    /// it is a replay.
    pub fn flight(&self) -> Option<(u64, &[Vec<u8>])> {
        self.outgoing.flight()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.events.pop_front()
    }

    fn session(&self) -> Option<&Session> {
        self.session
            .as_deref()
            .filter(|_| self.state == State::Connected)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed)
    }

    fn parts(&mut self, now: Instant, role: Role) -> (Option<&mut Box<Handshake>>, Context<'_>) {
        let cx = Context {
            now,
            role,
            config: &self.config,
            outgoing: &mut self.outgoing,
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
            self.timers.set(Timer::Handshake, now, timeout);
        }
    }

    fn deliver(&mut self, payload: &mut [u8], sink: Sink<'_>) {
        if self.state == State::Connected {
            // The client has our last flight when it sends this.
            if self.flight_is_settled() {
                self.outgoing.answered();
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
            self.drop_record("payload before the certificate is verified, and too much");
            return;
        }
        self.held.payload_len += payload.len();
        self.held
            .payload
            .push_back(Zeroizing::new(payload.to_vec()));
    }

    fn flight_is_settled(&self) -> bool {
        self.role == Some(Role::Server) && self.outgoing.is_sent()
    }

    /// Handles the messages that are complete, and the records that waited for them.
    fn advance(&mut self, now: Instant, sink: Sink<'_>) {
        loop {
            let role = self.role.unwrap_or(Role::Server);
            let before = self.records.read_epoch();
            let (Some(handshake), mut cx) = self.parts(now, role) else {
                break;
            };
            let progress = handshake.advance(&mut cx);
            if !self.settle_progress(now, before, progress, sink) {
                return;
            }
        }
        if before_late(self.records.version()) && !self.is_over() {
            self.advance_late();
        }
    }

    /// Does what follows from what a message, or a signature, came to; whether there may be more.
    fn settle_progress(
        &mut self,
        now: Instant,
        before: u16,
        progress: Progress,
        sink: Sink<'_>,
    ) -> bool {
        self.ask_owner();
        match progress {
            Progress::Waiting => return false,
            Progress::Ignored => self.drop_message("it says nothing new"),
            Progress::Asked => self.clear_doubt(),
            Progress::Advanced => {
                if self.state == State::New {
                    self.role = Some(Role::Server);
                    self.begin(now);
                }
                self.clear_doubt();
                self.note_hello(now);
                if self.records.read_epoch() > before {
                    self.release_records(now, sink);
                }
            }
            Progress::Doubtful { fault, begun } => {
                self.drop_message(format_args!(
                    "anybody could have made it: {:?}",
                    fault.cause
                ));
                if begun && self.role.is_some() && self.state == State::New {
                    self.begin(now);
                }
                self.doubt(now, fault);
            }
            Progress::Failed(Fault { cause, alert }) => self.fail(cause, Some(alert)),
            Progress::Complete(session) => self.complete(now, session, sink),
        }
        !self.is_over()
    }

    /// The ServerHello was taken: in 1.3 its records are acknowledged, lest the server repeat it for
    /// nothing.
    fn note_hello(&mut self, now: Instant) {
        if self.handshake.as_ref().is_some_and(|it| it.is_1_3()) {
            let wait = self.outgoing.patience() / 4;
            for number in std::mem::take(&mut self.hello_records) {
                self.acks.note(now, number, Some(wait));
            }
        }
    }

    fn complete(&mut self, now: Instant, session: Box<Session>, sink: Sink<'_>) {
        match (self.role, session.negotiated.version) {
            // Nothing else answers the client's last flight.
            (Some(Role::Server), Version::Dtls13) => self.acks.hurry(),
            // Ours tells the server that its own came.
            _ => self.acks.clear(),
        }
        self.handshake = None;
        self.session = Some(session);
        self.outbox.doubt = None;
        self.timers.stop_all();
        if self.trust.trusted().is_none() {
            self.timers
                .set(Timer::Fingerprint, now, FINGERPRINT_PATIENCE);
        }
        self.settle(sink);
        self.release_records(now, sink);
    }

    fn end(&mut self, state: State, event: Event) {
        self.state = state;
        self.handshake = None;
        self.session = None;
        self.held = Held::default();
        self.timers.stop_all();
        self.acks.clear();
        if !self.outgoing.is_unsent() || state == State::Failed {
            self.outgoing.clear();
        } else {
            self.outgoing.stop_timing();
        }
        self.outbox.events.push_back(event);
    }
}

/// What tests see, and what only a peer with the keys can say.
#[cfg(test)]
impl Connection {
    /// While there is one.
    pub(crate) fn handshake(&self) -> &Handshake {
        self.handshake.as_ref().unwrap()
    }

    /// How many bytes of messages are held.
    pub(crate) fn held_messages(&self) -> usize {
        self.reassembly.held()
    }

    /// How many records are held, and their bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        let bytes = self.held.records.iter().map(HeldRecord::len).sum();
        (self.held.records.len(), bytes)
    }

    /// A record of this side with any contents.
    pub(crate) fn protected(&mut self, epoch: u16, content: u8, payload: &[u8]) -> Vec<u8> {
        let mut buf = Vec::new();
        let sealed = self.records.append(epoch, content, &[payload], &mut buf);
        sealed.map(|_| buf).unwrap_or_default()
    }

    /// What a record of the peer is, and says.
    pub(crate) fn opened(&mut self, now: Instant, datagram: &[u8]) -> (u8, Vec<u8>) {
        let mut datagram = datagram.to_vec();
        let (mut raw, _) = record::split(&mut datagram).unwrap();
        let opened = self.records.open(now, &mut raw).unwrap();
        (opened.content, opened.payload.to_vec())
    }

    /// The newest epochs: that we write, and that we read.
    pub(crate) fn epochs(&self) -> (u16, u16) {
        (self.records.write_epoch(), self.records.read_epoch())
    }

    /// The keys that write last.
    pub(crate) fn limit_keys(&mut self, limit: record::Limit) {
        self.records.set_limit(limit);
    }

    /// How many records can still be sealed in an epoch.
    pub(crate) fn records_left(&self, epoch: u16) -> u64 {
        self.records.remaining(epoch)
    }

    /// The next message, of either side, has the last number.
    pub(crate) fn skip_messages(&mut self) {
        self.outgoing.number_from(u16::MAX);
        self.reassembly.skip_past(u16::MAX - 1);
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

/// Whether messages may follow the handshake.
fn before_late(version: Option<Version>) -> bool {
    version == Some(Version::Dtls13)
}

const MAX_HELD_PAYLOADS: usize = 64;
const MAX_HELD_BYTES: usize = 64 << 10;
const RESERVED_RECORDS: u64 = 16;
const FINGERPRINT_PATIENCE: Duration = Duration::from_secs(30);
