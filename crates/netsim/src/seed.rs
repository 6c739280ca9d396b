//! Seeds: how tests run with many of them, and how a machine's generator is derived from one.

use std::cell::Cell;
use std::env;
use std::num::NonZero;
use std::thread;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Runs `test` once for each seed from 0 to `count` − 1.
///
/// When a run panics, the command that replays it is printed to standard error: with `NETSIM_SEED=<number>` in the environment
/// only that seed is run. `OXIRTC_FULL`, with which tables run whole, is in the command when it is set.
///
/// # Panics
/// When `NETSIM_SEED` is set to something that is not a number, and when `test` does.
pub fn for_each_seed(count: u64, mut test: impl FnMut(u64)) {
    match wanted() {
        Some(seed) => run(seed, &mut test),
        None => (0..count).for_each(|seed| run(seed, &mut test)),
    }
}

/// As [`for_each_seed`], on all processors at once: for many runs that share nothing.
///
/// # Panics
/// As [`for_each_seed`] does, when all threads have ended.
pub fn for_each_seed_at_once(count: u64, test: impl Fn(u64) + Sync) {
    if let Some(seed) = wanted() {
        return run(seed, test);
    }
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for worker in 0..workers as u64 {
            // The command names the test by the name of its thread.
            let builder = match test_name() {
                Some(name) => thread::Builder::new().name(name),
                None => thread::Builder::new(),
            };
            let seeds = (worker..count).step_by(workers);
            let spawned = builder.spawn_scoped(scope, || seeds.for_each(|seed| run(seed, &test)));
            spawned.expect("a thread");
        }
    });
}

fn run(seed: u64, test: impl FnOnce(u64)) {
    let _announcement = Announcement::new(seed);
    test(seed);
}

/// The seed that is to be replayed.
///
/// # Panics
/// When `NETSIM_SEED` is set to something that is not a number.
pub(crate) fn wanted() -> Option<u64> {
    let text = env::var(VARIABLE).ok()?;
    let Ok(seed) = text.parse() else {
        panic!("{VARIABLE} must be a number, not {text:?}");
    };
    Some(seed)
}

/// Prints the command that runs the test of this thread with a seed.
pub(crate) fn announce(seed: u64) {
    let package = env::var("CARGO_PKG_NAME").ok();
    let program = env::args().next();
    let test = test_name();
    let mut command = replay(
        seed,
        package.as_deref(),
        program.as_deref(),
        test.as_deref(),
    );
    if let Ok(full) = env::var(FULL) {
        command = format!("{FULL}={full} {command}");
    }
    eprintln!("failed with seed {seed}; replay with\n  {command}");
}

/// The seed that [`for_each_seed`] is running on this thread.
pub(crate) fn current() -> Option<u64> {
    CURRENT.get()
}

/// The test that runs on this thread, in the words of `cargo test`; none where only one thread runs them all.
pub(crate) fn test_name() -> Option<String> {
    let name = thread::current().name()?.to_owned();
    (name != "main").then_some(name)
}

/// Prints the command of the replay when it is dropped by a panic.
struct Announcement {
    seed: u64,
    before: Option<u64>,
}

impl Announcement {
    fn new(seed: u64) -> Self {
        let before = CURRENT.replace(Some(seed));
        Self { seed, before }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        if thread::panicking() {
            announce(self.seed);
        }
    }
}

/// The command that runs one seed of one test again. `program` is the path of the test binary, as cargo names it: the target
/// with a hash.
fn replay(seed: u64, package: Option<&str>, program: Option<&str>, test: Option<&str>) -> String {
    let mut command = format!("{VARIABLE}={seed} cargo test");
    if let Some(package) = package {
        command += &format!(" -p {package}");
    }
    let target = program.and_then(|program| program.rsplit(['/', '\\']).next()?.rsplit_once('-'));
    if let (Some(package), Some((target, _hash))) = (package, target) {
        if target == package.replace('-', "_") {
            command += " --lib";
        } else {
            command += &format!(" --test {target}");
        }
    }
    if let Some(test) = test {
        command += &format!(" -- --exact {test}");
    }
    command
}

/// The generator of `seed`.
pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A seed for a part of what runs with `seed`: another for each `part`, unrelated to its neighbours.
pub(crate) fn derived(seed: u64, part: u64) -> u64 {
    let mut generator = generator(seed);
    generator.set_stream(part.wrapping_add(1));
    generator.next_u64()
}

const VARIABLE: &str = "NETSIM_SEED";
const FULL: &str = "OXIRTC_FULL";

thread_local! {
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_seed_is_run_once() {
        let mut seen = Vec::new();
        for_each_seed(4, |seed| seen.push(seed));
        if env::var(VARIABLE).is_err() {
            assert_eq!(seen, [0, 1, 2, 3]);
        }
        for_each_seed(0, |seed| assert!(env::var(VARIABLE).is_ok(), "{seed}"));
    }

    #[test]
    fn at_once_is_each_once_under_the_name_of_the_test() {
        let (name, seen) = (test_name(), Mutex::new(Vec::new()));
        for_each_seed_at_once(9, |seed| {
            assert_eq!((test_name(), current()), (name.clone(), Some(seed)));
            seen.lock().unwrap().push(seed);
        });
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        if env::var(VARIABLE).is_err() {
            assert_eq!(seen, Vec::from_iter(0..9));
        }
    }

    #[test]
    fn a_failure_reaches_the_test() {
        let run = panic::catch_unwind(|| for_each_seed(1, |_| panic!("as it should")));
        assert!(run.is_err());
        let last = |seed| assert!(seed != 8 && env::var(VARIABLE).is_err(), "as it should");
        assert!(panic::catch_unwind(|| for_each_seed_at_once(9, last)).is_err());
    }

    #[test]
    fn the_command_of_a_replay_runs_that_seed_of_that_test_alone() {
        let unit = replay(
            7,
            Some("oxirtc-sctp"),
            Some("/t/debug/deps/oxirtc_sctp-0f3a"),
            Some("tsn::tests::wraps"),
        );
        assert_eq!(
            unit,
            "NETSIM_SEED=7 cargo test -p oxirtc-sctp --lib -- --exact tsn::tests::wraps"
        );
        let pair = replay(7, Some("oxirtc-sctp"), Some("t/transfer-0f3a"), Some("all"));
        assert_eq!(
            pair,
            "NETSIM_SEED=7 cargo test -p oxirtc-sctp --test transfer -- --exact all"
        );
        assert_eq!(replay(7, None, None, None), "NETSIM_SEED=7 cargo test");
    }

    #[test]
    fn the_seed_that_runs_is_known() {
        for_each_seed(2, |seed| assert_eq!(current(), Some(seed)));
        assert_eq!(current(), None);
        assert_eq!(
            test_name().as_deref(),
            Some("seed::tests::the_seed_that_runs_is_known")
        );
    }

    #[test]
    fn derived_seeds_differ() {
        let mut seeds: Vec<_> = (0..1000).map(|part| derived(7, part)).collect();
        assert_eq!(derived(7, 0), seeds[0]);
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1000);
    }
}
