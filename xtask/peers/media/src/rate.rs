//! Work done again and again, by CPU time.

use std::time::Duration;

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};

/// How many a second of CPU time, and of what.
pub type Rate = (&'static str, f64);

/// Does the work again and again for two seconds of CPU time; `one` says how many it did.
pub fn rate(mut one: impl FnMut() -> Result<u64>) -> Result<f64> {
    // The first time warms caches up.
    one()?;
    let (begun, mut count) = (cpu()?, 0);
    loop {
        count += one()?;
        let spent = cpu()?.saturating_sub(begun);
        if spent >= MEASURED {
            return Ok(count as f64 / spent.as_secs_f64());
        }
    }
}

/// Like [`rate`], of work that needs something made for it each time, which does not count.
pub fn rate_of<T>(
    mut make: impl FnMut() -> Result<T>,
    mut one: impl FnMut(T) -> Result<u64>,
) -> Result<f64> {
    one(make()?)?;
    let (mut spent, mut count) = (Duration::ZERO, 0);
    while spent < MEASURED {
        let made = make()?;
        let begun = cpu()?;
        count += one(made)?;
        spent += cpu()?.saturating_sub(begun);
    }
    Ok(count as f64 / spent.as_secs_f64())
}

/// CPU time of this process.
fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let spent = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000)
    };
    Ok(spent(usage.user_time()) + spent(usage.system_time()))
}

const MEASURED: Duration = Duration::from_secs(2);
