//! What does not count in the window.

use oxirtc_sctp::{
    Config, Mid,
    packet::{ChunkKind, Data, IData, IForwardTsn, Reconfig, Request},
};

use crate::{
    acknowledge_much, assert_bounded, fill, held, keep_numbers, most_of_steps, reset, send_much,
    support::Sides as _, victim::Victim,
};

/// The numbers of all streams are kept, and room for short messages and for the ranges of TSNs; a long reset waits, and
/// answers do; large messages fill what there is; then very many are given up, and one begins of which much is expected.
pub(crate) fn what_does_not_count_is_little(victim: fn(Config) -> Victim, window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = victim(config.max_message_size(window / 4));
    let before = held();
    let mut tsn = 0u32;
    let mut next = |count: u32| {
        tsn += count;
        tsn - count
    };
    keep_numbers(&mut victim, next(256), 0..256);
    let pieces = (window / 4).min(128 << 10) as u32 / 16_000;
    for number in 0..=pieces {
        let begin = if number == 0 { Data::BEGIN } else { 0 };
        let (flags, payload): (u8, &[u8]) = match number == pieces {
            false => (begin, &[0; 16_000]),
            true => (Data::END, b"x"),
        };
        victim.part(next(1), flags, (1, 0), number, payload);
    }
    assert_eq!(victim.pair.read_all(0, 1).len(), 1);
    for _ in 0..1100 {
        victim.whole(next(1), Data::UNORDERED, (2, 0), b"x");
    }
    for _ in 0..1099 {
        victim.pair.ends[0].read(2);
    }
    let list = Vec::from_iter((20_000..28_000u16).flat_map(u16::to_be_bytes));
    let request = Request::OutgoingReset {
        sequence: victim.tsn.0.wrapping_sub(1),
        response_sequence: 0,
        last_tsn: victim.tsn.advanced(60_000),
        streams: &list,
    };
    victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
    drop(list);
    victim.answer();
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    victim.whole(next(1), 0, (5, 0), &[0; 600]);
    let mut first = next(1);
    for length in [16_000, 600] {
        let seen = dropped(&victim);
        while dropped(&victim) == seen {
            victim.whole(first, Data::UNORDERED, (3, 0), &[0; 16_000][..length]);
            victim.answer();
            if dropped(&victim) == seen {
                first = next(1);
            }
        }
    }
    for range in 0..1100 {
        victim.whole(first + 100 + 2 * range, Data::UNORDERED, (65_535, 0), b"x");
    }
    victim.answer();
    for _ in 0..4 {
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 1000]);
    }
    let seen = (dropped(&victim), victim.pair.ends[0].stats().dropped_chunks);
    let full = held();
    victim.forward(first, (0..250).map(|it| (it + 10, 5)));
    let most = if victim.interleaving { 2045 } else { 4090 };
    victim.forward(first + 1, (0..most).map(|it| (it + 300, 5)));
    let named = held() - full;
    assert!((16 << 10..=34 << 10).contains(&named), "{named}");
    victim.pair.read_all(0, 5);
    let room = held();
    victim.part(first + 2, Data::BEGIN, (4, 0), 0, b"x");
    assert!(held() - room < 4 << 10, "{} for a piece", held() - room);
    let stats = victim.pair.ends[0].stats();
    assert_eq!(seen, (stats.dropped_out_of_window, stats.dropped_chunks));
    let most = held().max(most_of_steps(&mut victim)) - before;
    assert_bounded("what does not count beside what does", most, window, window);
}

/// Every list that does not count is as long as it can be, and grew so that it has the most room; what counts is full to the byte, and
/// the last piece makes room for more. Of what was sent before, SACKs wait.
pub(crate) fn what_does_not_count_is_what_was_reckoned(
    victim: fn(Config) -> Victim,
    window: usize,
) {
    let config = Config::default()
        .receive_window(window as u32)
        .initial_window_packets(20);
    let mut victim = victim(config.max_message_size(window / 4));
    send_much(&mut victim);
    let before = held();
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    let mut tsn = 0u32;
    keep_numbers(&mut victim, tsn, [254, 255].into_iter().chain(0..254));
    tsn += 256;
    let numbers = held() - before;
    assert!(
        numbers <= 257 << 10,
        "{numbers} for numbers and their table"
    );
    tsn = leave_room_in_other_lists(&mut victim, tsn);
    let room = held() - before - numbers;
    assert!(room < 4 << 10, "{room} for other lists");
    for _ in 0..1024 {
        victim.whole(tsn, Data::UNORDERED, (2, 0), b"x");
        tsn += 1;
    }
    for _ in 0..1023 {
        victim.pair.ends[0].read(2);
    }
    // Two that are performed and not asked for, one that waits.
    reset(&mut victim, (0, 0), 64_063..64_064);
    reset(&mut victim, (1, 0), 65_534..65_535);
    reset(&mut victim, (2, 60_000), 30_000..38_170);
    for range in 0..1024 {
        victim.whole(30_000 + 2 * range, Data::UNORDERED, (65_535, 0), b"x");
    }
    victim.answer();
    // What is read again, for the pieces of a message at the end, and what takes the rest.
    let spare = if victim.interleaving { 1222 } else { 464 };
    victim.whole(tsn, Data::UNORDERED, (4, 0), &vec![0; 33_256 + spare]);
    tsn += 1;
    tsn = fill(&mut victim, 1, tsn);
    for length in [256, 236] {
        victim.chunk(ChunkKind(0xc5), &vec![0; length - 4]);
    }
    for _ in 0..4 {
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 1096]);
        victim.say_init(&[0xf0, 1, 0, 4].repeat(64));
    }
    let most = 4096;
    victim.forward(tsn, (0..256).map(|it| (it + 5, 5)));
    victim.forward(tsn + 1, (0..most).map(|it| (it + 300, 5)));
    victim.pair.read_all(0, 4);
    let seen = dropped(&victim);
    for piece in 0..4 {
        let begin = if piece == 0 { Data::BEGIN } else { 0 };
        let length = if piece == 3 { 1 } else { 11_000 };
        victim.part(
            tsn + 2 + piece,
            begin,
            (7, 0),
            piece,
            &[0; 11_000][..length],
        );
    }
    for _ in 0..32 {
        victim.whole(0, 0, (3, 3), b"x");
    }
    let full = held();
    acknowledge_much(&mut victim);
    let sacks = held() - full;
    assert!(sacks > 16 << 10, "{sacks} of SACKs");
    let most = held() - before;
    assert_eq!((dropped(&victim), victim.is_alive()), (seen, true));
    assert_bounded("what does not count, as was reckoned", most, window, window);
}

/// The list of streams to announce keeps room, and so do trees that are empty, that of what was given up none. The next TSN.
fn leave_room_in_other_lists(victim: &mut Victim, mut tsn: u32) -> u32 {
    // One that waited and was handed out leaves trees that are empty.
    victim.whole(tsn, 0, (3, 3), b"x");
    victim.forward(tsn + 1, std::iter::once((3, 2)));
    tsn += 2;
    most_of_steps(victim);
    assert_eq!(victim.pair.read_all(0, 3).len(), 1);
    for stream in 1000..1520 {
        victim.whole(tsn, Data::UNORDERED, (stream, 0), b"x");
        tsn += 1;
    }
    victim.pair.main_events(0);
    for stream in 1000..1520 {
        victim.pair.read_all(0, stream);
    }
    if victim.interleaving {
        victim.whole(tsn, Data::UNORDERED, (2, 0), b"x");
        for message in 0..40 {
            victim.part(tsn + 1 + message, Data::BEGIN, (9, message as u16), 0, b"x");
        }
        tsn += 42;
        victim.forward(tsn - 1, std::iter::once((9, 40)));
        most_of_steps(victim);
        victim.pair.read_all(0, 2);
    }
    tsn
}

/// What is given up is dropped, of it the last in many steps; others take the room of the rest, few and long, to the byte. All that does
/// not count is as long as it can be.
pub(crate) fn what_is_dropped_last_keeps_little(window: usize) {
    // For how long a last message there is room.
    let (mut least, mut most) = (1, 60_000);
    while least + 1 < most {
        let length = (least + most) / 2;
        match is_dropping(window, length).1 {
            true => least = length,
            false => most = length,
        }
    }
    let most = is_dropping(window, least).0;
    assert_bounded("what is dropped last", most, window, window);
}

/// What is held with a last message of this length, and whether there was room for it.
fn is_dropping(window: usize, last: usize) -> (i64, bool) {
    let config = Config::default()
        .receive_window(window as u32)
        .initial_window_packets(20)
        .max_packet(1216)
        .max_message_size(window / 4);
    let mut victim = Victim::interleaving(config);
    send_much(&mut victim);
    let before = held();
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    let mut tsn = make_lists_long(&mut victim);
    // Many that are short, one in parts.
    for message in 0..27 {
        victim.part(tsn, Data::BEGIN, (9, 100 + message), 0, b"x");
        tsn += 1;
    }
    for piece in (1..=43).rev() {
        victim.part(tsn, 0, (9, 127), piece, b"x");
        tsn += 1;
    }
    for piece in 0..3 {
        let begin = if piece == 0 { Data::BEGIN } else { 0 };
        victim.part(tsn, begin, (7, 0), piece, &[0; 11_000]);
        tsn += 1;
    }
    let seen = dropped(&victim);
    while dropped(&victim) == seen {
        victim.whole(tsn, Data::UNORDERED, (2, 0), &[0; 60_000]);
        victim.answer();
        tsn += u32::from(dropped(&victim) == seen);
    }
    make_answers_wait(&mut victim);
    let (point, more) = (victim.tsn.advanced(tsn), victim.tsn.advanced(tsn + 1));
    victim.put(|buf| {
        let first = std::iter::once((9, false, Mid(127)));
        IForwardTsn::write(
            buf,
            point,
            first.chain((0..255).map(|it| (it + 10, false, Mid(5)))),
        );
        IForwardTsn::write(buf, more, (0..4096).map(|it| (it + 300, false, Mid(5))));
    });
    for _ in 0..2 {
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 1184]);
    }
    let seen = dropped(&victim);
    let first = victim.tsn.advanced(tsn + 2);
    victim.put(|buf| {
        let whole = |tsn, length| IData {
            flags: Data::BEGIN | Data::END | Data::UNORDERED,
            tsn,
            stream: 2,
            mid: Mid(0),
            ppid_or_fsn: 53,
            payload: &[0; 65_000][..length],
        };
        whole(first, 25_000).write(buf);
        whole(first.advanced(1), last).write(buf);
        let piece = IData {
            flags: 0,
            stream: 7,
            ppid_or_fsn: 3,
            ..whole(first.advanced(2), 1)
        };
        piece.write(buf);
    });
    let most = held() - before;
    (most, dropped(&victim) == seen)
}

/// Lists that do not count are as long as they can be. The next TSN.
fn make_lists_long(victim: &mut Victim) -> u32 {
    // Causes whose list has just grown.
    for length in std::iter::once(244).chain(std::iter::repeat_n(4, 32)) {
        victim.chunk(ChunkKind(0xc5), &vec![0; length - 4]);
    }
    victim.answer();
    let mut tsn = 0u32;
    keep_numbers(victim, tsn, [254, 255].into_iter().chain(0..254));
    tsn += 256;
    tsn = leave_room_in_other_lists(victim, tsn);
    for _ in 0..1024 {
        victim.whole(tsn, Data::UNORDERED, (2, 0), b"x");
        tsn += 1;
    }
    for _ in 0..1023 {
        victim.pair.ends[0].read(2);
    }
    reset(victim, (0, 0), 64_063..64_064);
    reset(victim, (1, 0), 65_534..65_535);
    reset(victim, (2, 60_000), 30_000..38_170);
    for range in 0..1024 {
        victim.whole(30_000 + 2 * range, Data::UNORDERED, (65_535, 0), b"x");
    }
    victim.answer();
    tsn
}

/// All but two of the answers that there can be wait, and SACKs do.
fn make_answers_wait(victim: &mut Victim) {
    acknowledge_much(victim);
    for _ in 0..4 {
        victim.say_init(&[0xf0, 1, 0, 4].repeat(64));
    }
    for _ in 0..4 {
        let request = Request::TsnReset { sequence: 7 };
        victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
    }
    for _ in 0..32 {
        victim.whole(0, 0, (3, 3), b"x");
    }
    for _ in 0..2 {
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 1184]);
    }
}
