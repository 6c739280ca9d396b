//! One direction of a wire.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::loss::{Loss, Probability, fraction};
use crate::seed::{derived, generator};
use crate::time::earliest;

/// One direction of a wire in simulated time.
///
/// A new link is perfect: it delivers at once, in order, whatever is sent. Conditions are added to it:
///
/// ```
/// use oxirtc_netsim::{Link, Loss, mbps, ms, percent};
///
/// let link = Link::new(42)
///     .delay(ms(50))
///     .jitter(ms(5))
///     .loss(Loss::bursts(percent(5), 3.0))
///     .rate(mbps(8))
///     .mtu(1200);
/// ```
///
/// What is sent passes, in this order: the MTU, the queue and the rate, loss, corruption, duplication, and then travels: delay,
/// jitter, reordering. All chance comes from the seed.
#[derive(Debug, Clone)]
pub struct Link {
    seed: u64,
    generator: ChaCha8Rng,
    conditions: Conditions,
    up: bool,
    /// The state of [`Loss::GilbertElliott`].
    bad: bool,
    /// When the sender's interface has sent all that is queued.
    idle_at: Option<Instant>,
    /// The latest arrival of what was not reordered: nothing arrives before it.
    last_arrival: Option<Instant>,
    travelling: BTreeMap<(Instant, u64), Vec<u8>>,
    serial: u64,
    stats: LinkStats,
}

/// Counts of datagrams since a [`Link`] was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LinkStats {
    /// Given to the link.
    pub sent: u64,
    /// Put on their way; duplicates are counted too.
    pub carried: u64,
    /// Lost by chance or because the link was down.
    pub lost: u64,
    /// Dropped because they were larger than the MTU.
    pub too_big: u64,
    /// Dropped because the queue was full.
    pub queue_full: u64,
    /// Sent on twice.
    pub duplicated: u64,
    /// Held back, so that others may pass.
    pub reordered: u64,
    /// Changed in one bit.
    pub corrupted: u64,
}

/// Two links: a wire in both directions.
#[derive(Debug, Clone)]
pub struct Duplex {
    /// From the first end to the second.
    pub there: Link,
    /// From the second end to the first.
    pub back: Link,
}

#[derive(Debug, Clone, Copy)]
struct Conditions {
    delay: Duration,
    jitter: Duration,
    loss: Loss,
    reorder: Probability,
    reorder_by: Duration,
    duplicate: Probability,
    corrupt: Probability,
    rate: Option<u64>,
    queue: usize,
    mtu: Option<usize>,
}

impl Link {
    /// A perfect link, whose later conditions draw their chance from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            generator: generator(seed),
            conditions: Conditions::default(),
            up: true,
            bad: false,
            idle_at: None,
            last_arrival: None,
            travelling: BTreeMap::new(),
            serial: 0,
            stats: LinkStats::default(),
        }
    }

    /// Every datagram travels for this time. Default: zero.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.conditions.delay = delay;
        self
    }

    /// Adds a time from zero to `jitter`, evenly spread, to the delay of each datagram. The order is kept: a late one holds up
    /// those behind it. Default: zero.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.conditions.jitter = jitter;
        self
    }

    /// Loses datagrams. A [`Probability`] is random loss. Default: none.
    #[must_use]
    pub fn loss(mut self, loss: impl Into<Loss>) -> Self {
        self.conditions.loss = loss.into();
        self
    }

    /// Holds datagrams back with the chance `chance`, each for a time from zero to `by`, and lets others pass meanwhile.
    /// Default: never.
    #[must_use]
    pub fn reorder(mut self, chance: Probability, by: Duration) -> Self {
        self.conditions.reorder = chance;
        self.conditions.reorder_by = by;
        self
    }

    /// Sends datagrams on twice with the chance `chance`; each copy has its own jitter and reordering. Default: never.
    #[must_use]
    pub fn duplicate(mut self, chance: Probability) -> Self {
        self.conditions.duplicate = chance;
        self
    }

    /// Flips one bit of a datagram with the chance `chance`. Default: never.
    #[must_use]
    pub fn corrupt(mut self, chance: Probability) -> Self {
        self.conditions.corrupt = chance;
        self
    }

    /// Sends at most this many bits a second; what comes faster waits in the [`queue`](Self::queue). Default: no limit.
    ///
    /// # Panics
    /// When the rate is zero: see [`set_up`](Self::set_up) for a link that carries nothing.
    #[must_use]
    pub fn rate(mut self, bits_per_second: u64) -> Self {
        assert!(bits_per_second > 0, "a link has a rate above zero");
        self.conditions.rate = Some(bits_per_second);
        self
    }

    /// How many bytes may wait for their turn when there is a [`rate`](Self::rate); what comes when it is full is dropped (tail
    /// drop). A datagram that finds the queue empty is always taken. Default: 64 KiB.
    #[must_use]
    pub fn queue(mut self, bytes: usize) -> Self {
        self.conditions.queue = bytes;
        self
    }

    /// Drops datagrams of more than `bytes`, counted as they are given to [`send`](Self::send): without the headers of IP and
    /// UDP. Default: no limit.
    #[must_use]
    pub fn mtu(mut self, bytes: usize) -> Self {
        self.conditions.mtu = Some(bytes);
        self
    }

    /// Takes the link down, so that everything sent is lost, or up again. What is on its way arrives all the same.
    pub fn set_up(&mut self, up: bool) {
        self.up = up;
    }

    /// Takes the conditions of another link. Generator, counts and what is on its way stay.
    pub fn set_conditions(&mut self, like: &Self) {
        self.conditions = like.conditions;
    }

    /// A link with the same conditions, another seed, and nothing on its way.
    #[must_use]
    pub fn reseeded(&self, seed: u64) -> Self {
        Self {
            conditions: self.conditions,
            up: self.up,
            ..Self::new(seed)
        }
    }

    /// The seed the link was made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many datagrams are on their way.
    pub fn in_flight(&self) -> usize {
        self.travelling.len()
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Sends a datagram at `now`.
    pub fn send(&mut self, now: Instant, datagram: Vec<u8>) {
        let mut arrivals = [None, None];
        let Some(datagram) = self.carry(now, datagram, &mut arrivals) else {
            return;
        };
        let [first, second] = arrivals;
        if let Some(at) = second {
            self.travelling
                .insert((at, self.serial + 1), datagram.clone());
        }
        if let Some(at) = first {
            self.travelling.insert((at, self.serial), datagram);
        }
        self.serial += 2;
    }

    /// When the next datagram arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.travelling.keys().next().map(|(at, _)| *at)
    }

    /// The next datagram that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        let entry = self.travelling.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Decides what becomes of a datagram: it comes back, perhaps corrupted, and `arrivals` says when it and its duplicate
    /// arrive; or it is dropped.
    pub(crate) fn carry(
        &mut self,
        now: Instant,
        mut datagram: Vec<u8>,
        arrivals: &mut [Option<Instant>; 2],
    ) -> Option<Vec<u8>> {
        self.stats.sent += 1;
        if self.conditions.mtu.is_some_and(|mtu| datagram.len() > mtu) {
            self.stats.too_big += 1;
            return None;
        }
        let Some(departure) = self.queued(now, datagram.len()) else {
            self.stats.queue_full += 1;
            return None;
        };
        if self
            .conditions
            .loss
            .happens(&mut self.bad, &mut self.generator)
            || !self.up
        {
            self.stats.lost += 1;
            return None;
        }
        self.corrupt_by_chance(&mut datagram);
        let [first, second] = arrivals;
        *first = Some(self.arrival(departure));
        if self.conditions.duplicate.happens(&mut self.generator) {
            self.stats.duplicated += 1;
            *second = Some(self.arrival(departure));
        }
        Some(datagram)
    }

    /// When the last bit of a datagram leaves that comes to the queue now, or `None` when there is no room.
    fn queued(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = self.conditions.rate else {
            return Some(now);
        };
        let start = self.idle_at.map_or(now, |at| at.max(now));
        let waiting = (start - now).as_nanos() * u128::from(rate) / (8 * NANOS);
        if waiting > 0 && waiting + len as u128 > self.conditions.queue as u128 {
            return None;
        }
        let nanos = len as u128 * 8 * NANOS / u128::from(rate);
        let done = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.idle_at = Some(done);
        Some(done)
    }

    fn corrupt_by_chance(&mut self, datagram: &mut [u8]) {
        if self.conditions.corrupt.happens(&mut self.generator) {
            let draw = self.generator.next_u64() as usize;
            let position = (draw >> 3) % datagram.len().max(1);
            if let Some(byte) = datagram.get_mut(position) {
                *byte ^= 1 << (draw & 7);
                self.stats.corrupted += 1;
            }
        }
    }

    fn arrival(&mut self, departure: Instant) -> Instant {
        self.stats.carried += 1;
        let Conditions { delay, jitter, .. } = self.conditions;
        let on_time = departure + delay + self.part_of(jitter);
        // A faster datagram cannot pass a slower one, also when the conditions have changed since.
        let at = self.last_arrival.map_or(on_time, |last| last.max(on_time));
        if self.conditions.reorder.happens(&mut self.generator) {
            self.stats.reordered += 1;
            return at + self.part_of(self.conditions.reorder_by);
        }
        self.last_arrival = Some(at);
        at
    }

    /// A time from zero up to `most`.
    fn part_of(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return most;
        }
        most.mul_f64(fraction(&mut self.generator))
    }
}

impl Duplex {
    /// Both directions under the conditions of `link`, each with its own seed.
    pub fn new(link: Link) -> Self {
        let back = link.reseeded(derived(link.seed, 1));
        Self { there: link, back }
    }

    /// Directions that differ.
    pub fn asymmetric(there: Link, back: Link) -> Self {
        Self { there, back }
    }

    /// When the next datagram arrives at either end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.there.poll_timeout(), self.back.poll_timeout()])
    }

    /// Takes both directions down, or up again.
    pub fn set_up(&mut self, up: bool) {
        self.there.set_up(up);
        self.back.set_up(up);
    }

    /// Takes the conditions of `like` for both directions.
    pub fn set_conditions(&mut self, like: &Link) {
        self.there.set_conditions(like);
        self.back.set_conditions(like);
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: Probability::default(),
            reorder_by: Duration::ZERO,
            duplicate: Probability::default(),
            corrupt: Probability::default(),
            rate: None,
            queue: DEFAULT_QUEUE,
            mtu: None,
        }
    }
}

const DEFAULT_QUEUE: usize = 64 * 1024;
const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
