//! What is done in steps comes out as if it were done at once.

use super::*;
use crate::Reliability;

/// Two senders that are told the same: one does all at once, the other little at a time.
struct Twins {
    ends: [(Bench, Receiver); 2],
    random: u32,
    /// How often the second one had something left to do.
    steps: usize,
}

impl Twins {
    fn new(seed: u64, control: CongestionControl) -> Self {
        let config = Config::default().congestion_control(control);
        let first = Bench::of(&config, u32::MAX - 40);
        let end = |step| {
            let mut bench = Bench::of(&config, u32::MAX - 40);
            bench.now = first.now;
            bench.step = step;
            (bench, Receiver::new(&config, Tsn(u32::MAX - 40)))
        };
        Self {
            ends: [usize::MAX, 1 + seed as usize % 9].map(end),
            random: seed as u32,
            steps: 0,
        }
    }

    /// Below `most`.
    fn dice(&mut self, most: u32) -> u32 {
        self.random = (self.random.wrapping_mul(1_664_525)).wrapping_add(1_013_904_223);
        (self.random >> 8) % most
    }

    fn queue(&mut self) {
        for _ in 0..self.dice(30) {
            let length = match self.dice(3) {
                0 => 1 + self.dice(30),
                _ => 1 + self.dice(6000),
            };
            let reliability = match self.dice(4) {
                0 => Reliability::Retransmits(self.dice(2) as u16),
                1 => Reliability::Lifetime(MS * (1 + self.dice(100))),
                _ => Reliability::Reliable,
            };
            let ordered = self.dice(2) == 0;
            let stream = self.dice(3) as u16;
            let options = SendOptions {
                ordered,
                reliability,
            };
            for (bench, _) in &mut self.ends {
                let payload = Bytes::from(vec![3; length as usize]);
                let message = options.queued(bench.now, 53, payload, true);
                bench.sender.queue.push(stream, message);
            }
        }
    }

    /// One round trip, or a part of one.
    fn round(&mut self) {
        let time = MS * self.dice(20);
        for (bench, _) in &mut self.ends {
            bench.now += time;
            loop {
                bench.input();
                bench.sender.handle_timeout(bench.now, &mut bench.stats);
                if !bench.sender.is_busy() {
                    break;
                }
                bench.steps += 1;
            }
        }
        let packets = self.packets();
        let mut arrived = Vec::new();
        for packet in packets {
            match self.dice(5) {
                0 => {}
                1 => arrived.insert(0, packet),
                _ => arrived.push(packet),
            }
        }
        let (blocks, taken) = (self.dice(40) as usize, self.dice(50) == 0);
        for (bench, receiver) in &mut self.ends {
            for data in arrived.iter().flat_map(|packet| data_of(packet)) {
                receiver.handle_data(&data, None, true, &mut { usize::MAX });
            }
            for stream in 0..3 {
                while receiver.read(stream, None).is_some() {}
            }
            let mut sack = Vec::new();
            receiver.write_sack(&mut sack, 1100);
            let sack = Sack::parse(&sack[4..]).unwrap();
            let gaps = Vec::from_iter(sack.gaps().take(blocks));
            let twice = Vec::from_iter(sack.duplicates().map(|tsn| tsn.0));
            let mut cumulative = sack.cumulative;
            let base = bench.sender.outstanding.cumulative();
            if taken && let Some((first, last)) = gaps.first().filter(|(first, last)| first < last)
            {
                // It has the first of a block in order now, and no more of it.
                cumulative = cumulative.advanced(u32::from(*first));
                assert!(last > first);
                receiver.handle_forward(cumulative, std::iter::empty());
                bench.sack(cumulative.0, &[]);
            } else if base.near(cumulative) >= base {
                bench.sack_with(cumulative.0, sack.window, &gaps, &twice);
            }
        }
        self.compare();
    }

    fn packets(&mut self) -> Vec<Vec<u8>> {
        let [first, second] = &mut self.ends;
        let mut packets = Vec::new();
        loop {
            let [one, other] = [&mut first.0, &mut second.0].map(Bench::packet);
            let tsns = |packet: &Option<Vec<u8>>| {
                let data = packet.iter().flat_map(|it| data_of(it));
                Vec::from_iter(data.map(|it| it.tsn))
            };
            assert_eq!(tsns(&one), tsns(&other));
            assert!(one == other);
            match one {
                Some(packet) => packets.push(packet),
                None => return packets,
            }
        }
    }

    fn compare(&mut self) {
        let [(one, _), (other, _)] = &mut self.ends;
        for bench in [&mut *one, &mut *other] {
            bench.input();
            bench.sender.judge(bench.now, &mut bench.stats);
            bench.finish();
        }
        self.steps += std::mem::take(&mut other.steps);
        assert_eq!(one.steps, 0);
        assert_eq!(format!("{:?}", one.stats), format!("{:?}", other.stats));
        let of = |bench: &Bench| {
            let sender = &bench.sender;
            let flight = sender.outstanding.flight_bytes();
            let sizes = (flight, sender.queue.held(), sender.control.window());
            let packets = (
                sender.outstanding.packets.oldest(),
                sender.outstanding.peek_lost(),
            );
            (
                sizes,
                packets,
                sender.poll_timeout(),
                sender.recovery.rtt.timeout(),
            )
        };
        assert_eq!(of(one), of(other));
        one.sender.outstanding.check();
        other.sender.outstanding.check();
    }
}

/// Losses, lateness, blocks that are left out or taken back, lifetimes and limits, and TSNs that wrap.
#[test]
fn steps_come_out_as_if_all_were_done_at_once() {
    for_each_seed(60, |seed| {
        let controls = [
            CongestionControl::NewReno,
            CongestionControl::Cubic,
            CongestionControl::Bbr,
        ];
        let mut twins = Twins::new(seed, controls[seed as usize % 3]);
        for _ in 0..120 {
            twins.queue();
            twins.round();
        }
        assert!(twins.steps > 100, "seed {seed}: {}", twins.steps);
    });
}
