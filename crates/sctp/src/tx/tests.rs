use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    SendOptions,
    packet::{ChunkKind, Chunks, Packet},
    rx::{Received, Receiver},
};

/// A sender alone, with answers written by hand.
struct Bench {
    sender: Sender,
    stats: Stats,
    now: Instant,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
    fn new(initial: u32) -> Self {
        let mut sender = Sender::new(&Config::default(), Tsn(initial));
        sender.peer_window = 10 << 20;
        Self {
            sender,
            stats: Stats::default(),
            now: Instant::now(),
        }
    }

    fn queue(&mut self, count: usize, length: usize) {
        for _ in 0..count {
            let payload = Bytes::from(vec![3; length]);
            let message = SendOptions::default().queued(self.now, 53, payload, true);
            self.sender.queue.push(1, message);
        }
    }

    /// The TSNs of each packet that can go out now.
    fn packets(&mut self) -> Vec<Vec<u32>> {
        let mut packets = Vec::new();
        loop {
            let mut buf = Vec::new();
            Packet::start(&mut buf, 1, 2, 3);
            let room = Room {
                start: 0,
                capacity: 1112,
                new_data: true,
                immediate: false,
            };
            self.sender.fill(self.now, room, &mut buf, &mut self.stats);
            if buf.len() == 12 {
                return packets;
            }
            self.stats.packets_sent += 1;
            Packet::finish(&mut buf, 0);
            packets.push(data_of(&buf).map(|data| data.tsn.0).collect());
        }
    }

    fn sack(&mut self, cumulative: u32, gaps: &[(u16, u16)]) {
        let mut buf = Vec::new();
        let head = (Tsn(cumulative), 10 << 20);
        Sack::write(
            &mut buf,
            1000,
            head,
            gaps.iter().copied(),
            std::iter::empty(),
        );
        let sack = Sack::parse(&buf[4..]).unwrap();
        assert!(self.sender.outstanding.accepts(&sack));
        self.sender.handle_sack(self.now, &sack, &mut self.stats);
    }
}

fn data_of(packet: &[u8]) -> impl Iterator<Item = Data<'_>> {
    let chunks: Chunks<'_> = Packet::parse(packet).unwrap().chunks();
    chunks
        .filter(|c| c.kind == ChunkKind::DATA)
        .map(|c| Data::parse(c).unwrap())
}

/// Three SACKs that each show something new beyond the gap; then once a recovery, whatever else is missing.
#[test]
fn three_misses_make_a_fast_retransmission() {
    let mut bench = Bench::new(1);
    bench.queue(10, 1084);
    assert_eq!(bench.packets().len(), 10);
    for last in 2..4 {
        bench.sack(0, &[(2, last)]);
        assert_eq!(bench.packets(), Vec::<Vec<u32>>::new());
    }
    bench.sack(0, &[(2, 4)]);
    assert_eq!(bench.packets(), [[1]]);
    assert_eq!(bench.stats.fast_recoveries, 1);
    let window = bench.sender.congestion.window();
    assert_eq!(window, 5500);
    bench.sack(0, &[(2, 5)]);
    assert!(bench.packets().is_empty(), "once only");
    bench.sack(10, &[]);
    assert!(bench.sender.is_idle() && !bench.sender.congestion.in_recovery());
}

/// One SACK for a batch counts for each packet in it.
#[test]
fn a_batch_counts_for_its_packets() {
    let mut bench = Bench::new(1);
    bench.queue(6, 1084);
    bench.packets();
    bench.sack(0, &[(2, 3)]);
    assert!(bench.packets().is_empty());
    bench.sack(0, &[(2, 4)]);
    assert_eq!(bench.packets(), [[1]]);
    // Many small messages in one packet are one packet.
    let mut bench = Bench::new(1);
    bench.queue(18, 100);
    assert_eq!(bench.packets().len(), 2);
    bench.sack(0, &[(10, 18)]);
    assert!(bench.packets().is_empty());
}

#[test]
fn a_timeout_leaves_one_packet_in_flight() {
    let mut bench = Bench::new(1);
    bench.queue(10, 1084);
    bench.packets();
    bench.now += Duration::from_secs(1);
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.sender.outstanding.flight_bytes(), 0);
    assert_eq!(bench.packets(), [[1]]);
    bench.sack(1, &[]);
    assert_eq!(bench.packets(), [[2], [3]]);
}

/// RFC 9260 §6.2.1: what was reported beyond a gap and then taken back is sent again.
#[test]
fn a_peer_that_takes_back_gets_it_again() {
    let mut bench = Bench::new(1);
    bench.queue(5, 1084);
    bench.packets();
    bench.sack(0, &[(2, 3)]);
    bench.sack(1, &[]);
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.sack(5, &[]);
    assert!(bench.sender.is_idle());
    assert_eq!(bench.sender.queue.held(), 0);
}

/// Row F4: TSNs wrap in the middle of a transfer with loss.
#[test]
fn tsns_wrap_under_loss() {
    for seed in 0..200u32 {
        let initial = u32::MAX - seed % 40;
        let config = Config::default();
        let mut bench = Bench::new(initial);
        let mut receiver = Receiver::new(&config, Tsn(initial));
        bench.queue(60, 1500);
        let mut random = seed;
        let mut got = 0;
        for round in 0.. {
            assert!(round < 2000, "seed {seed}: {got} messages");
            bench.now += Duration::from_millis(10);
            let mut sent = 0;
            loop {
                let mut buf = Vec::new();
                Packet::start(&mut buf, 1, 2, 3);
                let room = Room {
                    start: 0,
                    capacity: 1112,
                    new_data: true,
                    immediate: false,
                };
                bench
                    .sender
                    .fill(bench.now, room, &mut buf, &mut bench.stats);
                if buf.len() == 12 {
                    break;
                }
                bench.stats.packets_sent += 1;
                Packet::finish(&mut buf, 0);
                sent += 1;
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if random >> 30 != 0 {
                    for data in data_of(&buf) {
                        let received = receiver.handle_data(&data, true);
                        assert!(matches!(received, Received::New | Received::Duplicate));
                    }
                }
            }
            if sent == 0 {
                bench.sender.handle_timeout(bench.now, &mut bench.stats);
            }
            while let Some(message) = receiver.read(1) {
                assert_eq!(message.payload.len(), 1500);
                got += 1;
            }
            let mut sack = Vec::new();
            receiver.write_sack(&mut sack, 1000);
            let sack = Sack::parse(&sack[4..]).unwrap();
            assert!(bench.sender.outstanding.accepts(&sack));
            bench.sender.handle_sack(bench.now, &sack, &mut bench.stats);
            if bench.sender.is_idle() {
                break;
            }
        }
        assert_eq!((got, bench.sender.queue.held()), (60, 0), "seed {seed}");
    }
}

/// What a SACK costs does not depend on what was acknowledged beyond the gap before: a block that is known is stepped
/// over, so its chunks are not looked at again.
#[test]
fn known_blocks_are_stepped_over() {
    let mut bench = Bench::new(1);
    bench.sender.congestion = Congestion::new(1112, 64);
    bench.queue(50, 1084);
    bench.packets();
    bench.sack(0, &[(2, 20)]);
    bench.sack(0, &[(2, 30)]);
    bench.sack(0, &[(2, 30), (32, 40)]);
    bench.sack(0, &[(2, 40)]);
    assert_eq!(bench.sender.outstanding.advanced(), Tsn(0));
    bench.sack(40, &[]);
    assert_eq!(bench.sender.outstanding.cumulative(), Tsn(40));
}
