use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

const TURN: u64 = 1 << 10;

fn run(costs: &[u64], turns: usize) -> Vec<StreamId> {
    let mut scheduler = Scheduler::default();
    for (stream, cost) in costs.iter().enumerate() {
        scheduler.activate(stream as StreamId, 0, 256, *cost);
    }
    let mut order = Vec::new();
    for _ in 0..turns {
        let stream = scheduler.current().unwrap();
        assert_eq!(scheduler.current(), Some(stream));
        let cost = costs[usize::from(stream)];
        scheduler.end_turn(cost, 256, Some(cost));
        order.push(stream);
    }
    order
}

#[test]
fn equal_costs_take_turns() {
    assert_eq!(run(&[TURN; 3], 7), [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn half_a_cost_has_two_turns() {
    let order = run(&[TURN, TURN / 2], 300);
    assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 200);
}

#[test]
fn who_leaves_has_no_turn_and_the_others_keep_theirs() {
    let mut scheduler = Scheduler::default();
    for stream in 0..6 {
        scheduler.activate(stream, 0, 256, TURN);
    }
    assert_eq!(scheduler.current(), Some(0));
    scheduler.end_turn(TURN, 256, Some(TURN));
    assert_eq!(scheduler.current(), Some(1));
    for stream in [0, 1, 4] {
        scheduler.deactivate(stream);
    }
    scheduler.activate(1, 2 * TURN, 256, TURN);
    let mut order = Vec::new();
    while let Some(stream) = scheduler.current() {
        scheduler.end_turn(TURN, 256, None);
        order.push(stream);
    }
    assert_eq!(order, [2, 3, 5, 1]);
    assert!(scheduler.waiting.is_empty() && scheduler.places.is_empty());
}

#[test]
fn a_late_stream_does_not_catch_up() {
    let mut scheduler = Scheduler::default();
    scheduler.activate(0, 0, 256, TURN);
    for _ in 0..100 {
        scheduler.current();
        scheduler.end_turn(TURN, 256, Some(TURN));
    }
    scheduler.activate(1, 0, 256, TURN);
    let mut order = Vec::new();
    for _ in 0..4 {
        scheduler.yield_turn();
        order.extend(scheduler.current());
        scheduler.end_turn(TURN, 256, Some(TURN));
    }
    assert_eq!(order.iter().filter(|stream| **stream == 1).count(), 2);
}

/// What is short goes before what is long, though both come from where the others are.
#[test]
fn a_short_turn_is_next() {
    let mut scheduler = Scheduler::default();
    for stream in 0..3 {
        scheduler.activate(stream, 0, 256, TURN);
    }
    scheduler.current();
    scheduler.activate(7, 0, 256, 1);
    scheduler.end_turn(TURN, 256, Some(TURN));
    assert_eq!(scheduler.current(), Some(7));
}

/// Others that come with what is short, one after the other, do not keep one that is long from its turn.
#[test]
fn those_that_come_and_go_hold_up_nobody() {
    let mut scheduler = Scheduler::default();
    scheduler.activate(0, 0, 256, 100 * TURN);
    let mut turns = 0;
    loop {
        scheduler.activate(1 + turns, 0, 256, TURN);
        scheduler.yield_turn();
        if scheduler.current() == Some(0) {
            break;
        }
        scheduler.end_turn(TURN, 256, None);
        turns += 1;
        assert!(turns < 220, "{turns}");
    }
    assert!(turns > 180, "{turns}");
}

/// However often others came and went, and whenever: who comes waits for none but the one whose turn it is, and has nothing due.
#[test]
fn time_neither_runs_away_nor_stays_behind() {
    const LONG: u64 = 100 * TURN;
    for comes_before in [true, false] {
        let mut scheduler = Scheduler::default();
        scheduler.activate(0, 0, 256, LONG);
        for turn in 0..1000 {
            assert_eq!(scheduler.current(), Some(0));
            let end = turn * LONG;
            assert!((end..=end + TURN).contains(&scheduler.clock));
            if comes_before {
                scheduler.activate(1, 0, 256, TURN);
            }
            scheduler.end_turn(LONG, 256, Some(LONG));
            if !comes_before {
                scheduler.activate(1, 0, 256, TURN);
                scheduler.yield_turn();
            }
            assert_eq!(scheduler.current(), Some(1));
            scheduler.end_turn(TURN, 256, None);
        }
    }
}

/// Those that always have something to send have their parts to within a turn or two, and those that come and go do not have more.
#[test]
fn everyone_has_a_part() {
    oxirtc_netsim::for_each_seed(100, |seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut draw = |below: u32| rng.next_u32() % below;
        let weights = [0; 8].map(|_| 128 << draw(4));
        let longest = [0; 8].map(|_| 1 + draw(256 << 10));
        let cost =
            |stream: usize, length: u32| (u64::from(length) << 10) / u64::from(weights[stream]);
        let most = (0..8).map(|it| cost(it, longest[it])).max().unwrap();
        let mut scheduler = Scheduler::default();
        let (mut positions, mut had) = ([0; 8], [0; 8]);
        let mut next: [Option<u64>; 8] = [None; 8];
        for turn in 0..3000 {
            for stream in 0..8 {
                let comes = stream < 3 || draw(4) == 0;
                if next[stream].is_none() && comes {
                    let cost = cost(stream, 1 + draw(longest[stream]));
                    next[stream] = Some(cost);
                    let (id, weight) = (stream as StreamId, weights[stream]);
                    // What comes and goes may have a stream of its own each time.
                    let position = if draw(2) == 0 { positions[stream] } else { 0 };
                    scheduler.activate(id, position, weight, cost);
                }
            }
            scheduler.yield_turn();
            let stream = usize::from(scheduler.current().unwrap());
            let cost_now = next[stream].take().unwrap();
            had[stream] += cost_now;
            if stream < 3 {
                next[stream] = Some(cost(stream, 1 + draw(longest[stream])));
            }
            positions[stream] = scheduler.end_turn(cost_now, weights[stream], next[stream]);
            let all: u64 = (0..8)
                .filter(|it| next[*it].is_some())
                .map(|it| u64::from(weights[it]))
                .sum();
            assert_eq!(scheduler.weights, all);
            let least = had[..3].iter().min().unwrap();
            let all: u64 = (0..8).map(|it| had[it] * u64::from(weights[it])).sum();
            let fair = all / weights.map(u64::from).iter().sum::<u64>();
            for (stream, had) in had.iter().enumerate().take(3) {
                assert!(
                    had - least <= 2 * most,
                    "turn {turn}: {stream} is {} ahead",
                    had - least
                );
                assert!(
                    had + 2 * most > fair,
                    "turn {turn}: {stream} has {had} of {fair}"
                );
            }
        }
    });
}

/// Who is alone has the time for himself: whoever comes then has nothing due.
#[test]
fn who_is_alone_is_not_ahead() {
    let mut scheduler = Scheduler::default();
    for stream in 0..2 {
        scheduler.activate(stream, 0, 256, TURN);
    }
    scheduler.current();
    scheduler.end_turn(TURN, 256, Some(TURN));
    scheduler.deactivate(1);
    scheduler.current();
    let position = scheduler.end_turn(TURN, 256, Some(TURN));
    assert_eq!((scheduler.clock, position), (2 * TURN, 2 * TURN));
}

/// Stream 0 was parked while stream 1 had so many turns, and may have its own now.
fn parked_for(turns: u64) -> Scheduler {
    let mut scheduler = Scheduler::default();
    for stream in 0..2 {
        scheduler.activate(stream, 0, 256, TURN);
    }
    assert_eq!(scheduler.current(), Some(0));
    scheduler.park();
    for _ in 0..turns {
        assert_eq!(scheduler.current(), Some(1));
        scheduler.end_turn(TURN, 256, Some(TURN));
    }
    let (first, place) = scheduler.first_parked().unwrap();
    assert!((first, place) == (0, 0) && scheduler.is_due(place));
    scheduler.turn_to(0);
    scheduler
}

/// Who was parked has what others had meanwhile, so far as the longest turn takes them on, and then they take turns.
#[test]
fn who_was_parked_catches_up() {
    let most = MOST_DUE / TURN;
    for (turns, due) in [(100, 100), (3 * most, most)] {
        let mut scheduler = parked_for(turns);
        let mut had = [0; 2];
        while had[1] < 5 {
            scheduler.yield_turn();
            let stream = usize::from(scheduler.current().unwrap());
            scheduler.end_turn(TURN, 256, Some(TURN));
            had[stream] += 1;
        }
        assert!((due..due + 6).contains(&had[0]), "{had:?}, {due} are due");
    }
}

/// What is short does not wait until one that was parked has caught up, and what is long no longer than that.
#[test]
fn who_comes_waits_for_no_more_than_is_due() {
    let mut scheduler = parked_for(100);
    for stream in 2..4 {
        scheduler.activate(stream, 0, 256, TURN);
    }
    let mut had = [0; 4];
    while had[2] < 2 || had[3] < 2 {
        if had[0] % 20 == 10 {
            scheduler.activate(4, 0, 256, TURN / 10);
            scheduler.yield_turn();
            assert_eq!(scheduler.current(), Some(4));
            scheduler.end_turn(TURN / 10, 256, None);
        }
        scheduler.yield_turn();
        let stream = usize::from(scheduler.current().unwrap());
        scheduler.end_turn(TURN, 256, Some(TURN));
        had[stream] += 1;
    }
    assert!(had[0] < 104, "{had:?}");
}

/// Some of those that have something to send are new each time, and have no more than a part each.
#[test]
fn those_that_are_new_have_a_part_each() {
    for (others, new, parked) in [2, 10, 50]
        .into_iter()
        .flat_map(|it| [(it, 1, false), (it, 5, false), (it, 1, true), (it, 5, true)])
    {
        let mut scheduler = Scheduler::default();
        // Others are parked, and are so still.
        for stream in 0..u16::from(parked) {
            scheduler.activate(stream, 0, 256, TURN);
            scheduler.current();
            scheduler.park();
        }
        for stream in 1..=others {
            scheduler.activate(stream, 0, 256, TURN);
        }
        let (mut next, mut waits, mut had, mut longest) = (100, 0, [0_u64; 2], 0);
        let mut last = [0_u64; 51];
        for turn in 0..20_000 {
            while waits < new {
                scheduler.activate(next, 0, 256, TURN);
                next = 100 + (next - 99) % 60_000;
                waits += 1;
            }
            scheduler.yield_turn();
            let stream = scheduler.current().unwrap();
            // Messages end with pieces that are shorter.
            let cost = if turn % 47 == 0 { TURN / 3 } else { TURN };
            let is_new = stream >= 100;
            scheduler.end_turn(cost, 256, (!is_new).then_some(TURN));
            had[usize::from(is_new)] += 1;
            if is_new {
                waits -= 1;
            } else {
                let last = &mut last[usize::from(stream)];
                longest = longest.max(turn - *last);
                *last = turn;
            }
        }
        let share = had[1] as f64 / 20_000.0;
        let fair = f64::from(new) / f64::from(new + i32::from(others));
        println!("{others} and {new}: {share:.3} of {fair:.3}, {longest} turns at most");
        assert!(
            (share - fair).abs() < 0.01,
            "{others} and {new}: {share:.3} of {fair:.3}"
        );
        assert!(
            longest < 4 * (u64::from(others) + 5),
            "{others} and {new}: {longest}"
        );
    }
}
