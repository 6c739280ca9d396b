#![doc = include_str!("../README.md")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

mod departure;
mod gather;
mod http;
mod loopback;
mod outcome;
mod play;
mod progress;
mod record;
mod serve;

use outcome::Outcome;

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
    /// Play a file to a WHIP server, or to whoever comes to watch
    Play(play::Arguments),
    /// Record what a WHEP server plays, or what is published here
    Record(record::Arguments),
    /// Print the ICE candidates of this machine as they come
    Gather(gather::Arguments),
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
            Command::Play(arguments) => play::run(arguments).await,
            Command::Record(arguments) => record::run(arguments).await,
            Command::Gather(arguments) => gather::run(arguments).await,
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

/// 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;
