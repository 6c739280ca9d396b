//! One piece of work by one stack: `peers <stack> <row> [<seed> <seconds>]`, one line of JSON; `peers buffers` prints
//! the bytes of socket buffer that the kernel grants, `peers ceiling` how much the relay of paths carries.
//!
//! All ends run in this process, over UDP on loopback, and the CPU time is that of the process. `cargo xtask bench`
//! runs the stacks in turns and prints the ratios. `peers-counted` is the same program with an allocator that counts, which
//! costs time: what it measures otherwise says nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "a program that times others reads the clock"
)]

mod oxirtc;
mod path;
mod pion;
mod relay;
mod str0m;
mod tracks;
mod webrtc;
mod work;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use oxirtc_peerconnection::engine::{CongestionControl, DtlsVersion, Settings};
use serde_json::json;

use oxirtc::Oxirtc;
use path::Path;
pub use tracks::Allocations;
use tracks::Work;
use work::{Row, Stack};

/// The program.
///
/// # Errors
///
/// There is no such work, or a stack fails in it.
pub fn main(allocations: Option<Allocations>) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let granted = work::granted_buffers()?;
    if arguments == ["buffers"] {
        println!("{granted}");
        return Ok(());
    }
    if arguments == ["ceiling"] {
        println!("{:.0}", relay::ceiling()?);
        return Ok(());
    }
    let (stack, row, over) = match arguments.as_slice() {
        [stack, row] => (stack, row, (0, OVER_PATH)),
        [stack, row, seed, seconds] => {
            let seed = seed.parse().context("a seed is a number")?;
            let seconds = seconds.parse().context("seconds are a number")?;
            (stack, row, (seed, Duration::from_secs(seconds)))
        }
        _ => bail!("{USAGE}"),
    };
    if let Some(work) = Work::parse(row) {
        return tracks::measure(stack, row, work, allocations);
    }
    let row = Row::parse(row).with_context(|| format!("no row «{row}»"))?;
    let stack: &dyn Stack = match stack.as_str() {
        "oxirtc" => &ours("oxirtc", Settings::default()),
        "oxirtc-bbr" => {
            let settings = Settings::default().congestion_control(CongestionControl::Bbr);
            &ours("oxirtc-bbr", settings)
        }
        // The handshake that the others have.
        "oxirtc-1.2" => {
            let settings = Settings::default().dtls_versions(&[DtlsVersion::Dtls12]);
            &ours("oxirtc-1.2", settings)
        }
        "pion" => &pion::Pion,
        "str0m" => &str0m::Str0m,
        "webrtc" => &webrtc::Webrtc,
        other => bail!("no stack «{other}»"),
    };
    let figures = run(stack, row, over)?;
    let line = json!({
        "stack": stack.name(), "version": stack.version(), "row": row.name(), "socket_buffer": granted, "figures": figures,
    });
    println!("{line}");
    Ok(())
}

fn ours(name: &'static str, settings: Settings) -> Oxirtc {
    Oxirtc { name, settings }
}

fn run(stack: &dyn Stack, row: Row, (seed, time): (u64, Duration)) -> Result<serde_json::Value> {
    Ok(match row {
        Row::Flow(flow) => {
            let done = stack.flow(flow, None, FLOW)?;
            let (wall, cpu) = (done.wall.as_secs_f64(), done.cpu.as_secs_f64());
            let mebibytes = (done.messages * flow.message as u64) as f64 / f64::from(1 << 20);
            json!({
                "MiB/s": mebibytes / wall, "MiB/cpu-s": mebibytes / cpu, "messages/cpu-s": done.messages as f64 / cpu,
            })
        }
        Row::Path(path) => {
            let path = Path { seed, ..path };
            let done = stack.flow(work::OVER_PATH, Some(path), time)?;
            let bytes = done.messages as f64 * work::OVER_PATH.message as f64;
            json!({ "MB/s": bytes / done.wall.as_secs_f64() / 1e6 })
        }
        Row::PingPong => {
            let mut times = stack.ping_pong(PING_PONG)?;
            times.sort_unstable();
            json!({ "p50 us": micros(&times, 50), "p99 us": micros(&times, 99) })
        }
        Row::SetUp => {
            let done = stack.set_up(SET_UPS)?;
            let mut times = done.times;
            times.sort_unstable();
            let per_cpu = times.len() as f64 / done.cpu.as_secs_f64();
            let (p50, max) = (micros(&times, 50), micros(&times, 100));
            json!({ "p50 us": p50, "max us": max, "connections/cpu-s": per_cpu })
        }
    })
}

fn micros(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(index)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

const USAGE: &str = "usage: peers buffers | ceiling | <oxirtc|oxirtc-bbr|oxirtc-1.2|pion|str0m|webrtc> <row> [<seed> <seconds>]";
const FLOW: Duration = Duration::from_secs(4);
const OVER_PATH: Duration = Duration::from_secs(15);
const PING_PONG: usize = 20_000;
const SET_UPS: usize = 40;
