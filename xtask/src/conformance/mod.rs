//! `cargo xtask conformance`: which rows of the project's lists are shown by which tests.
//!
//! The lists are pages of `docs/`; their last column is written here and nowhere else.

mod broken;
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
    /// Break what tests show, in a copy of the tree, and see them fail
    #[arg(long)]
    broken: bool,
    /// Which of the patches in xtask/broken are drawn
    #[arg(long, default_value_t = 0, requires = "broken")]
    seed: u64,
    /// How many are drawn
    #[arg(long, default_value_t = 10, requires = "broken")]
    count: usize,
}

impl Arguments {
    /// Whether the pages are up to date.
    pub(crate) fn check() -> Self {
        Self {
            check: true,
            ..Self::default()
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.broken {
        return broken::run(arguments.seed, arguments.count);
    }
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
