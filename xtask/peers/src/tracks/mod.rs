//! Packets of one track, from one connection to another, and from one through a forwarder to many.
//!
//! A stream of video without an end: frames of twenty packets, as many under way as the window allows, so that no
//! stack floods itself. Each stack gets and gives packets as its API intends.

mod film;
mod oxirtc;
mod row;
mod str0m;
mod webrtc;
mod window;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

pub use row::{Allocations, Work};
use row::{Meter, Tracks};

/// Does the work with this stack and prints a line.
pub fn measure(name: &str, row: &str, work: Work, allocations: Option<Allocations>) -> Result<()> {
    let (stack, version): (&dyn Tracks, _) = match name {
        "oxirtc" => (&oxirtc::Oxirtc, "0.1"),
        "str0m" => (&str0m::Str0m, "0.25"),
        "webrtc" => (&webrtc::Webrtc, "0.21"),
        other => bail!("no stack «{other}» carries tracks"),
    };
    let carried = stack.carry(work, Meter { allocations })?;
    ensure!(carried.packets > 0, "nothing arrived");
    let packets = carried.packets as f64;
    // What an allocator costs that counts is not the stack's.
    let figures = match carried.allocations {
        Some(allocations) => json!({ "allocations/packet": allocations as f64 / packets }),
        None => json!({
            "packets/s": packets / carried.wall.as_secs_f64(),
            "packets/cpu-s": packets / carried.cpu.as_secs_f64(),
        }),
    };
    let line: Value = json!({
        "stack": name, "version": version, "row": row, "lost": carried.lost, "figures": figures,
    });
    println!("{line}");
    Ok(())
}
