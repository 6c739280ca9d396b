//! dimpl, in one process with ours: `xtask/peers` does it, as it is no dependency of this program.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::run;

pub(super) fn names() -> Vec<String> {
    vec!["dimpl_both_roles_and_versions".to_owned()]
}

pub(super) async fn run(_: &str) -> anyhow::Result<String> {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let program = format!("{}/{profile}/peers-dtls", run::peers_target()?);
    let output = Command::new(program).arg("interop").output().await;
    let output = output.context("peers-dtls did not start")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("FAILED"))
        .collect();
    ensure!(output.status.success(), "{}", failed.join("\n"));
    Ok(said.lines().last().unwrap_or_default().to_owned())
}
