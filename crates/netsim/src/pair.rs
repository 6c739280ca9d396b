//! Two machines, the wire between them, and their clock.

use std::fmt::{self, Debug, Formatter};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Index, IndexMut};
use std::thread;
use std::time::{Duration, Instant};

use crate::link::Duplex;
use crate::machine::{End, Machine};
use crate::pcap::Capture;
use crate::story::{Story, What};
use crate::time::{earliest, epoch};
use crate::wire::Wire;

/// Two machines that speak to each other in simulated time.
///
/// It polls each machine until it has nothing more to say, after everything that is done to it, and holds it to the promises that
/// all machines give: polling ends, a datagram fits into the room it was given, what stood in the buffer before is untouched, and
/// after `handle_timeout(now)` no deadline lies before `now`.
///
/// When a test panics, the last things that happened are printed. With `NETSIM_PCAP=<directory>` in the environment, each pair
/// writes what its machines send to a file there, named after the test.
pub struct Pair<M: Machine, W = Duplex> {
    /// The machines. What follows from calling one directly is [flushed](Self::flush) with the next step; see
    /// [`with`](Self::with).
    pub ends: [M; 2],
    /// The time.
    pub now: Instant,
    /// What lies between the machines.
    pub wire: W,
    /// The room for each datagram. Default: [`ROOM`].
    pub room: usize,
    /// Looks at each datagram as it is sent, by whom; may change it; what it says false to goes no further.
    pub tap: Option<Tap>,
    /// Every datagram that was sent, if the test puts a list here.
    pub sent: Option<Vec<Sent<M::Route>>>,
    /// The room that the next datagram of each end gets instead.
    pub(crate) squeezed: [Option<usize>; 2],
    start: Instant,
    story: Story,
    capture: Option<Capture>,
}

/// See [`Pair::tap`].
pub type Tap = Box<dyn FnMut(End, &mut Vec<u8>) -> bool>;

/// A datagram that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent<R> {
    /// When.
    pub at: Instant,
    /// By whom.
    pub from: End,
    /// On which route, as the sender sees it.
    pub route: R,
    /// The payload, before the tap saw it.
    pub datagram: Vec<u8>,
}

impl<M: Machine, W: Wire<M::Route>> Pair<M, W> {
    /// Two machines that begin at the [`epoch`], and say what they have to say at once.
    pub fn new(ends: [M; 2], wire: W) -> Self {
        let now = epoch();
        let capture = (!wire.captures()).then(Capture::from_environment);
        let mut pair = Self {
            ends,
            now,
            wire,
            room: ROOM,
            tap: None,
            sent: None,
            squeezed: [None; 2],
            start: now,
            story: Story::new(now),
            capture: capture.flatten(),
        };
        pair.flush(End::A);
        pair.flush(End::B);
        pair
    }

    /// A machine.
    pub fn end(&mut self, end: End) -> &mut M {
        end.of_mut(&mut self.ends)
    }

    /// A verb of a machine, and all that follows from it now.
    pub fn with<T>(&mut self, end: End, verb: impl FnOnce(&mut M, Instant) -> T) -> T {
        let now = self.now;
        let result = verb(self.end(end), now);
        self.flush(end);
        result
    }

    /// The time since the pair was made.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Adds words to the story that is printed when the test fails.
    pub fn note(&mut self, text: impl Into<String>) {
        self.story.add(self.now, What::Said(text.into()));
    }

    /// Hands a datagram to an end, past the wire.
    pub fn deliver(&mut self, to: End, route: M::Route, datagram: Vec<u8>) {
        self.hand_over(to, route, datagram);
        self.flush(to);
    }

    fn hand_over(&mut self, to: End, route: M::Route, mut datagram: Vec<u8>) {
        let now = self.now;
        self.story
            .add(now, What::Took(to, datagram.len(), first(&datagram)));
        self.end(to).handle_datagram(now, route, &mut datagram);
    }

    /// Puts a datagram on the wire, with its route as the receiver is to see it.
    pub fn send(&mut self, to: End, route: M::Route, datagram: Vec<u8>) {
        self.capture(to.other(), &datagram);
        self.wire.send(self.now, to, route, datagram);
    }

    /// Takes the datagrams that a machine would send off, and hands them to nobody.
    pub fn take_sent(&mut self, from: End) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        let mut buf = Vec::new();
        let (now, room) = (self.now, self.room);
        while let Some((_, size)) = self.end(from).poll_transmit(now, room, &mut buf) {
            taken.extend(buf.chunks(size).map(<[u8]>::to_vec));
            buf.clear();
        }
        taken
    }

    /// Takes all that a machine has to say, and what follows from it by signalling.
    pub fn flush(&mut self, end: End) {
        self.flush_one(end);
        for _ in 0..MAX_POLLS {
            let [a, b] = &mut self.ends;
            let told = a.signal(self.now, b) | b.signal(self.now, a);
            if !told {
                return;
            }
            self.flush_one(End::A);
            self.flush_one(End::B);
        }
        panic!("signalling does not end");
    }

    /// Lets everything happen that is due now, then goes to the next deadline of a machine or the wire. When none lies at or
    /// before `end`, it is `end` now, and the answer false.
    pub fn advance(&mut self, end: Instant) -> bool {
        self.happen();
        match self.next_deadline() {
            Some(next) if next <= end => {
                self.now = next.max(self.now);
                self.happen();
                true
            }
            _ => {
                self.now = end.max(self.now);
                false
            }
        }
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.advance(end) {}
        self.happen();
    }

    /// Lets time pass until `done`, and says how much it was.
    ///
    /// # Panics
    /// When it is not done within `limit`.
    pub fn run_until(&mut self, limit: Duration, done: impl FnMut(&mut Self) -> bool) -> Duration {
        let start = self.now;
        if !self.try_until(limit, done) {
            let [a, b] = self.ends.each_ref().map(M::describe);
            panic!("not within {limit:?}\nA: {a}\nB: {b}");
        }
        self.now - start
    }

    /// As [`run_until`](Self::run_until), for what may well not come: whether it came.
    pub fn try_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        self.happen();
        while !done(self) {
            if !self.advance(end) {
                return false;
            }
        }
        // What `done` did to the machines has its effect.
        self.flush(End::A);
        self.flush(End::B);
        true
    }

    /// When something happens next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let [a, b] = &self.ends;
        earliest([a.poll_timeout(), b.poll_timeout(), self.wire.poll_timeout()])
    }

    /// Everything that is due: deadlines, arrivals, and what follows from them at once.
    fn happen(&mut self) {
        self.flush(End::A);
        self.flush(End::B);
        let mut may_expire = !self.wire.is_read_first();
        let mut waits = false;
        for _ in 0..MAX_ARRIVALS {
            for end in End::BOTH.into_iter().filter(|_| may_expire) {
                if self
                    .end(end)
                    .poll_timeout()
                    .is_some_and(|at| at <= self.now)
                {
                    self.expire(end);
                }
            }
            match self.wire.receive(self.now) {
                Some((to, route, datagram)) => waits = !self.arrive(to, route, datagram),
                // The wire kept for itself what it would have given next.
                None if waits => {
                    self.flush(End::A);
                    self.flush(End::B);
                    waits = false;
                }
                None if may_expire => return,
                None => may_expire = true,
            }
        }
        panic!("time stands still: datagrams go to and fro");
    }

    /// Whether the machine was asked what it has to say: where datagrams are handed over together, more of them are to come else.
    fn arrive(&mut self, to: End, route: M::Route, datagram: Vec<u8>) -> bool {
        self.hand_over(to, route, datagram);
        let is_last = || self.wire.poll_timeout().is_none_or(|at| at > self.now);
        if !M::BATCHED {
            self.flush(to);
        } else if is_last() {
            self.flush(End::A);
            self.flush(End::B);
        } else {
            return false;
        }
        true
    }

    /// `handle_timeout`, and the promise that it comes to an end.
    pub(crate) fn expire(&mut self, end: End) {
        let now = self.now;
        self.story.add(now, What::Woke(end));
        for _ in 0..MAX_REPEATS {
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
        panic!("time stands still: a deadline stays");
    }

    fn flush_one(&mut self, end: End) {
        let now = self.now;
        let mut polls = 0;
        if let Some(room) = end.of_mut(&mut self.squeezed).take() {
            self.transmit(end, room);
        }
        while self.end(end).poll(now) || self.transmit(end, self.room) {
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
            let Some(bytes) = buf.strip_prefix(PREFIX) else {
                panic!("what stood in the buffer was changed");
            };
            assert!(!bytes.is_empty() && size > 0, "a datagram has bytes");
            for bytes in bytes.chunks(size) {
                let len = bytes.len();
                assert!(len <= room, "{len} bytes in a room of {room}");
                self.put(end, route, bytes.to_vec());
            }
            buf.truncate(PREFIX.len());
        }
        assert_eq!(buf, PREFIX, "nothing is written when there is nothing");
        count > 0
    }

    /// A machine sends a datagram.
    fn put(&mut self, from: End, route: M::Route, mut datagram: Vec<u8>) {
        let (len, head) = (datagram.len(), first(&datagram));
        if let Some(sent) = &mut self.sent {
            sent.push(Sent {
                at: self.now,
                from,
                route,
                datagram: datagram.clone(),
            });
        }
        let goes = match &mut self.tap {
            Some(tap) => tap(from, &mut datagram),
            None => true,
        };
        if goes {
            self.story.add(self.now, What::Sent(from, len, head));
            self.send(from.other(), M::mirrored(route), datagram);
        } else {
            self.story.add(self.now, What::Stopped(from, len, head));
        }
    }

    fn capture(&mut self, from: End, datagram: &[u8]) {
        let Some(capture) = &mut self.capture else {
            return;
        };
        let address = |end| {
            let host = match end {
                End::A => Ipv4Addr::new(192, 0, 2, 1),
                End::B => Ipv4Addr::new(192, 0, 2, 2),
            };
            SocketAddr::new(host.into(), M::PORT)
        };
        capture.record(self.now, address(from), address(from.other()), datagram);
    }
}

impl<M: Machine, W> Drop for Pair<M, W> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprint!("what happened between the two:\n{}", self.story);
        }
    }
}

impl<M: Machine, W> Index<End> for Pair<M, W> {
    type Output = M;

    fn index(&self, end: End) -> &M {
        end.of(&self.ends)
    }
}

impl<M: Machine, W> IndexMut<End> for Pair<M, W> {
    fn index_mut(&mut self, end: End) -> &mut M {
        end.of_mut(&mut self.ends)
    }
}

impl<M: Machine, W> Debug for Pair<M, W> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("elapsed", &(self.now - self.start))
            .field("ends", &self.ends.each_ref().map(M::describe))
            .finish_non_exhaustive()
    }
}

fn first(datagram: &[u8]) -> u8 {
    datagram.first().copied().unwrap_or_default()
}

/// What a datagram of WebRTC has on any path.
pub const ROOM: usize = 1200;
const PREFIX: &[u8] = b"before";
const MAX_POLLS: usize = 50_000;
const MAX_REPEATS: usize = 4000;
const MAX_ARRIVALS: usize = 200_000;
