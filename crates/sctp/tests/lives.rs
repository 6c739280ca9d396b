//! Streams that are reset and used again, at once and after a silence, while packets are lost: what was said in one life is heard in
//! its order, once, and never in another life.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;
#[path = "support/victim.rs"]
mod victim;

use std::{collections::VecDeque, time::Duration};

use oxirtc_netsim::{Link, for_each_seed, percent};
use oxirtc_sctp::{
    Config, Event, Reliability, SendOptions, Tsn,
    packet::{ChunkKind, ForwardTsn, Reconfig, Request, ResetResult},
};

use support::{Pair, Sides as _, ms};
use victim::Victim;

/// A direction of a stream.
#[derive(Default)]
struct Stream {
    /// What was said and not heard: whether it is ordered, whether reliable.
    said: VecDeque<(u32, bool, bool)>,
    /// How often it began anew.
    life: u8,
    resetting: bool,
}

struct Game {
    pair: Pair,
    /// By side and stream.
    streams: [[Stream; STREAMS]; 2],
    random: u32,
    next: u32,
    /// How often a stream was used again, and how many messages were heard.
    again: usize,
    heard: usize,
}

impl Game {
    fn new(seed: u64) -> Self {
        let link = Link::new(seed)
            .delay(ms(5 + seed % 30))
            .jitter(ms(seed % 3 * 8))
            .loss(percent((seed % 3 * 12) as u32));
        let config = || Config::default().interleaving(seed.is_multiple_of(2));
        let pair = support::interleaving_pair(seed % 100, link, [config(), config()]);
        Self {
            pair: pair.connected(),
            streams: Default::default(),
            random: seed as u32,
            next: 0,
            again: 0,
            heard: 0,
        }
    }

    /// Below `most`.
    fn dice(&mut self, most: u32) -> u32 {
        self.random = (self.random.wrapping_mul(1_664_525)).wrapping_add(1_013_904_223);
        (self.random >> 8) % most
    }

    fn say(&mut self, side: usize, stream: usize) {
        if self.streams[side][stream].resetting {
            return;
        }
        let (ordered, reliable) = (self.dice(4) > 0, self.dice(2) > 0);
        let options = SendOptions {
            ordered,
            reliability: match reliable {
                true => Reliability::Reliable,
                false if ordered => Reliability::Retransmits(0),
                false => Reliability::Lifetime(ms(30)),
            },
        };
        let length = match self.dice(12) {
            0 => 6000,
            _ => 10,
        };
        let number = self.next;
        self.next += 1;
        let said = &mut self.streams[side][stream];
        let mut payload = Vec::from(number.to_be_bytes());
        payload.push(said.life);
        payload.resize(length, 7);
        said.said.push_back((number, ordered, reliable));
        self.pair.say_with(side, stream as u16, payload, options);
    }

    fn reset(&mut self, side: usize, stream: usize) {
        if !std::mem::replace(&mut self.streams[side][stream].resetting, true) {
            let now = self.pair.now;
            let reset = self.pair.ends[side].reset_streams(now, &[stream as u16]);
            assert_eq!(reset, Ok(()));
        }
    }

    /// Hears of resets, some of whose streams are used again at once.
    fn hear(&mut self) {
        for side in 0..2 {
            for event in self.pair.main_events(side) {
                let Event::OutgoingReset { stream } = event else {
                    continue;
                };
                let stream = usize::from(stream);
                let said = &mut self.streams[side][stream];
                assert!(std::mem::replace(&mut said.resetting, false));
                said.life += 1;
                self.again += 1;
                for _ in 0..self.dice(3) {
                    self.say(side, stream);
                }
            }
            for stream in 0..STREAMS {
                // A silence stands between two lives.
                let messages = self.pair.read_all(1 - side, stream as u16);
                let lives = messages.iter().map(|it| it.payload.get(4));
                assert!(lives.clone().max() == lives.min(), "two lives as one");
                for message in messages {
                    let number = u32::from_be_bytes(*message.payload.first_chunk().unwrap());
                    self.heard += 1;
                    self.note(side, stream, number, message.ordered);
                }
            }
        }
    }

    /// It was said and not heard before, and passed nothing that it may not pass.
    fn note(&mut self, side: usize, stream: usize, number: u32, ordered: bool) {
        let said = &mut self.streams[side][stream].said;
        let found = said.iter().position(|it| it.0 == number);
        let at = found.expect("it was said, and not heard before");
        let passed = said.range(..at);
        let passed = passed.filter(|it| it.1 && it.2 && ordered);
        assert_eq!(passed.count(), 0, "an ordered message was passed");
        said.remove(at);
    }

    fn play(&mut self) {
        for _ in 0..150 {
            let (side, stream) = (self.dice(2) as usize, self.dice(STREAMS as u32) as usize);
            match self.dice(4) {
                0 => self.reset(side, stream),
                _ => self.say(side, stream),
            }
            let time = match self.dice(12) {
                0 => 1500,
                1..4 => u64::from(self.dice(90)),
                _ => 0,
            };
            self.pair.run_for(ms(time));
            self.hear();
        }
        let mut rounds = 0;
        while rounds < 100 && self.is_anything_left() {
            self.pair.run_for(Duration::from_secs(1));
            self.hear();
            rounds += 1;
        }
        // What is to be passed over may still have to be said.
        self.pair.run_for(Duration::from_secs(20));
        self.hear();
        for stream in self.streams.iter().flatten() {
            assert!(!stream.resetting, "a reset is over in the end");
            let lost = stream.said.iter().filter(|it| it.2);
            assert_eq!(lost.count(), 0, "a message was lost");
        }
        let left = self.streams.iter().flatten().map(|it| it.said.len());
        let given_up = self.pair.ends.iter().map(|it| {
            let stats = it.stats();
            stats.abandoned_sent + stats.abandoned_unsent
        });
        assert!(left.sum::<usize>() as u64 <= given_up.sum::<u64>());
    }

    fn is_anything_left(&self) -> bool {
        let waits = |it: &Stream| it.resetting || it.said.iter().any(|it| it.2);
        self.streams.iter().flatten().any(waits)
            || (self.pair.ends.iter()).any(|it| it.total_unacknowledged() > 0)
    }
}

#[test]
fn what_is_said_in_one_life_is_heard_in_it() {
    let (mut seeds, mut again, mut heard) = (0, 0, 0);
    for_each_seed(SEEDS, |seed| {
        let mut game = Game::new(seed);
        game.play();
        (seeds, again, heard) = (seeds + 1, again + game.again, heard + game.heard);
    });
    assert!(again > 10 * seeds && heard > 30 * seeds, "{again}, {heard}");
}

/// RFC 3758 §3.6, RFC 6525 §5.2.7: once the peer has said that it has reset a stream, it is told nothing of what was given up before,
/// and of what was given up after it at once, though it has acknowledged neither.
#[test]
fn an_answer_is_as_good_as_an_acknowledgement() {
    for result in [ResetResult::PERFORMED, ResetResult::DENIED] {
        let mut victim = Victim::new(Config::default());
        say_once(&mut victim, 1);
        let now = victim.pair.now;
        victim.pair.ends[0].reset_streams(now, &[1]).unwrap();
        let said = victim.answer();
        let request = said.iter().find(|it| it.0 == ChunkKind::RECONFIG).unwrap();
        let request = Reconfig::parse(&request.1).unwrap().requests().next();
        let Some(Some(Request::OutgoingReset { sequence, .. })) = request else {
            panic!("a reset");
        };
        say_once(&mut victim, 2);
        victim.answer();
        let forwards = give_up(&mut victim);
        let (first, streams) = forwards.first().unwrap();
        assert_eq!(streams, &[1], "and not of stream 2");
        victim.put(|buf| {
            Reconfig::write(buf, std::iter::once(Request::Response { sequence, result }));
        });
        let forwards = give_up(&mut victim);
        let expected = match result {
            ResetResult::PERFORMED => vec![2],
            _ => vec![1, 2],
        };
        assert_eq!(forwards.first(), Some(&(first + 1, expected)));
    }
}

fn say_once(victim: &mut Victim, stream: u16) {
    let options = SendOptions {
        reliability: Reliability::Retransmits(0),
        ..SendOptions::default()
    };
    victim.pair.say_with(0, stream, b"x", options);
}

/// Nothing comes for some seconds: the points that the victim says, with streams.
fn give_up(victim: &mut Victim) -> Vec<(u32, Vec<u16>)> {
    let mut all = Vec::new();
    for _ in 0..40 {
        all.extend(victim.answer());
        victim.pair.now += ms(200);
        let now = victim.pair.now;
        victim.pair.ends[0].handle_timeout(now);
    }
    let forwards = all.iter().filter(|it| it.0 == ChunkKind::FORWARD_TSN);
    let forwards = forwards.map(|it| ForwardTsn::parse(&it.1).unwrap());
    let said = forwards.map(|it| (it.cumulative.0, it.streams().map(|it| it.0).collect()));
    said.collect()
}

/// RFC 9260 §5.2.4, RFC 3758 §3.6: what an association that began anew gives up while what there was before is still being dropped
/// is passed over in its own streams, not in those before.
#[test]
fn what_is_given_up_after_a_restart_is_of_the_new_streams() {
    for interleaving in [false, true] {
        let mut victim = match interleaving {
            true => Victim::interleaving(Config::default()),
            false => Victim::new(Config::default()),
        };
        // So many streams that it takes steps to begin them anew.
        for stream in 0..400 {
            victim.whole(u32::from(stream), 0, (stream, 1), b"old");
        }
        victim.init();
        let cookie = victim.cookie.clone();
        victim.chunk(ChunkKind::COOKIE_ECHO, &cookie);
        victim.tsn = Tsn(1);
        victim.interleaving = false;
        victim.forward(0, [(300, 0)].into_iter());
        victim.pair.run_for(ms(1));
        victim.forward(0, [(300, 0)].into_iter());
        victim.whole(1, 0, (300, 1), b"new");
        victim.pair.run_for(ms(1));
        let messages = victim.pair.read_all(0, 300);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0].payload, "new");
    }
}

const STREAMS: usize = 3;
const SEEDS: u64 = 300;
