//! Loss × round trip × disorder × seeds: every pair connects, and moves its data whole.
//!
//! A sample by default; all of it with `OXIRTC_FULL=1`. The table of simulated time is printed.

mod pair;

use std::{collections::BTreeMap, env, time::Duration};

use bytes::Bytes;
use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_peerconnection::{DataChannelInit, Message, PeerConnectionState};
use pair::Pair;

const LOSSES: [u8; 6] = [0, 1, 5, 10, 20, 30];
const ROUND_TRIPS: [u64; 3] = [2, 100, 600];
const SEEDS: u64 = 5;
const CHUNK: usize = 16 * 1024;

struct Run {
    loss: u8,
    round_trip: u64,
    disorder: bool,
    seed: u64,
}

/// Simulated time: until both were connected, and until all had arrived both ways.
struct Taken {
    connected: Duration,
    moved: Duration,
}

impl Run {
    fn link(&self) -> Link {
        let seed = (self.seed + 1) * 1000 + u64::from(self.loss);
        let link = Link::new(seed)
            .delay(ms(self.round_trip) / 2)
            .loss(percent(self.loss));
        if !self.disorder {
            return link;
        }
        let by = ms(self.round_trip) / 2 + ms(5);
        link.jitter(ms(self.round_trip) / 10)
            .reorder(percent(5), by)
            .duplicate(percent(5))
    }

    /// Bytes that do not repeat, so that a chunk in the wrong place shows.
    fn data(&self, side: usize) -> Bytes {
        let length = if self.loss <= 10 { 1 << 20 } else { 64 << 10 };
        let mut state = (self.seed + 1) << 8 | side as u64 | 1 << 40;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u8
        };
        (0..length).map(next).collect()
    }

    fn go(&self) -> Taken {
        let mut pair = Pair::new(self.seed + 1, self.link());
        let here = pair.open(0, "data", &DataChannelInit::default());
        assert!(pair.negotiate(0).is_ok());
        let limit = Duration::from_secs(60);
        let connected = pair.until(limit, |pair| {
            pair.ends.iter().all(pair::End::is_connected) && !pair.ends[1].channels.is_empty()
        });
        let channels = [here, pair.ends[1].channels[0]];
        let data = [self.data(0), self.data(1)];
        let mut sent = [0, 0];
        let start = pair.now;
        let received = |pair: &pair::Wired, side: usize| -> usize {
            pair.ends[side]
                .inbox
                .iter()
                .map(|(_, message)| message.len())
                .sum()
        };
        let mut before = [0, 0];
        while sent != before
            || before
                .iter()
                .zip(&data)
                .any(|(sent, data)| *sent < data.len())
        {
            before = sent;
            for side in 0..2 {
                while sent[side] < data[side].len() {
                    let chunk = data[side].slice(sent[side]..sent[side] + CHUNK);
                    let message = Message::Binary(chunk);
                    if pair.try_send(side, channels[side], &message).is_err() {
                        break;
                    }
                    sent[side] += CHUNK;
                }
            }
            pair.run(ms(1));
        }
        pair.until(Duration::from_secs(1200), |pair| {
            (0..2).all(|side| received(pair, side) == data[1 - side].len())
        });
        let moved = pair.now - start;
        for side in 0..2 {
            let all: Vec<u8> = pair.ends[side]
                .inbox
                .iter()
                .flat_map(|(_, it)| it.as_bytes().to_vec())
                .collect();
            assert!(all == data[1 - side], "the bytes differ");
            let told = &pair.ends[side].story();
            assert!(
                !told.iter().any(|it| it == "connection Failed"),
                "a connection was lost: {told:?}"
            );
            assert_eq!(
                pair.ends[side].engine.connection_state(),
                PeerConnectionState::Connected
            );
        }
        Taken { connected, moved }
    }
}

#[test]
fn every_pair_connects_and_moves_its_data() {
    let full = env::var_os("OXIRTC_FULL").is_some();
    let mut table: BTreeMap<(u8, u64, bool), Vec<Taken>> = BTreeMap::new();
    for loss in LOSSES {
        for round_trip in ROUND_TRIPS {
            for disorder in [false, true] {
                // The sample: each loss and each round trip, and disorder with each once.
                let sampled = disorder == (loss % 2 == 0) && (loss != 10 || round_trip == 100);
                if !full && !sampled {
                    continue;
                }
                for_each_seed(if full { SEEDS } else { 1 }, |seed| {
                    println!(
                        "loss {loss} %, round trip {round_trip} ms, disorder {disorder}, seed {seed}"
                    );
                    let taken = Run {
                        loss,
                        round_trip,
                        disorder,
                        seed,
                    }
                    .go();
                    table
                        .entry((loss, round_trip, disorder))
                        .or_default()
                        .push(taken);
                });
            }
        }
    }
    println!(
        "\nloss  round trip  disorder  runs   connected median / worst    moved median / worst"
    );
    for ((loss, round_trip, disorder), mut taken) in table {
        let mut column = |of: fn(&Taken) -> Duration| {
            taken.sort_by_key(of);
            let seconds = |it: Option<&Taken>| it.map_or(0.0, |it| of(it).as_secs_f64());
            (seconds(taken.get(taken.len() / 2)), seconds(taken.last()))
        };
        let (connected, slowest) = column(|it| it.connected);
        let (moved, longest) = column(|it| it.moved);
        println!(
            "{loss:>3} %  {round_trip:>7} ms  {:>8}  {:>4}  {connected:>10.3} / {slowest:>7.3} s  {moved:>9.3} / {longest:>8.3} s",
            if disorder { "yes" } else { "no" },
            taken.len(),
        );
    }
}
