//! Events that are played on an audio stream (RFC 4733).

use std::time::{Duration, Instant};

use crate::payload::telephone::Event;

/// An event that is being played.
#[derive(Clone, Debug)]
pub(crate) struct Telephone {
    pub(crate) payload_type: u8,
    pub(crate) clock: u32,
    code: u8,
    /// When the segment began that is played.
    start: Instant,
    /// What is left from there on.
    duration: Duration,
    due: Instant,
    /// The timestamp of the segment, once the event has begun.
    pub(crate) timestamp: Option<u32>,
    /// How many packets with its end were sent.
    ends: u8,
}

/// A packet of an event.
pub(crate) struct Played {
    pub(crate) event: Event,
    /// The timestamp of its segment.
    pub(crate) timestamp: u32,
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
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

    /// The packet of now. `timestamp` is that of now as well.
    pub(crate) fn next(&mut self, now: Instant, timestamp: u32) -> Played {
        let is_first = self.timestamp.is_none();
        let timestamp = *self.timestamp.get_or_insert(timestamp);
        let played = now.saturating_duration_since(self.start);
        // RFC 4733 §2.5.1.3: what is longer than its field goes in segments, each from where the one before it ends.
        let longest =
            Duration::from_micros(u64::from(u16::MAX) * 1_000_000 / u64::from(self.clock.max(1)));
        if self.duration > longest && played >= longest {
            self.ends += 1;
            self.due = now + STEP / 5;
            if self.ends >= ENDS {
                self.start += longest;
                self.duration -= longest;
                self.timestamp = Some(timestamp.wrapping_add(u16::MAX.into()));
                self.ends = 0;
            }
            return Played {
                event: self.event(false, u16::MAX),
                timestamp,
                is_first,
                is_last: false,
            };
        }
        let ends = played >= self.duration;
        let played = if ends {
            self.duration
        } else {
            played.max(STEP.min(self.duration))
        };
        let units = played.as_micros() * u128::from(self.clock) / 1_000_000;
        let event = self.event(ends, u16::try_from(units).unwrap_or(u16::MAX));
        if ends {
            self.ends += 1;
        }
        self.due = if ends {
            now + STEP / 5
        } else {
            (now + STEP).min(self.start + self.duration)
        };
        Played {
            event,
            timestamp,
            is_first,
            is_last: self.ends >= ENDS,
        }
    }

    fn event(&self, ends: bool, duration: u16) -> Event {
        Event {
            code: self.code,
            ends,
            volume: 10,
            duration,
        }
    }
}

const STEP: Duration = Duration::from_millis(50);
/// RFC 4733 §2.5.1.4: so often the last packet of an event or segment is sent.
const ENDS: u8 = 3;
