//! What work costs as there is more of it, for tests.

use std::time::Duration;

/// Asserts that a step costs about as much beside ten times as much state: `run` makes so much of it, and says how long
/// so many steps took then. The best of some runs counts, as others work on the machine too.
///
/// # Panics
/// When it costs more than fifteen times as much, or in a release build more than 50 µs a step.
pub(crate) fn stays(name: &str, state: usize, mut run: impl FnMut(usize) -> (Duration, usize)) {
    let mut best = |state| {
        let runs = (0..5).map(|_| {
            let (took, steps) = run(state);
            took / steps.max(1) as u32
        });
        runs.min().unwrap_or_default()
    };
    let (small, large) = (best(state), best(state * 10));
    println!("{name}: {small:?} at {state}, {large:?} at {}", state * 10);
    let most = small.max(Duration::from_micros(1)) * 15;
    assert!(large <= most, "{name}: {small:?}, then {large:?}");
    let limit = Duration::from_micros(50);
    assert!(
        cfg!(debug_assertions) || large <= limit,
        "{name}: {large:?}"
    );
}
