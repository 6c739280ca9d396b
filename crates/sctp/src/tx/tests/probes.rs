//! Tail loss probes.

use super::*;

/// RFC 8985 §7: the end of what was sent is asked for after two round trips, not thrown away after a timeout.
#[test]
fn a_lost_end_is_probed() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(5, 1084);
    bench.packets();
    let sent = bench.now;
    bench.now += MS * 50;
    bench.sack(3, &[]);
    assert!(bench.packets().is_empty());
    let due = bench.sender.poll_timeout().unwrap();
    assert_eq!(due - sent, MS * 150);
    bench.now = due;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    let probe = bench.packet().unwrap();
    let probe = data_of(&probe).next().unwrap();
    assert_eq!((probe.tsn, probe.has(Data::IMMEDIATE)), (Tsn(6), true));
    assert!(bench.packets().is_empty(), "one packet");
    bench.now += MS * 50;
    bench.sack(3, &[(3, 3)]);
    // All before it is lost by time: one reduction.
    assert_eq!(bench.packets(), [[4]]);
    let stats = bench.stats;
    assert_eq!(
        (
            stats.probes,
            stats.retransmission_timeouts,
            stats.fast_recoveries
        ),
        (1, 0, 1)
    );
}

/// Where a round trip is far shorter than a timeout all may be lost for longer than two probes last.
#[test]
fn probes_go_on_up_to_the_timeout() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 2);
    bench.queue(20, 1084);
    bench.packets();
    for wait in [10, 20, 40, 80, 160] {
        let due = bench.sender.poll_timeout().unwrap();
        assert_eq!(due - bench.now, MS * wait);
        bench.now = due;
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.packets().len(), 1, "one packet");
    }
    assert_eq!(bench.stats.retransmission_timeouts, 0);
    // It began anew with the second one, and with none after that.
    let due = bench.sender.poll_timeout().unwrap();
    assert_eq!(due - bench.now, MS * 400 - MS * (40 + 80 + 160));
    bench.now = due;
    assert!(bench.sender.handle_timeout(bench.now, &mut bench.stats));
    assert_eq!(
        (bench.stats.probes, bench.stats.retransmission_timeouts),
        (5, 1)
    );
}

/// Where a round trip is long two probes go all the same, the second in place of the timeout before which it would not come.
#[test]
fn a_second_probe_goes_in_place_of_a_timeout() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 300);
    bench.queue(5, 1084);
    bench.packets();
    let sent = bench.now;
    for (after, probes, timeouts) in [(600, 1, 0), (1500, 2, 0), (2400, 2, 1)] {
        bench.now = bench.sender.poll_timeout().unwrap();
        assert_eq!(bench.now - sent, MS * after);
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.packets().len(), 1, "one packet");
        let stats = bench.stats;
        assert_eq!(
            (stats.probes, stats.retransmission_timeouts),
            (probes, timeouts)
        );
    }
}

/// Where all numbers are under way no new data can ask: what left last does.
#[test]
fn a_probe_goes_though_no_number_is_left() {
    for (streams, numbers) in [(7, 65_535), (1, 32_767)] {
        let mut bench = Bench::new(1);
        bench.measured(MS * 50);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
        for index in 0..66_000u32 {
            bench.push((index % streams) as u16, 1, Reliability::Reliable);
        }
        bench.packets();
        assert_eq!(bench.sender.outstanding.len(), numbers);
        bench.now = bench.sender.poll_timeout().unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        let stats = bench.stats;
        assert_eq!((stats.probes, stats.retransmission_timeouts), (1, 0));
        assert_eq!(bench.packets().len(), 1, "{numbers} under way");
    }
}

/// A single packet may be waiting for a second one at the peer, unless it was asked not to.
#[test]
fn a_probe_waits_for_a_delayed_acknowledgement() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 500);
    bench.packets();
    let due = bench.sender.poll_timeout().unwrap();
    assert_eq!(due - bench.now, MS * 300);
    // The probe repaired a loss: that is one reduction, without a timeout.
    let window = bench.sender.control.window();
    bench.now = due;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(2, &[]);
    bench.packets();
    assert_eq!(bench.stats.probe_losses, 1);
    assert!(bench.sender.control.window() < window);
    // Where it was received twice nothing was lost.
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 500);
    bench.packets();
    let window = bench.sender.control.window();
    bench.now += MS * 300;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack_with(2, 10 << 20, &[], &[2]);
    bench.packets();
    assert_eq!(bench.sender.control.window(), window);
}

/// RFC 8985 §7.2: after a timeout nothing is probed until something has come; the next timer is the doubled timeout.
#[test]
fn nothing_is_probed_after_a_timeout() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 1084);
    bench.packets();
    while bench.stats.retransmission_timeouts == 0 {
        bench.now = bench.sender.poll_timeout().unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.packets(), [[2]]);
    }
    let probes = bench.stats.probes;
    let due = bench.sender.poll_timeout().unwrap();
    assert_eq!(due - bench.now, bench.sender.recovery.rtt.timeout());
    bench.now = due;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(
        (bench.stats.retransmission_timeouts, bench.stats.probes),
        (2, probes)
    );
    bench.packets();
    bench.sack(2, &[]);
    bench.queue(1, 1084);
    bench.packets();
    assert!(bench.sender.recovery.probe.is_some(), "something has come");
}

/// RFC 8985 §7.4.2: what a probe repaired was a loss, whatever the controller.
#[test]
fn a_model_hears_of_what_a_probe_repaired() {
    let mut bench = Bench::with(Config::default().congestion_control(CongestionControl::Bbr));
    bench.measured(MS * 50);
    bench.queue(1, 500);
    bench.packets();
    bench.now += MS * 300;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(2, &[]);
    bench.packets();
    assert_eq!(bench.stats.probe_losses, 1);
}

/// What a probe sends again stands for all before it: that is given up by what it shows, and not by the probe.
#[test]
fn a_probe_gives_up_nothing_before_it() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.push(1, 1084, Reliability::Retransmits(0));
    bench.queue(1, 1084);
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.now = bench.sender.recovery.probe.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 0);
    assert_eq!(bench.packets(), [[3]]);
}

/// Nothing asks where what left last may not go again: what left first does then.
#[test]
fn what_stands_before_an_unreliable_end_is_asked_for() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 1084);
    bench.push(1, 1084, Reliability::Retransmits(0));
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.now = bench.sender.recovery.probe.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.stats.abandoned_sent, 0);
}

/// RFC 9260 §7.2: an end that is passed over was lost, unless it is one packet: that may have come, and its acknowledgement waits.
#[test]
fn an_end_that_is_passed_over_was_lost() {
    for reliability in [Reliability::Retransmits(0), Reliability::Lifetime(MS * 40)] {
        for (count, reductions) in [(1, 0), (5, 1)] {
            let mut bench = Bench::new(1);
            bench.measured(MS * 50);
            for _ in 0..count {
                bench.push(1, 1084, reliability);
            }
            assert_eq!(bench.packets().len(), count);
            for _ in 0..2 {
                bench.now = bench.sender.poll_timeout().unwrap();
                bench.sender.handle_timeout(bench.now, &mut bench.stats);
                bench.packets();
            }
            let stats = bench.stats;
            assert_eq!(stats.abandoned_sent, count as u64, "{reliability:?}");
            assert_eq!(stats.fast_recoveries, reductions, "{reliability:?}");
            assert!(bench.sender.skip.due && stats.retransmission_timeouts == 0);
        }
    }
}

/// RFC 8985 §6.2: what comes back sooner than a round trip after a probe is its first copy, and what left before that and has not come is
/// lost.
#[test]
fn a_first_copy_shows_what_is_lost_before_it() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(2, 1084);
    bench.packets();
    bench.now = bench.sender.recovery.probe.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[3]]);
    bench.now += MS * 5;
    bench.sack(1, &[(2, 2)]);
    assert!(bench.packets().is_empty());
    let due = bench.sender.poll_timeout().unwrap();
    assert!(due - bench.now < MS * 50, "{:?}", due - bench.now);
    bench.now = due;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.stats.retransmission_timeouts, 0);
}

/// What is over stands in one packet with what goes again: with that, and not before.
#[test]
fn an_end_that_goes_again_in_part_is_asked_for_once() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.push(1, 100, Reliability::Lifetime(MS * 30));
    bench.queue(1, 100);
    assert_eq!(bench.packets(), [[2, 3]]);
    let mut wakes = 0;
    while bench.stats.probes == 0 {
        wakes += 1;
        bench.now = bench.sender.poll_timeout().unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        bench.finish();
    }
    assert_eq!(wakes, 3, "its life, a round trip, and the probe");
    assert_eq!(bench.packets(), [[3]]);
}
