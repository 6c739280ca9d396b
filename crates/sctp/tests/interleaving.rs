//! Messages of different streams piece by piece (RFC 8260).
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;
#[path = "support/victim.rs"]
mod victim;

use std::time::Duration;

use oxirtc_netsim::{Link, for_each_seed, mbps, percent};
use oxirtc_sctp::{
    Association, Config, Event, Failure, Mid, Reliability, SendOptions, Ssn, Tsn,
    packet::{
        Abort, CauseCode, Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Packet, Sack,
    },
};

use support::{Pair, Sides, ms, pattern};
use victim::{Victim, WHOLE};

/// Two ends that interleave, each if it is said so.
fn pair(seed: u64, link: Link, interleaving: [bool; 2]) -> Pair {
    let configs = interleaving.map(|it| Config::default().interleaving(it));
    let mut pair = support::interleaving_pair(seed, link, configs);
    pair.keep();
    pair.connected()
}

fn kinds(log: &[(usize, Vec<u8>)]) -> Vec<ChunkKind> {
    let packets = log
        .iter()
        .map(|(_, packet)| Packet::parse_unsummed(packet).unwrap());
    packets
        .flat_map(|packet| packet.chunks().map(|chunk| chunk.kind))
        .collect()
}

#[test]
fn messages_arrive_whole_and_in_order() {
    for_each_seed(30, |seed| {
        let link = Link::new(seed)
            .delay(ms(20))
            .loss(percent((seed % 3 * 5) as u32))
            .reorder(percent((seed % 2 * 10) as u32), ms(15));
        let mut pair = pair(seed, link, [true, true]);
        let sizes = [1, 100, 1079, 1080, 1081, 5000, 40_000];
        for (index, size) in (0..).zip(sizes.iter().cycle().take(60)) {
            pair.say(0, (index % 4) as u16, pattern(*size, index));
        }
        let mut got = vec![Vec::new(); 4];
        let done = pair.try_until(Duration::from_secs(600), |pair| {
            for (stream, got) in (0..).zip(&mut got) {
                got.extend(pair.read_all(1, stream));
            }
            pair.ends[0].total_unacknowledged() == 0
        });
        assert!(done, "seed {seed}: {:?}", pair.ends);
        for (stream, messages) in got.iter().enumerate() {
            assert_eq!(messages.len(), 15);
            for (turn, message) in messages.iter().enumerate() {
                let index = turn * 4 + stream;
                assert!(
                    message.payload == pattern(sizes[index % 7], index),
                    "seed {seed}"
                );
                assert_eq!(message.ppid, 53);
            }
        }
        let kinds = kinds(&pair.kept());
        assert!(kinds.contains(&ChunkKind::I_DATA) && !kinds.contains(&ChunkKind::DATA));
    });
}

/// Where many messages are a little longer than a packet, packets are full of their last pieces: none of those is too much work for the peer,
/// which the sender would take for loss.
#[test]
fn many_short_ends_in_a_packet_are_taken() {
    for (streams, length) in [(100, 1100), (200, 1090), (40, 2200)] {
        let link = Link::new(9).delay(ms(10)).rate(mbps(20)).queue(1 << 20);
        let mut pair = pair(1, link, [true, true]);
        for stream in 0..streams {
            pair.say(0, stream, vec![1; length]);
        }
        let mut read = 0;
        let done = pair.try_until(Duration::from_secs(10), |pair| {
            read += (0..streams)
                .map(|it| pair.read_all(1, it).len())
                .sum::<usize>();
            read == usize::from(streams)
        });
        assert!(done, "{streams} of {length}: {read}");
        let short = |packet: &[u8]| {
            let packet = Packet::parse_unsummed(packet).unwrap();
            let data = packet.chunks().filter(|it| it.kind == ChunkKind::I_DATA);
            data.filter(|it| it.flags & WHOLE == Data::END).count()
        };
        let most = pair.kept().iter().map(|(_, packet)| short(packet)).max();
        assert!(most.unwrap() > 15, "{streams} of {length}: {most:?}");
        let (sender, receiver) = (pair.ends[0].stats(), pair.ends[1].stats());
        let lost = (sender.retransmissions, sender.fast_recoveries);
        assert_eq!(
            (receiver.dropped_chunks, lost),
            (0, (0, 0)),
            "{streams} of {length}"
        );
    }
}

/// As long as a datagram of 1,200 bytes, and each chunk of it ends a message that has begun.
#[test]
fn a_packet_full_of_ends_is_taken_whole() {
    const ENDS: u16 = 49;
    for length in [1, 500, 1024] {
        let mut victim = Victim::interleaving(Config::default());
        for stream in 0..ENDS {
            let first = u32::from(2 * stream);
            victim.part(first, Data::BEGIN, (stream, 0), 0, &vec![7; length]);
            victim.part(first + 1, 0, (stream, 0), 1, &vec![7; length]);
        }
        let first = victim.tsn.advanced(2 * u32::from(ENDS));
        victim.put(|buf| {
            for stream in 0..ENDS {
                IData {
                    flags: Data::END,
                    tsn: first.advanced(stream.into()),
                    stream,
                    mid: Mid(0),
                    ppid_or_fsn: 2,
                    payload: b"x",
                }
                .write(buf);
            }
        });
        let mut read = (0..ENDS).map(|stream| victim.pair.read_all(0, stream));
        assert!(read.all(|it| it.len() == 1 && it[0].payload.len() == 2 * length + 1));
        assert_eq!(victim.pair.ends[0].stats().dropped_chunks, 0, "{length}");
    }
}

/// Where one end does not know of it all is as before.
#[test]
fn both_ends_have_to_know_it() {
    for interleaving in [[true, false], [false, true]] {
        let mut pair = pair(1, Link::new(1).delay(ms(10)), interleaving);
        pair.say(0, 1, pattern(5000, 1));
        pair.say(1, 1, pattern(5000, 2));
        pair.run_for(ms(500));
        assert_eq!(pair.read_all(0, 1).len() + pair.read_all(1, 1).len(), 2);
        let kinds = kinds(&pair.kept());
        assert!(kinds.contains(&ChunkKind::DATA) && !kinds.contains(&ChunkKind::I_DATA));
    }
}

/// What is given up is skipped, ordered and unordered, and the streams go on.
#[test]
fn what_is_given_up_is_skipped() {
    for_each_seed(30, |seed| {
        let (limit, ordered) = ((seed % 3) as u16, seed % 2 == 0);
        let mut pair = pair(
            seed,
            Link::new(seed).delay(ms(20)).loss(percent(20)),
            [true, true],
        );
        let options = SendOptions {
            ordered,
            reliability: Reliability::Retransmits(limit),
        };
        for index in 0..60 {
            let size = if index % 4 == 0 { 5000 } else { 300 };
            pair.say_with(0, (index % 3) as u16, pattern(size, index), options);
        }
        for stream in 0..3 {
            pair.say(0, stream, b"last");
        }
        let mut got = vec![Vec::new(); 3];
        let done = pair.try_until(Duration::from_secs(300), |pair| {
            for (stream, got) in (0..).zip(&mut got) {
                got.extend(pair.read_all(1, stream));
            }
            let last = |got: &Vec<oxirtc_sctp::Message>| got.iter().any(|m| m.payload == "last");
            pair.ends[0].total_unacknowledged() == 0 && got.iter().all(last)
        });
        assert!(done, "seed {seed}: {:?}", pair.ends);
        for (stream, messages) in got.iter().enumerate() {
            let mut next = stream;
            for message in messages.iter().filter(|message| message.payload != "last") {
                let all = (stream..60).step_by(3).filter(|i| !ordered || *i >= next);
                let found = all.into_iter().find(|i| {
                    let size = if i % 4 == 0 { 5000 } else { 300 };
                    message.payload == pattern(size, *i)
                });
                assert!(
                    found.is_some(),
                    "seed {seed}: not whole, twice or out of order"
                );
                next = found.unwrap() + 3;
            }
        }
        let stats = pair.ends[0].stats();
        let kinds = kinds(&pair.kept());
        let skips = kinds.contains(&ChunkKind::I_FORWARD_TSN);
        assert_eq!(skips, stats.abandoned_sent > 0, "seed {seed}");
        assert!(!kinds.contains(&ChunkKind::FORWARD_TSN));
    });
}

/// A large message never holds up a small one: it comes within a round trip, what stands in the queue and one piece.
#[test]
fn a_large_message_holds_up_nobody() {
    let link = Link::new(1).delay(ms(25));
    let mut pair = pair(1, link.rate(mbps(10)).queue(31_250), [true, true]);
    pair.sent = None;
    pair.ends[0].set_max_outgoing_message_size(64 << 20);
    let config = Config::default().max_message_size(64 << 20);
    pair.ends[1] = Association::new(config, [9; 32], pair.now).into();
    let config = Config::default().send_buffer(128 << 20);
    pair.ends[0] = Association::new(config, [8; 32], pair.now).into();
    let mut pair = pair.connected();
    pair.say(0, 1, vec![7; 64 << 20]);
    pair.run_for(Duration::from_secs(3));
    let mut waits = Vec::new();
    for index in 0..100 {
        pair.run_for(ms(70 + index % 7));
        let sent = pair.now;
        pair.say(0, 2, b"chat");
        let done = pair.try_until(Duration::from_secs(20), |pair| {
            pair.read_all(1, 2).len() == 1
        });
        assert!(done);
        waits.push(pair.now - sent);
    }
    waits.sort_unstable();
    println!(
        "chat beside 64 MiB: median {:?}, p99 {:?}",
        waits[50], waits[98]
    );
    assert!(waits[98] <= ms(100), "{waits:?}");
}

/// Weights are shares of bytes, whatever the sizes of messages.
#[test]
fn streams_share_by_weight() {
    let mut pair = pair(1, Link::new(1).delay(ms(10)), [true, true]);
    pair.ends[0].set_priority(2, 512);
    for stream in 0..3 {
        for _ in 0..3 {
            pair.say(0, stream, vec![1; 100_000 * usize::from(stream + 1)]);
        }
    }
    pair.run_for(Duration::from_secs(3));
    let mut bytes = [0; 3];
    for (side, packet) in pair.kept() {
        let packet = Packet::parse_unsummed(&packet).unwrap();
        for chunk in packet
            .chunks()
            .filter(|c| side == 0 && c.kind == ChunkKind::I_DATA)
        {
            let data = IData::parse(chunk).unwrap();
            if bytes.iter().sum::<usize>() < 400_000 {
                bytes[usize::from(data.stream)] += data.payload.len();
            }
        }
    }
    assert!(
        bytes[0].abs_diff(100_000) < 4000 && bytes[2].abs_diff(200_000) < 4000,
        "{bytes:?}"
    );
}

#[test]
fn streams_are_reset_and_used_again() {
    let mut pair = pair(1, Link::new(1).delay(ms(10)).loss(percent(5)), [true, true]);
    for life in 0..4u8 {
        for _ in 0..5 {
            pair.say(0, 7, vec![life; 3000]);
        }
        pair.ends[0].reset_streams(pair.now, &[7]).unwrap();
        let reset = Event::OutgoingReset { stream: 7 };
        let done = pair.try_until(Duration::from_secs(60), |pair| {
            pair.main_events(0).contains(&reset)
        });
        assert!(done);
        pair.run_for(ms(300));
        let messages = pair.read_all(1, 7);
        assert_eq!(messages.len(), 5);
        assert!(messages.iter().all(|message| message.payload[0] == life));
    }
}

/// RFC 8260 §2.2.2: the other kind of chunk breaks the association.
#[test]
fn the_other_kind_of_chunk_aborts() {
    type Write = fn(&mut Vec<u8>, Tsn);
    let data: Write = |buf, tsn| {
        let (flags, stream, ssn, ppid) = (3, 1, Ssn(0), 53);
        let payload = b"x";
        Data {
            flags,
            tsn,
            stream,
            ssn,
            ppid,
            payload,
        }
        .write(buf);
    };
    let i_data: Write = |buf, tsn| {
        let (flags, stream, mid, ppid_or_fsn) = (3, 1, Mid(0), 53);
        let payload = b"x";
        IData {
            flags,
            tsn,
            stream,
            mid,
            ppid_or_fsn,
            payload,
        }
        .write(buf);
    };
    let forward: Write = |buf, tsn| ForwardTsn::write(buf, tsn, std::iter::empty());
    let i_forward: Write = |buf, tsn| IForwardTsn::write(buf, tsn, std::iter::empty());
    for (interleaving, write, ends) in [
        (true, data, true),
        (true, forward, true),
        (true, i_data, false),
        (true, i_forward, false),
        // We offered it, the peer did not.
        (false, i_data, true),
        (false, i_forward, true),
        (false, data, false),
    ] {
        let mut pair = pair(1, Link::new(1).delay(ms(10)), [true, interleaving]);
        pair.say(1, 1, b"x");
        let packets = pair.take_packets(1);
        let packet = Packet::parse_unsummed(&packets[0]).unwrap();
        let first: Chunk<'_> = packet.chunks().next().unwrap();
        let tsn = Tsn(u32::from_be_bytes(*first.value.first_chunk().unwrap()));
        let mut buf = Vec::new();
        Packet::start(&mut buf, 5000, 5000, packet.tag);
        write(&mut buf, tsn);
        Packet::finish(&mut buf, 0);
        pair.ends[0].handle_packet(pair.now, &buf);
        let cause = Failure::ProtocolViolation;
        let failed = pair.main_events(0).contains(&Event::Failed { cause });
        assert_eq!(failed, ends, "interleaving: {interleaving}");
    }
}

/// A reader that stops finds whole messages when it goes on: a window never fills with parts of messages of which none
/// can be completed.
#[test]
fn a_window_does_not_fill_with_parts() {
    let mut pair = support::pair(1, Link::new(1).delay(ms(10)));
    for (side, window) in [4 << 20, 400 << 10].into_iter().enumerate() {
        let config = Config::default()
            .receive_window(window)
            .max_message_size(64 << 10);
        pair.ends[side] = Association::new(config, [side as u8; 32], pair.now).into();
    }
    let mut pair = pair.connected();
    for index in 0..3 {
        for stream in 0..40 {
            pair.say(0, stream, pattern(50_000, index));
        }
    }
    // Nobody reads for a while.
    pair.run_for(Duration::from_secs(20));
    let mut got = 0;
    let done = pair.try_until(Duration::from_secs(30), |pair| {
        for stream in 0..40 {
            got += pair.read_all(1, stream).len();
        }
        got == 120
    });
    assert!(done, "{got}: {:?}", pair.ends);
}

/// A peer that takes turns among so many messages of 256,000 bytes, a piece of each, as RFC 8260 §2.2 leaves it to it. It keeps to our
/// window, and sends a piece when nothing is under way whatever the window is (RFC 9260 §6.1 A). How many messages were read in the
/// end; the rounds it took; the chunks of the last answer.
fn takes_turns(victim: &mut Victim, messages: u32) -> (u32, u32, Vec<(ChunkKind, Vec<u8>)>) {
    const PIECE: u32 = 1000;
    const PIECES: u32 = 256;
    let (mut sent, mut acked, mut window) = (0, 0, 64 << 10);
    let (mut read, mut rounds) = (0, 0);
    while acked < messages * PIECES && rounds < 20_000 {
        rounds += 1;
        while sent < messages * PIECES && (sent == acked || (sent - acked + 1) * PIECE <= window) {
            let (message, fsn) = (sent % messages, sent / messages);
            let begin = if fsn == 0 { Data::BEGIN } else { 0 };
            let end = if fsn + 1 == PIECES { Data::END } else { 0 };
            let piece = IData {
                flags: begin | end | Data::IMMEDIATE,
                tsn: victim.tsn.advanced(sent),
                stream: 100 + message as u16,
                mid: Mid(0),
                ppid_or_fsn: if fsn == 0 { 53 } else { fsn },
                payload: &[message as u8; PIECE as usize],
            };
            victim.put(|buf| piece.write(buf));
            sent += 1;
        }
        let answer = victim.answer();
        for message in 0..messages {
            for got in victim.pair.read_all(0, 100 + message as u16) {
                assert!(got.payload == vec![message as u8; (PIECE * PIECES) as usize]);
                read += 1;
            }
        }
        if !victim.is_alive() {
            return (read, rounds, answer);
        }
        let sacks = answer.iter().filter(|(kind, _)| *kind == ChunkKind::SACK);
        for sack in sacks.filter_map(|(_, value)| Sack::parse(value)) {
            acked = sack.cumulative.next().distance(victim.tsn);
            window = sack.window;
        }
        // What did not come through is sent again.
        sent = acked;
    }
    (read, rounds, Vec::new())
}

/// Five megabytes have to come before the first of twenty messages is whole, at a window of four, and they come as fast as the
/// window lets them; beyond twice the window most of what is begun can never be, and the peer hears why it ends.
#[test]
fn a_peer_that_takes_turns_goes_on_within_twice_the_window() {
    for (messages, most) in [(1, 30), (20, 200), (25, 200), (31, 2000)] {
        let mut victim = Victim::interleaving(Config::default());
        let (read, rounds, _) = takes_turns(&mut victim, messages);
        assert_eq!(read, messages, "{rounds} rounds");
        assert!(rounds < most, "{messages}: {rounds} rounds");
    }
    for messages in [34, 1000] {
        let mut victim = Victim::interleaving(Config::default());
        let (read, _, answer) = takes_turns(&mut victim, messages);
        let cause = Failure::OutOfResource;
        assert_eq!((read, cause.cause_code()), (0, Some(4)));
        assert!(
            victim
                .pair
                .main_events(0)
                .contains(&Event::Failed { cause })
        );
        let [(ChunkKind::ABORT, value)] = &answer[..] else {
            panic!("{answer:?}");
        };
        let (kind, flags) = (ChunkKind::ABORT, 0);
        let mut causes = Abort::parse(Chunk { kind, flags, value }).causes;
        assert_eq!(causes.next().unwrap().code, CauseCode::OUT_OF_RESOURCE);
    }
}

/// As long as something can be read the peer waits for the reader.
#[test]
fn nobody_is_out_of_resource_while_there_is_something_to_read() {
    let mut victim = Victim::interleaving(Config::default());
    let whole = IData {
        flags: WHOLE,
        tsn: victim.tsn,
        stream: 7,
        mid: Mid(0),
        ppid_or_fsn: 53,
        payload: b"x",
    };
    victim.put(|buf| whole.write(buf));
    victim.tsn = victim.tsn.next();
    let (read, rounds, _) = takes_turns(&mut victim, 40);
    assert_eq!((read, rounds, victim.is_alive()), (0, 20_000, true));
    assert_eq!(victim.pair.read_all(0, 7).len(), 1);
    takes_turns(&mut victim, 40);
    assert!(!victim.is_alive());
}

/// However many streams wait with messages that may not begin yet, those that have begun fill the path, and each has its turn.
#[test]
fn many_large_messages_fill_a_path() {
    let took = |streams: u16| {
        let link = Link::new(1).delay(ms(10)).rate(mbps(8)).queue(50_000);
        let config = Config::default().receive_window(256 << 10);
        let configs = [Config::default(), config.max_message_size(64 << 10)];
        let mut pair = support::interleaving_pair(1, link, configs).connected();
        let (start, payload) = (pair.now, pattern(32 << 10, 1));
        for message in 0..150 {
            pair.say(0, message % streams, payload.clone());
        }
        let mut got = 0;
        let done = pair.try_until(Duration::from_secs(60), |pair| {
            let read = (0..streams).map(|stream| pair.read_all(1, stream).len());
            got += read.sum::<usize>();
            got == 150
        });
        assert!(done, "{got}: {:?}", pair.ends);
        pair.now - start
    };
    let (few, many) = (took(3), took(150));
    println!("150 messages on 3 streams: {few:?}, on 150: {many:?}");
    assert!(many <= few * 11 / 10, "{few:?}, {many:?}");
}

/// Two streams that always have something to say, and a reader slower than both: where there is room for a part of a message only, the one
/// that has to wait has the next turn, and not the one that has just had it.
#[test]
fn a_slow_reader_has_messages_of_both_streams() {
    for (lengths, least) in [
        ([16_000, 16_000], 150),
        ([60_000, 60_000], 150),
        ([3000, 16_000], 50),
    ] {
        let config = || Config::default().receive_window(1 << 20);
        let link = Link::new(1).delay(ms(5));
        let mut pair = support::interleaving_pair(1, link, [config(), config()]).connected();
        let mut read = [0, 0];
        for _ in 0..500 {
            for (stream, length) in lengths.into_iter().enumerate() {
                while pair.ends[0].unacknowledged(stream as u16) < 1 << 20 {
                    pair.say(0, stream as u16, vec![1; length]);
                }
            }
            pair.run_for(ms(30));
            for (stream, read) in read.iter_mut().enumerate() {
                match pair.ends[1].read(stream as u16) {
                    Some(_) => *read += 1,
                    None => pair.ends[1].rearm(stream as u16),
                }
            }
        }
        assert!(read.iter().all(|it| *it > least), "{lengths:?}: {read:?}");
    }
}

/// Streams that are new each time have their parts, and neither a chat message nor a longer one waits for all of them.
#[test]
fn new_streams_hold_up_nobody() {
    let link = Link::new(9).delay(ms(10)).rate(mbps(10)).queue(30_000);
    let mut pair = pair(1, link, [true, true]);
    pair.ends[0].set_priority(0, 1024);
    pair.ends[0].set_priority(1, 1024);
    let mut others = 2..2;
    let (mut chat, mut longest) = (None, Duration::ZERO);
    let (mut said, mut took) = (None, None);
    for tick in 0..5000 {
        while others.len() < 30 {
            pair.ends[0].set_priority(others.end, 128);
            pair.say(0, others.end, vec![1; 1000 - usize::from(others.end % 7)]);
            others.end += 1;
        }
        if tick % 200 == 100 && chat.is_none() {
            pair.say(0, 0, vec![2; 50]);
            chat = Some(pair.now);
        }
        if tick == 1000 {
            pair.say(0, 1, vec![3; 100_000]);
            said = Some(pair.now);
        }
        pair.run_for(ms(1));
        for stream in others.start.saturating_sub(1000).max(2)..others.end {
            pair.read_all(1, stream);
        }
        while !others.is_empty() && pair.ends[0].buffered_amount(others.start) == 0 {
            others.start += 1;
        }
        let now = pair.now;
        let waits = chat.map(|chat| now - chat).unwrap_or_default();
        longest = longest.max(waits);
        if !pair.read_all(1, 0).is_empty() {
            chat = None;
        }
        if !pair.read_all(1, 1).is_empty() {
            took = said.map(|said| now - said);
        }
    }
    println!("a chat message: {longest:?} at most; 100,000 bytes: {took:?}");
    assert!(longest < ms(60), "{longest:?}");
    // 0.4 s would be fair.
    assert!(took.is_some_and(|took| took < ms(600)), "{took:?}");
}
