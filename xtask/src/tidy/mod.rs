//! `cargo xtask tidy`: the shape of the tree that no compiler checks.

mod arrows;
mod circles;
mod citations;
mod docs;
mod facade;
mod finding;
mod idl;
mod integers;
mod links;
mod marks;
mod must_use;
mod names;
mod operations;
mod rooms;
mod sizes;
mod statistics;
mod table;
mod targets;
mod uses;

use anyhow::{Result, bail};

use crate::{conformance, sources};

pub(crate) fn run() -> Result<()> {
    let rust = sources::rust()?;
    let written = sources::written()?;
    let known = conformance::known()?;
    let mut findings = Vec::new();
    findings.extend(arrows::check()?);
    findings.extend(facade::budget()?);
    findings.extend(rooms::check()?);
    findings.extend(targets::check()?);
    findings.extend(circles::check(&rust));
    findings.extend(operations::check(&rust));
    findings.extend(table::check(&rust)?);
    findings.extend(statistics::check(&rust)?);
    for source in &rust {
        findings.extend(sizes::check(source));
        findings.extend(names::check(source));
        findings.extend(citations::check(source));
        findings.extend(docs::check(source));
        findings.extend(facade::check(source));
        findings.extend(integers::check(source));
        findings.extend(must_use::check(source));
    }
    for source in &written {
        findings.extend(links::check(source));
        findings.extend(marks::check(source, &known));
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    if !findings.is_empty() {
        bail!(
            "tidy: {} findings in {} files",
            findings.len(),
            written.len()
        );
    }
    println!("tidy: {} files, nothing found", written.len());
    Ok(())
}
