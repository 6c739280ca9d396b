//! What one packet of a peer's costs, whatever is in it: in a release build 50 µs at most, and beside ten times the state at most
//! fifteen times as much. Timed is all that a packet brings about: taking it, its events, what is said to it, and each step of what is
//! done later.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the machine's time"
)]

#[path = "../src/cost.rs"]
mod cost;
mod support;
#[path = "support/victim.rs"]
mod victim;

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use oxirtc_sctp::{
    Association, Config, Mid, Reliability, SendOptions, Ssn, Tsn,
    packet::{
        CauseCode, Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Init, Packet, Reconfig,
        Request, ResetResult, Sack,
    },
};

use support::Sides as _;
use victim::{Victim, WHOLE};

/// What a peer does: first so much state, of which ten times as much is made too, then packets, each with its number.
struct Attack {
    name: &'static str,
    victim: fn(Config) -> Victim,
    state: usize,
    prepare: fn(&mut Victim, usize),
    packet: fn(&Victim, &mut Vec<u8>, u32),
    /// How many packets follow, of which the median counts.
    packets: u32,
    /// All that is done later is done before the next packet, and each step of it is timed.
    steps: bool,
    /// Whether they stand before an association, as an INIT does.
    untagged: bool,
    /// Whether they end it.
    ends: bool,
    /// How long a packet may be.
    longest: usize,
}

impl Attack {
    /// One that needs no state.
    fn alone(name: &'static str, packet: fn(&Victim, &mut Vec<u8>, u32)) -> Self {
        Self::beside(name, 1, |_, _| {}, packet)
    }

    fn beside(
        name: &'static str,
        state: usize,
        prepare: fn(&mut Victim, usize),
        packet: fn(&Victim, &mut Vec<u8>, u32),
    ) -> Self {
        Self {
            name,
            victim: Victim::new,
            state,
            prepare,
            packet,
            packets: 40,
            steps: false,
            untagged: false,
            ends: false,
            longest: 1200,
        }
    }

    /// One packet, and all that follows from it.
    fn once(self) -> Self {
        Self {
            packets: 1,
            steps: true,
            ..self
        }
    }
}

#[test]
fn no_packet_costs_much() {
    for attack in attacks() {
        cost::stays(attack.name, attack.state, |state| run(&attack, state));
    }
}

fn run(attack: &Attack, state: usize) -> (Duration, usize) {
    let config = Config::default().max_message_size(64 << 20);
    let mut victim = (attack.victim)(config);
    (attack.prepare)(&mut victim, state);
    drain(&mut victim);
    let mut times = Vec::new();
    for number in 0..attack.packets {
        let mut packet = Vec::new();
        let tag = if attack.untagged { 0 } else { victim.tag };
        Packet::start(&mut packet, 5000, 5000, tag);
        (attack.packet)(&victim, &mut packet, number);
        let length = packet.len();
        assert!(length <= attack.longest, "{}: {length}", attack.name);
        Packet::finish(&mut packet, 0);
        let start = Instant::now();
        victim.pair.ends[0].handle_packet(victim.pair.now, &packet);
        drain(&mut victim);
        let took = start.elapsed();
        times.push(if attack.steps {
            took.max(steps(&mut victim))
        } else {
            took
        });
    }
    assert_eq!(victim.is_alive(), !attack.ends, "{}", attack.name);
    // Others work on the machine too, and a mean would tell of them.
    times.sort_unstable();
    (times.get(times.len() / 2).copied().unwrap_or_default(), 1)
}

/// What an association holds that is over goes in steps, whatever it is.
#[test]
fn what_is_over_is_let_go_in_steps() {
    type Make = fn(Config) -> Victim;
    type Hold = fn(&mut Victim, usize);
    let held: [(&str, Make, Hold); 5] = [
        ("waits", Victim::new, waits),
        ("is under way", Victim::sending, under_way),
        ("nobody read", Victim::new, |v, state| messages(v, state, 0)),
        ("waits for others", Victim::new, |v, state| {
            messages(v, state, 5)
        }),
        ("is incomplete", Victim::new, |v, state| {
            for offset in 1..state as u32 {
                v.data(offset, Data::END, (1, 0), b"x");
            }
        }),
    ];
    for (what, victim, hold) in held {
        let mut steps = Vec::new();
        cost::stays(&format!("letting go of what {what}"), MUCH, |state| {
            let mut victim = victim(Config::default());
            hold(&mut victim, state);
            drain(&mut victim);
            let side = &mut victim.pair.ends[0];
            let mut times = Vec::new();
            let mut more = true;
            while more {
                let start = Instant::now();
                more = side.let_go();
                times.push(start.elapsed());
            }
            steps.push(times.len());
            times.sort_unstable();
            let long = times.get(times.len() * 9 / 10).copied();
            let other = Association::new(Config::default(), [7; 32], victim.pair.now);
            let empty = std::mem::replace(&mut **side, other);
            let start = Instant::now();
            drop(empty);
            (long.unwrap_or_default().max(start.elapsed()), 1)
        });
        assert!(steps.last() > steps.first(), "{what}: {steps:?}");
    }
}

/// What grows with each packet grows a little with each: none of very many costs more than another.
#[test]
fn tables_grow_in_steps() {
    type Make = fn(Config) -> Victim;
    type Step = fn(&mut Victim, u32);
    let grows: [(&str, Make, Step); 2] = [
        ("what nobody read", Victim::new, |v, number| {
            let (tsn, ssn) = (v.tsn.advanced(number), number as u16);
            v.put(|buf| data(buf, tsn, WHOLE, (1, ssn), b"x"));
        }),
        ("what is under way", Victim::sending, |v, number| {
            v.pair.say(0, (number % 7) as u16, b"x");
            v.pair.now += Duration::from_micros(10);
            let now = v.pair.now;
            v.pair.ends[0].handle_timeout(now);
        }),
    ];
    for (what, victim, step) in grows {
        let mut least = Vec::new();
        for _ in 0..5 {
            let mut victim = victim(Config::default());
            let took = (0..10 * MUCH as u32).map(|number| {
                let start = Instant::now();
                step(&mut victim, number);
                drain(&mut victim);
                start.elapsed()
            });
            let took = Vec::from_iter(took);
            // The machine does something else now and then, but not at the same packet each time.
            least.resize(took.len(), Duration::MAX);
            least
                .iter_mut()
                .zip(took)
                .for_each(|(least, it)| *least = it.min(*least));
        }
        let worst = least.iter().max().copied().unwrap_or_default();
        println!("{what}, one more of {}: {worst:?} at most", least.len());
        let limit = Duration::from_micros(50);
        assert!(
            cfg!(debug_assertions) || worst <= limit,
            "{what}: {worst:?}"
        );
    }
}

/// Does what is to be done at once: how long a long step took, of which one in ten may have been disturbed.
fn steps(victim: &mut Victim) -> Duration {
    let now = victim.pair.now;
    let mut times = Vec::new();
    while victim.pair.ends[0]
        .poll_timeout()
        .is_some_and(|at| at <= now)
    {
        let start = Instant::now();
        victim.pair.ends[0].handle_timeout(now);
        drain(victim);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = times.len() * 9 / 10;
    times.get(at).copied().unwrap_or_default()
}

/// Takes events and packets.
fn drain(victim: &mut Victim) {
    let now = victim.pair.now;
    let side = &mut victim.pair.ends[0];
    while side.poll_event().is_some() {}
    let mut buf = Vec::with_capacity(1200);
    while side.poll_transmit(now, 1112, &mut buf) {
        buf.clear();
    }
}

fn data(buf: &mut Vec<u8>, tsn: Tsn, flags: u8, (stream, ssn): (u16, u16), payload: &[u8]) {
    Data {
        flags,
        tsn,
        stream,
        ssn: Ssn(ssn),
        ppid: 53,
        payload,
    }
    .write(buf);
}

fn reset(buf: &mut Vec<u8>, sequence: u32, last_tsn: Tsn, streams: &[u8]) {
    let request = Request::OutgoingReset {
        sequence,
        response_sequence: 0,
        last_tsn,
        streams,
    };
    Reconfig::write(buf, std::iter::once(request));
}

/// As many streams as fit a request.
fn list() -> Vec<u8> {
    (0..550u16).rev().flat_map(u16::to_be_bytes).collect()
}

/// One ordered message on each stream, in order or never in turn.
fn messages(victim: &mut Victim, state: usize, ssn: u16) {
    for offset in 0..state as u32 {
        victim.data(offset, WHOLE, (offset as u16, ssn), b"x");
    }
}

/// Chunks of one byte, as many as fit a packet.
const TINY: u32 = 58;

fn chunk(buf: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let (kind, flags) = (ChunkKind(kind), 0);
    Chunk { kind, flags, value }.write(buf);
}

fn attacks() -> Vec<Attack> {
    let mut all = pieces();
    all.extend(without_beginning());
    all.extend(interleaved());
    all.extend(messages_of_streams());
    all.extend(resetting());
    all.extend(controlling());
    all.extend(acknowledging());
    all.extend(ending());
    all.extend(long());
    all
}

/// What ends or restarts an association that has very much.
fn ending() -> Vec<Attack> {
    let restart = |name, prepare| {
        let packet = |v: &Victim, buf: &mut Vec<u8>, _| chunk(buf, 10, &v.cookie);
        Attack::beside(name, MUCH, prepare, packet).once()
    };
    let sending = |attack| Attack {
        victim: Victim::sending,
        ..attack
    };
    vec![
        sending(restart("a restart beside what is under way", |v, state| {
            under_way(v, state);
            v.init();
        })),
        restart("a restart beside what waits", |v, state| {
            waits(v, state);
            v.init();
        }),
        restart(
            "a restart beside messages that wait for others",
            |v, state| {
                messages(v, state, 5);
                v.init();
            },
        ),
        restart("a restart beside pieces of messages", |v, state| {
            for offset in 1..state as u32 {
                v.data(offset, Data::END, (1, 0), b"x");
            }
            v.init();
        }),
        Attack {
            ends: true,
            ..Attack::beside("an ABORT", MUCH, waits, |_, buf, _| chunk(buf, 6, &[])).once()
        },
    ]
}

/// A message on each of so many streams, of which the congestion window lets few go.
fn waits(victim: &mut Victim, state: usize) {
    for stream in 0..state {
        victim.pair.say(0, stream as u16, b"x");
        victim.pair.ends[0].set_priority(stream as u16, 512);
    }
}

fn pieces() -> Vec<Attack> {
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
    ]
}

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
fn lanes(victim: &mut Victim, state: usize) {
    for message in 0..state as u32 {
        let (tsn, place) = (
            victim.tsn.advanced(message),
            (message as u16 % 130, message / 130),
        );
        victim.put(|buf| piece(buf, tsn, place, 7));
    }
}

fn piece(buf: &mut Vec<u8>, tsn: Tsn, (stream, message): (u16, u32), fsn: u32) {
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

fn messages_of_streams() -> Vec<Attack> {
    vec![
        Attack::beside(
            "messages out of turn",
            2500,
            |v, state| {
                for offset in 0..state as u32 {
                    v.data(offset, WHOLE, (1, 1 + offset as u16), b"x");
                }
            },
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 25_000 + number * TINY + chunk;
                    let ssn = 30_000 - (number * TINY + chunk) as u16;
                    data(buf, v.tsn.advanced(offset), WHOLE, (1, ssn), b"x");
                }
            },
        ),
        Attack::beside(
            "the first of messages that wait",
            3000,
            |v, state| waiting(v, 1..state as u16),
            |v, buf, _| data(buf, v.tsn, WHOLE, (1, 0), b"x"),
        )
        .once(),
        Attack::beside(
            "messages of one stream given up, FORWARD TSN",
            3000,
            |v, state| waiting(v, 1..state as u16),
            |v, buf, _| {
                let streams = std::iter::once((1, Ssn(31_000)));
                ForwardTsn::write(buf, v.tsn, streams);
            },
        )
        .once(),
        Attack::beside(
            "messages on streams that nobody reads",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 9000 + number * TINY + chunk;
                    let stream = (offset * 7 % 65_000) as u16;
                    let flags = WHOLE | Data::UNORDERED;
                    data(buf, v.tsn.advanced(offset), flags, (stream, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "duplicates",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                for chunk in 0..TINY {
                    data(buf, v.tsn.advanced(number + chunk), WHOLE, (1, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "FORWARD TSN over many streams",
            900,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let tsn = v.tsn.advanced(10_000 + number);
                let streams = (0..270u16).map(|it| (it * 30 + number as u16, Ssn(9)));
                ForwardTsn::write(buf, tsn, streams);
            },
        ),
    ]
}

/// Ordered messages out of turn, a byte each.
fn waiting(victim: &mut Victim, numbers: Range<u16>) {
    for number in numbers {
        victim.data(number.into(), WHOLE, (1, number), b"x");
    }
}

fn resetting() -> Vec<Attack> {
    vec![
        Attack::beside(
            "all streams reset, again and again",
            // So many that no step is the last.
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &[]);
            },
        ),
        Attack::beside(
            "streams with messages reset",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &list());
            },
        ),
        Attack::beside(
            "a reset that waits, asked for again and again",
            900,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let far = v.tsn.advanced(50_000);
                reset(buf, first.wrapping_add(number), far, &list());
            },
        ),
        Attack::beside(
            "a stream with a message of many parts reset",
            1600,
            |v, state| {
                // The number is out of turn.
                for offset in (1..state as u32).rev() {
                    let flags = if offset as usize == state - 1 {
                        Data::END
                    } else {
                        0
                    };
                    v.data(offset, flags, (1, 1), b"x");
                }
                v.data(0, Data::BEGIN, (1, 1), b"x");
            },
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &[0, 1]);
            },
        )
        .once(),
        Attack {
            packets: 1,
            ..Attack::beside(
                "the answer to a reset of many streams",
                40,
                |v, state| {
                    let streams = Vec::from_iter(0..state as u16);
                    let now = v.pair.now;
                    assert_eq!(v.pair.ends[0].reset_streams(now, &streams), Ok(()));
                },
                |v, buf, number| {
                    let answer = |by| Request::Response {
                        sequence: v.last.0.wrapping_add(by + number),
                        result: ResetResult::PERFORMED,
                    };
                    Reconfig::write(buf, [answer(0), answer(1)].into_iter());
                },
            )
        },
    ]
}

/// Of what a build that is slow takes long to make.
const MUCH: usize = if cfg!(debug_assertions) { 600 } else { 6000 };

/// SACKs of more and more that is under way.
fn acknowledging() -> Vec<Attack> {
    let sack = |name, prepare, packet| Attack {
        victim: Victim::sending,
        ..Attack::beside(name, MUCH, prepare, packet).once()
    };
    vec![
        sack("SACK of all that is under way", under_way, |v, buf, _| {
            acknowledge(buf, v.last.advanced(v.sent), &[]);
        }),
        sack("SACK of all but the first", under_way, |v, buf, _| {
            acknowledge(buf, v.last, &[(2, v.sent as u16)]);
        }),
        sack("SACK of the last alone", under_way, |v, buf, _| {
            let last = v.sent as u16;
            acknowledge(buf, v.last, &[(last - 9, last)]);
        }),
        sack(
            "SACK that closes a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
        sack(
            "SACK that takes back what was beyond a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.next(), &[]),
        ),
        sack(
            "SACK that opens a window which messages have outlived",
            outlived,
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
    ]
}

/// The window is closed while so many messages outlive their time.
fn outlived(victim: &mut Victim, state: usize) {
    under_way(victim, 1);
    let closed = victim.last.next();
    victim.put(|buf| {
        let (head, none, no) = ((closed, 0), std::iter::empty(), std::iter::empty());
        Sack::write(buf, 1150, head, none, no);
    });
    let options = SendOptions {
        reliability: Reliability::Lifetime(Duration::from_millis(1)),
        ..SendOptions::default()
    };
    // One that lives stands before them, so that nobody comes to them before the window opens.
    victim.pair.say(0, 60, b"x");
    for message in 0..state {
        victim.pair.say_with(0, message as u16, b"x", options);
    }
    victim.pair.now += Duration::from_millis(25);
}

fn acknowledge(buf: &mut Vec<u8>, cumulative: Tsn, gaps: &[(u16, u16)]) {
    let (head, none) = ((cumulative, 1 << 20), std::iter::empty());
    Sack::write(buf, 1150, head, gaps.iter().copied(), none);
}

/// So many messages of a byte leave, on a few streams, and nothing of them is acknowledged.
fn under_way(victim: &mut Victim, state: usize) {
    for message in 0..state {
        victim.pair.say(0, (message % 7) as u16, b"x");
    }
    let before = victim.pair.ends[0].stats().data_chunks_sent;
    for _ in 0..20 {
        victim.pair.now += Duration::from_millis(1);
        let now = victim.pair.now;
        victim.pair.ends[0].handle_timeout(now);
        drain(victim);
    }
    let sent = victim.pair.ends[0].stats().data_chunks_sent - before;
    assert_eq!(sent, state as u64, "none of them twice");
    // A round trip later all that is missing is late.
    victim.pair.now += Duration::from_millis(25);
    victim.sent = state as u32;
}

fn controlling() -> Vec<Attack> {
    vec![
        Attack::alone(
            "SACK with blocks and duplicates of what is not there",
            |v, buf, _| {
                let gaps = (0..130u16).map(|it| (2 + 2 * it, 2 + 2 * it));
                let duplicates = (0..130).map(|it| v.last.advanced(it));
                Sack::write(buf, 1150, (v.last, 1 << 20), gaps, duplicates);
            },
        ),
        Attack::alone("chunks that nobody knows", |_, buf, _| {
            (0..280).for_each(|_| chunk(buf, 0xff, &[]))
        }),
        Attack::alone("HEARTBEATs", |_, buf, _| {
            (0..140).for_each(|_| chunk(buf, 4, &[0; 4]))
        }),
        Attack::alone("errors", |_, buf, _| {
            let causes = [0, CauseCode::STALE_COOKIE.0 as u8, 0, 8, 0, 0, 0, 1].repeat(140);
            chunk(buf, 9, &causes);
        }),
        Attack::alone("COOKIE ECHO that is not ours", |_, buf, number| {
            chunk(buf, 10, &[number as u8; 1150])
        }),
        Attack {
            untagged: true,
            ..Attack::alone(
                "INIT with parameters that nobody knows",
                |_, buf, number| init(buf, number, 270),
            )
        },
    ]
}

/// An INIT with so many parameters that nobody knows.
fn init(buf: &mut Vec<u8>, number: u32, parameters: usize) {
    let parameters = [0xc0, 0x77, 0, 4].repeat(parameters);
    Init {
        tag: 1 + number,
        window: 100_000,
        outbound: 1,
        inbound: 1,
        initial_tsn: Tsn(number),
        parameters: &parameters,
    }
    .write(ChunkKind::INIT, buf);
}

/// As long as a record of DTLS can be.
const RECORD: usize = 16 << 10;

/// Packets that no path carries in one datagram, but fragments of IP, a relay over TCP or loopback.
fn long() -> Vec<Attack> {
    let all = long_data().into_iter().chain(long_lists());
    let all = all.chain(long_control());
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

fn long_data() -> Vec<Attack> {
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

fn long_lists() -> Vec<Attack> {
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
        ),
        Attack::beside(
            "long: streams with messages reset",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let list: Vec<_> = (0..8000u16).rev().flat_map(u16::to_be_bytes).collect();
                reset(buf, first.wrapping_add(number), v.tsn, &list);
            },
        ),
    ]
}

fn long_control() -> Vec<Attack> {
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
