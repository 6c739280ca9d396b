//! Loss × delay: how much of a video of 30 pictures a second comes whole, how often it stands still, and what its repair costs.
//!
//! A sample by default; all of it with `OXIRTC_FULL=1`. The table is printed with `--nocapture`.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::env;

use oxirtc_netsim::{Link, for_each_seed, ms, percent};

use support::{Camera, Film as _, Pair, VIDEO, check};

const LOSSES: [u32; 5] = [0, 1, 5, 10, 20];
const ROUND_TRIPS: [u64; 4] = [10, 50, 100, 300];

/// What came of some seconds of video.
#[derive(Debug, Default)]
struct Row {
    pictures: u32,
    whole: u32,
    keys: u32,
    packets: u64,
    resent: u64,
    freezes: u64,
    frozen: f64,
}

fn film(loss: u32, round_trip: u64, seed: u64, millis: u64) -> Row {
    let link = Link::new(0).delay(ms(round_trip) / 2).loss(percent(loss));
    let mut pair = Pair::video(seed, &link);
    let mut camera = Camera::new(0, 4000);
    pair.film(&mut camera, millis);
    // What is under way, and its repair.
    pair.run(1500, |_, _| {});
    let frames = &pair.ends[1].frames;
    assert!(frames.iter().all(|it| check(it) == 0));
    let rises = frames
        .windows(2)
        .all(|it| it[1].timestamp.wrapping_sub(it[0].timestamp).cast_signed() > 0);
    assert!(rises, "a picture came twice, or out of order");
    let (_, _, received) = pair.ends[1].receive_stats(VIDEO).next().unwrap();
    let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().unwrap();
    Row {
        pictures: camera.count,
        whole: frames.len() as u32,
        keys: camera.keys,
        packets: sent.packets,
        resent: sent.resent,
        freezes: received.freezes,
        frozen: received.freeze_duration.as_secs_f64(),
    }
}

/// The least that comes whole, in percent. On a long path what is lost early is given up before the round trip is known, and what is lost
/// twice is given up always: a key frame begins anew.
/// A fifth of all packets is more than the share of what is sent again repairs.
fn least(loss: u32, round_trip: u64) -> u32 {
    match (loss, round_trip) {
        (0, _) => 98,
        (1, ..=100) => 95,
        (5, ..=100) => 90,
        (10, ..=100) => 80,
        (20, _) => 10,
        (1, _) => 65,
        _ => 30,
    }
}

#[test]
fn pictures_come_whole_and_repair_stays_in_its_share() {
    let full = env::var_os("OXIRTC_FULL").is_some();
    let (seeds, millis) = if full { (10, 30_000) } else { (1, 5000) };
    println!("loss  round trip   whole   keys  freezes  frozen  sent again");
    for loss in LOSSES {
        for round_trip in ROUND_TRIPS {
            let mut sum = Row::default();
            for_each_seed(seeds, |seed| {
                let row = film(loss, round_trip, seed + 1, millis);
                sum.pictures += row.pictures;
                sum.whole += row.whole;
                sum.keys += row.keys;
                sum.packets += row.packets;
                sum.resent += row.resent;
                sum.freezes += row.freezes;
                sum.frozen += row.frozen;
            });
            let whole = 100.0 * f64::from(sum.whole) / f64::from(sum.pictures);
            let again = 100.0 * sum.resent as f64 / sum.packets as f64;
            println!(
                "{loss:>3} %  {round_trip:>7} ms  {whole:>5.1} %  {:>4}  {:>7}  {:>4.1} s  {again:>8.1} %",
                sum.keys, sum.freezes, sum.frozen
            );
            let least = f64::from(least(loss, round_trip));
            assert!(whole >= least, "{loss} %, {round_trip} ms: {sum:?}");
            // A quarter of what is sent, with what the beginning had at hand.
            assert!(again <= 40.0, "{loss} %, {round_trip} ms: {sum:?}");
            assert!(loss > 0 || sum.resent == 0 && sum.freezes == 0, "{sum:?}");
        }
    }
}
