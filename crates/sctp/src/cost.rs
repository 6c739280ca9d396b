//! What work costs as there is more of it, for tests.

use std::{collections::BTreeMap, time::Duration};

/// Asserts that a step costs about as much beside ten times as much state: `run` makes so much of it, and says how long
/// so many steps took then. The best of some runs counts, as others work on the machine too, and of many where that is too much.
///
/// # Panics
/// When it costs more than fifteen times as much, or in a release build more than 50 µs a step.
pub(crate) fn stays(name: &str, state: usize, mut run: impl FnMut(usize) -> (Duration, usize)) {
    let mut best = |state, limit| {
        let mut least = Duration::MAX;
        for runs in 1.. {
            let (took, steps) = run(state);
            least = least.min(took / steps.max(1) as u32);
            if runs == MOST_RUNS || runs >= RUNS && least <= limit {
                break;
            }
        }
        least
    };
    let small = best(state, Duration::MAX);
    let most = small.max(Duration::from_micros(1)) * 15;
    let limit = if cfg!(debug_assertions) { most } else { LIMIT };
    let large = best(state * 10, most.min(limit));
    println!("{name}: {small:?} at {state}, {large:?} at {}", state * 10);
    assert!(large <= most, "{name}: {small:?}, then {large:?}");
    assert!(large <= limit, "{name}: {large:?}");
}

/// What each step has taken at least, of runs that take the same steps: others work on the machine too, but not at the same step each time.
#[derive(Default)]
pub(crate) struct Least(BTreeMap<usize, Vec<Duration>>);

impl Least {
    /// Another run beside so much state took this; answers what the longest of its steps takes.
    pub(crate) fn of(&mut self, state: usize, took: Vec<Duration>) -> Duration {
        let least = self.0.entry(state).or_default();
        least.resize(took.len(), Duration::MAX);
        let both = least.iter_mut().zip(took);
        both.for_each(|(least, it)| *least = it.min(*least));
        least.iter().max().copied().unwrap_or_default()
    }
}

const LIMIT: Duration = Duration::from_micros(50);
const RUNS: usize = 5;
const MOST_RUNS: usize = 25;
