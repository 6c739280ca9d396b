//! Two associations and the wire between them, in simulated time.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{self as netsim, Duplex, End, Link, Machine};
use oxirtc_sctp::{
    Association, Config, Event, Message, SendOptions, StreamId,
    packet::{ChunkKind, Packet},
};

pub(crate) use netsim::ms;

/// How many seeds a random test plays: a sample in every run, many more where `OXIRTC_FULL` is set, which is for a release build.
pub(crate) fn seeds(sample: u64) -> u64 {
    match std::env::var_os("OXIRTC_FULL") {
        Some(_) => 40 * sample,
        None => sample,
    }
}

/// An association, and what it has told.
#[derive(Debug)]
pub(crate) struct Side {
    association: Association,
    pub(crate) events: Vec<Event>,
    /// The longest packet that is taken from it.
    pub(crate) room: usize,
    /// When it probed the path, and with how long a packet.
    pub(crate) probes: Vec<(Instant, usize)>,
}

impl From<Association> for Side {
    fn from(association: Association) -> Self {
        Self {
            association,
            events: Vec::new(),
            room: 1115,
            probes: Vec::new(),
        }
    }
}

impl Deref for Side {
    type Target = Association;

    fn deref(&self) -> &Association {
        &self.association
    }
}

impl DerefMut for Side {
    fn deref_mut(&mut self) -> &mut Association {
        &mut self.association
    }
}

impl Machine for Side {
    type Route = ();

    const PORT: u16 = 9899;
    const BATCHED: bool = true;

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        self.association.handle_packet(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.association.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        _room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        let start = buf.len();
        let is_probe = self.association.poll_probe(now, buf);
        if !is_probe && !self.association.poll_transmit(now, self.room, buf) {
            return None;
        }
        let length = buf.len() - start;
        if is_probe {
            self.probes.push((now, length));
        }
        assert!(
            length <= self.room.max(1112) && length.is_multiple_of(4),
            "a packet of {length} bytes"
        );
        Some(((), length))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let event = self.association.poll_event();
        let more = event.is_some();
        self.events.extend(event);
        more
    }

    fn mirrored((): ()) {}

    fn describe(&self) -> String {
        format!("{:?}", self.association)
    }
}

/// Side 0 sends over `wire.there`.
pub(crate) type Pair = netsim::Pair<Side>;

pub(crate) fn pair(seed: u64, link: Link) -> Pair {
    pair_with(seed, link, Config::default(), Config::default())
}

/// Over a path that loses nothing.
pub(crate) fn perfect(seed: u64) -> Pair {
    pair(seed, Link::new(seed).delay(ms(10)))
}

pub(crate) fn pair_with(seed: u64, link: Link, a: Config, b: Config) -> Pair {
    let now = netsim::epoch();
    let a = association(a, seed * 2, now);
    let b = association(b, seed * 2 + 1, now);
    pair_of([a, b], link)
}

/// Two ends of which each says what [`Config::interleaving`] tells it to.
pub(crate) fn interleaving_pair(seed: u64, link: Link, configs: [Config; 2]) -> Pair {
    let now = netsim::epoch();
    let [a, b] = configs;
    let side = |config, side| Association::new(config, [seed as u8 * 2 + side; 32], now);
    pair_of([side(a, 0), side(b, 1)], link)
}

pub(crate) fn pair_of(sides: [Association; 2], link: Link) -> Pair {
    let mut pair = Pair::new(sides.map(Side::from), Duplex::new(link));
    // Each side has a room of its own.
    pair.room = usize::MAX;
    pair
}

/// What tests of associations do with a pair, whose sides have numbers.
pub(crate) trait Sides {
    /// Both sides connect, as in WebRTC, and are established.
    fn connected(self) -> Self;

    /// Everything that can be done now.
    fn settle(&mut self);

    /// From now on keeps each packet that is sent.
    fn keep(&mut self);

    /// The packets that were kept, with their senders.
    fn kept(&mut self) -> Vec<(usize, Vec<u8>)>;

    /// Packets for which this says false are lost.
    fn filter(&mut self, keep: impl FnMut(usize, &[u8]) -> bool + 'static);

    fn say(&mut self, side: usize, stream: StreamId, payload: impl Into<Vec<u8>>);

    fn say_with(
        &mut self,
        side: usize,
        stream: StreamId,
        payload: impl Into<Vec<u8>>,
        options: SendOptions,
    );

    fn read_all(&mut self, side: usize, stream: StreamId) -> Vec<Message>;

    /// Takes a side's next packets off, and hands them to no one.
    fn take_packets(&mut self, from: usize) -> Vec<Vec<u8>>;

    fn events(&mut self, side: usize) -> Vec<Event>;

    /// Those that are not about the buffered amount.
    fn main_events(&mut self, side: usize) -> Vec<Event>;
}

impl Sides for Pair {
    fn connected(mut self) -> Self {
        for side in &mut self.ends {
            side.connect(self.now);
        }
        let established = |pair: &mut Self| pair.ends.iter().all(|it| it.is_established());
        self.run_until(Duration::from_secs(300), established);
        self.run_for(ms(1)); // so that both have said so
        for side in &mut self.ends {
            assert_eq!(side.events, [Event::Connected]);
            side.events.clear();
        }
        self
    }

    fn settle(&mut self) {
        self.run_for(Duration::ZERO);
    }

    fn keep(&mut self) {
        self.sent = Some(Vec::new());
    }

    fn kept(&mut self) -> Vec<(usize, Vec<u8>)> {
        let sent = self.sent.take().unwrap().into_iter();
        sent.map(|it| (number(it.from), it.datagram)).collect()
    }

    fn filter(&mut self, mut keep: impl FnMut(usize, &[u8]) -> bool + 'static) {
        self.tap = Some(Box::new(move |from, packet| keep(number(from), packet)));
    }

    fn say(&mut self, side: usize, stream: StreamId, payload: impl Into<Vec<u8>>) {
        self.say_with(side, stream, payload, SendOptions::default());
    }

    fn say_with(
        &mut self,
        side: usize,
        stream: StreamId,
        payload: impl Into<Vec<u8>>,
        options: SendOptions,
    ) {
        let payload = Bytes::from(payload.into());
        self.ends[side]
            .send(self.now, stream, 53, payload, options)
            .unwrap();
    }

    fn read_all(&mut self, side: usize, stream: StreamId) -> Vec<Message> {
        std::iter::from_fn(|| self.ends[side].read(stream)).collect()
    }

    fn take_packets(&mut self, from: usize) -> Vec<Vec<u8>> {
        self.take_sent(End::BOTH[from])
    }

    fn events(&mut self, side: usize) -> Vec<Event> {
        let side = &mut self.ends[side];
        while let Some(event) = side.poll_event() {
            side.events.push(event);
        }
        std::mem::take(&mut side.events)
    }

    fn main_events(&mut self, side: usize) -> Vec<Event> {
        let mut events = self.events(side);
        events.retain(|event| !matches!(event, Event::BufferedAmountLow { .. }));
        events
    }
}

fn number(end: End) -> usize {
    usize::from(end == End::B)
}

pub(crate) fn association(config: Config, seed: u64, now: Instant) -> Association {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    // What is written and read by hand is DATA.
    Association::new(config.interleaving(false), bytes, now)
}

/// Bytes that differ by place and message.
pub(crate) fn pattern(length: usize, salt: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ salt) as u8)
        .collect()
}

/// The kinds of the chunks in a packet.
pub(crate) fn kinds(packet: &[u8]) -> Vec<ChunkKind> {
    let packet = Packet::parse_unsummed(packet).unwrap();
    packet.chunks().map(|chunk| chunk.kind).collect()
}
