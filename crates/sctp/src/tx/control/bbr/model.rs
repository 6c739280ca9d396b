//! What the path is like: its bandwidth, and what of it there is at the moment.

use std::time::Instant;

use super::super::rate::Verdict;

/// The long view, the short one, and the rounds they are taken by.
#[derive(Debug)]
pub(crate) struct Model {
    /// The most that was delivered in this cycle and the one before, in bytes a second.
    most: [u64; 2],
    slot: u64,
    /// The short view: what losses have left.
    bandwidth_short: u64,
    pub(super) inflight_short: usize,
    bandwidth_latest: u64,
    pub(super) inflight_latest: u64,
    /// A round ends when what was delivered then is acknowledged.
    round_end: u64,
    pub(super) round_start: bool,
    pub(super) rounds: u64,
    loss_round_end: u64,
    loss_round_start: bool,
    loss_in_round: bool,
    /// What left before asked for more than there was.
    pub(super) probed_until: Option<Instant>,
    /// Packets lost in this round, and whether as a share they were too many.
    lost_packets: u32,
    losing: bool,
    /// The path delivers no more than it does: found once, and found in this stage.
    pub(super) full: bool,
    pub(super) full_now: bool,
    full_bandwidth: u64,
    full_rounds: u32,
    /// What arrives beyond what the bandwidth explains, of late: acknowledgements come in batches.
    extra: [u64; 2],
    extra_rounds: u64,
    epoch: Option<(Instant, u64)>,
    /// All that was delivered by the last verdict.
    total: u64,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            most: [0; 2],
            slot: 0,
            bandwidth_short: u64::MAX,
            inflight_short: usize::MAX,
            bandwidth_latest: 0,
            inflight_latest: 0,
            round_end: 0,
            round_start: false,
            rounds: 0,
            loss_round_end: 0,
            loss_round_start: false,
            loss_in_round: false,
            probed_until: None,
            lost_packets: 0,
            losing: false,
            full: false,
            full_now: false,
            full_bandwidth: 0,
            full_rounds: 0,
            extra: [0; 2],
            extra_rounds: 0,
            epoch: None,
            total: 0,
        }
    }

    /// The most that the path was seen to deliver.
    pub(super) fn most(&self) -> u64 {
        let [one, other] = self.most;
        one.max(other)
    }

    /// What it is taken to deliver now.
    pub(super) fn bandwidth(&self) -> u64 {
        self.most().min(self.bandwidth_short)
    }

    pub(super) fn extra(&self) -> usize {
        let [one, other] = self.extra;
        one.max(other) as usize
    }

    /// Startup's losses are too many (§5.3.1.3).
    pub(super) fn is_losing(&self) -> bool {
        self.losing
    }

    pub(super) fn start_round(&mut self, delivered: u64) {
        self.round_end = delivered;
    }

    /// §5.5: in this order.
    pub(super) fn update(&mut self, verdict: &Verdict, probing: bool, cycle: u64, window: usize) {
        let sample = &verdict.sample;
        self.total = sample.total;
        self.loss_round_start = false;
        self.bandwidth_latest = self.bandwidth_latest.max(sample.rate.unwrap_or(0));
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        if sample.delivered > 0 && sample.prior >= self.loss_round_end {
            self.loss_round_end = sample.total;
            self.loss_round_start = true;
        }
        self.update_round(verdict);
        self.update_most(verdict, cycle);
        self.update_extra(verdict);
        self.update_full(verdict);
        if let Some(lost) = verdict.lost {
            // Where a SACK has not room for all, what a probe lost is told for rounds, and says nothing of what is asked for since.
            self.loss_in_round |= !verdict.unsaid || Some(lost.left) >= self.probed_until;
            self.lost_packets += lost.packets;
            let too_high = is_too_high(lost.in_flight, lost.since);
            self.losing |= self.lost_packets >= MANY_LOST && too_high;
        }
        if self.loss_round_start {
            self.adapt_short(probing, window);
            self.loss_in_round = false;
            self.lost_packets = 0;
        }
    }

    /// §5.5.10.3: outside of probing, losses bound the short view.
    fn adapt_short(&mut self, probing: bool, window: usize) {
        if probing || !self.loss_in_round {
            return;
        }
        if self.bandwidth_short == u64::MAX {
            self.bandwidth_short = self.most();
        }
        if self.inflight_short == usize::MAX {
            self.inflight_short = window;
        }
        let less = |value: u64| value / 100 * BETA;
        self.bandwidth_short = self.bandwidth_latest.max(less(self.bandwidth_short));
        let short = less(self.inflight_short as u64).max(self.inflight_latest);
        self.inflight_short = short as usize;
    }

    fn update_round(&mut self, verdict: &Verdict) {
        let sample = &verdict.sample;
        self.round_start = sample.delivered > 0 && sample.prior >= self.round_end;
        if self.round_start {
            self.round_end = sample.total;
            self.rounds += 1;
        }
    }

    fn update_most(&mut self, verdict: &Verdict, cycle: u64) {
        let Some(rate) = verdict.sample.rate else {
            return;
        };
        if self.slot != cycle {
            self.slot = cycle;
            self.most = [self.most[1], 0];
        }
        if rate >= self.most() || !verdict.sample.app_limited {
            let [_, latest] = &mut self.most;
            *latest = rate.max(*latest);
        }
    }

    /// §5.5.9.
    fn update_extra(&mut self, verdict: &Verdict) {
        let (start, delivered) = self.epoch.unwrap_or((verdict.now, 0));
        let took = verdict.now.saturating_duration_since(start).as_micros();
        let expected = (u128::from(self.bandwidth()) * took / 1_000_000) as u64;
        let delivered = delivered + verdict.acked as u64;
        if delivered <= expected {
            self.epoch = Some((verdict.now, verdict.acked as u64));
        } else {
            self.epoch = Some((start, delivered));
        }
        let (_, delivered) = self.epoch.unwrap_or((verdict.now, 0));
        let extra = delivered.saturating_sub(expected);
        if self.rounds >= self.extra_rounds + EXTRA_ROUNDS {
            self.extra_rounds = self.rounds;
            self.extra = [self.extra[1], 0];
        }
        let most = if self.full {
            u64::MAX
        } else {
            verdict.acked as u64
        };
        let [_, latest] = &mut self.extra;
        *latest = extra.min(most).max(*latest);
    }

    /// §5.3.1.2: three rounds without a quarter more.
    fn update_full(&mut self, verdict: &Verdict) {
        if self.full_now || !self.round_start || verdict.sample.app_limited {
            return;
        }
        let rate = verdict.sample.rate.unwrap_or(0);
        if rate >= self.full_bandwidth / 4 * 5 {
            (self.full_bandwidth, self.full_rounds) = (rate, 0);
            return;
        }
        self.full_rounds += 1;
        self.full_now = self.full_rounds >= 3;
        self.full |= self.full_now;
    }

    /// Looks for the end of growth anew, from this rate on.
    pub(super) fn reset_full(&mut self, rate: u64) {
        (self.full_bandwidth, self.full_rounds, self.full_now) = (rate, 0, false);
    }

    /// The short view has served.
    pub(super) fn forget_short(&mut self) {
        (self.bandwidth_short, self.inflight_short) = (u64::MAX, usize::MAX);
    }

    /// What was latest says nothing of the stage that begins.
    pub(super) fn forget_congestion(&mut self) {
        self.loss_in_round = false;
        (self.bandwidth_latest, self.inflight_latest) = (0, 0);
    }

    /// A round begins with what leaves from now on.
    pub(super) fn restart_round(&mut self) {
        self.round_end = self.total;
    }

    /// The end of a verdict: what is latest begins anew with each round of losses.
    pub(super) fn advance(&mut self, verdict: &Verdict) {
        if self.loss_round_start {
            self.bandwidth_latest = verdict.sample.rate.unwrap_or(0);
            self.inflight_latest = verdict.sample.delivered;
        }
    }
}

/// §5.5.10.2: more than one in fifty was lost.
pub(super) fn is_too_high(in_flight: usize, lost: u64) -> bool {
    lost > in_flight as u64 / 50
}

/// Beta, in hundredths.
pub(super) const BETA: u64 = 70;
/// BBR.StartupFullLossCnt.
const MANY_LOST: u32 = 6;
const EXTRA_ROUNDS: u64 = 5;
