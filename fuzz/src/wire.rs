//! Two machines and the wire between them, in simulated time: what all scenarios share.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;

/// What every machine can do, in the words of the machines themselves.
pub trait Machine {
    /// Where a datagram goes.
    type Route: Copy;

    /// Takes a datagram that came on this route, as this machine sees it.
    fn handle_datagram(&mut self, now: Instant, route: Self::Route, datagram: &mut [u8]);
    /// Lets time pass.
    fn handle_timeout(&mut self, now: Instant);
    /// When time is to pass next.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Appends one datagram, or several of the size that is returned with their route.
    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Self::Route, usize)>;
    /// Takes one event, request or whatever else is polled; false when there is nothing.
    fn poll(&mut self, now: Instant) -> bool;
    /// Panics when a limit of this machine is passed.
    fn check(&self);
    /// A route of this machine as the other one sees it.
    fn mirrored(route: Self::Route) -> Self::Route;
    /// Gives an altered datagram a right checksum again, so that it is looked at.
    fn repair(_datagram: &mut [u8]) {}
}

/// Two machines, and what is under way between them.
pub struct Pair<M: Machine> {
    /// The machines.
    pub ends: [M; 2],
    /// The time.
    pub now: Instant,
    /// Whether all that was delivered was sent by the other end, unaltered.
    pub honest: bool,
    /// By receiver.
    wires: [VecDeque<Datagram<M::Route>>; 2],
    /// By receiver, the last ones that were sent to it.
    history: [VecDeque<Datagram<M::Route>>; 2],
    /// The room for the datagrams that come next.
    squeezed: [Option<usize>; 2],
}

/// One of the two machines.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first.
    A,
    /// The second.
    B,
}

/// What may happen on the wire.
#[derive(Arbitrary, Clone, Debug)]
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

#[derive(Clone)]
struct Datagram<R> {
    /// As the receiver sees it.
    route: R,
    bytes: Vec<u8>,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl<M: Machine> Pair<M> {
    /// Two machines that have not spoken yet.
    #[must_use]
    pub fn new(a: M, b: M, now: Instant) -> Self {
        let mut pair = Self {
            ends: [a, b],
            now,
            honest: true,
            wires: [VecDeque::new(), VecDeque::new()],
            history: [VecDeque::new(), VecDeque::new()],
            squeezed: [None; 2],
        };
        pair.flush(End::A);
        pair.flush(End::B);
        pair
    }

    /// A machine.
    pub fn end(&mut self, end: End) -> &mut M {
        &mut self.ends[end as usize]
    }

    /// A verb of a machine, and all that follows from it.
    pub fn with<T>(&mut self, end: End, verb: impl FnOnce(&mut M, Instant) -> T) -> T {
        let now = self.now;
        let result = verb(self.end(end), now);
        self.flush(end);
        result
    }

    /// A datagram that was sent to this end lately.
    #[must_use]
    pub fn sent_to(&self, end: End, pick: u8) -> Option<(M::Route, &[u8])> {
        let history = &self.history[end as usize];
        let datagram = history.get(usize::from(pick) % history.len().max(1))?;
        Some((datagram.route, &datagram.bytes))
    }

    /// Gives an end a datagram that nobody sent.
    pub fn forge(&mut self, to: End, route: M::Route, bytes: Vec<u8>) {
        self.honest = false;
        self.hand_over(to, Datagram { route, bytes });
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
                    self.hand_over(to, datagram);
                }
            }
            Step::Lose(to, pick) => drop(self.take(to, pick)),
            Step::LoseAll(to) => self.wires[to as usize].clear(),
            Step::Replay(to, pick) => {
                let history = &self.history[to as usize];
                let again = history
                    .get(usize::from(pick) % history.len().max(1))
                    .cloned();
                again
                    .into_iter()
                    .for_each(|datagram| self.hand_over(to, datagram));
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
                self.squeezed[end as usize] = Some(usize::from(room) % (ROOM + 1));
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
            for to in [End::A, End::B] {
                if let Some(datagram) = self.wires[to as usize].pop_front() {
                    self.hand_over(to, datagram);
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

    /// `handle_timeout`, and the promise that it comes to an end.
    fn expire(&mut self, end: End) {
        for _ in 0..MAX_REPEATS {
            let now = self.now;
            let machine = self.end(end);
            machine.handle_timeout(now);
            let deadline = machine.poll_timeout();
            assert!(
                deadline.is_none_or(|it| it >= now),
                "a deadline in the past"
            );
            self.flush(end);
            if self.end(end).poll_timeout().is_none_or(|it| it > now) {
                return;
            }
        }
        panic!("time stands still");
    }

    fn take(&mut self, to: End, pick: u8) -> Option<Datagram<M::Route>> {
        let wire = &mut self.wires[to as usize];
        wire.remove(usize::from(pick) % wire.len().max(1))
    }

    fn tamper(&mut self, to: End, pick: u8, alter: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut datagram) = self.take(to, pick) {
            alter(&mut datagram.bytes);
            M::repair(&mut datagram.bytes);
            self.honest = false;
            self.hand_over(to, datagram);
        }
    }

    fn hand_over(&mut self, to: End, mut datagram: Datagram<M::Route>) {
        let now = self.now;
        let machine = self.end(to);
        machine.handle_datagram(now, datagram.route, &mut datagram.bytes);
        self.flush(to);
    }

    /// Takes all that a machine has to say.
    pub fn flush(&mut self, end: End) {
        let now = self.now;
        let mut polls = 0;
        if let Some(room) = self.squeezed[end as usize].take() {
            self.transmit(end, room);
        }
        while self.end(end).poll(now) || self.transmit(end, ROOM) {
            polls += 1;
            assert!(polls < MAX_POLLS, "polling does not end");
        }
        self.end(end).check();
    }

    /// Takes datagrams until there is none; true if there was one.
    fn transmit(&mut self, end: End, room: usize) -> bool {
        let now = self.now;
        let mut count = 0;
        let mut buf = PREFIX.to_vec();
        while let Some((route, size)) = self.end(end).poll_transmit(now, room, &mut buf) {
            count += 1;
            assert!(count < MAX_POLLS, "transmitting does not end");
            let (prefix, bytes) = buf
                .split_at_checked(PREFIX.len())
                .expect("nothing is taken away");
            assert_eq!(prefix, PREFIX, "what stood there is untouched");
            assert!(!bytes.is_empty() && size > 0, "a datagram has bytes");
            for bytes in bytes.chunks(size) {
                assert!(
                    bytes.len() <= room,
                    "{} bytes in a room of {room}",
                    bytes.len()
                );
                self.send(end.other(), M::mirrored(route), bytes.to_vec());
            }
            buf.truncate(PREFIX.len());
        }
        assert_eq!(buf, PREFIX, "nothing is written when there is nothing");
        count > 0
    }

    /// Puts a datagram on the wire.
    pub fn send(&mut self, to: End, route: M::Route, bytes: Vec<u8>) {
        let datagram = Datagram { route, bytes };
        let history = &mut self.history[to as usize];
        history.push_back(datagram.clone());
        if history.len() > MAX_HISTORY {
            history.pop_front();
        }
        // The tail is dropped, as routers do.
        let wire = &mut self.wires[to as usize];
        if wire.len() < MAX_WIRE {
            wire.push_back(datagram);
        }
    }
}

/// What a datagram of WebRTC has on any path.
pub const ROOM: usize = 1200;
const PREFIX: &[u8] = b"before";
const MAX_POLLS: usize = 50_000;
const MAX_REPEATS: usize = 100;
const MAX_FLOW: usize = 2_000;
const MAX_WIRE: usize = 1_024;
const MAX_HISTORY: usize = 16;
