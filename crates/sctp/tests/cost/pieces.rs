//! Pieces of messages.

use oxirtc_sctp::{
    Mid, Tsn,
    packet::{Data, IData, IForwardTsn},
};

use crate::{
    Attack, TINY, data, list, reset,
    victim::{Victim, WHOLE},
};

pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = beyond_gaps();
    all.extend(growing());
    all.extend(ending());
    all.extend(without_beginning());
    all.extend(interleaved());
    all
}

/// A byte for each of as many long messages as a packet has room for, where none has room reserved for it.
fn growing() -> Vec<Attack> {
    let attacks = [
        Attack {
            victim: Victim::interleaving,
            ..Attack::beside(
                "pieces of as many long messages, I-DATA",
                30,
                |v, state| {
                    for number in 0..LONG {
                        for lane in 0..state as u16 {
                            let offset = v.sent;
                            v.piece(offset, (lane, 0), number, &[7; 8 << 10]);
                            v.sent += 1;
                        }
                    }
                },
                |v, buf, _| {
                    for lane in 0..(v.sent / LONG).min(TINY) {
                        let tsn = v.tsn.advanced(v.sent + lane);
                        piece(buf, tsn, (lane as u16, 0), LONG);
                    }
                },
            )
        },
        Attack::beside(
            "pieces of as many long messages",
            30,
            |v, state| {
                v.sent = state as u32;
                for number in 0..LONG {
                    for run in 0..v.sent {
                        let begin = if number == 0 { Data::BEGIN } else { 0 };
                        let offset = 1 + run * 2 * LONG + number;
                        v.data(offset, begin, (run as u16, 0), &[7; 8 << 10]);
                    }
                }
            },
            |v, buf, _| {
                for run in 0..v.sent.min(TINY) {
                    let tsn = v.tsn.advanced(1 + run * 2 * LONG + LONG);
                    data(buf, tsn, 0, (run as u16, 0), b"x");
                }
            },
        ),
    ];
    let long = |attack: Attack| Attack {
        longest: 2000,
        ..attack.once()
    };
    attacks.map(long).into()
}

/// How many pieces they have, of 8 KiB.
const LONG: u32 = 9;

/// The last piece of each of as many messages as a packet has room for, far apart in memory and on streams of which nothing is known: of
/// messages of which little is copied for that, as much as can be, and nothing.
fn ending() -> Vec<Attack> {
    type Prepare = fn(&mut Victim, usize);
    let attack = |name, victim, (state, packets), prepare: Prepare| Attack {
        victim,
        packets,
        ..Attack::beside(name, state, prepare, ends)
    };
    let pieces = |name, prepare| attack(name, Victim::interleaving, (300, 5), prepare);
    // Between so many gaps there are no more.
    let runs = |name, prepare| attack(name, Victim::new, (50, 1), prepare);
    vec![
        pieces("ends of as many short messages, I-DATA", |v, state| {
            begun(v, state, 20)
        }),
        pieces("ends of messages that are copied, I-DATA", |v, state| {
            begun(v, state, 1023)
        }),
        pieces("ends of messages that are not, I-DATA", |v, state| {
            begun(v, state, 1024)
        }),
        runs("ends of as many short messages", |v, state| {
            begun(v, state, 20)
        }),
        runs("ends of messages that are copied", |v, state| {
            begun(v, state, 1023)
        }),
        runs("ends of messages that are not", |v, state| {
            begun(v, state, 1024)
        }),
    ]
}

/// So many messages have begun, each with two pieces of this length.
fn begun(victim: &mut Victim, state: usize, length: usize) {
    victim.sent = state as u32;
    for message in 0..victim.sent {
        let first = if victim.interleaving {
            2 * message
        } else {
            4 * message + 1
        };
        let (place, payload) = ((far_apart(message), 0), vec![7; length]);
        victim.part(first, Data::BEGIN, place, 0, &payload);
        victim.part(first + 1, 0, place, 1, &payload);
    }
}

/// A byte ends each of as many of them as a packet has room for, beyond gaps.
fn ends(v: &Victim, buf: &mut Vec<u8>, number: u32) {
    for end in number * ENDS..(number + 1) * ENDS {
        let message = end * 7919 % v.sent;
        let stream = far_apart(message);
        if !v.interleaving {
            let tsn = v.tsn.advanced(4 * message + 3);
            data(buf, tsn, Data::END, (stream, 0), b"x");
            continue;
        }
        IData {
            flags: Data::END,
            tsn: v.tsn.advanced(2 * v.sent + 2 * end + 1),
            stream,
            mid: Mid(0),
            ppid_or_fsn: 2,
            payload: b"x",
        }
        .write(buf);
    }
}

fn far_apart(message: u32) -> u16 {
    (message * 40_503 % 65_521) as u16
}

/// Last pieces of I-DATA, of a byte each, as many as fit a packet.
const ENDS: u32 = 49;

fn beyond_gaps() -> Vec<Attack> {
    vec![
        Attack::beside(
            "pieces of one byte, each beyond a gap, the last first",
            90,
            |v, state| {
                for offset in 0..state as u32 {
                    v.data(60_000 - 2 * offset, 0, (1, 0), b"x");
                }
            },
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 30_000 - 2 * (number * TINY + chunk);
                    data(buf, v.tsn.advanced(offset), 0, (1, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "pieces that join runs in the middle",
            90,
            |v, state| {
                for offset in 0..state as u32 {
                    v.data(10 + 2 * offset, 0, (1, 0), b"x");
                }
            },
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 11 + 2 * (number * 31 + chunk * 7 % TINY);
                    data(buf, v.tsn.advanced(offset), 0, (1, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "pieces that join runs of very many",
            6000,
            runs_of_parts,
            |v, buf, _| join_all(v, buf),
        )
        .once(),
    ]
}

/// So many pieces of one byte in `RUNS` runs, each of which came in the wrong order. Between two of them a piece is missing.
fn runs_of_parts(v: &mut Victim, state: usize) {
    let length = state as u32 / RUNS;
    v.sent = length + 1;
    for run in 0..RUNS {
        parts(v, 1 + run * v.sent, length);
    }
}

/// What is missing between them: first each two runs join, then each two of what has become of those, and so on.
fn join_all(v: &Victim, buf: &mut Vec<u8>) {
    let strides = std::iter::successors(Some(1), |it| Some(2 * it));
    for stride in strides.take_while(|it| *it < RUNS) {
        for run in (stride..RUNS).step_by(2 * stride as usize) {
            data(buf, v.tsn.advanced(run * v.sent), 0, (1, 0), b"x");
        }
    }
}

const RUNS: u32 = 59;

/// Pieces of messages that can never be whole.
fn without_beginning() -> Vec<Attack> {
    vec![
        Attack::beside(
            "ends without a beginning between others",
            1200,
            |v, state| {
                let half = state as u32 / 2;
                for offset in (1..half).chain(30_000..30_000 + half) {
                    v.data(offset, Data::END, (1, 0), b"x");
                }
            },
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 29_999 - (number * TINY + chunk);
                    data(buf, v.tsn.advanced(offset), Data::END, (1, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "the chunk before many ends without a beginning",
            1600,
            |v, state| {
                for offset in 1..state as u32 {
                    v.data(offset, Data::END, (1, 0), b"x");
                }
            },
            |v, buf, _| data(buf, v.tsn, WHOLE, (2, 0), b"x"),
        )
        .once(),
        Attack::beside(
            "the chunk before a message of many parts without a beginning",
            1600,
            |v, state| {
                parts(v, 1, state as u32);
            },
            |v, buf, _| data(buf, v.tsn, WHOLE, (2, 0), b"x"),
        )
        .once(),
        Attack::beside(
            "a beginning behind a message of many parts without an end",
            1600,
            |v, state| {
                parts(v, 1, state as u32);
                v.data(0, Data::BEGIN, (1, 0), b"x");
            },
            |v, buf, _| {
                // Whichever it is, one stands behind the last part.
                for state in [1600, 16_000] {
                    let behind = v.tsn.advanced(1 + state);
                    data(buf, behind, Data::BEGIN, (1, 1), b"x");
                }
            },
        )
        .once(),
    ]
}

/// So many pieces of one byte from an offset on, each a part by itself as they come in the wrong order.
fn parts(victim: &mut Victim, from: u32, count: u32) {
    for offset in (from..from + count).rev() {
        victim.data(offset, 0, (1, 0), b"x");
    }
}

fn interleaved() -> Vec<Attack> {
    let all = [
        Attack::beside(
            "pieces of as many messages, I-DATA",
            300,
            lanes,
            |v, buf, number| {
                for chunk in 0..SHORT {
                    let message = 5000 + number * SHORT + chunk;
                    piece(buf, v.tsn.advanced(message), (1, message), 7);
                }
            },
        ),
        Attack::beside(
            "pieces of one message, the last first, I-DATA",
            300,
            lanes,
            |v, buf, number| {
                for chunk in 0..SHORT {
                    let fsn = 30_000 - 2 * (number * SHORT + chunk);
                    piece(buf, v.tsn.advanced(30_000 + fsn), (1, 70_000), fsn);
                }
            },
        ),
        Attack {
            steps: true,
            ..Attack::beside(
                "I-FORWARD-TSN over many messages",
                450,
                lanes,
                |v, buf, number| {
                    let tsn = v.tsn.advanced(20_000 + number);
                    let messages = (0..130u16).map(|it| (it, false, Mid(number)));
                    IForwardTsn::write(buf, tsn, messages);
                },
            )
        },
        Attack::beside(
            "streams with pieces reset, I-DATA",
            450,
            lanes,
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &list());
            },
        ),
    ];
    let all = all.into_iter().chain(given_up());
    let interleaving = |attack| Attack {
        victim: Victim::interleaving,
        ..attack
    };
    all.map(interleaving).collect()
}

fn given_up() -> [Attack; 2] {
    [
        Attack::beside(
            "the messages of one stream given up, I-FORWARD-TSN",
            400,
            |v, state| {
                for message in 0..state as u32 {
                    let tsn = v.tsn.advanced(message);
                    v.put(|buf| piece(buf, tsn, (1, message), 7));
                }
            },
            |v, buf, _| {
                let messages = std::iter::once((1, false, Mid(60_000)));
                IForwardTsn::write(buf, v.tsn.advanced(50_000), messages);
            },
        )
        .once(),
        Attack::beside(
            "a message of many pieces given up, I-FORWARD-TSN",
            1600,
            |v, state| {
                for fsn in 1..state as u32 {
                    let tsn = v.tsn.advanced(fsn);
                    v.put(|buf| piece(buf, tsn, (1, 0), 2 * fsn));
                }
            },
            |v, buf, _| {
                let messages = std::iter::once((1, false, Mid(0)));
                IForwardTsn::write(buf, v.tsn.advanced(50_000), messages);
            },
        )
        .once(),
    ]
}

/// Pieces of I-DATA, as many as fit a packet.
const SHORT: u32 = 46;

/// One piece of each of so many messages, none of which is ever whole, spread over streams.
pub(crate) fn lanes(victim: &mut Victim, state: usize) {
    for message in 0..state as u32 {
        let (tsn, place) = (
            victim.tsn.advanced(message),
            (message as u16 % 130, message / 130),
        );
        victim.put(|buf| piece(buf, tsn, place, 7));
    }
}

pub(crate) fn piece(buf: &mut Vec<u8>, tsn: Tsn, (stream, message): (u16, u32), fsn: u32) {
    IData {
        flags: 0,
        tsn,
        stream,
        mid: Mid(message),
        ppid_or_fsn: fsn,
        payload: b"x",
    }
    .write(buf);
}
