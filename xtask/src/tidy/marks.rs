//! A mark leads somewhere: it names a row of a page in `docs/`, in the form that `cargo xtask conformance` reads.

use crate::conformance::{Mark, marks};

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source, known: &[Mark]) -> Vec<Finding> {
    // These tests are about marks.
    if ["xtask/src/tidy/", "xtask/src/conformance/"]
        .iter()
        .any(|room| source.path.starts_with(room))
    {
        return Vec::new();
    }
    let code = source.path.ends_with(".rs");
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let text = match line.split_once("//") {
            Some((_, comment)) if code => comment,
            _ if code => continue,
            _ => line,
        };
        let absent = marks(text).into_iter().filter(|mark| !known.contains(mark));
        let absent = absent.map(|mark| match mark {
            Mark::Row(id) => format!("[{id}] is no row of docs/w3c.md"),
            Mark::Failure(n) => format!("known failure {n} is not in docs/known-failures.md"),
        });
        let stray = stray(text).map(|words| format!("«{words}» leads nowhere"));
        for what in absent.chain(stray) {
            findings.push(Finding::at("marks", source, number, what));
        }
    }
    findings
}

/// Words that name a row of a list that is not here.
fn stray(text: &str) -> Option<&str> {
    let lower = text.to_lowercase();
    let begins = |position: usize| {
        let before = lower[..position].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric())
    };
    for words in ["row ", "rows ", "goal ", "goals ", "checklist "] {
        for (position, _) in lower.match_indices(words).filter(|(at, _)| begins(*at)) {
            let rest = lower.get(position + words.len()..).unwrap_or_default();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if is_number(&name) || words.starts_with("goal") && name.starts_with("row") {
                return text.get(position..position + words.len() + name.len());
            }
        }
    }
    let documents = ["the seed's", "seed draft", "seed section", "seed window"];
    let found = documents
        .iter()
        .find_map(|words| lower.find(words).map(|at| (at, words.len())));
    found.and_then(|(at, length)| text.get(at..at + length))
}

/// `12`, `c2`: a number, perhaps with one letter before it.
fn is_number(name: &str) -> bool {
    let digits = name
        .strip_prefix(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(name);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let known = [Mark::Row("6.2-07".into()), Mark::Failure(9)];
        let (path, text) = (path.to_owned(), text.to_owned());
        let findings = check(&Source { path, text }, &known).into_iter();
        findings.map(|it| it.what).collect()
    }

    #[test]
    fn marks_of_rows_that_are_not_there_are_found() {
        let text = "/// [6.2-07], known failure 9\n// [6.2-99], known failures 9 and 46\nlet x = \"[6.2-98]\";\n";
        assert_eq!(
            findings("crates/x/src/a.rs", text),
            [
                "[6.2-99] is no row of docs/w3c.md",
                "known failure 46 is not in docs/known-failures.md"
            ]
        );
        assert_eq!(findings("docs/x.md", "[6.2-98]").len(), 1);
    }

    #[test]
    fn words_that_lead_nowhere_are_found() {
        for text in [
            "Row C2, and more",
            "rows 26 and 27",
            "Goal D5:",
            "goals row 16",
            "known failure 9, checklist D12",
            "in the seed's numbering",
        ] {
            let found = findings("docs/x.md", text);
            assert!(
                found.len() == 1 && found[0].ends_with("leads nowhere"),
                "{text}: {found:?}"
            );
        }
        for text in [
            "a row of the table",
            "arrow 5",
            "the seed is printed",
            "rows of 4 bytes",
        ] {
            assert_eq!(findings("docs/x.md", text), [""; 0], "{text}");
        }
    }
}
