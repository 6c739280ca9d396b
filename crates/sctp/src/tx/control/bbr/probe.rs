//! Asking the path for more, and what follows from what it bore (§5.3.3).

use std::time::{Duration, Instant};

use super::{
    super::rate::{Lost, Verdict},
    Bbr, State,
    cycle::Feedback,
    model::{BETA, is_too_high},
};

impl Bbr {
    pub(super) fn handle_loss(&mut self, verdict: &Verdict, lost: Lost) {
        if self.cycle.sampling && is_too_high(lost.in_flight, lost.since) {
            self.bear_less(verdict, lost.in_flight);
        }
    }

    /// §5.5.10.2.
    fn bear_less(&mut self, verdict: &Verdict, in_flight: usize) {
        self.cycle.sampling = false;
        if !verdict.sample.app_limited {
            let target = self.bdp(100).min(self.window);
            self.cycle.ceiling = in_flight.max(target / 100 * BETA as usize);
        }
        if self.state == State::Up {
            self.start_down(verdict.now);
        }
    }

    pub(super) fn update_cycle(&mut self, verdict: &Verdict) {
        if !self.model.full {
            return;
        }
        self.adapt_ceiling(verdict);
        let (now, state) = (verdict.now, self.state);
        match state {
            State::Down if self.is_time_to_probe(now) => self.start_refill(now),
            State::Down => {
                let few = self.cycle.with_headroom(self.packet).min(self.bdp(100));
                if verdict.flight <= few.max(self.least_window()) {
                    self.state = State::Cruise;
                }
            }
            State::Cruise if self.is_time_to_probe(now) => self.start_refill(now),
            State::Refill if self.model.round_start => {
                self.cycle.sampling = true;
                self.start_up(verdict);
            }
            State::Up if self.is_time_to_go_down(verdict) => self.start_down(now),
            _ => {}
        }
    }

    fn adapt_ceiling(&mut self, verdict: &Verdict) {
        let started = self.model.round_start;
        if started && self.cycle.feedback == Feedback::Starting {
            self.cycle.feedback = Feedback::Probe;
        } else if started && self.cycle.feedback == Feedback::Stopping {
            self.cycle.feedback = Feedback::None;
            self.cycle.sampling = false;
            if !matches!(self.state, State::Startup | State::Drain | State::ProbeRtt)
                && !verdict.sample.app_limited
            {
                self.cycle.count += 1;
            }
        }
        let sample = &verdict.sample;
        if is_too_high(sample.in_flight, sample.lost) {
            if self.cycle.sampling {
                self.bear_less(verdict, sample.in_flight);
            }
            return;
        }
        if self.cycle.ceiling == usize::MAX {
            return;
        }
        self.cycle.ceiling = self.cycle.ceiling.max(sample.in_flight);
        if self.state == State::Up {
            self.raise_ceiling(verdict);
        }
    }

    /// §5.3.3.6: slowly at first, then ever faster.
    fn raise_ceiling(&mut self, verdict: &Verdict) {
        if !verdict.limited || self.window < self.cycle.ceiling {
            return;
        }
        self.cycle.up_acked += verdict.acked;
        if let Some(more) = self.cycle.up_acked.checked_div(self.cycle.up_count) {
            self.cycle.up_acked -= more * self.cycle.up_count;
            self.cycle.ceiling += more * self.packet;
        }
        if self.model.round_start {
            self.raise_slope();
        }
    }

    fn raise_slope(&mut self) {
        let packets = 1usize << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
        self.cycle.up_count = (self.window / packets).max(1);
    }

    fn is_time_to_probe(&mut self, now: Instant) -> bool {
        self.cycle.rounds_since += u64::from(self.model.round_start);
        let waited = self
            .cycle
            .stamp
            .is_none_or(|at| now.saturating_duration_since(at) > self.cycle.wait);
        // §5.3.3.5.2: as often as a NewReno flow of this window would have grown back.
        let rounds = (self.bdp(100) / self.packet).clamp(1, 63) as u64;
        waited || self.cycle.rounds_since >= rounds
    }

    fn is_time_to_go_down(&mut self, verdict: &Verdict) -> bool {
        if verdict.limited && self.window >= self.cycle.ceiling {
            self.model.reset_full(verdict.sample.rate.unwrap_or(0));
            return false;
        }
        self.model.full_now
    }

    pub(super) fn start_down(&mut self, now: Instant) {
        self.model.forget_congestion();
        self.cycle.up_count = usize::MAX;
        // Not all at once: flows that began together drift apart.
        let spread = self.model.rounds.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        self.cycle.wait = Duration::from_millis(2000 + spread);
        self.cycle.rounds_since = spread % 2;
        self.cycle.stamp = Some(now);
        self.cycle.feedback = Feedback::Stopping;
        self.cycle.sampling &= self.state == State::Up;
        if matches!(self.state, State::Up | State::Drain) {
            self.model.probed_until = Some(now);
        }
        self.state = State::Down;
    }

    fn start_refill(&mut self, now: Instant) {
        self.model.forget_short();
        (self.cycle.up_rounds, self.cycle.up_acked) = (0, 0);
        self.cycle.stamp = Some(now);
        self.cycle.feedback = Feedback::None;
        self.cycle.sampling = false;
        self.state = State::Refill;
        self.model.restart_round();
    }

    fn start_up(&mut self, verdict: &Verdict) {
        self.cycle.feedback = Feedback::Starting;
        self.model.reset_full(verdict.sample.rate.unwrap_or(0));
        self.cycle.stamp = Some(verdict.now);
        self.state = State::Up;
        self.raise_slope();
    }
}
