//! SRTP, RTP and RTCP alone, in memory: `peers-media <stack> <row>` does one piece of work with one stack and prints one line of
//! JSON. A stack that has nothing for a row prints no figures.

mod rtp;
mod srtp;

use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["buffers"] => println!("none: all is in memory"),
        [stack, row] => {
            let rate = match srtp::measure(stack, row)? {
                Some(rate) => Some(rate),
                None => rtp::measure(stack, row)?,
            };
            let figures = match rate {
                Some((what, rate)) => json!({ format!("{what}/cpu-s"): rate }),
                None => json!({}),
            };
            println!(
                "{}",
                json!({ "stack": stack, "row": row, "figures": figures })
            );
        }
        _ => bail!("usage: peers-media <oxirtc|rtc|webrtc-srtp> <row>"),
    }
    Ok(())
}

/// How many a second of CPU time, and of what.
type Rate = (&'static str, f64);

/// Does the work again and again for two seconds of CPU time; `one` says how many it did.
fn rate(mut one: impl FnMut() -> Result<u64>) -> Result<f64> {
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
fn rate_of<T>(
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
