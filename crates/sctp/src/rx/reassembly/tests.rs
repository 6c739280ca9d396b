use proptest::prelude::*;

use super::*;
use crate::effort::TOUCHED;

fn chunk(tsn: u32, flags: u8, payload: &[u8]) -> Data<'_> {
    Data {
        flags,
        tsn: Tsn(tsn),
        stream: 3,
        ssn: Ssn(9),
        ppid: 51,
        payload,
    }
}

#[test]
fn a_new_beginning_ends_what_was_open() {
    let mut reassembly = Reassembly::new(100, Tsn(0));
    assert_eq!(
        reassembly.insert(&chunk(1, Data::BEGIN, b"ab")),
        Outcome::Stored
    );
    let Outcome::Complete(message) = reassembly.insert(&chunk(2, Data::BEGIN | Data::END, b"c"))
    else {
        panic!("a message in one chunk is complete");
    };
    assert_eq!(&*message.payload.concat(), b"c");
    assert!(reassembly.sweep(&mut (10 * TOUCHED)));
    assert_eq!((reassembly.cost(), reassembly.runs.len()), (0, 0));
    for tsn in [4, 5] {
        reassembly.insert(&chunk(tsn, Data::BEGIN, b"ab"));
    }
    let Outcome::Complete(message) = reassembly.insert(&chunk(6, Data::END, b"c")) else {
        panic!("the second has its end");
    };
    assert_eq!(&*message.payload.concat(), b"abc");
}

#[test]
fn neighbours_of_another_stream_contradict() {
    let others = |flags| {
        let piece = || chunk(2, flags, b"c");
        let ssn = Ssn(8);
        [
            (piece(), true),
            (
                Data {
                    stream: 4,
                    ..piece()
                },
                false,
            ),
            (
                Data {
                    ppid: 50,
                    ..piece()
                },
                false,
            ),
            (Data { ssn, ..piece() }, false),
            (unordered(piece()), false),
        ]
    };
    // Whichever of them comes first.
    for (other, alike) in [others(0), others(Data::END)].concat() {
        for early in [false, true] {
            let mut pieces = [&chunk(1, Data::BEGIN, b"ab"), &other];
            pieces.rotate_left(usize::from(early));
            let mut reassembly = Reassembly::new(100, Tsn(0));
            assert_eq!(reassembly.insert(pieces[0]), Outcome::Stored);
            let contradicts = reassembly.insert(pieces[1]) == Outcome::Contradiction;
            assert_eq!(contradicts, !alike, "{other:?}, early: {early}");
        }
    }
}

fn unordered(data: Data<'_>) -> Data<'_> {
    let flags = data.flags | Data::UNORDERED;
    Data { flags, ..data }
}

/// RFC 9260 §3.3.1: whatever stands there.
#[test]
fn unordered_pieces_have_no_number() {
    let begin = unordered(chunk(1, Data::BEGIN, b"ab"));
    let end = unordered(Data {
        ssn: Ssn(8),
        ..chunk(2, Data::END, b"c")
    });
    for pieces in [[&begin, &end], [&end, &begin]] {
        let mut reassembly = Reassembly::new(100, Tsn(0));
        assert_eq!(reassembly.insert(pieces[0]), Outcome::Stored);
        let complete = reassembly.insert(pieces[1]);
        assert!(matches!(complete, Outcome::Complete(_)), "{complete:?}");
    }
}

#[test]
fn the_limit_holds_over_all_chunks() {
    let mut reassembly = Reassembly::new(5, Tsn(0));
    reassembly.insert(&chunk(1, Data::BEGIN, b"abc"));
    assert_eq!(
        reassembly.insert(&chunk(3, Data::END, b"def")),
        Outcome::Stored
    );
    assert_eq!(reassembly.insert(&chunk(2, 0, b"x")), Outcome::TooLarge);
    let mut reassembly = Reassembly::new(5, Tsn(0));
    reassembly.insert(&chunk(1, Data::BEGIN, b"abc"));
    assert_eq!(reassembly.insert(&chunk(2, 0, b"de")), Outcome::Stored);
    assert_eq!(reassembly.insert(&chunk(3, 0, b"f")), Outcome::TooLarge);
}

#[test]
fn nothing_goes_on_behind_an_end() {
    let mut reassembly = Reassembly::new(100, Tsn(0));
    for (tsn, flags) in [(2, Data::END), (3, 0)] {
        assert_eq!(reassembly.insert(&chunk(tsn, flags, b"x")), Outcome::Stored);
    }
    let outcome = reassembly.insert(&chunk(1, Data::BEGIN, b"x"));
    assert!(matches!(outcome, Outcome::Complete(message) if message.payload.len() == 2));
}

#[test]
fn orphans_are_dropped() {
    let mut reassembly = Reassembly::new(100, Tsn(0));
    reassembly.insert(&chunk(5, 0, b"abc"));
    reassembly.insert(&chunk(8, Data::BEGIN, b"abc"));
    reassembly.cumulative_moved(Tsn(3));
    assert!(reassembly.sweep(&mut (10 * TOUCHED)) && reassembly.runs.len() == 2);
    reassembly.cumulative_moved(Tsn(5));
    assert!(reassembly.is_sweeping() && !reassembly.sweep(&mut { TOUCHED }));
    assert!(reassembly.sweep(&mut { TOUCHED }) && reassembly.runs.len() == 1);
    reassembly.forward(Tsn(8));
    assert!(reassembly.sweep(&mut (10 * TOUCHED)));
    assert_eq!((reassembly.cost(), reassembly.runs.len()), (0, 0));
}

/// What waits to be dropped is nobody's neighbour any more.
#[test]
fn orphans_go_on_with_nothing() {
    for flags in [0, Data::END] {
        let mut reassembly = Reassembly::new(100, Tsn(1));
        reassembly.insert(&chunk(2, 0, b"abc"));
        reassembly.cumulative_moved(Tsn(2));
        let other = Data {
            stream: 4,
            ..chunk(3, flags, b"d")
        };
        assert_eq!(reassembly.insert(&other), Outcome::Stored);
        reassembly.cumulative_moved(Tsn(3));
        assert!(reassembly.sweep(&mut (10 * TOUCHED)));
        assert_eq!((reassembly.cost(), reassembly.runs.len()), (0, 0));
    }
    // A beginning that was given up has no end.
    let mut reassembly = Reassembly::new(100, Tsn(4));
    reassembly.insert(&chunk(5, Data::BEGIN, b"abc"));
    reassembly.forward(Tsn(5));
    assert_eq!(
        reassembly.insert(&chunk(6, Data::END, b"d")),
        Outcome::Stored
    );
}

/// The pieces of a message, the last first: joining moves the fewer parts.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn a_piece_before_others_costs_little() {
    crate::cost::stays("a piece before others", 3000, |state| {
        let mut reassembly = Reassembly::new(1 << 20, Tsn(0));
        let state = state as u32;
        for tsn in (200..200 + state).rev() {
            reassembly.insert(&chunk(tsn, 0, b"x"));
        }
        let start = std::time::Instant::now();
        for tsn in (1..200).rev() {
            reassembly.insert(&chunk(tsn, 0, b"x"));
        }
        (std::time::Instant::now() - start, 199)
    });
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    /// Any order of the chunks of three messages gives the three messages.
    #[test]
    fn any_order(start in any::<u32>(), lengths in proptest::collection::vec(1usize..8, 3),
                 order in Just((0..24usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut chunks = Vec::new();
        for (message, length) in lengths.iter().enumerate() {
            for index in 0..*length {
                let mut flags = if index == 0 { Data::BEGIN } else { 0 };
                flags |= if index + 1 == *length { Data::END } else { 0 };
                chunks.push((flags, vec![message as u8; index + 1], message as u16));
            }
        }
        let mut reassembly = Reassembly::new(1000, Tsn(start));
        let mut complete = 0;
        for index in order.into_iter().filter(|index| *index < chunks.len()) {
            let (flags, payload, ssn) = &chunks[index];
            let data = Data { ssn: Ssn(*ssn), ..chunk(start.wrapping_add(index as u32), *flags, payload) };
            match reassembly.insert(&data) {
                Outcome::Complete(message) => {
                    let length = lengths[usize::from(message.ssn.0)];
                    prop_assert_eq!(message.payload.len(), length * (length + 1) / 2);
                    let payload = message.payload.concat();
                    prop_assert!(payload.iter().all(|b| u16::from(*b) == message.ssn.0));
                    complete += 1;
                }
                outcome => prop_assert_eq!(outcome, Outcome::Stored),
            }
        }
        prop_assert_eq!((complete, reassembly.cost(), reassembly.runs.len()), (3, 0, 0));
    }
}

/// Where a gap is filled, what had been reserved before it is given back: what comes next has a part of its own, and so has what no
/// longer grows.
#[test]
fn a_gap_that_is_filled_leaves_no_room_that_nobody_uses() {
    let mut reassembly = Reassembly::new(1 << 20, Tsn(0));
    let mut put = |tsn: u32, flags: u8| {
        let outcome = reassembly.insert(&chunk(tsn, flags, &[7; 1000]));
        reassembly.check();
        (outcome == Outcome::Stored, reassembly.cost())
    };
    put(0, Data::BEGIN);
    for part in 0..10 {
        // After twenty pieces one is late.
        let pieces = (1..20).chain([21, 20]);
        let last = pieces.map(|tsn| put(21 * part + tsn, 0)).last();
        let (pieces, parts) = (21 * part as usize + 22, 2 * part as usize + 3);
        let cost = 1000 * pieces + RUN_COST + parts * PART_COST;
        assert_eq!(last, Some((true, cost)));
    }
}
