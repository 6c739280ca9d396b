//! The facade shows no type of a layer crate, and stays light.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Source, at};
use crate::run;

pub(super) fn check(source: &Source) -> Vec<String> {
    let Some(room) = source.path.strip_prefix("crates/peerconnection/src/") else {
        return Vec::new();
    };
    if room.starts_with("api/") {
        let named = source.code().filter(|(_, line)| line.contains("oxirtc_"));
        let finding = |(number, _)| at(source, number, "api/ names a layer crate");
        return named.map(finding).collect();
    }
    if room.starts_with("engine/") && !room.starts_with("engine/convert/") {
        return signatures(source);
    }
    Vec::new()
}

/// At most this many crates stand below the facade, so that it stays quick to build and to audit.
pub(super) fn budget() -> Result<Option<String>> {
    let tree = [
        "tree",
        "-p",
        "oxirtc-peerconnection",
        "-e",
        "normal",
        "--prefix",
        "none",
    ];
    let tree = run::output(run::cargo().args(tree))?;
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let over = names.len() > CRATES;
    Ok(over.then(|| {
        format!(
            "the facade has {} crates below it, more than {CRATES}",
            names.len()
        )
    }))
}

/// Public signatures that name a layer crate, or something imported from one.
fn signatures(source: &Source) -> Vec<String> {
    let imported = imported(source);
    let mut findings = Vec::new();
    let mut lines = source.code();
    while let Some((number, line)) = lines.next() {
        if !is_public(line) {
            continue;
        }
        let mut signature = line.to_owned();
        while !signature.contains(['{', ';']) {
            let Some((_, line)) = lines.next() else { break };
            signature.push_str(line);
        }
        let mut words = signature.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word.starts_with("oxirtc_") || imported.contains(word)) {
            findings.push(at(
                source,
                number,
                "a public signature of engine/ names a layer crate",
            ));
        }
    }
    findings
}

fn is_public(line: &str) -> bool {
    let line = line.trim_start();
    let items = [
        "pub fn ",
        "pub struct ",
        "pub enum ",
        "pub type ",
        "pub const ",
        "pub use ",
        "pub trait ",
    ];
    items.iter().any(|item| line.starts_with(item))
}

/// The names that `use oxirtc_…` brings in.
fn imported(source: &Source) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = source.text.as_str();
    while let Some((_, after)) = rest.split_once("\nuse oxirtc_") {
        let Some((list, after)) = after.split_once(';') else {
            break;
        };
        // `ice::{Agent, Path as IcePath}`: the words that are names, not paths or keywords.
        let words = list.split(|c: char| !c.is_alphanumeric() && c != '_');
        let names_of_types = words.filter(|word| word.starts_with(|c: char| c.is_uppercase()));
        names.extend(names_of_types);
        rest = after;
    }
    names
}

const CRATES: usize = 125;
