use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

fn message(length: usize) -> Queued {
    Queued {
        payload: Bytes::from(vec![1; length]),
        ppid: 51,
        ordered: true,
        counts: true,
        limit: Limit::NONE,
    }
}

/// With I-DATA, and a peer that has so much room: of a message of such a length a piece of 1,000 bytes has left.
fn interleaved(room: usize, begun: usize) -> Queue {
    let mut queue = Queue::default();
    queue.set_interleaved(true);
    queue.set_room(room, 1000);
    queue.push(0, message(begun));
    assert!(queue.cut(1000).is_some());
    queue
}

fn next_piece(queue: &mut Queue) -> Option<Cut> {
    let next = queue.peek(oxirtc_netsim::epoch(), &mut 9999, &mut 0)?;
    queue.cut(next.left.min(1000))
}

#[test]
fn a_message_is_finished_before_another_stream_has_its_turn() {
    let mut queue = Queue::default();
    queue.push(1, message(250));
    let mut cuts = Vec::from_iter(queue.cut(100));
    queue.push(2, message(50));
    queue.push(1, message(50));
    cuts.extend(std::iter::from_fn(|| queue.cut(100)));
    let seen = cuts
        .iter()
        .map(|c| (c.stream, c.number, c.payload.len(), c.begin, c.end));
    assert_eq!(
        Vec::from_iter(seen),
        [
            (1, 0, 100, true, false),
            (1, 0, 100, false, false),
            (1, 0, 50, false, true),
            (2, 0, 50, true, true),
            (1, 1, 50, true, true),
        ]
    );
    assert!(queue.is_empty());
    assert_eq!(queue.unacknowledged(1), 300);
    for cut in cuts {
        queue.released(cut.stream, cut.payload.len(), cut.end);
    }
    assert_eq!((queue.held(), queue.total_unacknowledged()), (0, 0));
}

/// What the peer has of an earlier life, and we have not heard of, stays in the accounts until we do.
#[test]
fn an_earlier_life_is_counted_to_its_end() {
    let mut queue = Queue::default();
    queue.push(1, message(100));
    let cut = queue.cut(100).unwrap();
    queue.begin_reset(1);
    queue.end_reset(1, true);
    let amounts = |queue: &Queue| (queue.unacknowledged(1), queue.total_unacknowledged());
    assert_eq!(amounts(&queue), (0, 100), "the peer has it");
    queue.push(1, message(40));
    assert_eq!(queue.cut(100).unwrap().number, 0);
    assert_eq!(amounts(&queue), (40, 140));
    queue.check([(1, 100, true), (1, 40, true)].into_iter());
    // Whichever comes first, no more is given back than there is.
    queue.released(1, 40, true);
    assert_eq!(amounts(&queue), (40, 100));
    assert_eq!(queue.streams[&1].numbered, 2, "both are under way");
    queue.released(1, cut.payload.len(), cut.end);
    queue.passed(1);
    queue.passed(1);
    assert_eq!(queue.unacknowledged(1), 0);
    // Where there was a silence, the next one goes on.
    queue.push(1, message(40));
    assert_eq!(queue.cut(100).unwrap().number, 1);
    queue.released(1, 40, true);
    queue.passed(1);
    queue.begin_reset(1);
    queue.end_reset(1, true);
    assert!(queue.streams.is_empty());
}

/// What was said of the next life before all of the earlier one is acknowledged is not forgotten with that.
#[test]
fn the_next_life_is_not_forgotten_with_the_earlier_one() {
    let after = |prepare: &dyn Fn(&mut Queue)| {
        let mut queue = Queue::default();
        queue.push(1, message(100));
        queue.cut(100).unwrap();
        queue.begin_reset(1);
        queue.end_reset(1, true);
        prepare(&mut queue);
        queue.released(1, 100, true);
        queue.passed(1);
        queue
    };
    assert!(after(&|_| {}).streams.is_empty());
    let low = after(&|it| {
        it.set_threshold(1, 50);
    });
    assert_eq!(low.streams[&1].threshold, 50);
    let closing = after(&|it| assert!(it.begin_reset(1)));
    assert!(closing.waiting_on(1).0);
    let mut unordered = after(&|it| {
        let message = message(9);
        it.push(
            1,
            Queued {
                ordered: false,
                ..message
            },
        );
        it.cut(9).unwrap();
        it.released(1, 9, true);
    });
    assert_eq!(unordered.streams.len(), 1);
    unordered.begin_reset(1);
    unordered.end_reset(1, true);
    assert!(unordered.streams.is_empty());
}

/// However many streams may not begin yet, what has begun goes on, and then they have their turns.
#[test]
fn who_may_not_begin_holds_up_nobody() {
    let mut queue = interleaved(4000, 2000);
    for stream in 1..=100 {
        queue.push(stream, message(3000));
    }
    let mut begun = Vec::new();
    while let Some(cut) = next_piece(&mut queue) {
        begun.extend(cut.begin.then_some(cut.stream));
    }
    assert_eq!(begun, Vec::from_iter(1..=100));
    assert!(queue.is_empty() && queue.scheduler.parked() == 0);
}

/// However much weight one has: what is short has a cost, or nobody else would have a turn.
#[test]
fn what_is_short_does_not_go_for_nothing() {
    let mut queue = Queue::default();
    queue.set_weight(2, u16::MAX);
    queue.push(1, message(100));
    for _ in 0..1000 {
        queue.push(2, message(1));
    }
    let order = Vec::from_iter(std::iter::from_fn(|| queue.cut(1000)));
    let turn = order.iter().position(|cut| cut.stream == 1).unwrap();
    assert!((300..500).contains(&turn), "{turn}");
}

/// What left of a message that is given up was a part of a turn.
#[test]
fn what_left_of_a_message_that_is_given_up_counts() {
    for more in [true, false] {
        let mut queue = Queue::default();
        queue.push(1, message(2000));
        if more {
            queue.push(1, message(2000));
        }
        queue.cut(1000);
        queue.set_key(1, 7);
        queue.abandon_rest(1, 7).unwrap();
        assert_eq!(queue.streams[&1].position, 1000 << 2, "{more}");
    }
}

/// While the first that is parked waits for the largest, others begin that are over before that, and no others.
#[test]
fn what_is_over_before_the_largest_may_begin() {
    let mut queue = interleaved(2_000_000, 3_000_000);
    queue.push(1, message(1_100_000));
    while queue.buffered(0) > 300_000 {
        assert_eq!(next_piece(&mut queue).unwrap().stream, 0);
    }
    queue.push(2, message(400_000));
    queue.push(3, message(200_000));
    let all = Vec::from_iter(std::iter::from_fn(|| next_piece(&mut queue)));
    let begun = all.iter().filter(|cut| cut.begin).map(|cut| cut.stream);
    assert_eq!(Vec::from_iter(begun), [3, 1, 2]);
}

/// However long they have waited, who came first begins first of those that wait for all the room.
#[test]
fn who_was_parked_first_begins_first() {
    let mut queue = interleaved(2_000_000, 3_000_000);
    queue.push(1, message(1_100_000));
    let mut begun = Vec::new();
    while let Some(cut) = next_piece(&mut queue) {
        begun.extend(cut.begin.then_some(cut.stream));
        if queue.buffered(0) == 2_500_000 {
            queue.push(2, message(1_050_000));
        }
    }
    assert_eq!(begun, [1, 2]);
}

/// What is short and comes again and again is next each time while another stream sends what is due to it.
#[test]
fn a_chat_goes_on_beside_one_that_catches_up() {
    let mut queue = interleaved(20_000, 30_000);
    queue.push(1, message(15_000));
    let next = |queue: &mut Queue| next_piece(queue).unwrap().stream;
    while next(&mut queue) == 0 {}
    for _ in 0..14 {
        queue.push(2, message(100));
        assert_eq!([next(&mut queue), next(&mut queue)], [2, 1]);
    }
}

/// RFC 9260 §5.2.4: what waited is gone at once, and dropped in steps. What was set of a stream stays, whether the stream is used
/// before or after its step, unless it has been reset or the peer takes fewer.
#[test]
fn a_restart_leaves_what_was_set() {
    let mut queue = Queue::default();
    for stream in 0..50 {
        queue.push(stream, message(1000));
        queue.set_threshold(stream, 100);
        queue.set_weight(stream, 512);
    }
    queue.discard();
    assert!(queue.is_empty() && queue.is_dropping() && queue.held() == 0);
    assert_eq!(queue.peek(oxirtc_netsim::epoch(), &mut 9999, &mut 0), None);
    queue.limit_streams(40);
    // The peer takes more again: the fewest count, and this one has not been before.
    queue.limit_streams(60);
    queue.push(45, message(1));
    queue.push(30, message(200));
    queue.set_threshold(31, 7);
    queue.begin_reset(32);
    queue.end_reset(32, true);
    let anew = &queue.streams[&45];
    assert_eq!((anew.threshold, anew.weight), (0, 256));
    // A second one follows before all of the first is dropped.
    assert!(!queue.go_on_dropping(&mut 100));
    queue.discard();
    let mut steps = 0;
    while !queue.go_on_dropping(&mut 100) {
        steps += 1;
    }
    assert!(steps > 5, "{steps}");
    assert!(!queue.is_dropping());
    let set = |stream| {
        queue
            .streams
            .get(&stream)
            .map(|it| (it.threshold, it.weight))
    };
    for stream in 0..40 {
        let expected = match stream {
            31 => Some((7, 512)),
            32 => None,
            _ => Some((100, 512)),
        };
        assert_eq!(set(stream), expected, "{stream}");
    }
    assert_eq!(set(40), None);
    assert_eq!((queue.held(), queue.unacknowledged(30)), (0, 0));
}

/// RFC 9260 §5.1.1: what waits on streams that the peer does not take is dropped in steps, and told as what leaves is.
#[test]
fn what_the_peer_does_not_take_is_dropped_in_steps() {
    let mut queue = Queue::default();
    for stream in 0..50 {
        for _ in 0..3 {
            queue.push(stream, message(100));
        }
        queue.set_threshold(stream, 50);
    }
    queue.begin_reset(45);
    queue.limit_streams(60);
    assert!(!queue.is_limiting(), "all of them are taken");
    queue.limit_streams(40);
    // Another offer before that is done: the fewest count.
    let mut dropped = 0;
    assert!(!queue.go_on_limiting(&mut 100, &mut dropped));
    assert!((1..=5).contains(&dropped), "{dropped} in a step");
    queue.limit_streams(45);
    let mut steps = 0;
    while !queue.go_on_limiting(&mut 100, &mut dropped) {
        steps += 1;
    }
    assert!(steps > 5 && !queue.is_limiting(), "{steps}");
    assert_eq!(
        (dropped, queue.buffered.total(), queue.streams.len()),
        (30, 40 * 300, 40)
    );
    assert_eq!(queue.low, Vec::from_iter((40..50).rev()));
    assert_eq!(queue.quiet, [45]);
    assert_eq!(queue.held(), 40 * 3 * (100 + MESSAGE_OVERHEAD));
    let mut cuts = 0;
    while let Some(next) = queue.peek(oxirtc_netsim::epoch(), &mut 9999, &mut 0) {
        assert!(queue.cut(next.left).unwrap().stream < 40);
        cuts += 1;
    }
    assert_eq!(cuts, 120);
}

/// A peer that does not know partial reliability gets all of what was queued before that was known.
#[test]
fn nothing_is_given_up_where_the_peer_cannot_be_told() {
    let now = oxirtc_netsim::epoch();
    for reliable in [true, false] {
        let mut queue = Queue::default();
        for _ in 0..3 {
            let limit = Limit {
                retransmissions: 0,
                expires: Some(now),
                ..Limit::NONE
            };
            let message = message(100);
            queue.push(1, Queued { limit, ..message });
        }
        queue.set_reliable(reliable);
        let mut dropped = 0;
        let next = queue.peek(now, &mut 9999, &mut dropped);
        assert_eq!(
            (next.is_some(), dropped),
            (reliable, u64::from(!reliable) * 3)
        );
        if reliable {
            assert_eq!(queue.cut(100).unwrap().limit, Limit::NONE);
        }
    }
}

/// A message of several pieces that has waited for half of its life begins when it can leave in the rest, with a fifth to spare, and beside
/// others that take turns with it if its part of what leaves is enough. What is begun goes on.
#[test]
fn a_message_that_has_waited_begins_if_it_can_leave() {
    let now = oxirtc_netsim::epoch();
    let pace = Pace {
        window: 1000,
        free: 0,
        round_trip: Duration::from_millis(100),
        doubles: false,
        rate: None,
    };
    for (interleaved, beside, life, rest, begins) in [
        (false, 3000, 1000, 374, false),
        (false, 3000, 1000, 375, true),
        (true, 3000, 2000, 749, false),
        (true, 3000, 2000, 750, true),
        // The others are done before that.
        (true, 1000, 2000, 499, false),
        (true, 1000, 2000, 500, true),
        // Nobody who comes later would have more time.
        (false, 3000, 100, 50, true),
        (false, 3000, 100, 49, false),
    ] {
        let mut queue = Queue::default();
        queue.set_interleaved(interleaved);
        queue.set_room(100_000, 1000);
        queue.set_pace(Some(pace));
        let limit = Limit {
            life,
            expires: Some(now + Duration::from_millis(rest)),
            ..Limit::NONE
        };
        let message = message(3000);
        queue.push(1, Queued { limit, ..message });
        queue.push(2, self::message(beside));
        let mut pieces = 0;
        while queue.peek(now, &mut 9999, &mut 0).is_some() {
            let stream = queue.cut(1000).map(|cut| cut.stream);
            pieces += u32::from(stream == Some(1));
            queue.set_pace(Some(Pace { window: 1, ..pace }));
        }
        let expected = if begins { 3 } else { 0 };
        assert_eq!(pieces, expected, "{interleaved}, {beside}, {life}, {rest}");
    }
}

/// They are part of all other accounts.
#[test]
fn what_does_not_count_makes_nothing_low() {
    let uncounted = |length| Queued {
        counts: false,
        ..message(length)
    };
    let mut queue = Queue::default();
    queue.set_threshold(1, 100);
    queue.push(1, uncounted(60));
    queue.push(1, message(90));
    queue.push(1, uncounted(60));
    let amounts = (queue.buffered(1), queue.unacknowledged(1));
    assert_eq!(amounts, (90, 210));
    while queue.cut(40).is_some() {}
    assert_eq!((queue.buffered(1), queue.is_empty()), (0, true));
    queue.push(1, message(101));
    queue.push(1, uncounted(60));
    assert!(queue.cut(1).is_some() && queue.low == [1]);
}

#[test]
fn low_is_said_once_when_the_threshold_is_crossed() {
    let mut queue = Queue::default();
    queue.set_threshold(1, 100);
    queue.push(1, message(250));
    queue.cut(100);
    assert!(queue.low.is_empty());
    queue.cut(100);
    queue.cut(100);
    assert_eq!(queue.low, [1]);
}

/// Whatever comes and goes, and however room changes: while anything waits somebody is next, and in the end all have been.
#[test]
fn while_anything_waits_somebody_is_next() {
    oxirtc_netsim::for_each_seed(100, |seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut draw = |below: u32| rng.next_u32() % below;
        let mut queue = Queue::default();
        queue.set_interleaved(true);
        let mut now = oxirtc_netsim::epoch();
        let mut key = 0;
        for _ in 0..2000 {
            let stream = draw(12) as StreamId;
            match draw(160) {
                0..40 => {
                    let life = Duration::from_millis(draw(50).into());
                    let limit = Limit {
                        life: 50,
                        expires: (draw(3) == 0).then(|| now + life),
                        ..Limit::NONE
                    };
                    let length = [100, 900, 3000, 20_000][draw(4) as usize];
                    queue.push(
                        stream,
                        Queued {
                            limit,
                            ..message(length)
                        },
                    );
                }
                40..44 => queue.set_weight(stream, 1 + draw(1000) as u16),
                44 => queue.discard(),
                45 => {
                    queue.limit_streams(stream);
                    while !queue.go_on_limiting(&mut 9999, &mut 0) {}
                }
                46..50 => {
                    if let Some(begun) = queue.streams.get(&stream).and_then(|it| it.begun) {
                        queue.abandon_rest(stream, begun.key.unwrap()).unwrap();
                    }
                }
                _ => {
                    let room = [0, 5000, 50_000][draw(3) as usize];
                    queue.set_room(room, 1000);
                    now += Duration::from_millis(draw(4).into());
                    let next = queue.peek(now, &mut 99_999, &mut 0);
                    assert_eq!(next.is_none(), queue.is_empty());
                    let cut = next.and_then(|next| queue.cut(next.left.min(1000)));
                    if let Some(cut) = cut {
                        key += 1;
                        queue.set_key(cut.stream, cut.message.unwrap_or(key));
                        queue.released(cut.stream, cut.payload.len(), cut.end);
                    }
                }
            }
            queue.check(std::iter::empty());
        }
        while let Some(next) = queue.peek(now, &mut 99_999, &mut 0) {
            queue.cut(next.left.min(1000)).unwrap();
        }
        assert!(queue.is_empty() && queue.scheduler.parked() == 0);
    });
}
