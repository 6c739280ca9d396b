//! How long frames wait so that they can be played evenly.

use std::time::{Duration, Instant};

/// An adaptive target: the spread of the transit times of frames, the fastest taken as zero.
#[derive(Debug, Default)]
pub(crate) struct Jitter {
    /// The least transit time: arrival less timestamp, in microseconds of a scale that begins with the first frame.
    least: Option<i64>,
    first: Option<(Instant, u32)>,
    /// The rate of the timestamps in Hz.
    clock: u32,
    /// The spread, in microseconds: it rises at once and falls by a 64th a frame.
    spread: i64,
    /// What the application asks for.
    pub(crate) wanted: Option<Duration>,
}

impl Jitter {
    /// When a frame that came at `now` is to be played.
    pub(crate) fn due(&mut self, now: Instant, timestamp: u32, clock: u32) -> Instant {
        if self.clock != clock {
            // Another codec, whose timestamps cannot be held against those before.
            *self = Self {
                wanted: self.wanted,
                clock,
                ..Self::default()
            };
        }
        let (origin, start) = *self.first.get_or_insert((now, timestamp));
        let arrival = now.saturating_duration_since(origin).as_micros() as i64;
        let ahead = i64::from(timestamp.wrapping_sub(start).cast_signed());
        let played = ahead * 1_000_000 / i64::from(clock.max(1));
        let transit = arrival - played;
        let least = self
            .least
            .map_or(transit, |least| (least + 20).min(transit));
        let late = transit - least;
        if !(-MOST..=MOST).contains(&late) || played < 0 {
            // A leap of timestamps: everything begins anew.
            *self = Self {
                wanted: self.wanted,
                clock,
                ..Self::default()
            };
            return now;
        }
        self.least = Some(least);
        self.spread = late.max(self.spread - self.spread / 64);
        let wait = self.target().as_micros() as i64 - late;
        now + Duration::from_micros(wait.max(0) as u64)
    }

    /// How long the fastest frame waits.
    pub(crate) fn target(&self) -> Duration {
        self.minimum()
            .max(self.wanted.unwrap_or_default())
            .min(LONGEST)
    }

    /// How long it would wait if the application asked for nothing.
    pub(crate) fn minimum(&self) -> Duration {
        Duration::from_micros(self.spread.max(0) as u64).min(LONGEST)
    }
}

/// Beyond 10 s it is no jitter.
const MOST: i64 = 10_000_000;
/// What W3C lets `jitterBufferTarget` be, at most.
const LONGEST: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use oxirtc_netsim::{epoch, ms};

    /// Where the codec changes to one of another clock nothing waits for the difference.
    #[test]
    fn another_clock_begins_anew() {
        let mut jitter = Jitter::default();
        let mut timestamp = 0;
        for packet in 0..200_u64 {
            let clock = if packet < 100 { 8000 } else { 48_000 };
            let now = epoch() + ms(20 * packet);
            assert_eq!(jitter.due(now, timestamp, clock), now, "{packet}");
            timestamp += clock / 50;
        }
        assert_eq!(jitter.target(), ms(0));
    }

    #[test]
    fn follows_what_the_network_does() {
        let mut jitter = Jitter::default();
        for frame in 0..100_u64 {
            let late = if frame % 10 == 9 { ms(30) } else { ms(0) };
            let now = epoch() + ms(frame * 33) + late;
            let due = jitter.due(now, frame as u32 * 33 * 90, 90_000);
            if frame > 10 {
                let played = due - (epoch() + ms(frame * 33));
                assert!(
                    (25..=31).contains(&played.as_millis()),
                    "{frame}: {played:?}"
                );
            }
        }
        assert!(jitter.target() > ms(25) && jitter.target() <= ms(30));
        jitter.wanted = Some(ms(500));
        assert_eq!(jitter.target(), ms(500));
        assert!(jitter.minimum() <= ms(30));
        let now = epoch() + ms(3300);
        let due = jitter.due(now, 0x8000_0000, 90_000);
        assert_eq!(due, now, "a leap begins anew");
    }
}
