//! How long what waits takes to leave.

use std::time::Duration;

/// What is known of how fast data leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How much may be in flight, and how much of that is free.
    pub(crate) window: usize,
    pub(crate) free: usize,
    /// The window is used once in it.
    pub(crate) round_trip: Duration,
    /// It doubles with each.
    pub(crate) doubles: bool,
    /// Bytes a second, if they are counted.
    pub(crate) rate: Option<u64>,
}

impl Pace {
    /// How long so many bytes take, if nothing of them is lost.
    pub(crate) fn takes(&self, length: usize) -> Duration {
        let rest = length.saturating_sub(self.free) as f64;
        let windows = rest / self.window.max(1) as f64;
        let rounds = if self.doubles {
            (1.0 + windows).log2()
        } else {
            windows
        };
        let acknowledged = self.round_trip.as_secs_f64() * rounds;
        let paced = self.rate.map_or(0.0, |rate| length as f64 / rate as f64);
        let all = acknowledged.max(paced);
        Duration::try_from_secs_f64(all).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    const PACE: Pace = Pace {
        window: 10_000,
        free: 4_000,
        round_trip: Duration::from_millis(100),
        doubles: false,
        rate: None,
    };

    /// What the window has room for leaves now, and a window's worth each round trip after that.
    #[test]
    fn a_window_leaves_in_a_round_trip() {
        assert_eq!(PACE.takes(4_000), Duration::ZERO);
        assert_eq!(PACE.takes(34_000), MS * 300);
        let doubles = Pace {
            doubles: true,
            ..PACE
        };
        assert_eq!(doubles.takes(34_000), MS * 200, "10,000 and then 20,000");
    }

    /// What is paced does not leave at once, however wide the window is.
    #[test]
    fn what_is_paced_takes_its_time() {
        let paced = Pace {
            rate: Some(20_000),
            ..PACE
        };
        assert_eq!(paced.takes(4_000), MS * 200);
        assert_eq!(paced.takes(104_000), MS * 5_200);
    }
}
