//! Two connections with somebody on the path between them, in simulated time.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test harness: it may panic, and each test file uses its part of it"
)]

use std::{
    ops::{Deref, DerefMut, Index, IndexMut},
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_dtls::{
    Certificate, Config, Connection, Event, Fingerprint, HashAlgorithm, KeyType, Role, Version,
    record::{ALERT, HANDSHAKE, Header},
};
pub(crate) use oxirtc_netsim::ms;
use oxirtc_netsim::{End, Machine, OnPath};

/// A certificate of each type, made once a process where it is wanted, as RSA keys take their time.
pub(crate) fn certificate(key_type: KeyType, which: usize) -> Certificate {
    static MADE: [OnceLock<Certificate>; 6] = [const { OnceLock::new() }; 6];
    let place = match key_type {
        KeyType::EcdsaP256 => which % 3,
        KeyType::EcdsaP384 => 3,
        KeyType::Ed25519 => 4,
        _ => 5,
    };
    let make = || {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Certificate::generate(key_type, now, Certificate::DEFAULT_LIFETIME).unwrap()
    };
    MADE[place].get_or_init(make).clone()
}

/// One that speaks 1.2 alone.
pub(crate) fn config(which: usize) -> Config {
    Config::new(certificate(KeyType::EcdsaP256, which)).versions(&[Version::Dtls12])
}

/// One that speaks this version alone.
pub(crate) fn config_of(version: Version, which: usize) -> Config {
    config(which).versions(&[version])
}

/// Both versions.
pub(crate) const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

/// One that speaks 1.3 alone.
pub(crate) fn config_1_3(which: usize) -> Config {
    config_of(Version::Dtls13, which)
}

pub(crate) fn fingerprint(certificate: &Certificate) -> Fingerprint {
    certificate.fingerprint(&HashAlgorithm::Sha256).unwrap()
}

/// What happens to a datagram: what arrives in its place, each with its delay.
pub(crate) type Wire<'w> = dyn FnMut(Role, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + 'w;

pub(crate) struct Side {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<Event>,
    pub(crate) received: Vec<Vec<u8>>,
}

/// A client and a server, by role, with somebody on the path between them.
pub(crate) struct Pair(oxirtc_netsim::Pair<Side, OnPath<()>>);

impl Side {
    pub(crate) fn new(config: Config, seed: u8, now: Instant) -> Self {
        Self {
            connection: Connection::new(config, [seed; 32], now),
            events: Vec::new(),
            received: Vec::new(),
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, datagram: &mut [u8]) {
        let received = &mut self.received;
        let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
        self.connection.handle_datagram(now, datagram, &mut sink);
        self.drain();
    }

    pub(crate) fn expect(&mut self, now: Instant, fingerprints: &[Fingerprint]) {
        let received = &mut self.received;
        let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
        self.connection
            .set_remote_fingerprints(now, fingerprints, &mut sink);
        self.drain();
    }

    pub(crate) fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; self.connection.headroom()];
        buf.extend(payload);
        self.connection.seal(&mut buf, 0).unwrap();
        buf
    }

    pub(crate) fn drain(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            self.events.push(event);
        }
    }
}

impl Machine for Side {
    type Route = ();
    const BATCHED: bool = true;

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        self.handle(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        let next = self.poll_timeout();
        assert!(next.is_none_or(|at| at > now), "a timeout stays");
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
        let written = self.connection.poll_transmit(now, room, buf);
        written.then_some(((), usize::MAX))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let before = self.events.len();
        self.drain();
        self.events.len() > before
    }

    fn mirrored((): ()) {}

    fn describe(&self) -> String {
        format!("{:?} {:?}", self.connection, self.events)
    }
}

impl Deref for Pair {
    type Target = oxirtc_netsim::Pair<Side, OnPath<()>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Pair {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Index<Role> for Pair {
    type Output = Side;

    fn index(&self, role: Role) -> &Side {
        &self.0[end(role)]
    }
}

impl IndexMut<Role> for Pair {
    fn index_mut(&mut self, role: Role) -> &mut Side {
        &mut self.0[end(role)]
    }
}

impl Pair {
    /// Roles set and fingerprints known.
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let certificates = [&server, &client].map(|it| fingerprint(it.certificate()));
        let mut pair = Self::bare(client, server);
        let now = pair.now;
        for (side, its) in pair.ends.iter_mut().zip(certificates) {
            side.expect(now, &[its]);
        }
        pair
    }

    /// Roles set, fingerprints not.
    pub(crate) fn bare(client: Config, server: Config) -> Self {
        let now = oxirtc_netsim::epoch();
        let mut ends = [Side::new(client, 1, now), Side::new(server, 2, now)];
        for (side, role) in ends.iter_mut().zip([Role::Client, Role::Server]) {
            side.connection.set_role(now, role).unwrap();
        }
        Self(oxirtc_netsim::Pair::new(ends, OnPath::default()))
    }

    pub(crate) fn plain() -> Self {
        Self::new(config(0), config(1))
    }

    pub(crate) fn start(&mut self) {
        let now = self.now;
        for side in &mut self.ends {
            side.connection.start(now);
        }
    }

    /// Puts a datagram on its way to the other side of `from`, where it arrives after this time.
    pub(crate) fn send(&mut self, from: Role, delay: Duration, datagram: Vec<u8>) {
        let at = self.now + delay;
        self.wire.put(at, end(other(from)), (), datagram);
    }

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration, wire: &mut Wire<'_>) {
        let mut replace = |from, datagram| wire(role(from), datagram);
        self.0.run_replacing(time, &mut replace);
    }

    /// Puts on the wire what both have to say now.
    pub(crate) fn transmit(&mut self, wire: &mut Wire<'_>) {
        self.0
            .replace(&mut |from, datagram| wire(role(from), datagram));
    }

    /// A whole handshake over a perfect link.
    pub(crate) fn connect(&mut self) {
        self.start();
        self.run(Duration::from_secs(60), &mut perfect());
        self.assert_connected();
    }

    pub(crate) fn assert_connected(&mut self) {
        let mut exported = [[0; 60]; 2];
        for (side, out) in self.ends.iter().zip(&mut exported) {
            assert_eq!(side.events, [Event::Connected], "{:?}", side.connection);
            side.connection
                .export("EXTRACTOR-dtls_srtp", None, out)
                .unwrap();
        }
        assert_eq!(exported[0], exported[1]);
        assert_ne!(exported[0], [0; 60]);
        self.exchange();
    }

    /// Payload goes both ways.
    pub(crate) fn exchange(&mut self) {
        for role in [Role::Client, Role::Server] {
            let now = self.now;
            let mut datagram = self[role].seal(b"payload");
            let side = &mut self[other(role)];
            let before = side.received.len();
            side.handle(now, &mut datagram);
            assert_eq!(side.received.len(), before + 1);
            assert_eq!(side.received.pop().unwrap(), b"payload");
        }
    }
}

fn end(role: Role) -> End {
    match role {
        Role::Client => End::A,
        Role::Server => End::B,
    }
}

fn role(end: End) -> Role {
    match end {
        End::A => Role::Client,
        End::B => Role::Server,
    }
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// How often: a sample in every run, all of it where `OXIRTC_FULL` is set, which is for a release build.
pub(crate) fn times(sample: u64, full: u64) -> u64 {
    match std::env::var_os("OXIRTC_FULL") {
        Some(_) => full,
        None => sample,
    }
}

/// Everything arrives, 10 ms later.
pub(crate) fn perfect() -> impl FnMut(Role, Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
    |_, datagram| vec![(ms(10), datagram)]
}

/// The records of a datagram, one by one.
pub(crate) fn records(datagram: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut datagram = datagram.to_vec();
    let mut records = Vec::new();
    let mut rest = &mut datagram[..];
    while let Some((header, fragment, tail)) = Header::split(rest) {
        records.push((header, fragment.to_vec()));
        rest = tail;
    }
    records
}

/// A record as it stands on the wire.
pub(crate) fn record(header: Header, fragment: &[u8]) -> Vec<u8> {
    let header = Header {
        length: fragment.len(),
        ..header
    };
    [&header.to_bytes()[..], fragment].concat()
}

/// A handshake record of epoch 0.
pub(crate) fn plain(sequence: u64, fragment: &[u8]) -> Vec<u8> {
    let header = Header {
        content_type: HANDSHAKE,
        version: 0xFEFD,
        epoch: 0,
        sequence,
        length: 0,
    };
    record(header, fragment)
}

/// A fatal alert in the clear, as anybody can say it.
pub(crate) fn alert() -> Vec<u8> {
    let header = Header {
        content_type: ALERT,
        version: 0xFEFD,
        epoch: 0,
        sequence: 99,
        length: 0,
    };
    record(header, &[2, 40])
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// A small generator for wires that lose and shuffle.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}
