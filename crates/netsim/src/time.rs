//! Simulated time: its beginning, units, and how it moves on.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where simulated time begins: one instant, the same in the whole process.
#[expect(
    clippy::disallowed_methods,
    reason = "std has no other way to make an Instant; simulated time needs one to start from"
)]
pub fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// `count` milliseconds.
pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// `count` seconds.
pub fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// `count` megabits a second, in bits a second.
pub fn mbps(count: u64) -> u64 {
    count * 1_000_000
}

/// `count` kilobits a second, in bits a second.
pub fn kbps(count: u64) -> u64 {
    count * 1_000
}

/// The first of some deadlines, or `None` when there is none.
pub fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// Why [`run`] could not go on, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalled {
    /// The simulated time that was reached.
    pub at: Instant,
    /// The time since the start of the run.
    pub after: Duration,
    /// What stopped it.
    pub cause: Cause,
}

/// What stops a run that has not found its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No deadline is pending: nothing will ever happen again.
    Idle,
    /// The next deadline is after the limit.
    Limit,
    /// Deadlines that are not in the future, again and again.
    Livelock,
}

/// Moves simulated time from deadline to deadline, from `start`, until `step` breaks; at most for `limit`.
///
/// `step` does all that is to be done at the time it is given: timers, deliveries, sending, looking at events. It continues with
/// the earliest deadline of everything that it drives (see [`earliest`]), or breaks with a result, which is returned with
/// the time it was reached.
///
/// # Errors
/// [`Stalled`] when nothing is pending, the limit is reached, or time does not move.
pub fn run<T>(
    start: Instant,
    limit: Duration,
    mut step: impl FnMut(Instant) -> ControlFlow<T, Option<Instant>>,
) -> Result<(Instant, T), Stalled> {
    let mut now = start;
    let mut steps_here = 0;
    loop {
        let stalled = |cause| {
            Err(Stalled {
                at: now,
                after: now - start,
                cause,
            })
        };
        match step(now) {
            ControlFlow::Break(result) => return Ok((now, result)),
            ControlFlow::Continue(None) => return stalled(Cause::Idle),
            ControlFlow::Continue(Some(next)) if next > start + limit => {
                return stalled(Cause::Limit);
            }
            ControlFlow::Continue(Some(next)) if next > now => {
                now = next;
                steps_here = 0;
            }
            ControlFlow::Continue(Some(_)) => {
                steps_here += 1;
                if steps_here == MAX_STEPS_AT_ONE_TIME {
                    return stalled(Cause::Livelock);
                }
            }
        }
    }
}

impl Display for Stalled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let cause = match self.cause {
            Cause::Idle => "nothing is pending",
            Cause::Limit => "the limit is reached",
            Cause::Livelock => "deadlines stay in the past",
        };
        write!(f, "{cause} after {:?}", self.after)
    }
}

impl Error for Stalled {}

const MAX_STEPS_AT_ONE_TIME: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_from_deadline_to_deadline() {
        let start = epoch();
        let mut seen = Vec::new();
        let (end, count) = run(start, secs(10), |now| {
            seen.push(now - start);
            match seen.len() {
                4 => ControlFlow::Break(seen.len()),
                n => ControlFlow::Continue(earliest([None, Some(now + ms(100 * n as u64))])),
            }
        })
        .unwrap();
        assert_eq!((end - start, count), (ms(600), 4));
        assert_eq!(seen, [ms(0), ms(100), ms(300), ms(600)]);
    }

    /// Known failure 12.
    #[test]
    fn a_run_that_cannot_go_on_says_why() {
        let start = epoch();
        let cause = |next: fn(Instant) -> Option<Instant>| {
            run(start, secs(1), |now| {
                ControlFlow::<(), _>::Continue(next(now))
            })
            .unwrap_err()
            .cause
        };
        assert_eq!(cause(|_| None), Cause::Idle);
        assert_eq!(cause(|now| Some(now + ms(300))), Cause::Limit);
        assert_eq!(cause(Some), Cause::Livelock);
    }

    #[test]
    fn the_epoch_stays() {
        assert_eq!(epoch(), epoch());
        assert_eq!((mbps(2), kbps(2)), (2_000_000, 2_000));
    }
}
