//! Two associations and the links between them, in simulated time.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use oxirtc_netsim::{Duplex, Link, earliest, epoch};
use oxirtc_sctp::{Association, Config, Event, Message, SendOptions, StreamId};

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Whether a packet of this side goes on.
pub(crate) type Filter = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// Side 0 and side 1. Side 0 sends over `links.there`.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) sides: [Association; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) links: Duplex,
    /// Every packet that was sent, with its sender.
    pub(crate) log: Option<Vec<(usize, Vec<u8>)>>,
    /// Packets for which this says false are lost.
    pub(crate) filter: Option<Filter>,
    /// The longest packet that is taken from a side.
    pub(crate) room: usize,
    /// When side 0 probed the path, and with how long a packet.
    pub(crate) probes: Vec<(Instant, usize)>,
}

impl Pair {
    pub(crate) fn new(seed: u64, link: Link) -> Self {
        Self::with(seed, link, Config::default(), Config::default())
    }

    pub(crate) fn perfect(seed: u64) -> Self {
        Self::new(seed, Link::new(seed).delay(ms(10)))
    }

    pub(crate) fn with(seed: u64, link: Link, a: Config, b: Config) -> Self {
        let now = epoch();
        Self {
            now,
            sides: [
                association(a, seed * 2, now),
                association(b, seed * 2 + 1, now),
            ],
            events: [Vec::new(), Vec::new()],
            links: Duplex::new(link),
            log: None,
            filter: None,
            room: 1115,
            probes: Vec::new(),
        }
    }

    /// Both sides connect, as in WebRTC, and are established.
    pub(crate) fn connected(mut self) -> Self {
        for side in &mut self.sides {
            side.connect(self.now);
        }
        let established = |pair: &mut Self| pair.sides.iter().all(Association::is_established);
        assert!(
            self.run_until(Duration::from_secs(300), established),
            "no connection"
        );
        self.run_for(ms(1)); // so that both have said so
        for events in &mut self.events {
            assert_eq!(events.as_slice(), [Event::Connected]);
            events.clear();
        }
        self
    }

    /// Everything that can be done now.
    pub(crate) fn settle(&mut self) {
        for index in 0..2 {
            let side = &mut self.sides[index];
            if side.poll_timeout().is_some_and(|at| at <= self.now) {
                side.handle_timeout(self.now);
            }
            let link = if index == 0 {
                &mut self.links.back
            } else {
                &mut self.links.there
            };
            while let Some(packet) = link.receive(self.now) {
                side.handle_packet(self.now, &packet);
            }
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        for index in 0..2 {
            let side = &mut self.sides[index];
            let mut buf = Vec::new();
            loop {
                let probe = side.poll_probe(self.now, &mut buf);
                if probe && index == 0 {
                    self.probes.push((self.now, buf.len()));
                }
                if !probe && !side.poll_transmit(self.now, self.room, &mut buf) {
                    break;
                }
                assert!(
                    buf.len() <= self.room.max(1112) && buf.len().is_multiple_of(4),
                    "a packet of {} bytes",
                    buf.len()
                );
                let packet = std::mem::take(&mut buf);
                if let Some(log) = &mut self.log {
                    log.push((index, packet.clone()));
                }
                if self
                    .filter
                    .as_mut()
                    .is_some_and(|keep| !keep(index, &packet))
                {
                    continue;
                }
                let link = if index == 0 {
                    &mut self.links.there
                } else {
                    &mut self.links.back
                };
                link.send(self.now, packet);
            }
            while let Some(event) = side.poll_event() {
                self.events[index].push(event);
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let [a, b] = &self.sides;
        earliest([
            a.poll_timeout(),
            b.poll_timeout(),
            self.links.poll_timeout(),
        ])
    }

    /// Runs until `done`, or for `limit` at most; whether it was done.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + limit;
        let mut still = 0;
        loop {
            self.settle();
            if done(self) {
                self.transmit();
                return true;
            }
            let Some(next) = self.next().filter(|at| *at <= end) else {
                self.now = end;
                return false;
            };
            still = if next <= self.now { still + 1 } else { 0 };
            assert!(still < 20, "time stands still: {:?}", self.sides);
            self.now = self.now.max(next);
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    pub(crate) fn send(&mut self, side: usize, stream: StreamId, payload: impl Into<Vec<u8>>) {
        self.send_with(side, stream, payload, SendOptions::default());
    }

    pub(crate) fn send_with(
        &mut self,
        side: usize,
        stream: StreamId,
        payload: impl Into<Vec<u8>>,
        options: SendOptions,
    ) {
        let payload = Bytes::from(payload.into());
        self.sides[side]
            .send(self.now, stream, 53, payload, options)
            .unwrap();
    }

    pub(crate) fn read_all(&mut self, side: usize, stream: StreamId) -> Vec<Message> {
        std::iter::from_fn(|| self.sides[side].read(stream)).collect()
    }

    /// Takes side `from`'s next packets off, and hands them to no one.
    pub(crate) fn take_packets(&mut self, from: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut buf = Vec::new();
        while self.sides[from].poll_transmit(self.now, 1115, &mut buf) {
            packets.push(std::mem::take(&mut buf));
        }
        packets
    }

    pub(crate) fn events(&mut self, side: usize) -> Vec<Event> {
        while let Some(event) = self.sides[side].poll_event() {
            self.events[side].push(event);
        }
        std::mem::take(&mut self.events[side])
    }

    /// Those that are not about the buffered amount.
    pub(crate) fn main_events(&mut self, side: usize) -> Vec<Event> {
        let mut events = self.events(side);
        events.retain(|event| !matches!(event, Event::BufferedAmountLow { .. }));
        events
    }
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
