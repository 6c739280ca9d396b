//! What packets of the peer's bring about is taken in steps where it is much, so that none of them costs more the more is under way.
//!
//! While something is left, no verdict is spoken, no timer of the sender's is served and no data leaves: what follows is as if all
//! had been taken at once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Progress, Sender,
    outstanding::{Known, MAX_BLOCKS, Outstanding},
    queue::Next,
    waiting::{Place, Waiting},
};
use crate::{Stats, StreamId, Tsn, effort, packet::Sack};

impl Sender {
    /// Something came: the burst that is out has been seen, and as much as one step can be done.
    pub(crate) fn input(&mut self) {
        self.pacer.input();
        self.left = effort::STEP;
    }

    /// Whether something of what came is still to be done.
    pub(crate) fn is_busy(&self) -> bool {
        self.queue.is_limiting()
            || self.queue.is_passing()
            || self.expiring
            || self.returning
            || !self.waiting.is_empty()
            || self.verdict.is_some()
            || self.timed_out.is_some()
            || self.forgetting
            || self.skip.unfinished
    }

    /// When that is to go on.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.since.filter(|_| self.is_busy())
    }

    /// Goes on with it. False if there is more.
    pub(super) fn go_on(&mut self, now: Instant, stats: &mut Stats) -> bool {
        let (left, dropped) = (&mut self.left, &mut stats.abandoned_unsent);
        self.queue.go_on_limiting(left, dropped);
        self.queue.go_on_passing(now, left, dropped);
        if std::mem::take(&mut self.expiring) {
            self.expire(now, stats);
        }
        self.go_on_timing_out(now, stats);
        if std::mem::take(&mut self.returning) {
            self.take_back(now);
        }
        while self.left > 0
            && self.timed_out.is_none()
            && let Some(mut waiting) = self.waiting.pop_front()
        {
            let Waiting { sack, place } = &mut waiting;
            let sack = sack.get();
            if !place.begun && !self.outstanding.accepts(&sack) {
                // It is older than one that came before it.
                stats.dropped_chunks += 1;
            } else if !self.note(now, &sack, place) {
                self.since = Some(now);
                self.waiting.push_front(waiting);
            }
        }
        if self.skip.unfinished {
            self.update_skip(now);
        }
        if self.verdict.is_some() {
            self.judge(now, stats);
        }
        if std::mem::take(&mut self.forgetting) {
            self.forget_packets(now);
        }
        !self.is_busy()
    }

    /// Takes back what was put aside. False if that is more than one step: then it goes on with the next.
    pub(super) fn take_back(&mut self, now: Instant) -> bool {
        let packets = &mut self.outstanding.packets;
        self.returning = !packets.take_back(None, &mut self.left);
        if self.returning {
            self.since = Some(now);
        }
        !self.returning
    }

    /// The model needs nothing of packets any more that have nothing in flight.
    pub(super) fn forget_packets(&mut self, now: Instant) {
        let oldest = self.outstanding.packets.oldest();
        if let Some(rates) = &mut self.rates
            && !rates.forget(oldest, &mut self.left)
        {
            (self.since, self.forgetting) = (Some(now), true);
        }
    }

    /// What is next of what waits. `None` also while more than one step of what is over stands before it.
    pub(super) fn peek(&mut self, now: Instant, stats: &mut Stats) -> Option<Next> {
        let (left, dropped) = (&mut self.left, &mut stats.abandoned_unsent);
        let next = self.queue.peek(now, left, dropped);
        if next.is_none() && self.queue.is_passing() {
            self.since = Some(now);
        }
        next
    }

    /// Gives up what is under way and has outlived its time.
    pub(crate) fn give_up_expired(&mut self, now: Instant, stats: &mut Stats) {
        if self.outstanding.next_expiry().is_some_and(|at| at <= now) && !self.is_busy() {
            self.expire(now, stats);
        }
    }

    fn expire(&mut self, now: Instant, stats: &mut Stats) {
        let (queue, abandoned) = (&mut self.queue, &mut stats.abandoned_sent);
        let left = &mut self.left;
        if self
            .outstanding
            .abandon_expired(now, queue, abandoned, left)
        {
            self.update_skip(now);
            self.arm_pass(now);
        } else {
            (self.since, self.expiring) = (Some(now), true);
        }
    }

    /// The peer takes streams below `limit`: what waits on others is dropped before anything leaves.
    pub(crate) fn limit_streams(&mut self, now: Instant, limit: StreamId) {
        self.queue.limit_streams(limit);
        if self.queue.is_limiting() {
            self.since = Some(now);
        }
    }

    /// Streams are being reset behind what has left so far: behind which number.
    pub(crate) fn begin_reset(&mut self) -> Tsn {
        let last = self.outstanding.next().previous();
        self.skip.begin_reset(last);
        last.tsn()
    }

    /// The peer has answered to that.
    pub(crate) fn end_reset(&mut self, now: Instant, performed: bool) {
        self.skip.end_reset(performed);
        self.update_skip(now);
    }

    /// Whether something of what was there before a restart is still to be dropped.
    pub(crate) fn is_dropping(&self) -> bool {
        self.queue.is_dropping() || !self.before.is_empty()
    }

    /// Drops what was there before restarts.
    pub(super) fn go_on_dropping(&mut self) {
        if let Some(before) = self.before.front_mut()
            && before.go_on_dropping(&mut self.left)
        {
            self.before.pop_front();
        }
        self.queue.go_on_dropping(&mut self.left);
    }

    /// The association is over, and nobody asks any more about what waits or is under way: a step of it is dropped. False when
    /// nothing is left.
    pub(crate) fn let_go(&mut self) -> bool {
        self.queue.forget();
        if !self.outstanding.is_empty() {
            let none = Outstanding::new(self.outstanding.next().tsn());
            let old = std::mem::replace(&mut self.outstanding, none);
            self.before.push_back(old);
        }
        self.left = effort::STEP;
        self.go_on_dropping();
        self.is_dropping()
    }

    /// Takes note of a SACK that can be about what was sent. What follows from it waits for `judge`. It has its turn behind those that
    /// wait; when that is much, it takes the place of the last of them, as it says what those say.
    pub(crate) fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>) -> Progress {
        let mut place = Place {
            at: now,
            begun: false,
            block: 0,
            duplicates: 0,
            duplicate: false,
            moved: false,
        };
        let before = self.batch.bytes;
        let at_once = self.waiting.is_empty() && self.timed_out.is_none();
        if at_once && self.note(now, sack, &mut place) {
            let any = place.moved || self.batch.bytes > before;
            return Progress { any };
        }
        let sack = sack.keep(MAX_BLOCKS);
        let held = |waiting: &VecDeque<Waiting>| -> usize {
            let lengths = waiting.iter().map(|it| it.sack.len());
            lengths.sum::<usize>() + sack.len()
        };
        let not_begun = |it: &mut Waiting| !it.place.begun;
        while (self.waiting.len() >= MAX_WAITING || held(&self.waiting) > MAX_HELD)
            && self.waiting.pop_back_if(not_begun).is_some()
        {}
        self.since = Some(now);
        self.waiting.push_back(Waiting { sack, place });
        Progress { any: true }
    }

    fn known(&self, at: Instant) -> Known {
        let rtt = &self.recovery.rtt;
        Known {
            now: at,
            min_rtt: rtt.shortest(),
            least: rtt.least(),
            smoothed: rtt.smoothed().unwrap_or_default(),
            timely: self.timely(),
            told: self.horizon,
            limited: self.limited,
            highest: self.highest,
            duplicate: false,
            horizon: None,
            left: self.left,
        }
    }

    /// Where packets come out of order and none is lost, each SACK may be full, and what it says first is nearly as new as it could be.
    fn timely(&self) -> Duration {
        let calm = self.outstanding.peek_lost().is_none()
            && self.outstanding.packets.oldest() >= self.recovery.reduced_at;
        match calm {
            true => self.recovery.rtt.least() * 5 / 4,
            false => Duration::ZERO,
        }
    }

    /// False if there is more to note than is left to be done at once.
    fn note(&mut self, now: Instant, sack: &Sack<'_>, place: &mut Place) -> bool {
        let advanced = std::mem::take(&mut self.batch.advanced);
        let mut known = Known {
            duplicate: place.duplicate,
            ..self.known(place.at)
        };
        let (queue, batch) = (&mut self.queue, &mut self.batch);
        if !std::mem::replace(&mut place.begun, true) {
            let flight = self.outstanding.pipe();
            batch.flight.get_or_insert(flight);
        }
        let outstanding = &mut self.outstanding;
        let done = outstanding.handle_duplicates(sack, &mut place.duplicates, &mut known, batch)
            && outstanding.handle_sack(sack, &mut place.block, &mut known, queue, batch);
        place.duplicate = known.duplicate;
        (self.highest, self.left) = (known.highest, known.left);
        place.moved |= self.batch.advanced;
        self.batch.advanced |= advanced;
        if !done {
            return false;
        }
        self.horizon = known.horizon;
        self.set_peer_window(now, sack.window as usize);
        self.update_skip(now);
        if place.moved {
            // RFC 9260 §6.3.2 R2, R3.
            self.start_t3(now);
        }
        self.check();
        true
    }
}

/// So many SACKs wait at most.
const MAX_WAITING: usize = 16;
/// And so many bytes of theirs, beyond which one waits behind another that has been begun.
const MAX_HELD: usize = 16 << 10;
