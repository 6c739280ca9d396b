//! When packets arrived, until it is told.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{Unwrapper, rtcp};

/// Arrivals by transport-wide number.
#[derive(Debug)]
pub(crate) struct Received {
    numbers: Unwrapper,
    /// In the order of their numbers; times in units of 250 µs since `origin`.
    arrivals: VecDeque<(u64, i64)>,
    origin: Instant,
    /// When feedback is due.
    due: Option<Instant>,
    feedback: u8,
    /// What is below was told already.
    told: u64,
    media: u32,
    scratch: Vec<(u64, i64)>,
}

impl Received {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            numbers: Unwrapper::default(),
            arrivals: VecDeque::new(),
            origin: now,
            due: None,
            feedback: 0,
            told: 0,
            media: 0,
            scratch: Vec::new(),
        }
    }

    /// Who sends counts from somewhere else from now on.
    pub(crate) fn begin_anew(&mut self) {
        self.numbers = Unwrapper::default();
        self.arrivals.clear();
        (self.told, self.due) = (0, None);
    }

    pub(crate) fn note(&mut self, now: Instant, number: u16, media: u32) {
        let number = self.numbers.unwrap(number);
        let units = now.saturating_duration_since(self.origin).as_micros() as i64 / 250;
        self.media = media;
        // What is late is told with the next feedback; what was told is not taken back.
        let at = self.arrivals.partition_point(|it| it.0 < number);
        if number < self.told || self.arrivals.get(at).is_some_and(|it| it.0 == number) {
            return;
        }
        self.arrivals.insert(at, (number, units));
        if self.arrivals.len() > MOST {
            self.arrivals.pop_front();
        }
        // Every 50 to 100 ms, the sooner the more there is.
        let after = if self.arrivals.len() > MANY {
            Duration::from_millis(50)
        } else {
            Duration::from_millis(100)
        };
        let due = now + after;
        self.due = Some(self.due.map_or(due, |it| it.min(due)));
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Appends feedback if it is due. What there is no room for waits.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        room: usize,
        sender: u32,
        buf: &mut Vec<u8>,
    ) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.scratch.clear();
        self.scratch.extend(self.arrivals.iter().take(MANY * 4));
        let ssrcs = [sender, self.media];
        let taken = rtcp::write_transport(buf, room, ssrcs, self.feedback, &self.scratch);
        if taken == 0 {
            return false;
        }
        self.feedback = self.feedback.wrapping_add(1);
        let told = self.scratch.get(taken - 1).map_or(0, |it| it.0 + 1);
        self.told = self.told.max(told);
        self.arrivals.drain(..taken.min(self.arrivals.len()));
        self.due = (!self.arrivals.is_empty()).then_some(now);
        true
    }
}

const MOST: usize = 4096;
const MANY: usize = 100;
