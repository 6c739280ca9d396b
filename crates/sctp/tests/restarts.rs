//! A peer that has lost the association and begins anew (RFC 9260 §5.2.4).

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use oxirtc_netsim::{Link, for_each_seed};
use oxirtc_sctp::{Config, Event, SendOptions, packet::ChunkKind};

use support::{Sides, association, kinds, ms, perfect};

#[test]
fn a_restart_is_told_and_everything_begins_anew() {
    for_each_seed(20, |seed| {
        let mut pair = support::pair(seed, Link::new(seed).delay(ms(10))).connected();
        for _ in 0..3 {
            pair.say(0, 1, [1; 5000]);
            pair.say(1, 1, [2; 50]);
        }
        pair.run_for(ms(500));
        assert_eq!(pair.read_all(1, 1).len(), 3);
        pair.say(0, 1, [9; 90_000]);
        pair.events(0);
        pair.events(1);
        // Side 1 forgets everything.
        pair.ends[1] = association(Config::default(), 1000 + seed, pair.now).into();
        pair.ends[1].connect(pair.now);
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.main_events(0), [Event::Restarted]);
        assert_eq!(pair.main_events(1), [Event::Connected]);
        assert_eq!(pair.ends[0].total_unacknowledged(), 0);
        assert_eq!(
            pair.read_all(0, 1).len(),
            3,
            "what had come can still be read"
        );
        pair.say(0, 1, b"new life");
        pair.say(1, 1, b"new life");
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.read_all(1, 1)[0].payload, "new life");
        assert_eq!(pair.read_all(0, 1)[0].payload, "new life");
    });
}

/// RFC 9260 §5.2.2: while we set up, each INIT is answered with our one tag. The peer has begun again when the echo of its first cookie
/// comes, and is known by that of the second; the first says nothing any more then, however late it comes.
#[test]
fn a_peer_begins_again_while_it_is_set_up() {
    for echoes_first in [true, false] {
        let mut pair = perfect(1);
        let now = pair.now;
        for end in &mut pair.ends {
            end.connect(now);
        }
        let hand = |pair: &mut support::Pair, to: usize, packets: &[Vec<u8>]| {
            pair.now += ms(10);
            for packet in packets {
                pair.ends[to].handle_packet(pair.now, packet);
            }
        };
        let inits = [0, 1].map(|side| pair.take_packets(side));
        for (side, init) in inits.iter().enumerate() {
            hand(&mut pair, 1 - side, init);
        }
        let answers = [0, 1].map(|side| pair.take_packets(side));
        for (side, answer) in answers.iter().enumerate() {
            hand(&mut pair, 1 - side, answer);
        }
        let first = pair.take_packets(0);
        assert!(kinds(&first[0]).contains(&ChunkKind::COOKIE_ECHO));
        pair.ends[0] = association(Config::default(), 1001, pair.now).into();
        pair.ends[0].connect(pair.now);
        let init = pair.take_packets(0);
        pair.take_packets(1);
        hand(&mut pair, 1, &init);
        let answer = pair.take_packets(1);
        if echoes_first {
            hand(&mut pair, 1, &first);
            assert!(pair.ends[1].is_established());
        }
        hand(&mut pair, 0, &answer);
        let second = pair.take_packets(0);
        hand(&mut pair, 1, &second);
        hand(&mut pair, 1, &first);
        let expected = match echoes_first {
            true => vec![Event::Connected, Event::Restarted],
            false => vec![Event::Connected],
        };
        assert_eq!(pair.main_events(1), expected);
        for side in [0, 1] {
            pair.say(side, 1, b"new life");
        }
        pair.run_for(Duration::from_secs(2));
        for side in [0, 1] {
            assert_eq!(pair.read_all(side, 1).len(), 1, "{echoes_first}");
            assert_eq!(pair.ends[side].total_unacknowledged(), 0);
        }
    }
}

/// Its second INIT comes before the echo of the first one's cookie.
#[test]
fn a_peer_begins_again_twice() {
    let mut pair = perfect(1).connected();
    let mut echoes = Vec::new();
    for seed in [1001, 1002] {
        pair.ends[0] = association(Config::default(), seed, pair.now).into();
        pair.ends[0].connect(pair.now);
        for from in [0, 1] {
            pair.now += ms(10);
            for packet in pair.take_packets(from) {
                let now = pair.now;
                pair.ends[1 - from].handle_packet(now, &packet);
            }
        }
        echoes.extend(pair.take_packets(0));
    }
    // The first comes again, late.
    for echo in [0, 1, 0] {
        assert!(kinds(&echoes[echo]).contains(&ChunkKind::COOKIE_ECHO));
        pair.ends[1].handle_packet(pair.now, &echoes[echo]);
    }
    for side in [0, 1] {
        pair.say(side, 1, b"new life");
    }
    pair.run_for(Duration::from_secs(2));
    for side in [0, 1] {
        assert_eq!(pair.read_all(side, 1).len(), 1);
        assert_eq!(pair.ends[side].total_unacknowledged(), 0);
    }
}

/// Who was about to end the association that is gone may use the one that is there.
#[test]
fn a_restart_forgets_a_shutdown() {
    let mut pair = perfect(1).connected();
    pair.say(0, 1, [9; 90_000]);
    pair.ends[0].shutdown(pair.now);
    pair.ends[1] = association(Config::default(), 1001, pair.now).into();
    pair.ends[1].connect(pair.now);
    pair.run_for(Duration::from_secs(5));
    assert!(pair.main_events(0).contains(&Event::Restarted));
    pair.say(0, 1, b"new life");
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.read_all(1, 1).len(), 1);
}

/// RFC 9260 §6: a window that is closed, as nobody has read what came, keeps no peer from beginning anew.
#[test]
fn a_restart_opens_beside_what_was_not_read() {
    let config = || {
        Config::default()
            .receive_window(64 << 10)
            .max_message_size(16 << 10)
    };
    let link = Link::new(1).delay(ms(10));
    let mut pair = support::pair_with(1, link, config(), config()).connected();
    for _ in 0..20 {
        pair.say(1, 1, [1; 8000]);
    }
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.ends[0].stats().receive_window, 0);
    pair.ends[1] = association(config(), 1001, pair.now).into();
    pair.ends[1].connect(pair.now);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.main_events(1), [Event::Connected]);
    assert!(pair.main_events(0).contains(&Event::Restarted));
    pair.say(1, 1, b"new life");
    pair.run_for(Duration::from_secs(5));
    // What had come before goes first.
    assert!(!pair.read_all(0, 1).is_empty());
    pair.run_for(Duration::from_secs(5));
    let messages = pair.read_all(0, 1);
    assert!(messages.iter().all(|it| it.payload == "new life"));
    assert_eq!(messages.len(), 1);
}

/// A message that tells by a count of its owners when it is let go of.
struct Held {
    _owner: Arc<()>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &[7; 300]
    }
}

/// What waited and what was under way is gone at once for who asks, and is let go of in steps, each due at once.
#[test]
fn a_restart_lets_go_of_what_there_was() {
    let mut pair = perfect(1).connected();
    let held = Arc::new(());
    for message in 0..8000 {
        let payload = Bytes::from_owner(Held {
            _owner: held.clone(),
        });
        let (stream, now) = (message % 1000, pair.now);
        let options = SendOptions::default();
        pair.ends[0]
            .send(now, stream, 53, payload, options)
            .unwrap();
    }
    pair.run_for(ms(5));
    assert!(pair.ends[0].stats().in_flight > 0);
    pair.ends[1] = association(Config::default(), 1001, pair.now).into();
    pair.ends[1].connect(pair.now);
    pair.events(0);
    pair.run_until(Duration::from_secs(5), |pair| {
        pair.ends[0].events.contains(&Event::Restarted)
    });
    assert_eq!(pair.ends[0].total_unacknowledged(), 0);
    pair.settle();
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(pair.ends[0].poll_timeout().is_none_or(|at| at > pair.now));
}

/// RFC 9260 §5.2.4.1: of what was asked for about the streams before nothing is asked of those after, and nothing of it stands in
/// the way.
#[test]
fn a_restart_forgets_what_was_asked_for() {
    let config = || Config::default().streams(10, 20);
    let link = Link::new(1).delay(ms(10));
    let mut pair = support::pair_with(1, link, config(), config()).connected();
    // One request is under way, the others wait for its answer.
    pair.filter(|_, packet| !kinds(packet).contains(&ChunkKind::RECONFIG));
    pair.ends[0].reset_streams(pair.now, &[1]).unwrap();
    pair.run_for(ms(100));
    pair.ends[0].reset_streams(pair.now, &[2]).unwrap();
    pair.ends[0].add_streams(pair.now, 4).unwrap();
    pair.run_for(ms(100));
    pair.ends[1] = association(config(), 1001, pair.now).into();
    pair.ends[1].connect(pair.now);
    pair.tap = None;
    pair.keep();
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.main_events(0), [Event::Restarted]);
    assert_eq!(pair.main_events(1), [Event::Connected]);
    assert_eq!(pair.ends[0].outbound_streams(), 10);
    let asked = |(_, packet): &(usize, Vec<u8>)| kinds(packet).contains(&ChunkKind::RECONFIG);
    assert!(!pair.kept().iter().any(asked));
    // All of it can be asked for again.
    for stream in [1, 2] {
        pair.say(0, stream, b"new life");
        pair.ends[0].reset_streams(pair.now, &[stream]).unwrap();
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.main_events(0), [Event::OutgoingReset { stream }]);
    }
    pair.ends[0].add_streams(pair.now, 4).unwrap();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.ends[0].outbound_streams(), 14);
}
