//! Where packets wait before they are numbered and encrypted.
//!
//! It spreads what one frame brings over the time until the next one. A controller of the rate will stand here.

use std::time::{Duration, Instant};

use oxirtc_rtp::{Class, Head};

/// Lets packets out one after the other.
#[derive(Debug)]
pub(in crate::engine) struct Gate {
    /// How many packets may leave at once.
    credit: u32,
    /// When that was as much as it can be.
    refilled: Option<Instant>,
    /// The credit was earned by waiting.
    is_earned: bool,
    /// When the last packet left.
    left: Option<Instant>,
    /// When the last packet left at once; behind it, until when what was earned has been counted.
    passed: Option<Instant>,
    /// When the last frame of video came, and how long after the one before.
    frame: Option<Instant>,
    interval: Duration,
    /// Until then nothing is let out.
    opens: Option<Instant>,
    pub(in crate::engine) stats: GateStats,
}

/// What a gate has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct GateStats {
    /// How often a packet was held.
    pub(in crate::engine) held: u64,
    /// Packets and bytes of audio.
    pub(in crate::engine) audio: (u64, u64),
    /// Of everything else.
    pub(in crate::engine) others: (u64, u64),
}

impl Gate {
    pub(in crate::engine) fn new() -> Self {
        Self {
            credit: BURST,
            refilled: None,
            is_earned: false,
            left: None,
            passed: None,
            frame: None,
            interval: USUAL,
            opens: None,
            stats: GateStats::default(),
        }
    }

    /// A frame of video has come.
    pub(in crate::engine) fn frame(&mut self, now: Instant) {
        if let Some(last) = self.frame.replace(now) {
            let interval = now.saturating_duration_since(last);
            self.interval = interval.clamp(SHORTEST, LONGEST);
        }
        self.refill(now);
    }

    /// Whether the head of the line may leave.
    pub(in crate::engine) fn opens(&mut self, now: Instant, head: &Head) -> bool {
        // Audio is charged and never held: it is little, and late audio is worth nothing.
        if head.class == Class::Audio {
            return true;
        }
        let end = self.frame.map(|at| at + self.interval);
        if end.is_none_or(|end| now >= end) {
            self.refill(now);
        }
        if self.credit > 0 {
            self.opens = None;
            return true;
        }
        // A few at a time: each by itself would cost as much as a batch, and the clock goes on meanwhile.
        let soonest = self.left.map(|at| at + GRAIN);
        let next = match self.pace(end, head.backlog) {
            Some((passed, pace)) => {
                if soonest.is_none_or(|soonest| now >= soonest) {
                    self.earn(now, passed, pace);
                }
                soonest.max(self.passed.map(|passed| passed + pace))
            }
            None => self.refilled.map(|at| at + SHORTEST),
        };
        if self.credit > 0 || next.is_none_or(|next| now >= next) {
            self.credit = self.credit.max(1);
            self.opens = None;
            return true;
        }
        if self.opens != next {
            self.stats.held += 1;
        }
        self.opens = next;
        false
    }

    /// From when on a packet may leave in each so long a time: what waits is spread over the rest of the time of its frame.
    fn pace(&self, end: Option<Instant>, waiting: usize) -> Option<(Instant, Duration)> {
        let passed = self.passed?;
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        let left = end?.saturating_duration_since(passed);
        (!left.is_zero()).then(|| (passed, (left / waiting).max(Duration::from_nanos(1))))
    }

    /// Timers come late, and their grain is coarse: what could have left meanwhile leaves at once, within a burst.
    fn earn(&mut self, now: Instant, passed: Instant, pace: Duration) {
        let since = now.saturating_duration_since(passed).as_nanos();
        let count = u32::try_from(since / pace.as_nanos()).unwrap_or(u32::MAX);
        if count > 0 {
            self.is_earned = true;
            self.credit = count.min(BURST);
            self.passed = Some(if count > BURST {
                now
            } else {
                passed + pace * count
            });
        }
    }

    fn refill(&mut self, now: Instant) {
        let due = |at: Instant| now.saturating_duration_since(at) >= SHORTEST;
        if self.refilled.is_none_or(due) {
            self.refilled = Some(now);
            self.is_earned = false;
            self.credit = BURST;
        }
    }

    /// A packet has left.
    pub(in crate::engine) fn passed(&mut self, now: Instant, class: Class, bytes: usize) {
        self.left = Some(now);
        if !self.is_earned {
            self.passed = Some(now);
        }
        self.credit = self.credit.saturating_sub(1);
        let (packets, sum) = match class {
            Class::Audio => &mut self.stats.audio,
            _ => &mut self.stats.others,
        };
        *packets += 1;
        *sum += bytes as u64;
    }

    /// When a packet that is held may leave.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<Instant> {
        self.opens
    }

    /// Nothing waits any more.
    pub(in crate::engine) fn idle(&mut self) {
        self.opens = None;
    }
}

/// So many packets may leave without a pause between them.
const BURST: u32 = 64;
const USUAL: Duration = Duration::from_millis(33);
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);
/// Between what leaves at once and what follows it.
const GRAIN: Duration = Duration::from_micros(250);

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms};

    use super::*;

    fn head(class: Class, backlog: usize) -> Head {
        Head {
            class,
            len: 1000,
            backlog,
        }
    }

    /// How many of the packets that are left leave now.
    fn burst(gate: &mut Gate, now: Instant, left: &mut usize) -> usize {
        let before = *left;
        while *left > 0 && gate.opens(now, &head(Class::Video, *left)) {
            gate.passed(now, Class::Video, 1000);
            *left -= 1;
        }
        before - *left
    }

    /// A key frame of 300 packets: 64 at once, and the rest within the time of one frame.
    #[test]
    fn a_large_frame_is_spread_over_its_time() {
        let mut now = epoch();
        let mut gate = Gate::new();
        gate.frame(now - ms(40));
        gate.frame(now);
        let mut left = 300;
        let mut bursts = Vec::new();
        while left > 0 {
            bursts.push(burst(&mut gate, now, &mut left));
            now = gate.poll_timeout().unwrap_or(now);
        }
        assert_eq!(bursts[0], 64);
        assert!(bursts[1..].iter().all(|it| *it <= 2), "{bursts:?}");
        assert!(now - epoch() <= ms(41), "{:?}", now - epoch());
    }

    /// A timer that comes each millisecond, or rarer, lets as many packets out as one that comes in time.
    #[test]
    fn coarse_timers_spread_a_frame_as_well() {
        for grain in [1, 3, 5] {
            let mut now = epoch();
            let mut gate = Gate::new();
            gate.frame(now - ms(33));
            gate.frame(now);
            let (mut left, mut bursts) = (400, Vec::new());
            while left > 0 {
                bursts.push(burst(&mut gate, now, &mut left));
                assert!(gate.poll_timeout().is_some() || left == 0);
                now += ms(grain);
            }
            assert!(bursts.iter().all(|it| *it <= 64), "{bursts:?}");
            let took = now - epoch();
            assert!(
                took <= ms(33 + 2 * grain),
                "{grain} ms: {took:?}, {bursts:?}"
            );
            assert!(took >= ms(30), "{took:?}, {bursts:?}");
        }
    }

    /// Who is asked again and again gives packets out in batches, not one by one, and no fewer for it.
    #[test]
    fn what_is_spread_leaves_a_few_at_a_time() {
        let mut now = epoch();
        let mut gate = Gate::new();
        gate.frame(now - ms(10));
        gate.frame(now);
        let (mut left, mut bursts) = (500, Vec::new());
        while left > 0 {
            let burst = burst(&mut gate, now, &mut left);
            bursts.extend((burst > 0).then_some(burst));
            now += Duration::from_micros(10);
        }
        assert!(bursts.len() <= 41 && bursts[0] == 64, "{bursts:?}");
        assert!(now - epoch() <= ms(11), "{:?}", now - epoch());
    }

    #[test]
    fn audio_is_never_held() {
        let now = epoch();
        let mut gate = Gate::new();
        for _ in 0..BURST {
            assert!(gate.opens(now, &head(Class::Video, 100)));
            gate.passed(now, Class::Video, 1000);
        }
        assert!(!gate.opens(now, &head(Class::Video, 100)));
        assert!(gate.poll_timeout().is_some_and(|at| at > now));
        assert!(gate.opens(now, &head(Class::Audio, 1)));
        gate.idle();
        assert_eq!(gate.poll_timeout(), None);
    }
}
