//! Packets that no path carries in one datagram, but fragments of IP, a relay over TCP or loopback.

use oxirtc_sctp::{
    Mid, Ssn, Tsn,
    packet::{CauseCode, Data, ForwardTsn, IForwardTsn, Reconfig, Request, Sack},
};

use crate::{
    Attack, MUCH, chunk,
    control::init,
    data, messages,
    pieces::{lanes, piece},
    reset, sacks, streams, under_way,
    victim::{Victim, WHOLE},
};

/// As long as a record of DTLS can be.
const RECORD: usize = 16 << 10;

/// Packets that no path carries in one datagram, but fragments of IP, a relay over TCP or loopback.
pub(crate) fn attacks() -> Vec<Attack> {
    let all = of_data().into_iter().chain(of_lists());
    let all = all.chain(of_control()).chain(sacks::long());
    let all = all.chain([streams::long(), far_apart(), of_all_kinds()]);
    let long = |attack| Attack {
        longest: RECORD,
        ..attack
    };
    all.map(long).collect()
}

/// As many chunks as a long packet has room for.
fn many(v: &Victim, buf: &mut Vec<u8>, number: u32, mut write: impl FnMut(&mut Vec<u8>, Tsn, u32)) {
    for chunk in 0..800 {
        let index = number * 800 + chunk;
        write(buf, v.tsn.advanced(40_000 - index), index);
    }
}

fn of_data() -> Vec<Attack> {
    let few = |attack| Attack {
        packets: 9,
        ..attack
    };
    let all = [
        Attack::beside(
            "long: pieces of one byte, each beyond a gap",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                many(v, buf, number, |buf, _, index| {
                    data(buf, v.tsn.advanced(60_000 - 2 * index), 0, (1, 0), b"x");
                });
            },
        ),
        Attack::beside(
            "long: messages on streams that nobody reads",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                many(v, buf, number, |buf, tsn, index| {
                    let stream = (index * 7 % 65_000) as u16;
                    data(buf, tsn, WHOLE | Data::UNORDERED, (stream, 0), b"x");
                });
            },
        ),
        Attack::beside(
            "long: messages out of turn",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                many(v, buf, number, |buf, tsn, index| {
                    data(buf, tsn, WHOLE, (1, 30_000 - index as u16), b"x");
                });
            },
        ),
        Attack::beside(
            "long: duplicates",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                many(v, buf, number, |buf, _, index| {
                    data(buf, v.tsn.advanced(index % 900), WHOLE, (1, 0), b"x");
                });
            },
        ),
        Attack {
            victim: Victim::interleaving,
            ..Attack::beside(
                "long: pieces of as many messages, I-DATA",
                300,
                lanes,
                |v, buf, number| {
                    for chunk in 0..660 {
                        let message = 5000 + number * 660 + chunk;
                        piece(buf, v.tsn.advanced(message), (1, message), 7);
                    }
                },
            )
        },
    ];
    all.map(few).into()
}

/// Messages of which each costs as much as one can: its numbers are kept, its TSN is noted and its stream looked for among many.
fn far_apart() -> Attack {
    let attack = Attack::beside(
        "long: messages on streams far apart, each beyond a gap",
        3000,
        very_much,
        |v, buf, _| {
            for chunk in 0..104 {
                let tsn = v.tsn.advanced(61_000 - 2 * chunk);
                data(buf, tsn, WHOLE, (256 * chunk as u16, 0), b"x");
            }
        },
    );
    attack.once()
}

/// Chunks of each kind, of which each brings about as much as one step has room for, or more.
fn of_all_kinds() -> Attack {
    let attack = Attack::beside(
        "long: chunks of all kinds",
        300,
        |v, state| {
            under_way(v, state);
            very_much(v, 10 * state);
        },
        |v, buf, _| {
            let gaps = (1..300u16).map(|it| (2 * it, 2 * it));
            let duplicates = (0..400).map(|it| v.last.advanced(it));
            Sack::write(buf, 16_000, (v.last, 1 << 20), gaps, duplicates);
            for (first, chunk) in (0..14).enumerate() {
                let tsn = v.tsn.advanced(61_000 - 2 * chunk);
                data(buf, tsn, WHOLE, (256 * first as u16, 0), b"x");
            }
            // What waits is handed out, and all that is incomplete given up.
            data(buf, v.tsn, WHOLE, (0, 0), b"x");
            let streams = (0..200u16).map(|it| (it * 3, Ssn(9)));
            ForwardTsn::write(buf, v.tsn.advanced(61_010), streams);
            let first = v.tsn.0.wrapping_sub(1);
            reset(buf, first.wrapping_add(1), v.tsn, &few(1));
            chunk(buf, 4, &[0; 1000]);
            chunk(buf, 0xff, &[0; 200]);
            for chunk in 0..60 {
                let tsn = v.tsn.advanced(62_100 + 2 * chunk);
                data(buf, tsn, WHOLE, (256 * chunk as u16, 0), b"x");
            }
        },
    );
    Attack {
        victim: Victim::sending,
        ..attack.once()
    }
}

/// So many messages wait, and pieces, each beyond a gap, and so does a reset of very many streams.
fn very_much(v: &mut Victim, state: usize) {
    for number in 0..state as u32 {
        v.data(1 + number, WHOLE, (0, 1 + number as u16), b"x");
    }
    for number in 0..(state as u32 / 10).min(900) {
        v.data(63_000 - 2 * number, 0, (0, 0), b"x");
    }
    let streams = Vec::from_iter((40_000..48_000u16).flat_map(u16::to_be_bytes));
    let (sequence, last) = (v.tsn.0.wrapping_sub(1), v.tsn.advanced(30_500));
    v.put(|buf| reset(buf, sequence, last, &streams));
}

fn of_lists() -> Vec<Attack> {
    let sack = |name, packet| {
        let sack = Attack::beside(name, MUCH, under_way, packet).once();
        Attack {
            victim: Victim::sending,
            ..sack
        }
    };
    vec![
        sack("long: SACK of every second", |v, buf, _| {
            let gaps = (1..4000u16).map(|it| (2 * it, 2 * it));
            let (head, none) = ((v.last, 1 << 20), std::iter::empty());
            Sack::write(buf, 16_300, head, gaps, none);
        }),
        sack("long: SACK of few and of duplicates", |v, buf, _| {
            let duplicates = (0..4000).map(|it| v.last.advanced(it));
            let gaps = std::iter::once((2, 9));
            Sack::write(buf, 16_300, (v.last, 1 << 20), gaps, duplicates);
        }),
        Attack {
            steps: true,
            ..Attack::beside(
                "long: FORWARD TSN over many streams",
                900,
                |v, state| messages(v, state, 5),
                |v, buf, number| {
                    let tsn = v.tsn.advanced(10_000 + number);
                    let streams = (0..4000u16).map(|it| (it * 3 + number as u16, Ssn(9)));
                    ForwardTsn::write(buf, tsn, streams);
                },
            )
        },
        Attack {
            steps: true,
            victim: Victim::interleaving,
            ..Attack::beside(
                "long: I-FORWARD-TSN over many messages",
                450,
                lanes,
                |v, buf, number| {
                    let tsn = v.tsn.advanced(20_000 + number);
                    let messages = (0..2000u16).map(|it| (it, false, Mid(number)));
                    IForwardTsn::write(buf, tsn, messages);
                },
            )
        },
        Attack::beside(
            "long: streams with messages reset, in no order",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let streams = (0..8000u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 16) as u16);
                let list: Vec<_> = streams
                    .map(|it| it.min(65_534))
                    .flat_map(u16::to_be_bytes)
                    .collect();
                reset(buf, first.wrapping_add(number), v.tsn, &list);
            },
        )
        .once(),
        Attack::beside(
            "long: streams with messages reset",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let list: Vec<_> = (0..8000u16).rev().flat_map(u16::to_be_bytes).collect();
                reset(buf, first.wrapping_add(number), v.tsn, &list);
            },
        )
        .once(),
    ]
}

fn of_control() -> Vec<Attack> {
    vec![
        Attack::alone("long: chunks that nobody knows", |_, buf, _| {
            (0..4000).for_each(|_| chunk(buf, 0xff, &[]));
        }),
        Attack::alone("long: HEARTBEATs", |_, buf, _| {
            (0..2000).for_each(|_| chunk(buf, 4, &[0; 4]));
        }),
        Attack::alone("long: requests", |v, buf, number| {
            for chunk in 0..600 {
                let sequence = v.tsn.0.wrapping_sub(1).wrapping_add(number * 600 + chunk);
                reset(buf, sequence, v.tsn, &[0, 1]);
            }
        }),
        Attack::beside(
            "long: requests for few streams each",
            600,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                let last = Tsn(v.tsn.0.wrapping_sub(1));
                for chunk in 0..104 {
                    let first = 2 * (number * 104 + chunk);
                    let lists = [first, first + 1].map(few);
                    let requests =
                        (first..)
                            .zip(&lists)
                            .map(|(sequence, streams)| Request::OutgoingReset {
                                sequence: last.0.wrapping_add(sequence),
                                response_sequence: 0,
                                last_tsn: last,
                                streams,
                            });
                    Reconfig::write(buf, requests);
                }
            },
        ),
        Attack::alone("long: FORWARD TSNs", |v, buf, number| {
            for chunk in 0..900 {
                let tsn = v.tsn.advanced(number * 900 + chunk);
                ForwardTsn::write(buf, tsn, std::iter::once((1, Ssn(9))));
            }
        }),
        Attack::alone("long: SACKs", |v, buf, _| {
            for _ in 0..900 {
                let (head, none) = ((v.last, 1 << 20), std::iter::empty());
                Sack::write(buf, 16, head, std::iter::empty(), none);
            }
        }),
        Attack::alone("long: errors", |_, buf, _| {
            let causes = [0, CauseCode::STALE_COOKIE.0 as u8, 0, 8, 0, 0, 0, 1].repeat(2000);
            chunk(buf, 9, &causes);
        }),
        Attack::alone("long: COOKIE ECHO that is not ours", |_, buf, number| {
            chunk(buf, 10, &[number as u8; 16_000]);
        }),
        Attack {
            untagged: true,
            ..Attack::alone(
                "long: INIT with parameters that nobody knows",
                |_, buf, number| init(buf, number, 4000),
            )
        },
    ]
}

/// The streams of one of very many requests.
fn few(number: u32) -> Vec<u8> {
    let streams = (0..29).map(|it| ((number * 29 + it) * 37 % 6000) as u16);
    streams.flat_map(u16::to_be_bytes).collect()
}
