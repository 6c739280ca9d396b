//! The table of W3C's members and ours says all that an application can name and all that W3C does, and nothing but W3C's stands at the
//! root.

use std::fs;

use anyhow::Result;

use super::{finding::Finding, idl::NAMES};
use crate::{run, sources::Source};

/// Types at the root of the facade, in `media` and in `api`, which do not stand in the table, and the methods of `api` that do not stand
/// where their type does; what the table says that W3C does not have, but for `Endpoint`, at the root; and names of W3C's that the table
/// does not have, or not where their interface stands.
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
        let of_it: String = sections(table).filter(|it| stands(of, it)).collect();
        let all = [*of].into_iter().chain(members.split_whitespace());
        for name in all.filter(|name| !stands(name, &of_it)) {
            let what = format!("{name} of {of} is W3C's and does not stand there");
            findings.push(Finding::of("table", TABLE, what));
        }
    }
    findings
}

fn sections(table: &str) -> impl Iterator<Item = &str> {
    table.split("\n## ")
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
    let section = sections(table).find(|it| it.starts_with(OWN));
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
    let mut absent = Vec::new();
    if ["lib.rs", "api/mod.rs"].contains(&room) {
        let untold = exported(&code).into_iter().filter(|it| !stands(it, table));
        absent.extend(untold.map(|it| format!("{it} does not stand in {TABLE}")));
    }
    if room.starts_with("api/") {
        let untold = |(of, name): &(&str, &str)| {
            let mut places = sections(table).filter(|it| is_of(of, it));
            !places.any(|it| stands(name, it))
        };
        let untold = methods(&code).into_iter().filter(untold);
        let what = |(of, name)| format!("{name} of {of} does not stand in {TABLE} where that does");
        absent.extend(untold.map(what));
    }
    let finding = |what| Finding::of("table", &source.path, what);
    absent.into_iter().map(finding).collect()
}

/// Whether a section is about a type, or about all.
fn is_of(of: &str, section: &str) -> bool {
    [RULES, OWN].iter().any(|it| section.starts_with(it)) || stands(of, section)
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

/// Methods, each with the type that it is of.
fn methods(code: &str) -> Vec<(&str, &str)> {
    let heads = ["    pub fn ", "    pub async fn "];
    let mut of = "";
    let mut methods = Vec::new();
    for line in code.lines() {
        if line.starts_with("impl") {
            let name = line.trim_end_matches(" {").rsplit(' ').next();
            of = name.and_then(|it| it.split('<').next()).unwrap_or_default();
        }
        let rest = heads.iter().find_map(|head| line.strip_prefix(head));
        let name = rest.and_then(|it| it.split(['(', '<']).next());
        methods.extend(name.map(|name| (of, name)));
    }
    methods
}

const TABLE: &str = "docs/api.md";

/// The heading of what counts for all types.
const RULES: &str = "Rules";

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
        let table = "\n## RTCA\n| `W` | `A` |\n## What W3C does not have\n| Rust | for what |\n| `Endpoint`, `media::B`, `C` | D |\n## S\n| `E` | `F` |\n";
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
        assert_eq!(found("api/a.rs", methods, "`A`, `one()`"), ["two"]);
        let elsewhere = "\n## Rules\n`one`\n## B\n`A`\n## C\n`two`";
        assert_eq!(found("api/a.rs", methods, elsewhere), ["two"]);
        let own = "\n## What W3C does not have\n`one`\n## C\n`A`, `two`";
        assert_eq!(found("api/a.rs", methods, own), Vec::<String>::new());
        let of_a_trait = methods.replace("impl A", "impl<T> B for A<T>");
        assert_eq!(found("api/a.rs", &of_a_trait, "`A`, `one()`"), ["two"]);
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
        let elsewhere = "`RTCOne`, `two`\n## RTCFour\n`three`";
        assert_eq!(found(elsewhere), ["three"], "of another");
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
