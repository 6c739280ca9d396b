//! Programs that speak with Debian's Pion.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::run;

/// Builds a program of one file where Debian's sources of Go are found, and says where it is. It stays from one run to the next,
/// as Go takes a minute to build the first time.
pub(crate) fn build(name: &str, source: &str) -> Result<PathBuf> {
    let root = run::target()?.join("interop").join(name);
    let place = root.join("src/peer");
    fs::create_dir_all(&place)?;
    fs::write(place.join("main.go"), source)?;
    // Without it a path with a version in it is not found.
    fs::write(place.join("go.mod"), "module peer\n")?;
    let mut command = Command::new("go");
    command
        .args(["build", "-o", "peer"])
        .current_dir(&place)
        .env("GO111MODULE", "off")
        .env("GOPATH", format!("{}:/usr/share/gocode", root.display()))
        .env("GOCACHE", run::target()?.join("interop/pion-cache"));
    let built = command
        .output()
        .context("no Go; `cargo xtask setup --others` installs it")?;
    let said = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "Pion does not build: {said}");
    Ok(place.join("peer"))
}
