//! Goodput over paths of every kind, in simulated time: a sample here, all of it with `OXIRTC_FULL=1`, one cell a line
//! with `--nocapture`; `--release` is 30 times as fast. `OXIRTC_BLESS=1` writes the snapshot anew.

#[path = "tables/path.rs"]
mod path;

use netsim::{ms, secs};
use oxirtc_netsim as netsim;
use oxirtc_sctp::CongestionControl::{Bbr, Cubic, NewReno};

use path::{Outcome, Path, Shared, Transfer};

/// Whether all cells are asked for.
fn whole() -> bool {
    std::env::var_os("OXIRTC_FULL").is_some()
}

/// 100 Mbit/s, or less for the sample.
fn rate() -> u64 {
    if whole() { 100 } else { 20 }
}

fn transfer(path: Path) -> Transfer {
    Transfer::new(path, 1)
}

/// Ten rounds of slow start from ten packets, none of which may stand still, in batches of any size.
#[test]
fn ten_megabytes_over_a_long_path() {
    for batch in [1, 8, 64] {
        let path = Path::new().round_trip(ms(100)).batch(batch);
        let took = transfer(path).until(10_000_000);
        println!("batches of {batch}: 10 MB in {took:?}");
        assert!(took <= ms(1300), "batches of {batch}: {took:?}");
    }
}

/// The peer's window over the round trip: 4 MiB in 50 ms, and not long in slow start.
#[test]
fn a_path_without_loss_is_filled_to_the_window() {
    let path = Path::new().round_trip(ms(50)).batch(64);
    let mut transfer = transfer(path);
    transfer.run(ms(700));
    let outcome = transfer.measure(secs(2));
    println!("50 ms, no loss: {outcome}");
    assert!(outcome.goodput >= 75.0, "{outcome}");
}

/// A bottleneck with a short, a right and a long queue.
#[test]
fn a_bottleneck_is_used_whatever_its_queue() {
    for (quarters, control, least) in [
        (1, Cubic, 0.92),
        (4, Cubic, 0.92),
        (16, Cubic, 0.92),
        // Half of 1.25 bandwidth-delay products is less than one: it is bound to about 89 % there, over many rounds.
        (1, NewReno, if whole() { 0.88 } else { 0.85 }),
        (4, NewReno, 0.92),
        (1, Bbr, 0.8),
        (4, Bbr, 0.85),
    ] {
        let path = Path::new().round_trip(ms(50)).rate(rate()).queue(quarters);
        let mut transfer = transfer(path.batch(8).control(control));
        transfer.run(secs(5));
        // Hundreds of round trips are one of its rounds.
        let long = if control == NewReno { 120 } else { 30 };
        let outcome = transfer.measure(secs(if whole() { long } else { 10 }));
        let share = outcome.goodput / path.most();
        println!(
            "queue of {quarters}/4, {control:?}: {outcome}, {:.1} %",
            share * 100.0
        );
        assert!(
            share >= least,
            "{quarters}/4 {control:?}: {share:.3} {outcome}"
        );
        assert!(outcome.silence < ms(1000), "{outcome}");
    }
}

/// The same with the packets that a path of Ethernet carries, of which two go again for one that is lost: that is no second overflow.
#[test]
fn a_short_queue_is_used_with_long_packets() {
    let path = Path::new().round_trip(ms(50)).rate(rate()).queue(1);
    for (control, least) in [(Cubic, 0.92), (NewReno, 0.85)] {
        let mut transfer = transfer(path.batch(8).longest(1432).control(control));
        transfer.run(secs(5));
        let outcome = transfer.measure(secs(30));
        let share = outcome.goodput / path.most();
        println!(
            "queue of 1/4, {control:?}: {outcome}, {:.1} %",
            share * 100.0
        );
        assert!(share >= least, "{control:?}: {share:.3} {outcome}");
    }
}

/// A queue overflows at the end of slow start, and no SACK says all of what has come, as dcSCTP's name twenty blocks. What nobody speaks
/// of is not in the network any more, and nothing waits for it.
#[test]
fn an_overflow_is_repaired_however_little_a_sack_says() {
    // Half of a window that hardly overflowed is less than the path has room for.
    for (control, least) in [(Cubic, 0.8), (NewReno, 0.65), (Bbr, 0.7)] {
        for late in [0.0, 5.0] {
            let path = Path::new().round_trip(ms(100)).rate(20).queue(2);
            let path = path.reorder(late, ms(10)).blocks(20);
            let outcome = transfer(path.batch(8).control(control)).measure(secs(10));
            println!("twenty blocks, {control:?}, {late} % late: {outcome}");
            let share = outcome.goodput / path.most();
            assert!(share >= least, "{control:?}, {late}: {share:.3} {outcome}");
            assert!(outcome.silence < ms(1000), "{control:?}, {late}: {outcome}");
        }
    }
}

/// The same where the overflow leaves hundreds of holes: twenty of them a round trip, or two hundred where a SACK of ours has room for no
/// more, would be repaired for seconds. Beside them what has come is shown, in percent of the path.
#[test]
fn an_overflow_of_many_holes_is_repaired_in_a_few_round_trips() {
    // Rate, round trip, quarters of a bandwidth-delay product, blocks, and at least that share.
    let paths = [
        (100, 100, 2, 20, [0.75, 0.8, 0.6]),
        (20, 600, 2, usize::MAX, [0.62, 0.55, 0.65]),
        (50, 100, 1, 20, [0.82, 0.85, 0.5]),
        (20, 300, 4, 20, [0.5, 0.6, 0.6]),
    ];
    for (rate, trip, queue, blocks, least) in paths.into_iter().take(if whole() { 4 } else { 2 }) {
        for (control, least) in [Cubic, NewReno, Bbr].into_iter().zip(least) {
            let path = Path::new().round_trip(ms(trip)).rate(rate).queue(queue);
            let path = path.blocks(blocks).batch(8).control(control);
            let seconds = if blocks == 20 { 10 } else { 30 };
            let outcome = transfer(path).measure(secs(seconds));
            let share = outcome.goodput / path.most();
            println!(
                "{rate} Mbit/s, {trip} ms, queue of {queue}/4, {control:?}: {outcome}, {:.1} %",
                share * 100.0
            );
            assert!(share >= least, "{share:.3}");
            assert!(outcome.silence < ms(2500));
        }
    }
}

/// A path that becomes much slower, with a deep queue that fills and drains: what comes back when it is empty is no first copy of what left
/// when it was full, and what is told of late is no round trip.
#[test]
fn a_path_that_becomes_slower_is_used() {
    for (rate, slower, trip, queue) in [
        (50, 1, 100, 200_000),
        (100, 5, 100, 600_000),
        (50, 2, 100, 300_000),
        (20, 2, 200, 300_000),
        (20, 1, 300, 300_000),
    ] {
        for (control, blocks) in [(Cubic, 20), (Cubic, usize::MAX), (NewReno, 20)] {
            let path = Path::new()
                .round_trip(ms(trip))
                .rate(rate)
                .queue(4)
                .control(control);
            let shares = (0..if whole() { 10 } else { 2 }).map(|run| {
                let mut transfer = transfer(path.batch(8).blocks(blocks));
                transfer.run(ms(10_000 + 37 * run));
                let link = netsim::Link::new(run).delay(ms(trip / 2));
                transfer.becomes(&link.rate(netsim::mbps(slower)).queue(queue));
                transfer.run(secs(5));
                let goodput = transfer.measure(secs(60)).goodput;
                goodput / path.rate(slower).most()
            });
            let shares = Vec::from_iter(shares);
            println!("{rate} to {slower} Mbit/s, {control:?}, {blocks} blocks: {shares:.2?}");
            assert!(shares.iter().all(|it| *it > 0.8), "{shares:.2?}");
        }
    }
}

/// The model measures what comes, and a SACK of twenty blocks says most of it later: where packets are late and none is lost it is nearly
/// new, and what a probe for more has lost bounds nothing that leaves after it.
#[test]
fn a_model_keeps_its_rate_though_sacks_are_short() {
    let path = |rate, queue| Path::new().round_trip(ms(100)).rate(rate).queue(queue);
    let late = path(100, 4).reorder(20.0, ms(50));
    for (name, path, least) in [
        ("20 % late", late, 0.7),
        ("a queue of 1/2", path(50, 2), 0.82),
    ] {
        let mut transfer = transfer(path.blocks(20).batch(8).control(Bbr));
        transfer.run(secs(5));
        let outcome = transfer.measure(secs(15));
        let share = outcome.goodput / path.most();
        println!("twenty blocks, the model, {name}: {outcome}, {share:.3}");
        assert!(share >= least, "{name}: {share:.3}");
    }
}

/// In steady state random loss is found without a timeout.
#[test]
fn random_loss_needs_no_timeout() {
    for loss in [0.5, 1.0, 2.0] {
        netsim::for_each_seed(if whole() { 5 } else { 2 }, |seed| {
            let path = Path::new()
                .round_trip(ms(50))
                .rate(rate())
                .queue(4)
                .loss(loss);
            let mut transfer = Transfer::new(path.batch(8), seed);
            transfer.run(secs(2));
            let outcome = transfer.measure(secs(18));
            println!("loss of {loss} %, seed {seed}: {outcome}");
            assert_eq!(
                outcome.timeouts, 0,
                "loss of {loss} %, seed {seed}: {outcome}"
            );
        });
    }
}

/// Random loss says little of a path, and a model of it knows.
#[test]
fn a_model_of_the_path_bears_random_loss() {
    let cells = [(0.5, 5.0), (1.0, 5.0), (0.0, 0.9), (2.0, 1.0)];
    for (loss, least) in cells.into_iter().take(if whole() { 4 } else { 2 }) {
        let [cubic, bbr] = [Cubic, Bbr].map(|control| {
            let path = Path::new().round_trip(ms(50)).rate(30).queue(4).loss(loss);
            let mut transfer = transfer(path.batch(8).control(control));
            transfer.run(secs(2));
            let outcome = transfer.measure(secs(if whole() { 15 } else { 5 }));
            println!("loss of {loss} %, {control:?}: {outcome}");
            outcome
        });
        let ratio = bbr.goodput / cubic.goodput;
        assert!(ratio >= least, "loss of {loss} %: {ratio:.2}, {bbr}");
        assert_eq!(bbr.timeouts, 0, "loss of {loss} %: {bbr}");
    }
}

/// What is late is not lost.
#[test]
fn reordering_is_not_loss() {
    let path = Path::new()
        .round_trip(ms(50))
        .rate(rate())
        .queue(4)
        .batch(8);
    let mut straight = transfer(path);
    straight.run(secs(3));
    let straight = straight.measure(secs(10));
    let mut mixed = transfer(path.reorder(5.0, ms(10)));
    mixed.run(secs(3));
    let mixed = mixed.measure(secs(10));
    println!("straight: {straight}\n5 % up to 10 ms late: {mixed}");
    assert!(
        mixed.goodput >= 0.8 * straight.goodput,
        "{mixed} of {straight}"
    );
    assert_eq!(mixed.timeouts, 0);
    let overflows = (mixed.episodes, mixed.spurious);
    // So it is for a model where a quarter of the round trip is not enough, and nothing but what has come late tells of it.
    let mut mixed = transfer(path.control(Bbr).reorder(5.0, ms(20)));
    mixed.run(secs(3));
    let mixed = mixed.measure(secs(10));
    println!("5 % up to 20 ms late, a model: {mixed}");
    assert!(
        mixed.goodput >= 0.8 * straight.goodput,
        "{mixed} of {straight}"
    );
    if !whole() {
        return;
    }
    // At 20 Mbit/s the queue overflows meanwhile.
    assert_eq!(overflows, (0, 0));
    // Where nothing but the peer's window holds it up.
    let path = Path::new().round_trip(ms(50)).batch(8);
    for control in [Cubic, NewReno, Bbr] {
        let path = path.control(control);
        let [straight, mixed] = [path, path.reorder(5.0, ms(10))].map(|path| {
            let mut transfer = transfer(path);
            transfer.run(secs(1));
            transfer.measure(secs(5))
        });
        println!("no rate, {control:?}: {straight}, 5 % up to 10 ms late: {mixed}");
        let share = mixed.goodput / straight.goodput;
        assert!(share >= 0.8, "{control:?}: {share:.2}");
        assert_eq!((mixed.timeouts, mixed.spurious), (0, 0), "{control:?}");
    }
}

/// RFC 9438 §5.1, RFC 5681: periodic loss of 1 % against the formula.
#[test]
fn periodic_loss_gives_what_the_formula_says() {
    let packets = |control| match control {
        NewReno => 1.22 / 0.01f64.sqrt(),
        // Reno-friendly: √(α(1+β)/(2(1−β)p)).
        _ => (0.529f64 * 1.7 / (2.0 * 0.3 * 0.01)).sqrt(),
    };
    // A packet that is longer carries two pieces, and the window grows by as much.
    for (longest, payload) in [(1112, 1084.0), (1432, 1388.0)] {
        for control in [NewReno, Cubic] {
            let path = Path::new().round_trip(ms(50)).periodic(100).batch(1);
            let mut transfer = transfer(path.longest(longest).control(control));
            transfer.run(secs(10));
            let outcome = transfer.measure(secs(60));
            let expected = packets(control) * payload / 0.05 / 1e6;
            println!(
                "1 % periodic, packets of {longest}, {control:?}: {outcome}, the formula says {expected:.3}"
            );
            assert!(
                (outcome.goodput / expected - 1.0).abs() <= 0.15,
                "{longest} {control:?}: {outcome}, {expected:.3}"
            );
        }
    }
}

/// The sizes of batches are the socket's matter: they change little.
#[test]
fn batching_changes_little() {
    for loss in [0.0, 0.1] {
        let of = |batch| {
            let path = Path::new()
                .round_trip(ms(50))
                .rate(rate())
                .queue(4)
                .loss(loss);
            let mut transfer = transfer(path.batch(batch));
            transfer.run(secs(3));
            transfer.measure(secs(20)).goodput
        };
        let all = [1, 8, 64].map(of);
        println!("loss of {loss} %: {all:.3?} MB/s in batches of 1, 8, 64");
        let most = all.iter().fold(0.0f64, |a, b| a.max(*b));
        let few = if loss > 0.0 { 0.7 } else { 0.95 };
        assert!(all.iter().all(|it| *it >= most * few), "{all:?}");
    }
}

/// Two transfers over one bottleneck share it: the same controller within 30 %, however much the path carries; CUBIC beside NewReno too
/// where its window is Reno's, and beyond that the ratio is printed. Of several that begin one after the other, as each goes its own way.
#[test]
fn two_share_a_bottleneck() {
    let pairs = [
        (Cubic, Cubic, 10),
        (NewReno, NewReno, 10),
        (Cubic, NewReno, 10),
        (Bbr, Bbr, 20),
        (Cubic, NewReno, 100),
        (Bbr, NewReno, 10),
        (Bbr, Bbr, 10),
        (Bbr, Bbr, 50),
        (Bbr, Bbr, 100),
    ];
    for (one, other, rate) in pairs.into_iter().take(if whole() { 9 } else { 4 }) {
        let path = Path::new().round_trip(ms(50)).rate(rate).queue(4).batch(8);
        let runs = (0..if whole() { 8 } else { 4 }).map(|run| {
            let mut both = Shared::new(path, [one, other], ms(1000 + 310 * run));
            both.run(secs(if whole() { 60 } else { 20 }));
            both.measure(secs(if whole() { 120 } else { 20 }))
        });
        let runs = Vec::from_iter(runs);
        let [first, second] = [0, 1].map(|flow| {
            let all = runs.iter().map(|run| run[flow]);
            all.sum::<f64>() / runs.len() as f64
        });
        let share = first / (first + second);
        println!(
            "{one:?} beside {other:?}, {rate} Mbit/s: {first:.3} and {second:.3} MB/s, {:.2} times; of each {:.2?}",
            first / second,
            Vec::from_iter(runs.iter().map(|[first, second]| first / second))
        );
        if one != other && (one == Bbr || rate > 10) {
            continue; // what they leave to others there is printed
        }
        assert!(
            first.min(second) >= 0.7 * first.max(second),
            "{one:?} {other:?}: {share:.2}"
        );
    }
}

/// One factor at a time around 100 Mbit/s, 50 ms, 1 % and a queue of one bandwidth-delay product.
fn cells() -> Vec<(String, Path)> {
    let base = Path::new().round_trip(ms(50)).rate(100).queue(4).batch(8);
    let lossy = base.loss(1.0);
    let mut cells = Vec::new();
    let mut add = |name: String, path: Path| cells.push((name, path));
    for rate in [1, 10, 100, 1000] {
        add(format!("{rate} Mbit/s"), lossy.rate(rate));
        add(format!("{rate} Mbit/s, no loss"), base.rate(rate));
    }
    for trip in [2, 20, 100, 300] {
        add(format!("{trip} ms"), lossy.round_trip(ms(trip)));
        add(format!("{trip} ms, no loss"), base.round_trip(ms(trip)));
    }
    for loss in [0.1, 0.5, 2.0, 5.0] {
        add(format!("{loss} % at random"), base.loss(loss));
    }
    for loss in [0.1, 0.5, 1.0, 2.0, 5.0] {
        add(format!("{loss} % in bursts"), base.bursts(loss));
    }
    for late in [1.0, 5.0] {
        let path = |path: Path| path.reorder(late, ms(10));
        add(format!("{late} % late, no loss"), path(base));
        add(format!("{late} % late"), path(lossy));
    }
    for (queue, name) in [(1, "1/4"), (2, "1/2"), (16, "4")] {
        add(format!("queue of {name}, no loss"), base.queue(queue));
        add(format!("queue of {name}"), lossy.queue(queue));
    }
    cells
}

/// The snapshot of all cells, under each controller. In ci those that carry little, which are the ones that tell most.
#[test]
fn one_factor_at_a_time() {
    let golden = include_str!("tables/cells.txt");
    let mut table = String::new();
    for control in [Cubic, NewReno, Bbr] {
        for (name, path) in cells() {
            let key = format!("{control:?}, {name}: ");
            let line = golden.lines().find(|it| it.starts_with(&key));
            let word = |at| line.and_then(|it| it[key.len()..].split(' ').nth(at)?.parse().ok());
            let before: Option<f64> = word(0);
            let timeouts = word(3).map(|it| it as u64);
            let sampled = control == Cubic && before.is_some_and(|it| it < MAX_SAMPLED);
            if !whole() && !sampled {
                continue;
            }
            let mut transfer = transfer(path.control(control));
            transfer.run(secs(2));
            let outcome: Outcome = transfer.measure(secs(15));
            println!("{key}{outcome}");
            table += &format!("{key}{outcome}\n");
            let near = before.is_some_and(|it| (outcome.goodput / it - 1.0).abs() <= 0.03);
            assert!(
                blesses() || (near && timeouts == Some(outcome.timeouts)),
                "{key}{outcome}, and it was {line:?}"
            );
        }
    }
    if whole() && blesses() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables/cells.txt");
        std::fs::write(file, table).unwrap();
    }
}

/// Goodput and timeouts of each cell stand in `docs/sctp.md` as in the snapshot.
#[test]
fn the_page_shows_the_snapshot() {
    let golden = include_str!("tables/cells.txt");
    let page = include_str!("../../../docs/sctp.md");
    for (name, _) in cells() {
        let shown = [Cubic, NewReno, Bbr].map(|control| {
            let key = format!("{control:?}, {name}: ");
            let line = golden.lines().find_map(|it| it.strip_prefix(&key));
            let words: Vec<_> = line.unwrap_or_default().split(' ').collect();
            match words[..] {
                [goodput, _, _, "0", ..] => goodput.to_owned(),
                [goodput, _, _, "1", ..] => format!("{goodput}, 1 timeout"),
                [goodput, _, _, count, ..] => format!("{goodput}, {count} timeouts"),
                _ => panic!("{key}: no such cell"),
            }
        });
        let row = format!("| {name} | {} |", shown.join(" | "));
        assert!(page.lines().any(|it| it == row), "{row}");
    }
}

/// All combinations of rate, round trip, lateness and queue, a line each with what loss leaves: MB/s in the first ten seconds.
#[test]
fn every_path() {
    if !whole() {
        return;
    }
    let golden = include_str!("tables/every.txt");
    let mut table = String::new();
    for (rate, trip, late, queue) in every_line() {
        let name = format!("{rate} Mbit/s, {trip} ms, {late} % late, queue {queue}/4:");
        let path = Path::new().round_trip(ms(trip)).rate(rate).queue(queue);
        let path = path.reorder(late, ms(10)).batch(8);
        let losses = [0.0, 0.1, 0.5, 1.0, 2.0, 5.0];
        let random = losses.iter().map(|it| path.loss(*it));
        let bursts = losses.iter().skip(1).map(|it| path.bursts(*it));
        let cells = random
            .chain(bursts)
            .map(|it| transfer(it).measure(secs(10)));
        let cells: Vec<f64> = cells.map(|it| it.goodput).collect();
        let words: String = cells.iter().map(|it| format!(" {it:.3}")).collect();
        println!("{name}{words}");
        table += &format!("{name}{words}\n");
        let line = golden.lines().find_map(|it| it.strip_prefix(&name));
        let before = line.unwrap_or_default().split_whitespace();
        let before: Vec<f64> = before.filter_map(|it| it.parse().ok()).collect();
        let same = before.len() == cells.len()
            && std::iter::zip(&cells, &before)
                .all(|(now, it)| (now - it).abs() <= 0.001 + 0.03 * it);
        assert!(blesses() || same, "{name}{words}, and it was {before:?}");
    }
    if blesses() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables/every.txt");
        std::fs::write(file, table).unwrap();
    }
}

/// Mbit/s, milliseconds, percent that are late, and quarters of a bandwidth-delay product.
fn every_line() -> impl Iterator<Item = (u64, u64, f64, u64)> {
    let rates = [1, 10, 100, 1000].into_iter();
    let trips = rates.flat_map(|rate| [2, 20, 50, 100, 300].map(|trip| (rate, trip)));
    let late = trips.flat_map(|(rate, trip)| [0.0, 1.0, 5.0].map(|late| (rate, trip, late)));
    late.flat_map(|(rate, trip, late)| [2, 4, 16].map(|queue| (rate, trip, late, queue)))
}

/// Whether the snapshot is to be what comes out.
fn blesses() -> bool {
    std::env::var_os("OXIRTC_BLESS").is_some()
}

/// In MB/s.
const MAX_SAMPLED: f64 = 0.3;
