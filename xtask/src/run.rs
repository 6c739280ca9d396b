//! Calling a tool: the command line is printed, and a failure names it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The cargo that runs this command.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_package(&mut command).current_dir(root());
    command
}

/// Takes away what cargo has told of the package that it runs: `ring`'s build asks for it, and would be made anew, with all that stands
/// on it, each time that cargo is called from here and not by hand.
fn without_package(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let is_of_package = |prefix: &&str| name.to_string_lossy().starts_with(*prefix);
        if OF_PACKAGE.iter().any(is_of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// `cargo +nightly`, which cargo-fuzz needs for the sanitizer. Asked of `rustup`'s proxy, as the
/// cargo that runs this command is bound to its own toolchain.
pub(crate) fn nightly_cargo() -> Command {
    let mut command = Command::new("rustup");
    without_package(&mut command)
        .args(["run", "nightly", "cargo"])
        .current_dir(root())
        // Both name the toolchain of the cargo that runs this command.
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Where cargo builds: asked, as it may be anywhere.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"].as_str();
    Ok(target.context("no target directory")?.into())
}

/// Where the programs of `xtask/peers` are built.
pub(crate) fn peers_target() -> Result<String> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--no-deps"]);
    metadata.args(["--manifest-path", "xtask/peers/Cargo.toml"]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
    let target = metadata["target_directory"].as_str();
    Ok(target.context("no target directory")?.to_owned())
}

/// Runs the command to its end and fails when it fails.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` does not start"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// As [`check`], and fails too when it takes longer than `limit`.
pub(crate) fn check_within(limit: Duration, command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let mut child = command
        .spawn()
        .with_context(|| format!("`{line}` does not start"))?;
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{line}` failed: {status}"),
            None if waited >= limit => {
                child.kill()?;
                child.wait()?;
                bail!("`{line}` has not ended after {limit:?}");
            }
            None => thread::sleep(TICK),
        }
        waited += TICK;
    }
}

/// What the command prints on its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .output()
        .with_context(|| format!("`{line}` does not start"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed: {}\n{error}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut line = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// What cargo tells the program that it runs.
const OF_PACKAGE: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];
const TICK: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_or_does_not_end_is_named() {
        let limit = Duration::from_secs(20);
        assert!(check_within(limit, &mut Command::new("true")).is_ok());
        let failed = check_within(limit, &mut Command::new("false"));
        assert!(failed.is_err_and(|error| error.to_string().contains("`false` failed")));
        let mut endless = Command::new("sleep");
        let late = check_within(TICK, endless.arg("60"));
        assert!(late.is_err_and(|error| error.to_string().contains("`sleep 60` has not ended")));
    }
}
