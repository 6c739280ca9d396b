//! Packets of one kind, without end (known failures 29, 30 and 31).

use oxirtc_sctp::{
    Config, Event, Failure, Mid, Ssn, Tsn,
    packet::{Chunk, ChunkKind, Data, ForwardTsn, IForwardTsn, Init, Packet, Reconfig, Request},
};

use crate::{
    WINDOW, assert_bounded, held,
    support::{self, Sides as _},
    victim::{Victim, WHOLE},
};

const CHUNKS: u32 = 70_000;

/// One packet of an attack, by its number.
type Attack = fn(&mut Victim, u32);

/// What a peer may send without end.
pub(crate) fn stay_bounded() {
    floods_before_an_association_leave_nothing();
    for (name, least, attack) in attacks() {
        stays_bounded((Victim::new, false), WINDOW, name, least, attack);
    }
    for (name, least, attack) in interleaved() {
        let interleaving = (Victim::interleaving as fn(Config) -> Victim, false);
        stays_bounded(interleaving, WINDOW, name, least, attack);
    }
    for (name, least, attack) in in_order() {
        let interleaving = (Victim::interleaving as fn(Config) -> Victim, true);
        stays_bounded(interleaving, WINDOW, name, least, attack);
    }
    let read = "streams that are read but for the last message";
    stays_bounded((Victim::new, false), WINDOW, read, WINDOW / 2, |v, i| {
        let stream = (i / 1000) as u16;
        v.data(i, WHOLE | Data::UNORDERED, (stream, 0), &[0; 800]);
        if i % 1000 == 999 {
            for _ in 0..999 {
                v.pair.ends[0].read(stream);
            }
        }
    });
    // TSNs alone bound how many parts there are where the window is wide.
    let narrow = "pieces of messages, the last first, in a narrow window";
    stays_bounded(
        (Victim::new, false),
        WINDOW / 4,
        narrow,
        WINDOW / 16,
        |v, i| {
            long_piece(v, i);
        },
    );
}

/// One of 50 of a message, the last first, too long to be made one part with the next.
fn long_piece(v: &mut Victim, i: u32) {
    let (message, number) = (i / 50, i % 50_000);
    let before = number + number / 50;
    v.data(60_000 - before, 0, (message as u16, 0), &[0; 1030]);
}

/// `ends` is whether nothing can ever go on, and we say so.
fn stays_bounded(
    (victim, ends): (fn(Config) -> Victim, bool),
    window: usize,
    name: &str,
    least: usize,
    attack: Attack,
) {
    let config = Config::default().receive_window(window as u32);
    // A window is never less than a message.
    let mut victim = victim(config.max_message_size(window / 4));
    let (before, mut most) = (held(), 0);
    let mut gave_up = false;
    for index in 0..CHUNKS {
        attack(&mut victim, index);
        if index % 64 == 0 {
            victim.answer();
            let cause = Failure::OutOfResource;
            gave_up |= victim
                .pair
                .main_events(0)
                .contains(&Event::Failed { cause });
            most = most.max(held() - before);
        }
    }
    assert_eq!((gave_up, victim.is_alive()), (ends, !ends), "{name}");
    assert_bounded(name, most, least, window);
    assert!(least > 0 || most <= 128 << 10, "{name}: {most}");
}

/// Neither INIT nor a bad COOKIE ECHO leaves anything, and the second has no answer.
fn floods_before_an_association_leave_nothing() {
    let now = oxirtc_netsim::epoch();
    let mut side = support::association(Config::default(), 1, now);
    let mut packet = Vec::with_capacity(200);
    let mut answer = Vec::with_capacity(1200);
    let mut before = 0;
    for round in 0..50_000u32 {
        let init = Init {
            tag: round + 1,
            window: 100_000,
            outbound: 1,
            inbound: 1,
            initial_tsn: Tsn(round),
            parameters: &[],
        };
        packet.clear();
        Packet::start(&mut packet, 5000, 5000, 0);
        init.write(ChunkKind::INIT, &mut packet);
        Packet::finish(&mut packet, 0);
        side.handle_packet(now, &packet);
        answer.clear();
        assert!(side.poll_transmit(now, 1200, &mut answer));
        assert!(!side.poll_transmit(now, 1200, &mut answer));
        packet.clear();
        Packet::start(&mut packet, 5000, 5000, round);
        let (kind, flags, value) = (ChunkKind::COOKIE_ECHO, 0, &[round as u8; 76]);
        Chunk { kind, flags, value }.write(&mut packet);
        Packet::finish(&mut packet, 0);
        side.handle_packet(now, &packet);
        assert!(!side.poll_transmit(now, 1200, &mut answer));
        if round == 10_000 {
            before = held();
        }
    }
    // The harness's own thread may still take a little; of the packets none may leave one byte.
    let more = held() - before;
    assert!(more < 10_000, "{more} bytes more");
}

/// What each is called, the least that it must make an association hold, and its packets.
fn attacks() -> [(&'static str, usize, Attack); 10] {
    [
        ("gaps only", WINDOW / 2, |v, i| {
            let flags = WHOLE | Data::UNORDERED;
            v.data(1 + 2 * i % 65_000, flags, (1, 0), &[0; 1000])
        }),
        ("one byte on every stream", WINDOW / 2, |v, i| {
            v.data(i, WHOLE | Data::UNORDERED, ((i % 65_000) as u16, 0), b"x");
        }),
        (
            "ordered messages whose turn never comes",
            WINDOW / 5,
            |v, i| {
                v.data(
                    i,
                    WHOLE,
                    ((i % 65_000) as u16, (i % 30_000) as u16 + 1),
                    b"x",
                );
            },
        ),
        ("beginnings without an end", WINDOW / 2, |v, i| {
            v.data(1 + 2 * i % 65_000, Data::BEGIN, (i as u16, 0), &[0; 1000])
        }),
        ("ends without a beginning", WINDOW / 2, |v, i| {
            let flags = if i % 200 == 0 { Data::END } else { 0 };
            v.data(
                1 + i % 65_000,
                flags,
                ((i.div_ceil(200)) as u16, 0),
                &[0; 1000],
            );
        }),
        ("ends of a byte without a beginning", WINDOW / 2, |v, i| {
            v.data(1 + i % 65_000, Data::END, (i as u16, 0), b"x");
        }),
        ("pieces of messages, the last first", WINDOW / 2, |v, i| {
            long_piece(v, i);
        }),
        ("large messages that nobody reads", WINDOW / 2, |v, i| {
            let flags = [Data::BEGIN, 0, 0, Data::END][i as usize % 4];
            v.data(i, flags, (1, (i / 4) as u16), &[0; 1000]);
        }),
        // Known failure 29: FORWARD TSN without end.
        (
            "messages that others were given up for",
            WINDOW / 5,
            |v, i| {
                let tsn = v.tsn.advanced(2 * i);
                v.put(|buf| ForwardTsn::write(buf, tsn, [(i as u16, Ssn(i as u16))].into_iter()));
                v.data(
                    2 * i + 1,
                    WHOLE,
                    (i as u16, (i as u16).wrapping_add(5)),
                    &[0; 100],
                );
            },
        ),
        // What follows a reset waits for it at the sender.
        ("a deferred reset", 0, |v, i| {
            let (sequence, far) = (v.tsn.0.wrapping_sub(1), v.tsn.advanced(60_000));
            if i == 0 {
                let request = Request::OutgoingReset {
                    sequence,
                    response_sequence: 0,
                    last_tsn: far,
                    streams: &[],
                };
                v.put(|buf| Reconfig::write(buf, std::iter::once(request)));
            }
            v.data(60_001 + i % 5000, WHOLE, (i as u16, 0), &[0; 1000]);
        }),
    ]
}

/// The same of a peer that interleaves.
fn interleaved() -> [(&'static str, usize, Attack); 3] {
    [
        ("pieces of as many messages", WINDOW / 2, |v, i| {
            v.piece(1 + i % 65_000, (1, i), 7, b"x");
        }),
        ("large pieces of as many messages", WINDOW / 2, |v, i| {
            v.piece(1 + i % 65_000, (i as u16, i), 7, &[0; 1000]);
        }),
        (
            "pieces of a message, each beyond a gap",
            WINDOW / 2,
            |v, i| {
                v.piece(1 + i % 65_000, (1, 5), 2 * i + 1, b"x");
            },
        ),
    ]
}

/// Of one that interleaves, in the order of its TSNs: they are taken up to the bound, and then nothing can be.
fn in_order() -> [(&'static str, usize, Attack); 3] {
    [
        ("beginnings without an end", WINDOW, |v, i| {
            v.piece(i, ((i % 65_000) as u16, i), 0, &[0; 1000]);
        }),
        // What is reserved for pieces that never come counts.
        ("beginnings that have just grown", WINDOW, |v, i| {
            let (message, number) = (i / 2, i % 2);
            let payload: &[u8] = if number == 0 { &[0; 16_000] } else { b"x" };
            v.piece(i, (message as u16, message), number, payload);
        }),
        (
            "messages that others were given up for",
            WINDOW / 5,
            |v, i| {
                let tsn = v.tsn.advanced(2 * i);
                let stream = i as u16;
                v.put(|buf| IForwardTsn::write(buf, tsn, [(stream, false, Mid(i))].into_iter()));
                v.piece(2 * i + 1, (stream, i + 5), 0, &[0; 100]);
            },
        ),
    ]
}
