//! A peer that does not keep to the rules: the negative cases of known failures 26 and 27.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;
#[path = "support/victim.rs"]
mod victim;

use oxirtc_sctp::{
    Config, Event, Failure, Mid, Ssn, State,
    packet::{
        CauseCode, Causes, Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Packet,
        Reconfig, Request, ResetResult, Sack,
    },
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

/// However long a packet is, so much of it counts: what is behind is as if it were lost.
#[test]
fn a_packet_of_very_many_chunks_is_read_to_a_point() {
    let unknown = &[0x84, 0, 0, 4][..];
    let mut known = Vec::new();
    let before_the_first = Data {
        flags: WHOLE,
        tsn: Victim::new(Config::default()).tsn.previous(),
        stream: 1,
        ssn: Ssn(0),
        ppid: 53,
        payload: b"x",
    };
    before_the_first.write(&mut known);
    for (chunk, before, counts) in [
        (unknown, 106, true),
        (unknown, 107, false),
        (unknown, 3000, false),
        (&known, 59, true),
        (&known, 60, false),
    ] {
        let mut victim = Victim::new(Config::default());
        let dropped = victim.pair.ends[0].stats().dropped_chunks;
        let tsn = victim.tsn;
        let data = Data {
            flags: WHOLE,
            tsn,
            stream: 1,
            ssn: Ssn(0),
            ppid: 53,
            payload: b"x",
        };
        victim.put(|buf| {
            for _ in 0..before {
                buf.extend_from_slice(chunk);
            }
            data.write(buf);
        });
        let of = |victim: &Victim| victim.pair.ends[0].stats().dropped_chunks - dropped;
        assert_eq!(of(&victim), u64::from(!counts), "{before}");
        assert_eq!(victim.pair.read_all(0, 1).len(), usize::from(counts));
        // It comes again.
        victim.put(|buf| data.write(buf));
        assert_eq!(victim.pair.read_all(0, 1).len(), usize::from(!counts));
    }
}

/// What a packet's other chunks leave of a step is what its SACK has, wherever it stands: the rest of it is for later, and at once.
#[test]
fn all_of_a_packet_is_one_step() {
    for (chunks, at_once) in [(1, true), (60, false)] {
        let mut victim = Victim::sending(Config::default());
        for _ in 0..10 {
            victim.pair.say(0, 1, b"x");
        }
        victim.pair.run_for(ms(0));
        let (tsn, last) = (victim.tsn.previous(), victim.last.advanced(10));
        victim.put(|buf| {
            Sack::write(
                buf,
                16,
                (last, 1 << 20),
                std::iter::empty(),
                std::iter::empty(),
            );
            for _ in 0..chunks {
                let (stream, ssn, payload) = (1, Ssn(0), &b"x"[..]);
                let (flags, ppid) = (WHOLE, 53);
                Data {
                    flags,
                    tsn,
                    stream,
                    ssn,
                    ppid,
                    payload,
                }
                .write(buf);
            }
        });
        let side = &mut victim.pair.ends[0];
        assert_eq!(side.unacknowledged(1) == 0, at_once, "{chunks}");
        side.handle_timeout(victim.pair.now);
        assert_eq!(side.unacknowledged(1), 0, "{chunks}");
    }
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

/// RFC 9260 §8.5.1 A: an INIT has no tag, as its sender knows none; one with a tag is not even answered, be it ours.
#[test]
fn an_init_with_a_tag_is_dropped() {
    let ours = Victim::new(Config::default()).tag;
    for (tag, answered) in [(0, true), (ours, false), (ours ^ 1, false)] {
        let mut victim = Victim::new(Config::default());
        assert_eq!(victim.tag, ours);
        victim.tag = tag;
        let dropped = victim.pair.ends[0].stats().dropped_wrong_tag;
        victim.put(|buf| {
            buf.extend_from_slice(&[1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
        });
        let wrong = victim.pair.ends[0].stats().dropped_wrong_tag - dropped;
        assert_eq!(wrong, u64::from(!answered), "{tag:x}");
        assert_eq!(!victim.answer().is_empty(), answered, "{tag:x}");
    }
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
    let said = sack(&answer);
    assert_eq!(said.cumulative, victim.tsn);
    assert!((1..=32).contains(&said.duplicates().count()));
    assert_eq!(victim.pair.read_all(0, 1).len(), 1);
    assert_eq!(victim.pair.ends[0].stats().duplicates, 199);
    // What was said is not said again.
    victim.data(1, WHOLE | Data::IMMEDIATE, (1, 1), b"next");
    assert_eq!(sack(&victim.answer()).duplicates().count(), 0);
}

fn sack(answer: &[(ChunkKind, Vec<u8>)]) -> Sack<'_> {
    let sack = answer.iter().find(|(kind, _)| *kind == ChunkKind::SACK);
    Sack::parse(&sack.unwrap().1).unwrap()
}

/// What lies beyond a gap never takes the room of the chunk that closes it: all that was taken can be read.
#[test]
fn what_comes_next_has_room_of_its_own() {
    let config = Config::default().receive_window(100_000);
    let mut victim = Victim::new(config.max_message_size(10_000));
    let mut taken = 0;
    while victim.pair.ends[0].stats().dropped_out_of_window == 0 {
        taken += 1;
        victim.data(taken, WHOLE, (1, taken as u16), &[0; 1000]);
    }
    assert!((80..110).contains(&taken), "{taken}");
    victim.data(0, WHOLE, (1, 0), &[0; 1000]);
    assert_eq!(victim.pair.read_all(0, 1).len() as u32, taken);
}

/// RFC 9260 §1.6: beyond half of the numbers later and earlier look alike, so such a message has to wait for what is before it.
#[test]
fn a_number_far_ahead_waits_until_it_is_next() {
    let mut victim = Victim::new(Config::default());
    victim.data(1, WHOLE, (1, 40_000), b"far");
    assert_eq!(sack(&victim.answer()).gaps().count(), 0);
    victim.data(2, WHOLE, (1, 1), b"near");
    let answer = victim.answer();
    assert_eq!(Vec::from_iter(sack(&answer).gaps()), [(3, 3)]);
    victim.data(0, WHOLE, (1, 0), b"first");
    victim.data(1, WHOLE, (1, 40_000), b"far");
    assert_eq!(sack(&victim.answer()).cumulative, victim.tsn.advanced(2));
    let read = victim.pair.read_all(0, 1);
    let read = Vec::from_iter(read.iter().map(|it| &it.payload[..]));
    assert_eq!(read[..2], [&b"first"[..], b"near"]);
}

/// RFC 9260 §6.2: a window that was nearly closed is told of when there is room again; a wide one only with other news.
#[test]
fn a_window_that_opens_is_told() {
    const WINDOW: usize = 1 << 20;
    for (count, told) in [(400, false), (1000, true)] {
        let mut victim = Victim::new(Config::default().receive_window(WINDOW as u32));
        for index in 0..count {
            victim.data(index, WHOLE, (1, index as u16), &[0; 1000]);
        }
        let before = sack(&victim.answer()).window as usize;
        assert_eq!(before < WINDOW / 8, told, "{before}");
        victim.pair.read_all(0, 1);
        let answer = victim.answer();
        assert_eq!(!answer.is_empty(), told);
        if told {
            assert!(sack(&answer).window as usize > before + WINDOW / 4);
        }
    }
}

/// The window is memory, and a byte in a message of its own takes more of it: the peer is told how many it can send.
#[test]
fn the_window_is_in_bytes_as_the_peer_sends_them() {
    let mut victim = Victim::new(Config::default().receive_window(1 << 20));
    let mut sent = 0;
    let window = loop {
        for _ in 0..100 {
            victim.data(sent, WHOLE, (1, sent as u16), b"x");
            sent += 1;
        }
        let window = sack(&victim.answer()).window;
        if window < 40_000 {
            break window;
        }
    };
    assert!(window > 0);
    for _ in 0..window {
        victim.data(sent, WHOLE, (1, sent as u16), b"x");
        sent += 1;
    }
    assert_eq!(victim.pair.ends[0].stats().dropped_out_of_window, 0);
    assert!(sack(&victim.answer()).window < window);
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

/// A message counts when all of it has come, not with its last piece, and not when it was given up.
#[test]
fn a_message_counts_when_it_is_whole() {
    let mut victim = Victim::new(Config::default());
    let before = victim.pair.ends[0].stats().messages_received;
    let count = |victim: &Victim| victim.pair.ends[0].stats().messages_received - before;
    victim.data(1, Data::END, (1, 0), b"its end");
    assert_eq!(count(&victim), 0);
    victim.data(0, Data::BEGIN, (1, 0), b"the beginning, ");
    assert_eq!(count(&victim), 1);
    victim.data(2, WHOLE, (1, 1), b"another");
    assert_eq!(count(&victim), 2);
    // The end of what was given up.
    victim.data(4, Data::END, (1, 2), b"nothing");
    let to = victim.tsn.advanced(3);
    victim.put(|buf| ForwardTsn::write(buf, to, std::iter::once((1, Ssn(2)))));
    assert_eq!(count(&victim), 2);
    assert_eq!(victim.pair.read_all(0, 1).len(), 2);
}

/// Messages that are handed out in steps still have their numbers: what comes meanwhile is told apart, or not acknowledged.
#[test]
fn numbers_are_not_outrun_while_messages_are_handed_out() {
    let mut victim = Victim::new(Config::default());
    let wait = 32_000;
    for number in 1..wait {
        victim.data(number.into(), WHOLE, (1, number), b"x");
    }
    victim.data(0, WHOLE, (1, 0), b"x");
    // Of the next ones the last are more than half of all numbers ahead of what was handed out.
    let mut next = wait;
    while next < wait + 2000 {
        let before = victim.pair.ends[0].stats().data_chunks_received;
        let tsn = victim.tsn;
        victim.put(|buf| {
            for number in next..next + 1000 {
                Data {
                    flags: WHOLE,
                    tsn: tsn.advanced(number.into()),
                    stream: 1,
                    ssn: Ssn(number),
                    ppid: 53,
                    payload: b"x",
                }
                .write(buf);
            }
        });
        // What was not taken comes again.
        let taken = victim.pair.ends[0].stats().data_chunks_received - before;
        assert!(next > wait || taken < 1000, "{taken}");
        next += taken as u16;
        let now = victim.pair.now;
        let side = &mut victim.pair.ends[0];
        while side.poll_timeout().is_some_and(|at| at <= now) {
            side.handle_timeout(now);
        }
    }
    let read = victim.pair.read_all(0, 1).len();
    assert_eq!(read, usize::from(next));
}

/// RFC 9260 §9.2: a SHUTDOWN is sent once all is acknowledged: a SACK that comes then tells nothing.
#[test]
fn a_sack_after_a_shutdown_is_dropped() {
    let mut victim = Victim::new(Config::default());
    let last = victim.last;
    let dropped = |victim: &mut Victim| {
        let before = victim.pair.ends[0].stats().dropped_chunks;
        let none = std::iter::empty();
        victim.put(|buf| Sack::write(buf, 200, (last, 100_000), none, std::iter::empty()));
        victim.pair.ends[0].stats().dropped_chunks - before
    };
    assert_eq!(dropped(&mut victim), 0);
    victim.pair.ends[0].shutdown(victim.pair.now);
    victim.answer();
    assert_eq!(victim.pair.ends[0].state(), State::ShutdownSent);
    assert_eq!(dropped(&mut victim), 1);
}

/// Nothing is sent on streams after a SHUTDOWN: they stay as they are.
#[test]
fn a_request_after_a_shutdown_is_not_answered() {
    let mut victim = Victim::new(Config::default());
    let answers = |victim: &mut Victim| {
        let sequence = 0;
        let request = Request::TsnReset { sequence };
        victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
        let answer = victim.answer();
        let answers = answer
            .iter()
            .filter(|(kind, _)| *kind == ChunkKind::RECONFIG);
        answers.count()
    };
    assert_eq!(answers(&mut victim), 1);
    victim.pair.ends[0].shutdown(victim.pair.now);
    victim.answer();
    assert_eq!(victim.pair.ends[0].state(), State::ShutdownSent);
    assert_eq!(answers(&mut victim), 0);
}

/// RFC 3758 §3.6: a FORWARD TSN that moves nothing gives up nothing either.
#[test]
fn a_forward_tsn_that_is_late_passes_over_nothing() {
    let mut victim = Victim::new(Config::default());
    let dropped = victim.pair.ends[0].stats().dropped_chunks;
    let at = victim.tsn.previous();
    victim.put(|buf| ForwardTsn::write(buf, at, std::iter::once((1, Ssn(5)))));
    assert_eq!(victim.pair.ends[0].stats().dropped_chunks, dropped + 1);
    victim.data(1, WHOLE, (1, 1), b"second");
    assert_eq!(victim.pair.read_all(0, 1).len(), 0);
    victim.data(0, WHOLE, (1, 0), b"first");
    let read = victim.pair.read_all(0, 1);
    let read = Vec::from_iter(read.iter().map(|it| &it.payload[..]));
    assert_eq!(read, [&b"first"[..], b"second"]);
}

/// What is said of a stream that does not exist is not kept for when it does.
#[test]
fn a_stream_that_does_not_exist_is_not_passed_over() {
    let config = Config::default().streams(100, 100);
    let whole =
        |victim: &mut Victim, interleaving: bool, offset, (stream, number): (u16, u16), payload| {
            if !interleaving {
                return victim.data(offset, WHOLE, (stream, number), payload);
            }
            let data = IData {
                flags: WHOLE,
                tsn: victim.tsn.advanced(offset),
                stream,
                mid: Mid(number.into()),
                ppid_or_fsn: 53,
                payload,
            };
            victim.put(|buf| data.write(buf));
        };
    for interleaving in [false, true] {
        let mut victim = match interleaving {
            false => Victim::new(config.clone()),
            true => Victim::interleaving(config.clone()),
        };
        let to = victim.tsn;
        victim.put(|buf| match interleaving {
            false => ForwardTsn::write(buf, to, [99, 100].map(|it| (it, Ssn(0))).into_iter()),
            true => {
                let messages = [99, 100].map(|it| (it, false, Mid(0)));
                IForwardTsn::write(buf, to, messages.into_iter());
            }
        });
        // Requests count from the peer's first TSN, which its first message had.
        let (sequence, count) = (to.previous().0, 1);
        let request = Request::AddOutgoing { sequence, count };
        victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
        whole(&mut victim, interleaving, 1, (99, 1), b"second");
        whole(&mut victim, interleaving, 2, (100, 1), b"second");
        assert_eq!(victim.pair.read_all(0, 99).len(), 1);
        assert_eq!(victim.pair.read_all(0, 100).len(), 0);
        whole(&mut victim, interleaving, 3, (100, 0), b"first");
        assert_eq!(victim.pair.read_all(0, 100).len(), 2);
    }
}

/// While very much is still to be passed over, nothing more is taken; it comes again.
#[test]
fn what_is_still_to_be_passed_over_is_bounded() {
    let mut victim = Victim::new(Config::default());
    let forward = |victim: &mut Victim, offset| {
        let before = victim.pair.ends[0].stats().dropped_chunks;
        let to = victim.tsn.advanced(offset);
        let streams = (0..1000).map(|stream| (stream, Ssn(offset as u16)));
        victim.put(|buf| ForwardTsn::write(buf, to, streams));
        victim.pair.ends[0].stats().dropped_chunks - before
    };
    assert_eq!(forward(&mut victim, 0), 0);
    assert_eq!(forward(&mut victim, 1), 1);
    let now = victim.pair.now;
    let side = &mut victim.pair.ends[0];
    while side.poll_timeout().is_some_and(|at| at <= now) {
        side.handle_timeout(now);
    }
    assert_eq!(forward(&mut victim, 1), 0);
}

/// What is from or to other ports is of another association, though it has our tag.
#[test]
fn other_ports_are_those_of_another_association() {
    let mut victim = Victim::new(Config::default());
    for (source, destination, lives) in
        [(5001, 5000, true), (5000, 5001, true), (5000, 5000, false)]
    {
        let before = victim.pair.ends[0].stats().dropped_malformed;
        let mut buf = Vec::new();
        Packet::start(&mut buf, source, destination, victim.tag);
        buf.extend_from_slice(&[6, 0, 0, 4]);
        Packet::finish(&mut buf, 0);
        victim.pair.ends[0].handle_packet(victim.pair.now, &buf);
        assert_eq!(victim.is_alive(), lives, "{source} {destination}");
        let dropped = victim.pair.ends[0].stats().dropped_malformed - before;
        assert_eq!(dropped, u64::from(lives));
    }
}

/// However full the buffer is, the longest message comes whole where it is next, in pieces of whatever length: nothing that was taken
/// can be read before.
#[test]
fn the_longest_message_has_room_in_pieces() {
    const LONGEST: usize = 64 << 10;
    let config = Config::default().receive_window(4 * LONGEST as u32);
    let config = config.max_message_size(LONGEST);
    let step = if cfg!(debug_assertions) { 44 } else { 4 };
    for (interleaving, piece) in (400..1460)
        .step_by(step)
        .flat_map(|piece| [(false, piece), (true, piece)])
    {
        let mut victim = match interleaving {
            true => Victim::interleaving(config.clone()),
            false => Victim::new(config.clone()),
        };
        let message = pattern(LONGEST, 1);
        let pieces = message.chunks(piece).zip(0..);
        let count = message.len().div_ceil(piece) as u32;
        let mut behind = 0;
        while victim.pair.ends[0].stats().dropped_out_of_window == 0 {
            behind += 1;
            victim.whole(count - 1 + behind, 0, (1, behind as u16), b"x");
        }
        for (payload, number) in pieces {
            let begin = if number == 0 { Data::BEGIN } else { 0 };
            let end = if number + 1 == count { Data::END } else { 0 };
            victim.part(number, begin | end, (1, 0), number, payload);
        }
        let read = victim.pair.read_all(0, 1);
        let first = read.first().map(|it| it.payload == message);
        assert_eq!(first, Some(true), "{interleaving} {piece}");
    }
}

/// RFC 6525 §5.2.7: streams that the peer does not take are told of, and can be asked for again.
#[test]
fn streams_that_are_denied_are_told_of() {
    let mut victim = Victim::new(Config::default().streams(100, 100));
    victim.pair.filter(|_, _| false);
    for _ in 0..2 {
        let now = victim.pair.now;
        victim.pair.ends[0].add_streams(now, 5).unwrap();
        let packets = victim.pair.take_packets(0);
        let packet = Packet::parse_unsummed(&packets[0]).unwrap();
        let chunk = packet.chunks().find(|it| it.kind == ChunkKind::RECONFIG);
        let asked = Reconfig::parse(chunk.unwrap().value).unwrap();
        let Some(Some(Request::AddOutgoing { sequence, count: 5 })) = asked.requests().next()
        else {
            panic!("it asks for them");
        };
        let result = ResetResult::DENIED;
        let answer = Request::Response { sequence, result };
        victim.put(|buf| Reconfig::write(buf, std::iter::once(answer)));
        assert_eq!(
            victim.pair.main_events(0),
            [Event::StreamsDenied { count: 5 }]
        );
    }
}
