//! Two owners who send whatever they like, on a path that loses, doubles, brings late, swallows long packets and vanishes for
//! seconds, to readers who stop for seconds: what is reliable arrives once and in its order, what is not at most once and never
//! after it was given up, nothing stands still for longer than timers explain, and nothing is left at the end.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{self as netsim, Link, for_each_seed, mbps, ms, percent};
use oxirtc_sctp::{
    Association, Config, CongestionControl, Error, Event, Reliability, SendOptions, State,
    packet::{ChunkKind, Data, IData, Packet},
};

use support::{Pair, Sides as _, seeds};

/// A message that was taken.
#[derive(Debug)]
struct Said {
    stream: usize,
    ordered: bool,
    reliability: Reliability,
    length: usize,
    at: Instant,
    /// How often its first chunk was sent.
    sent: u32,
    heard: bool,
}

struct Game {
    pair: Pair,
    seed: u64,
    dice: u32,
    link: Link,
    mtu: usize,
    up: bool,
    /// Until when each end reads nothing.
    deaf: [Option<Instant>; 2],
    /// By who speaks: all that was said, by its number.
    said: [BTreeMap<u32, Said>; 2],
    /// By who speaks: of each stream the last ordered message that was heard.
    last: [[Option<u32>; STREAMS]; 2],
    next: u32,
    /// By who speaks: since when what is unacknowledged and what has come are the same.
    still: [(Instant, usize, u64); 2],
    /// In percent.
    loss: u32,
    largest: usize,
    counts: [u64; 7],
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut dice = seed as u32 ^ 0x00c0_ffee;
        let mut roll = |most: u32| roll(&mut dice, most);
        let loss = [0, 0, 1, 3, 8, 15][roll(6) as usize];
        let mut link = Link::new(seed).delay(ms([1, 10, 50, 150][roll(4) as usize]));
        link = (link.loss(percent(loss))).jitter(ms([0, 0, 5, 30][roll(4) as usize]));
        if roll(3) == 0 {
            link = link.reorder(percent(10), ms(60));
        }
        if roll(3) == 0 {
            link = link.duplicate(percent(5));
        }
        if roll(2) == 0 {
            let queue = [8_000, 30_000, 200_000][roll(3) as usize];
            link = link.rate(mbps([1, 5, 50][roll(3) as usize])).queue(queue);
        }
        let (window, largest) = [
            (256 << 10, 64 << 10),
            (64 << 10, 16 << 10),
            (32 << 10, 4 << 10),
            (4 << 20, 256 << 10),
        ][roll(4) as usize];
        let control = match roll(4) {
            0 => CongestionControl::NewReno,
            1 => CongestionControl::Bbr,
            _ => CongestionControl::Cubic,
        };
        let ends = [0, 1].map(|side| {
            let mut bytes = [side; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            let config = Config::default()
                .interleaving(seed.is_multiple_of(2))
                .congestion_control(control)
                .max_message_size(largest)
                .receive_window(window)
                .send_buffer(1 << 20);
            Association::new(config, bytes, netsim::epoch())
        });
        let mut pair = support::pair_of(ends, link.reseeded(seed)).connected();
        pair.keep();
        let now = pair.now;
        for end in &mut pair.ends {
            end.room = 1500;
            end.path_changed(1432);
        }
        Self {
            pair,
            seed,
            dice,
            link,
            mtu: 1500,
            up: true,
            deaf: [None; 2],
            said: Default::default(),
            last: Default::default(),
            next: 0,
            still: [(now, 0, 0); 2],
            loss,
            largest,
            counts: [0; 7],
        }
    }

    fn roll(&mut self, most: u32) -> u32 {
        roll(&mut self.dice, most)
    }

    fn say(&mut self, side: usize) {
        let stream = self.roll(STREAMS as u32) as usize;
        let ordered = self.roll(3) > 0;
        let reliability = match self.roll(8) {
            0 => Reliability::Retransmits(0),
            1 => Reliability::Retransmits(self.roll(4) as u16),
            2 => Reliability::Lifetime(ms(u64::from(self.roll(100)))),
            3 => Reliability::Lifetime(ms(u64::from(self.roll(5000)))),
            _ => Reliability::Reliable,
        };
        let length = match self.roll(16) {
            0 => self.largest,
            1 | 2 => 4 + self.roll(self.largest as u32 - 4) as usize,
            3..7 => 4 + self.roll(3000) as usize,
            _ => 4 + self.roll(40) as usize,
        };
        let length = length.min(self.largest);
        let number = self.next;
        let mut payload = Vec::from(number.to_be_bytes());
        payload.resize(length, number as u8);
        let options = SendOptions {
            ordered,
            reliability,
        };
        let (now, payload) = (self.pair.now, Bytes::from(payload));
        match self.pair.ends[side].send(now, stream as u16, 53, payload, options) {
            Ok(()) => {}
            Err(Error::BufferFull) => return,
            Err(error) => panic!("{error:?}"),
        }
        self.next += 1;
        let said = Said {
            stream,
            ordered,
            reliability,
            length,
            at: now,
            sent: 0,
            heard: false,
        };
        self.said[side].insert(number, said);
    }

    /// What was sent: nothing that was given up, and nothing more often than it may be.
    fn check_sent(&mut self) {
        let sent = self.pair.sent.replace(Vec::new());
        for sent in sent.unwrap() {
            let side = usize::from(sent.from == netsim::End::B);
            let packet = Packet::parse_unsummed(&sent.datagram).unwrap();
            for chunk in packet.chunks() {
                let (flags, payload) = match chunk.kind {
                    ChunkKind::DATA => Data::parse(chunk).map(|it| (it.flags, it.payload)),
                    ChunkKind::I_DATA => IData::parse(chunk).map(|it| (it.flags, it.payload)),
                    _ => continue,
                }
                .unwrap();
                if flags & Data::BEGIN == 0 {
                    continue;
                }
                let number = u32::from_be_bytes(*payload.first_chunk().unwrap());
                let said = self.said[side].get_mut(&number).unwrap();
                said.sent += 1;
                match said.reliability {
                    Reliability::Reliable => {}
                    Reliability::Retransmits(most) => {
                        assert!(said.sent <= u32::from(most) + 1, "{} of {most}", said.sent)
                    }
                    Reliability::Lifetime(time) => {
                        let time = time.max(ms(1));
                        assert!(sent.at < said.at + time, "after its time")
                    }
                }
            }
        }
    }

    fn hear(&mut self) {
        for side in 0..2 {
            if self.deaf[side].is_some_and(|until| self.pair.now < until) {
                continue;
            }
            self.deaf[side] = None;
            for stream in 0..STREAMS {
                for message in self.pair.read_all(side, stream as u16) {
                    let number = u32::from_be_bytes(*message.payload.first_chunk().unwrap());
                    let said = self.said[1 - side].get_mut(&number).unwrap();
                    assert!(!std::mem::replace(&mut said.heard, true), "{number} twice");
                    assert_eq!((said.stream, said.ordered), (stream, message.ordered));
                    assert_eq!(said.length, message.payload.len());
                    assert!(message.payload[4..].iter().all(|it| *it == number as u8));
                    if !said.ordered {
                        continue;
                    }
                    let last = self.last[1 - side][stream].replace(number);
                    assert!(last.is_none_or(|last| last < number), "out of order");
                    let first = last.map_or(0, |it| it + 1);
                    let mut passed = self.said[1 - side].range(first..number);
                    let passed = passed.find(|(_, it)| {
                        it.stream == stream && it.ordered && it.reliability == Reliability::Reliable
                    });
                    assert!(passed.is_none(), "{:?} was passed", passed.map(|it| it.0));
                }
            }
        }
    }

    /// Whether anything moves where something could.
    fn watch(&mut self) {
        for side in 0..2 {
            let (from, to) = (&self.pair.ends[side], &self.pair.ends[1 - side]);
            let (left, come) = (from.total_unacknowledged(), to.stats().data_chunks_received);
            let (since, ..) = self.still[side];
            let may = self.up && self.deaf[1 - side].is_none() && left > 0;
            if !may || self.still[side] != (since, left, come) {
                self.still[side] = (self.pair.now, left, come);
            }
            let still = self.pair.now - self.still[side].0;
            // A timeout is 3 s at most, and a round trip 0.3 s without what waits in queues.
            assert!(self.loss > 0 || still < ms(4000), "{side} stands still");
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            self.pair.run_for(ms(50).min(end - self.pair.now));
            self.check_sent();
            self.hear();
            self.watch();
        }
    }

    fn set_up(&mut self, up: bool) {
        self.up = up;
        self.pair.wire.set_up(up);
    }

    fn play(&mut self) {
        for _ in 0..40 {
            let side = self.roll(2) as usize;
            match self.roll(24) {
                0 => {
                    self.set_up(false);
                    let time = 1000 + u64::from(self.roll(24_000));
                    for _ in 0..self.roll(4) {
                        self.run(ms(time / 4));
                        self.say(side);
                    }
                    self.run(ms(time / 4));
                    self.set_up(true);
                }
                1 | 2 => {
                    self.mtu = 2700 - self.mtu;
                    let link = self.link.clone().mtu(self.mtu);
                    self.pair.wire.set_conditions(&link);
                }
                3 | 4 => {
                    let time = ms(500 + u64::from(self.roll(8000)));
                    self.deaf[side] = Some(self.pair.now + time);
                }
                5 => {
                    for end in &mut self.pair.ends {
                        end.path_changed(1432);
                    }
                }
                _ => {
                    for _ in 0..=self.roll(20) {
                        self.say(side);
                    }
                }
            }
            let time = match self.roll(8) {
                0 => 3000,
                1 | 2 => u64::from(self.roll(400)),
                _ => u64::from(self.roll(30)),
            };
            self.run(ms(time));
        }
        self.end();
    }

    fn end(&mut self) {
        let closes = self.seed % 3 == 1;
        if closes {
            // T5 bounds how long the end takes without anything new.
            let link = Link::new(self.seed).delay(ms(20)).loss(percent(2));
            self.loss = 2;
            self.pair.wire.set_conditions(&link);
            let (side, now) = (self.roll(2) as usize, self.pair.now);
            self.pair.ends[side].shutdown(now);
        }
        for _ in 0..6000 {
            self.run(ms(100));
            let waits = |it: &Said| it.reliability == Reliability::Reliable && !it.heard;
            let left = self.said.iter().any(|it| it.values().any(waits))
                || self
                    .pair
                    .ends
                    .iter()
                    .any(|it| it.total_unacknowledged() > 0);
            let over = !closes || self.pair.ends.iter().all(|it| it.state() == State::Closed);
            if !left && over && self.deaf == [None; 2] {
                break;
            }
        }
        self.run(ms(1000));
        for side in 0..2 {
            let mut events = self.pair.main_events(side);
            events.retain(|it| !matches!(it, Event::Readable { .. }));
            let failed = |it: &Event| matches!(it, Event::Failed { .. } | Event::Restarted);
            assert!(!events.iter().any(failed), "{events:?}");
            let closed = events.iter().any(|it| {
                matches!(
                    it,
                    Event::Closed {
                        cause_code: None,
                        ..
                    }
                )
            });
            assert_eq!(closed, closes, "{events:?}");
            let end = &self.pair.ends[side];
            let stats = end.stats();
            assert_eq!(end.total_unacknowledged(), 0, "{stats:?}");
            assert_eq!(stats.in_flight, 0);
            for stream in 0..STREAMS as u16 {
                assert_eq!(end.buffered_amount(stream) + end.unacknowledged(stream), 0);
            }
            let missing = self.said[side].iter().filter(|(_, it)| !it.heard);
            let (lost, given_up) =
                missing.partition::<Vec<_>, _>(|(_, it)| it.reliability == Reliability::Reliable);
            assert!(lost.is_empty(), "{:?} lost", lost.first());
            let reported = stats.abandoned_sent + stats.abandoned_unsent;
            assert!(
                given_up.len() as u64 <= reported,
                "{} of {reported}",
                given_up.len()
            );
            let heard = self.said[side].len() - given_up.len();
            let seen = [
                heard as u64,
                given_up.len() as u64,
                stats.retransmissions,
                stats.retransmission_timeouts,
                stats.spurious_recoveries,
                stats.black_holes,
                u64::from(closed),
            ];
            (self.counts.iter_mut().zip(seen)).for_each(|(count, seen)| *count += seen);
        }
    }
}

/// Below `most`.
fn roll(dice: &mut u32, most: u32) -> u32 {
    *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*dice >> 8) % most
}

#[test]
fn whatever_is_sent_arrives_or_is_given_up() {
    let mut total = [0; 7];
    for_each_seed(seeds(SEEDS), |seed| {
        let mut game = Game::new(seed);
        game.play();
        (total.iter_mut().zip(game.counts)).for_each(|(total, count)| *total += count);
    });
    // So that it has seen what it is for.
    assert!(total.iter().all(|it| *it > 20), "{total:?}");
}

const STREAMS: usize = 6;
const SEEDS: u64 = 60;
