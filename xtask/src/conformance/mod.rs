//! `cargo xtask conformance`: which rows of the project's lists are shown by which tests.
//!
//! The lists are pages of `docs/`; their last column is written here and nowhere else.

mod evidence;
mod marks;
mod page;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{run, sources};
pub(crate) use marks::{Mark, marks};
use page::Page;

/// What `conformance` can be told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the pages are up to date, and fail if one is not
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let evidence = evidence::of(&sources::rust()?);
    let mut stale = Vec::new();
    for path in PAGES {
        let file = run::root().join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("{path} cannot be read"))?;
        let page = Page::parse(&text);
        let (refreshed, counts) = page.refreshed(&evidence);
        println!("{path}: {counts}");
        if refreshed == text {
            continue;
        }
        if arguments.check {
            stale.push(path);
        } else {
            fs::write(&file, refreshed).with_context(|| format!("{path} cannot be written"))?;
        }
    }
    if !stale.is_empty() {
        bail!("{} stale: run `cargo xtask conformance`", stale.join(", "));
    }
    Ok(())
}

/// All rows that the lists have.
pub(crate) fn known() -> Result<Vec<Mark>> {
    let mut known = Vec::new();
    for path in PAGES {
        let text = fs::read_to_string(run::root().join(path))?;
        known.extend(Page::parse(&text).marks());
    }
    Ok(known)
}

const PAGES: [&str; 2] = ["docs/w3c.md", "docs/known-failures.md"];
