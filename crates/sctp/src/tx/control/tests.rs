use super::*;
use crate::tx::flown::PacketNo;

const PACKET: usize = 1000;

#[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
fn start() -> Instant {
    Instant::now()
}

fn both() -> [Control; 2] {
    [CongestionControl::NewReno, CongestionControl::Cubic].map(|it| Control::new(it, PACKET, 10))
}

/// Acknowledgements of one round trip of a full window, in so many pieces.
fn round(
    control: &mut Control,
    now: Instant,
    packet: &mut PacketNo,
    pieces: usize,
    sample: Duration,
) {
    round_of(control, now, packet, pieces, |_| sample);
}

/// The same, of which each piece has a round trip of its own.
fn round_of(
    control: &mut Control,
    now: Instant,
    packet: &mut PacketNo,
    pieces: usize,
    sample: impl Fn(usize) -> Duration,
) {
    let window = control.window();
    let next = *packet + (window / PACKET) as u64;
    for piece in 1..=pieces {
        let limited = window * piece / pieces - window * (piece - 1) / pieces;
        let newest = *packet + (next - *packet) * piece as u64 / pieces as u64 - 1;
        control.on_acked(&Acked {
            now,
            limited,
            packets: (limited / PACKET).max(1) as u32,
            newest,
            next,
            sample: Some(sample(piece)),
            smoothed: sample(piece),
        });
    }
    *packet = next;
}

/// Growth is by bytes: however acknowledgements are cut, a round trip doubles the window.
#[test]
fn slow_start_doubles_whatever_the_batch() {
    for pieces in [1, 2, 10] {
        for mut control in both() {
            let (now, mut packet) = (start(), 1);
            for doubled in [20_000, 40_000, 80_000] {
                round(
                    &mut control,
                    now,
                    &mut packet,
                    pieces,
                    Duration::from_millis(50),
                );
                assert_eq!(control.window(), doubled, "{pieces} pieces, {control:?}");
            }
        }
    }
}

#[test]
fn what_did_not_fill_the_window_does_not_widen_it() {
    for mut control in both() {
        let sample = Duration::from_millis(50);
        control.on_acked(&Acked {
            now: start(),
            limited: 0,
            packets: 10,
            newest: 10,
            next: 20,
            sample: Some(sample),
            smoothed: sample,
        });
        assert_eq!(control.window(), 10_000);
    }
}

/// RFC 9406: a round trip that grows slows slow start down, and ends it after five rounds.
#[test]
fn a_growing_round_trip_ends_slow_start() {
    for mut control in both() {
        let (now, mut packet) = (start(), 1);
        round(
            &mut control,
            now,
            &mut packet,
            10,
            Duration::from_millis(50),
        );
        round(
            &mut control,
            now,
            &mut packet,
            10,
            Duration::from_millis(58),
        );
        let before = control.window();
        round(
            &mut control,
            now,
            &mut packet,
            10,
            Duration::from_millis(60),
        );
        assert!(control.window() <= before + before / 3, "{control:?}");
        assert!(control.in_slow_start());
        // It began in the second of the round trips and lasts five; the first answer of the next ends it.
        for left in (0..4).rev() {
            assert!(control.in_slow_start(), "{left} left");
            let sample = Duration::from_millis(60);
            round(&mut control, now, &mut packet, 10, sample);
        }
        assert!(!control.in_slow_start(), "{control:?}");
        // A spike that passes is no queue.
        let [mut control, _] = both();
        let mut packet = 1;
        for millis in [50, 58, 50, 50] {
            round(
                &mut control,
                now,
                &mut packet,
                10,
                Duration::from_millis(millis),
            );
        }
        let before = control.window();
        round(
            &mut control,
            now,
            &mut packet,
            10,
            Duration::from_millis(50),
        );
        assert_eq!(control.window(), 2 * before);
    }
}

/// A queue of a bandwidth-delay product fills within one round: it is seen there, not in the next, for which it has no room.
#[test]
fn a_queue_is_seen_while_it_fills() {
    for mut control in both() {
        let (now, mut packet) = (start(), 1);
        for _ in 0..4 {
            let sample = Duration::from_millis(50);
            round(&mut control, now, &mut packet, 40, sample);
        }
        let before = control.window();
        let fills = |piece| Duration::from_millis(50 + piece as u64);
        round_of(&mut control, now, &mut packet, 40, fills);
        assert!(control.window() < before * 3 / 2, "{control:?}");
    }
}

/// On a path that is not even a part of a round is late in each, and that is no queue.
#[test]
fn what_was_as_late_before_is_no_queue() {
    for mut control in both() {
        let (now, mut packet) = (start(), 1);
        let uneven = |piece| Duration::from_millis(if piece > 20 { 80 } else { 50 });
        round_of(&mut control, now, &mut packet, 40, uneven);
        for _ in 0..2 {
            let before = control.window();
            round_of(&mut control, now, &mut packet, 40, uneven);
            assert!(control.window() >= 2 * before - PACKET, "{control:?}");
        }
    }
}

#[test]
fn a_loss_leaves_half_or_seven_tenths() {
    let [mut newreno, mut cubic] = both();
    let (now, mut packet) = (start(), 1);
    for control in [&mut newreno, &mut cubic] {
        packet = 1;
        for _ in 0..2 {
            round(control, now, &mut packet, 1, Duration::from_millis(50));
        }
        control.on_lost(now);
    }
    assert_eq!((newreno.window(), cubic.window()), (20_000, 28_000));
    // NewReno gains a packet a round trip.
    round(&mut newreno, now, &mut packet, 3, Duration::from_millis(50));
    assert_eq!(newreno.window(), 21_000);
    for mut control in both() {
        for _ in 0..20 {
            control.on_lost(now);
        }
        assert_eq!(control.window(), 4 * PACKET);
    }
}

#[test]
fn a_timeout_leaves_one_packet_and_the_first_threshold() {
    for mut control in both() {
        let now = start();
        control.on_timeout(now, false);
        let threshold = control.threshold();
        assert_eq!(control.window(), PACKET);
        assert!(threshold == 5000 || threshold == 7000);
        control.on_timeout(now, true);
        assert_eq!((control.window(), control.threshold()), (PACKET, threshold));
    }
}

#[test]
fn what_was_spurious_is_restored() {
    for mut control in both() {
        let (now, mut packet) = (start(), 1);
        round(&mut control, now, &mut packet, 1, Duration::from_millis(50));
        let (window, saved) = (control.window(), control.save());
        control.on_lost(now);
        assert!(control.window() < window);
        control.on_spurious(saved);
        assert_eq!(control.window(), window);
        assert!(control.in_slow_start());
    }
}

#[test]
fn an_idle_window_decays_to_the_initial_one() {
    for mut control in both() {
        let (now, mut packet) = (start(), 1);
        for _ in 0..3 {
            round(&mut control, now, &mut packet, 1, Duration::from_millis(50));
        }
        let rto = Duration::from_secs(1);
        control.on_idle(rto / 2, rto);
        assert_eq!(control.window(), 80_000);
        control.on_idle(rto * 2, rto);
        assert_eq!(control.window(), 20_000);
        assert!(control.in_slow_start(), "it comes back fast");
        control.on_idle(rto * 3000, rto);
        assert_eq!(control.window(), 10_000);
    }
}

/// RFC 9438 §4.2: K seconds after a loss the window is where it was, and it passes that slowly first.
#[test]
fn cubic_comes_back_in_k_seconds() {
    let sample = Duration::from_millis(100);
    let mut control = Control::new(CongestionControl::Cubic, PACKET, 1000);
    let (mut now, mut packet) = (start(), 1);
    control.on_lost(now);
    assert_eq!(control.window(), 700_000);
    // K is the cube root of 300 / 0.4: 9.09 s.
    for _ in 0..91 {
        round(&mut control, now, &mut packet, 10, sample);
        now += sample;
    }
    assert!(control.window().abs_diff(1_000_000) < 10_000, "{control:?}");
    for _ in 0..20 {
        round(&mut control, now, &mut packet, 10, sample);
        now += sample;
    }
    assert!(control.window() < 1_010_000, "{control:?}");
    // A second loss before it was there gives room away.
    let mut control = Control::new(CongestionControl::Cubic, PACKET, 1000);
    control.on_lost(now);
    control.on_lost(now);
    assert_eq!(control.save().maximum, 595_000.0);
}

/// RFC 9438 §4.2: half of the window at most is gained in a round trip, however far the curve has gone.
#[test]
fn cubic_gains_half_a_window_at_most() {
    let mut control = Control::new(CongestionControl::Cubic, PACKET, 100);
    let (now, mut packet) = (start(), 1);
    control.on_lost(now);
    let sample = Duration::from_secs(10);
    round(&mut control, now, &mut packet, 1, sample);
    let before = control.window();
    round(&mut control, now + sample, &mut packet, 1, sample);
    assert!(control.window().abs_diff(before * 3 / 2) < PACKET);
}

/// RFC 9438 §5.8: time in which the window was not all in use is no time in which it grows.
#[test]
fn cubic_does_not_grow_in_a_pause() {
    let sample = Duration::from_millis(50);
    let mut control = Control::new(CongestionControl::Cubic, PACKET, 1000);
    let (mut now, mut packet) = (start(), 1);
    control.on_lost(now);
    for pause in [0, 60] {
        now += Duration::from_secs(pause);
        for _ in 0..4 {
            round(&mut control, now, &mut packet, 1, sample);
            now += sample;
        }
    }
    assert!(control.window() < 750_000, "{control:?}");
}

/// RFC 9260 §7.2.2: what was acknowledged beyond the threshold counts for the next packet.
#[test]
fn what_passes_the_threshold_is_not_lost() {
    let mut control = Control::new(CongestionControl::NewReno, PACKET, 40);
    let (now, mut packet) = (start(), 1);
    control.on_timeout(now, false);
    let sample = Duration::from_millis(50);
    for window in [2000, 4000, 8000, 16_000, 20_000] {
        round(&mut control, now, &mut packet, 1, sample);
        assert_eq!(control.window(), window);
    }
    // Of the last 16 packets 12 were too many, so 8 more make 20.
    control.on_acked(&Acked {
        now,
        limited: 8 * PACKET,
        packets: 8,
        newest: packet + 7,
        next: packet + 20,
        sample: Some(sample),
        smoothed: sample,
    });
    assert_eq!(control.window(), 21_000);
}

/// RFC 9260 §7.2.2: the window grows by packets of the length that the path is known to carry, and keeps its bytes when that
/// is another one.
#[test]
fn growth_is_by_packets_of_the_length_that_there_is() {
    for mut control in both() {
        let (mut now, mut packet) = (start(), 1);
        control.on_lost(now);
        control.on_packet_size(PACKET * 5 / 4);
        let window = control.window();
        assert_eq!(
            window,
            if matches!(control, Control::NewReno(_)) {
                5000
            } else {
                7000
            }
        );
        // Of which a round trip has so many.
        let trips = 4;
        for _ in 0..trips {
            round(&mut control, now, &mut packet, 1, Duration::from_millis(50));
            now += Duration::from_millis(50);
        }
        let grown = (control.window() - window) as f64 / f64::from(trips);
        let expected = match control {
            Control::NewReno(_) => 1250.0,
            // As Reno with a smaller reduction would: α packets.
            _ => 1250.0 * 0.529,
        };
        assert!(
            (grown / expected - 1.0).abs() < 0.15,
            "{control:?}: {grown}"
        );
        let (saved, before) = (control.save(), control.window());
        control.on_lost(now);
        control.on_packet_size(PACKET);
        control.on_spurious(saved);
        assert!(control.window().abs_diff(before) <= 1, "{control:?}");
    }
}
