//! What one packet of a peer's costs, whatever is in it: in a release build 50 µs at most, and beside ten times the state at most
//! fifteen times as much. Timed is all that a packet brings about: taking it, its events, and what is said to it.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the machine's time"
)]

#[path = "../src/cost.rs"]
mod cost;
mod support;
#[path = "support/victim.rs"]
mod victim;

use std::time::{Duration, Instant};

use oxirtc_sctp::{
    Config, Ssn, Tsn,
    packet::{
        CauseCode, Chunk, ChunkKind, Data, ForwardTsn, Init, Packet, Reconfig, Request,
        ResetResult, Sack,
    },
};

use victim::{Victim, WHOLE};

/// What a peer does: first so much state, then packets, each with its number.
struct Attack {
    name: &'static str,
    /// Of which ten times as much is made too.
    state: usize,
    /// How many packets follow, of which the median counts.
    packets: u32,
    prepare: fn(&mut Victim, usize),
    packet: fn(&Victim, &mut Vec<u8>, u32),
}

impl Attack {
    fn new(
        name: &'static str,
        state: usize,
        prepare: fn(&mut Victim, usize),
        packet: fn(&Victim, &mut Vec<u8>, u32),
    ) -> Self {
        Self {
            name,
            state,
            packets: PACKETS,
            prepare,
            packet,
        }
    }

    /// One that needs no state.
    fn bare(name: &'static str, packet: fn(&Victim, &mut Vec<u8>, u32)) -> Self {
        Self::new(name, 1, |_, _| {}, packet)
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
    let mut victim = Victim::new(config);
    (attack.prepare)(&mut victim, state);
    drain(&mut victim);
    let mut times = Vec::new();
    for number in 0..attack.packets {
        let mut packet = Vec::new();
        let tag = match attack.name.contains("INIT") {
            true => 0,
            false => victim.tag,
        };
        Packet::start(&mut packet, 5000, 5000, tag);
        (attack.packet)(&victim, &mut packet, number);
        assert!(packet.len() <= 1200, "{}: {}", attack.name, packet.len());
        Packet::finish(&mut packet, 0);
        let start = Instant::now();
        victim.pair.ends[0].handle_packet(victim.pair.now, &packet);
        drain(&mut victim);
        times.push(start.elapsed());
    }
    assert!(victim.is_alive(), "{}", attack.name);
    // Others work on the machine too, and a mean would tell of them.
    times.sort_unstable();
    (times.get(times.len() / 2).copied().unwrap_or_default(), 1)
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
const PACKETS: u32 = 40;

fn chunk(buf: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let (kind, flags) = (ChunkKind(kind), 0);
    Chunk { kind, flags, value }.write(buf);
}

fn attacks() -> Vec<Attack> {
    let mut all = pieces();
    all.extend(messages_of_streams());
    all.extend(resetting());
    all.extend(controlling());
    all
}

fn pieces() -> Vec<Attack> {
    vec![
        Attack::new(
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
        Attack::new(
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

fn messages_of_streams() -> Vec<Attack> {
    vec![
        Attack::new(
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
        Attack::new(
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
        Attack::new(
            "duplicates",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                for chunk in 0..TINY {
                    data(buf, v.tsn.advanced(number + chunk), WHOLE, (1, 0), b"x");
                }
            },
        ),
        Attack::new(
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

fn resetting() -> Vec<Attack> {
    vec![
        Attack::new(
            "all streams reset, again and again",
            // So many that no step is the last.
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &[]);
            },
        ),
        Attack::new(
            "streams with messages reset",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &list());
            },
        ),
        Attack::new(
            "a reset that waits, asked for again and again",
            900,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let far = v.tsn.advanced(50_000);
                reset(buf, first.wrapping_add(number), far, &list());
            },
        ),
        Attack {
            name: "the answer to a reset of many streams",
            state: 40,
            packets: 1,
            prepare: |v, state| {
                let streams = Vec::from_iter(0..state as u16);
                let now = v.pair.now;
                assert_eq!(v.pair.ends[0].reset_streams(now, &streams), Ok(()));
            },
            packet: |v, buf, number| {
                let answer = |by| Request::Response {
                    sequence: v.last.0.wrapping_add(by + number),
                    result: ResetResult::PERFORMED,
                };
                Reconfig::write(buf, [answer(0), answer(1)].into_iter());
            },
        },
    ]
}

fn controlling() -> Vec<Attack> {
    vec![
        Attack::bare(
            "SACK with blocks and duplicates of what is not there",
            |v, buf, _| {
                let gaps = (0..130u16).map(|it| (2 + 2 * it, 2 + 2 * it));
                let duplicates = (0..130).map(|it| v.last.advanced(it));
                Sack::write(buf, 1150, (v.last, 1 << 20), gaps, duplicates);
            },
        ),
        Attack::bare("chunks that nobody knows", |_, buf, _| {
            (0..280).for_each(|_| chunk(buf, 0xff, &[]))
        }),
        Attack::bare("HEARTBEATs", |_, buf, _| {
            (0..140).for_each(|_| chunk(buf, 4, &[0; 4]))
        }),
        Attack::bare("errors", |_, buf, _| {
            let causes = [0, CauseCode::STALE_COOKIE.0 as u8, 0, 8, 0, 0, 0, 1].repeat(140);
            chunk(buf, 9, &causes);
        }),
        Attack::bare("COOKIE ECHO that is not ours", |_, buf, number| {
            chunk(buf, 10, &[number as u8; 1150])
        }),
        Attack::bare(
            "INIT with parameters that nobody knows",
            |_, buf, number| {
                let parameters = [0xc0, 0x77, 0, 4].repeat(270);
                Init {
                    tag: 1 + number,
                    window: 100_000,
                    outbound: 1,
                    inbound: 1,
                    initial_tsn: Tsn(number),
                    parameters: &parameters,
                }
                .write(ChunkKind::INIT, buf);
            },
        ),
    ]
}
