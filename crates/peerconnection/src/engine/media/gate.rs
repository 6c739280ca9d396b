//! Where packets wait before they are numbered and encrypted.
//!
//! It spreads what one frame brings over the time until the next one, and parts what leaves into bursts. It bounds no rate: what a
//! writer writes in the time of a frame leaves in it. A controller of the rate will stand here.

use std::time::{Duration, Instant};

use oxirtc_rtp::{Class, Head};

/// Lets packets out one after the other.
#[derive(Debug)]
pub(in crate::engine) struct Gate {
    /// How many packets of what waits need not be spread.
    credit: u32,
    /// How many have left without a pause between them.
    burst: u32,
    /// When the last packet left.
    left: Option<Instant>,
    /// When the last frame of video came, and how long after one another they come.
    frame: Option<Instant>,
    interval: Duration,
    /// How many packets wait, as it was asked last.
    waiting: u32,
    /// Until then nothing is let out.
    opens: Option<Instant>,
}

impl Gate {
    pub(in crate::engine) fn new() -> Self {
        Self {
            credit: BURST,
            burst: 0,
            left: None,
            frame: None,
            interval: USUAL,
            waiting: 0,
            opens: None,
        }
    }

    /// A frame of video has come.
    pub(in crate::engine) fn frame(&mut self, now: Instant) {
        let gap = self.frame.replace(now);
        let gap = gap.map(|last| now.saturating_duration_since(last));
        if let Some(gap) = gap {
            // Layers come together, and a picture sometimes late: what counts is how they come on the whole.
            self.interval = (self.interval * 3 + gap.min(LONGEST)) / 4;
        }
        self.credit = BURST;
        // What waits of the picture before has had its time.
        if gap.is_some_and(|gap| gap >= TOGETHER) {
            self.credit += self.waiting;
        }
    }

    /// Whether the head of the line may leave.
    pub(in crate::engine) fn opens(&mut self, now: Instant, head: &Head) -> bool {
        // Audio is charged and never held: it is little, and late audio is worth nothing.
        if head.class == Class::Audio {
            return true;
        }
        self.waiting = u32::try_from(head.backlog).unwrap_or(u32::MAX / 2);
        self.opens = self.pause(now).max(self.spread(now));
        self.opens.is_none()
    }

    /// Until when nothing leaves, as enough has left without a pause.
    fn pause(&self, now: Instant) -> Option<Instant> {
        let end = self.left? + PAUSE;
        (self.burst >= BURST && now < end).then_some(end)
    }

    /// Until when what waits of a frame is held, so that it takes the time of one.
    fn spread(&mut self, now: Instant) -> Option<Instant> {
        let end = self.frame.map(|at| at + self.interval);
        if end.is_none_or(|end| now >= end) {
            self.credit = BURST;
        }
        if self.credit > 0 {
            return None;
        }
        let left = self.left?;
        let rest = end?.saturating_duration_since(left);
        let pace = (rest / self.waiting.max(1)).max(Duration::from_nanos(1));
        // A few at a time: each by itself would cost as much as a batch, and the clock goes on meanwhile.
        let next = left + pace.max(GRAIN);
        if now < next {
            return Some(next);
        }
        // Timers come late, and their grain is coarse: what could have left meanwhile leaves at once.
        let since = now.saturating_duration_since(left).as_nanos();
        let earned = u32::try_from(since / pace.as_nanos());
        self.credit = earned.unwrap_or(u32::MAX).max(1);
        None
    }

    /// A packet has left.
    pub(in crate::engine) fn passed(&mut self, now: Instant) {
        let pause = self.left.map(|at| at + PAUSE);
        if pause.is_none_or(|pause| now >= pause) {
            self.burst = 0;
        }
        self.burst += 1;
        self.left = Some(now);
        self.credit = self.credit.saturating_sub(1);
    }

    /// When a packet that is held may leave.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<Instant> {
        self.opens
    }

    /// What waits is held for a pause between two bursts only, which is shorter than most timers are fine.
    pub(in crate::engine) fn is_pausing(&self) -> bool {
        let end = self.left.map(|at| at + PAUSE);
        self.opens.is_some() && self.opens == end
    }

    /// Nothing waits any more.
    pub(in crate::engine) fn idle(&mut self) {
        (self.opens, self.waiting) = (None, 0);
    }

    /// What was held is asked for again where there is a way for it; where there is none, nothing is due.
    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant) {
        self.opens = self.opens.filter(|at| *at > now);
    }
}

/// So many packets may leave without a pause between them.
const BURST: u32 = 64;
const USUAL: Duration = Duration::from_millis(33);
const LONGEST: Duration = Duration::from_millis(100);
/// Pictures that come within so long a time are layers of one, or those of several cameras.
const TOGETHER: Duration = Duration::from_millis(5);
/// Between two bursts. A link of 10 Gbit/s has carried the first by then.
const PAUSE: Duration = Duration::from_micros(100);
/// Between what leaves at once and what follows it, where a frame is spread.
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

    /// A gate that has let small pictures out, so long apart, of which the last comes now.
    fn gate_at(now: Instant, apart: Duration) -> Gate {
        let mut gate = Gate::new();
        for count in (0..100).rev() {
            let at = now - apart * count;
            gate.frame(at);
            if count > 0 {
                assert_eq!(burst(&mut gate, at, &mut 20), 20);
            }
        }
        gate
    }

    /// How many of the packets that are left leave now.
    fn burst(gate: &mut Gate, now: Instant, left: &mut usize) -> usize {
        let before = *left;
        while *left > 0 && gate.opens(now, &head(Class::Video, *left)) {
            gate.passed(now);
            *left -= 1;
        }
        if *left == 0 {
            gate.idle();
        }
        before - *left
    }

    /// A key frame of 300 packets: 64 at once, and the rest within the time of one frame.
    #[test]
    fn a_large_frame_is_spread_over_its_time() {
        let mut now = epoch();
        let mut gate = gate_at(now, ms(40));
        let mut left = 300;
        let mut bursts = Vec::new();
        while left > 0 {
            bursts.push(burst(&mut gate, now, &mut left));
            assert!(!gate.is_pausing());
            now = gate.poll_timeout().unwrap_or(now);
        }
        assert_eq!(bursts[0], 64);
        assert!(bursts[1..].iter().all(|it| *it <= 2), "{bursts:?}");
        let took = now - epoch();
        assert!(took <= ms(41) && took >= ms(39), "{took:?}");
    }

    /// A timer that comes each millisecond, or rarer, lets as many packets out as one that comes in time.
    #[test]
    fn coarse_timers_spread_a_frame_as_well() {
        for grain in [1, 3, 5] {
            let mut now = epoch();
            let mut gate = gate_at(now, ms(33));
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
        let mut gate = gate_at(now, ms(10));
        let (mut left, mut bursts) = (500, Vec::new());
        while left > 0 {
            let burst = burst(&mut gate, now, &mut left);
            bursts.extend((burst > 0).then_some(burst));
            now += Duration::from_micros(10);
        }
        assert!(bursts.len() <= 41 && bursts[0] == 64, "{bursts:?}");
        assert!(now - epoch() <= ms(11), "{:?}", now - epoch());
    }

    /// What the next picture finds waiting has had its time: it leaves without being spread again, and still in bursts.
    #[test]
    fn a_frame_takes_the_time_of_one_at_most() {
        let mut now = epoch();
        // Pictures come faster from now on.
        let mut gate = gate_at(now, ms(66));
        let mut left = 500;
        while now < epoch() + ms(30) {
            burst(&mut gate, now, &mut left);
            now += ms(1);
        }
        assert!(left > 200, "it is spread: {left}");
        gate.frame(now);
        left += 20;
        let next = now;
        while left > 0 {
            assert!(burst(&mut gate, now, &mut left) <= 64);
            assert!(left == 0 || gate.is_pausing());
            now = gate.poll_timeout().unwrap_or(now);
        }
        assert!(now - next < ms(1), "{:?}", now - next);
    }

    /// When the time of a frame has passed, what is left of it goes at once, however shortly after the packet before.
    #[test]
    fn what_has_had_its_time_is_not_held() {
        let begin = epoch();
        let mut gate = gate_at(begin, ms(33));
        let end = begin + gate.interval;
        let mut left = 74;
        assert_eq!(burst(&mut gate, begin, &mut left), 64);
        assert_eq!(burst(&mut gate, end - PAUSE / 2, &mut left), 9);
        assert_eq!(burst(&mut gate, end, &mut left), 1);
    }

    /// A picture that comes after a long pause is spread over a tenth of a second at most.
    #[test]
    fn a_pause_is_no_time_to_spread_over() {
        let begin = epoch() + Duration::from_secs(60);
        let mut gate = gate_at(epoch(), ms(33));
        gate.frame(begin);
        let (mut now, mut left) = (begin, 500);
        while left > 0 {
            burst(&mut gate, now, &mut left);
            now += ms(1);
        }
        assert!(now - begin <= ms(101), "{:?}", now - begin);
    }

    /// A layer that comes a moment after another lets nothing of that one go at once.
    #[test]
    fn what_comes_together_has_not_had_its_time() {
        let now = epoch();
        let mut gate = gate_at(now, ms(33));
        let mut left = 400;
        assert_eq!(burst(&mut gate, now, &mut left), 64);
        let later = now + ms(1);
        gate.frame(later);
        let mut gone = burst(&mut gate, later, &mut left);
        gone += burst(&mut gate, later + Duration::from_micros(200), &mut left);
        assert!(gone <= 70, "{gone}");
    }

    /// Three layers of one picture: the largest comes last, and is spread nevertheless.
    #[test]
    fn layers_come_together_and_are_spread() {
        let mut now = epoch();
        let mut gate = Gate::new();
        for _ in 0..30 {
            for _ in 0..3 {
                gate.frame(now);
                burst(&mut gate, now, &mut 5);
            }
            now += ms(33);
        }
        let (begin, mut left, mut bursts) = (now, 0, Vec::new());
        for packets in [40, 100, 260] {
            gate.frame(now);
            left += packets;
            bursts.push(burst(&mut gate, now, &mut left));
        }
        assert_eq!(bursts.iter().sum::<usize>(), 64, "{bursts:?}");
        while left > 0 {
            now += ms(1);
            assert!(burst(&mut gate, now, &mut left) <= 64);
        }
        let took = now - begin;
        assert!(took >= ms(5) && took <= ms(33), "{took:?}");
    }

    /// Frames without an end, as fast as they go: no burst is above 64 packets, a pause stands between any two, and nothing else
    /// holds them up.
    #[test]
    fn what_is_written_faster_leaves_faster() {
        let (mut now, mut gate) = (epoch(), Gate::new());
        let (mut left, mut sent) = (0, 0);
        let (mut since_pause, mut last) = (0, None::<Instant>);
        while now < epoch() + ms(100) {
            while left < 512 {
                gate.frame(now);
                left += 20;
            }
            let count = burst(&mut gate, now, &mut left);
            if count > 0 {
                if last.is_some_and(|last| now - last >= PAUSE) {
                    since_pause = 0;
                }
                (since_pause, last) = (since_pause + count, Some(now));
                assert!(since_pause <= 64, "{since_pause}");
            }
            sent += count;
            now += Duration::from_micros(10);
        }
        assert!(sent >= 60_000, "{sent}");
    }

    #[test]
    fn audio_is_never_held() {
        let now = epoch();
        let mut gate = Gate::new();
        for _ in 0..BURST {
            assert!(gate.opens(now, &head(Class::Video, 100)));
            gate.passed(now);
        }
        assert!(!gate.opens(now, &head(Class::Video, 100)));
        assert!(gate.poll_timeout().is_some_and(|at| at > now));
        assert!(gate.opens(now, &head(Class::Audio, 1)));
        gate.idle();
        assert_eq!(gate.poll_timeout(), None);
    }

    /// Where what is held cannot leave at all, the time at which it might have is none that anybody waits for again and again.
    #[test]
    fn a_time_that_has_passed_is_not_due_any_more() {
        let mut now = epoch();
        let mut gate = gate_at(now, ms(33));
        burst(&mut gate, now, &mut 100);
        let due = gate.poll_timeout().unwrap();
        gate.handle_timeout(now);
        assert_eq!(gate.poll_timeout(), Some(due));
        now = due;
        gate.handle_timeout(now);
        assert_eq!(gate.poll_timeout(), None);
        assert!(burst(&mut gate, now, &mut 36) > 0, "there is a way again");
    }
}
