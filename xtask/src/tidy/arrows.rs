//! Which crate may depend on which: `docs/architecture.md`.

use anyhow::{Context, Result};
use serde_json::Value;

use super::finding::Finding;
use crate::run;

pub(super) fn check() -> Result<Vec<Finding>> {
    let metadata = run::output(run::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let from = short(&package["name"]);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // The members of the workspace are the dependencies with a path.
            if dependency["path"].is_null() {
                continue;
            }
            let to = short(&dependency["name"]);
            let for_tests = dependency["kind"] == "dev";
            let of_tests = for_tests && matches!(to, "container" | "netsim" | "stun");
            if !(of_tests || EDGES.contains(&(from, to))) {
                let what = format!("{from} must not depend on {to}");
                findings.push(Finding::of("arrows", "Cargo.toml", what));
            }
        }
    }
    Ok(findings)
}

fn short(name: &Value) -> &str {
    let name = name.as_str().unwrap_or_default();
    name.strip_prefix("oxirtc-").unwrap_or(name)
}

/// From, to. A line each; what is not here yet has its place already.
const EDGES: &[(&str, &str)] = &[
    ("cli", "container"),
    ("cli", "peerconnection"),
    ("ice", "stun"),
    ("ice", "turn"),
    ("jsep", "sdp"),
    ("peerconnection", "congestion"),
    ("peerconnection", "datachannel"),
    ("peerconnection", "dtls"),
    ("peerconnection", "ice"),
    ("peerconnection", "jsep"),
    ("peerconnection", "mdns"),
    ("peerconnection", "rtp"),
    ("peerconnection", "sctp"),
    ("peerconnection", "sdp"),
    ("peerconnection", "srtp"),
    ("peerconnection", "stats"),
    ("turn", "stun"),
    // The peer of the browsers in `interop`.
    ("xtask", "container"),
    ("xtask", "peerconnection"),
];
