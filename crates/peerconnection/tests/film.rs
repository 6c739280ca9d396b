//! Loss × round trip: 30 pictures a second from one engine to another, and what of them arrives whole.
//!
//! A sample by default; all of it with `OXIRTC_FULL=1`. The table is printed.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::env;

use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_peerconnection::{
    Configuration, MediaKind,
    engine::{Parity, Settings},
};
use pair::{
    Pair,
    media::{Camera, ONE, asked, connect},
};

const LOSSES: [u32; 7] = [0, 1, 2, 5, 10, 15, 20];
const ROUND_TRIPS: [u64; 5] = [10, 50, 100, 200, 300];
const SEEDS: u64 = 5;
/// Twenty seconds.
const PICTURES: u32 = 600;

#[derive(Default)]
struct Seen {
    /// Pictures that came whole and could be decoded.
    whole: u32,
    keys: u64,
    freezes: u64,
    /// In seconds.
    frozen: f64,
    sent: u64,
    again: u64,
    parity: u64,
    lost: u64,
}

fn film(loss: u32, round_trip: u64, seed: u64, parity: Parity) -> Seen {
    let seed = seed + 1;
    let link = Link::new(seed * 1000 + u64::from(loss))
        .delay(ms(round_trip) / 2)
        .loss(percent(loss));
    let configuration = Configuration::default;
    let settings = Settings::default().parity(parity);
    let both = [configuration(), configuration()];
    let mut pair = Pair::with(seed, link, both, settings);
    let streams = vec!["stream".to_owned()];
    let here = pair.ends[0]
        .engine
        .add_track(MediaKind::Video, ONE, streams);
    let here = here.unwrap();
    let there = connect(&mut pair);
    let mut camera = Camera::default();
    let mut whole = camera.film(&mut pair, [here, there], PICTURES);
    // What is under way still comes.
    for _ in 0..20 {
        pair.run(ms(50));
        whole += pair::media::read(&mut pair, there);
    }
    let asked = asked(&pair, here) as u64;
    let now = pair.now;
    let sent = pair.ends[0].engine.stats(now);
    let sent = sent.outbound_rtp().next().unwrap();
    let came = pair.ends[1].engine.stats(now);
    let came = came.inbound_rtp().next().unwrap();
    Seen {
        whole,
        keys: asked,
        freezes: came.freeze_count.unwrap_or(0).into(),
        frozen: came.total_freezes_duration.unwrap_or(0.0),
        sent: sent.sent.packets_sent.unwrap_or(0),
        again: sent.retransmitted_packets_sent.unwrap_or(0),
        parity: came.fec_packets_received.unwrap_or(0),
        lost: came
            .received
            .packets_lost
            .unwrap_or(0)
            .max(0)
            .unsigned_abs(),
    }
}

/// How many of a hundred pictures come whole at least: what two repairs of each lost packet leave, though there is time for three or more.
///
/// A picture has three packets. A repair fails where the request or the answer to it is lost. What is given up after three round trips
/// and 50 ms, 200 ms at least, costs all pictures until a key frame has been asked for and has come, of which one request in so many is
/// lost as well.
fn by_two_repairs(loss: u32, round_trip: u64) -> f64 {
    let lost = f64::from(loss) / 100.0;
    let failed = 1.0 - (1.0 - lost).powi(2);
    let broken = 3.0 * lost * failed.powi(2);
    let wait = (3 * round_trip + 50).max(200);
    let pictures = (wait + 2 * round_trip) as f64 / 33.0 / (1.0 - failed);
    100.0 / (1.0 + broken * pictures)
}

/// The same by experience: a change that loses more than this was worse than what there is.
fn as_it_was(loss: u32, round_trip: u64) -> u32 {
    match (loss, round_trip) {
        (0, _) => 99,
        (..=2, _) => 99,
        (..=5, ..=100) => 97,
        (..=10, ..=100) => 90,
        (..=5, _) => 90,
        (..=10, _) => 75,
        _ => 40,
    }
}

#[test]
fn pictures_come_whole_over_lossy_paths() {
    let full = env::var_os("OXIRTC_FULL").is_some();
    println!(
        "| loss | round trip | whole | key frames asked for | freezes | frozen | packets | sent again | parity | lost on the way |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (at, loss) in LOSSES.into_iter().enumerate() {
        for (place, round_trip) in ROUND_TRIPS.into_iter().enumerate() {
            let sampled = (at + place) % 5 == 1;
            if !full && !sampled {
                continue;
            }
            let (mut seeds, mut sum) = (0, Seen::default());
            for_each_seed(if full { SEEDS } else { 1 }, |seed| {
                let it = film(loss, round_trip, seed, Parity::WhenLost);
                assert!(it.whole <= PICTURES + 1, "{} of {PICTURES}", it.whole);
                let share = it.whole * 100 / PICTURES;
                let repaired = by_two_repairs(loss, round_trip).floor() as u32;
                let least = as_it_was(loss, round_trip).max(repaired);
                assert!(
                    share >= least,
                    "loss {loss} %, round trip {round_trip} ms, seed {seed}: {share} % of {least}"
                );
                sum.whole += it.whole;
                sum.keys += it.keys;
                sum.freezes += it.freezes;
                sum.frozen += it.frozen;
                sum.sent += it.sent;
                sum.again += it.again;
                sum.parity += it.parity;
                sum.lost += it.lost;
                seeds += 1;
            });
            let pictures = f64::from(PICTURES) * seeds as f64;
            println!(
                "| {loss} % | {round_trip} ms | {:.1} % | {:.1} | {:.1} | {:.2} s | {} | {} | {} | {} |",
                f64::from(sum.whole) * 100.0 / pictures,
                sum.keys as f64 / seeds as f64,
                sum.freezes as f64 / seeds as f64,
                sum.frozen / seeds as f64,
                sum.sent / seeds,
                sum.again / seeds,
                sum.parity / seeds,
                sum.lost / seeds,
            );
        }
    }
}
