//! A publisher with two streams, a node that forwards, three receivers: loss on each hop, one receiver whose task gets no turn for a
//! while, streams switched.
//!
//! A sample of seeds by default; a hundred with `OXIRTC_FULL=1`.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::{env, time::Duration};

use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_peerconnection::{
    MediaKind, RtpEncodingParameters, RtpTransceiverDirection,
    engine::{Choice, Cutter, Event, MediaBatch, TransceiverId, TransceiverInit},
    media::{Codec, EncodedFrame},
};
use pair::{
    End, Pair,
    media::{ONE, connect},
};

const RIDS: [&str; 2] = ["lo", "hi"];
/// Five seconds.
const TICKS: u64 = 5000;
/// The second receiver's task gets no turn.
const STALL: std::ops::Range<u64> = 2500..3200;

/// One hop: the engine that sends, the engine that receives, and the transceivers at both.
struct Hop {
    pair: Pair,
    here: TransceiverId,
    there: TransceiverId,
    /// Where the events that were looked at end.
    looked: [usize; 2],
}

impl Hop {
    /// From the publisher: both streams.
    fn up(seed: u64, link: Link) -> Self {
        let mut pair = Pair::new(seed, link);
        let init = TransceiverInit {
            direction: RtpTransceiverDirection::SendOnly,
            streams: vec!["stream".to_owned()],
            encodings: RIDS.map(RtpEncodingParameters::named).to_vec(),
        };
        let engine = &mut pair.ends[0].engine;
        let here = engine.add_transceiver(MediaKind::Video, Some(ONE), init);
        let here = here.unwrap();
        let there = connect(&mut pair);
        pair.ends[1].engine.set_delivery(there, false, true);
        Self::new(pair, here, there)
    }

    fn down(seed: u64, link: Link) -> Self {
        let mut pair = Pair::new(seed, link);
        let streams = vec!["stream".to_owned()];
        let here = pair.ends[0]
            .engine
            .add_track(MediaKind::Video, ONE, streams);
        let here = here.unwrap();
        let there = connect(&mut pair);
        Self::new(pair, here, there)
    }

    fn new(pair: Pair, here: TransceiverId, there: TransceiverId) -> Self {
        Self {
            pair,
            here,
            there,
            looked: [0; 2],
        }
    }

    fn choose(&mut self, rid: &str) {
        let now = self.pair.now;
        let rids = RIDS.map(str::to_owned);
        let engine = &mut self.pair.ends[0].engine;
        engine.choose(now, self.here, &rids, &Choice::rid(rid));
    }

    /// The lanes of which a key frame was asked since the last time.
    fn asked(&mut self) -> [bool; 2] {
        let mut asked = [false; 2];
        let tasks = &self.pair.ends[0].tasks;
        for event in tasks.iter().skip(self.looked[0]).flatten() {
            if let Event::KeyframeRequested { lane, .. } = event {
                asked[usize::from(*lane)] = true;
            }
        }
        self.looked[0] = tasks.len();
        asked
    }
}

/// What a receiver saw of a frame: timestamp, lane, number of the picture.
type Seen = (u32, u8, u32);

/// The publisher's encoder of one stream.
struct Encoder {
    cutter: Cutter,
    lane: u8,
    len: usize,
    count: u32,
    wants_key: bool,
    keys: u32,
}

impl Encoder {
    fn new(lane: u8, len: usize) -> Self {
        Self {
            cutter: Cutter::default(),
            lane,
            len,
            count: 0,
            wants_key: true,
            keys: 0,
        }
    }

    fn picture(&mut self, now: std::time::Instant) -> MediaBatch {
        let key = std::mem::take(&mut self.wants_key);
        self.keys += u32::from(key);
        let len = if key { self.len * 4 } else { self.len };
        let mut payload = vec![self.count as u8 ^ self.lane << 7; len];
        payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        payload[10] = self.lane;
        payload[11..15].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        let mut frame = EncodedFrame::new(Codec::Vp8, payload);
        frame.captured = Some(now);
        self.cutter.cut_frame(now, self.lane, &frame).unwrap()
    }
}

/// What a frame is; it is full of it, so that a mixed one shows.
fn content(frame: &EncodedFrame) -> Seen {
    let payload = &frame.payload;
    let count = u32::from_be_bytes(payload[11..15].try_into().unwrap());
    let byte = count as u8 ^ payload[10] << 7;
    assert!(
        payload[15..].iter().all(|it| *it == byte),
        "a frame of mixed content"
    );
    (frame.timestamp.unwrap(), payload[10], count)
}

struct Room {
    up: Hop,
    downs: Vec<Hop>,
    encoders: [Encoder; 2],
    /// What waits for the one that has no turn.
    held: Vec<MediaBatch>,
    seen: Vec<Vec<Seen>>,
}

impl Room {
    fn new(seed: u64, loss: u32) -> Self {
        let link = |of: u64| Link::new(seed * 10 + of).delay(ms(15)).loss(percent(loss));
        let mut up = Hop::up(seed, link(0));
        let mut downs: Vec<_> = (1..4)
            .map(|it| Hop::down(seed * 10 + it, link(it)))
            .collect();
        // Connecting took each a time of its own: they go on from the same moment.
        let latest = downs.iter().map(|it| it.pair.now).max().unwrap();
        let latest = latest.max(up.pair.now);
        for hop in downs.iter_mut().chain([&mut up]) {
            let ahead: Duration = latest - hop.pair.now;
            hop.pair.run(ahead);
        }
        downs[0].choose("lo");
        downs[1].choose("lo");
        downs[2].choose("hi");
        Self {
            up,
            downs,
            encoders: [Encoder::new(0, 2500), Encoder::new(1, 9000)],
            held: Vec::new(),
            seen: vec![Vec::new(); 3],
        }
    }

    fn run(&mut self, ticks: u64) {
        for tick in 0..ticks {
            if tick == 1500 {
                self.downs[0].choose("hi");
            }
            if tick == 4000 {
                self.downs[0].choose("lo");
            }
            self.publish(tick);
            self.forward(tick);
            for (hop, seen) in self.downs.iter_mut().zip(&mut self.seen) {
                hop.pair.run(ms(1));
                let now = hop.pair.now;
                while let Some(frame) = hop.pair.ends[1].engine.read_frame(now, hop.there) {
                    seen.push(content(&frame));
                }
            }
        }
    }

    fn publish(&mut self, tick: u64) {
        let asked = self.up.asked();
        for (encoder, asked) in self.encoders.iter_mut().zip(asked) {
            encoder.wants_key |= asked;
            if tick.is_multiple_of(33) {
                let now = self.up.pair.now;
                let batch = encoder.picture(now);
                self.up.pair.ends[0].engine.write(now, self.up.here, &batch);
            }
        }
        self.up.pair.run(ms(1));
    }

    /// What came goes to all receivers; what they lack is asked for once.
    fn forward(&mut self, tick: u64) {
        let node = &mut self.up.pair.ends[1].engine;
        let came: Vec<_> = std::iter::from_fn(|| node.read_packets()).collect();
        for (number, hop) in self.downs.iter_mut().enumerate() {
            let now = hop.pair.now;
            let engine = &mut hop.pair.ends[0].engine;
            let new = came.iter().map(|(_, batch)| batch.clone());
            if number != 1 {
                new.for_each(|batch| engine.write(now, hop.here, &batch));
                continue;
            }
            self.held.extend(new);
            if !STALL.contains(&tick) {
                let held = self.held.drain(..);
                held.for_each(|batch| engine.write(now, hop.here, &batch));
            }
        }
        let now = self.up.pair.now;
        for hop in &mut self.downs {
            for (lane, asked) in hop.asked().into_iter().enumerate() {
                if asked {
                    let node = &mut self.up.pair.ends[1].engine;
                    node.request_keyframe(now, self.up.there, Some(lane as u8));
                }
            }
        }
    }
}

/// What receivers got over all seeds, in percent of the pictures.
#[derive(Default)]
struct Table {
    shares: [Vec<usize>; 3],
    keys: u32,
}

impl Table {
    fn add(&mut self, receiver: usize, share: usize) {
        self.shares[receiver].push(share);
    }

    fn print(&self) {
        println!("| receiver | mean | least |");
        println!("|---|---|---|");
        let seeds = self.shares[0].len();
        for (receiver, shares) in self.shares.iter().enumerate() {
            let mean = shares.iter().sum::<usize>() / seeds.max(1);
            let least = shares.iter().min().copied().unwrap_or(0);
            println!("| {receiver} | {mean} % | {least} % |");
        }
        println!("{} key frames in {seeds} seeds", self.keys);
    }
}

/// Repair is there from the first packet on, before a report has told of anything: a first request is answered at once, a large first frame
/// has its share, and requests are repeated by the round trip that ICE has measured. So both hops bring each picture.
#[test]
fn the_first_second_has_no_gap() {
    let mut room = Room::new(36, 5);
    room.run(1000);
    let numbers: Vec<_> = room.seen[2].iter().map(|it| it.2).collect();
    let whole = numbers.windows(2).all(|it| it[1] == it[0] + 1);
    assert!(whole && numbers.len() >= 24, "{numbers:?}");
}

#[test]
fn no_frame_is_mixed_and_nobody_waits_for_another() {
    let full = env::var_os("OXIRTC_FULL").is_some();
    let mut table = Table::default();
    for_each_seed(if full { 100 } else { 3 }, |seed| {
        let mut room = Room::new(seed, 5);
        room.run(TICKS);
        let pictures = room.encoders[0].count as usize;
        for (number, seen) in room.seen.iter().enumerate() {
            let rising = seen
                .windows(2)
                .all(|it| it[1].0.wrapping_sub(it[0].0).cast_signed() > 0);
            assert!(rising, "receiver {number}");
            for lane in 0..2 {
                let of_lane = seen.iter().filter(|it| it.1 == lane).map(|it| it.2);
                let numbers: Vec<_> = of_lane.collect();
                let rising = numbers.windows(2).all(|it| it[1] > it[0]);
                assert!(rising, "receiver {number}: {numbers:?}");
            }
            // The one that had no turn for 700 ms loses that, and what leads to the next key frame.
            let least = if number == 1 { 60 } else { 80 };
            let share = seen.len() * 100 / pictures;
            table.add(number, share);
            assert!(share >= least, "receiver {number}: {share} % of {pictures}");
        }
        let lanes = |of: usize| {
            let mut lanes: Vec<_> = room.seen[of].iter().map(|it| it.1).collect();
            lanes.dedup();
            lanes
        };
        assert_eq!(lanes(0), [0, 1, 0], "it was switched twice");
        assert_eq!((lanes(1), lanes(2)), (vec![0], vec![1]));
        let keys = room.encoders.each_ref().map(|it| it.keys);
        assert!(keys.iter().all(|it| *it < 25), "{keys:?}");
        table.keys += keys.iter().sum::<u32>();
        assert!(
            room.downs
                .iter()
                .all(|it| it.pair.ends.iter().all(End::is_connected))
        );
    });
    table.print();
}
