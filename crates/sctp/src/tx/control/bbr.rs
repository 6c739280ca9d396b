//! Congestion control by a model of the path (draft-ietf-ccwg-bbr): what it delivers and how short it is.

mod cycle;
mod model;
mod probe;

use std::time::{Duration, Instant};

use self::{cycle::Cycle, model::Model};
use super::{
    controller::{Acked, Controller, Saved},
    rate::Verdict,
};

/// The window follows the path's bandwidth and its shortest round trip, and not each loss: only where more than one packet
/// in fifty is lost, the path is taken to be full.
#[derive(Debug)]
pub(crate) struct Bbr {
    state: State,
    model: Model,
    cycle: Cycle,
    window: usize,
    /// The window before it was made small for a while.
    prior_window: usize,
    pacing_rate: u64,
    packet: usize,
    initial: usize,
    trip: Trip,
    /// The round in which it began to drain what had queued up.
    drain_round: u64,
    timed_out: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The rate doubles each round until the path delivers no more.
    Startup,
    /// What that has queued up drains.
    Drain,
    /// A little less than the path delivers.
    Down,
    /// What it delivers.
    Cruise,
    /// What it delivers, with all of the window: before asking for more.
    Refill,
    /// More than it delivers, to see.
    Up,
    /// Almost nothing, to see how short the path is.
    ProbeRtt,
}

/// The shortest round trip, and when to look at it again.
#[derive(Debug)]
struct Trip {
    least: Option<Duration>,
    least_at: Option<Instant>,
    probe: Option<Duration>,
    probe_at: Option<Instant>,
    done_at: Option<Instant>,
    round_done: bool,
    /// Nothing was sent for a while, so no queue stood: the next answer is as good as a probe.
    rested: bool,
}

impl Bbr {
    pub(crate) fn new(packet: usize, initial: usize) -> Self {
        Self {
            state: State::Startup,
            model: Model::new(),
            cycle: Cycle::new(),
            window: initial,
            prior_window: 0,
            pacing_rate: 0,
            packet,
            initial,
            trip: Trip {
                least: None,
                least_at: None,
                probe: None,
                probe_at: None,
                done_at: None,
                round_done: false,
                rested: false,
            },
            drain_round: 0,
            timed_out: false,
        }
    }

    /// Everything that follows from a verdict.
    pub(crate) fn on_verdict(&mut self, verdict: &Verdict) {
        if std::mem::take(&mut self.timed_out) {
            self.window = self.window.max(self.prior_window);
        }
        let probing = matches!(self.state, State::Startup | State::Refill | State::Up);
        self.model
            .update(verdict, probing, self.cycle.count, self.window);
        if let Some(lost) = verdict.lost {
            self.handle_loss(verdict, lost);
        }
        self.leave_startup(verdict);
        // §5.3.2: what drains no further was taken for more than the path delivers.
        let waited = self.model.rounds > self.drain_round + DRAIN_ROUNDS;
        if self.state == State::Drain && (waited || verdict.flight <= self.bdp(100)) {
            self.start_down(verdict.now);
        }
        self.update_cycle(verdict);
        self.update_trip(verdict);
        self.model.advance(verdict);
        self.set_pace();
        self.set_window(verdict);
    }

    /// Bytes a second: the most that the path was seen to deliver.
    pub(crate) fn most(&self) -> u64 {
        self.model.most()
    }

    pub(crate) fn pacing_rate(&self) -> Option<u64> {
        (self.pacing_rate > 0).then_some(self.pacing_rate)
    }

    /// The bandwidth-delay product, in hundredths of itself.
    fn bdp(&self, percent: u64) -> usize {
        let Some(least) = self.trip.least else {
            return self.initial;
        };
        let bytes = u128::from(self.model.bandwidth()) * least.as_micros() / 1_000_000;
        (bytes * u128::from(percent) / 100) as usize
    }

    fn least_window(&self) -> usize {
        MIN_PACKETS * self.packet
    }

    /// §5.3.1: the path delivers no more, or loses too much.
    fn leave_startup(&mut self, verdict: &Verdict) {
        if self.state != State::Startup {
            return;
        }
        if self.model.is_losing() {
            self.model.full = true;
            self.cycle.ceiling = self.bdp(100).max(self.model.inflight_latest as usize);
        }
        if self.model.full {
            self.state = State::Drain;
            self.drain_round = self.model.rounds;
            self.cycle.stamp = Some(verdict.now);
        }
    }

    /// §5.3.4.3: how short the path is, is only seen with an empty queue.
    fn update_trip(&mut self, verdict: &Verdict) {
        let now = verdict.now;
        let older = |at: Option<Instant>, span| at.is_none_or(|at| now.duration_since(at) > span);
        let expired = self.trip.probe.is_some() && older(self.trip.probe_at, PROBE_RTT_INTERVAL);
        if let Some(sample) = verdict.round_trip {
            if expired || self.trip.probe.is_none_or(|probe| sample <= probe) {
                (self.trip.probe, self.trip.probe_at) = (Some(sample), Some(now));
            }
            let stale = older(self.trip.least_at, LEAST_SPAN);
            let probe = self.trip.probe.unwrap_or(sample);
            if stale || self.trip.least.is_none_or(|least| probe <= least) {
                (self.trip.least, self.trip.least_at) = (Some(probe), self.trip.probe_at);
            }
        }
        let rested = self.trip.rested;
        self.trip.rested &= verdict.acked == 0;
        if self.state != State::ProbeRtt {
            if expired && !rested && verdict.round_trip.is_some() {
                self.state = State::ProbeRtt;
                self.prior_window = self.window;
                self.trip.done_at = None;
                self.cycle.stop_probing();
                self.model.start_round(verdict.sample.total);
            }
            return;
        }
        match self.trip.done_at {
            None if verdict.flight <= self.probe_window() => {
                self.trip.done_at = Some(now + PROBE_RTT_TIME);
                self.trip.round_done = false;
                self.model.start_round(verdict.sample.total);
            }
            None => {}
            Some(done) => {
                self.trip.round_done |= self.model.round_start;
                if self.trip.round_done && now > done {
                    self.end_probe_rtt(now);
                }
            }
        }
    }

    fn end_probe_rtt(&mut self, now: Instant) {
        self.trip.probe_at = Some(now);
        self.window = self.window.max(self.prior_window);
        self.model.forget_short();
        if self.model.full {
            self.start_down(now);
            self.state = State::Cruise;
        } else {
            self.state = State::Startup;
        }
    }

    /// Half of what the path holds.
    fn probe_window(&self) -> usize {
        self.bdp(50).max(self.least_window())
    }

    /// §5.6.2.
    fn set_pace(&mut self) {
        let gain = match self.state {
            State::Startup => 277,
            State::Drain => 50,
            State::Down => 90,
            State::Up => 125,
            State::Cruise | State::Refill | State::ProbeRtt => 100,
        };
        // A hundredth less, so that no queue stands.
        let rate = self.model.bandwidth() / 100 * gain / 100 * 99;
        if rate > 0 && (self.model.full || rate > self.pacing_rate) {
            self.pacing_rate = rate;
        }
    }

    /// §5.6.4.
    fn set_window(&mut self, verdict: &Verdict) {
        let gain = if self.state == State::Up { 225 } else { 200 };
        // The peer answers batches, and the pacer sends quanta: both need room.
        let most = (self.bdp(gain) + self.model.extra() + 4 * self.quantum()).max(4 * self.packet);
        if self.model.full {
            self.window = (self.window + verdict.acked).min(most);
        } else if self.window < most || verdict.sample.total < self.initial as u64 {
            self.window += verdict.acked;
        }
        let with_headroom = self.cycle.with_headroom(self.packet);
        let cap = match self.state {
            State::Cruise | State::ProbeRtt => with_headroom,
            State::Down | State::Refill | State::Up => self.cycle.ceiling,
            State::Startup | State::Drain => usize::MAX,
        };
        let cap = cap.min(self.model.inflight_short).max(self.least_window());
        self.window = self.window.max(self.least_window()).min(cap);
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_window());
        }
    }

    /// What leaves at once, about: a millisecond.
    fn quantum(&self) -> usize {
        let millisecond = self.pacing_rate as usize / 1000;
        millisecond.min(64 << 10).max(2 * self.packet)
    }
}

impl Controller for Bbr {
    /// What a verdict says it hears by `on_verdict`.
    fn on_acked(&mut self, _acked: &Acked) {}

    /// Losses count by their share, in `on_verdict`.
    fn on_lost(&mut self, _now: Instant) {}

    fn on_timeout(&mut self, _now: Instant, repeated: bool) {
        if !repeated {
            self.prior_window = self.window;
        }
        self.timed_out = true;
        self.window = self.packet;
    }

    fn on_spurious(&mut self, saved: Saved) {
        self.window = self.window.max(saved.window as usize);
        self.model.forget_short();
    }

    fn save(&self) -> Saved {
        Saved {
            window: self.window as f64,
            threshold: f64::INFINITY,
            maximum: 0.0,
            prior: 0.0,
        }
    }

    /// The model keeps: it paces, so nothing bursts out of an old window (§5.4).
    fn on_idle(&mut self, idle: Duration, rto: Duration) {
        self.trip.rested |= idle >= rto;
    }

    fn on_packet_size(&mut self, packet: usize) {
        self.packet = packet;
    }

    fn window(&self) -> usize {
        self.window
    }

    fn threshold(&self) -> usize {
        if self.model.full { 0 } else { usize::MAX }
    }
}

/// MinPipeCwnd.
pub(crate) const MIN_PACKETS: usize = 4;
const DRAIN_ROUNDS: u64 = 3;
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);
const LEAST_SPAN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
