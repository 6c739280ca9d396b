//! What SACKs bring is done in steps.

use super::*;
use crate::Reliability;

/// While a SACK is taken nothing leaves, others that come have their turns, and one that is older by then is none.
#[test]
fn nothing_leaves_before_a_sack_is_taken() {
    let mut bench = Bench::crowded(4000);
    bench.queue(1, 1084);
    bench.now += MS * 50;
    let sack = |cumulative| Sack::without_gaps(Tsn(cumulative), 10 << 20);
    bench.sender.input();
    bench.sender.handle_sack(bench.now, &sack(3000));
    assert!(bench.sender.is_busy());
    assert_eq!(bench.sender.poll_timeout(), Some(bench.now));
    bench.sender.judge(bench.now, &mut bench.stats);
    assert!(!bench.sender.has_data(bench.now, &mut bench.stats));
    assert_eq!(
        bench.sender.recovery.rtt.smoothed(),
        None,
        "nothing is judged"
    );
    // One that is older than it comes behind it, and one that is newer.
    bench.now += MS * 10;
    bench.sender.handle_sack(bench.now, &sack(2000));
    bench.sender.handle_sack(bench.now, &sack(3900));
    let mut steps = 0;
    while bench.sender.is_busy() {
        steps += 1;
        bench.sender.input();
        bench
            .sender
            .handle_timeout(bench.now + MS * 20, &mut bench.stats);
    }
    assert!(steps > 2, "{steps}");
    assert_eq!(bench.sender.outstanding.cumulative().tsn(), Tsn(3900));
    assert_eq!(
        bench.sender.recovery.rtt.smoothed(),
        Some(MS * 60),
        "since the last came"
    );
    assert_eq!(bench.stats.dropped_chunks, 1);
    assert_eq!(bench.packets().len(), 1);
}

/// RFC 9260 §6.3.3: what a SACK says comes before the timer that has expired meanwhile, also when that takes steps.
#[test]
fn no_timer_is_served_before_a_verdict_is_spoken() {
    let mut bench = Bench::crowded(4000);
    bench.now += MS * 50;
    let now = bench.now;
    let sender = &mut bench.sender;
    with_gaps(0, &[(3991, 4000)], |sack| {
        sender.input();
        sender.handle_sack(now, sack);
        (Duration::ZERO, 1)
    });
    assert!(!sender.is_busy(), "it is noted at once");
    assert!(sender.recovery.t3.is_some());
    sender.recovery.probe = Some(now);
    let late = now + MS * 10_000;
    let mut steps = 0;
    loop {
        bench.sender.input();
        let silent = bench.sender.handle_timeout(late, &mut bench.stats);
        if !bench.sender.is_busy() {
            break;
        }
        steps += 1;
        assert!(!silent);
        let served = (bench.stats.retransmission_timeouts, bench.stats.probes);
        assert_eq!(served, (0, 0), "step {steps}");
        assert!(!bench.sender.has_data(late, &mut bench.stats));
    }
    assert!(steps > 2, "{steps}");
    assert_eq!(bench.stats.fast_recoveries, 1);
}

/// The blocks of a SACK that were taken are not looked at again with the next step.
#[test]
fn a_block_is_taken_once() {
    let mut bench = Bench::crowded(2000);
    bench.now += MS * 50;
    let now = bench.now;
    let size = bench.sender.outstanding.size(1);
    let mut blocks = Vec::from_iter((1..=300u16).map(|it| (4 * it, 4 * it)));
    with_gaps(0, &blocks, |sack| {
        bench.sender.input();
        bench.sender.left = 200;
        bench.sender.handle_sack(now, sack);
        (Duration::ZERO, 1)
    });
    let taken = bench.sender.waiting[0].place.block;
    assert!((5..100).contains(&taken), "{taken}");
    // What it does not look at may say what it likes.
    for block in &mut blocks[..taken] {
        *block = (block.0 + 1, block.0 + 1);
    }
    with_gaps(0, &blocks, |sack| {
        bench.sender.waiting[0].sack = sack.keep(400);
        (Duration::ZERO, 1)
    });
    bench.step = 100;
    bench.finish();
    assert!(bench.steps > 3, "{}", bench.steps);
    assert_eq!(bench.sender.outstanding.flight_bytes(), 1700 * size);
}

/// A peer of ours looks at so many chunks of a packet, however long it is, and has to see all.
#[test]
fn a_long_packet_has_a_bounded_number_of_chunks() {
    let config = Config::default()
        .max_packet(60_000)
        .congestion_control(CongestionControl::NewReno);
    let mut bench = Bench::with(config);
    bench.room = 60_000;
    bench.queue(1000, 1);
    let chunks = Vec::from_iter(bench.packets().iter().map(Vec::len));
    let sent = chunks.iter().sum::<usize>();
    assert!(
        sent == 1000 && chunks.iter().all(|it| *it <= 50),
        "{chunks:?}"
    );
    // So it is with what is sent again.
    bench.sender.send_again(bench.now, &mut bench.stats);
    let chunks = Vec::from_iter(bench.packets().iter().map(Vec::len));
    assert!(
        !chunks.is_empty() && chunks.iter().all(|it| *it <= 50),
        "{chunks:?}"
    );
}

/// Nothing is sent, and no timer served, before what the peer does not take is dropped.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn a_peer_that_takes_fewer_streams_is_no_step_that_costs_much() {
    crate::cost::stays("streams that the peer does not take", much(6500), |state| {
        let mut bench = Bench::new(1);
        for stream in 0..state {
            bench.push(stream as u16, 1, Reliability::Reliable);
        }
        bench.sender.limit_streams(bench.now, 1);
        assert_eq!(bench.sender.poll_timeout(), Some(bench.now));
        assert!(!bench.sender.has_data(bench.now, &mut bench.stats));
        let mut times = Vec::new();
        while bench.sender.is_busy() {
            let start = Instant::now();
            bench.sender.input();
            bench.sender.handle_timeout(bench.now, &mut bench.stats);
            times.push(start.elapsed());
        }
        let most = state.min(usize::from(u16::MAX));
        assert_eq!(
            bench.stats.abandoned_unsent,
            state as u64 - 1 - (state / 65_536) as u64
        );
        assert!(times.len() > most / 500, "{}", times.len());
        assert!(bench.sender.has_data(bench.now, &mut bench.stats));
        times.sort_unstable();
        (times[(times.len() - 1) * 9 / 10], 1)
    });
}

/// Each step until nothing is left, and what is asked for after it: how long a long one took.
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
pub(super) fn steps_of(bench: &mut Bench, first: impl FnOnce(&mut Bench)) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut start = Instant::now();
    bench.sender.input();
    first(bench);
    loop {
        bench.sender.judge(bench.now, &mut bench.stats);
        let (now, stats) = (bench.now, &mut bench.stats);
        bench.sender.give_up_expired(now, stats);
        let has_data = bench.sender.has_data(now, stats);
        times.push(start.elapsed());
        if !bench.sender.is_busy() {
            return times;
        }
        assert!(!has_data, "nothing leaves before all is passed over");
        assert!(bench.sender.poll_timeout().is_some_and(|at| at <= now));
        start = Instant::now();
        bench.sender.input();
        bench.sender.handle_timeout(now, &mut bench.stats);
    }
}

pub(super) fn ninth(mut times: Vec<Duration>) -> (Duration, usize) {
    times.sort_unstable();
    (times[(times.len() - 1) * 9 / 10], 1)
}

/// RFC 7496 §4: messages whose time ended behind a closed window are dropped by the SACK that opens it, in their order, each told
/// once, before anything leaves.
#[test]
fn no_step_of_what_outlived_a_closed_window_costs_much() {
    // All on one stream, one on each, and on few; the last of all lives.
    let cases = [
        ("messages of one stream that outlived a window", 1),
        ("messages of a few", 7),
        ("a message on each", usize::MAX),
    ];
    for (name, streams) in cases {
        crate::cost::stays(name, much(6500), |state| {
            let mut bench = Bench::new(1);
            bench.queue(1, 100);
            bench.packets();
            bench.sack_with(1, 0, &[], &[]);
            for message in 0..state {
                let stream = 2 + message % streams.min(60_000);
                bench.push(stream as u16, 1, Reliability::Lifetime(MS * 20));
            }
            let last = SendOptions::default().queued(bench.now, 77, Bytes::from_static(b"y"), true);
            bench.sender.queue.push(65_000, last);
            assert!(!bench.sender.has_data(bench.now, &mut bench.stats));
            bench.sender.queue.low.clear();
            bench.now += MS * 50;
            let times = steps_of(&mut bench, |bench| {
                let sack = Sack::without_gaps(Tsn(1), 1 << 20);
                bench.sender.handle_sack(bench.now, &sack);
            });
            assert_eq!(bench.stats.abandoned_unsent, state as u64);
            assert!(times.len() > state / 200, "{}", times.len());
            if streams == usize::MAX && state < 60_000 {
                let low = bench.sender.queue.low.drain(..);
                assert!(low.eq((0..state).map(|it| 2 + it as u16)), "in order");
            }
            assert_eq!(bench.sender.window_probe, None, "it is open");
            let packet = bench.packet().unwrap();
            assert_eq!(data_of(&packet).next().unwrap().ppid, 77);
            ninth(times)
        });
    }
}

/// RFC 8985 §7.3: a probe carries new data where there is some, also where many messages that are over stand before it.
#[test]
fn a_probe_passes_over_what_is_over() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 1);
    bench.queue(1, 1084);
    bench.packets();
    for _ in 0..1000 {
        bench.push(1, 1, Reliability::Lifetime(MS * 20));
    }
    let last = SendOptions::default().queued(bench.now, 77, Bytes::from_static(b"y"), true);
    bench.sender.queue.push(1, last);
    assert_eq!(bench.packet(), None);
    bench.now = bench.sender.recovery.probe.unwrap();
    let mut steps = 0;
    while bench.stats.probes == 0 {
        steps += 1;
        bench.sender.input();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
    }
    assert!(steps > 5, "{steps}");
    let packet = bench.packet().unwrap();
    let sent = Vec::from_iter(data_of(&packet).map(|it| (it.tsn, it.ppid)));
    assert_eq!(sent, [(Tsn(3), 77)]);
    assert_eq!(bench.stats.abandoned_unsent, 1000);
}

/// A message whose life ends while all of it is under way is given up in steps, which need no other timer.
#[test]
fn a_long_message_that_is_over_is_given_up_in_steps() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 64 << 20, 64);
    bench.sender.peer_window = 100 << 20;
    bench.push(1, 9000 * 1000, Reliability::Lifetime(MS * 20));
    bench.packets();
    bench.now += MS * 20;
    let times = steps_of(&mut bench, |bench| {
        bench.sender.give_up_expired(bench.now, &mut bench.stats);
    });
    assert!(times.len() > 2, "{}", times.len());
    assert_eq!(bench.stats.abandoned_sent, 1);
}

/// Streams that may not begin beside another are put aside in steps too (RFC 8260 §3).
#[test]
fn no_step_of_streams_that_may_not_begin_costs_much() {
    crate::cost::stays("streams that may not begin", much(6000), |state| {
        let mut bench = Bench::new(1);
        bench.sender.set_interleaving(true);
        bench.sender.peer_window = 3000;
        let queue = |bench: &mut Bench, stream| {
            bench.push(stream, 2500, Reliability::Reliable);
        };
        queue(&mut bench, 65_000);
        bench.packet().unwrap();
        for stream in 0..state {
            queue(&mut bench, stream as u16);
        }
        // It has had its turn, and is behind all of them.
        bench.sender.queue.cut(1).unwrap();
        let times = steps_of(&mut bench, |_| {});
        assert!(times.len() > state / 200, "{}", times.len());
        ninth(times)
    });
}

/// So many messages are under way, and have outlived their time.
fn outlived(state: usize, room: usize) -> Bench {
    let mut bench = Bench::new(1);
    bench.room = room;
    bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
    for message in 0..state {
        bench.push((message % 7) as u16, 1, Reliability::Lifetime(MS * 20));
    }
    bench.packets();
    assert_eq!(bench.sender.outstanding.len(), state);
    bench.now += MS * 50;
    bench
}

/// A SACK of messages that had lifetimes leaves nothing of them that the next one to leave would have to do away with.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn lifetimes_that_are_over_cost_the_next_little() {
    crate::cost::stays("a message after many with lifetimes", much(6500), |state| {
        let mut bench = outlived(state, 1112);
        bench.now -= MS * 40;
        let (noted, _) = with_gaps(state as u32, &[], |sack| longest(&mut bench, sack));
        assert_eq!(bench.sender.outstanding.len(), 0);
        assert_eq!(bench.sender.outstanding.next_expiry(), None);
        bench.push(1, 1, Reliability::Lifetime(MS * 20));
        let start = Instant::now();
        assert!(bench.packet().is_some());
        (noted.max(start.elapsed()), 1)
    });
}

/// A message whose life is over is given up once, whether that is found by its loss or by the clock.
#[test]
fn what_is_lost_and_over_is_given_up_once() {
    let mut bench = outlived(100, 200);
    bench.sack(0, &[(71, 100)]);
    bench.sender.judge(bench.now, &mut bench.stats);
    bench.finish();
    let lost = bench.stats.abandoned_sent;
    assert!(lost > 20, "{lost}");
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    bench.finish();
    assert_eq!(bench.stats.abandoned_sent, 70);
}

/// What is over and did not come is a loss like any, which is judged once all that is over has been given up.
#[test]
fn no_verdict_is_spoken_before_what_is_over_is_given_up() {
    let mut bench = outlived(1000, 200);
    let now = bench.now;
    bench.sender.input();
    bench.sender.handle_timeout(now, &mut bench.stats);
    assert!(bench.sender.is_busy());
    with_gaps(0, &[(941, 1000)], |sack| {
        bench.sender.input();
        bench.sender.handle_sack(now, sack);
        (Duration::ZERO, 1)
    });
    bench.sender.judge(now, &mut bench.stats);
    assert!(!bench.sender.has_data(now, &mut bench.stats));
    bench.finish();
    bench.sender.judge(now, &mut bench.stats);
    bench.finish();
    assert_eq!(bench.stats.fast_recoveries, 1);
    assert_eq!(bench.sender.outstanding.flight_bytes(), 0);
    assert_eq!(bench.sender.outstanding.peek_lost(), None);
}

/// Messages under way whose lives end at once are given up in steps.
#[test]
fn no_step_of_what_outlived_its_time_under_way_costs_much() {
    crate::cost::stays("messages that end under way", much(6500), |state| {
        let mut bench = outlived(state, 1112);
        let flight = bench.sender.outstanding.flight_bytes();
        let times = steps_of(&mut bench, |bench| {
            bench.sender.handle_timeout(bench.now, &mut bench.stats);
        });
        assert_eq!(bench.stats.abandoned_sent, state as u64);
        assert_eq!(bench.sender.outstanding.flight_bytes(), flight);
        assert!(times.len() > state / 400, "{}", times.len());
        ninth(times)
    });
}

/// What follows from an input, and each step: how long a long one took, of which one in ten may have been disturbed.
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
pub(super) fn longest(bench: &mut Bench, sack: &Sack<'_>) -> (Duration, usize) {
    assert!(bench.sender.outstanding.accepts(sack));
    let mut times = Vec::new();
    let mut start = Instant::now();
    bench.sender.input();
    bench.sender.handle_sack(bench.now, sack);
    loop {
        bench.sender.judge(bench.now, &mut bench.stats);
        times.push(start.elapsed());
        if !bench.sender.is_busy() {
            break;
        }
        start = Instant::now();
        bench.sender.input();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
    }
    times.sort_unstable();
    (times[(times.len() - 1) * 9 / 10], 1)
}

pub(super) fn with_gaps(
    cumulative: u32,
    gaps: &[(u16, u16)],
    mut then: impl FnMut(&Sack<'_>) -> (Duration, usize),
) -> (Duration, usize) {
    let mut buf = Vec::new();
    let head = (Tsn(cumulative), 100 << 20);
    Sack::write(
        &mut buf,
        1700,
        head,
        gaps.iter().copied(),
        std::iter::empty(),
    );
    then(&Sack::parse(&buf[4..]).unwrap())
}

/// So much is told for sure in a build that counts, and less suffices in one that is slow.
pub(super) const fn much(state: usize) -> usize {
    if cfg!(debug_assertions) {
        state / 10
    } else {
        state
    }
}
