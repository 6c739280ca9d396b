//! What a step costs at most.

use super::{
    steps::{longest, much, ninth, steps_of, with_gaps},
    *,
};
use crate::{Reliability, cost::Least};

/// However much is under way, and whatever a SACK says of it.
#[test]
fn no_step_costs_much() {
    type Case = (&'static str, fn(&mut Bench, u16) -> (Duration, usize));
    let cases: [Case; 7] = [
        ("a SACK of all", |bench, state| {
            with_gaps(state.into(), &[], |sack| longest(bench, sack))
        }),
        ("a SACK of all beyond a gap", |bench, state| {
            with_gaps(0, &[(2, state)], |sack| longest(bench, sack))
        }),
        ("a SACK that closes a gap", |bench, state| {
            bench.sack(0, &[(2, state)]);
            with_gaps(state.into(), &[], |sack| longest(bench, sack))
        }),
        ("a SACK of many losses", |bench, state| {
            with_gaps(0, &[(state - 9, state)], |sack| longest(bench, sack))
        }),
        ("a SACK of what was taken for lost", |bench, state| {
            bench.sack(0, &[(state - 9, state)]);
            bench.sender.judge(bench.now, &mut bench.stats);
            bench.finish();
            with_gaps(state.into(), &[], |sack| longest(bench, sack))
        }),
        ("a SACK that takes back", |bench, state| {
            bench.sack(0, &[(2, state)]);
            with_gaps(1, &[], |sack| longest(bench, sack))
        }),
        ("a SACK of many ranges", |bench, state| {
            let all = Vec::from_iter((1..state / 2).map(|it| (2 * it, 2 * it)));
            for blocks in all.chunks(400) {
                bench.sack(0, blocks);
            }
            with_gaps(state.into(), &[], |sack| longest(bench, sack))
        }),
    ];
    for (name, run) in cases {
        crate::cost::stays(name, much(6500), |state| {
            let mut bench = Bench::crowded(state);
            bench.now += MS * 50;
            run(&mut bench, state as u16)
        });
    }
}

/// All that was put aside comes back at once.
#[test]
fn no_step_of_what_comes_back_costs_much() {
    crate::cost::stays("a SACK that says all again", much(6500), |state| {
        let mut bench = Bench::crowded(state);
        bench.now += MS * 50;
        let last = state as u16;
        let full = Vec::from_iter((1..=20u16).map(|it| (2 * it, 2 * it)));
        bench.sack(0, &[(last - 9, last)]);
        bench.sack(0, &full);
        bench.sender.judge(bench.now, &mut bench.stats);
        bench.finish();
        with_gaps(0, &[], |sack| longest(&mut bench, sack))
    });
}

/// One loss, and all of a message is given up.
#[test]
fn no_step_of_giving_up_costs_much() {
    crate::cost::stays("a message of many chunks given up", 4000, |state| {
        let mut bench = Bench::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 8 << 20, 64);
        bench.sender.peer_window = 100 << 20;
        bench.push(1, state * 1000, Reliability::Retransmits(0));
        bench.packets();
        bench.now += MS * 50;
        let last = bench.sender.outstanding.len() as u16;
        let took = with_gaps(0, &[(last - 9, last)], |sack| longest(&mut bench, sack));
        assert_eq!(bench.stats.abandoned_sent, 1);
        assert_eq!(bench.sender.outstanding.flight_bytes(), 0);
        took
    });
}

/// So many packets of a message of a byte each are under way, of which the first has come, and these beyond a gap; then time passes until a
/// probe has asked: how long each step took.
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn steps_to_a_probe(
    state: usize,
    reliability: Reliability,
    gaps: &[(u16, u16)],
) -> (Bench, Vec<Duration>) {
    let mut bench = Bench::new(1);
    // What is late is waited for as long as a round trip varies, and a probe comes after two.
    (0..10).for_each(|_| bench.measured(MS * 50));
    bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
    bench.sender.pacer = Pacer::new(1100);
    bench.sender.peer_window = 100 << 20;
    bench.room = 36;
    let first = bench.sender.outstanding.next().tsn().0;
    for stream in 0..state {
        bench.push((stream % 7) as u16, 1, reliability);
    }
    assert_eq!(bench.packets().len(), state);
    bench.now += MS * 50;
    bench.sack_with(first, 100 << 20, gaps, &[]);
    bench.packets();
    let mut times = Vec::new();
    while bench.stats.probes == 0 {
        bench.now = bench.now.max(bench.sender.poll_timeout().unwrap());
        bench.sender.input();
        let start = Instant::now();
        let silent = bench.sender.handle_timeout(bench.now, &mut bench.stats);
        bench.sender.judge(bench.now, &mut bench.stats);
        times.push(start.elapsed());
        assert!(!silent);
        if !bench.sender.is_busy() && bench.stats.probes == 0 {
            bench.packets();
        }
    }
    (bench, times)
}

/// RFC 8985 §7: a probe asks by what left last, where that is put aside too; where that may not go again it asks by what left first, which
/// may stand behind very much that was put aside or is over.
#[test]
fn no_step_of_a_probe_costs_much() {
    let blocks = Vec::from_iter((1..=20).map(|it| (2 * it, 2 * it)));
    let all = [
        ("by what left last", Reliability::Reliable, true),
        ("by what left first", Reliability::Retransmits(0), false),
    ];
    for (name, reliability, asks) in all {
        let mut least = Least::default();
        crate::cost::stays(&format!("a probe {name}"), much(6000), |state| {
            let (mut bench, took) = steps_to_a_probe(state, reliability, &blocks);
            let again = bench.packets().len();
            assert_eq!(again > 0, asks, "{name}");
            (least.of(state, took), 1)
        });
    }
}

/// Where more than a few hundred packets behind the first have come, nobody looks for the newest that has not: it is asked by the first.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn what_is_over_costs_a_probe_nothing() {
    crate::cost::stays("a probe before what is over", much(6000), |state| {
        let mut bench = Bench::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
        bench.room = 36;
        for stream in 0..state {
            bench.push((stream % 7) as u16, 1, Reliability::Reliable);
        }
        assert_eq!(bench.packets().len(), state);
        bench.now += MS * 50;
        bench.sack(0, &[(2, state as u16)]);
        bench.input();
        let start = Instant::now();
        bench.sender.send_probe(bench.now, &mut bench.stats);
        let took = start.elapsed();
        let asked = bench.sender.outstanding.asked.map(|(packet, _)| packet);
        assert_eq!((bench.stats.probes, asked), (1, Some(1)));
        assert_eq!(bench.sender.outstanding.peek_lost(), Some(1));
        (took, 1)
    });
}

/// What no block of a full SACK reaches is put aside in steps, whether it left in many packets or a few.
#[test]
fn no_step_of_what_is_put_aside_costs_much() {
    let cases = [
        ("packets that are put aside", 2000, 1084, 2, 1050),
        ("chunks that are put aside", 3000, 1, 60, 1500),
    ];
    for (name, state, length, apart, most) in cases {
        crate::cost::stays(name, state, |state| {
            let mut bench = Bench::new(1);
            bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
            bench.sender.peer_window = 100 << 20;
            bench.queue(state, length);
            bench.packets();
            let blocks = Vec::from_iter((1..=20).map(|it| (it * apart, it * apart)));
            bench.now += MS * 50;
            bench.sack_with(0, 100 << 20, &blocks, &[]);
            // What is known to be lost leaves again, and comes.
            for _ in 0..40 {
                bench.now += MS;
                bench.packets();
            }
            bench.now += MS * 20;
            let times = steps_of(&mut bench, |bench| {
                let now = bench.now;
                with_gaps(20 * u32::from(apart), &blocks, |sack| {
                    bench.sender.handle_sack(now, sack);
                    (Duration::ZERO, 1)
                });
            });
            let outstanding = &bench.sender.outstanding;
            assert!(outstanding.flight_bytes() > state * length * 3 / 4);
            assert_eq!(outstanding.pipe(), 0);
            assert!(times.len() > state / most, "{}", times.len());
            ninth(times)
        });
    }
}
