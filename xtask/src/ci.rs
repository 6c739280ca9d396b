//! `cargo xtask ci`: everything a change must pass, stage by stage, with the time of each beside its budget.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{conformance, deny, examples, fuzz, pages, run, setup, tidy};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what would pass the time limit: the whole table of loss and delay, longer fuzzing
    #[arg(long)]
    full: bool,
    /// Only these stages
    #[arg(value_parser = STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>())]
    only: Vec<String>,
}

/// A part of the whole, and the minutes that it may take.
struct Stage {
    name: &'static str,
    minutes: u64,
    run: fn(&Arguments) -> Result<()>,
    /// It would pass the time limit: only with `--full`, or when it is asked for by name.
    only_full: bool,
}

const fn stage(name: &'static str, minutes: u64, run: fn(&Arguments) -> Result<()>) -> Stage {
    Stage {
        name,
        minutes,
        run,
        only_full: false,
    }
}

const fn full(name: &'static str, minutes: u64, run: fn(&Arguments) -> Result<()>) -> Stage {
    Stage {
        only_full: true,
        ..stage(name, minutes, run)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = now();
    let mut rows = Vec::new();
    for stage in STAGES.iter().filter(|stage| arguments.want(stage)) {
        println!("\n=== {} (budget {} min)", stage.name, stage.minutes);
        let begun = now();
        (stage.run)(arguments).with_context(|| format!("stage «{}»", stage.name))?;
        rows.push((stage, now() - begun));
    }
    let whole = now() - start;
    println!("\n{:<10} {:>8} {:>8}", "stage", "took", "budget");
    for (stage, took) in &rows {
        println!(
            "{:<10} {:>8} {:>7}m",
            stage.name,
            minutes(*took),
            stage.minutes
        );
    }
    println!(
        "{:<10} {:>8} {:>7}m",
        "whole",
        minutes(whole),
        LIMIT.as_secs() / 60
    );
    if whole > LIMIT && !arguments.full {
        bail!("the whole took {}, more than the limit", minutes(whole));
    }
    println!("\nci: {} passed, 0 failed", rows.len());
    Ok(())
}

impl Arguments {
    fn want(&self, stage: &Stage) -> bool {
        match self.only.is_empty() {
            true => self.full || !stage.only_full,
            false => self.only.iter().any(|name| name == stage.name),
        }
    }
}

fn build(_: &Arguments) -> Result<()> {
    tidy::run()?;
    conformance::run(&conformance::Arguments::check())?;
    run::check(run::cargo().args(["fmt", "--all", "--check"]))?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run::check(run::cargo().args(lints))?;
    // Without the driver: what an embedder of the engine builds.
    let engine = [
        "clippy",
        "-p",
        "oxirtc-peerconnection",
        "--no-default-features",
        "--",
        "-D",
        "warnings",
    ];
    run::check(run::cargo().args(engine))?;
    run::check(run::cargo().args(["test", "--workspace"]))?;
    let mut doc = run::cargo();
    doc.args(["doc", "--workspace", "--no-deps"]);
    run::check(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    pages::check()
}

/// The workspaces beside the main one. They share its build directory, and so what both depend on.
fn beside(_: &Arguments) -> Result<()> {
    for workspace in BESIDE {
        let manifest = format!("{workspace}/Cargo.toml");
        run::check(run::cargo().args(["fmt", "--manifest-path", &manifest, "--check"]))?;
        let mut lints = run::cargo();
        lints.args(["clippy", "--manifest-path", &manifest]);
        lints.args(["--workspace", "--all-targets"]);
        lints.arg("--target-dir").arg(run::target()?);
        run::check(lints.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn netsim(arguments: &Arguments) -> Result<()> {
    let mut matrix = run::cargo();
    matrix.args(["test", "-p", "oxirtc-peerconnection", "--test", "matrix"]);
    matrix.args(["--", "--nocapture"]);
    if arguments.full {
        matrix.env("OXIRTC_FULL", "1");
    }
    run::check(&mut matrix)
}

/// In a process of its own: it may enter other namespaces.
fn interop(peer: &str, only: &[&str]) -> Result<()> {
    let this = std::env::current_exe()?;
    run::check(
        Command::new(this)
            .current_dir(run::root())
            .args(["interop", peer])
            .args(only),
    )
}

fn fuzz_smoke(arguments: &Arguments) -> Result<()> {
    fuzz::run(&fuzz::Arguments::smoke(arguments.full))
}

/// What one packet of a peer's costs, by the clock: in the build that is used.
fn cost(_: &Arguments) -> Result<()> {
    let mut times = run::cargo();
    times.args(["test", "--release", "-p", "oxirtc-sctp"]);
    run::check(times.args(["--lib", "--test", "cost"]))?;
    let mut times = run::cargo();
    times.args(["test", "--release", "-p", "oxirtc-peerconnection"]);
    run::check(times.args(["--lib", "cost"]))
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[expect(clippy::disallowed_methods, reason = "a program times its own stages")]
fn now() -> Instant {
    Instant::now()
}

/// In the order in which they run. A line each.
const STAGES: &[Stage] = &[
    stage("setup", 10, |_| setup::run(&setup::Arguments::default())),
    stage("build", 15, build),
    stage("beside", 4, beside),
    stage("examples", 4, |_| examples::run()),
    stage("netsim", 2, netsim),
    stage("dtls", 2, |_| interop("dtls", &["openssl"])),
    stage("coturn", 3, |_| interop("coturn", &[])),
    stage("nat", 3, |_| interop("nat", NAT)),
    stage("chromium", 7, |_| interop("chromium", &[])),
    stage("firefox", 6, |_| interop("firefox", &[])),
    stage("fuzz", 9, fuzz_smoke),
    full("cost", 5, cost),
    full("deny", 10, |_| deny::run()),
];
/// Of the table of NATs: holes that are opened from both sides, a port that nobody can know, and no UDP.
const NAT: &[&str] = &[
    "full_cone/port_restricted",
    "port_restricted/port_restricted",
    "port_restricted/symmetric",
    "open/blocked",
    "blocked/stream",
    "link_local",
    "marks",
];
const BESIDE: [&str; 2] = ["fuzz", "xtask/peers"];
const LIMIT: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(full: bool, only: &[&str]) -> Vec<&'static str> {
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        let arguments = Arguments { full, only };
        let wanted = STAGES.iter().filter(|stage| arguments.want(stage));
        wanted.map(|stage| stage.name).collect()
    }

    #[test]
    fn what_takes_too_long_runs_when_it_is_asked_for() {
        assert!(!wanted(false, &[]).contains(&"deny"));
        assert!(wanted(true, &[]).contains(&"deny"));
        assert_eq!(wanted(true, &[]).len(), STAGES.len());
        assert_eq!(wanted(false, &["deny", "build"]), ["build", "deny"]);
    }
}
