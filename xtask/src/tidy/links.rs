//! Links of pages to files of the tree lead somewhere.

use std::path::Path;

use super::finding::Finding;
use crate::{run, sources::Source};

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let is_page = source.path.ends_with(".md");
    let room = Path::new(&source.path).parent().filter(|_| is_page);
    let Some(room) = room.map(|it| run::root().join(it)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let dead = targets(line).filter(|it| !room.join(it).exists());
        findings.extend(dead.map(|it| {
            let what = format!("the link to {it} leads nowhere");
            Finding::at("links", source, number, what)
        }));
    }
    findings
}

/// The files that a line links to.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1);
    let links = links.filter_map(|it| it.split(')').next());
    let files = links.filter(|it| !it.contains("://") && !it.contains("::"));
    let files = files.filter_map(|it| it.split('#').next());
    files.filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_is_looked_for() {
        let line = "[a](b.md) [c](https://d/e.md) [f](#g) [h](i/j.md#k), [l](crate::m)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["b.md", "i/j.md"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let of = |text: &str| {
            let (path, text) = ("docs/x.md".to_owned(), text.to_owned());
            check(&Source { path, text }).len()
        };
        assert_eq!(of("[a](style.md) [b](../README.md#the-rooms)"), 0);
        assert_eq!(of("[a](../docs)\n[b](nowhere.md)"), 1);
    }
}
