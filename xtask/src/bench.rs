//! `cargo xtask bench`: the same work for oxirtc and for other stacks, in turns, in one run.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::run;

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
    eprintln!("socket buffers granted: {}", granted(&program)?);
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
        for _ in 0..arguments.rounds {
            for stack in work.stacks() {
                measure(&program, stack, row, &mut measured)?;
            }
        }
        print(work, row, &measured, arguments.json);
    }
    Ok(())
}

/// The program refuses to measure with less than every stack is to have.
fn granted(program: &str) -> Result<String> {
    Ok(run::output(Command::new(program).arg("buffers"))?
        .trim()
        .to_owned())
}

fn measure(program: &str, stack: &'static str, row: &str, measured: &mut Measured) -> Result<()> {
    let line = run::output(Command::new(program).args([stack, row]))?;
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
        let peers = work.peers.iter().filter_map(|stack| value(stack));
        // Of microseconds the least is the best.
        let less_is_better = figure.ends_with(" us");
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
            let cell = |stack| format!(" {:>12.1}", value(stack).unwrap_or(f64::NAN));
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
/// A line each. `xtask/peers` does the work of every row with every stack.
#[rustfmt::skip]
const WORKS: &[Work] = &[
    // Two peer connections over UDP on loopback.
    work("datachannel", "peers", &["str0m", "webrtc"], &["64 KiB", "16 KiB", "100 B", "100 B unreliable", "ping-pong", "set-up"]),
    // Both ends in memory: whole handshakes, and records of 1200 bytes sealed and opened.
    work("dtls", "peers-dtls", &["dimpl", "rtc-dtls"], &["handshake 1.2", "handshake 1.3", "record 1.2", "record 1.3"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_outlier() {
        assert_eq!(median(&[3.0, 100.0, 1.0]), 3.0);
    }
}
