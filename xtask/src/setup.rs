//! `cargo xtask setup`: what the tests need on a fresh Debian machine. Quick when it is all there.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

/// What `setup` can be told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only say what is missing, and fail if anything is
    #[arg(long)]
    check: bool,
    /// Also the other stacks that `interop dtls` connects with
    #[arg(long)]
    others: bool,
}

/// A program, or another file by its whole path, and what brings it.
#[derive(Debug, Clone, Copy)]
struct Need {
    program: &'static str,
    from: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let others = if arguments.others { OTHERS } else { &[] };
    let packages = [missing(PACKAGES), missing(others)].concat();
    let crates = missing(CRATES);
    let toolchain = !has_nightly();
    if arguments.check {
        let nightly = toolchain.then_some("the nightly toolchain");
        let all: Vec<_> = packages
            .iter()
            .chain(&crates)
            .copied()
            .chain(nightly)
            .collect();
        ensure!(
            all.is_empty(),
            "missing: {}; run `cargo xtask setup`",
            all.join(", ")
        );
        println!("setup: everything is there");
        return Ok(());
    }
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    for name in &crates {
        call(Command::new("cargo").args(["install", "--locked", name]))?;
    }
    if toolchain {
        // cargo-fuzz builds with the sanitizers, which stable does not have.
        call(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    let still: Vec<_> = missing(PACKAGES)
        .into_iter()
        .chain(missing(others))
        .chain(missing(CRATES))
        .collect();
    ensure!(
        still.is_empty(),
        "still missing after the installation: {}",
        still.join(", ")
    );
    println!("setup: everything is there");
    Ok(())
}

const fn need(program: &'static str, from: &'static str) -> Need {
    Need { program, from }
}

/// Where a program is: on the path, where Debian keeps what is for root, or among cargo's own.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::home_dir().unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into(), cargo.join("bin")])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut names: Vec<_> = needs
        .iter()
        .filter(|need| find(need.program).is_none())
        .map(|need| need.from)
        .collect();
    names.dedup();
    names
}

fn has_nightly() -> bool {
    Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    if find("apt-get").is_none() {
        bail!("this is no Debian: install by hand what brings {list}");
    }
    let root = Path::new("/root").read_dir().is_ok();
    let sudo = find("sudo");
    if !root && sudo.is_none() {
        bail!("no permission to install: run `apt-get install {list}` as root");
    }
    let apt = |arguments: &[&str]| {
        let mut command = match (&sudo, root) {
            (Some(sudo), false) => {
                let mut command = Command::new(sudo);
                command.arg("apt-get");
                command
            }
            _ => Command::new("apt-get"),
        };
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        call(&mut command)
    };
    apt(&["update"])?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    println!("setup: {command:?}");
    let status = command
        .status()
        .with_context(|| format!("{command:?} did not start"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// A program, or a file by its whole path, and the Debian package that brings it. A line each, by package.
const PACKAGES: &[Need] = &[
    need("chromium", "chromium"),
    need("chromedriver", "chromium-driver"),
    need("ffprobe", "ffmpeg"),
    need("firefox-esr", "firefox-esr"),
    need("g++", "g++"),
    need("ip", "iproute2"),
    need("iptables", "iptables"),
    need("kill", "procps"),
    need("nft", "nftables"),
    need("openssl", "openssl"),
    need("sqlite3", "sqlite3"),
    need("tshark", "tshark"),
    need("turnserver", "coturn"),
    need("unshare", "util-linux"),
];

/// The same of what no stage of ci needs.
const OTHERS: &[Need] = &[
    need("go", "golang-go"),
    need(
        "/usr/share/doc/gir1.2-gst-plugins-bad-1.0/copyright",
        "gir1.2-gst-plugins-bad-1.0",
    ),
    need(
        "/usr/share/doc/gstreamer1.0-nice/copyright",
        "gstreamer1.0-nice",
    ),
    need(
        "/usr/share/doc/gstreamer1.0-plugins-bad/copyright",
        "gstreamer1.0-plugins-bad",
    ),
    need(
        "/usr/share/doc/gstreamer1.0-plugins-base/copyright",
        "gstreamer1.0-plugins-base",
    ),
    need(
        "/usr/share/doc/gstreamer1.0-plugins-good/copyright",
        "gstreamer1.0-plugins-good",
    ),
    need(
        "/usr/share/doc/python3-gst-1.0/copyright",
        "python3-gst-1.0",
    ),
    need(
        "/usr/share/gocode/src/github.com/pion/webrtc/go.mod",
        "golang-github-pion-webrtc.v3-dev",
    ),
    need(
        "/usr/lib/python3/dist-packages/aiortc/__init__.py",
        "python3-aiortc",
    ),
];

/// A program and the crate that brings it.
const CRATES: &[Need] = &[
    need("cargo-fuzz", "cargo-fuzz"),
    need("geckodriver", "geckodriver"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_and_an_absent_one_is_named_by_its_package() {
        assert!(find("cargo").is_some());
        let absent = need("no-such-program-here", "its-package");
        let present = need("cargo", "cargo");
        let file = need(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "a-file");
        assert_eq!(missing(&[absent, present, file, absent]), ["its-package"]);
    }
}
