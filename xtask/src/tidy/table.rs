//! The table of W3C's members and ours says all that an application can name and all that W3C does, and nothing but W3C's stands at the
//! root.

use std::fs;

use anyhow::Result;

use super::{finding::Finding, idl::NAMES};
use crate::{run, sources::Source};

/// Types at the root of the facade, in `media` and in `api`, and the methods of `api`, which do not stand in the table; and what
/// the table says that W3C does not have, but for `Endpoint`, at the root; and names of W3C's that the table does not have.
pub(super) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let table = fs::read_to_string(run::root().join(TABLE))?;
    let found = |source| {
        missing(source, &table)
            .into_iter()
            .chain(own(source, &table))
    };
    let ours = sources.iter().flat_map(found);
    Ok(ours.chain(unsaid(NAMES, &table)).collect())
}

fn unsaid(names: &[(&str, &str)], table: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (of, members) in names {
        let all = [*of].into_iter().chain(members.split_whitespace());
        for name in all.filter(|name| !stands(name, table)) {
            let what = format!("{name} of {of} is W3C's and does not stand there");
            findings.push(Finding::of("table", TABLE, what));
        }
    }
    findings
}

/// Whether a name stands there as a word.
fn stands(name: &str, table: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    table.match_indices(name).any(|(at, _)| {
        let (before, after) = (&table[..at], &table[at + name.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// What stands at the root and is not W3C's.
fn own(source: &Source, table: &str) -> Vec<Finding> {
    if source.path != "crates/peerconnection/src/lib.rs" {
        return Vec::new();
    }
    let section = table.split("## ").find(|it| it.starts_with(OWN));
    let rows = section.unwrap_or_default().lines();
    let cells: String = rows.filter_map(|line| line.split('|').nth(1)).collect();
    let code = source.bare();
    let at_root = exported(code.split("pub mod media").next().unwrap_or_default());
    let ours = at_root.into_iter().filter(|name| {
        *name != "Endpoint"
            && cells
                .split(['`', ' ', ','])
                .any(|word| word.rsplit("::").next() == Some(name))
    });
    let finding = |name| {
        let what = format!("{name} stands at the root and is not W3C's");
        Finding::of("table", &source.path, what)
    };
    ours.map(finding).collect()
}

fn missing(source: &Source, table: &str) -> Vec<Finding> {
    let Some(room) = source.path.strip_prefix("crates/peerconnection/src/") else {
        return Vec::new();
    };
    let code = source.bare();
    let mut names = Vec::new();
    if ["lib.rs", "api/mod.rs"].contains(&room) {
        names.extend(exported(&code));
    }
    if room.starts_with("api/") {
        names.extend(methods(&code));
    }
    let absent = names.into_iter().filter(|name| !stands(name, table));
    let finding = |name| {
        let what = format!("{name} does not stand in {TABLE}");
        Finding::of("table", &source.path, what)
    };
    absent.map(finding).collect()
}

/// The types of `pub use`, by the names that they have there.
fn exported(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for rest in code.split("pub use ").skip(1) {
        let tree = rest.split(';').next().unwrap_or_default();
        for word in tree.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if word == "as" {
                names.pop();
            } else if !word.is_empty() {
                names.push(word);
            }
        }
    }
    names.retain(|name| name.starts_with(char::is_uppercase));
    names
}

fn methods(code: &str) -> Vec<&str> {
    let heads = ["    pub fn ", "    pub async fn "];
    let lines = code.lines();
    let named = lines.filter_map(|line| heads.iter().find_map(|head| line.strip_prefix(head)));
    named
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect()
}

const TABLE: &str = "docs/api.md";

/// The heading of what is not W3C's.
const OWN: &str = "What W3C does not have";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(room: &str, text: &str, table: &str) -> Vec<String> {
        let source = Source {
            path: format!("crates/peerconnection/src/{room}"),
            text: text.to_owned(),
        };
        let found = missing(&source, table).into_iter().map(|it| it.what);
        found
            .filter_map(|what| what.split(' ').next().map(str::to_owned))
            .collect()
    }

    #[test]
    fn what_is_not_w3cs_stands_in_a_room() {
        let table = "## RTCA\n| `W` | `A` |\n## What W3C does not have\n| Rust | for what |\n| `Endpoint`, `media::B`, `C` | D |\n## S\n| `E` | `F` |\n";
        let code =
            "\npub use a::{A, B, C, D, E, F, Endpoint};\npub mod media {\n    pub use b::C;\n}\n";
        let source = Source {
            path: "crates/peerconnection/src/lib.rs".to_owned(),
            text: code.to_owned(),
        };
        let found = own(&source, table).into_iter().map(|it| it.what);
        let names: Vec<_> = found.collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].starts_with("B ") && names[1].starts_with("C "));
    }

    #[test]
    fn what_the_table_does_not_name_is_found() {
        let root = "\npub use a::{B, c::D};\npub(crate) use e::F;\n#[doc(inline)]\npub use g::{self as h, I, J as K};\n";
        assert_eq!(
            found("lib.rs", root, "| `B`, `Da`, `bD`, J |"),
            ["D", "I", "K"]
        );
        assert_eq!(
            found("lib.rs", root, "`B` D `I::x()`, K"),
            Vec::<String>::new()
        );
        assert_eq!(found("engine/mod.rs", root, ""), Vec::<String>::new());
        let methods = "impl A {\n    pub fn one(&self) {}\n    pub async fn two<T>(&self) {}\n    pub(crate) fn three() {}\n    fn four() {}\n}\n";
        assert_eq!(found("api/a.rs", methods, "`one()`"), ["two"]);
        assert_eq!(found("driver/a.rs", methods, ""), Vec::<String>::new());
    }

    #[test]
    fn what_w3c_names_is_missed() {
        let names = [("RTCOne", "two three"), ("RTCFour", "")];
        let found = |table| {
            let all = unsaid(&names, table).into_iter();
            all.map(|it| it.what.split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("`RTCOne`, `two()`, `twothree`"), ["three", "RTCFour"]);
        assert_eq!(found("RTCOne two three RTCFour"), Vec::<String>::new());
        assert_eq!(
            NAMES
                .iter()
                .map(|it| it.1.split_whitespace().count())
                .sum::<usize>(),
            MEMBERS
        );
    }

    /// So that none is lost from the list.
    const MEMBERS: usize = 237;
}
