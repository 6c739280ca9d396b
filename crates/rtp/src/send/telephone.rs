//! Events that are played on an audio stream (RFC 4733).

use std::time::{Duration, Instant};

use crate::payload::telephone::Event;

/// An event that is being played.
#[derive(Clone, Debug)]
pub(crate) struct Telephone {
    pub(crate) payload_type: u8,
    pub(crate) clock: u32,
    code: u8,
    start: Instant,
    duration: Duration,
    due: Instant,
    /// The timestamp of its beginning, once it has begun.
    pub(crate) timestamp: Option<u32>,
    /// How many packets with its end were sent.
    ends: u8,
}

impl Telephone {
    pub(crate) fn new(
        (payload_type, clock): (u8, u32),
        code: u8,
        now: Instant,
        duration: Duration,
    ) -> Self {
        Self {
            payload_type,
            clock,
            code,
            start: now,
            duration,
            due: now,
            timestamp: None,
            ends: 0,
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The packet of now; true if it is the last.
    pub(crate) fn next(&mut self, now: Instant) -> (Event, bool) {
        let played = now.saturating_duration_since(self.start);
        let ends = played >= self.duration;
        let played = if ends {
            self.duration
        } else {
            played.max(STEP.min(self.duration))
        };
        let units = played.as_micros() * u128::from(self.clock) / 1_000_000;
        let event = Event {
            code: self.code,
            ends,
            volume: 10,
            // RFC 4733 §2.5.1.3: what is longer than this is cut into segments; 8 s at 8 kHz are not.
            duration: u16::try_from(units).unwrap_or(u16::MAX),
        };
        if ends {
            self.ends += 1;
        }
        // RFC 4733 §2.5.1.4: the end goes three times.
        self.due = if ends {
            now + STEP / 5
        } else {
            (now + STEP).min(self.start + self.duration)
        };
        (event, self.ends >= 3)
    }
}

const STEP: Duration = Duration::from_millis(50);
