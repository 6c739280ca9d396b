//! `cargo xtask interop`: our stack against a real peer, in a network of its own.

use std::env;
use std::pin::Pin;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::setup;
use browser::Kind;

mod browser;
mod call;
mod cases;
mod channels;
mod close;
mod connect;
mod media;
mod messages;
mod namespace;
mod peer;
mod restart;
mod serve;
mod server;
mod suite;
mod transfer;

/// What `interop` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whom to test against
    #[arg(value_parser = PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>())]
    peer: String,
    /// Only tests whose names contain one of these
    only: Vec<String>,
    /// Say the names of the tests and end
    #[arg(long)]
    list: bool,
}

/// Someone to test against: its name on the command line, the programs that it needs, its tests.
struct Peer {
    name: &'static str,
    programs: &'static [&'static str],
    cases: fn() -> Vec<&'static str>,
    run: fn(Vec<String>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// Builds first, then enters the namespace, where cargo could fetch nothing.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let peer = PEERS.iter().find(|peer| peer.name == arguments.peer);
    let peer = peer.with_context(|| format!("no peer «{}»", arguments.peer))?;
    if arguments.list {
        (peer.cases)().iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if namespace::inside() {
        namespace::build()?;
        let runtime = tokio::runtime::Runtime::new().context("no threads")?;
        return runtime.block_on((peer.run)(arguments.only.clone()));
    }
    for program in peer.programs.iter().chain(NETWORK) {
        ensure!(
            setup::find(program).is_some(),
            "{program} is missing: run `cargo xtask setup`"
        );
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "oxirtc-cli"]);
    if !cfg!(debug_assertions) {
        build.arg("--release"); // as this program is
    }
    let status = build.status().context("cargo did not start")?;
    ensure!(status.success(), "oxirtc-cli does not build");
    namespace::reenter()
}

/// A peer whose tests are those of [`cases`].
const fn browser(
    name: &'static str,
    programs: &'static [&'static str],
    run: fn(Vec<String>) -> Running,
) -> Peer {
    Peer {
        name,
        programs,
        cases: cases::names,
        run,
    }
}

/// A line each.
#[rustfmt::skip]
const PEERS: &[Peer] = &[
    browser("chromium", &["chromium", "chromedriver"], |only| Box::pin(cases::run(Kind::Chromium, only))),
    browser("firefox", &["firefox-esr", "geckodriver"], |only| Box::pin(cases::run(Kind::Firefox, only))),
];

/// What the namespace itself needs.
const NETWORK: &[&str] = &["ip", "iptables", "unshare", "kill"];
