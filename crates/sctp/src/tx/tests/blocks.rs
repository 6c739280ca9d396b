//! Gap ack blocks.

use super::*;

/// RFC 9260 §3.3.4: a SACK names the first blocks that find room. What lies beyond may have come, and is not sent again unless it is waited
/// for too long. dcSCTP, which is Chromium's, names twenty.
#[test]
fn a_full_sack_says_nothing_of_what_lies_beyond() {
    assert_eq!(full_sacks(200), (11, 300));
    assert_eq!(full_sacks(100), (13, 300));
    let (rounds, again) = full_sacks(20);
    assert!(rounds < 15, "of 22 without that: {rounds}");
    assert!((300..400).contains(&again), "{again}");
}

/// How many round trips, and how many retransmissions.
fn full_sacks(blocks: usize) -> (u32, u64) {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 700);
    bench.queue(600, 1084);
    let mut receiver = Receiver::new(&Config::default(), Tsn(1));
    let mut sent = std::collections::BTreeSet::new();
    let (mut first_again, mut seen) = (false, false);
    let mut rounds = 0;
    for round in 0.. {
        rounds = round;
        assert!(round < 500, "{:?}", bench.stats);
        let packets = Vec::from_iter(std::iter::from_fn(|| bench.packet()));
        bench.now += MS * 50;
        for data in packets.iter().flat_map(|packet| data_of(packet)) {
            // Every second one is lost the first time.
            let again = !sent.insert(data.tsn.0);
            first_again |= again;
            if again || data.tsn.0.is_multiple_of(2) {
                receiver.handle_data(&data, None, true, &mut { usize::MAX });
            }
        }
        while receiver.read(1, None).is_some() {}
        let (mut whole, mut sack) = (Vec::new(), Vec::new());
        receiver.write_sack(&mut whole, 1100);
        let whole = Sack::parse(&whole[4..]).unwrap();
        let head = (whole.cumulative, whole.window);
        let gaps = whole.gaps().take(blocks);
        Sack::write(&mut sack, 1100, head, gaps, whole.duplicates());
        let sack = Sack::parse(&sack[4..]).unwrap();
        bench.sender.handle_sack(bench.now, &sack);
        if first_again && !seen {
            seen = true;
            // What was sent again has come, and still nobody knows of the last ones.
            bench.sender.judge(bench.now, &mut bench.stats);
            let flight = bench.sender.outstanding.flight_bytes() / 1100;
            assert!(flight > 100, "{flight}");
        }
        if bench.sender.is_idle() {
            break;
        }
    }
    assert_eq!(bench.stats.retransmission_timeouts, 0);
    (rounds, bench.stats.retransmissions)
}

/// What lies beyond the last block and is late has come or is lost: the window, which may have become small meanwhile, does not wait for
/// it.
#[test]
fn the_window_does_not_wait_for_what_nobody_speaks_of() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 700);
    bench.queue(1000, 1084);
    let sent = bench.packets().len();
    let blocks = Vec::from_iter((1..=20).map(|it| (2 * it, 2 * it)));
    bench.now += MS * 50;
    bench.sack(0, &blocks);
    let leaves = |bench: &mut Bench| {
        let packets = (0..40).map(|_| {
            bench.now += MS;
            bench.packets().len()
        });
        packets.sum::<usize>()
    };
    let again = leaves(&mut bench);
    assert!(
        (1..=20).contains(&again),
        "of those that are known: {again}"
    );
    // They have come, and all that left with them has or never will.
    bench.now += MS * 20;
    bench.sack(40, &blocks);
    let flight = bench.sender.outstanding.flight_bytes();
    assert!(flight > bench.sender.control.window(), "{flight} of {sent}");
    let more = leaves(&mut bench);
    assert!(more > 40, "{more}");
    assert_eq!(bench.stats.retransmission_timeouts, 0);
    // What is told in the end leaves both accounts.
    let last = bench.sender.outstanding.next().previous().tsn().0;
    bench.sack(last, &[]);
    let left = &bench.sender.outstanding;
    assert_eq!((left.flight_bytes(), left.pipe()), (0, 0));
}

/// What was put aside has come at a time that nobody knows, so it is no measure of a round trip, nor of what a path delivers: a model
/// would take it for three times as fast when all of it is told at once.
#[test]
fn what_is_told_late_is_no_measure() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 700);
    bench.queue(400, 1084);
    bench.packets();
    let blocks = Vec::from_iter((1..=20).map(|it| (2 * it, 2 * it)));
    for cumulative in [0, 40] {
        bench.now += MS * 50;
        bench.sack(cumulative, &blocks);
        for _ in 0..40 {
            bench.now += MS;
            bench.packets();
        }
    }
    let outstanding = &bench.sender.outstanding;
    assert!(outstanding.pipe() < outstanding.flight_bytes(), "put aside");
    bench.now += MS * 20;
    bench.sack(200, &[]);
    let batch = &bench.sender.batch;
    assert_eq!((batch.aside, batch.sample), (120 * 1100, None));
}

/// RFC 9260 §6.2.1: what was reported beyond a gap and then taken back is sent again.
#[test]
fn a_peer_that_takes_back_gets_it_again() {
    let mut bench = Bench::new(1);
    bench.queue(5, 1084);
    bench.packets();
    bench.sack(0, &[(2, 3)]);
    bench.sack(1, &[]);
    assert_eq!(bench.packets(), [[2], [3]]);
    assert_eq!(bench.stats.fast_recoveries, 0, "the path is not to blame");
    bench.sack(5, &[]);
    assert!(bench.sender.is_idle());
    assert_eq!(bench.sender.queue.held(), 0);
}

/// RFC 9260 §6.2.1: a peer may take back what it had beyond a gap. One that does so again and again makes us count all that is under way
/// each time, and is believed in order only from then on.
#[test]
fn who_takes_back_again_and_again_is_believed_in_order_only() {
    let mut bench = Bench::crowded(200);
    let mut counted = 0;
    for cumulative in 0..40 {
        let before = bench.sender.batch.bytes;
        bench.sack(cumulative, &[(2, 100)]);
        counted += usize::from(bench.sender.batch.bytes > before + 1000);
        // What was beyond the gap is next, and not there.
        bench.sack(cumulative + 1, &[]);
    }
    assert_eq!(counted, 9);
    bench.sack(200, &[]);
    assert!(bench.sender.is_idle());
}

/// What was taken back may have been there twice after all: that is the peer's doing, and the path does not reorder.
#[test]
fn what_was_taken_back_is_no_reordering() {
    let mut bench = Bench::under_way(5);
    bench.sack(1, &[(2, 5)]);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 60;
    bench.sack(2, &[]);
    assert_eq!(bench.packets(), [[3], [4], [5], [6]]);
    bench.now += MS * 60;
    bench.sack_with(6, 10 << 20, &[], &[3, 4]);
    bench.queue(8, 1084);
    let first = bench.packets().concat()[0];
    bench.now += MS * 60;
    bench.sack(first - 1, &[(2, 4)]);
    assert_eq!(bench.packets()[0], [first], "three later ones are proof");
}

/// More blocks than any packet carries are nobody's.
#[test]
fn blocks_are_limited() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 1000);
    bench.queue(900, 1084);
    while bench.packet().is_some() {
        bench.now += MS;
    }
    for (count, taken) in [(400, true), (401, false)] {
        let mut buf = Vec::new();
        let blocks = (1..=count).map(|it| (2 * it, 2 * it));
        Sack::write(&mut buf, 4000, (Tsn(0), 1 << 20), blocks, [].into_iter());
        let sack = Sack::parse(&buf[4..]).unwrap();
        assert_eq!(bench.sender.outstanding.accepts(&sack), taken, "{count}");
    }
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(200))]

    /// Blocks of any kind mark what a set would have, each once.
    #[test]
    fn blocks_agree_with_a_set(sacks in proptest::collection::vec((0u32..4, proptest::collection::vec((2u16..60, 0u16..20), 0..6)), 1..12)) {
        let mut bench = Bench::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 64);
        bench.queue(60, 1084);
        bench.packets();
        let mut cumulative = 0;
        let mut seen = std::collections::BTreeSet::new();
        for (by, blocks) in sacks {
            cumulative = (cumulative + by).min(60);
            seen.extend(1..=cumulative);
            let left = (60 - cumulative) as u16;
            let blocks = blocks.iter().map(|(first, length)| (*first, (first + length).min(left)));
            let blocks = Vec::from_iter(blocks.filter(|(first, last)| first <= last));
            // What is reported in order and was reported beyond a gap is not taken back.
            if seen.contains(&(cumulative + 1)) {
                continue;
            }
            for (first, last) in &blocks {
                seen.extend(cumulative + u32::from(*first)..=cumulative + u32::from(*last));
            }
            bench.sack(cumulative, &blocks);
            let left = 60 - seen.len();
            prop_assert_eq!(bench.sender.queue.unacknowledged(1), left * 1084);
        }
    }
}

/// A SACK of a few bytes costs the same however much is in flight.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn shifted_blocks_cost_a_search() {
    crate::cost::stays("a block that begins one further on", 3000, |state| {
        let mut bench = Bench::crowded(state);
        let mut start = Instant::now();
        for turn in 0..200 {
            let mut buf = Vec::new();
            let gaps = [(2 + turn % 100, (state - 1 - usize::from(turn % 3)) as u16)];
            Sack::write(
                &mut buf,
                100,
                (Tsn(0), 10 << 20),
                gaps.into_iter(),
                std::iter::empty(),
            );
            let sack = Sack::parse(&buf[4..]).unwrap();
            bench.input();
            bench.sender.handle_sack(bench.now, &sack);
            bench.finish();
            if turn == 0 {
                // What was new is paid once.
                start = Instant::now();
            }
        }
        (Instant::now() - start, 200)
    });
}

/// As many blocks and duplicates as fit a packet, all of which are known.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn what_a_sack_repeats_costs_a_search_each() {
    crate::cost::stays("a SACK that says nothing new", 3000, |state| {
        let mut bench = Bench::crowded(state);
        let mut buf = Vec::new();
        let gaps = (1..140u16).map(|it| (it * 20, it * 20 + 1));
        let twice = (1..140).map(|it| Tsn(it * 20));
        Sack::write(&mut buf, 1200, (Tsn(0), 10 << 20), gaps, twice);
        let sack = Sack::parse(&buf[4..]).unwrap();
        assert!(bench.sender.outstanding.accepts(&sack));
        let mut start = Instant::now();
        for turn in 0..50 {
            bench.input();
            bench.sender.handle_sack(bench.now, &sack);
            bench.sender.judge(bench.now, &mut bench.stats);
            bench.finish();
            if turn == 0 {
                start = Instant::now();
            }
        }
        assert!(bench.stats.fast_recoveries > 0);
        (Instant::now() - start, 49)
    });
}

/// What a SACK newly acknowledges, and what it shows to be lost, is work for each chunk that was sent, once.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn a_chunk_that_is_answered_for_costs_little() {
    for (name, lost) in [
        ("a chunk that is acknowledged", false),
        ("a chunk that is lost", true),
    ] {
        crate::cost::stays(name, 3000, |state| {
            let mut bench = Bench::crowded(state);
            let mut buf = Vec::new();
            let (moved, gap) = match lost {
                false => (state as u32, None),
                true => (0, Some((state as u16 - 1000, state as u16))),
            };
            let head = (Tsn(moved), 10 << 20);
            Sack::write(&mut buf, 1200, head, gap.into_iter(), std::iter::empty());
            let sack = Sack::parse(&buf[4..]).unwrap();
            assert!(bench.sender.outstanding.accepts(&sack));
            let start = Instant::now();
            bench.input();
            bench.sender.handle_sack(bench.now, &sack);
            bench.finish();
            bench.sender.judge(bench.now, &mut bench.stats);
            bench.finish();
            let took = Instant::now() - start;
            assert_eq!(bench.sender.outstanding.peek_lost().is_some(), lost);
            (took, state)
        });
    }
}
