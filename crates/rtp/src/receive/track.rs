//! Which packets of a stream came, and which are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{Unwrapper, rtcp::ReportBlock};

/// The numbers of one stream.
#[derive(Debug)]
pub(crate) struct Track {
    numbers: Unwrapper,
    first: u64,
    /// What came in the stream itself, what came late or twice included.
    received: u64,
    /// Numbers that a restart of the source has passed over: nobody sent them.
    passed_over: u64,
    /// The number that would follow one which is far from all others.
    awaited: Option<u16>,
    /// What the last report knew: expected, received.
    reported: (u64, u64),
    /// Of 256, by the last report of something that was sent.
    fraction: u8,
    missing: BTreeMap<u64, Missing>,
    /// When to look at them next: not after the first is to be asked for.
    due: Option<Instant>,
    /// What is not waited for any more, of late.
    given_up: BTreeSet<u64>,
    most: usize,
    /// Jitter in 16ths of a unit, and the transit time of the last packet (RFC 3550 App. A.8).
    jitter: u32,
    transit: Option<u32>,
    origin: Option<Instant>,
    /// The rate of timestamps in Hz.
    pub(crate) clock: u32,
    /// How late packets come that were only reordered: at most 10 ms, learnt.
    allowance: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Instant,
    next: Instant,
    tries: u8,
}

/// What a number turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) sequence: u64,
    pub(crate) is_fresh: bool,
    /// It comes for the first time, and nobody waits for it any more.
    pub(crate) is_late: bool,
    /// It is far from all others, and the first such: it counts for nothing.
    pub(crate) is_stray: bool,
    /// A gap so long that nothing before it is waited for, or numbers that begin anew.
    pub(crate) is_restart: bool,
}

impl Track {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            numbers: Unwrapper::default(),
            first: 0,
            received: 0,
            passed_over: 0,
            awaited: None,
            reported: (0, 0),
            fraction: 0,
            missing: BTreeMap::new(),
            due: None,
            given_up: BTreeSet::new(),
            most,
            jitter: 0,
            transit: None,
            origin: None,
            clock: 90_000,
            allowance: Duration::ZERO,
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        self.numbers.highest().is_none()
    }

    /// Whether a number comes behind all that have come.
    pub(crate) fn is_newest(&self, number: u16) -> bool {
        self.numbers.highest() < Some(self.numbers.peek(number))
    }

    /// Notes that this number came. `repaired` came by RTX, RED or parity: it says nothing of reordering, and is lost by the count of the
    /// stream itself.
    pub(crate) fn note(&mut self, now: Instant, number: u16, repaired: bool) -> Noted {
        let sequence = self.numbers.peek(number);
        let noted = Noted {
            sequence,
            is_fresh: true,
            is_late: false,
            is_stray: false,
            is_restart: false,
        };
        let Some(highest) = self.numbers.highest() else {
            self.received += u64::from(!repaired);
            self.numbers.unwrap(number);
            self.first = sequence;
            return noted;
        };
        // RFC 3550 App. A.1: a number that is far from the others counts from its successor on.
        let ahead = number.wrapping_sub(highest as u16);
        let is_far = (MOST_DROPOUT..=u16::MAX - MOST_MISORDER + 1).contains(&ahead);
        if is_far && !self.missing.contains_key(&sequence) && !self.given_up.contains(&sequence) {
            if repaired || self.awaited.replace(number.wrapping_add(1)) != Some(number) {
                return Noted {
                    is_fresh: false,
                    is_stray: true,
                    ..noted
                };
            }
            return Noted {
                sequence: self.restart(highest, ahead),
                is_restart: true,
                ..noted
            };
        }
        // RFC 3550 App. A.3: packets as they arrive, late ones and duplicates included. RFC 4588 §6.2: repairs are reported on apart.
        self.received += u64::from(!repaired);
        let mut is_restart = false;
        let is_fresh = if sequence > highest {
            let gap = highest + 1..sequence;
            is_restart = gap.end - gap.start > self.most as u64;
            if is_restart {
                self.forget();
            } else {
                let next = now + self.allowance;
                let missing = Missing {
                    since: now,
                    next,
                    tries: 0,
                };
                if !gap.is_empty() {
                    self.due = Some(self.due.map_or(next, |due| due.min(next)));
                }
                self.missing.extend(gap.map(|it| (it, missing)));
                while self.missing.len() > self.most {
                    self.missing.pop_first();
                }
            }
            self.numbers.unwrap(number);
            true
        } else {
            let was = self.missing.remove(&sequence);
            if let Some(was) = was.filter(|_| !repaired) {
                let late = now.saturating_duration_since(was.since);
                self.allowance = self.allowance.max(late.min(MOST_ALLOWANCE));
            }
            was.is_some()
        };
        Noted {
            is_fresh,
            is_late: self.given_up.remove(&sequence),
            is_restart,
            ..noted
        }
    }

    /// The source counts from somewhere else: what lies between is not lost. Returns the extended number, which is higher than all before.
    fn restart(&mut self, highest: u64, ahead: u16) -> u64 {
        let sequence = highest + u64::from(ahead);
        self.forget();
        self.numbers.set(sequence);
        self.passed_over += u64::from(ahead) - 1;
        self.received += 1;
        sequence
    }

    /// Measures jitter by a packet that came in its own time (RFC 3550 §6.4.1).
    pub(crate) fn measure(&mut self, now: Instant, timestamp: u32) {
        let origin = *self.origin.get_or_insert(now);
        let elapsed = now.saturating_duration_since(origin).as_nanos();
        let arrival = (elapsed * u128::from(self.clock) / 1_000_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(last).cast_signed().unsigned_abs();
            self.jitter += difference.min(1 << 24);
            self.jitter -= (self.jitter.saturating_sub(difference.min(1 << 24)) + 8) >> 4;
        }
    }

    pub(crate) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    fn expected(&self) -> u64 {
        let all = |highest| highest - self.first.min(highest) + 1;
        self.numbers.highest().map_or(0, all) - self.passed_over
    }

    pub(crate) fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// What is reported now; the fraction is since the last time (RFC 3550 App. A.3).
    pub(crate) fn report(&mut self) -> Option<ReportBlock> {
        let highest = self.numbers.highest()?;
        let now = (self.expected(), self.received);
        let (expected, received) = (now.0 - self.reported.0, now.1 - self.reported.1);
        self.reported = now;
        let lost = expected.saturating_sub(received);
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        if expected > 0 {
            self.fraction = fraction as u8;
        }
        Some(ReportBlock {
            fraction: fraction as u8,
            lost: self.lost().clamp(-(1 << 23), (1 << 23) - 1) as i32,
            highest: (highest - (1 << 16)) as u32,
            jitter: self.jitter(),
            ..ReportBlock::default()
        })
    }

    /// Whether a tenth was lost of late.
    pub(crate) fn is_lossy(&self) -> bool {
        self.fraction >= TENTH
    }

    /// The numbers to ask for now; each is asked for again after a round trip.
    pub(crate) fn wanted(&mut self, now: Instant, again: Duration, most: usize) -> Vec<u16> {
        self.give_up_old(now);
        let due = self.missing.iter_mut().filter(|it| it.1.next <= now);
        let wanted = due.take(most).map(|(number, it)| {
            (it.next, it.tries) = (now + again, it.tries + 1);
            *number as u16
        });
        let wanted = wanted.collect();
        self.due = self.missing.values().map(|it| it.next).min();
        wanted
    }

    /// In the place of [`wanted`](Self::wanted) where nothing can be asked for: what is missing comes by itself, out of order or by
    /// parity, or not at all.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.give_up_old(now);
        self.due = None;
    }

    fn give_up_old(&mut self, now: Instant) {
        let is_hopeless = |it: &Missing| {
            it.tries >= MOST_TRIES || now.saturating_duration_since(it.since) >= MOST_AGE
        };
        let hopeless = self.missing.extract_if(.., |_, it| is_hopeless(it));
        self.given_up.extend(hopeless.map(|(number, _)| number));
        self.bound();
    }

    /// When to look at what is to be asked for.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.missing.is_empty())
    }

    /// Nothing below this is waited for any more.
    pub(crate) fn give_up(&mut self, below: u64) {
        if self
            .missing
            .first_key_value()
            .is_some_and(|it| *it.0 < below)
        {
            let rest = self.missing.split_off(&below);
            let gone = std::mem::replace(&mut self.missing, rest);
            self.given_up.extend(gone.into_keys());
            self.bound();
        }
    }

    /// Nothing that is missing is waited for any more.
    pub(crate) fn forget(&mut self) {
        let gone = std::mem::take(&mut self.missing);
        self.given_up.extend(gone.into_keys());
        self.bound();
    }

    fn bound(&mut self) {
        while self.given_up.len() > self.most {
            self.given_up.pop_first();
        }
    }
}

/// RFC 3550 App. A.1, `MAX_DROPOUT`: so many numbers may be lost in one go.
pub(crate) const MOST_DROPOUT: u16 = 3000;
/// As `MAX_MISORDER` there, which has 100: so far back a packet may come again, as in the window of SRTP.
const MOST_MISORDER: u16 = 1024;
const MOST_ALLOWANCE: Duration = Duration::from_millis(10);
/// Of 256.
const TENTH: u8 = 26;
const MOST_TRIES: u8 = 10;
const MOST_AGE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use oxirtc_netsim::{epoch, ms};

    #[test]
    fn a_gap_is_asked_for_until_it_is_filled() {
        let now = epoch();
        let mut track = Track::new(1000);
        assert!(track.note(now, 65_534, false).is_fresh);
        assert!(track.note(now, 1, false).is_fresh);
        assert_eq!(track.wanted(now, ms(50), 100), [65_535, 0]);
        assert_eq!(track.wanted(now + ms(49), ms(50), 100), []);
        assert!(track.note(now, 65_535, true).is_fresh);
        assert!(!track.note(now, 65_535, true).is_fresh, "a duplicate");
        assert!(!track.note(now, 65_533, false).is_fresh, "before the first");
        assert_eq!(track.wanted(now + ms(50), ms(50), 100), [0]);
        for round in 2..=9 {
            assert_eq!(track.wanted(now + ms(50 * round), ms(50), 9).len(), 1);
        }
        assert_eq!(track.wanted(now + ms(500), ms(50), 9), [], "ten times");
        assert_eq!((track.expected(), track.lost()), (4, 1));
        let report = track.report().unwrap();
        assert_eq!(
            (report.fraction, report.lost, report.highest),
            (64, 1, 65_537)
        );
        assert_eq!(track.report().unwrap().fraction, 0, "since the last one");
    }

    /// RFC 3550 App. A.3, RFC 4588 §6.2: what came by another way is lost all the same, and what came late is not.
    #[test]
    fn repairs_are_reported_as_losses() {
        let now = epoch();
        let mut track = Track::new(1000);
        for number in 0..100 {
            track.note(now, number, number % 10 == 5);
        }
        let report = track.report().unwrap();
        assert_eq!((report.lost, report.fraction), (10, 25));
        assert_eq!(track.lost(), 10);
        // One of them was only late: it was asked for in vain.
        assert!(!track.note(now, 15, false).is_fresh);
        track.note(now, 100, false);
        let report = track.report().unwrap();
        assert_eq!((report.lost, report.fraction), (9, 0));
    }

    #[test]
    fn what_is_only_reordered_is_learnt() {
        let now = epoch();
        let mut track = Track::new(1000);
        for number in [1, 3] {
            track.note(now, number, false);
        }
        track.note(now + ms(4), 2, false);
        track.note(now + ms(5), 5, false);
        assert_eq!(track.wanted(now + ms(8), ms(50), 9), []);
        assert_eq!(track.wanted(now + ms(9), ms(50), 9), [4]);
    }

    #[test]
    fn what_nobody_asks_for_comes_by_itself() {
        let now = epoch();
        let mut track = Track::new(1000);
        for number in [1, 3, 5] {
            track.note(now, number, false);
        }
        assert_eq!(track.due(), Some(now));
        track.wait(now);
        assert_eq!(track.due(), None);
        assert!(track.note(now + ms(40), 2, false).is_fresh);
        track.wait(now + ms(1000));
        let late = track.note(now + ms(1000), 4, false);
        assert_eq!((late.is_fresh, late.is_late), (false, true));
    }

    /// What comes when nobody waits for it any more is no duplicate; the next time it is one.
    #[test]
    fn what_was_given_up_comes_late_once() {
        let now = epoch();
        let mut track = Track::new(1000);
        for number in [1, 3, 5] {
            track.note(now, number, false);
        }
        track.give_up(65_536 + 3);
        let late = |noted: Noted| (noted.is_fresh, noted.is_late);
        assert_eq!(late(track.note(now, 2, false)), (false, true));
        assert_eq!(late(track.note(now, 2, false)), (false, false));
        assert_eq!(track.wanted(now + ms(2000), ms(50), 9), [], "too old");
        assert_eq!(late(track.note(now, 4, false)), (false, true));
        assert_eq!(late(track.note(now, 5, false)), (false, false));
        track.note(now, 1005, false);
        track.give_up(65_536 + 1005);
        track.note(now, 2005, false);
        track.give_up(65_536 + 2005);
        assert_eq!(track.given_up.len(), 1000, "bounded");
    }

    #[test]
    fn a_gap_too_long_is_a_restart() {
        let now = epoch();
        let mut track = Track::new(1000);
        track.note(now, 1, false);
        assert!(!track.note(now, 1002, false).is_restart);
        assert_eq!(track.missing.len(), 1000);
        track.note(now, 1004, false);
        assert_eq!(track.missing.len(), 1000, "the oldest is given up");
        assert!(track.note(now, 3000, false).is_restart);
        assert_eq!(track.due(), None);
        assert_eq!(track.lost(), 2996, "given up, and lost all the same");
    }

    /// RFC 3550 App. A.1: two in order make it, forwards and backwards, and what lies between was never sent (App. A.3).
    #[test]
    fn two_in_order_make_a_restart() {
        let now = epoch();
        for (highest, number, stray) in [
            (101, 3100, false),
            (101, 3101, true),
            (3001, 1978, false),
            (3001, 1977, true),
            (65_001, 2464, false),
            (65_001, 2465, true),
        ] {
            let mut track = Track::new(1000);
            track.note(now, highest, false);
            assert_eq!(track.note(now, number, false).is_stray, stray, "{number}");
        }
        for (from, to) in [(100, 3100), (3000, 20), (3000, 1900), (65_000, 2464)] {
            let mut track = Track::new(1000);
            track.note(now, from, false);
            let highest = track.note(now, from + 1, false).sequence;
            let first = track.note(now, to + 1, false);
            assert!(first.is_stray && !first.is_fresh && !first.is_restart);
            // Neither a repair nor another stray one makes it sure.
            assert!(track.note(now, to + 2, true).is_stray);
            assert!(track.note(now, to + 20_000, false).is_stray);
            assert!(track.note(now, to + 1, false).is_stray);
            assert_eq!((track.expected(), track.lost()), (2, 0));
            let second = track.note(now, to + 2, false);
            assert!(second.is_fresh && second.is_restart && second.sequence > highest);
            assert_eq!(second.sequence as u16, to + 2);
            assert_eq!((track.expected(), track.lost()), (3, 0), "{from} {to}");
            assert_eq!(track.report().unwrap().fraction, 0);
            assert!(track.note(now, to + 4, false).is_fresh);
            assert_eq!((track.expected(), track.lost()), (5, 1));
            assert_eq!(track.wanted(now, ms(50), 9), [to + 3]);
        }
    }

    /// What is known to be missing is awaited however far back it lies.
    #[test]
    fn what_is_missing_is_no_stray() {
        let now = epoch();
        let mut track = Track::new(3000);
        track.note(now, 1, false);
        track.note(now, 1900, false);
        track.note(now, 2900, false);
        assert!(track.note(now, 2, false).is_fresh);
        assert!(
            track.note(now, 2, false).is_stray,
            "and then it is known no more"
        );
    }

    #[test]
    fn jitter_follows_the_transit() {
        let mut track = Track::new(1000);
        track.clock = 8000;
        for packet in 0..200 {
            // Every second packet is 4 ms late: 32 units each way.
            let late = if packet % 2 == 1 { ms(4) } else { ms(0) };
            track.measure(epoch() + ms(20 * packet) + late, packet as u32 * 160);
        }
        assert!((28..=32).contains(&track.jitter()), "{}", track.jitter());
    }
}
