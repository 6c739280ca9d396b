//! A network of the tests' own: nothing of it leaves the machine, nothing of the machine is seen.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

/// Runs this program again inside a new network namespace, with a mark that it is there.
pub(crate) fn reenter() -> anyhow::Result<()> {
    let program = env::current_exe().context("this program cannot find itself")?;
    let flags = permitted()?;
    let status = Command::new("unshare")
        .arg(flags)
        .args(["--kill-child", "--fork"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .context("`unshare` did not start")?;
    ensure!(
        status.success(),
        "the tests in the namespace did not pass ({status})"
    );
    Ok(())
}

/// Whether this process is the one inside.
pub(crate) fn inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Brings up loopback, and a bridge with an address and a default route: browsers gather nothing
/// without a route, and Firefox nothing on loopback alone.
pub(crate) fn build() -> anyhow::Result<()> {
    let host = Path::new("/proc/1/ns/net").read_link();
    let ours = Path::new("/proc/self/ns/net").read_link();
    if let (Ok(host), Ok(ours)) = (host, ours) {
        ensure!(
            host != ours,
            "this is the machine's own network: start without {INSIDE} set"
        );
    }
    // Programs find no bus or socket of the machine, and `ip netns` has a place of its own.
    call("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    for line in [
        "link set lo up",
        "link add br0 type bridge",
        "addr add 10.77.0.1/24 dev br0",
        "link set br0 up",
        "route add default via 10.77.0.2",
    ] {
        call("ip", &line.split(' ').collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Gives the bridge one more address.
pub(crate) fn add_address(address: &str) -> anyhow::Result<()> {
    // Duplicate address detection would keep it from use for a second.
    call("ip", &["addr", "add", address, "dev", "br0", "nodad"])
}

/// The flags of `unshare` that work here: as root, else by a user namespace.
fn permitted() -> anyhow::Result<&'static str> {
    for flags in ["-nm", "-Urnm"] {
        let tried = Command::new("unshare")
            .args([flags, "mount", "-t", "tmpfs", "tmpfs", "/run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("`unshare` is missing: run `cargo xtask setup`")?;
        if tried.success() {
            return Ok(flags);
        }
    }
    bail!(
        "network namespaces are not permitted here: run as root, or allow user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1, or the container's seccomp profile)"
    )
}

/// Runs a command of the network to its end.
pub(crate) fn call(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("`{program}` is missing: run `cargo xtask setup`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{program} {}` failed: {}",
        arguments.join(" "),
        said.trim()
    );
    Ok(())
}

const INSIDE: &str = "OXIRTC_INTEROP_NAMESPACE";
