//! What one packet of a peer's costs, whatever is in it: in a release build 50 µs at most, and beside ten times the state at most
//! fifteen times as much. Timed is all that a packet brings about: taking it, its events and what is said to it, and so each step of what
//! is done later.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the machine's time"
)]

mod control;
#[path = "../../src/cost.rs"]
mod cost;
mod long;
mod pieces;
mod sacks;
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/victim.rs"]
mod victim;

use std::time::{Duration, Instant};

use oxirtc_sctp::{
    Association, Config, Ssn, Tsn,
    packet::{Chunk, ChunkKind, Data, Packet, Reconfig, Request},
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
        let mut least = cost::Least::default();
        cost::stays(attack.name, attack.state, |state| {
            let took = run(&attack, state);
            if !attack.steps {
                return (median(took), 1);
            }
            (least.of(state, took), 1)
        });
    }
}

/// How long each packet took, or all of it and of what follows, step by step.
fn run(attack: &Attack, state: usize) -> Vec<Duration> {
    let config = Config::default()
        .max_message_size(64 << 20)
        .receive_window(32 << 20);
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
        let now = victim.pair.now;
        times.push(timed(&mut victim, |side| side.handle_packet(now, &packet)));
        if attack.steps {
            times.extend(steps(&mut victim));
        }
    }
    assert_eq!(victim.is_alive(), !attack.ends, "{}", attack.name);
    times
}

/// Others work on the machine too, and a mean would tell of them.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How long an input takes with its events and the first packet that it brings; those behind are taken too.
fn timed(victim: &mut Victim, input: impl FnOnce(&mut Association)) -> Duration {
    let now = victim.pair.now;
    let side = &mut victim.pair.ends[0];
    let mut buf = Vec::with_capacity(1200);
    let start = Instant::now();
    input(side);
    while side.poll_event().is_some() {}
    side.poll_transmit(now, 1112, &mut buf);
    let took = start.elapsed();
    drain(victim);
    took
}

/// What a peer brings about by saying nothing: all that is under way is lost at once, and so many steps tell of it.
#[test]
fn a_timeout_is_done_in_steps() {
    let mut least = cost::Least::default();
    cost::stays("T3-rtx of what is under way", MUCH, |state| {
        let mut victim = Victim::sending(Config::default());
        under_way(&mut victim, state);
        // Probes have the first turns.
        let timeouts = |victim: &Victim| victim.pair.ends[0].stats().retransmission_timeouts;
        let mut took = Vec::new();
        while timeouts(&victim) == 0 {
            victim.pair.now = victim.pair.ends[0].poll_timeout().unwrap();
            took.extend(steps(&mut victim));
        }
        (least.of(state, took), 1)
    });
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
        let mut least = cost::Least::default();
        let mut worst = Duration::ZERO;
        for _ in 0..5 {
            let mut victim = victim(Config::default());
            let took = (0..10 * MUCH as u32).map(|number| {
                let start = Instant::now();
                step(&mut victim, number);
                drain(&mut victim);
                start.elapsed()
            });
            worst = least.of(0, took.collect());
        }
        println!("{what}, one more of {}: {worst:?} at most", 10 * MUCH);
        let limit = Duration::from_micros(50);
        assert!(
            cfg!(debug_assertions) || worst <= limit,
            "{what}: {worst:?}"
        );
    }
}

/// Does what is to be done at once: how long each step took.
fn steps(victim: &mut Victim) -> Vec<Duration> {
    let now = victim.pair.now;
    let mut times = Vec::new();
    while victim.pair.ends[0]
        .poll_timeout()
        .is_some_and(|at| at <= now)
    {
        times.push(timed(victim, |side| side.handle_timeout(now)));
    }
    times
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
    let mut all = pieces::attacks();
    all.extend(streams::attacks());
    all.extend(control::attacks());
    all.extend(sacks::attacks());
    all.extend(long::attacks());
    all
}

/// A message on each of so many streams, of which the congestion window lets few go.
fn waits(victim: &mut Victim, state: usize) {
    for stream in 0..state {
        victim.pair.say(0, stream as u16, b"x");
        victim.pair.ends[0].set_priority(stream as u16, 512);
    }
}

/// Of what a build that is slow takes long to make.
const MUCH: usize = if cfg!(debug_assertions) { 600 } else { 6000 };

/// So many messages of a byte leave, on a few streams, and nothing of them is acknowledged.
fn under_way(victim: &mut Victim, state: usize) {
    leave(victim, (0..state).map(|message| (message % 7) as u16));
}

/// A message of a byte leaves on each of these streams.
fn leave(victim: &mut Victim, streams: impl ExactSizeIterator<Item = u16>) {
    let state = streams.len();
    for stream in streams {
        victim.pair.say(0, stream, b"x");
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
