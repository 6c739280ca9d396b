//! A wire with somebody on it who sees every datagram and says what arrives in its place.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::machine::{End, Machine};
use crate::pair::Pair;
use crate::time::earliest;
use crate::wire::Wire;

/// A wire in the hands of an attacker on the path (RFC 3552 §3.5): each datagram waits until he has said what arrives in its place.
///
/// What he does is a closure of the test, given to [`Pair::run_replacing`] anew each time, so that it may borrow what the test has.
#[derive(Debug, Clone)]
pub struct OnPath<R> {
    /// Sent, and not seen by him yet; since when, and whom it is for.
    waiting: VecDeque<(Instant, End, R, Vec<u8>)>,
    travelling: BTreeMap<(Instant, u64), (End, R, Vec<u8>)>,
    serial: u64,
}

/// What arrives in place of a datagram that this end has sent, each after a delay of its own. With the same delay, in this order.
pub type Replace<'a> = dyn FnMut(End, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + 'a;

impl<R> OnPath<R> {
    /// Lets a datagram arrive at this time, that nobody looks at any more.
    pub fn put(&mut self, at: Instant, to: End, route: R, datagram: Vec<u8>) {
        self.travelling
            .insert((at, self.serial), (to, route, datagram));
        self.serial += 1;
    }
}

impl<M: Machine> Pair<M, OnPath<M::Route>> {
    /// Takes what both machines have to say now, and puts on its way what takes the place of it.
    pub fn replace(&mut self, replace: &mut Replace<'_>) {
        self.flush(End::A);
        self.flush(End::B);
        let now = self.now;
        while let Some((_, to, route, datagram)) = self.wire.waiting.pop_front() {
            for (delay, datagram) in replace(to.other(), datagram) {
                self.wire.put(now + delay, to, route, datagram);
            }
        }
    }

    /// Lets this much time pass; what is sent in it is replaced.
    ///
    /// # Panics
    /// When datagrams without a delay go to and fro for ever.
    pub fn run_replacing(&mut self, time: Duration, replace: &mut Replace<'_>) {
        let end = self.now + time;
        let (mut last, mut rounds) = (self.now, 0);
        while self.advance(end) {
            self.replace(replace);
            rounds = if self.now == last { rounds + 1 } else { 0 };
            last = self.now;
            assert!(
                rounds < MAX_ROUNDS,
                "time stands still: the replaced go to and fro"
            );
        }
    }
}

impl<R: Copy> Wire<R> for OnPath<R> {
    fn send(&mut self, now: Instant, to: End, route: R, datagram: Vec<u8>) {
        self.waiting.push_back((now, to, route, datagram));
    }

    /// At once where something waits to be seen.
    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|(since, ..)| *since);
        let arrival = self.travelling.first_key_value().map(|((at, _), _)| *at);
        earliest([waiting, arrival])
    }

    fn receive(&mut self, now: Instant) -> Option<(End, R, Vec<u8>)> {
        let first = self.travelling.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    fn is_read_first(&self) -> bool {
        true
    }
}

impl<R> Default for OnPath<R> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            travelling: BTreeMap::new(),
            serial: 0,
        }
    }
}

const MAX_ROUNDS: usize = 10_000;
