//! The Rust files that git tracks, or would.

use std::process::Command;

use anyhow::Result;

use crate::run;

/// One Rust file: its path from the root, with `/`, and its text.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// A file that holds tests, benchmarks, examples or fuzz targets only.
    pub(super) fn is_test(&self) -> bool {
        let in_room = |room: &str| self.path.contains(room);
        in_room("/tests/")
            || self.path.ends_with("/tests.rs")
            || in_room("/benches/")
            || in_room("/examples/")
    }

    /// The lines before the tests at the bottom of the file, numbered from 1.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let before_tests = |(_, line): &(usize, &str)| !line.starts_with("#[cfg(test)]");
        self.lines().take_while(before_tests)
    }

    /// All lines, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

pub(super) fn read() -> Result<Vec<Source>> {
    let mut list = Command::new("git");
    list.current_dir(run::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.rs",
    ]);
    let mut sources = Vec::new();
    for path in run::output(&mut list)?.lines() {
        // A file that is deleted but still tracked has no text.
        if let Ok(text) = std::fs::read_to_string(run::root().join(path)) {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}
