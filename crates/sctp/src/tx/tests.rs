use std::time::Duration;

use bytes::Bytes;
use oxirtc_netsim::for_each_seed;
use proptest::prelude::*;

mod blocks;
mod costs;
mod lifetimes;
mod loss;
mod probes;
mod skip;
mod steps;
mod timeouts;
mod twins;
mod windows;

use super::*;
use crate::{
    CongestionControl, Reliability, SendOptions, StreamId,
    packet::{ChunkKind, Chunks, Packet, Sack},
    rx::{Received, Receiver},
};

/// A sender alone, with answers written by hand.
struct Bench {
    sender: Sender,
    stats: Stats,
    now: Instant,
    /// How long a packet may become.
    room: usize,
    /// How much is done at once, and how often something was left.
    step: usize,
    steps: usize,
}

impl Bench {
    fn new(initial: u32) -> Self {
        Self::of(&Config::default(), initial)
    }

    /// The same with another controller, from TSN 1 on.
    fn with(config: Config) -> Self {
        Self::of(&config, 1)
    }

    #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
    fn of(config: &Config, initial: u32) -> Self {
        let mut sender = Sender::new(config, Tsn(initial));
        sender.peer_window = 10 << 20;
        Self {
            sender,
            stats: Stats::default(),
            now: Instant::now(),
            room: 1112,
            step: effort::STEP,
            steps: 0,
        }
    }

    fn input(&mut self) {
        self.sender.input();
        self.sender.left = self.step;
    }

    /// Does what is left to be done.
    fn finish(&mut self) {
        while self.sender.is_busy() {
            self.steps += 1;
            self.input();
            self.sender.go_on(self.now, &mut self.stats);
        }
    }

    /// A round trip of 50 ms is known, and so many full packets, from TSN 2 on, left that long ago.
    fn under_way(count: usize) -> Self {
        let mut bench = Self::new(1);
        bench.measured(MS * 50);
        bench.queue(count, 1084);
        bench.packets();
        bench.now += MS * 50;
        bench
    }

    /// So many small chunks are under way.
    fn crowded(count: usize) -> Self {
        let mut bench = Self::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
        for stream in 0..count {
            bench.push((stream % 7) as u16, 1, Reliability::Reliable);
        }
        bench.packets();
        assert_eq!(bench.sender.outstanding.len(), count);
        bench
    }

    /// So many reliable messages wait.
    fn queue(&mut self, count: usize, length: usize) {
        for _ in 0..count {
            self.push(1, length, Reliability::Reliable);
        }
    }

    /// A message waits.
    fn push(&mut self, stream: StreamId, length: usize, reliability: Reliability) {
        let options = SendOptions {
            reliability,
            ..SendOptions::default()
        };
        let payload = Bytes::from(vec![3; length]);
        let message = options.queued(self.now, 53, payload, true);
        self.sender.queue.push(stream, message);
    }

    /// The next packet that can go out now.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut buf = Vec::new();
        Packet::start(&mut buf, 1, 2, 3);
        self.input();
        self.sender.judge(self.now, &mut self.stats);
        self.finish();
        self.sender.give_up_expired(self.now, &mut self.stats);
        self.finish();
        while !self.sender.has_data(self.now, &mut self.stats) {
            if !self.sender.is_busy() {
                return None;
            }
            self.finish();
        }
        // A packet ends before messages that are over and more than is left, so that twins would not have the same.
        self.sender.left = usize::MAX;
        let room = Room {
            start: 0,
            capacity: self.room,
            immediate: false,
        };
        self.sender.fill(self.now, room, &mut buf, &mut self.stats);
        if self.sender.outstanding.len() < 300 {
            self.sender.outstanding.check();
        }
        assert!(buf.len() > 12, "has_data said so");
        self.stats.packets_sent += 1;
        Packet::finish(&mut buf, 0);
        Some(buf)
    }

    /// The TSNs of each packet that can go out now.
    fn packets(&mut self) -> Vec<Vec<u32>> {
        let mut packets = Vec::new();
        while let Some(packet) = self.packet() {
            packets.push(data_of(&packet).map(|data| data.tsn.0).collect());
        }
        packets
    }

    /// Lets time pass, and serves what falls due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.sender.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now, &mut self.stats);
            if !self.packets().is_empty() {
                return;
            }
        }
        self.now = end;
    }

    /// The first packets have come back after `time`, so that a round trip is known.
    fn measured(&mut self, time: Duration) {
        self.queue(1, 100);
        self.packets();
        self.now += time;
        let last = self.sender.outstanding.next().previous().tsn().0;
        self.sack(last, &[]);
        self.packets();
    }

    fn sack(&mut self, cumulative: u32, gaps: &[(u16, u16)]) {
        self.sack_with(cumulative, 10 << 20, gaps, &[]);
    }

    fn sack_with(&mut self, cumulative: u32, window: u32, gaps: &[(u16, u16)], twice: &[u32]) {
        let mut buf = Vec::new();
        let head = (Tsn(cumulative), window);
        let twice = twice.iter().map(|tsn| Tsn(*tsn));
        Sack::write(&mut buf, 4000, head, gaps.iter().copied(), twice);
        let sack = Sack::parse(&buf[4..]).unwrap();
        assert!(self.sender.outstanding.accepts(&sack));
        self.input();
        self.sender.handle_sack(self.now, &sack);
        self.finish();
        self.sender.outstanding.check();
    }
}

fn data_of(packet: &[u8]) -> impl Iterator<Item = Data<'_>> {
    let chunks: Chunks<'_> = Packet::parse(packet).unwrap().chunks();
    chunks
        .filter(|c| c.kind == ChunkKind::DATA)
        .map(|c| Data::parse(c).unwrap())
}

const MS: Duration = Duration::from_millis(1);
