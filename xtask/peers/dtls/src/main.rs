//! DTLS alone, in memory: `peers-dtls <stack> <row>` does one piece of work with one stack and prints one
//! line of JSON; `peers-dtls interop [name]` connects oxirtc with dimpl, in every role and version.

#![expect(
    clippy::disallowed_methods,
    reason = "a program that times others reads the clock"
)]

mod dimpl;
mod end;
mod interop;
mod oxirtc;
mod rtc;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;

use end::{Pair, Stack, Version};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["buffers"] => {
            println!("none: all is in memory");
            Ok(())
        }
        ["interop", only @ ..] => interop::run(only),
        [stack, row] => measure(stack, row),
        _ => bail!("usage: peers-dtls interop [NAME] | peers-dtls <oxirtc|dimpl|rtc-dtls> <row>"),
    }
}

fn measure(name: &str, row: &str) -> Result<()> {
    let stack: &dyn Stack = match name {
        "oxirtc" => &oxirtc::Oxirtc,
        "dimpl" => &dimpl::Dimpl,
        "rtc-dtls" => &rtc::Rtc,
        other => bail!("no stack «{other}»"),
    };
    let (work, version) = row
        .rsplit_once(' ')
        .with_context(|| format!("no row «{row}»"))?;
    let version = match version {
        "1.2" => Version::Dtls12,
        "1.3" => Version::Dtls13,
        _ => bail!("no row «{row}»"),
    };
    let figures = match (stack.speaks(version), work) {
        (false, _) => json!({}),
        (true, "handshake") => json!({ "handshakes/cpu-s": handshakes(stack, version)? }),
        (true, "record") => json!({ "records/cpu-s": records(stack, version)? }),
        _ => bail!("no row «{row}»"),
    };
    println!(
        "{}",
        json!({ "stack": name, "row": row, "figures": figures })
    );
    Ok(())
}

/// Full ones, both ends in this process, a second.
fn handshakes(stack: &dyn Stack, version: Version) -> Result<f64> {
    let identities = stack.identities()?;
    // The first one warms caches up.
    Pair::connect(stack, version, &identities)?;
    let (start, cpu, mut count) = (Instant::now(), cpu()?, 0);
    while start.elapsed() < MEASURED {
        Pair::connect(stack, version, &identities)?;
        count += 1;
    }
    Ok(f64::from(count) / (crate::cpu()? - cpu).as_secs_f64())
}

/// Sealed at one end and opened at the other, of 1200 bytes.
fn records(stack: &dyn Stack, version: Version) -> Result<f64> {
    let mut pair = Pair::connect(stack, version, &stack.identities()?)?;
    let payload = [7; 1200];
    pair.carry(&payload, 1_000)?;
    let (start, cpu, mut count) = (Instant::now(), cpu()?, 0);
    while start.elapsed() < MEASURED {
        pair.carry(&payload, 1_000)?;
        count += 1_000;
    }
    Ok(f64::from(count) / (crate::cpu()? - cpu).as_secs_f64())
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
