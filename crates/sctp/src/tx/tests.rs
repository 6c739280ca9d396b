use std::time::Duration;

use bytes::Bytes;
use oxirtc_netsim::for_each_seed;
use proptest::prelude::*;

mod skip;
mod steps;

use super::*;
use crate::{
    CongestionControl, SendOptions,
    packet::{ChunkKind, Chunks, Packet, Sack},
    rx::{Received, Receiver},
};

/// A sender alone, with answers written by hand.
struct Bench {
    sender: Sender,
    stats: Stats,
    now: Instant,
    /// How long a packet may become.
    room: usize,
    /// How much is done at once, and how often something was left.
    step: usize,
    steps: usize,
}

impl Bench {
    fn new(initial: u32) -> Self {
        Self::of(&Config::default(), initial)
    }

    /// The same with another controller, from TSN 1 on.
    fn with(config: Config) -> Self {
        Self::of(&config, 1)
    }

    #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
    fn of(config: &Config, initial: u32) -> Self {
        let mut sender = Sender::new(config, Tsn(initial));
        sender.peer_window = 10 << 20;
        Self {
            sender,
            stats: Stats::default(),
            now: Instant::now(),
            room: 1112,
            step: effort::STEP,
            steps: 0,
        }
    }

    fn input(&mut self) {
        self.sender.input();
        self.sender.left = self.step;
    }

    /// Does what is left to be done.
    fn finish(&mut self) {
        while self.sender.is_busy() {
            self.steps += 1;
            self.input();
            self.sender.go_on(self.now, &mut self.stats);
        }
    }

    /// A round trip of 50 ms is known, and so many full packets, from TSN 2 on, left that long ago.
    fn under_way(count: usize) -> Self {
        let mut bench = Self::new(1);
        bench.measured(MS * 50);
        bench.queue(count, 1084);
        bench.packets();
        bench.now += MS * 50;
        bench
    }

    /// So many small chunks are under way.
    fn crowded(count: usize) -> Self {
        let mut bench = Self::new(1);
        bench.sender.control = Control::new(CongestionControl::NewReno, 1 << 20, 64);
        for stream in 0..count {
            let payload = Bytes::from_static(b"x");
            let message = SendOptions::default().queued(bench.now, 53, payload, true);
            bench.sender.queue.push((stream % 7) as u16, message);
        }
        bench.packets();
        assert_eq!(bench.sender.outstanding.len(), count);
        bench
    }

    fn queue(&mut self, count: usize, length: usize) {
        for _ in 0..count {
            let payload = Bytes::from(vec![3; length]);
            let message = SendOptions::default().queued(self.now, 53, payload, true);
            self.sender.queue.push(1, message);
        }
    }

    /// The next packet that can go out now.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut buf = Vec::new();
        Packet::start(&mut buf, 1, 2, 3);
        self.input();
        self.sender.judge(self.now, &mut self.stats);
        self.finish();
        self.sender.give_up_expired(self.now, &mut self.stats);
        self.finish();
        while !self.sender.has_data(self.now, &mut self.stats) {
            if !self.sender.is_busy() {
                return None;
            }
            self.finish();
        }
        // A packet ends before messages that are over and more than is left, so that twins would not have the same.
        self.sender.left = usize::MAX;
        let room = Room {
            start: 0,
            capacity: self.room,
            immediate: false,
        };
        self.sender.fill(self.now, room, &mut buf, &mut self.stats);
        if self.sender.outstanding.len() < 300 {
            self.sender.outstanding.check();
        }
        assert!(buf.len() > 12, "has_data said so");
        self.stats.packets_sent += 1;
        Packet::finish(&mut buf, 0);
        Some(buf)
    }

    /// The TSNs of each packet that can go out now.
    fn packets(&mut self) -> Vec<Vec<u32>> {
        let mut packets = Vec::new();
        while let Some(packet) = self.packet() {
            packets.push(data_of(&packet).map(|data| data.tsn.0).collect());
        }
        packets
    }

    /// Lets time pass, and serves what falls due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.sender.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now, &mut self.stats);
            if !self.packets().is_empty() {
                return;
            }
        }
        self.now = end;
    }

    /// The first packets have come back after `time`, so that a round trip is known.
    fn measured(&mut self, time: Duration) {
        self.queue(1, 100);
        self.packets();
        self.now += time;
        let last = self.sender.outstanding.next().previous().tsn().0;
        self.sack(last, &[]);
        self.packets();
    }

    fn sack(&mut self, cumulative: u32, gaps: &[(u16, u16)]) {
        self.sack_with(cumulative, 10 << 20, gaps, &[]);
    }

    fn sack_with(&mut self, cumulative: u32, window: u32, gaps: &[(u16, u16)], twice: &[u32]) {
        let mut buf = Vec::new();
        let head = (Tsn(cumulative), window);
        let twice = twice.iter().map(|tsn| Tsn(*tsn));
        Sack::write(&mut buf, 4000, head, gaps.iter().copied(), twice);
        let sack = Sack::parse(&buf[4..]).unwrap();
        assert!(self.sender.outstanding.accepts(&sack));
        self.input();
        self.sender.handle_sack(self.now, &sack);
        self.finish();
        self.sender.outstanding.check();
    }
}

fn data_of(packet: &[u8]) -> impl Iterator<Item = Data<'_>> {
    let chunks: Chunks<'_> = Packet::parse(packet).unwrap().chunks();
    chunks
        .filter(|c| c.kind == ChunkKind::DATA)
        .map(|c| Data::parse(c).unwrap())
}

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
            let payload = Bytes::from_static(b"x");
            let message = SendOptions::default().queued(bench.now, 53, payload, true);
            bench.sender.queue.push((index % streams) as u16, message);
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
    assert!(bench.sender.poll_timeout().unwrap() - bench.now <= MS * 13);
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
    bench.wait(MS * 20);
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
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    let message = short.queued(bench.now, 53, Bytes::from(vec![4; 1000]), true);
    bench.sender.queue.push(1, message);
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

/// A message's place is taken by another once it is acknowledged, and so is not its deadline.
#[test]
fn a_deadline_dies_with_its_message() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    let message = short.queued(bench.now, 53, Bytes::from_static(&[4; 300]), true);
    bench.sender.queue.push(1, message);
    assert_eq!(bench.packets(), [[2]]);
    bench.now += MS * 50;
    bench.sack(2, &[]);
    bench.queue(1, 400);
    assert_eq!(bench.packets(), [[3]]);
    bench.now += MS * 60;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 0);
    assert_eq!(bench.sender.queue.unacknowledged(1), 400);
}

/// RFC 9260 §3.3.4: a SACK names the first blocks that find room. What lies beyond may have come, and is not sent again.
/// dcSCTP, which is Chromium's, names twenty.
#[test]
fn a_full_sack_says_nothing_of_what_lies_beyond() {
    for blocks in [200, 100, 20] {
        full_sacks(blocks);
    }
}

fn full_sacks(blocks: usize) {
    let mut bench = Bench::new(1);
    bench.sender.control = Control::new(CongestionControl::NewReno, 1100, 700);
    bench.queue(600, 1084);
    let mut receiver = Receiver::new(&Config::default(), Tsn(1));
    let mut sent = std::collections::BTreeSet::new();
    let (mut first_again, mut seen) = (false, false);
    for round in 0.. {
        assert!(round < 500, "{:?}", bench.stats);
        let packets = Vec::from_iter(std::iter::from_fn(|| bench.packet()));
        bench.now += MS * 50;
        for data in packets.iter().flat_map(|packet| data_of(packet)) {
            // Every second one is lost the first time.
            let again = !sent.insert(data.tsn.0);
            first_again |= again;
            if again || data.tsn.0.is_multiple_of(2) {
                receiver.handle_data(&data, None, true);
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
    assert_eq!(
        (
            bench.stats.retransmissions,
            bench.stats.retransmission_timeouts
        ),
        (300, 0),
        "{blocks} blocks"
    );
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

/// RFC 3758 §4.1: a life that is over is over, whatever stands before the message in its packet.
#[test]
fn a_lifetime_ends_behind_what_is_reliable() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    bench.queue(1, 400);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    let payload = Bytes::from_static(&[4; 300]);
    let message = short.queued(bench.now, 53, payload, true);
    bench.sender.queue.push(1, message);
    assert_eq!(bench.packets(), [[2, 3]]);
    bench.wait(MS * 120);
    assert_eq!(bench.stats.abandoned_sent, 1);
    bench.now += MS * 500;
    bench.sender.handle_timeout(bench.now, &mut bench.stats);
    assert_eq!(bench.packets(), [[2]], "the other one lives on");
}

/// What the peer has is not given up, though its SACK says so beyond a gap.
#[test]
fn what_has_arrived_outlives_its_life() {
    let mut bench = Bench::under_way(1);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    let message = short.queued(bench.now, 53, Bytes::from(vec![4; 1084]), true);
    bench.sender.queue.push(1, message);
    bench.packets();
    bench.sack(1, &[(2, 2)]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 0);
}

/// A message whose life ends midway takes its rest with it; one TSN more, which is never sent, makes the peer skip it.
#[test]
fn a_lifetime_ends_midway() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 30),
        ..SendOptions::default()
    };
    let message = short.queued(bench.now, 53, Bytes::from(vec![4; 100_000]), true);
    bench.sender.queue.push(1, message);
    bench.queue(1, 500);
    let sent = bench.packets().concat();
    let last = *sent.last().unwrap();
    assert!(sent.len() < 20, "not all of it");
    bench.now += MS * 31;
    let next = bench.packets().concat();
    assert_eq!(
        next,
        [last + 2],
        "the message behind it, after one that is skipped"
    );
    assert_eq!(bench.stats.abandoned_sent, 1);
    assert_eq!(bench.sender.queue.unacknowledged(1), 500);
    // The peer has all that was sent: only the skip moves it on.
    bench.now += MS * 20;
    bench.sack(last, &[(2, 2)]);
    let mut buf = Vec::new();
    bench.sender.skip.write(bench.now, &mut buf, 1000);
    let skip = crate::packet::ForwardTsn::parse(&buf[4..]).unwrap();
    assert_eq!(skip.cumulative, Tsn(last + 1));
    assert_eq!(Vec::from_iter(skip.streams()), [(1, crate::Ssn(1))]);
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
        let payload = Bytes::from_static(b"x");
        let message = SendOptions::default().queued(bench.now, 53, payload, true);
        bench.sender.queue.push((index % 7) as u16, message);
    }
    bench.packets();
    assert_eq!(bench.sender.outstanding.len(), 65_535);
    // What is passed makes room.
    bench.sack(10, &[]);
    bench.packets();
    assert_eq!(bench.sender.outstanding.len(), 65_535);
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

/// What was given up is not sent again, though the peer takes back what it had of it.
#[test]
fn what_was_given_up_is_not_taken_up_again() {
    let mut bench = Bench::under_way(1);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    let message = short.queued(bench.now, 53, Bytes::from(vec![4; 3000]), true);
    bench.sender.queue.push(1, message);
    assert_eq!(bench.packets(), [[3], [4], [5]]);
    bench.sack(2, &[(2, 2)]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    assert_eq!(bench.stats.abandoned_sent, 1);
    bench.sack(3, &[]);
    assert!(bench.packets().is_empty());
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

/// RFC 3758 §3.5 F3: what the peer has not followed is said again once a round trip, and not with each of its SACKs; and only of
/// streams whose messages it has not passed.
#[test]
fn a_skip_is_said_once_a_round_trip() {
    let mut bench = Bench::new(1);
    bench.measured(MS * 50);
    let short = SendOptions {
        reliability: crate::Reliability::Lifetime(MS * 100),
        ..SendOptions::default()
    };
    for stream in [2, 3] {
        let payload = Bytes::from_static(&[4; 1000]);
        let message = short.queued(bench.now, 53, payload, true);
        bench.sender.queue.push(stream, message);
    }
    assert_eq!(bench.packets(), [[2], [3]]);
    bench.now += MS * 101;
    bench.sender.give_up_expired(bench.now, &mut bench.stats);
    let said = |bench: &mut Bench| {
        let mut buf = Vec::new();
        bench.sender.skip.write(bench.now, &mut buf, 1000);
        let skip = buf.get(4..).and_then(crate::packet::ForwardTsn::parse)?;
        Some(Vec::from_iter(skip.streams().map(|(stream, _)| stream)))
    };
    assert_eq!(said(&mut bench), Some(vec![2, 3]));
    for (wait, expected) in [(1, None), (40, None), (9, Some(vec![2, 3])), (1, None)] {
        bench.now += MS * wait;
        bench.sack(1, &[]);
        assert_eq!(said(&mut bench), expected, "{wait}");
    }
    bench.now += MS * 50;
    bench.sack(2, &[]);
    assert_eq!(said(&mut bench), Some(vec![3]));
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

/// RFC 9260 §6.3.3: when the first chunk outstanding is sent again the timer begins anew with it.
#[test]
fn the_timer_is_that_of_the_first_chunk() {
    let mut bench = Bench::under_way(10);
    bench.sack(1, &[(2, 8)]);
    assert_eq!(bench.sender.recovery.t3, Some(bench.now + MS * 350));
    assert_eq!(bench.packets(), [[2]]);
    assert_eq!(bench.sender.recovery.t3, Some(bench.now + MS * 400));
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
        assert_eq!(bench.sender.pacing_rate(), Some(25_000_000));
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
                        let received = receiver.handle_data(&data, None, true);
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

const MS: Duration = Duration::from_millis(1);
