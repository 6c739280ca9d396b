//! What the peer is told to pass over, beside resets of streams.

use super::*;
use crate::{Reliability, StreamId, packet::ForwardTsn};

/// The point, and the streams with their numbers.
type Skipped = Option<(u32, Vec<(StreamId, u16)>)>;

impl Bench {
    /// A message that may be sent once leaves.
    fn once(&mut self, stream: StreamId) {
        let options = SendOptions {
            reliability: Reliability::Retransmits(0),
            ..SendOptions::default()
        };
        let message = options.queued(self.now, 53, Bytes::from_static(b"x"), true);
        self.sender.queue.push(stream, message);
        assert_eq!(self.packets().len(), 1);
    }

    /// Nothing is heard for a while, and all that is under way is taken as lost.
    fn lose(&mut self) {
        self.now += MS * 1000;
        self.sender.send_again(self.now, &mut self.stats);
    }

    /// The FORWARD TSN that is due.
    fn skipped(&mut self) -> Skipped {
        let mut buf = Vec::new();
        self.sender.skip.write(self.now, &mut buf, 1000);
        let forward = ForwardTsn::parse(buf.get(4..)?)?;
        let streams = forward.streams().map(|(stream, ssn)| (stream, ssn.0));
        Some((forward.cumulative.0, streams.collect()))
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
