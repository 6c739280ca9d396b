//! Two DTLS connections.

mod forgery;
mod sent;

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use oxirtc_dtls::{
    AlertDescription, Certificate, CipherSuite, Config, Connection, Event, Failure, Fingerprint,
    Group, HashAlgorithm, KeyLog, Role, State, Version,
};

use crate::wire::{End, Machine, Pair, Step};
use forgery::Forgery;
use sent::Sent;

/// Two connections from the beginning of their handshake on.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    /// Both are set up as they are in a call, and their handshake is done.
    connected: bool,
    setups: [Setup; 2],
    operations: Vec<Operation>,
}

/// Two connections that are connected, and renew their keys every few records.
#[derive(Arbitrary, Debug)]
pub struct Life {
    setups: [Setup; 2],
    /// After how many records.
    renew: [u8; 2],
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Setup {
    rsa: bool,
    cookie: bool,
    alpn: bool,
    suite: u8,
    group: u8,
    versions: Versions,
    /// Nothing ends it but what is wrong: neither its own patience, nor what anybody could have made.
    patient: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    Old,
    New,
    Both,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Role(End, bool),
    Start(End),
    Trust(End, Trust),
    RoundTrip(End, u16),
    Consent(End, bool),
    Seal(End, u16),
    /// Many small ones.
    Burst(End, u8),
    Update(End, bool),
    Export(End, u8),
    Close(End),
    Forge(End, Forgery),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Peer,
    Another,
    Nobody,
}

struct Peer {
    connection: Connection,
    /// The other end's certificate was named.
    trusting: bool,
    started: bool,
    /// Why it is over, if it is.
    failure: Option<Failure>,
    /// Numbers of payloads that the other end sent and that did not arrive.
    expected: BTreeSet<u32>,
    sent: Sent,
    secrets: Arc<Secrets>,
}

/// What nobody may read.
#[derive(Default)]
struct Secrets(Mutex<Vec<Vec<u8>>>);

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let mut game = Game::new(self.setups, [u64::MAX; 2]);
        if self.connected {
            game.set_up();
        }
        game.play(self.operations);
    }
}

impl Life {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let renew = self.renew.map(|records| 1 + u64::from(records) % 50);
        let mut game = Game::new(self.setups, renew);
        game.set_up();
        game.play(self.operations);
    }
}

struct Game {
    pair: Pair<Peer>,
    setups: [Setup; 2],
    sealed: u32,
    /// Their handshake was over before anybody did anything.
    connected: bool,
    /// Nobody ended it or named a wrong certificate.
    lasting: bool,
    /// Somebody changed genuine bytes, or made what may pass for genuine. Without that nothing but time
    /// may end a handshake.
    traitor: bool,
    /// One was over before both could begin.
    stillborn: bool,
    /// Requests for another hello that nobody sent.
    requests: u32,
}

impl Game {
    fn new(setups: [Setup; 2], renew: [u64; 2]) -> Self {
        let now = oxirtc_netsim::epoch();
        let peer = |seed: u8, setup: Setup, renew: u64| {
            let secrets = Arc::new(Secrets::default());
            let config = setup.config(renew).key_log(secrets.clone());
            Peer {
                connection: Connection::new(config, [seed; 32], now),
                trusting: false,
                started: false,
                failure: None,
                expected: BTreeSet::new(),
                sent: Sent::default(),
                secrets,
            }
        };
        let ([a, b], [often, rarely]) = (setups, renew);
        Self {
            pair: Pair::hostile([peer(1, a, often), peer(2, b, rarely)]),
            setups,
            sealed: 0,
            connected: false,
            lasting: true,
            traitor: false,
            stillborn: false,
            requests: 0,
        }
    }

    fn play(&mut self, operations: Vec<Operation>) {
        for operation in operations.into_iter().take(MAX_OPERATIONS) {
            self.perform(operation);
            let over = self.pair.ends.iter().any(|peer| peer.failure.is_some());
            self.stillborn |= over && !self.is_ready();
        }
        self.finish();
    }

    fn set_up(&mut self) {
        for (end, client) in [(End::A, true), (End::B, false)] {
            self.perform(Operation::Role(end, client));
            self.perform(Operation::Trust(end, Trust::Peer));
            self.perform(Operation::Start(end));
        }
        self.pair.settle(2);
        let mut ends = self.pair.ends.iter();
        self.connected = ends.all(|peer| peer.connection.is_connected());
        let common = self.has_common_version();
        assert_eq!(self.connected, common, "over a perfect wire");
    }

    fn has_common_version(&self) -> bool {
        let [a, b] = self.setups.map(|setup| setup.versions);
        a == b || [a, b].contains(&Versions::Both)
    }

    /// Whether both have what they need for a handshake.
    fn is_ready(&self) -> bool {
        let ends = &self.pair.ends;
        let roles = ends.each_ref().map(|peer| peer.connection.role());
        let ready = ends.iter().all(|peer| peer.trusting && peer.started);
        let both = roles.contains(&Some(Role::Client)) && roles.contains(&Some(Role::Server));
        ready && both
    }

    /// Whether the server has to ask for another hello, whatever was forged: it is one of three.
    fn asks(&self) -> bool {
        let ends = &self.pair.ends;
        let server = ends
            .iter()
            .position(|peer| peer.connection.role() == Some(Role::Server));
        let server = server.unwrap_or(0);
        let (ours, theirs) = (self.setups[server], self.setups[1 - server]);
        ours.cookie || !theirs.groups()[..2].contains(&ours.groups()[0])
    }

    fn perform(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Wire(step) => {
                self.traitor |= matches!(
                    step,
                    Step::Alter(..) | Step::Cut(..) | Step::Append(..) | Step::Invent(..)
                );
                pair.step(step);
            }
            Operation::Role(end, client) => {
                let role = if client { Role::Client } else { Role::Server };
                let _ = pair.with(end, |peer, now| peer.connection.set_role(now, role));
            }
            Operation::Start(end) => pair.with(end, |peer, now| {
                peer.started = true;
                peer.connection.start(now);
            }),
            Operation::Trust(end, trust) => self.trust(end, trust),
            Operation::RoundTrip(end, ms) => pair.with(end, |peer, _| {
                peer.connection
                    .set_round_trip(Duration::from_millis(ms.into()));
            }),
            Operation::Consent(end, consent) => {
                pair.with(end, |peer, _| peer.connection.set_consent(consent));
            }
            Operation::Seal(end, length) => self.seal(end, usize::from(length) % 20_000),
            Operation::Burst(end, count) => {
                for _ in 0..count % 64 {
                    self.seal(end, 0);
                }
            }
            Operation::Update(end, request) => {
                let _ = pair.with(end, |peer, _| peer.connection.update_keys(request));
            }
            Operation::Export(end, length) => self.export(end, length.into()),
            Operation::Close(end) => {
                self.lasting = false;
                pair.with(end, |peer, now| peer.connection.close(now));
            }
            Operation::Forge(to, forgery) => {
                let live = pair.end(to).connection.is_connected();
                self.traitor |= !forgery.is_a_strangers(live);
                self.requests += u32::from(forgery.is_a_request());
                let bytes = forgery.bytes();
                pair.forge(to, (), bytes);
            }
        }
    }

    fn trust(&mut self, end: End, trust: Trust) {
        let other = self.setups[end.other() as usize].certificate();
        let fingerprints: Vec<Fingerprint> = match trust {
            Trust::Peer => other
                .fingerprint(&HashAlgorithm::Sha256)
                .into_iter()
                .collect(),
            Trust::Another => vec![Fingerprint::new(HashAlgorithm::Sha256, vec![7; 32])],
            Trust::Nobody => Vec::new(),
        };
        self.lasting &= trust == Trust::Peer;
        self.pair.with(end, |peer, now| {
            peer.trusting |= trust == Trust::Peer;
            let mut payloads = Vec::new();
            let mut sink = |payload: &mut [u8]| payloads.push(payload.to_vec());
            peer.connection
                .set_remote_fingerprints(now, &fingerprints, &mut sink);
            payloads.iter().for_each(|payload| peer.arrive(payload));
        });
    }

    fn seal(&mut self, end: End, length: usize) {
        let number = self.sealed;
        let connection = &mut self.pair.end(end).connection;
        let mut buf = b"before".to_vec();
        let start = buf.len();
        buf.resize(start + connection.headroom(), 0);
        buf.extend_from_slice(&ALIKE);
        buf.extend_from_slice(&number.to_be_bytes());
        buf.resize(buf.len() + length, number as u8);
        let (before, tailroom) = (buf.len(), connection.tailroom());
        let sealed = connection.seal(&mut buf, start);
        assert!(buf.starts_with(b"before"));
        if sealed.is_ok() {
            assert_eq!(buf.len(), before + tailroom);
            self.sealed += 1;
            let record = buf.split_off(start);
            self.pair.end(end).sent.note(&record);
            self.pair.end(end.other()).expected.insert(number);
            self.pair.send(end.other(), (), record);
        } else {
            assert_eq!(buf.len(), before);
        }
        self.pair.flush(end);
    }

    /// Keys are given when, and only when, the other end was verified; both ends have the same.
    fn export(&mut self, end: End, length: usize) {
        let label = "EXTRACTOR-dtls_srtp";
        let mut keys = [vec![0; length], vec![0; length]];
        let [ours, theirs] = &mut keys;
        let connection = &self.pair.end(end).connection;
        let exported = connection.export(label, None, ours);
        assert!(exported.is_err() || self.pair.end(end).trusting);
        let connection = &self.pair.end(end.other()).connection;
        if exported.is_ok() && connection.export(label, None, theirs).is_ok() {
            assert_eq!(keys[0], keys[1]);
        }
    }

    /// What was lost is repaired, and what a stranger says changes nothing: a handshake that nobody
    /// with a hold on genuine bytes broke is completed, and one that is over is out of anybody's reach.
    fn finish(&mut self) {
        self.pair.settle(40);
        for end in End::BOTH {
            self.pair.end(end).check_discretion();
            self.export(end, 60);
        }
        let ends = &self.pair.ends;
        let states = ends.each_ref().map(|peer| peer.connection.state());
        if !self.has_common_version() {
            assert!(!states.contains(&State::Connected), "of what version?");
            return;
        }
        if self.connected && self.lasting {
            assert_eq!(states, [State::Connected; 2]);
            let versions = ends.each_ref().map(|it| it.connection.protocol_version());
            assert_eq!(versions[0], versions[1]);
        }
        let patient = self.setups.iter().all(|setup| setup.patient);
        let room = self.requests < 2 || !self.asks();
        if self.traitor || !self.lasting || !self.is_ready() || self.stillborn || !room {
            return;
        }
        if patient {
            assert_eq!(states, [State::Connected; 2]);
            return;
        }
        for peer in ends {
            let timely = peer.failure.is_none_or(|cause| match cause {
                Failure::HandshakeTimeout | Failure::FingerprintTimeout => true,
                Failure::AlertReceived(alert) => TIMEOUTS.contains(&alert),
                _ => false,
            });
            assert!(timely, "{:?}", peer.failure);
        }
        if states.contains(&State::Connected) && !states.contains(&State::Failed) {
            assert_eq!(states, [State::Connected; 2]);
        }
    }
}

impl Peer {
    /// Payload is what the other end sent, comes once, and never before the other end was verified.
    fn arrive(&mut self, payload: &[u8]) {
        assert!(self.trusting, "payload before the certificate was verified");
        let payload = payload.strip_prefix(&ALIKE).expect("it begins as all do");
        let (number, rest) = payload.split_first_chunk().expect("it has a number");
        let number = u32::from_be_bytes(*number);
        assert!(
            self.expected.remove(&number),
            "payload twice, or from nowhere"
        );
        assert!(rest.iter().all(|byte| *byte == number as u8));
    }

    /// What `Debug` shows has no part of a secret, in whatever form.
    fn check_discretion(&self) {
        let shown = format!("{:?}", self.connection).to_lowercase();
        for secret in self.secrets.0.lock().expect("nobody panicked").iter() {
            let part = &secret[..8];
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            let list = format!("{part:?}");
            assert!(!shown.contains(&hex) && !shown.contains(list.trim_matches(['[', ']'])));
        }
    }
}

impl KeyLog for Secrets {
    fn log(&self, _label: &str, _client_random: &[u8; 32], secret: &[u8]) {
        self.0
            .lock()
            .expect("nobody panicked")
            .push(secret.to_vec());
    }

    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        self.log("", client_random, secret);
    }
}

impl Setup {
    fn certificate(self) -> Certificate {
        if self.rsa { RSA.clone() } else { ECDSA.clone() }
    }

    fn groups(self) -> [Group; 4] {
        let mut groups = Group::ALL;
        groups.rotate_left(usize::from(self.group) % 4);
        groups
    }

    fn config(self, renew: u64) -> Config {
        let mut suites = SUITES;
        suites.rotate_left(usize::from(self.suite) % SUITES.len());
        let versions: &[Version] = match self.versions {
            Versions::Old => &[Version::Dtls12],
            Versions::New => &[Version::Dtls13],
            Versions::Both => &[Version::Dtls13, Version::Dtls12],
        };
        let config = Config::new(self.certificate()).cookie_exchange(self.cookie);
        let config = config
            .cipher_suites(&suites)
            .groups(&self.groups())
            .versions(versions)
            .renew_keys_after(renew);
        let config = match self.patient {
            true => config.handshake_timeout(None).doubt(FOR_EVER),
            false => config,
        };
        if self.alpn { config } else { config.alpn(&[]) }
    }
}

impl Machine for Peer {
    type Route = ();

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        let mut payloads = Vec::new();
        let mut sink = |payload: &mut [u8]| payloads.push(payload.to_vec());
        self.connection.handle_datagram(now, datagram, &mut sink);
        payloads.iter().for_each(|payload| self.arrive(payload));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        let start = buf.len();
        let sent = self.connection.poll_transmit(now, room, buf);
        if sent {
            self.sent.note(&buf[start..]);
        }
        sent.then_some(((), usize::MAX))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let event = self.connection.poll_event();
        if event == Some(Event::Connected) {
            assert!(
                self.trusting,
                "connected before the certificate was verified"
            );
        }
        if let Some(Event::Failed { cause }) = event {
            self.failure = Some(cause);
        }
        event.is_some()
    }

    fn check(&self) {
        let connection = &self.connection;
        assert_eq!(
            connection.is_connected(),
            connection.state() == State::Connected
        );
        assert!(connection.stats().reassembly_peak <= MAX_REASSEMBLY);
        if matches!(connection.state(), State::Closed | State::Failed) {
            assert_eq!(
                connection.poll_timeout(),
                None,
                "what is over waits for nothing"
            );
        }
    }

    fn mirrored((): ()) {}
}

static ECDSA: LazyLock<Certificate> = LazyLock::new(|| read(include_str!("ecdsa.pem")));
static RSA: LazyLock<Certificate> = LazyLock::new(|| read(include_str!("rsa.pem")));

fn read(pem: &str) -> Certificate {
    Certificate::from_pem(pem).expect("it is one of ours")
}

const SUITES: [CipherSuite; 9] = [
    CipherSuite::Aes128Gcm,
    CipherSuite::Aes256Gcm,
    CipherSuite::ChaCha20Poly1305,
    CipherSuite::EcdheEcdsaAes128Gcm,
    CipherSuite::EcdheEcdsaAes256Gcm,
    CipherSuite::EcdheEcdsaChaCha20Poly1305,
    CipherSuite::EcdheRsaAes128Gcm,
    CipherSuite::EcdheRsaAes256Gcm,
    CipherSuite::EcdheRsaChaCha20Poly1305,
];
/// What an end that waited in vain tells the other.
const TIMEOUTS: [AlertDescription; 2] = [
    AlertDescription::USER_CANCELED,
    AlertDescription::BAD_CERTIFICATE,
];
/// What every payload begins with, as long as a block of any cipher: under one nonce it would look the same twice.
const ALIKE: [u8; 16] = [7; 16];
/// Longer than anything that a scenario waits for.
const FOR_EVER: Duration = Duration::from_secs(1 << 24);
const MAX_OPERATIONS: usize = 100;
const MAX_REASSEMBLY: u64 = 1 << 16;
