//! What is lost, and what is not.

use super::*;

/// RFC 9260 §7.2.4: three packets that were sent later have arrived. Then once a recovery, whatever else is missing.
#[test]
fn three_later_packets_make_a_fast_retransmission() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(10, 1084);
    assert_eq!(bench.packets().len(), 10);
    bench.now += MS * 50;
    for last in 2..4 {
        bench.sack(1, &[(2, last)]);
        assert_eq!(bench.packets(), Vec::<Vec<u32>>::new());
    }
    bench.sack(1, &[(2, 4)]);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.stats.fast_recoveries, 1);
    bench.sack(1, &[(2, 5)]);
    assert!(bench.packets().is_empty(), "once only");
    bench.now += MS * 50;
    bench.sack(11, &[]);
    assert!(bench.packets().is_empty());
    assert!(bench.sender.is_idle() && bench.sender.recovery.episode.is_none());
    assert_eq!(
        bench.sender.control.window(),
        7700,
        "seven tenths and not less"
    );
}

/// One SACK for a batch counts for each packet in it.
#[test]
fn a_batch_counts_for_its_packets() {
    let mut bench = Bench::under_way(6);
    bench.sack(1, &[(2, 3)]);
    assert!(bench.packets().is_empty());
    bench.sack(1, &[(2, 4)]);
    assert_eq!(bench.packets(), [[2]]);
    // Many small messages in one packet are one packet.
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(18, 100);
    assert_eq!(bench.packets().len(), 2);
    bench.now += MS * 50;
    bench.sack(1, &[(10, 18)]);
    assert!(bench.packets().is_empty());
}

/// RFC 8985 §6.2 step 5: what is a quarter of a round trip late is lost also when less than three packets follow.
#[test]
fn what_is_late_is_lost_when_its_time_is_over() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 40);
    bench.queue(2, 1084);
    bench.packets();
    bench.now += MS * 40;
    bench.sack(1, &[(2, 2)]);
    assert!(bench.packets().is_empty());
    let due = bench.sender.poll_timeout().unwrap();
    assert_eq!(due - bench.now, MS * 10);
    bench.now = due;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.stats.fast_recoveries, 1);
}

/// What was sent again is judged by the packet it went in last: a second loss needs no timeout.
#[test]
fn a_lost_retransmission_is_found_without_a_timeout() {
    let mut bench = Bench::under_way(40);
    bench.sack(1, &[(2, 10)]);
    let again = bench.packets();
    assert_eq!(again[0], [2]);
    assert!(again.len() > 2, "{again:?}");
    bench.now += MS * 50;
    // What was sent after it has come, it has not.
    let last = again.last().unwrap()[0];
    bench.sack(1, &[(2, (last - 1) as u16)]);
    assert_eq!(bench.packets()[0], [2]);
    assert_eq!(bench.stats.retransmission_timeouts, 0);
}

/// Lateness that was taken for loss is proven by what comes, and taken back.
#[test]
fn a_spurious_recovery_is_undone() {
    let mut bench = Bench::under_way(10);
    let window = bench.sender.control.window();
    bench.sack(1, &[(2, 6)]);
    assert_eq!(bench.packets(), [[2]]);
    assert!(bench.sender.control.window() < window);
    bench.now += MS * 10;
    bench.sack(7, &[]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 1);
    assert!(bench.sender.control.window() >= window);
    // From now on three packets are no proof, but time is.
    bench.queue(10, 1084);
    let first = bench.packets()[0][0];
    bench.now += MS * 50;
    assert_eq!(first, 12);
    bench.sack(11, &[(2, 6)]);
    assert!(!bench.packets().concat().contains(&12));
    // What has come although it was sent again widens the wait as its duplicate would (RFC 8985 §6.2 step 4).
    assert!(bench.sender.poll_timeout().unwrap() - bench.now <= MS * 25);
}

/// RFC 9260 §7.2.4: what left before a reduction is covered by it, unless that was taken back.
#[test]
fn a_loss_behind_a_spurious_recovery_reduces() {
    let mut bench = Bench::under_way(10);
    let window = bench.sender.control.window();
    bench.sack(1, &[(2, 6)]);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 10;
    bench.sack(7, &[(2, 4)]);
    bench.packets();
    let stats = bench.stats;
    assert_eq!((stats.fast_recoveries, stats.spurious_recoveries), (1, 1));
    bench.wait(MS * 30);
    assert_eq!(bench.stats.retransmissions, 2, "8 is lost");
    assert_eq!(bench.stats.fast_recoveries, 2);
    let reduced = bench.sender.control.window();
    assert!(
        reduced.abs_diff(window * 7 / 10) <= 1,
        "{reduced} of {window}"
    );
}

/// What was sent three times and came three times was not lost once.
#[test]
fn all_that_comes_twice_is_proof() {
    let mut bench = Bench::under_way(10);
    let window = bench.sender.control.window();
    bench.sack(1, &[(2, 6)]);
    assert_eq!(bench.packets(), [[2]]);
    bench.queue(10, 1084);
    bench.sack(1, &[(2, 10)]);
    for _ in 0..20 {
        bench.packets();
        bench.now += MS;
    }
    let last = bench.sender.outstanding.next().previous().tsn().0;
    assert!(last >= 14, "{last}");
    bench.now += MS * 50;
    bench.sack(1, &[(2, (last - 1) as u16)]);
    assert!(
        bench.packets().concat().contains(&2),
        "it is said for the third time"
    );
    let stats = bench.stats;
    assert_eq!((stats.fast_recoveries, stats.spurious_recoveries), (2, 0));
    // All three copies have come.
    bench.now += MS * 50;
    bench.sack_with(last, 10 << 20, &[], &[2, 2]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 2);
    assert!(bench.sender.control.window() >= window);
}

/// Of what is lost, a part that came all the same is no proof for the rest.
#[test]
fn a_recovery_stays_unless_all_of_it_was_for_nothing() {
    let mut bench = Bench::under_way(10);
    bench.sack(1, &[(3, 7)]);
    assert_eq!(bench.packets(), [[2], [3]]);
    let window = bench.sender.control.window();
    bench.now += MS * 10;
    bench.sack(2, &[(2, 6)]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 0);
    assert_eq!(bench.sender.control.window(), window);
    assert!(bench.sender.recovery.episode.is_some());
    // It lasts until what left before it is accounted for.
    bench.now += MS * 50;
    bench.sack(8, &[]);
    bench.packets();
    assert!(bench.sender.recovery.episode.is_some());
    bench.sack(11, &[]);
    bench.packets();
    assert!(bench.sender.recovery.episode.is_none());
}

/// RFC 9937: what was in flight when it began is the measure, not what is left then.
#[test]
fn a_recovery_sends_in_proportion() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 40);
    bench.queue(200, 1084);
    assert_eq!(bench.packets().len(), 40);
    bench.now += MS * 50;
    bench.sack(0, &[(2, 16)]);
    // Of 15 that came half leaves, as the pacer lets it.
    let mut sent = 0;
    for _ in 0..200 {
        sent += bench.packets().len();
        bench.now += MS;
    }
    assert_eq!(sent, 8);
}

/// RFC 8985 §6.2 step 4: what we sent again and came twice widens the window; what the network doubled does not.
#[test]
fn only_our_own_duplicates_say_something() {
    let mut bench = Bench::under_way(10);
    bench.sack_with(1, 10 << 20, &[(2, 6)], &[3, 4, 5]);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.stats.spurious_recoveries, 0);
    let window = |bench: &Bench| {
        let recovery = &bench.sender.recovery;
        recovery.rack.window(1000, true, &recovery.rtt)
    };
    assert_eq!(window(&bench), Duration::ZERO);
    bench.now += MS * 60;
    bench.sack_with(11, 10 << 20, &[], &[2]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 1);
    assert_eq!(window(&bench), MS * 25, "two quarters");
}

/// Row: whatever the batch, and whatever is drained in between, a round trip of losses costs one reduction, and growth
/// goes on afterwards.
#[test]
fn growth_goes_on_after_a_recovery_in_batches() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 20);
    bench.measured(MS * 50);
    bench.queue(5000, 1084);
    for _ in 0..40 {
        bench.packets();
        bench.now += MS;
    }
    bench.now += MS * 20;
    bench.sack(1, &[(2, 15)]);
    let mut windows = Vec::new();
    for _ in 0..30 {
        for _ in 0..45 {
            bench.packets();
            bench.now += MS;
        }
        bench.now += MS * 20;
        // Everything in one SACK: nothing is outstanding then, though much is queued.
        let last = bench.sender.outstanding.next().previous().tsn().0;
        bench.sack(last, &[]);
        windows.push(bench.sender.control.window());
    }
    assert_eq!(bench.stats.fast_recoveries, 1);
    assert!(windows[29] >= windows[2] + 22 * 1100, "{windows:?}");
}

/// RFC 8985 §6.2 step 3: what comes late without having been sent again shows that the path reorders.
#[test]
fn what_comes_late_is_reordering() {
    let mut bench = Bench::under_way(4);
    bench.sack(1, &[(2, 3)]);
    assert!(bench.packets().is_empty());
    bench.now += MS * 5;
    bench.sack(5, &[]);
    bench.queue(8, 1084);
    let first = bench.packets().concat()[0];
    bench.now += MS * 50;
    bench.sack(first - 1, &[(2, 6)]);
    assert!(
        !bench.packets().concat().contains(&first),
        "time is proof, three packets are not"
    );
    assert_eq!(bench.stats.fast_recoveries, 0);
}

/// RFC 8985 §6.2 step 3: what was sent again comes late by nature. After a loss three later packets are proof as before.
#[test]
fn what_was_sent_again_is_no_reordering() {
    let mut bench = Bench::under_way(8);
    bench.sack(1, &[(2, 8)]);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(9, &[]);
    bench.queue(8, 1084);
    let first = bench.packets().concat()[0];
    bench.now += MS * 50;
    bench.sack(first - 1, &[(2, 4)]);
    assert_eq!(bench.packets()[0], [first]);
}

/// RFC 8985 §6.2 step 2 and 3: a path that was short once may have become long. What is late, is sent again and comes soon after that may be
/// the first copy: what left between them is not late for that, and is found to be lost at its own time.
#[test]
fn an_answer_that_may_be_of_the_first_copy_judges_no_other() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 5);
    for _ in 0..80 {
        bench.measured(MS * 150);
    }
    bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
    let first = bench.sender.outstanding.next().tsn().0;
    bench.queue(4, 1084);
    assert_eq!(bench.packets().len(), 4);
    bench.now += MS * 100;
    bench.queue(20, 1084);
    assert_eq!(bench.packets().len(), 20);
    bench.now += MS * 50;
    bench.sack(first - 1, &[(2, 4)]);
    assert_eq!(bench.packets(), [[first]]);
    // The first copy takes 175 ms.
    bench.now += MS * 25;
    bench.sack(first + 3, &[]);
    assert!(bench.packets().is_empty(), "they left 75 ms ago");
    bench.now += MS * 70;
    assert!(bench.packets().is_empty());
    // They were lost all the same.
    let sent = bench.now - MS * 145;
    bench.wait(MS * 100);
    assert_eq!(bench.stats.retransmission_timeouts, 0);
    assert!(bench.now - sent < MS * 160, "{:?}", bench.now - sent);
}

/// TSNs wrap in the middle of a transfer with loss.
#[test]
fn tsns_wrap_under_loss() {
    for_each_seed(200, |seed| {
        let initial = u32::MAX - (seed % 40) as u32;
        let config = Config::default();
        let mut bench = Bench::new(initial);
        let mut receiver = Receiver::new(&config, Tsn(initial));
        bench.queue(60, 1500);
        let mut random = seed as u32;
        let mut got = 0;
        for round in 0.. {
            assert!(round < 2000, "seed {seed}: {got} messages");
            bench.now += Duration::from_millis(10);
            let mut sent = 0;
            while let Some(packet) = bench.packet() {
                sent += 1;
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if random >> 30 != 0 {
                    for data in data_of(&packet) {
                        let received = receiver.handle_data(&data, None, true, &mut { usize::MAX });
                        assert!(matches!(
                            received,
                            Received::New { .. } | Received::Duplicate
                        ));
                    }
                }
            }
            if sent == 0 {
                let due = bench.sender.poll_timeout().unwrap();
                bench.now = bench.now.max(due);
                bench.sender.handle_timeout(bench.now, &mut bench.stats);
            }
            while let Some(message) = receiver.read(1, None) {
                assert_eq!(message.payload.len(), 1500);
                got += 1;
            }
            let mut sack = Vec::new();
            receiver.write_sack(&mut sack, 1000);
            let sack = Sack::parse(&sack[4..]).unwrap();
            assert!(bench.sender.outstanding.accepts(&sack));
            bench.sender.handle_sack(bench.now, &sack);
            if bench.sender.is_idle() {
                break;
            }
        }
        assert_eq!((got, bench.sender.queue.held()), (60, 0), "seed {seed}");
    });
}

/// What was lost before a reduction, and proves to have come, says nothing of what was lost since: that reduction stands, and had begun
/// from the window before the first.
#[test]
fn a_late_proof_does_not_undo_the_next_reduction() {
    let mut bench = Bench::under_way(10);
    let first = bench.sender.control.window();
    bench.sack(1, &[(2, 6)]);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 60;
    bench.sack(11, &[]);
    bench.packets();
    assert!(bench.sender.recovery.episode.is_none());
    bench.queue(10, 1084);
    let sent = bench.packets().len();
    assert!(sent >= 7, "{sent}");
    bench.now += MS * 50;
    bench.sack(11, &[(2, 6)]);
    assert_eq!(bench.packets()[0], [12]);
    let stats = bench.stats;
    assert_eq!((stats.fast_recoveries, stats.spurious_recoveries), (2, 0));
    let window = bench.sender.control.window();
    bench.now += MS;
    bench.sack_with(11, 10 << 20, &[(2, 6)], &[2]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 1);
    let (now, stands) = (bench.sender.control.window(), first * 7 / 10);
    assert!(now > window && now.abs_diff(stands) < 20, "{now}, {stands}");
    assert!(bench.sender.recovery.episode.is_some());
    // The proof of its own loss takes it back too.
    bench.sack_with(11, 10 << 20, &[(2, 6)], &[12]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 2);
    let now = bench.sender.control.window();
    assert!(now.abs_diff(first) < 20, "{now}, {first}");
    assert!(bench.sender.recovery.episode.is_none());
}

/// A packet is one, however many messages were in it: one that is lost is not what ends a startup.
#[test]
fn a_model_counts_packets() {
    let mut bench = Bench::with(Config::default().congestion_control(CongestionControl::Bbr));
    bench.measured(MS * 50);
    for round in 0..2 {
        bench.queue(81, 100);
        let packets = bench.packets();
        assert_eq!((packets.len(), packets[0].len()), (9, 9));
        let first = packets[0][0];
        bench.now += MS * 50;
        bench.sack(first - 1, &[(10, 81)]);
        assert_eq!(bench.packets()[0], Vec::from_iter(first..first + 9));
        bench.now += MS * 50;
        bench.sack(first + 80, &[]);
        bench.packets();
        assert!(bench.sender.control.in_slow_start(), "round {round}");
    }
}
