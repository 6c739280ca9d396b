//! Seeds: how tests run with many of them, and how a machine's generator is derived from one.

use std::thread;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Runs `test` once for each seed from 0 to `count` − 1.
///
/// When a run panics, its seed is printed to standard error. With `NETSIM_SEED=<number>` in the environment only that
/// seed is run, so a failure is replayed alone.
///
/// # Panics
/// When `NETSIM_SEED` is set to something that is not a number, and when `test` does.
pub fn for_each_seed(count: u64, mut test: impl FnMut(u64)) {
    let seeds = match std::env::var(VARIABLE) {
        Ok(text) => {
            let Ok(seed) = text.parse() else {
                panic!("{VARIABLE} must be a number, not {text:?}");
            };
            seed..=seed
        }
        Err(_) if count == 0 => return,
        Err(_) => 0..=count - 1,
    };
    for seed in seeds {
        let _announcement = Announcement(seed);
        test(seed);
    }
}

/// Prints the seed when it is dropped by a panic.
struct Announcement(u64);

impl Drop for Announcement {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("failed with seed {0}; replay with {VARIABLE}={0}", self.0);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn every_seed_is_run_once() {
        let mut seen = Vec::new();
        for_each_seed(4, |seed| seen.push(seed));
        if std::env::var(VARIABLE).is_err() {
            assert_eq!(seen, [0, 1, 2, 3]);
        }
        for_each_seed(0, |seed| assert!(std::env::var(VARIABLE).is_ok(), "{seed}"));
    }

    #[test]
    fn a_failure_reaches_the_test() {
        let run = panic::catch_unwind(|| for_each_seed(1, |_| panic!("as it should")));
        assert!(run.is_err());
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
