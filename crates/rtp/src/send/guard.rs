//! When parity is worth what it costs.

use std::time::Duration;

/// Whether the peer misses packets, by its reports.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// Reports with and without losses: up at once, down slowly.
    left: u8,
}

impl Guard {
    /// A report came: so many of 256 packets were lost.
    pub(crate) fn reported(&mut self, fraction: u8) {
        self.left = match fraction >= LOSS {
            true => REPORTS,
            false => self.left.saturating_sub(1),
        };
    }

    /// Whether packets are to be protected. What is sent again at once needs no parity.
    pub(crate) fn is_up(&self, is_repaired: bool, round_trip: Option<Duration>) -> bool {
        let is_soon = is_repaired && round_trip.is_some_and(|it| it < LONG);
        self.left > 0 && !is_soon
    }
}

/// Of 256: 2 %.
const LOSS: u8 = 5;
/// So many reports without losses end it.
const REPORTS: u8 = 10;
/// A round trip of less is shorter than two frames: a repair comes in time.
const LONG: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_raise_it_and_their_absence_lowers_it() {
        let mut guard = Guard::default();
        let far = Some(Duration::from_millis(150));
        assert!(!guard.is_up(true, far));
        guard.reported(4);
        assert!(!guard.is_up(true, far), "next to nothing is lost");
        guard.reported(5);
        assert!(guard.is_up(true, far) && guard.is_up(true, None));
        let near = Some(Duration::from_millis(20));
        assert!(!guard.is_up(true, near), "it is sent again in time");
        assert!(guard.is_up(false, near), "it is not sent again at all");
        for _ in 0..9 {
            guard.reported(0);
        }
        assert!(guard.is_up(true, far));
        guard.reported(0);
        assert!(!guard.is_up(true, far));
    }
}
