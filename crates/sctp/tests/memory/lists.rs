//! Lists that grow, are read, and are freed in steps.

use oxirtc_sctp::{
    Config, Mid,
    packet::{Data, IData},
};

use crate::{
    WINDOW, assert_bounded, fill, held, keep_numbers, most_of_steps, reset,
    support::Sides as _,
    victim::{Victim, WHOLE},
};

/// Many streams that were long hold one message each, as another was longer then; the numbers of all are kept; and then pieces fill
/// what is left.
pub(crate) fn room_that_was_left_counts() {
    let config = Config::default().receive_window(WINDOW as u32);
    let mut victim = Victim::interleaving(config.max_message_size(WINDOW / 4));
    let before = held();
    let mut tsn = 0;
    let mut whole = |victim: &mut Victim, flags: u8, stream: u16| {
        let data = IData {
            flags: WHOLE | flags,
            tsn: victim.tsn.advanced(tsn),
            stream,
            mid: Mid(0),
            ppid_or_fsn: 53,
            payload: b"x",
        };
        victim.put(|buf| data.write(buf));
        tsn += 1;
    };
    for page in 0..255 {
        whole(&mut victim, 0, 255 + 256 * page);
        victim.pair.read_all(0, 255 + 256 * page);
    }
    for _ in 0..10_300 {
        whole(&mut victim, Data::UNORDERED, 1);
    }
    for stream in 2..200 {
        for _ in 0..129 {
            whole(&mut victim, Data::UNORDERED, stream);
        }
        victim.answer();
        for _ in 0..128 {
            victim.pair.ends[0].read(stream);
        }
    }
    victim.pair.read_all(0, 1);
    for index in 0..300 {
        victim.piece(tsn + index, (index as u16, 1 + index), 0, &[0; 8000]);
    }
    assert_bounded("room that was left", held() - before, WINDOW, WINDOW);
}

/// A message waits on each of very many streams, and then the peer gives up what they wait for.
pub(crate) fn what_waits_has_room_to_be_handed_out(victim: fn(Config) -> Victim) {
    let config = Config::default().receive_window(WINDOW as u32);
    let mut victim = victim(config.max_message_size(WINDOW / 4));
    let (before, mut most) = (held(), 0);
    for stream in 0..20_000 {
        victim.whole(stream.into(), 0, (stream, 1), b"x");
    }
    for point in 0..100u16 {
        let streams = 200 * point..200 * (point + 1);
        victim.forward(20_000 + u32::from(point), streams.map(|it| (it, 0)));
        most = most.max(most_of_steps(&mut victim) - before);
    }
    assert_bounded("what was handed out", most, WINDOW / 2, WINDOW);
}

/// Neither does the list of very many messages, nor that of what is to be freed.
pub(crate) fn what_was_given_up_leaves_no_room() {
    let config = Config::default().receive_window(WINDOW as u32);
    let mut victim = Victim::interleaving(config.max_message_size(WINDOW / 4));
    let before = held();
    // As long as there is something to read nothing is stuck.
    victim.whole(0, 0, (0, 0), b"x");
    for message in 0..3000 {
        victim.piece(1 + message, (1, message), 0, b"x");
    }
    let full = held() - before;
    assert!(full > WINDOW as i64 / 10 * 9, "{full}");
    victim.forward(3001, std::iter::once((1, 3000)));
    most_of_steps(&mut victim);
    victim.forward(3002, (0..2000).map(|it| (it, 0)));
    most_of_steps(&mut victim);
    let left = held() - before;
    println!("what was given up: {full}, then {left}");
    assert!(left < 16 << 10, "{left}");
}

/// The bytes of a message come one by one, the last first, and then it is given up: while they are freed in steps, other messages
/// take their room.
pub(crate) fn what_is_freed_counts_to_the_last(victim: fn(Config) -> Victim, window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = victim(config.max_message_size(window / 4));
    let before = held();
    keep_numbers(&mut victim, 0, 0..256);
    // While there is something to read nothing is stuck.
    victim.whole(256, Data::UNORDERED, (2, 0), b"x");
    // Their list has just grown to twice as many.
    let parts = (window as u32 / 4 - 1030) / 1030;
    for number in (1..=parts).rev() {
        // Too long to be made one part with the next.
        victim.part(257 + number, 0, (1, 0), number, &[0; 1030]);
    }
    let mut next = 257 + parts + 1;
    victim.forward(next, std::iter::once((1, 0)));
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    assert_eq!(dropped(&victim), 0);
    let mut most = 0;
    for _ in 0..window / 2048 {
        let seen = dropped(&victim);
        for length in [16_000, 1000] {
            victim.whole(next + 1, Data::UNORDERED, (3, 0), &[0; 16_000][..length]);
        }
        next += u32::from(dropped(&victim) < seen + 2);
        most = most.max(held() - before);
    }
    assert_bounded(
        "what others take while parts are freed",
        most,
        window,
        window,
    );
}

/// Messages that nobody reads and resets take turns on streams until what counts is full, and one more reset of all of them makes their
/// lists grow.
pub(crate) fn resets_between_messages_take_no_room(victim: fn(Config) -> Victim, window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = victim(config.max_message_size(window / 4));
    let before = held();
    let mut tsn = 0;
    keep_numbers(&mut victim, tsn, 0..256);
    tsn += 256;
    let full = match victim.interleaving {
        true => 2 * window - (152 << 10),
        false => window / 8 * 11,
    };
    // A list of 256 has 129 messages then, and each costs 129 bytes, the stream 384.
    let streams = 1..(full / (129 * 129 + 384 + 1)) as u16;
    for round in 0..129 {
        for stream in streams.clone() {
            victim.whole(tsn, Data::UNORDERED, (stream, 0), b"x");
            tsn += 1;
        }
        victim.answer();
        if round > 0 {
            reset(&mut victim, (round - 1, tsn - 1), streams.clone());
            most_of_steps(&mut victim);
        }
    }
    let stats = victim.pair.ends[0].stats();
    assert_eq!((stats.dropped_out_of_window, victim.is_alive()), (0, true));
    let most = held() - before;
    assert_bounded("messages and resets in turns", most, window / 3, window);
}

/// Of many streams each has a list that is full, of messages in parts, and one message waits on each; what others were given up for
/// makes all the lists grow, when what counts is full, and as much room as does not count is that of a list that was read.
pub(crate) fn lists_that_grow_when_all_is_full_are_reckoned_for(window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = Victim::interleaving(config.max_message_size(window / 4));
    let before = held();
    keep_numbers(&mut victim, 0, 0..256);
    let mut tsn = 256;
    let mut next = || {
        tsn += 1;
        tsn - 1
    };
    let streams = 1..(window / 58_000) as u16;
    for stream in streams.clone() {
        for message in 0..256 {
            victim.part(
                next(),
                Data::UNORDERED | Data::END,
                (stream, message),
                1,
                b"x",
            );
            victim.part(
                next(),
                Data::UNORDERED | Data::BEGIN,
                (stream, message),
                0,
                b"x",
            );
        }
        victim.whole(next(), 0, (stream, 1), b"x");
        victim.answer();
    }
    let read = 256 * streams.len() + 1024;
    for _ in 0..read {
        victim.whole(next(), Data::UNORDERED, (300, 0), b"x");
    }
    victim.answer();
    for _ in 1..read {
        victim.pair.ends[0].read(300);
    }
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    assert_eq!(dropped(&victim), 0);
    let at = fill(&mut victim, 301, next());
    reset(&mut victim, (0, 90_000), 30_000..38_170);
    for range in 0..1024 {
        let offset = at + 100 + 2 * range;
        victim.whole(offset, Data::UNORDERED, (65_535, 0), b"x");
    }
    victim.answer();
    let full = held() - before;
    victim.forward(at, streams.map(|stream| (stream, 0)));
    let most = most_of_steps(&mut victim) - before;
    assert!(victim.is_alive());
    println!("lists that grow when all is full: {full} before");
    assert_bounded("lists that grow when all is full", most, window, window);
}

/// On one stream after another messages fill what counts, and all but a few of them are read: the lists of their blocks were long. Then
/// one message takes what counts, and all that does not count is full.
pub(crate) fn lists_of_few_blocks_are_short(window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = Victim::interleaving(config.max_message_size(window / 4));
    let before = held();
    let mut tsn = 0;
    keep_numbers(&mut victim, tsn, 0..256);
    tsn += 256;
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    // With each there is as much room as is kept of three blocks, one of them used before.
    for (stream, kept) in [(1, 256), (2, 768), (3, 768)] {
        let (seen, first) = (dropped(&victim), tsn);
        while dropped(&victim) == seen {
            victim.whole(tsn, Data::UNORDERED, (stream, 0), b"x");
            tsn += 1;
            if tsn.is_multiple_of(1024) {
                victim.answer();
            }
        }
        tsn -= 1;
        for _ in first + kept..tsn {
            victim.pair.ends[0].read(stream);
        }
        victim.answer();
    }
    fill_all(&mut victim, window, tsn);
    let most = held() - before;
    assert!(victim.is_alive());
    assert_bounded("lists of blocks that were many", most, window, window);
}

/// On one stream after another many messages come and are read, while so many wait that the room for them is kept: what is left of each
/// is lists of blocks with a block or two. Then those that wait are read, and messages take all that counts.
pub(crate) fn lists_of_blocks_count(window: usize) {
    let config = Config::default().receive_window(window as u32);
    let mut victim = Victim::interleaving(config.max_message_size(window / 4));
    let before = held();
    let mut tsn = 0;
    keep_numbers(&mut victim, tsn, 0..256);
    tsn += 256;
    let mut whole = |victim: &mut Victim, stream: u16, count: u32| {
        for message in 0..count {
            victim.whole(tsn, Data::UNORDERED, (stream, 0), b"x");
            tsn += 1;
            if message % 1024 == 0 {
                victim.answer();
            }
        }
        tsn
    };
    // While there is something to read nothing is stuck.
    whole(&mut victim, 1, 1);
    whole(&mut victim, 2, 1024);
    let many = 16 * 512;
    let streams = ((2 * window - (152 << 10)) / 129 - many - 1024) / (1536 + 4);
    for stream in 10..10 + streams as u16 {
        whole(&mut victim, stream, many as u32);
        for _ in 0..many {
            victim.pair.ends[0].read(stream);
        }
        whole(&mut victim, 2, 1536);
    }
    let next = whole(&mut victim, 2, 1);
    victim.pair.main_events(0);
    victim.pair.read_all(0, 2);
    let stats = victim.pair.ends[0].stats();
    assert_eq!((stats.dropped_out_of_window, victim.is_alive()), (0, true));
    fill_all(&mut victim, window, next);
    let most = held() - before;
    assert!(victim.is_alive());
    assert_bounded("lists of blocks on many streams", most, window, window);
}

/// Pieces of long messages, of which little is lost to what each costs, fill what counts, and all that does not count is full.
fn fill_all(victim: &mut Victim, window: usize, mut tsn: u32) {
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    let pieces = (window / 4 / 60_000) as u32;
    let (mut length, mut number) = (60_000, 0);
    while length > 0 {
        let seen = dropped(victim);
        let lane = (50_000 + (number / pieces) as u16, 0);
        victim.piece(tsn, lane, number % pieces, &vec![0; length]);
        victim.answer();
        if dropped(victim) == seen {
            (tsn, number) = (tsn + 1, number + 1);
            assert!(victim.is_alive());
        } else {
            length /= 2;
        }
    }
    tsn = fill(victim, 301, tsn);
    reset(victim, (0, 0), 64_063..64_064);
    reset(victim, (1, 0), 65_534..65_535);
    reset(victim, (2, tsn + 60_000), 30_000..38_170);
    for range in 0..1024 {
        let offset = tsn + 100 + 2 * range;
        victim.whole(offset, Data::UNORDERED, (65_535, 0), b"x");
    }
    victim.answer();
    victim.forward(tsn, (0..256).map(|it| (it + 5, 5)));
    victim.forward(tsn + 1, (0..4096).map(|it| (it + 300, 5)));
}
