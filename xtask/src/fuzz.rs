//! `cargo xtask fuzz`: builds the fuzz targets once and runs each for a while.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::run;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only targets whose name contains this
    #[arg(default_value = "")]
    name: String,
    /// Seconds each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where each target's random numbers begin; 0 is another place each time
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

impl Arguments {
    /// A look at every target: what CI has time for, or a minute each. The inputs are the same in
    /// every run, so that CI judges the change and not the day; the command without a seed explores.
    pub(crate) fn smoke(full: bool) -> Self {
        Self {
            name: String::new(),
            seconds: if full { 60 } else { 5 },
            seed: 1,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let listed = run::output(run::nightly_cargo().args(["fuzz", "list"]))?;
    let targets: Vec<&str> = listed
        .lines()
        .filter(|target| target.contains(&arguments.name))
        .collect();
    if targets.is_empty() {
        bail!("no fuzz target has «{}» in its name", arguments.name);
    }
    run::check(run::nightly_cargo().args(["fuzz", "build"]))?;
    let mut failed = Vec::new();
    for target in &targets {
        std::fs::create_dir_all(run::root().join("fuzz/corpus").join(target))?;
        if let Err(error) = run::check(&mut fuzz(target, arguments)) {
            println!("{error}");
            failed.push(*target);
        }
    }
    println!(
        "{} passed, {} failed",
        targets.len() - failed.len(),
        failed.len()
    );
    if !failed.is_empty() {
        bail!("fuzz targets failed: {}", failed.join(", "));
    }
    Ok(())
}

fn fuzz(target: &str, arguments: &Arguments) -> Command {
    let mut command = run::nightly_cargo();
    command.args(["fuzz", "run", target]);
    // What is found goes into the first; the second is tracked.
    let seeds = format!("fuzz/seeds/{target}");
    if run::root().join(&seeds).is_dir() {
        command.args([format!("fuzz/corpus/{target}"), seeds]);
    }
    command
        .arg("--")
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-seed={}", arguments.seed))
        // A single input that takes this long is a finding.
        .arg(format!("-timeout={}", HANG.as_secs()))
        .args(["-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"]);
    command
}

const HANG: Duration = Duration::from_secs(10);
