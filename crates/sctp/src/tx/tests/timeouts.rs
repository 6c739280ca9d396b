//! Timeouts.

use super::*;

/// Five packets, of which the first is said again after a timeout, and three that left just before it: not late enough to be lost with
/// the rest.
fn timed_out(mut bench: Bench) -> Bench {
    bench.measured(MS * 50);
    bench.queue(5, 1084);
    assert_eq!(bench.packets().len(), 5);
    let timeout = bench.sender.recovery.t3.unwrap();
    bench.now = timeout - MS * 20;
    bench.queue(3, 1084);
    assert_eq!(bench.packets().len(), 3);
    bench.sender.recovery.probe = None;
    bench.now = timeout;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.retransmission_timeouts, 1);
    assert_eq!(bench.packets(), [[2]]);
    bench
}

/// RFC 8985 §6.3: after a timeout what had left before it is found lost without another reduction.
#[test]
fn losses_from_before_a_timeout_reduce_once() {
    let mut bench = timed_out(Bench::new(1));
    let threshold = bench.sender.control.threshold();
    bench.now += MS * 60;
    bench.sack(2, &[]);
    let again = bench.packets();
    let flight = bench.sender.outstanding.flight_bytes();
    assert_eq!(flight, again.len() * 1100, "the three are lost as well");
    assert_eq!(bench.stats.fast_recoveries, 0);
    assert_eq!(bench.sender.control.threshold(), threshold);
}

/// A timeout that was for nothing leaves no doubled one behind.
#[test]
fn a_spurious_timeout_is_taken_back() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 1084);
    bench.packets();
    let window = bench.sender.control.window();
    bench.sender.recovery.probe = None;
    bench.now = bench.sender.recovery.t3.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.sender.recovery.rtt.timeout(), MS * 800);
    // So soon, it is the first copy that is acknowledged.
    bench.now += MS * 10;
    bench.sack(2, &[]);
    bench.packets();
    assert_eq!(bench.stats.spurious_recoveries, 1);
    assert_eq!(bench.sender.recovery.rtt.timeout(), MS * 400);
    assert!(bench.sender.control.window() >= window);
}

#[test]
fn a_timeout_leaves_one_packet_in_flight() {
    let mut bench = Bench::new(1);
    bench.queue(10, 1084);
    bench.packets();
    bench.now += Duration::from_secs(1);
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.retransmission_timeouts, 1);
    assert_eq!(bench.packets(), [[1]]);
    bench.now += MS * 50;
    bench.sack(1, &[]);
    assert_eq!(bench.packets(), [[2], [3]]);
}

/// RFC 9260 §7.2.3: one packet, also where it does not fill the window of one.
#[test]
fn a_short_packet_after_a_timeout_is_alone() {
    let mut bench = Bench::new(1);
    bench.queue(10, 500);
    bench.packets();
    bench.now += Duration::from_secs(1);
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[1, 2]]);
    assert!(bench.sender.outstanding.flight_bytes() < bench.sender.control.window());
}

/// RFC 9260 §6.3.1, §6.3.3: the timeout doubles; what was sent twice is not measured; one measurement ends it.
#[test]
fn timeouts_back_off_until_something_is_measured() {
    let mut bench = Bench::new(1);
    bench.queue(1, 500);
    bench.packets();
    for wait in [1000, 2000, 3000, 3000] {
        let due = bench.sender.poll_timeout().unwrap();
        assert_eq!(due - bench.now, MS * wait);
        bench.now = due;
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.packets(), [[1]]);
    }
    bench.now += MS * 50;
    bench.sack(1, &[]);
    bench.packets();
    assert_eq!(bench.sender.recovery.rtt.smoothed(), None, "Karn's rule");
    bench.measured(MS * 50);
    assert_eq!(bench.sender.recovery.rtt.timeout(), MS * 400);
}

/// RFC 8899 §4.3: where a timeout comes with nothing in flight but long packets, it may be that these vanish. What asks the path is
/// short.
#[test]
fn a_timeout_of_long_packets_alone_may_be_for_their_length() {
    for mixed in [false, true] {
        let mut bench = Bench::new(1);
        bench.measured(MS * 50);
        (bench.room, bench.sender.peer_window) = (1432, 1 << 20);
        bench.sender.pmtu.begin(1432);
        bench.sender.pmtu.count(bench.now, 64 << 10);
        assert_eq!(bench.sender.pmtu.wanted(bench.now), Some(1432));
        bench.sender.pmtu.sent(bench.now, 7, MS * 400);
        bench.sender.pmtu.answered(bench.now, 7);
        bench.queue(1, 1388);
        assert_eq!(bench.packet().map(|it| it.len()), Some(1432));
        if mixed {
            bench.queue(1, 4000);
            bench.sender.send_probe(bench.now, &mut bench.stats);
            assert!(bench.packet().unwrap().len() <= 1112);
        }
        bench.sender.recovery.probe = None;
        bench.now = bench.sender.recovery.t3.unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.stats.retransmission_timeouts, 1);
        assert_eq!(bench.stats.black_holes, u64::from(!mixed));
    }
}

/// RFC 9260 §6.3.2 R2: with nothing outstanding no timer of losses runs.
#[test]
fn nothing_is_waited_for_when_all_has_come() {
    let mut bench = Bench::under_way(3);
    bench.sack(3, &[]);
    assert!(bench.packets().is_empty() && bench.sender.poll_timeout().is_some());
    bench.sack(4, &[]);
    assert!(bench.packets().is_empty());
    assert_eq!(bench.sender.poll_timeout(), None);
}

/// RFC 9260 §6.3.2 R3: each new cumulative TSN starts the timer anew.
#[test]
fn the_timer_starts_anew_when_the_cumulative_tsn_moves() {
    let mut bench = Bench::new(1);
    bench.queue(10, 1084);
    bench.packets();
    bench.now += MS * 900;
    bench.sack(1, &[]);
    bench.packets();
    assert!(bench.sender.recovery.t3.unwrap() - bench.now > MS * 900);
    let before = bench.sender.recovery.t3;
    bench.now += MS * 100;
    bench.sack(1, &[(3, 3)]);
    assert_eq!(bench.sender.recovery.t3, before);
}

/// RFC 8985 §6.3: with the first packet those are lost that are as late, and not what left a moment ago.
#[test]
fn a_timeout_loses_what_is_late() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(2, 1084);
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.now += MS * 390;
    bench.queue(3, 1084);
    assert_eq!(bench.packets(), [[4], [5], [6]]);
    bench.sender.recovery.probe = None;
    bench.now += MS * 10;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.retransmission_timeouts, 1);
    assert_eq!(bench.sender.outstanding.flight_payload(), 3 * 1084);
}

/// RFC 9260 §6.3.3: when the first chunk outstanding is sent again the timer begins anew with it.
#[test]
fn the_timer_is_that_of_the_first_chunk() {
    let mut bench = Bench::under_way(10);
    bench.sack(1, &[(2, 8)]);
    assert_eq!(bench.sender.recovery.t3, Some(bench.now + MS * 350));
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.sender.recovery.t3, Some(bench.now + MS * 400));
}

/// A timeout is undone when all that it took for lost has come, and not before, whatever the controller.
#[test]
fn a_timeout_of_a_model_stays_unless_all_of_it_was_for_nothing() {
    let config = Config::default().congestion_control(CongestionControl::Bbr);
    let mut bench = timed_out(Bench::with(config));
    // The answer to what was sent again finds the three lost as well.
    bench.now += MS * 60;
    bench.sack(2, &[]);
    bench.packets();
    bench.now += MS;
    bench.sack_with(6, 10 << 20, &[], &[2]);
    bench.packets();
    assert_eq!(
        bench.stats.spurious_recoveries, 0,
        "five of eight have come"
    );
}

/// What is sent again first after a timeout is lost as well, and a hundred packets wait behind it: the window that is left for them grows while
/// they are repaired. It was four packets until the last of them.
#[test]
fn a_small_window_grows_while_much_is_repaired() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.sender.control = Control::new(CongestionControl::Cubic, 1084, 200);
    bench.queue(100, 1084);
    bench.packets();
    while bench.sender.outstanding.len() < 100 {
        bench.wait(MS * 50);
    }
    bench.sender.recovery.probe = None;
    bench.now = bench.sender.recovery.t3.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(2, &[]);
    assert_eq!(bench.packets(), [[3], [4]]);
    bench.now += MS * 50;
    bench.sack(2, &[(2, 2)]);
    bench.wait(MS * 50);
    assert_eq!(bench.stats.fast_recoveries, 1);
    for _ in 0..12 {
        bench.now += MS * 50;
        let all = bench.packets().concat();
        bench.sack(all.iter().copied().max().unwrap_or(3), &[]);
    }
    assert!(
        bench.sender.control.window() > 8 * 1100,
        "{}",
        bench.sender.control.window()
    );
}
