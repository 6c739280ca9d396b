//! The page about statistics names each member that nothing here fills.

use std::fs;

use anyhow::Result;

use super::finding::Finding;
use crate::{run, sources::Source};

pub(super) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let page = fs::read_to_string(run::root().join(PAGE))?;
    let of = |room: &'static str| sources.iter().filter(move |it| it.path.starts_with(room));
    let filling: String = of(FILLING).map(|it| it.text.as_str()).collect();
    let members = of(DICTIONARIES).flat_map(|it| optional(&it.text));
    Ok(untold(members, &filling, &page))
}

/// Members that are not filled and do not stand in the page.
fn untold<'s>(members: impl Iterator<Item = &'s str>, filling: &str, page: &str) -> Vec<Finding> {
    let names: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let is_set = |member: &str| [" = ", ".clone_from("].map(|sign| format!(".{member}{sign}"));
    let is_empty = |member: &&str| !is_set(member).iter().any(|it| filling.contains(it));
    let empty = members.filter(is_empty).map(camel_case);
    let untold = empty.filter(|member| !names.iter().any(|name| stands(member, name)));
    untold
        .map(|member| {
            let what = format!("{member} is filled by nothing and does not stand there");
            Finding::of("statistics", PAGE, what)
        })
        .collect()
}

/// A name of the page may leave out its beginning, its end, or both: `…Implementation`.
fn stands(member: &str, name: &str) -> bool {
    match (name.strip_prefix('…'), name.strip_suffix('…')) {
        (Some(rest), Some(_)) => member.contains(rest.trim_end_matches('…')),
        (Some(end), None) => member.ends_with(end),
        (None, Some(start)) => member.starts_with(start),
        (None, None) => member == name,
    }
}

/// The members of the dictionaries of a file that may be absent.
fn optional(text: &str) -> Vec<&str> {
    let parts = text.split("} optional {").skip(1);
    let lines = parts.flat_map(|it| it.split("\n    }").next().unwrap_or_default().lines());
    let code = lines.map(str::trim).filter(|line| !line.starts_with('/'));
    code.filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut whole = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        whole.push_str(&first.to_uppercase());
        whole.push_str(rest);
    }
    whole
}

const PAGE: &str = "docs/stats.md";
const DICTIONARIES: &str = "crates/stats/src/";
const FILLING: &str = "crates/peerconnection/src/engine/stats/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_has_to_be_told() {
        let dictionary = "dictionary! {\n    A {\n        id: String,\n    } optional {\n        /// One: of it.\n        one_two: u64,\n        \
                          three_four: u64,\n        five_six: u64,\n        seven: u64,\n    }\n}\n";
        let members = optional(dictionary);
        assert_eq!(members, ["one_two", "three_four", "five_six", "seven"]);
        let found = |filling: &str, page: &str| {
            let found = untold(members.iter().copied(), filling, page).into_iter();
            found
                .map(|it| it.what.split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let all = ["oneTwo", "threeFour", "fiveSix", "seven"];
        assert_eq!(found("it.one = 1; x.sevens = 2;", "one, oneTwo"), all);
        assert_eq!(found("it.one_two = Some(1);", "`three…`"), all[2..]);
        assert_eq!(found("", "`oneTwo`, `…Four`, `…ve…`"), Vec::<String>::new());
    }
}
