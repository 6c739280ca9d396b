//! `cargo xtask conformance`: which rows of the project's lists are shown by which tests.
//!
//! The lists are pages of `docs/`; their last column is written here and nowhere else.

mod broken;
mod evidence;
mod marks;
mod page;
mod switched;

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::{run, sources};
pub(crate) use marks::{Mark, marks};
use page::{Counts, Page};

/// What `conformance` can be told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the pages are up to date and no row is open, and fail if not
    #[arg(long)]
    pub(crate) check: bool,
    /// Break what tests show, in a copy of the tree, and see them fail
    #[arg(long)]
    broken: bool,
    /// Print rows that are shown by tests of a crate, by crate, and the patches that break them
    #[arg(long, conflicts_with = "broken")]
    rows: bool,
    /// Which of the patches in xtask/broken, or of the rows, are drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many are drawn
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// A patch that is taken instead, by its name; several may be given
    #[arg(long, requires = "broken")]
    name: Vec<String>,
    /// All patches
    #[arg(long, requires = "broken", conflicts_with_all = ["name", "seed", "count"])]
    all: bool,
}

impl Arguments {
    /// Whether the pages are up to date.
    pub(crate) fn check() -> Self {
        Self {
            check: true,
            ..Self::default()
        }
    }

    fn choice(&self) -> broken::Choice<'_> {
        if self.all {
            return broken::Choice::All;
        }
        if !self.name.is_empty() {
            return broken::Choice::Named(&self.name);
        }
        broken::Choice::Drawn {
            seed: self.seed,
            count: self.count,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.broken {
        return broken::run(&arguments.choice());
    }
    let evidence = evidence::of(&sources::rust()?);
    if arguments.rows {
        return broken::rows(&evidence, arguments.seed, arguments.count);
    }
    let mut failures = Vec::new();
    for path in PAGES {
        let file = run::root().join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("{path} cannot be read"))?;
        let (refreshed, counts) = Page::parse(&text).refreshed(&evidence);
        println!("{path}: {counts}");
        if arguments.check {
            failures.extend(failure(path, &text, &refreshed, counts));
        } else if refreshed != text {
            fs::write(&file, refreshed).with_context(|| format!("{path} cannot be written"))?;
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

/// Why a page does not pass: what it says is not so, or one of its rows is neither shown nor marked.
fn failure(path: &str, text: &str, refreshed: &str, counts: Counts) -> Option<String> {
    if refreshed != text {
        return Some(format!("{path} is stale: run `cargo xtask conformance`"));
    }
    let open = counts.open();
    (open > 0).then(|| format!("{path} has rows that are open: {open}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(path: &str, page: &str) -> Option<String> {
        let (refreshed, counts) = Page::parse(page).refreshed(&evidence::of(&[]));
        failure(path, page, &refreshed, counts)
    }

    #[test]
    fn a_row_that_is_neither_shown_nor_marked_fails() {
        let page = |row: &str| format!("| row | what | state |\n|---|---|---|\n{row}\n");
        let open = page("| 6.2-16 | Empty | open |");
        let marked = page("| 6.2-15 | Blobs *Not applicable:* bytes. | not applicable |");
        let stale = page("| 6.2-16 | Empty | shown |");
        for path in PAGES {
            assert_eq!(failure_of(path, &marked), None);
            let told = failure_of(path, &open).unwrap();
            assert!(told.contains("rows that are open: 1"), "{told}");
            let told = failure_of(path, &stale).unwrap();
            assert!(told.contains("stale"), "{told}");
        }
    }
}
