//! The receive window, and what waits to be sent.

mod support;

use std::time::Duration;

use oxirtc_netsim::{End, Link, for_each_seed, mbps, percent};
use oxirtc_sctp::{Config, CongestionControl, Error, Event, Reliability, SendOptions};

use support::{Pair, Sides, ms, pattern, perfect};

/// Known failure 33: whatever the reader's rate and the size of messages, everything is read in the end.
#[test]
fn a_slow_reader_never_locks_up() {
    for_each_seed(40, |seed| {
        let size = [1, 90, 1000, 5000, 60_000][seed as usize % 5];
        let pause = ms([1, 20, 300, 5000][seed as usize % 4]);
        let config = Config::default()
            .receive_window(100_000)
            .max_message_size(64 << 10);
        let link = Link::new(seed)
            .delay(ms(10))
            .loss(percent((seed % 3 * 2) as u32));
        let mut pair = support::pair_with(seed, link, Config::default(), config).connected();
        let total = (600_000 / size).clamp(10, 4000);
        for index in 0..total {
            pair.say(0, (index % 2) as u16, pattern(size, index));
        }
        let mut got = 0;
        for turn in 0..20_000 {
            pair.run_for(pause);
            for stream in 0..2 {
                let batch = 1 + turn % 40;
                for _ in 0..batch {
                    let Some(message) = pair.ends[1].read(stream) else {
                        break;
                    };
                    assert_eq!(message.payload.len(), size);
                    got += 1;
                }
            }
            if got == total {
                return;
            }
        }
        panic!("seed {seed}: {got} of {total}: {:?}", pair.ends);
    });
}

#[test]
fn a_closed_window_is_probed_and_opens_at_once() {
    let config = Config::default()
        .receive_window(100_000)
        .max_message_size(16 << 10);
    let mut pair =
        support::pair_with(1, Link::new(1).delay(ms(10)), Config::default(), config).connected();
    for index in 0..40 {
        pair.say(0, 1, pattern(10_000, index));
    }
    pair.run_for(Duration::from_secs(120));
    assert!(pair.ends[0].is_established(), "probing is no failure");
    assert_eq!(pair.ends[1].stats().receive_window, 0);
    let waiting = pair.ends[0].unacknowledged(1);
    assert!(waiting > 200_000, "{waiting}");
    let start = pair.now;
    let mut got = 0;
    let done = pair.try_until(Duration::from_secs(60), |pair| {
        got += pair.read_all(1, 1).len();
        got == 40
    });
    assert!(
        done && pair.now - start < Duration::from_secs(7),
        "{:?}",
        pair.now - start
    );
}

/// RFC 9260 §6.1 A, RFC 7496 §4.2: what probes a window may be what is not sent again. Where it is lost, the next probe is another, or where
/// nothing waits it is given up in the end: neither stands in the way of what follows.
#[test]
fn a_lost_probe_that_may_not_go_again_holds_nothing_up() {
    for (more, is_heard) in [(3, false), (3, true), (0, true), (0, false)] {
        let config = Config::default()
            .receive_window(100_000)
            .max_message_size(16 << 10);
        let link = Link::new(1).delay(ms(10));
        let mut pair = support::pair_with(1, link, Config::default(), config).connected();
        let is_closed = |pair: &mut Pair| pair.ends[0].stats().peer_window == 0;
        pair.keep();
        while !is_closed(&mut pair) {
            pair.say(0, 1, pattern(1000, 0));
            pair.run_for(ms(40));
        }
        let is_idle = |pair: &mut Pair| pair.ends[0].total_unacknowledged() == 0;
        pair.run_until(Duration::from_secs(60), is_idle);
        assert!(is_closed(&mut pair));
        let (_, last) = pair.kept().into_iter().rfind(|it| it.0 == 1).unwrap();
        let once = SendOptions {
            reliability: Reliability::Retransmits(0),
            ..SendOptions::default()
        };
        pair.say_with(0, 1, pattern(1000, 1), once);
        for _ in 0..more {
            pair.say(0, 1, pattern(1000, 2));
        }
        // The probe is lost, and whether the window has opened is heard later or never.
        pair.filter(|_, _| false);
        pair.run_until(Duration::from_secs(5), |pair| {
            pair.ends[0].stats().in_flight > 0
        });
        // That it is closed is heard once more.
        pair.deliver(End::A, (), last);
        pair.run_for(ms(100));
        if is_heard {
            pair.tap = None;
        }
        while pair.ends[1].read(1).is_some() {}
        pair.run_for(ms(100));
        pair.tap = None;
        let done = pair.try_until(Duration::from_secs(30), is_idle);
        assert!(done, "{more} more, {is_heard}: {:?}", pair.ends[0]);
        pair.run_for(Duration::from_secs(1)); // what was given up is told
        assert_eq!(pair.read_all(1, 1).len(), more);
    }
}

#[test]
fn the_send_buffer_is_bounded_and_says_when_it_is_free() {
    let config = || Config::default().send_buffer(100_000);
    let mut pair =
        support::pair_with(1, Link::new(1).delay(ms(10)), config(), config()).connected();
    let mut taken = 0;
    let result = loop {
        let payload = pattern(10_000, taken).into();
        let result = pair.ends[0].send(pair.now, 1, 53, payload, SendOptions::default());
        if result.is_err() {
            break result;
        }
        taken += 1;
    };
    assert_eq!((result, taken), (Err(Error::BufferFull), 9));
    pair.run_for(Duration::from_secs(2));
    assert!(pair.main_events(0).contains(&Event::Writable));
    // A single larger message is taken when nothing else waits.
    pair.say(0, 1, pattern(200_000, 0));
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.read_all(1, 1).len(), 10);
    let empty = pair.ends[0].send(pair.now, 1, 53, Vec::new().into(), SendOptions::default());
    assert_eq!(empty, Err(Error::EmptyMessage));
    pair.ends[0].set_max_outgoing_message_size(1000);
    let large = pair.ends[0].send(
        pair.now,
        1,
        53,
        vec![0; 1001].into(),
        SendOptions::default(),
    );
    assert_eq!(
        large,
        Err(Error::MessageTooLarge {
            size: 1001,
            limit: 1000
        })
    );
    // What was asked for may be used in part, and not beyond.
    for (size, taken) in [
        (0, Err(Error::EmptyMessage)),
        (
            11,
            Err(Error::MessageTooLarge {
                size: 11,
                limit: 10,
            }),
        ),
        (10, Ok(())),
        (1, Ok(())),
    ] {
        let before = pair.ends[0].unacknowledged(1);
        let room = pair.ends[0].room(1, 10).unwrap();
        let result = room.send(pair.now, 53, vec![7; size].into(), SendOptions::default());
        assert_eq!(result, taken, "{size}");
        let more = pair.ends[0].unacknowledged(1) - before;
        assert_eq!(more, if taken.is_ok() { size } else { 0 });
    }
}

#[test]
fn amounts_fall_as_data_goes_and_is_acknowledged() {
    let mut pair = perfect(2).connected();
    pair.ends[0].set_buffered_amount_low_threshold(1, 50_000);
    pair.say(0, 1, pattern(100_000, 0));
    let side = &pair.ends[0];
    assert_eq!(
        (side.buffered_amount(1), side.unacknowledged(1)),
        (100_000, 100_000)
    );
    let low = Event::BufferedAmountLow { stream: 1 };
    let told = pair.try_until(Duration::from_secs(5), |pair| pair.events(0).contains(&low));
    let side = &pair.ends[0];
    assert!(told && side.buffered_amount(1) <= 50_000);
    assert!(side.unacknowledged(1) > side.buffered_amount(1));
    pair.run_for(Duration::from_secs(5));
    assert!(!pair.events(0).contains(&low), "said once");
    assert_eq!(
        (
            pair.ends[0].buffered_amount(1),
            pair.ends[0].unacknowledged(1)
        ),
        (0, 0)
    );
}

#[test]
fn the_congestion_window_follows_loss_and_idleness() {
    let mut pair = perfect(3).connected();
    let initial = pair.ends[0].stats().congestion_window;
    assert_eq!(initial, 11_000);
    for index in 0..40 {
        pair.say(0, 1, pattern(20_000, index));
    }
    pair.run_for(Duration::from_secs(3));
    let grown = pair.ends[0].stats().congestion_window;
    assert!(grown > 4 * initial, "{grown}");
    pair.run_for(Duration::from_secs(60));
    pair.say(0, 1, b"x");
    pair.run_for(ms(1));
    assert_eq!(pair.ends[0].stats().congestion_window, initial);
}

/// RFC 8841 §6: 0 is no limit.
#[test]
fn no_limit_of_a_message_is_no_limit() {
    let config = || Config::default().max_message_size(0);
    let mut pair = support::pair_with(1, Link::new(1).delay(ms(5)), config(), config()).connected();
    pair.say(0, 1, pattern(1_000_000, 1));
    pair.run_for(Duration::from_secs(20));
    assert!(pair.read_all(1, 1)[0].payload == pattern(1_000_000, 1));
}

/// RFC 9260 §7.2.1: a window that nobody uses does not grow, however often the pacer holds up a burst, and no burst becomes longer by that.
#[test]
fn a_window_grows_by_half_of_it_at_least() {
    for control in [CongestionControl::NewReno, CongestionControl::Cubic] {
        let config = || Config::default().congestion_control(control);
        let link = Link::new(1).delay(ms(25)).rate(mbps(50)).queue(312_500);
        let mut pair = support::pair_with(1, link, config(), config()).connected();
        for _ in 0..60 {
            pair.say(0, 1, pattern(100_000, 1));
            pair.run_for(ms(300));
            pair.read_all(1, 1);
        }
        let window = pair.ends[0].stats().congestion_window;
        assert!(window < 400_000, "{control:?}: {window}");
    }
}

/// How long ten megabytes take.
fn a_file_takes(pair: &mut Pair) -> Duration {
    for _ in 0..160 {
        pair.say(0, 2, pattern(65_536, 1));
    }
    let start = pair.now;
    let mut got = 0;
    let done = pair.try_until(Duration::from_secs(20), |pair| {
        got += pair.read_all(1, 2).len();
        got == 160
    });
    assert!(done, "{got} of 160");
    pair.now - start
}

/// RFC 9406: a round trip that grows while nobody uses the window says nothing of a queue of ours, so a file that follows begins with
/// slow start.
#[test]
fn slow_start_does_not_end_by_itself() {
    for control in [CongestionControl::NewReno, CongestionControl::Cubic] {
        let config = || Config::default().congestion_control(control);
        let link = Link::new(1).delay(ms(50)).rate(mbps(100)).queue(1_250_000);
        let mut pair = support::pair_with(1, link.clone(), config(), config()).connected();
        for message in 0..600 {
            if message == 300 {
                let longer = link.clone().delay(ms(62));
                pair.wire.there.set_conditions(&longer);
                pair.wire.back.set_conditions(&longer);
            }
            pair.say(0, 1, pattern(100, 1));
            pair.run_for(ms(10));
        }
        pair.read_all(1, 1);
        let took = a_file_takes(&mut pair);
        assert!(took < ms(3000), "{control:?}: {took:?}");
    }
}

/// RFC 9260 §6.2: the peer may keep the answer to a single packet for 200 ms, and nothing asks for it before.
#[test]
fn a_lone_packet_is_sent_once() {
    for delay in [20, 110, 150, 220, 400] {
        let mut pair = support::pair(1, Link::new(1).delay(ms(delay))).connected();
        for message in 0..100 {
            // Two packets are acknowledged at once, so that the round trip does not vary.
            let length = if message % 20 == 19 { 100 } else { 2000 };
            pair.say(0, 1, pattern(length, 1));
            pair.run_for(ms(1500));
        }
        let stats = pair.ends[0].stats();
        assert_eq!((stats.probes, stats.retransmissions), (0, 0), "{delay} ms");
    }
}

/// RFC 7661: a window that decays while nothing is sent was not the most that the path carries, so a file after a short message and a pause
/// begins with slow start as one without them does.
#[test]
fn a_short_message_and_a_pause_end_no_slow_start() {
    for control in [CongestionControl::NewReno, CongestionControl::Cubic] {
        let config = || Config::default().congestion_control(control);
        for link in [
            Link::new(1).delay(ms(50)),
            Link::new(1).delay(ms(25)).rate(mbps(100)).queue(625_000),
        ] {
            let mut pair = support::pair_with(1, link, config(), config()).connected();
            for length in [16_000, 16_000, 60_000] {
                pair.say(0, 1, pattern(length, 1));
                pair.run_for(ms(1500));
            }
            let took = a_file_takes(&mut pair);
            assert!(took < ms(1400), "{control:?}: {took:?}");
        }
    }
}

/// The peer's window counts payload: messages of a byte are paced by it as long ones are.
#[test]
fn tiny_messages_use_the_peers_window() {
    let mut pair = support::pair(1, Link::new(1).delay(ms(25))).connected();
    let mut got = 0;
    for _ in 0..300 {
        while pair.ends[0].buffered_amount(1) < 20_000 {
            pair.say(0, 1, b"x");
        }
        pair.run_for(ms(10));
        got += pair.read_all(1, 1).len();
    }
    assert!(got > 200_000, "{got} messages in three seconds");
}

/// What an outage looks like to a model is no measure of the path: what waited leaves when it is over.
#[test]
fn a_model_forgets_an_outage() {
    let config = || Config::default().congestion_control(CongestionControl::Bbr);
    let link = Link::new(1).delay(ms(150));
    let mut pair = support::pair_with(1, link, config(), config()).connected();
    pair.say(0, 1, pattern(60, 1));
    pair.run_for(ms(2000));
    (0..2).for_each(|_| pair.say(0, 1, pattern(1400, 1)));
    pair.wire.set_up(false);
    for _ in 0..5 {
        pair.say(0, 1, pattern(60, 1));
        pair.run_for(ms(5000));
    }
    pair.wire.set_up(true);
    let start = pair.now;
    let done = pair.try_until(Duration::from_secs(60), |pair| {
        pair.ends[0].total_unacknowledged() == 0
    });
    let took = pair.now - start;
    assert!(done && took < ms(6000), "{took:?}");
}
