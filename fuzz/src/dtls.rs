//! Two DTLS connections.

use std::{
    collections::BTreeSet,
    sync::LazyLock,
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use oxirtc_dtls::{
    AlertDescription, Certificate, CipherSuite, Config, Connection, Event, Failure, Fingerprint,
    Group, HashAlgorithm, Role, State, Version,
    message::{Fragment, Kind},
    record::{HANDSHAKE, Header, VERSION},
};

use crate::wire::{End, Machine, Pair, ROOM, Step};

/// A life of two connections.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    /// Both are set up as they are in a call, and their handshake is done.
    connected: bool,
    setups: [Setup; 2],
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Setup {
    rsa: bool,
    cookie: bool,
    alpn: bool,
    suite: u8,
    group: u8,
    /// 1.2 alone, or first; 1.3 otherwise. They agree on one always.
    old: bool,
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

/// A record that nobody sent.
#[derive(Arbitrary, Debug)]
enum Forgery {
    Record {
        content_type: u8,
        epoch: u8,
        sequence: u8,
        body: Vec<u8>,
    },
    /// A HelloVerifyRequest with this number.
    VerifyRequest(u8, Vec<u8>),
    Message {
        kind: u8,
        length: u16,
        sequence: u8,
        offset: u16,
        body: Vec<u8>,
    },
}

struct Peer {
    connection: Connection,
    /// The other end's certificate was named.
    trusting: bool,
    /// Why it is over, if it is.
    failure: Option<Failure>,
    /// Numbers of payloads that the other end sent and that did not arrive.
    expected: BTreeSet<u32>,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let peer = |seed: u8, setup: Setup| Peer {
            connection: Connection::new(setup.config(), [seed; 32], now),
            trusting: false,
            failure: None,
            expected: BTreeSet::new(),
        };
        let [a, b] = self.setups;
        let mut game = Game {
            pair: Pair::hostile([peer(1, a), peer(2, b)]),
            setups: self.setups,
            sent: 0,
            lasting: true,
            traitor: false,
        };
        if self.connected {
            game.set_up();
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.finish();
    }
}

struct Game {
    pair: Pair<Peer>,
    setups: [Setup; 2],
    sent: u32,
    /// Nobody ended it or named a wrong certificate.
    lasting: bool,
    /// Somebody changed genuine bytes, or made what may pass for genuine. Without that nothing but time
    /// may end a handshake.
    traitor: bool,
}

impl Game {
    fn set_up(&mut self) {
        for (end, client) in [(End::A, true), (End::B, false)] {
            self.perform(Operation::Role(end, client));
            self.perform(Operation::Trust(end, Trust::Peer));
            self.perform(Operation::Start(end));
        }
        self.pair.settle(2);
        let connected = self
            .pair
            .ends
            .iter()
            .all(|peer| peer.connection.is_connected());
        assert!(connected, "no handshake over a perfect wire");
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
            Operation::Start(end) => pair.with(end, |peer, now| peer.connection.start(now)),
            Operation::Trust(end, trust) => self.trust(end, trust),
            Operation::RoundTrip(end, ms) => pair.with(end, |peer, _| {
                peer.connection
                    .set_round_trip(Duration::from_millis(ms.into()));
            }),
            Operation::Consent(end, consent) => {
                pair.with(end, |peer, _| peer.connection.set_consent(consent));
            }
            Operation::Seal(end, length) => self.seal(end, usize::from(length) % 20_000),
            Operation::Update(end, request) => {
                let _ = pair.with(end, |peer, now| peer.connection.update_keys(now, request));
            }
            Operation::Export(end, length) => self.export(end, length.into()),
            Operation::Close(end) => {
                self.lasting = false;
                pair.with(end, |peer, now| peer.connection.close(now));
            }
            Operation::Forge(to, forgery) => {
                self.traitor |= !forgery.is_a_strangers();
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
        let number = self.sent;
        let connection = &mut self.pair.end(end).connection;
        let mut buf = b"before".to_vec();
        let start = buf.len();
        buf.resize(start + connection.headroom(), 0);
        buf.extend_from_slice(&number.to_be_bytes());
        buf.resize(buf.len() + length, number as u8);
        let (before, tailroom) = (buf.len(), connection.tailroom());
        let sealed = connection.seal(&mut buf, start);
        assert!(buf.starts_with(b"before"));
        if sealed.is_ok() {
            assert_eq!(buf.len(), before + tailroom);
            self.sent += 1;
            self.pair.end(end.other()).expected.insert(number);
            self.pair.send(end.other(), (), buf.split_off(start));
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
    /// with a hold on genuine bytes broke is completed.
    fn finish(&mut self) {
        self.pair.settle(40);
        let ends = &self.pair.ends;
        let roles = ends.each_ref().map(|peer| peer.connection.role());
        if self.traitor || !self.lasting || roles[0] == roles[1] {
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
        let states = ends.each_ref().map(|peer| peer.connection.state());
        let begun = states.contains(&State::Connected) && ends.iter().all(|peer| peer.trusting);
        if begun && !states.contains(&State::Failed) {
            assert_eq!(states, [State::Connected; 2]);
        }
    }
}

impl Peer {
    /// Payload is what the other end sent, comes once, and never before the other end was verified.
    fn arrive(&mut self, payload: &[u8]) {
        assert!(self.trusting, "payload before the certificate was verified");
        let (number, rest) = payload.split_first_chunk().expect("it has a number");
        let number = u32::from_be_bytes(*number);
        assert!(
            self.expected.remove(&number),
            "payload twice, or from nowhere"
        );
        assert!(rest.iter().all(|byte| *byte == number as u8));
    }
}

impl Setup {
    fn certificate(self) -> Certificate {
        if self.rsa { RSA.clone() } else { ECDSA.clone() }
    }

    fn config(self) -> Config {
        let mut suites = SUITES;
        suites.rotate_left(usize::from(self.suite) % SUITES.len());
        let mut groups = Group::ALL;
        groups.rotate_left(usize::from(self.group) % 4);
        let versions: &[Version] = match self.old {
            true => &[Version::Dtls12],
            false => &[Version::Dtls13, Version::Dtls12],
        };
        let config = Config::new(self.certificate()).cookie_exchange(self.cookie);
        let config = config
            .cipher_suites(&suites)
            .groups(&groups)
            .versions(versions);
        if self.alpn { config } else { config.alpn(&[]) }
    }
}

impl Forgery {
    /// Whether somebody who sees nothing could make it, and nothing genuine can be taken for it or
    /// completed by it.
    fn is_a_strangers(&self) -> bool {
        match self {
            Self::Record {
                content_type,
                epoch,
                ..
            } => *content_type != HANDSHAKE || *epoch > 0,
            Self::VerifyRequest(..) => true,
            Self::Message { kind, .. } => Kind::ALL.get(usize::from(*kind)).is_none(),
        }
    }

    fn bytes(self) -> Vec<u8> {
        let (content_type, epoch, sequence, fragment) = match self {
            Self::Record {
                content_type,
                epoch,
                sequence,
                body,
            } => (content_type, epoch, sequence, body),
            Self::VerifyRequest(number, mut cookie) => {
                cookie.truncate(255);
                let body = [&[0xFE, 0xFF, cookie.len() as u8], &cookie[..]].concat();
                let mut fragment = Vec::new();
                Fragment {
                    kind: Kind::HelloVerifyRequest.id(),
                    length: body.len(),
                    sequence: number.into(),
                    offset: 0,
                    body: &body,
                }
                .write(&mut fragment);
                (HANDSHAKE, 0, number, fragment)
            }
            Self::Message {
                kind,
                length,
                sequence,
                offset,
                body,
            } => {
                let kind = Kind::ALL
                    .get(usize::from(kind))
                    .map_or(kind, |kind| kind.id());
                let (mut fragment, body) = (Vec::new(), &body[..body.len().min(ROOM)]);
                let (length, offset) = (length.into(), offset.into());
                let (number, body) = (sequence.into(), body);
                Fragment {
                    kind,
                    length,
                    sequence: number,
                    offset,
                    body,
                }
                .write(&mut fragment);
                (HANDSHAKE, 0, sequence, fragment)
            }
        };
        let header = Header {
            content_type,
            version: VERSION,
            epoch: epoch.into(),
            sequence: 1_000 + u64::from(sequence),
            length: fragment.len(),
        };
        [&header.to_bytes()[..], &fragment].concat()
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
        let sent = self.connection.poll_transmit(now, room, buf);
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
const MAX_OPERATIONS: usize = 100;
const MAX_REASSEMBLY: u64 = 1 << 16;
