//! `cargo xtask deny`: licences, bans and sources of every dependency, by cargo-deny and `deny.toml`.

use std::process::Command;

use anyhow::Result;

use crate::run;

pub(crate) fn run() -> Result<()> {
    let known = Command::new("cargo-deny").arg("--version").output();
    if !known.is_ok_and(|output| output.status.success()) {
        run::check(run::cargo().args(["install", "--locked", "cargo-deny"]))?;
    }
    run::check(run::cargo().args(["deny", "check", "licenses", "bans", "sources"]))
}
