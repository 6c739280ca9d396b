//! `cargo xtask ci`: everything a change must pass, stage by stage, with the time of each beside its budget.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{fuzz, run, setup, tidy};

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
}

const fn stage(name: &'static str, minutes: u64, run: fn(&Arguments) -> Result<()>) -> Stage {
    Stage { name, minutes, run }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = now();
    let mut rows = Vec::new();
    let wanted = |stage: &&Stage| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == stage.name)
    };
    for stage in STAGES.iter().filter(wanted) {
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

fn build(_: &Arguments) -> Result<()> {
    tidy::run()?;
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
    run::check(run::cargo().args(["test", "--workspace"]))?;
    let mut doc = run::cargo();
    doc.args(["doc", "--workspace", "--no-deps"]);
    run::check(doc.env("RUSTDOCFLAGS", "-D warnings"))
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
fn interop(browser: &str) -> Result<()> {
    let this = std::env::current_exe()?;
    run::check(
        Command::new(this)
            .current_dir(run::root())
            .args(["interop", browser]),
    )
}

fn fuzz_smoke(arguments: &Arguments) -> Result<()> {
    fuzz::run(&fuzz::Arguments::smoke(arguments.full))
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
    stage("netsim", 5, netsim),
    stage("chromium", 6, |_| interop("chromium")),
    stage("firefox", 8, |_| interop("firefox")),
    stage("fuzz", 8, fuzz_smoke),
];
const LIMIT: Duration = Duration::from_secs(60 * 60);
