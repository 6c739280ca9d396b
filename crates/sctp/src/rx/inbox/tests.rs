use bytes::Bytes;

use super::*;
use crate::effort::TOUCHED;

fn put(inbox: &mut Inbox, stream: StreamId, ssn: u16, ordered: bool) {
    let completed = Completed {
        stream,
        ssn: Ssn(ssn),
        ppid: u32::from(ssn),
        ordered,
        payload: Payload::Whole(Bytes::from_static(b"x")),
    };
    inbox.deliver(completed, Number::Ssn(Ssn(ssn)));
}

fn read_all(inbox: &mut Inbox, stream: StreamId) -> Vec<u32> {
    let messages = std::iter::from_fn(|| inbox.read(stream, None));
    let messages = messages.map(|m| m.ppid).collect();
    inbox.rearm(stream);
    messages
}

#[test]
fn rearming_announces_what_comes_next_and_passes_over_a_reset() {
    let mut inbox = Inbox::default();
    let came = |inbox: &mut Inbox, ssn| put(inbox, 1, ssn, true);
    came(&mut inbox, 0);
    assert_eq!(inbox.next_readable(), Some(1));
    inbox.rearm(1);
    assert!(inbox.peek(1).is_some(), "what is there is not passed over");
    inbox.read(1, None);
    came(&mut inbox, 1);
    assert_eq!(inbox.next_readable(), None, "it was announced already");
    inbox.read(1, None);
    inbox.rearm(1);
    came(&mut inbox, 2);
    assert_eq!(inbox.next_readable(), Some(1));
    assert!(inbox.reset(1, &mut (10 * TOUCHED)));
    came(&mut inbox, 0);
    inbox.read(1, None);
    assert_eq!(inbox.peek(1), None, "the next life waits");
    inbox.rearm(1);
    assert_eq!(inbox.next_readable(), Some(1));
    assert!(inbox.peek(1).is_some());
}

#[test]
fn order_is_kept_a_stream_and_unordered_goes_first() {
    let mut inbox = Inbox::default();
    put(&mut inbox, 1, 2, true);
    put(&mut inbox, 1, 1, true);
    put(&mut inbox, 2, 0, true);
    put(&mut inbox, 1, 77, false);
    let announced = std::iter::from_fn(|| inbox.next_readable());
    assert!(announced.eq([2, 1]));
    assert_eq!(read_all(&mut inbox, 1), [77]);
    put(&mut inbox, 1, 0, true);
    assert_eq!(read_all(&mut inbox, 1), [0, 1, 2]);
    assert_eq!(read_all(&mut inbox, 2), [0]);
    assert_eq!(inbox.next_readable(), None, "all of it has been read");
    assert_eq!((inbox.cost(), inbox.streams.len()), (0, 0));
    put(&mut inbox, 1, 1, true);
    assert_eq!(inbox.cost(), 0, "an old number is dropped");
}

#[test]
fn skipping_hands_out_what_came() {
    let mut inbox = Inbox::default();
    put(&mut inbox, 1, 2, true);
    put(&mut inbox, 1, 5, true);
    put(&mut inbox, 1, 6, true);
    inbox.skip(1, Number::Ssn(Ssn(4)));
    assert_eq!(read_all(&mut inbox, 1), [2, 5, 6]);
    inbox.skip(1, Number::Ssn(Ssn(3)));
    put(&mut inbox, 1, 7, true);
    assert_eq!(read_all(&mut inbox, 1), [7]);
}

/// Also for one who has taken the last message and not asked on.
#[test]
fn a_reset_is_heard_before_what_follows_though_all_was_read() {
    let mut inbox = Inbox::default();
    put(&mut inbox, 1, 0, true);
    assert!(inbox.read(1, None).is_some());
    for _ in 0..2 {
        assert!(inbox.reset(1, &mut (10 * TOUCHED)));
    }
    put(&mut inbox, 1, 0, true);
    assert_eq!(read_all(&mut inbox, 1), []);
    assert_eq!(inbox.next_readable(), Some(1));
    assert_eq!(read_all(&mut inbox, 1), [0]);
    assert_eq!((inbox.cost(), inbox.streams.len()), (0, 0));
    // One who has asked on has nothing more to hear.
    assert!(inbox.reset(1, &mut (10 * TOUCHED)));
    put(&mut inbox, 1, 0, true);
    assert_eq!(read_all(&mut inbox, 1), [0]);
}

#[test]
fn a_reset_divides_what_is_read() {
    let mut inbox = Inbox::default();
    put(&mut inbox, 1, 0, true);
    assert!(inbox.reset(1, &mut (10 * TOUCHED)));
    put(&mut inbox, 1, 0, true);
    put(&mut inbox, 1, 1, true);
    assert_eq!(inbox.next_readable(), Some(1));
    assert_eq!(read_all(&mut inbox, 1), [0]);
    assert_eq!(inbox.next_readable(), Some(1));
    assert_eq!(read_all(&mut inbox, 1), [0, 1]);
    assert_eq!(inbox.cost(), 0);
    // What waits for others is of the old life, and goes with it.
    put(&mut inbox, 1, 5, true);
    assert!(inbox.cost() > 0 && inbox.reset(1, &mut (10 * TOUCHED)));
    assert_eq!(read_all(&mut inbox, 1), []);
    assert_eq!(inbox.cost(), 0);
}

/// An ordered message out of turn costs a search, wherever it stands.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn a_message_out_of_turn_costs_a_search() {
    crate::cost::stays("a message out of turn", 3000, |state| {
        let mut inbox = Inbox::default();
        let late = 200;
        for ssn in (1..state as u16).filter(|ssn| *ssn < 500 || *ssn >= 500 + late) {
            put(&mut inbox, 1, ssn, true);
        }
        let start = std::time::Instant::now();
        for ssn in (500..500 + late).rev() {
            put(&mut inbox, 1, ssn, true);
        }
        (std::time::Instant::now() - start, late.into())
    });
}

/// A step of a reset takes from what is left, and goes on where it was.
#[test]
fn a_reset_goes_on_where_it_was() {
    let mut inbox = Inbox::default();
    for stream in 0..100 {
        put(&mut inbox, stream, 0, true);
        put(&mut inbox, stream, 2, true);
    }
    let (mut from, mut steps) = (0, 0);
    while !inbox.reset_all(&mut from, &mut (64 * TOUCHED)) {
        steps += 1;
        assert!(steps < 20);
    }
    assert!(steps >= 3, "{steps}");
    assert!(inbox.waiting.is_empty());
    assert_eq!(read_all(&mut inbox, 99), [0]);
    put(&mut inbox, 99, 0, true);
    assert_eq!(read_all(&mut inbox, 99), [0]);
}

/// A stream is announced once, and not when it has been read meanwhile; a list that was long keeps no room.
#[test]
fn what_was_read_meanwhile_is_not_announced() {
    let mut inbox = Inbox::default();
    for stream in 0..10_000 {
        put(&mut inbox, stream, 0, true);
    }
    for stream in 10..10_000 {
        assert_eq!(read_all(&mut inbox, stream), [0]);
    }
    put(&mut inbox, 500, 1, true);
    let announced = Vec::from_iter(std::iter::from_fn(|| inbox.next_readable()));
    assert!(announced.iter().copied().eq((0..10).chain([500])));
    assert_eq!(inbox.streams.len(), 11);
    assert!(inbox.announce.capacity() <= SPARE);
}
