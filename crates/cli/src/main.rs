#![doc = include_str!("../README.md")]

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

mod loopback;
mod serve;

/// WebRTC in Rust: connect a browser to this machine, or two peers in one process.
#[derive(Debug, Parser)]
#[command(name = "oxirtc", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a page that connects the visitor's browser to a peer in this process
    Serve(serve::Arguments),
    /// Connect two peers in this process over UDP, move data, print a table
    Loopback(loopback::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("warn"));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("oxirtc: cannot start the threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Loopback(arguments) => loopback::run(arguments).await,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("oxirtc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How a command ended, other than by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// What was asked for is done.
    Done,
    /// Ctrl-C came before.
    Interrupted,
}

/// Writes a line to standard output. Where nobody reads it any more, that is no reason to end badly.
fn say(line: impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        log::debug!("standard output is closed: {error}");
    }
}

/// 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;
