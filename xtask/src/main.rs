//! The project's own commands: `cargo xtask <command>`.
//!
//! Each is thin: it calls the tool that does the work, says what it calls, and fails when the tool does.

mod bench;
mod ci;
mod conformance;
mod deny;
mod examples;
mod fuzz;
mod interop;
mod pages;
mod pion;
mod run;
mod setup;
mod sources;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need on a fresh Debian machine
    Setup(setup::Arguments),
    /// Check the shape of the tree: dependency arrows, sizes, names, citations
    Tidy,
    /// Say in docs/w3c.md and docs/known-failures.md which tests show which row
    Conformance(conformance::Arguments),
    /// Run everything a change must pass
    Ci(ci::Arguments),
    /// Test against real peers
    Interop(interop::Arguments),
    /// One end of a connection in a namespace; `interop nat` starts it
    #[command(hide = true)]
    Party(interop::nat::party::Orders),
    /// Many connections in a namespace; `interop flood` starts it
    #[command(hide = true)]
    Crowd,
    /// Forges STUN; `interop flood` starts it
    #[command(hide = true)]
    Forge,
    /// Run the fuzz targets
    Fuzz(fuzz::Arguments),
    /// Measure against other stacks in the same run
    Bench(bench::Arguments),
    /// Check licences, bans and sources of all dependencies
    Deny,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Interop(arguments) => interop::run(&arguments),
        Command::Party(orders) => interop::nat::party::run(&orders),
        Command::Crowd => interop::flood::crowd::run(),
        Command::Forge => interop::flood::forge::run(),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Deny => deny::run(),
    }
}
