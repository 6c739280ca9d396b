//! The peer's window, ours, and numbers.

use super::*;

/// RFC 9260 §6.1 A: a receiver that is full says nothing of the path, and what probed its window is no round trip.
#[test]
fn a_full_receiver_says_nothing_of_the_path() {
    let mut bench = Bench::under_way(10);
    bench.sack_with(3, 0, &[], &[]);
    bench.packets();
    let window = bench.sender.control.window();
    bench.sender.recovery.probe = None;
    bench.now = bench.sender.recovery.t3.unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.retransmission_timeouts, 1);
    assert_eq!(bench.sender.control.window(), window);
    assert_eq!(bench.sender.recovery.rtt.timeout(), MS * 400);
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(10, 1084);
    bench.sack_with(1, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    bench.now = bench.sender.poll_timeout().unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]]);
    let smoothed = bench.sender.recovery.rtt.smoothed();
    bench.now += MS * 300;
    bench.sack_with(2, 10 << 20, &[], &[]);
    bench.packets();
    assert_eq!(bench.sender.recovery.rtt.smoothed(), smoothed);
}

/// A window probe that the peer took twice was sent twice without a loss: three later packets are proof as before.
#[test]
fn what_probed_a_window_is_no_reordering() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(12, 1084);
    bench.sack_with(1, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    for _ in 0..2 {
        bench.now = bench.sender.poll_timeout().unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        assert_eq!(bench.packets(), [[2]]);
    }
    bench.now += MS * 50;
    bench.sack_with(2, 10 << 20, &[], &[2]);
    assert!(bench.packets().len() > 4);
    bench.now += MS * 50;
    bench.sack(2, &[(2, 4)]);
    assert_eq!(bench.packets(), [[3]]);
    assert_eq!(bench.stats.spurious_recoveries, 0);
}

/// Nor is one that T3-rtx finds lost: it runs beside the probe while the peer has something to skip.
#[test]
fn what_probed_a_window_beside_a_skip_is_no_reordering() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.push(1, 1000, Reliability::Lifetime(MS * 100));
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    bench.queue(12, 1084);
    bench.sack_with(1, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    let mut sent = 0;
    while sent < 2 || bench.stats.retransmission_timeouts == 0 {
        bench.now = bench.sender.poll_timeout().unwrap();
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        for packet in bench.packets() {
            assert_eq!(packet, [3]);
            sent += 1;
        }
    }
    bench.now += MS * 50;
    bench.sack_with(3, 10 << 20, &[], &[3]);
    while bench.sender.outstanding.len() < 5 {
        assert!(!bench.packets().is_empty());
    }
    bench.now += MS * 50;
    bench.sack(3, &[(2, 4)]);
    assert_eq!(bench.packets()[0], [4], "three later ones are proof");
}

/// RFC 9260 §3.3.1: while the peer has no room, what is sent again asks it for an answer at once.
#[test]
fn a_closed_window_asks_for_an_answer() {
    for (window, immediate) in [(10 << 20, false), (0, true)] {
        let mut bench = Bench::under_way(8);
        bench.sack_with(1, window, &[(2, 8)], &[]);
        let again = bench.packet().unwrap();
        let again = data_of(&again).next().unwrap();
        assert_eq!((again.tsn, again.has(Data::IMMEDIATE)), (Tsn(2), immediate));
    }
}

/// A window of two packets brings no second one to acknowledge before the peer's delay ends, so it is asked for an answer.
#[test]
fn a_small_window_asks_for_an_answer() {
    for (packets, immediate) in [(2, true), (4, false)] {
        let mut bench = Bench::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1100, packets);
        bench.queue(1, 1084);
        let packet = bench.packet().unwrap();
        let asks = data_of(&packet).all(|data| data.has(Data::IMMEDIATE));
        assert_eq!(asks, immediate, "{packets}");
    }
}

/// RFC 9260 §6.1 A: the first probe of a closed window waits for a timeout; it has no effect on the congestion window or
/// the timeout, and what it carried goes at once when the window opens.
#[test]
fn a_closed_window_is_probed_without_effect() {
    let mut bench = Bench::under_way(20);
    let last = bench.sender.outstanding.next().previous().tsn().0;
    bench.sack_with(last, 0, &[], &[]);
    let window = {
        assert!(bench.packets().is_empty(), "not at once");
        bench.sender.control.window()
    };
    for wait in [400, 800, 1600, 3000, 3000] {
        let due = bench.sender.poll_timeout().unwrap();
        assert_eq!(due - bench.now, MS * wait);
        bench.now = due;
        assert!(bench.sender.handle_timeout(bench.now, &mut bench.stats));
        let probe = bench.packet().unwrap();
        let probe = data_of(&probe).next().unwrap();
        assert_eq!(
            (probe.tsn, probe.has(Data::IMMEDIATE)),
            (Tsn(last + 1), true)
        );
        assert!(bench.packet().is_none(), "one chunk");
        bench.sack_with(last, 0, &[], &[]);
        assert!(bench.packet().is_none());
    }
    bench.sack_with(last, 10 << 20, &[], &[]);
    let sent = bench.packets();
    assert_eq!(sent[0], [last + 1]);
    assert!(sent.len() > 3, "{sent:?}");
    assert_eq!(bench.sender.control.window(), window);
    assert_eq!(bench.sender.recovery.rtt.timeout(), MS * 400);
    assert_eq!(
        (
            bench.stats.retransmission_timeouts,
            bench.stats.fast_recoveries
        ),
        (0, 0)
    );
}

/// RFC 9260 §7.2.1: who waits for the peer to make room is not idle.
#[test]
fn a_closed_window_is_no_idleness() {
    let mut bench = Bench::under_way(20);
    let last = bench.sender.outstanding.next().previous().tsn().0;
    bench.sack_with(last, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    let window = bench.sender.control.window();
    assert!(window > 12 * 1100, "{window}");
    bench.now = bench.sender.poll_timeout().unwrap();
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[last + 1]]);
    bench.sack_with(last + 1, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    bench.now += MS * 3000;
    bench.sack_with(last + 1, 10 << 20, &[], &[]);
    assert!(bench.packets().len() > 3);
    assert_eq!(bench.sender.control.window(), window);
}

/// When consent comes back a closed window is probed at once.
#[test]
fn a_path_that_comes_back_has_a_closed_window_probed() {
    let mut bench = Bench::under_way(20);
    let last = bench.sender.outstanding.next().previous().tsn().0;
    bench.sack_with(last, 0, &[], &[]);
    assert!(bench.packets().is_empty());
    bench.sender.revive(bench.now);
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[last + 1]]);
}

/// RFC 9260 §1.6, §3.3.4: numbers are not outrun, however wide the peer's window is.
#[test]
fn numbers_are_never_outrun() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
    bench.sender.peer_window = 64 << 20;
    bench.queue(70_000, 1);
    bench.packets();
    assert_eq!(
        bench.sender.outstanding.len(),
        32_767,
        "ordered, of one stream"
    );
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
    bench.sender.peer_window = 64 << 20;
    for index in 0..70_000u32 {
        bench.push((index % 7) as u16, 1, Reliability::Reliable);
    }
    bench.packets();
    assert_eq!(bench.sender.outstanding.len(), 65_535);
    // What is passed makes room.
    bench.sack(10, &[]);
    bench.packets();
    assert_eq!(bench.sender.outstanding.len(), 65_535);
}

/// The controller learns how long packets have become, before it counts in them.
#[test]
fn windows_count_in_packets_as_long_as_the_path_carries() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.sender.pmtu.begin(1448);
    bench.sender.pmtu.count(bench.now, 64 << 10);
    assert_eq!(bench.sender.pmtu.wanted(bench.now), Some(1448));
    bench.sender.pmtu.sent(bench.now, 7, MS * 400);
    bench.sender.pmtu.answered(bench.now, 7);
    for _ in 0..10 {
        bench.queue(1, 100);
        bench.packets();
        bench.now = bench.sender.recovery.t3.unwrap();
        bench.sender.recovery.probe = None;
        bench.sender.handle_timeout(bench.now, &mut bench.stats);
        bench.packets();
    }
    assert_eq!(bench.sender.control.window(), 1436);
}

/// What the peer has room for leaves over the shortest round trip, and not in bursts as the wider window would.
#[test]
fn a_window_wider_than_the_peers_is_paced_as_the_peers() {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 4000);
    for millis in [50, 80] {
        bench.queue(1, 100);
        bench.packets();
        bench.now += MS * millis;
        let last = bench.sender.outstanding.next().previous().tsn().0;
        bench.sack_with(last, 1_000_000, &[], &[]);
        bench.packets();
        // It counts what chunks carry, of which these have 100 bytes in 116.
        assert_eq!(bench.sender.pacing_rate(), Some(29_000_000));
    }
    // With more room than it may use it is its own window that counts.
    bench.measured(MS * 50);
    assert_eq!(bench.sender.pacing_rate(), None, "faster than timers are");
    // What lies behind a loss takes the peer's room until it is repaired: that is no reason to repair slowly.
    bench.queue(8, 1084);
    let first = bench.packets().concat()[0];
    bench.now += MS * 50;
    bench.sack_with(first - 1, 100_000, &[(2, 8)], &[]);
    bench.sender.judge(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.fast_recoveries, 1);
    let rate = bench.sender.pacing_rate();
    assert!(rate.is_none_or(|it| it > 25_000_000), "{rate:?}");
}

/// What has come beyond a gap is kept, as the peer may take it back: so a peer that acknowledges all but one chunk is sent no more than
/// what the sender has set aside for that, until the one has come.
#[test]
fn what_has_come_beyond_a_gap_is_kept_within_a_bound() {
    let mut bench = Bench::of(&Config::default().send_buffer(50_000), 1);
    bench.measured(MS * 50);
    bench.queue(100, 1084);
    let mut last = 1;
    while let Some(tsn) = bench.packets().concat().last().copied() {
        last = last.max(tsn);
        bench.now += MS * 50;
        bench.sack(1, &[(2, (last - 1) as u16)]);
    }
    let beyond = (1084 + queue::MESSAGE_OVERHEAD) * (last as usize - 2);
    assert!((50_000..80_000).contains(&beyond), "{beyond}");
    bench.sack(last, &[]);
    assert_eq!(bench.packets().concat().first(), Some(&(last + 1)));
    let mut bench = Bench::of(&Config::default().send_buffer(0), 1);
    bench.queue(1, 100);
    assert_eq!(bench.packets().len(), 1, "one message is always taken");
}
