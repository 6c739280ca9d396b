//! How many frames there were in the last second.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// When the frames of the last second came or went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    times: VecDeque<Instant>,
}

impl Recent {
    /// Notes a frame, and forgets those that are older than a second. The times of more than 1,000 are not kept.
    pub fn note(&mut self, now: Instant) {
        self.times.push_back(now);
        while self.times.len() > MOST || self.times.front().is_some_and(|it| is_old(now, *it)) {
            self.times.pop_front();
        }
    }

    /// Frames of the last second. `None` before the first.
    pub fn rate(&self, now: Instant) -> Option<usize> {
        let recent = || self.times.iter().filter(|it| !is_old(now, **it));
        (!self.times.is_empty()).then(|| recent().count())
    }
}

fn is_old(now: Instant, at: Instant) -> bool {
    now.saturating_duration_since(at) >= Duration::from_secs(1)
}

/// No camera makes more pictures a second.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use oxirtc_netsim::{epoch, ms};

    #[test]
    fn a_second_is_counted_and_no_more() {
        let mut recent = Recent::default();
        assert_eq!(recent.rate(epoch()), None);
        for frame in 0..90 {
            recent.note(epoch() + ms(frame * 40));
        }
        // The last came at 3,560 ms.
        assert_eq!(recent.rate(epoch() + ms(3560)), Some(25));
        assert_eq!(recent.rate(epoch() + ms(4060)), Some(13));
        assert_eq!(recent.rate(epoch() + ms(4560)), Some(0), "none is a rate");
        for _ in 0..3000 {
            recent.note(epoch() + ms(5000));
        }
        assert_eq!(recent.rate(epoch() + ms(5000)), Some(MOST), "bounded");
    }
}
