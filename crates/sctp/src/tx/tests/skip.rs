//! What the peer is told to pass over, beside resets of streams.

use super::*;
use crate::{Reliability, StreamId, packet::ForwardTsn};

/// The point, and the streams with their numbers.
type Skipped = Option<(u32, Vec<(StreamId, u16)>)>;

impl Bench {
    /// A message that may be sent once leaves.
    fn once(&mut self, stream: StreamId) {
        self.limited(stream, 0);
    }

    /// One that may go again so often.
    fn limited(&mut self, stream: StreamId, retransmissions: u16) {
        self.push(stream, 1, Reliability::Retransmits(retransmissions));
        assert_eq!(self.packets().len(), 1);
    }

    /// Nothing is heard for a while, and all that is under way is taken as lost.
    fn lose(&mut self) {
        self.now += MS * 1000;
        self.sender.left = usize::MAX;
        self.sender.send_again(self.now, &mut self.stats);
    }

    /// The FORWARD TSN that is due, if there is no more than one.
    fn skipped(&mut self) -> Skipped {
        let mut all = self.all_skipped();
        assert!(all.len() < 2, "{all:?}");
        all.pop()
    }

    /// All that are due, in their order.
    fn all_skipped(&mut self) -> Vec<(u32, Vec<(StreamId, u16)>)> {
        let mut buf = Vec::new();
        Packet::start(&mut buf, 1, 2, 3);
        let empty = buf.len();
        self.sender.skip.write(self.now, &mut buf, 1048);
        if buf.len() == empty {
            return Vec::new();
        }
        Packet::finish(&mut buf, 0);
        let packet = Packet::parse(&buf).unwrap();
        let forwards = packet.chunks().map(|chunk| {
            assert_eq!(chunk.kind, ChunkKind::FORWARD_TSN);
            let forward = ForwardTsn::parse(chunk.value).unwrap();
            let streams = forward.streams().map(|(stream, ssn)| (stream, ssn.0));
            (forward.cumulative.0, streams.collect())
        });
        forwards.collect()
    }
}

/// RFC 6525 §5.2.2, RFC 3758 §3.6: a peer that has reset a stream would take numbers of its earlier life for those of the next one, and
/// pass over that, if they came with a point that it has not reached.
#[test]
fn the_numbers_of_an_earlier_life_are_not_said_in_the_next() {
    for performed in [true, false] {
        let mut bench = Bench::new(1);
        bench.once(1);
        assert_eq!(bench.sender.begin_reset(), Tsn(1));
        bench.lose();
        assert_eq!(bench.skipped(), Some((1, vec![(1, 0)])));
        // What leaves meanwhile on another stream waits for the answer.
        bench.once(2);
        bench.lose();
        bench.sender.skip.due = true;
        assert_eq!(bench.skipped(), Some((1, vec![(1, 0)])));
        bench.sender.end_reset(bench.now, performed);
        let known = match performed {
            true => vec![(2, 0)],
            false => vec![(1, 0), (2, 0)],
        };
        assert_eq!(bench.skipped(), Some((2, known)), "{performed}");
    }
}

/// What is given up after the answer is of before it all the same.
#[test]
fn what_a_peer_has_reset_it_is_not_told_to_pass_over() {
    let mut bench = Bench::new(1);
    bench.once(1);
    bench.sender.begin_reset();
    bench.sender.end_reset(bench.now, true);
    bench.once(2);
    bench.lose();
    assert_eq!(bench.skipped(), Some((2, vec![(2, 0)])));
}

/// A peer that has had all up to the reset needs no answer to be told of what is behind it, nor one that misses nothing.
#[test]
fn what_is_behind_a_reset_waits_for_nothing_that_has_come() {
    let mut bench = Bench::new(1);
    bench.once(1);
    bench.sender.begin_reset();
    bench.once(2);
    bench.sack(1, &[]);
    bench.lose();
    assert_eq!(bench.skipped(), Some((2, vec![(2, 0)])));
}

/// What a full queue has lost, every second packet, is said at once, and in an order in which the peer can hand out what has come
/// between.
#[test]
fn what_was_given_up_between_what_has_come_is_said_at_once() {
    let mut bench = Bench::new(1);
    for _ in 0..7 {
        bench.once(1);
    }
    bench.sack(0, &[(2, 2), (4, 5)]);
    bench.lose();
    let first = vec![(1, vec![(1, 0)]), (3, vec![(1, 2)]), (7, vec![(1, 6)])];
    assert_eq!(bench.all_skipped(), first);
    // The peer has heard the first of them.
    bench.sack(2, &[(2, 3)]);
    bench.sender.skip.due = true;
    assert_eq!(bench.all_skipped(), first[1..]);
    bench.sack(7, &[]);
    assert_eq!(bench.all_skipped(), []);
}

/// RFC 3758 §3.5 C4: whoever looks at the last of them only is told of all that will not come, and who looks at the first of what stands
/// before it.
#[test]
fn the_last_point_names_all_that_was_given_up() {
    let mut bench = Bench::new(1);
    for stream in [1, 9, 2, 9, 1] {
        bench.once(stream);
    }
    bench.sack(0, &[(2, 2), (4, 4)]);
    bench.lose();
    let all = [
        (1, vec![(1, 0)]),
        (3, vec![(2, 0)]),
        (5, vec![(1, 1), (2, 0)]),
    ];
    assert_eq!(bench.all_skipped(), all);
}

/// However many streams they name, they have room in a packet.
#[test]
fn what_the_last_point_names_has_room_too() {
    let mut bench = Bench::new(1);
    for stream in 0..400 {
        bench.once(stream);
    }
    let gaps = Vec::from_iter((1..8).map(|hole| (50 * hole, 50 * hole)));
    bench.sack(0, &gaps);
    bench.lose();
    let said = bench.all_skipped();
    assert!(said.len() > 1, "{said:?}");
    let streams: usize = said.iter().map(|it| it.1.len()).sum();
    assert!(8 * said.len() + 4 * streams <= 1048);
    let (point, last) = said.last().unwrap();
    let named = |stream: u16| last.iter().any(|it| it.0 == stream);
    let spared = |tsn: u32| tsn.is_multiple_of(50);
    for tsn in 1..=*point {
        assert_eq!(named(tsn as u16 - 1), !spared(tsn), "{tsn}");
    }
}

/// What has come whole is passed over with what was given up around it, however many chunks it has and whether or not it had to come: else
/// the peer would move over one hole a round trip. A part of what may still be completed is not.
#[test]
fn what_has_come_whole_is_passed_over() {
    for (length, gap, points) in [(1, 2, 2), (1500, 3, 2), (1500, 2, 1)] {
        for reliability in [Reliability::Reliable, Reliability::Retransmits(7)] {
            let mut bench = Bench::new(1);
            bench.once(1);
            bench.push(2, length, reliability);
            bench.packets();
            bench.once(1);
            bench.sack(0, &[(2, gap)]);
            bench.lose();
            let all = bench.all_skipped();
            assert_eq!(all.len(), points, "{length} {gap} {reliability:?}: {all:?}");
        }
    }
}

/// RFC 9260 §6.2.1: a peer that has taken back what it had received may do so again, so of what must not be lost it is told to pass over
/// nothing.
#[test]
fn a_peer_that_takes_back_passes_over_nothing_that_must_come() {
    let mut bench = Bench::new(1);
    bench.once(1);
    bench.queue(1, 1);
    bench.packets();
    bench.sack(0, &[(2, 2)]);
    bench.sack(1, &[]);
    assert!(bench.sender.outstanding.peek_lost().is_some(), "taken back");
    bench.packets();
    bench.sack(2, &[]);
    bench.once(1);
    bench.queue(1, 1);
    bench.packets();
    bench.once(1);
    bench.sack(2, &[(2, 2)]);
    bench.lose();
    assert_eq!(bench.skipped(), Some((3, vec![(1, 2)])));
}

/// The same of what need not be sent again.
#[test]
fn what_the_peer_has_taken_back_is_not_passed_over() {
    let mut bench = Bench::new(1);
    bench.once(1);
    bench.limited(1, 7);
    bench.sack(0, &[(2, 2)]);
    bench.lose();
    assert_eq!(bench.skipped(), Some((1, vec![(1, 0)])));
    bench.once(1);
    bench.sack(1, &[]);
    assert!(bench.sender.outstanding.peek_lost().is_some(), "taken back");
    assert_eq!(bench.skipped(), None);
    bench.lose();
    assert_eq!(bench.skipped(), None, "it waits for what comes before it");
}

/// RFC 7496 §3.2: what may not go again does not, though the peer takes back what it had of it, and is passed over then.
#[test]
fn what_the_peer_has_taken_back_keeps_its_limit() {
    for step in [effort::STEP, 1] {
        let mut bench = Bench::new(1);
        bench.step = step;
        bench.queue(1, 1);
        assert_eq!(bench.packets().len(), 1);
        for retransmissions in [0, 1] {
            bench.limited(2, retransmissions);
        }
        bench.sack(0, &[(2, 3)]);
        bench.sack(1, &[]);
        assert_eq!(bench.packets(), [[3]], "a step is {step}");
        assert_eq!(bench.stats.abandoned_sent, 1);
        assert_eq!(bench.skipped(), Some((2, vec![(2, 0)])));
    }
}

/// Nor is it where the peer has been told to, and has not followed by then: another stream's messages would wait for it for ever.
#[test]
fn what_the_peer_has_taken_back_is_not_passed_over_any_more() {
    for step in [effort::STEP, 1] {
        let mut bench = Bench::new(1);
        for (stream, retransmissions) in [(1, 0), (1, 7), (2, 7), (1, 0)] {
            bench.limited(stream, retransmissions);
        }
        bench.sack(0, &[(2, 3)]);
        bench.lose();
        let both = [(1, vec![(1, 0)]), (4, vec![(1, 2)])];
        assert_eq!(bench.all_skipped(), both);
        // That was lost on its way.
        bench.step = step;
        bench.input();
        let sack = Sack::without_gaps(Tsn(1), 10 << 20);
        bench.sender.handle_sack(bench.now, &sack);
        assert_eq!(bench.sender.is_busy(), step == 1);
        // Something else looks at it before all of that is noted.
        bench.sender.input();
        bench.sender.end_reset(bench.now + MS * 5000, false);
        assert_eq!(bench.all_skipped(), [], "a step is {step}");
        bench.finish();
        assert!(bench.sender.outstanding.peek_lost().is_some(), "taken back");
        assert_eq!(bench.all_skipped(), []);
        bench.packets();
        bench.sack(3, &[]);
        assert_eq!(bench.skipped(), Some((4, vec![(1, 2)])));
    }
}

/// There is room for so many in a packet beside data, and for the others when the peer has followed.
#[test]
fn no_more_is_said_at_once_than_a_peer_looks_at() {
    let mut bench = Bench::new(1);
    for _ in 0..80 {
        bench.once(1);
    }
    let gaps = Vec::from_iter((1..40).map(|hole| (2 * hole, 2 * hole)));
    bench.sack(0, &gaps);
    bench.lose();
    let mut points = Vec::new();
    for round in [16, 16, 8] {
        let said = bench.all_skipped();
        assert_eq!(said.len(), round);
        points.extend(said.iter().map(|it| it.0));
        let last = points.last().unwrap() + 1;
        bench.sack(last.min(80), &[]);
    }
    let holes = (0..39).map(|hole| 2 * hole + 1).chain([80]);
    assert_eq!(points, Vec::from_iter(holes));
}
