//! Two connections with a link between them, in simulated time.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test harness: it may panic, and each test file uses its part of it"
)]

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_dtls::{
    Certificate, Config, Connection, Event, Fingerprint, HashAlgorithm, KeyType, Role, Version,
    record::{ALERT, HANDSHAKE, Header},
};

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

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What happens to a datagram: what arrives in its place, each with its delay.
pub(crate) type Wire<'w> = dyn FnMut(Role, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + 'w;

pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<Event>,
    pub(crate) received: Vec<Vec<u8>>,
}

pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) room: usize,
    in_flight: Vec<(Instant, usize, Role, Vec<u8>)>,
    serial: usize,
}

impl End {
    fn new(config: Config, seed: u8, now: Instant) -> Self {
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

impl Pair {
    /// Roles set and fingerprints known.
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let mut pair = Self::bare(client.clone(), server.clone());
        let now = pair.now;
        pair.client
            .expect(now, &[fingerprint(server.certificate())]);
        pair.server
            .expect(now, &[fingerprint(client.certificate())]);
        pair
    }

    /// Roles set, fingerprints not.
    pub(crate) fn bare(client: Config, server: Config) -> Self {
        let now = oxirtc_netsim::epoch();
        let mut pair = Self {
            client: End::new(client, 1, now),
            server: End::new(server, 2, now),
            now,
            start: now,
            room: 1200,
            in_flight: Vec::new(),
            serial: 0,
        };
        pair.client.connection.set_role(now, Role::Client).unwrap();
        pair.server.connection.set_role(now, Role::Server).unwrap();
        pair
    }

    pub(crate) fn plain() -> Self {
        Self::new(config(0), config(1))
    }

    pub(crate) fn start(&mut self) {
        self.client.connection.start(self.now);
        self.server.connection.start(self.now);
    }

    pub(crate) fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Puts a datagram on its way to the other side of `from`.
    pub(crate) fn send(&mut self, from: Role, wire: &mut Wire<'_>, datagram: Vec<u8>) {
        for (delay, datagram) in wire(from, datagram) {
            self.in_flight
                .push((self.now + delay, self.serial, other(from), datagram));
            self.serial += 1;
        }
    }

    /// Runs until nothing waits or `limit` has passed.
    pub(crate) fn run(&mut self, limit: Duration, wire: &mut Wire<'_>) {
        let end = self.now + limit;
        for _ in 0..200_000 {
            self.transmit(wire);
            let arrivals = self.in_flight.iter().map(|(at, ..)| *at);
            let ends = [&self.client, &self.server];
            let timers = ends
                .into_iter()
                .filter_map(|end| end.connection.poll_timeout());
            let Some(next) = arrivals.chain(timers).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.arrive();
            let now = self.now;
            for end in [&mut self.client, &mut self.server] {
                end.connection.handle_timeout(now);
                let next = end.connection.poll_timeout();
                assert!(
                    next.is_none_or(|at| at > now),
                    "a timeout stays in the past"
                );
                end.drain();
            }
        }
        panic!("no progress");
    }

    pub(crate) fn transmit(&mut self, wire: &mut Wire<'_>) {
        let (now, room) = (self.now, self.room);
        for role in [Role::Client, Role::Server] {
            let mut buf = vec![0xAA; 3];
            while self.end(role).connection.poll_transmit(now, room, &mut buf) {
                assert_eq!(&buf[..3], [0xAA; 3], "what stands before is not touched");
                let datagram = buf.split_off(3);
                assert!(!datagram.is_empty() && datagram.len() <= room);
                self.send(role, wire, datagram);
            }
            self.end(role).drain();
        }
    }

    fn arrive(&mut self) {
        self.in_flight
            .sort_by_key(|(at, serial, ..)| (*at, *serial));
        while let Some((at, ..)) = self.in_flight.first()
            && *at <= self.now
        {
            let (_, _, to, mut datagram) = self.in_flight.remove(0);
            let now = self.now;
            self.end(to).handle(now, &mut datagram);
        }
    }

    /// A whole handshake over a perfect link.
    pub(crate) fn connect(&mut self) {
        self.start();
        self.run(Duration::from_secs(60), &mut perfect());
        self.assert_connected();
    }

    pub(crate) fn assert_connected(&mut self) {
        assert_eq!(
            self.client.events,
            [Event::Connected],
            "{:?}",
            self.client.connection
        );
        assert_eq!(
            self.server.events,
            [Event::Connected],
            "{:?}",
            self.server.connection
        );
        let mut exported = [[0; 60]; 2];
        for (end, out) in [&self.client, &self.server].into_iter().zip(&mut exported) {
            end.connection
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
            let mut datagram = self.end(role).seal(b"payload");
            let end = self.end(other(role));
            let before = end.received.len();
            end.handle(now, &mut datagram);
            assert_eq!(end.received.len(), before + 1);
            assert_eq!(end.received.pop().unwrap(), b"payload");
        }
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
