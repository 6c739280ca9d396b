//! `cargo xtask bench`: the same work for oxirtc and for other stacks, in turns, in one run.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{pion, run};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(value_parser = WORKS.iter().map(|work| work.name).collect::<Vec<_>>())]
    work: String,
    /// A JSON row a line instead of the table
    #[arg(long)]
    json: bool,
    /// How often each stack does each piece of work; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many seconds data flows over each path
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Only rows whose name contains this
    #[arg(long, default_value = "")]
    row: String,
}

/// Something to measure: its name, who does it beside us, and the rows of its table.
struct Work {
    name: &'static str,
    /// The program of `xtask/peers` that does it.
    program: &'static str,
    peers: &'static [&'static str],
    rows: &'static [&'static str],
}

/// The figures of one row: stack, then figure, then its value in each round.
type Measured = BTreeMap<&'static str, BTreeMap<String, Vec<f64>>>;

impl Work {
    /// All who do it, we first.
    fn stacks(&self) -> impl Iterator<Item = &'static str> {
        [OURS].into_iter().chain(self.peers.iter().copied())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let work = WORKS.iter().find(|work| work.name == arguments.work);
    let work = work.with_context(|| format!("no work «{}»", arguments.work))?;
    let build = [
        "build",
        "--release",
        "--manifest-path",
        "xtask/peers/Cargo.toml",
        "--package",
        work.program,
    ];
    run::check(run::cargo().args(build))?;
    let program = format!("{}/release/{}", run::peers_target()?, work.program);
    eprintln!("socket buffers granted: {}", ask(&program, "buffers")?);
    let pion = work.peers.contains(&PION);
    let pion = pion.then(|| pion::build("pion-path", PION_PROGRAM));
    let pion = pion.transpose()?;
    if work.name == PATH {
        eprintln!("the relay carries {} MB/s", ask(&program, "ceiling")?);
    }
    let rows: Vec<&str> = work
        .rows
        .iter()
        .copied()
        .filter(|row| row.contains(&arguments.row))
        .collect();
    if rows.is_empty() {
        bail!("no row has «{}» in its name", arguments.row);
    }
    if !arguments.json {
        let stacks: String = work.stacks().map(|stack| format!(" {stack:>12}")).collect();
        println!("{:<18} {:<20}{stacks} {:>8}", "work", "figure", "ratio");
    }
    for row in rows {
        let mut measured = Measured::new();
        for round in 0..arguments.rounds {
            // What is lost on a path is the same for all stacks.
            let over = [round.to_string(), arguments.seconds.to_string()];
            let over = over.iter().filter(|_| work.name == PATH);
            for stack in work.stacks() {
                let mut command = Command::new(&program);
                command.args([stack, row]).args(over.clone());
                if let Some(pion) = &pion {
                    command.env("PION", pion);
                }
                measure(&mut command, stack, row, &mut measured)?;
            }
        }
        if work.name == MEDIA && row.starts_with(FAN_OUT) {
            // Once: it is the same each time. And apart, as counting costs time.
            for stack in work.stacks() {
                let mut command = Command::new(format!("{program}-counted"));
                measure(command.args([stack, row]), stack, row, &mut measured)?;
            }
        }
        print(work, row, &measured, arguments.json);
    }
    Ok(())
}

/// What the program knows of this machine. With smaller buffers than every stack is to have it refuses to measure.
fn ask(program: &str, what: &str) -> Result<String> {
    Ok(run::output(Command::new(program).arg(what))?
        .trim()
        .to_owned())
}

fn measure(
    command: &mut Command,
    stack: &'static str,
    row: &str,
    measured: &mut Measured,
) -> Result<()> {
    let line = run::output(command)?;
    let line: Value = serde_json::from_str(&line)?;
    let figures = line["figures"].as_object().context("no figures")?;
    let of_stack = measured.entry(stack).or_default();
    for (figure, value) in figures {
        let value = value
            .as_f64()
            .with_context(|| format!("{stack}, {row}: no {figure}"))?;
        of_stack.entry(figure.clone()).or_default().push(value);
    }
    Ok(())
}

fn print(work: &Work, row: &str, measured: &Measured, as_json: bool) {
    let Some(ours) = measured.get(OURS) else {
        return;
    };
    for figure in ours.keys() {
        let value = |stack: &str| {
            measured
                .get(stack)
                .and_then(|figures| figures.get(figure))
                .map(|values| median(values))
        };
        let ours = value(OURS).unwrap_or(f64::NAN);
        let others = work.peers.iter().filter(|stack| !stack.starts_with(OURS));
        let peers = others.filter_map(|stack| value(stack));
        // Of microseconds and of allocations the least is the best.
        let less_is_better = figure.ends_with(" us") || figure == ALLOCATIONS;
        let best = if less_is_better {
            peers.fold(f64::INFINITY, f64::min)
        } else {
            peers.fold(0.0, f64::max)
        };
        let ratio = ours / best;
        if as_json {
            let mut line = json!({ "work": row, "figure": figure, "ratio": ratio, "less_is_better": less_is_better });
            for stack in work.stacks() {
                line[stack] = json!(value(stack));
            }
            println!("{line}");
        } else {
            let digits = if figure == ALLOCATIONS { 3 } else { 1 };
            let cell = |stack| format!(" {:>12.digits$}", value(stack).unwrap_or(f64::NAN));
            let cells: String = work.stacks().map(cell).collect();
            println!("{row:<18} {figure:<20}{cells} {ratio:>7.2}x");
        }
    }
}

const fn work(
    name: &'static str,
    program: &'static str,
    peers: &'static [&'static str],
    rows: &'static [&'static str],
) -> Work {
    Work {
        name,
        program,
        peers,
        rows,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

const OURS: &str = "oxirtc";
const PATH: &str = "path";
const MEDIA: &str = "media";
const FAN_OUT: &str = "to ";
const ALLOCATIONS: &str = "allocations/packet";
const PION: &str = "pion";
const PION_PROGRAM: &str = include_str!("../peers/src/pion.go");
/// A line each. `xtask/peers` does the work of every row with every stack.
#[rustfmt::skip]
const WORKS: &[Work] = &[
    // Two peer connections over UDP on loopback.
    work("datachannel", "peers", &["oxirtc-1.2", "str0m", "webrtc"], &["64 KiB", "16 KiB", "100 B", "100 B unreliable", "ping-pong", "set-up"]),
    // The same through a relay in user space: goodput at the receiver over 15 s, slow start in it.
    work(PATH, "peers", &["oxirtc-bbr", "str0m", "webrtc", PION], &[
        "20 ms", "20 ms, 0.5 %", "20 ms, 1 %", "50 ms", "50 ms, 0.5 %", "50 ms, 1 %", "50 ms, 2 %", "100 ms",
        "100 Mbit/s, queue 1", "100 Mbit/s, queue 1/4", "50 ms, 5 % late", "2 ms, 1 %",
    ]),
    // Packets of 1200 bytes of a track: to the other end, and through a forwarder to receivers, all in one process.
    work(MEDIA, "peers", &["str0m", "webrtc"], &[
        "AES-CM", "GCM", "to 1, 1 thread", "to 10, 1 thread", "to 100, 1 thread", "to 1, 4 threads", "to 10, 4 threads", "to 100, 4 threads",
    ]),
    // Both ends in memory: whole handshakes, and records of 1200 bytes sealed and opened.
    work("dtls", "peers-dtls", &["dimpl", "rtc-dtls"], &["handshake 1.2", "handshake 1.3", "record 1.2", "record 1.3"]),
    // Packets of 1200 bytes in memory, by profile.
    work("srtp", "peers-media", &["rtc", "webrtc-srtp"], &["protect AES-CM", "open AES-CM", "protect GCM", "open GCM"]),
    // Packets read and written, and frames of 64 KiB cut and joined, in memory.
    work("rtp", "peers-media", &["rtc"], &["read", "write", "read RTCP", "cut VP8", "cut H.264", "join VP8", "join H.264"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_outlier() {
        assert_eq!(median(&[3.0, 100.0, 1.0]), 3.0);
    }
}
