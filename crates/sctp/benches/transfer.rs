//! Two associations in memory: what a message costs both ends together, nothing between them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark is a program"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oxirtc_sctp::{Association, Config, Reliability, SendOptions};

struct Pair {
    now: Instant,
    sides: [Association; 2],
    packets: Vec<Vec<u8>>,
}

impl Pair {
    fn connected() -> Self {
        let now = Instant::now();
        let side = |seed| Association::new(Config::default(), [seed; 32], now);
        let mut pair = Self {
            now,
            sides: [side(1), side(2)],
            packets: vec![Vec::new(); 64],
        };
        pair.sides[0].connect(now);
        while pair.exchange(0, 1) + pair.exchange(1, 0) > 0 {}
        assert!(pair.sides.iter().all(Association::is_established));
        pair
    }

    /// Takes a batch of at most 64 packets across; how many there were.
    fn exchange(&mut self, from: usize, to: usize) -> usize {
        let mut count = 0;
        for packet in &mut self.packets {
            packet.clear();
            if !self.sides[from].poll_transmit(self.now, 1112, packet) {
                break;
            }
            count += 1;
        }
        for packet in &self.packets[..count] {
            self.sides[to].handle_packet(self.now, packet);
        }
        count
    }

    /// Sends `count` messages with about a mebibyte waiting.
    fn transfer(&mut self, payload: &Bytes, count: usize, options: SendOptions) {
        let (mut sent, mut got) = (0, 0);
        while got < count {
            while sent < count && self.sides[0].total_unacknowledged() < 1 << 20 {
                let payload = payload.clone();
                self.sides[0]
                    .send(self.now, 1, 53, payload, options)
                    .unwrap();
                sent += 1;
            }
            let moved = self.exchange(0, 1);
            while let Some(message) = self.sides[1].read(1) {
                assert_eq!(message.payload.len(), payload.len());
                got += 1;
            }
            while self.sides[1].poll_event().is_some() {}
            let answered = self.exchange(1, 0);
            while self.sides[0].poll_event().is_some() {}
            self.now += Duration::from_micros(100);
            if moved + answered == 0 {
                for side in &mut self.sides {
                    self.now = self.now.max(side.poll_timeout().unwrap_or(self.now));
                    side.handle_timeout(self.now);
                }
            }
        }
    }
}

fn transfer(criterion: &mut Criterion) {
    let unreliable = SendOptions {
        ordered: false,
        reliability: Reliability::Retransmits(0),
    };
    for (name, size, count, options) in [
        ("64 KiB", 65_536, 256, SendOptions::default()),
        ("16 KiB", 16_384, 1024, SendOptions::default()),
        ("100 B", 100, 20_000, SendOptions::default()),
        (
            "100 B unordered, not retransmitted",
            100,
            20_000,
            unreliable,
        ),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        let payload = Bytes::from(vec![7; size]);
        let mut pair = Pair::connected();
        pair.transfer(&payload, count, options); // the window has grown by then
        group.throughput(Throughput::Bytes((size * count) as u64));
        group.bench_function("both ends", |bencher| {
            bencher.iter(|| pair.transfer(&payload, count, options));
        });
        group.finish();
    }
}

criterion_group!(benches, transfer);
criterion_main!(benches);
