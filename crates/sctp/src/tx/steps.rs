//! What packets of the peer's bring about is taken in steps where it is much, so that none of them costs more the more is under way.
//!
//! While something is left, no verdict is spoken, no timer of the sender's is served and no data leaves: what follows is as if all
//! had been taken at once.

use std::time::Instant;

use super::{
    Progress, Sender,
    outstanding::{Known, effort},
};
use crate::{
    Stats,
    packet::{KeptSack, Sack},
};

/// A SACK of which some is still to be noted.
#[derive(Debug)]
pub(crate) struct Waiting {
    sack: KeptSack,
    place: Place,
}

/// How far a SACK has been noted.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// When it came.
    at: Instant,
    /// The gap ack block to go on with.
    block: usize,
    /// It reports something that was sent again as received twice.
    duplicate: bool,
    /// The cumulative TSN has moved.
    moved: bool,
}

impl Sender {
    /// Something came: the burst that is out has been seen, and as much as one step can be done.
    pub(crate) fn input(&mut self) {
        self.pacer.input();
        self.left = effort::STEP;
    }

    /// Whether something of what came is still to be done.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.is_some() || self.verdict.is_some() || self.skip.unfinished
    }

    /// When that is to go on.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.since.filter(|_| self.is_busy())
    }

    /// Goes on with it. False if there is more.
    pub(super) fn go_on(&mut self, now: Instant, stats: &mut Stats) -> bool {
        if let Some(waiting) = self.waiting.take() {
            let Waiting { sack, place } = *waiting;
            self.note(now, &sack.get(), place);
        }
        if self.skip.unfinished {
            self.update_skip(now);
        }
        if self.verdict.is_some() {
            self.judge(now, stats);
        }
        !self.is_busy()
    }

    /// Whether a SACK can be about what was sent, and is not older than the one that waits.
    pub(crate) fn accepts(&self, sack: &Sack<'_>) -> bool {
        let waiting = self.waiting.as_ref();
        let stale = waiting.is_some_and(|it| sack.cumulative < it.sack.cumulative);
        !stale && self.outstanding.accepts(sack)
    }

    /// Takes note of a SACK that `accepts` let pass, in the place of one that waits. What follows from it waits for `judge`.
    pub(crate) fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>) -> Progress {
        self.batch
            .flight
            .get_or_insert(self.outstanding.flight_bytes());
        let before = self.waiting.take();
        let mut known = self.known(now);
        self.outstanding
            .handle_duplicates(sack, &mut known, &mut self.batch);
        let place = Place {
            at: now,
            block: 0,
            duplicate: known.duplicate,
            moved: before.is_some_and(|it| it.place.moved),
        };
        self.note(now, sack, place)
    }

    fn known(&self, at: Instant) -> Known {
        Known {
            now: at,
            min_rtt: self.recovery.rtt.least(),
            limited: self.limited,
            highest: self.highest,
            duplicate: false,
            horizon: None,
            left: self.left,
        }
    }

    fn note(&mut self, now: Instant, sack: &Sack<'_>, mut place: Place) -> Progress {
        let before = self.batch.bytes;
        let advanced = std::mem::take(&mut self.batch.advanced);
        let mut known = Known {
            duplicate: place.duplicate,
            ..self.known(place.at)
        };
        let (queue, batch) = (&mut self.queue, &mut self.batch);
        let done = (self.outstanding).handle_sack(sack, &mut place.block, &mut known, queue, batch);
        (self.highest, self.left) = (known.highest, known.left);
        let moved = self.batch.advanced;
        self.batch.advanced |= advanced;
        place.moved |= moved;
        let progress = Progress {
            any: moved || self.batch.bytes > before,
        };
        if !done {
            let sack = sack.keep();
            self.since = Some(now);
            self.waiting = Some(Box::new(Waiting { sack, place }));
            return progress;
        }
        self.horizon = known.horizon;
        self.set_peer_window(now, sack.window as usize);
        self.update_skip(now);
        if place.moved {
            // RFC 9260 §6.3.2 R2, R3.
            self.start_t3(now);
        }
        self.check();
        progress
    }
}
