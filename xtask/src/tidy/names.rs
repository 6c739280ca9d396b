//! Names that say nothing.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let stems = source.path.split(['/', '.', '_']);
    for stem in stems.filter(|stem| BANNED.contains(stem)) {
        let what = format!("«{stem}» in the name of a file");
        findings.push(Finding::of("names", &source.path, what));
    }
    for (number, line) in source.code() {
        let Some(name) = defined(line) else { continue };
        let words = words(name);
        for banned in BANNED
            .iter()
            .filter(|banned| words.iter().any(|word| word == *banned))
        {
            let what = format!("«{banned}» in the name {name}");
            findings.push(Finding::at("names", source, number, what));
        }
    }
    findings
}

/// The name that the line gives to a module, type or trait.
fn defined(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for visibility in ["pub ", "pub(crate) ", "pub(super) "] {
        rest = rest.strip_prefix(visibility).unwrap_or(rest);
    }
    let keywords = ["mod ", "struct ", "enum ", "trait ", "type "];
    let name = keywords
        .iter()
        .find_map(|keyword| rest.strip_prefix(keyword))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

/// `FooBar` and `foo_bar` are both foo and bar.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words
}

const BANNED: &[&str] = &[
    "common", "handler", "helper", "helpers", "internal", "manager", "misc", "util", "utils",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        let (path, text) = (path.to_owned(), text.to_owned());
        check(&Source { path, text }).len()
    }

    #[test]
    fn finds_banned_words_in_types_and_files() {
        assert_eq!(
            findings("crates/x/src/a.rs", "pub struct PacketHandler {"),
            1
        );
        assert_eq!(
            findings("crates/x/src/a.rs", "pub(crate) mod test_util;"),
            1
        );
        assert_eq!(findings("crates/x/src/common.rs", ""), 1);
    }

    #[test]
    fn leaves_other_words_alone() {
        assert_eq!(
            findings("crates/x/src/a.rs", "struct Commonplace; fn handler() {}"),
            0
        );
    }
}
