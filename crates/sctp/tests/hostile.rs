//! A peer that does not keep to the rules: the negative cases of known failures 26 and 27.

mod support;
#[path = "support/victim.rs"]
mod victim;

use oxirtc_sctp::{
    Config, Event, Failure, Ssn,
    packet::{CauseCode, Causes, Chunk, ChunkKind, Data, Sack},
};

use support::{Sides, ms, pattern};
use victim::{Victim, WHOLE};

#[test]
fn what_is_wrong_is_dropped_and_the_association_lives() {
    let mut victim = Victim::new(Config::default());
    let tag = victim.tag;
    for wrong in [0, tag ^ 1, tag.wrapping_add(1)] {
        victim.tag = wrong;
        victim.data(0, WHOLE, (1, 0), b"wrong tag");
        for kind in [3, 4, 5, 7, 8, 9, 11, 130, 192] {
            victim.chunk(ChunkKind(kind), &[0; 16]);
        }
    }
    victim.tag = tag;
    let wrong = victim.pair.ends[0].stats().dropped_wrong_tag;
    assert_eq!(wrong, 3 * 10);
    assert_eq!(victim.pair.read_all(0, 1).len(), 0);
    let dropped = victim.pair.ends[0].stats().dropped_chunks;
    // SACKs that are stale, run ahead, or have gaps that do.
    for (cumulative, gaps) in [
        (victim.last.previous(), vec![]),
        (victim.last.next(), vec![]),
        (victim.last.advanced(1 << 30), vec![]),
        (victim.last, vec![(2, 3)]),
        (victim.last, vec![(5, 2), (0, 0), (1, 65535)]),
    ] {
        victim.put(|buf| {
            Sack::write(
                buf,
                200,
                (cumulative, 0),
                gaps.into_iter(),
                std::iter::empty(),
            );
        });
    }
    assert_eq!(victim.pair.ends[0].stats().dropped_chunks, dropped + 5);
    assert!(
        victim.pair.ends[0].stats().peer_window > 0,
        "none of them counts"
    );
    // Values too short, chunks out of place, chunks cut off.
    for kind in 0..=255u8 {
        for length in 0..20 {
            if kind != 6 && (kind != 0 || length < 12) {
                let value = vec![0; length];
                victim.chunk(ChunkKind(kind), &value);
                if kind == 7 {
                    victim = Victim::new(Config::default());
                }
            }
        }
    }
    victim.put(|buf| buf.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0]));
    victim.put(|buf| buf.extend_from_slice(&[0, 3, 0xff, 0xff, 0, 0, 0, 0]));
    assert!(victim.is_alive());
}

/// RFC 9260 §3.3.2: INIT stands alone, and then it is answered.
#[test]
fn an_init_stands_alone() {
    for (beside, answered) in [(&[][..], true), (&[11, 0, 0, 4][..], false)] {
        let mut victim = Victim::new(Config::default());
        victim.tag = 0;
        victim.put(|buf| {
            buf.extend_from_slice(&[1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
            buf.extend_from_slice(beside);
        });
        let answer = victim.answer();
        let acks = answer
            .iter()
            .filter(|(kind, _)| *kind == ChunkKind::INIT_ACK);
        assert_eq!(acks.count(), usize::from(answered));
        assert!(victim.is_alive());
    }
    // Behind another chunk it is none either.
    let mut victim = Victim::new(Config::default());
    victim.put(|buf| {
        buf.extend_from_slice(&[11, 0, 0, 4]);
        buf.extend_from_slice(&[1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    });
    let answer = victim.answer();
    assert!(!answer.iter().any(|(kind, _)| *kind == ChunkKind::INIT_ACK));
}

#[test]
fn the_association_still_carries_data_after_garbage() {
    let mut victim = Victim::new(Config::default());
    for kind in [3u8, 4, 5, 9, 10, 11, 14, 130, 192, 0x3f, 0x7f, 0xbf, 0xff] {
        for length in 0..12 {
            victim.chunk(ChunkKind(kind), &vec![kind; length]);
        }
    }
    victim.answer();
    victim.pair.say(0, 1, pattern(5000, 1));
    victim.pair.say(1, 1, pattern(5000, 2));
    victim.pair.run_for(ms(3000));
    assert_eq!(
        victim.pair.read_all(0, 1).len() + victim.pair.read_all(1, 1).len(),
        2
    );
}

/// RFC 9260 §3.2: the two highest bits of an unknown chunk's type.
#[test]
fn unknown_chunks_follow_their_highest_bits() {
    for (kind, reported, goes_on) in [
        (0x3f, false, false),
        (0x7f, true, false),
        (0xbf, false, true),
        (0xff, true, true),
    ] {
        let mut victim = Victim::new(Config::default());
        let data = Data {
            flags: WHOLE,
            tsn: victim.tsn,
            stream: 1,
            ssn: Ssn(0),
            ppid: 53,
            payload: b"after",
        };
        victim.put(|buf| {
            let (kind, flags, value) = (ChunkKind(kind), 0, &[1, 2, 3][..]);
            Chunk { kind, flags, value }.write(buf);
            data.write(buf);
        });
        assert_eq!(victim.pair.read_all(0, 1).len(), usize::from(goes_on));
        let errors = victim
            .answer()
            .into_iter()
            .filter(|(kind, _)| *kind == ChunkKind::ERROR);
        let codes =
            Vec::from_iter(errors.map(|(_, value)| Causes::parse(&value).next().unwrap().code));
        assert_eq!(
            codes,
            Vec::from_iter(reported.then_some(CauseCode::UNRECOGNIZED_CHUNK))
        );
    }
}

/// RFC 9260 §6.5: acknowledged, reported, not delivered.
#[test]
fn a_stream_that_does_not_exist_is_reported() {
    let mut victim = Victim::new(Config::default().streams(100, 100));
    victim.data(0, WHOLE, (100, 0), b"x");
    victim.data(1, WHOLE, (99, 0), b"x");
    let answer = victim.answer();
    let error = answer
        .iter()
        .find(|(kind, _)| *kind == ChunkKind::ERROR)
        .unwrap();
    assert_eq!(error.1, [0, 1, 0, 8, 0, 100, 0, 0]);
    let sack = answer
        .iter()
        .find(|(kind, _)| *kind == ChunkKind::SACK)
        .unwrap();
    assert_eq!(Sack::parse(&sack.1).unwrap().cumulative, victim.tsn.next());
    assert_eq!(victim.pair.read_all(0, 99).len(), 1);
}

#[test]
fn what_cannot_be_passed_over_aborts() {
    type Attack = fn(&mut Victim);
    let cases: [(Attack, Failure, CauseCode); 3] = [
        (
            |v| v.data(0, WHOLE, (1, 0), b""),
            Failure::NoUserData,
            CauseCode::NO_USER_DATA,
        ),
        (
            |v| {
                v.data(0, Data::BEGIN, (1, 0), b"a");
                v.data(1, Data::END, (2, 0), b"b");
            },
            Failure::ProtocolViolation,
            CauseCode::PROTOCOL_VIOLATION,
        ),
        (
            // Within one chunk over the limit.
            |v| {
                for offset in 0..263 {
                    assert!(v.is_alive());
                    let flags = if offset == 0 { Data::BEGIN } else { 0 };
                    v.data(offset, flags, (1, 0), &[0; 1000]);
                }
            },
            Failure::MessageTooLarge,
            CauseCode::PROTOCOL_VIOLATION,
        ),
    ];
    for (attack, cause, code) in cases {
        let mut victim = Victim::new(Config::default());
        attack(&mut victim);
        assert_eq!(victim.pair.main_events(0), [Event::Failed { cause }]);
        let aborts = victim.answer();
        assert_eq!(aborts[0].0, ChunkKind::ABORT);
        assert_eq!(Causes::parse(&aborts[0].1).next().unwrap().code, code);
    }
}

/// Duplicates are reported once each, a bounded number of them, and at once.
#[test]
fn duplicates_are_reported() {
    let mut victim = Victim::new(Config::default());
    for _ in 0..200 {
        victim.data(0, WHOLE, (1, 0), b"again");
    }
    let answer = victim.answer();
    let sack = Sack::parse(&answer[0].1).unwrap();
    assert_eq!(sack.cumulative, victim.tsn);
    assert!((1..=32).contains(&sack.duplicates().count()));
    assert_eq!(victim.pair.read_all(0, 1).len(), 1);
    assert_eq!(victim.pair.ends[0].stats().duplicates, 199);
}

/// Every second packet, or 200 ms, or at once beyond a gap and for the I bit.
#[test]
fn acknowledgements_are_delayed_as_they_should_be() {
    let mut victim = Victim::new(Config::default());
    victim.data(0, WHOLE, (1, 0), b"one");
    assert_eq!(victim.answer().len(), 0);
    let due = victim.pair.ends[0].poll_timeout().unwrap();
    assert_eq!(due - victim.pair.now, ms(200));
    victim.data(1, WHOLE, (1, 1), b"two");
    assert_eq!(victim.answer().len(), 1);
    victim.data(2, WHOLE | Data::IMMEDIATE, (1, 2), b"three");
    assert_eq!(victim.answer().len(), 1);
    victim.data(4, WHOLE, (1, 4), b"five");
    assert_eq!(victim.answer().len(), 1);
    victim.data(3, WHOLE, (1, 3), b"four");
    assert_eq!(victim.answer().len(), 1);
    victim.data(5, WHOLE, (1, 5), b"six");
    assert_eq!(victim.answer().len(), 0);
}
