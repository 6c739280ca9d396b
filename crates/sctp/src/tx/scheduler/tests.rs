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

/// Who comes while others go on begins where a stream stands that is parked, and so does that one when it is its turn; but no
/// farther behind the others than the longest turn takes them on.
#[test]
fn whoever_is_parked_is_not_left_behind() {
    let most = (MOST_BEHIND / TURN) as usize;
    for (turns, ahead) in [(100, 100), (3 * most, most)] {
        let mut scheduler = Scheduler::default();
        scheduler.activate(0, 0, 256, 0);
        assert_eq!(scheduler.current(), Some(0));
        scheduler.park();
        scheduler.activate(1, 0, 256, 0);
        for _ in 0..turns {
            assert_eq!(scheduler.current(), Some(1));
            scheduler.end_turn(TURN, 256, Some(0));
        }
        scheduler.activate(2, 0, 256, 0);
        let (first, position) = scheduler.first_parked().unwrap();
        assert!(first == 0 && scheduler.is_due(position));
        scheduler.turn_to(0);
        scheduler.activate(3, 0, 256, 0);
        let mut had = [0_usize; 5];
        while had[1] == 0 {
            if had[0] == ahead / 2 {
                // The others are not far on yet.
                scheduler.activate(4, 0, 256, 0);
                had[0] += 1;
            }
            scheduler.yield_turn();
            let stream = scheduler.current().unwrap();
            scheduler.end_turn(TURN, 256, Some(0));
            had[usize::from(stream)] += 1;
        }
        for begun in [had[0], had[2], had[3], had[4] + ahead / 2] {
            assert!(begun.abs_diff(ahead) <= 3, "{had:?}");
        }
    }
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

/// Nor where they begin behind the others, since one that is parked is not as far on.
#[test]
fn those_that_begin_beside_who_is_parked_hold_up_nobody() {
    let mut scheduler = Scheduler::default();
    for stream in 0..2 {
        scheduler.activate(stream, 0, 256, 0);
    }
    scheduler.current();
    scheduler.park();
    scheduler.current();
    scheduler.end_turn(100 * TURN, 256, Some(0));
    let most = 2 * (MOST_BEHIND / TURN) as StreamId;
    let mut turns = 0;
    loop {
        scheduler.activate(2 + turns, 0, 256, 0);
        scheduler.yield_turn();
        if scheduler.current() == Some(1) {
            break;
        }
        scheduler.end_turn(TURN, 256, None);
        turns += 1;
        assert!(turns <= most, "{turns}");
    }
    assert!(turns > 100, "{turns}");
}

/// However often others came and went, who comes waits for none but the one whose turn it is.
#[test]
fn time_does_not_run_away() {
    let mut scheduler = Scheduler::default();
    const LONG: u64 = 100 * TURN;
    scheduler.activate(0, 0, 256, LONG);
    let mut position = 0;
    for turn in 0..10_000 {
        assert_eq!(scheduler.current(), Some(0));
        assert!(scheduler.clock <= turn * LONG);
        scheduler.activate(1, position, 256, TURN);
        scheduler.end_turn(LONG, 256, Some(LONG));
        assert_eq!(scheduler.current(), Some(1));
        position = scheduler.end_turn(TURN, 256, None);
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
    let position = scheduler.end_turn(TURN, 256, None);
    scheduler.deactivate(1);
    scheduler.activate(0, position, 256, TURN);
    scheduler.current();
    let position = scheduler.end_turn(TURN, 256, None);
    assert_eq!(scheduler.clock, position);
}

/// One that began early moves the clock like any once it is as far on as the others, or has been parked.
#[test]
fn nobody_is_early_for_ever() {
    for is_parked in [false, true] {
        let mut scheduler = Scheduler::default();
        scheduler.activate(0, 0, 256, 0);
        scheduler.current();
        scheduler.park();
        scheduler.activate(1, 0, 256, 0);
        scheduler.current();
        scheduler.end_turn(100 * TURN, 256, None);
        scheduler.activate(2, 0, 256, 0);
        scheduler.current();
        if is_parked {
            scheduler.park();
            scheduler.turn_to(2);
        }
        scheduler.activate(3, 100 * TURN, 256, 0);
        for _ in 0..99 {
            assert_eq!(scheduler.current(), Some(2));
            scheduler.end_turn(TURN, 256, Some(0));
        }
        let early = if is_parked { 0 } else { 99 * TURN / 2 };
        assert_eq!(scheduler.clock, 100 * TURN + early);
        for _ in 0..1000 {
            scheduler.current();
            scheduler.end_turn(TURN, 256, Some(0));
        }
        scheduler.current();
        let before = scheduler.clock;
        let turn = scheduler.position().unwrap();
        scheduler.end_turn(TURN, 256, Some(0));
        assert!(scheduler.clock <= before.max(turn + TURN), "{is_parked}");
        assert!(!scheduler.waiting.values().any(|turn| turn.is_early));
    }
}

/// Who comes does not wait for one that has been parked until it has caught up.
#[test]
fn who_comes_takes_turns_with_one_that_catches_up() {
    let mut scheduler = Scheduler::default();
    for stream in 0..2 {
        scheduler.activate(stream, 0, 256, 0);
    }
    scheduler.current();
    scheduler.park();
    scheduler.current();
    scheduler.end_turn(100 * TURN, 256, Some(0));
    scheduler.turn_to(0);
    scheduler.activate(2, 0, 256, 0);
    let mut order = Vec::new();
    for _ in 0..6 {
        order.extend(scheduler.current());
        scheduler.end_turn(TURN, 256, Some(0));
    }
    assert_eq!(order, [0, 2, 0, 2, 0, 2]);
}
