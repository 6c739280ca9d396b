//! `cargo xtask tidy`: the shape of the tree that no compiler checks.

mod arrows;
mod citations;
mod facade;
mod names;
mod rooms;
mod sizes;
mod sources;
mod targets;

use anyhow::{Result, bail};

use sources::Source;

pub(crate) fn run() -> Result<()> {
    let sources = sources::read()?;
    let mut findings = Vec::new();
    findings.extend(arrows::check()?);
    findings.extend(facade::budget()?);
    findings.extend(rooms::check()?);
    findings.extend(targets::check()?);
    for source in &sources {
        findings.extend(sizes::check(source));
        findings.extend(names::check(source));
        findings.extend(citations::check(source));
        findings.extend(facade::check(source));
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    if !findings.is_empty() {
        bail!(
            "tidy: {} findings in {} files",
            findings.len(),
            sources.len()
        );
    }
    println!("tidy: {} files, nothing found", sources.len());
    Ok(())
}

/// A finding at a line of a source.
fn at(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", source.path)
}
