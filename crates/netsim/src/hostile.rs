//! A wire in the hands of an adversary: nothing arrives but by a step, and steps lose, double, alter and invent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::machine::{End, Machine};
use crate::pair::{Pair, ROOM};
use crate::wire::Wire;

/// A wire that a list of [`Step`]s moves: what fuzzing plays on, and what replays its findings in a test.
#[derive(Debug, Clone)]
pub struct Hostile<R> {
    /// Whether all that was delivered was sent by the other end, unaltered.
    pub honest: bool,
    /// By receiver.
    queues: [VecDeque<Datagram<R>>; 2],
    /// By receiver, the last ones that were sent to it.
    history: [VecDeque<Datagram<R>>; 2],
}

/// What may happen on a [`Hostile`] wire.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything is delivered, and the answers to it, until nothing is under way or too much.
    Flow,
    /// Time passes, in milliseconds.
    Wait(u16),
    /// Time passes until a machine has a deadline.
    Expire,
    /// One datagram is delivered out of order.
    Deliver(End, u8),
    /// One is lost.
    Lose(End, u8),
    /// All are lost.
    LoseAll(End),
    /// One that was sent before is delivered again.
    Replay(End, u8),
    /// One has a byte altered.
    Alter(End, u8, u16, u8),
    /// One is cut.
    Cut(End, u8, u16),
    /// One has bytes appended.
    Append(End, u8, Vec<u8>),
    /// One that nobody sent comes on the route of one that was sent.
    Invent(End, u8, Vec<u8>),
    /// The next time that a machine has something to say, it first gets less room than usual.
    Squeeze(End, u16),
    /// The machine is told of a time that it already knows.
    Again(End),
}

#[derive(Debug, Clone)]
struct Datagram<R> {
    /// As the receiver sees it.
    route: R,
    bytes: Vec<u8>,
}

impl<M: Machine> Pair<M, Hostile<M::Route>> {
    /// Two machines with a hostile wire between them.
    pub fn hostile(ends: [M; 2]) -> Self {
        Self::new(ends, Hostile::default())
    }

    /// A datagram that was sent to this end lately.
    pub fn sent_to(&self, end: End, pick: u8) -> Option<(M::Route, &[u8])> {
        let datagram = picked(end.of(&self.wire.history), pick)?;
        Some((datagram.route, &datagram.bytes))
    }

    /// Gives an end a datagram that nobody sent.
    pub fn forge(&mut self, to: End, route: M::Route, bytes: Vec<u8>) {
        self.wire.honest = false;
        self.deliver(to, route, bytes);
    }

    /// Performs a step.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Flow => self.flow(),
            Step::Wait(ms) => self.pass(self.now + Duration::from_millis(ms.into())),
            Step::Expire => {
                let deadlines = self.ends.iter().filter_map(M::poll_timeout);
                if let Some(deadline) = deadlines.min() {
                    self.pass(deadline.max(self.now));
                }
            }
            Step::Deliver(to, pick) => {
                if let Some(datagram) = self.take(to, pick) {
                    self.deliver(to, datagram.route, datagram.bytes);
                }
            }
            Step::Lose(to, pick) => drop(self.take(to, pick)),
            Step::LoseAll(to) => to.of_mut(&mut self.wire.queues).clear(),
            Step::Replay(to, pick) => {
                if let Some(again) = picked(to.of(&self.wire.history), pick).cloned() {
                    self.deliver(to, again.route, again.bytes);
                }
            }
            Step::Alter(to, pick, at, by) => self.tamper(to, pick, |bytes| {
                let at = usize::from(at) % bytes.len().max(1);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= by);
            }),
            Step::Cut(to, pick, length) => {
                self.tamper(to, pick, |bytes| bytes.truncate(length.into()));
            }
            Step::Append(to, pick, more) => {
                self.tamper(to, pick, |bytes| bytes.extend_from_slice(&more));
            }
            Step::Invent(to, pick, bytes) => {
                if let Some((route, _)) = self.sent_to(to, pick) {
                    self.forge(to, route, bytes);
                }
            }
            Step::Squeeze(end, room) => {
                *end.of_mut(&mut self.squeezed) = Some(usize::from(room) % (ROOM + 1));
            }
            Step::Again(end) => self.expire(end),
        }
    }

    /// Delivers everything and lets time pass, until nothing more happens or the rounds are over.
    pub fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.flow();
            self.step(Step::Expire);
        }
    }

    /// The next datagram for an end is given to it, as long as there are any and not more than a bound.
    fn flow(&mut self) {
        for _ in 0..MAX_FLOW {
            let mut quiet = true;
            for to in End::BOTH {
                if let Some(datagram) = to.of_mut(&mut self.wire.queues).pop_front() {
                    self.deliver(to, datagram.route, datagram.bytes);
                    quiet = false;
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn pass(&mut self, now: Instant) {
        self.now = now;
        self.expire(End::A);
        self.expire(End::B);
    }

    fn take(&mut self, to: End, pick: u8) -> Option<Datagram<M::Route>> {
        let queue = to.of_mut(&mut self.wire.queues);
        queue.remove(usize::from(pick) % queue.len().max(1))
    }

    fn tamper(&mut self, to: End, pick: u8, alter: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut datagram) = self.take(to, pick) {
            alter(&mut datagram.bytes);
            M::repair(&mut datagram.bytes);
            self.forge(to, datagram.route, datagram.bytes);
        }
    }
}

impl<R: Copy> Wire<R> for Hostile<R> {
    fn send(&mut self, _now: Instant, to: End, route: R, bytes: Vec<u8>) {
        let datagram = Datagram { route, bytes };
        let history = to.of_mut(&mut self.history);
        history.push_back(datagram.clone());
        if history.len() > MAX_HISTORY {
            history.pop_front();
        }
        // The tail is dropped, as routers do.
        let queue = to.of_mut(&mut self.queues);
        if queue.len() < MAX_QUEUE {
            queue.push_back(datagram);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn receive(&mut self, _now: Instant) -> Option<(End, R, Vec<u8>)> {
        None
    }
}

impl<R> Default for Hostile<R> {
    fn default() -> Self {
        Self {
            honest: true,
            queues: [VecDeque::new(), VecDeque::new()],
            history: [VecDeque::new(), VecDeque::new()],
        }
    }
}

fn picked<R>(datagrams: &VecDeque<Datagram<R>>, pick: u8) -> Option<&Datagram<R>> {
    datagrams.get(usize::from(pick) % datagrams.len().max(1))
}

const MAX_FLOW: usize = 2_000;
const MAX_QUEUE: usize = 1_024;
const MAX_HISTORY: usize = 16;
