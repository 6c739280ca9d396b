//! An owner who reads when he likes: in the midst of steps, before and after he has asked for events, parts of what there is. Streams
//! are reset and used again, messages outlive their time, packets are lost, peers begin anew. A stream with something to read is
//! announced, what is reliable is heard once and in its order, and `None` stands between two lives.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{self as netsim, Duplex, Link, Machine, for_each_seed, ms, percent};
use oxirtc_sctp::{Association, Config, Error, Event, Message, Reliability, SendOptions, StreamId};

use support::{Side, seeds};

/// An association and who reads it.
struct Reader {
    side: Side,
    dice: Dice,
    /// Of 32 chances to read he takes so many.
    eager: u32,
    /// He reads only what was announced.
    strict: bool,
    /// Streams that were announced and not read to `None` since.
    announced: [bool; STREAMS],
    heard: VecDeque<Heard>,
}

enum Heard {
    Event(Event),
    /// With whether it was from before a restart.
    Message(Message, bool),
    Nothing(StreamId),
}

#[derive(Clone, Copy)]
struct Dice(u32);

impl Dice {
    /// Below `most`.
    fn roll(&mut self, most: u32) -> u32 {
        self.0 = (self.0.wrapping_mul(1_664_525)).wrapping_add(1_013_904_223);
        (self.0 >> 8) % most
    }
}

impl Reader {
    fn new(association: Association, seed: u64) -> Self {
        let mut dice = Dice(seed as u32 ^ 0x5eed);
        dice.roll(2);
        let mut side = Side::from(association);
        side.room = 1500;
        Self {
            side,
            dice,
            eager: [0, 1, 4, 16, 31][(seed / 3 % 5) as usize],
            strict: seed.is_multiple_of(2),
            announced: [false; STREAMS],
            heard: VecDeque::new(),
        }
    }

    fn event(&mut self) -> bool {
        let Some(event) = self.side.poll_event() else {
            return false;
        };
        if let Event::Readable { stream } = event {
            self.announced[usize::from(stream)] = true;
        }
        self.heard.push_back(Heard::Event(event));
        true
    }

    /// False if there was nothing.
    fn read(&mut self, stream: StreamId) -> bool {
        let before = self.side.is_from_before(stream);
        let carefully = self.dice.roll(3) == 0;
        let peeked = self.side.peek(stream);
        let message = match carefully {
            true => self.side.read_unless(stream, 54),
            false => self.side.read(stream),
        };
        assert_eq!(
            peeked,
            message.as_ref().map(|it| (it.ppid, it.payload.len()))
        );
        let Some(message) = message else {
            if carefully {
                self.side.rearm(stream);
            }
            self.announced[usize::from(stream)] = false;
            self.heard.push_back(Heard::Nothing(stream));
            return false;
        };
        self.heard.push_back(Heard::Message(message, before));
        true
    }

    /// Does something, or nothing.
    fn act(&mut self) {
        match self.dice.roll(4) {
            0 => while self.event() {},
            1 => {
                self.event();
            }
            _ => {
                let stream = self.dice.roll(STREAMS as u32) as usize;
                if self.strict && !self.announced[stream] {
                    return;
                }
                let most = self.dice.roll(4);
                (0..=most).all(|_| self.read(stream as StreamId));
            }
        }
    }

    /// Hears all that is announced, until nothing is.
    fn act_all(&mut self) {
        loop {
            while self.event() {}
            self.check_announced();
            let Some(stream) = self.announced.iter().position(|it| *it) else {
                return;
            };
            while self.read(stream as StreamId) {}
        }
    }

    /// When all events have been heard, what can be read has been announced.
    fn check_announced(&self) {
        for (stream, announced) in (0..).zip(self.announced) {
            let readable = self.side.peek(stream).is_some();
            assert!(announced || !readable, "stream {stream} waits unheard");
        }
    }
}

impl Machine for Reader {
    type Route = ();

    const PORT: u16 = 9899;
    const BATCHED: bool = true;

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        self.side.handle_datagram(now, (), datagram);
        if self.dice.roll(32) < self.eager {
            self.act();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.side.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.side.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        self.side.poll_transmit(now, room, buf)
    }

    fn poll(&mut self, _now: Instant) -> bool {
        if self.dice.roll(32) < self.eager {
            self.act();
        }
        false
    }

    fn mirrored((): ()) {}

    fn describe(&self) -> String {
        self.side.describe()
    }
}

/// A direction of a stream, at who speaks and at who listens.
#[derive(Default)]
struct Stream {
    /// What was said and not heard.
    said: VecDeque<Said>,
    /// What was heard, and how often the listener had begun anew.
    heard: BTreeSet<(u32, u32)>,
    life: u32,
    resetting: bool,
    /// Epoch and life of what was heard last.
    last: Option<(u32, u32)>,
    /// `None` was heard since.
    ended: bool,
}

struct Said {
    number: u32,
    ordered: bool,
    reliable: bool,
}

struct Game {
    pair: netsim::Pair<Reader>,
    /// By who speaks, and stream.
    streams: [Vec<Stream>; 2],
    /// How often an end began anew.
    epochs: [u32; 2],
    seed: u64,
    dice: Dice,
    next: u32,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    heard: usize,
    again: usize,
    restarts: usize,
    given_up: usize,
    full: usize,
}

impl Game {
    fn new(seed: u64) -> Self {
        let link = Link::new(seed)
            .delay(ms(5 + seed % 30))
            .jitter(ms(seed % 3 * 8))
            .loss(percent((seed % 4 * 8) as u32));
        let ends = [0, 1].map(|side| Reader::new(association(seed, side, 0), seed / 2 + side));
        let mut pair = netsim::Pair::new(ends, Duplex::new(link));
        pair.room = usize::MAX;
        let now = pair.now;
        pair.ends.iter_mut().for_each(|it| it.side.connect(now));
        pair.run_until(Duration::from_secs(300), |pair| {
            pair.ends.iter().all(|it| it.side.is_established())
        });
        let streams = || (0..STREAMS).map(|_| Stream::default()).collect();
        Self {
            pair,
            streams: [streams(), streams()],
            epochs: [0; 2],
            seed,
            dice: Dice(seed as u32),
            next: 0,
            counts: Counts::default(),
        }
    }

    /// Few of them mostly, so that they have long lives and short ones.
    fn stream(&mut self) -> usize {
        let most = [3, STREAMS as u32][(self.seed % 2) as usize];
        self.dice.roll(most) as usize
    }

    fn say(&mut self, side: usize, stream: usize) {
        if self.streams[side][stream].resetting {
            return;
        }
        let ordered = self.dice.roll(4) > 0;
        let reliability = match self.dice.roll(4) {
            0 => Reliability::Retransmits(0),
            1 => Reliability::Lifetime(ms(u64::from(self.dice.roll(200)))),
            _ => Reliability::Reliable,
        };
        let length = match self.dice.roll(24) {
            0 => 60_000,
            1..4 => 6000,
            _ => 12,
        };
        let number = self.next;
        let life = self.streams[side][stream].life;
        let head = [number, life, self.epochs[side]].map(u32::to_be_bytes);
        let mut payload = head.concat();
        payload.resize(length, number as u8);
        let (now, options) = (
            self.pair.now,
            SendOptions {
                ordered,
                reliability,
            },
        );
        let association = &mut self.pair.ends[side].side;
        match association.send(now, stream as StreamId, 53, Bytes::from(payload), options) {
            Ok(()) => {}
            Err(Error::BufferFull | Error::StreamResetting { .. }) => {
                self.counts.full += 1;
                return;
            }
            Err(Error::Closed) if self.seed.is_multiple_of(7) => return,
            Err(error) => panic!("{error:?}"),
        }
        self.next += 1;
        let reliable = reliability == Reliability::Reliable;
        let said = Said {
            number,
            ordered,
            reliable,
        };
        self.streams[side][stream].said.push_back(said);
    }

    fn reset(&mut self, side: usize, streams: &[StreamId]) {
        let now = self.pair.now;
        let asked = &mut self.streams[side];
        let fresh =
            |it: &&StreamId| !std::mem::replace(&mut asked[usize::from(**it)].resetting, true);
        let streams = Vec::from_iter(streams.iter().filter(fresh).copied());
        let reset = self.pair.ends[side].side.reset_streams(now, &streams);
        assert_eq!(reset, Ok(()));
    }

    /// An end forgets everything.
    fn restart(&mut self, side: usize) {
        self.hear();
        // What it has not heard it never will, nor does it know what it said.
        self.pair.ends[side].heard.clear();
        self.epochs[side] += 1;
        self.counts.restarts += 1;
        let association = association(self.seed, side as u64, self.epochs[side]);
        let seed = self.seed + u64::from(self.epochs[side]);
        self.pair.ends[side] = Reader::new(association, seed);
        let now = self.pair.now;
        self.pair.ends[side].side.connect(now);
        for stream in self.streams.iter_mut().flatten() {
            stream.said.iter_mut().for_each(|it| it.reliable = false);
        }
        for stream in &mut self.streams[side] {
            (stream.resetting, stream.life) = (false, stream.life + 1);
        }
        for stream in &mut self.streams[1 - side] {
            (stream.last, stream.ended) = (None, false);
        }
    }

    fn hear(&mut self) {
        for side in 0..2 {
            while let Some(heard) = self.pair.ends[side].heard.pop_front() {
                match heard {
                    Heard::Event(event) => self.hear_event(side, event),
                    Heard::Nothing(stream) => {
                        self.streams[1 - side][usize::from(stream)].ended = true
                    }
                    Heard::Message(message, before) => self.hear_message(side, &message, before),
                }
            }
        }
    }

    fn hear_event(&mut self, side: usize, event: Event) {
        match event {
            Event::OutgoingReset { stream } => {
                let stream = usize::from(stream);
                let said = &mut self.streams[side][stream];
                assert!(std::mem::take(&mut said.resetting));
                said.life += 1;
                self.counts.again += 1;
                for _ in 0..self.dice.roll(3) {
                    self.say(side, stream);
                }
            }
            Event::Restarted => {
                for stream in &mut self.streams[side] {
                    stream.said.iter_mut().for_each(|it| it.reliable = false);
                    stream.resetting = false;
                }
            }
            Event::OutgoingResetDenied { .. } | Event::Failed { .. } => panic!("{event:?}"),
            _ => {}
        }
    }

    fn hear_message(&mut self, side: usize, message: &Message, before: bool) {
        let (head, rest) = message.payload.split_at(12);
        let [number, life, epoch] =
            [0, 4, 8].map(|at| u32::from_be_bytes(*head[at..].first_chunk().unwrap()));
        assert!(
            rest.iter().all(|it| *it == number as u8),
            "a message is whole"
        );
        let from = &mut self.streams[1 - side][usize::from(message.stream)];
        assert!(
            !before || epoch < self.epochs[1 - side],
            "what is new came before nothing"
        );
        match from.last {
            Some((old, _)) if old != epoch => assert!(old < epoch),
            Some((_, old)) if old != life => {
                assert!(old < life, "a life that is over");
                assert!(
                    from.ended,
                    "two lives as one: {old} and {life} of stream {}",
                    message.stream
                );
            }
            _ => {}
        }
        (from.last, from.ended) = (Some((epoch, life)), false);
        // What an end that was being set up said to one that forgot it is said to who came after.
        let new = from.heard.insert((number, self.epochs[side]));
        assert!(new, "not heard before");
        self.counts.heard += 1;
        let found = from.said.iter().position(|it| it.number == number);
        let Some(at) = found else {
            assert!(self.epochs[side] > 0, "it was said");
            return;
        };
        let passed = from.said.range(..at);
        let passed = passed.filter(|it| it.ordered && it.reliable && message.ordered);
        assert_eq!(passed.count(), 0, "an ordered message was passed");
        from.said.remove(at);
    }

    fn play(&mut self) {
        for _ in 0..200 {
            let (side, stream) = (self.dice.roll(2) as usize, self.stream());
            if self.seed.is_multiple_of(5) {
                // Nothing is asked for between a restart and word of it.
                while self.pair.ends[side].event() {}
                self.hear();
            }
            match self.dice.roll(40) {
                0..6 => self.reset(side, &[stream as StreamId]),
                6 if self.seed.is_multiple_of(5) => self.restart(side),
                7 => {
                    let all =
                        Vec::from_iter((0..STREAMS as StreamId).filter(|_| self.dice.roll(4) > 0));
                    self.reset(side, &all);
                }
                8 => (0..STREAMS).for_each(|stream| self.say(side, stream)),
                _ => self.say(side, stream),
            }
            let time = match self.dice.roll(16) {
                0 => 1500,
                1..5 => u64::from(self.dice.roll(90)),
                _ => 0,
            };
            self.pair.run_for(ms(time));
            if self.dice.roll(3) == 0 {
                self.pair.ends[side].act();
            }
            if self.dice.roll(8) == 0 {
                while self.pair.ends[side].event() {}
                self.pair.ends[side].check_announced();
            }
            self.hear();
        }
        let is_ended = self.seed.is_multiple_of(7);
        if is_ended {
            self.end();
        }
        for _ in 0..100 {
            self.pair.run_for(Duration::from_secs(1));
            self.pair.ends.iter_mut().for_each(Reader::act_all);
            self.hear();
            let waits = |it: &Stream| it.resetting || it.said.iter().any(|it| it.reliable);
            if !self.streams.iter().flatten().any(waits) {
                break;
            }
        }
        self.pair.run_for(Duration::from_secs(20));
        self.pair.ends.iter_mut().for_each(Reader::act_all);
        self.hear();
        for (side, streams) in self.streams.iter().enumerate() {
            for (at, stream) in streams.iter().enumerate() {
                assert!(is_ended || !stream.resetting, "a reset is over in the end");
                let lost = stream.said.iter().filter(|it| it.reliable);
                assert_eq!(lost.count(), 0, "a message of {side} on {at} was lost");
                self.counts.given_up += stream.said.len();
            }
        }
    }

    /// One of them has nothing more to say.
    fn end(&mut self) {
        // T5 bounds how long the end takes, so little is lost now. Both know of each other.
        self.pair
            .wire
            .set_conditions(&Link::new(self.seed).delay(ms(20)).loss(percent(2)));
        self.pair.run_for(Duration::from_secs(30));
        while self.pair.ends.iter_mut().any(Reader::event) {}
        self.hear();
        for _ in 0..100 {
            let (side, stream) = (self.dice.roll(2) as usize, self.stream());
            self.say(side, stream);
        }
        let now = self.pair.now;
        let side = self.dice.roll(2) as usize;
        self.pair.ends[side].side.shutdown(now);
    }
}

fn association(seed: u64, side: u64, epoch: u32) -> Association {
    let mut bytes = [side as u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&epoch.to_le_bytes());
    // Four times the largest message, and more than is said here.
    let window = [256 << 10, 512 << 10, 4 << 20][(seed % 3) as usize];
    let config = Config::default()
        .interleaving((seed / 2).is_multiple_of(2))
        .max_message_size(64 << 10)
        .receive_window(window);
    Association::new(config, bytes, netsim::epoch())
}

#[test]
fn whoever_reads_hears_all() {
    let mut total = Counts::default();
    for_each_seed(seeds(SEEDS), |seed| {
        let mut game = Game::new(seed);
        game.play();
        let counts = game.counts;
        total.heard += counts.heard;
        total.again += counts.again;
        total.restarts += counts.restarts;
        total.given_up += counts.given_up;
        total.full += counts.full;
    });
    // So that it has seen what it is for.
    let seen = [total.heard, total.again, total.restarts, total.given_up];
    assert!(seen.iter().all(|it| *it > 100), "{total:?}");
}

const STREAMS: usize = 40;
const SEEDS: u64 = 200;
