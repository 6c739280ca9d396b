//! Property tests: drawn from the seed that replays them.

use std::{any::Any, fmt};

use proptest::test_runner::{Config, FailurePersistence, PersistedSeed, RngSeed};

use crate::seed;

/// So many cases of a property, for `proptest_config`.
///
/// They are the same ones in every run, with `NETSIM_SEED=<number>` in the environment others. When one fails, the command that
/// draws them again is printed to standard error; no file is written.
///
/// # Panics
/// When `NETSIM_SEED` is set to something that is not a number.
pub fn cases(count: u32) -> Config {
    let seed = seed::wanted().unwrap_or(SEED);
    Config {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(Replay { seed })),
        ..Config::with_cases(count)
    }
}

/// What takes the place of a file of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Replay {
    seed: u64,
}

impl FailurePersistence for Replay {
    fn load_persisted_failures2(&self, _file: Option<&'static str>) -> Vec<PersistedSeed> {
        Vec::new()
    }

    fn save_persisted_failure2(
        &mut self,
        _file: Option<&'static str>,
        _case: PersistedSeed,
        _reduced: &dyn fmt::Debug,
    ) {
        seed::announce(self.seed);
    }

    fn box_clone(&self) -> Box<dyn FailurePersistence> {
        Box::new(*self)
    }

    fn eq(&self, other: &dyn FailurePersistence) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// CI judges a change and not the day.
const SEED: u64 = 20_260_501;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, env};

    use proptest::test_runner::TestRunner;

    use super::*;

    /// The numbers that a property of ten cases sees.
    fn drawn(config: Config) -> Vec<u64> {
        let seen = RefCell::new(Vec::new());
        let run = TestRunner::new(config).run(&(0..u64::MAX), |it| {
            seen.borrow_mut().push(it);
            Ok(())
        });
        assert!(run.is_ok());
        seen.into_inner()
    }

    #[test]
    fn the_seed_says_which_cases_there_are() {
        let first = drawn(cases(10));
        assert_eq!(first.len(), 10);
        assert_eq!(drawn(cases(10)), first);
        let other = Config {
            rng_seed: RngSeed::Fixed(7),
            ..cases(10)
        };
        assert_ne!(drawn(other), first);
        let seed = env::var("NETSIM_SEED").map_or(SEED, |it| it.parse().expect("a number"));
        assert_eq!(cases(10).rng_seed, RngSeed::Fixed(seed));
    }
}
