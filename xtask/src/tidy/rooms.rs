//! What every crate has: a page of its own and one in `docs/`.

use std::fs;

use anyhow::Result;

use super::finding::Finding;
use crate::run;

pub(super) fn check() -> Result<Vec<Finding>> {
    let root = run::root();
    let mut findings = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let room = entry?.path();
        let name = room
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !room.join("Cargo.toml").is_file() {
            continue;
        }
        if !room.join("README.md").is_file() {
            let crate_room = format!("crates/{name}");
            findings.push(Finding::of("rooms", &crate_room, "it has no README.md"));
        }
        let page = format!("docs/{name}.md");
        if !WITHOUT_PAGE.contains(&name.as_str()) && !root.join(&page).is_file() {
            findings.push(Finding::of("rooms", &page, "it is missing"));
        }
    }
    findings.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(findings)
}

/// Not protocols: their README says all.
const WITHOUT_PAGE: &[&str] = &["cli", "container", "netsim", "peerconnection"];
