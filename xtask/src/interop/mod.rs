//! `cargo xtask interop`: our stack against a real browser, in a network of its own.

use std::env;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::setup;

mod browser;
mod call;
mod channels;
mod close;
mod connect;
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
    /// The browser
    #[arg(value_enum)]
    browser: browser::Kind,
    /// Only tests whose names contain one of these
    only: Vec<String>,
    /// Say the names of the tests and end
    #[arg(long)]
    list: bool,
}

/// Builds first, then enters the namespace, where cargo could fetch nothing.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.list {
        suite::names().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if namespace::inside() {
        namespace::build()?;
        let runtime = tokio::runtime::Runtime::new().context("no threads")?;
        return runtime.block_on(suite::run(arguments.browser, &arguments.only));
    }
    let needed = match arguments.browser {
        browser::Kind::Chromium => ["chromium", "chromedriver"],
        browser::Kind::Firefox => ["firefox-esr", "geckodriver"],
    };
    for program in needed
        .into_iter()
        .chain(["ip", "iptables", "unshare", "kill"])
    {
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
