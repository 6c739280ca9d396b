//! What a fuzzer can choose has a branch: `_ => {}` would swallow an operation, and it would never be fuzzed.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let fuzz = sources
        .iter()
        .filter(|source| source.path.starts_with("fuzz/src/"));
    let files: Vec<(&Source, String)> = fuzz.map(|source| (source, source.bare())).collect();
    let mut findings = Vec::new();
    for (source, code) in &files {
        for choice in choices(code) {
            let named = named(code, choice.name);
            for variant in choice.variants.iter().filter(|it| !named.contains(*it)) {
                let what = format!(
                    "{}::{variant} has no branch: it is never fuzzed",
                    choice.name
                );
                findings.push(Finding::of("operations", &source.path, what));
            }
        }
    }
    findings
}

/// An enum that a fuzzer makes.
struct Choice<'c> {
    name: &'c str,
    variants: Vec<&'c str>,
}

/// The enums that derive Arbitrary.
fn choices(code: &str) -> Vec<Choice<'_>> {
    let mut choices = Vec::new();
    for (position, _) in code.match_indices("Arbitrary") {
        let Some((attributes, rest)) = code[position..].split_once("enum ") else {
            continue;
        };
        // Nothing but the rest of the attribute stands between.
        if attributes.contains(['{', ';']) {
            continue;
        }
        if let Some((name, body)) = rest.split_once('{') {
            let name = name.split('<').next().unwrap_or(name).trim();
            let variants = variants(body);
            choices.push(Choice { name, variants });
        }
    }
    choices
}

/// The names at the upper level of an enum's body, up to the brace that ends it.
fn variants(body: &str) -> Vec<&str> {
    let mut variants = Vec::new();
    let (mut depth, mut fresh) = (0_u32, true);
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        match c {
            '}' if depth == 0 => break,
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if word > 0 && depth == 0 && fresh => {
                variants.push(&rest[..word]);
                fresh = false;
            }
            _ => {}
        }
        rest = &rest[word.max(c.len_utf8())..];
    }
    variants
}

/// What follows `Name::` or `Self::` in a pattern: where it is made, it has no branch yet.
fn named<'c>(code: &'c str, name: &str) -> BTreeSet<&'c str> {
    let mut named = BTreeSet::new();
    for prefix in [name, "Self"] {
        for (position, found) in code.match_indices(&format!("{prefix}::")) {
            let rest = &code[position + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let (variant, rest) = rest.split_at(end.unwrap_or(rest.len()));
            if is_pattern(rest) {
                named.insert(variant);
            }
        }
    }
    named
}

/// Whether what stood before this, with the fields that follow, is a branch, one of several for a branch, or a condition.
fn is_pattern(rest: &str) -> bool {
    let mut depth = 0_u32;
    let fields = rest.trim_start().starts_with(['(', '{']);
    let end = rest.find(|c| {
        depth += u32::from("([{".contains(c));
        let closes = ")]}".contains(c);
        depth = depth.saturating_sub(u32::from(closes));
        closes && depth == 0
    });
    let behind = match end {
        Some(end) if fields => &rest[end + 1..],
        _ => rest,
    };
    let behind = behind.trim_start();
    ["=>", "|", "if ", "= "]
        .iter()
        .any(|it| behind.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let (path, text) = ("fuzz/src/x.rs".to_owned(), text.to_owned());
        check(&[Source { path, text }])
            .into_iter()
            .map(|it| it.what)
            .collect()
    }

    const OPERATIONS: &str = "\
#[derive(Arbitrary, Debug)]
enum Operation {
    /// Sends.
    Send(End, u8),
    Move { to: u8, by: u16 },
    #[arbitrary(skip)]
    Close,
}
";

    #[test]
    fn an_operation_without_a_branch_is_found() {
        let branches =
            "match it { Operation::Send(a, b) => x(), Operation::Close => y(), _ => {} }";
        let found = findings(&format!("{OPERATIONS}{branches}"));
        assert_eq!(found, ["Operation::Move has no branch: it is never fuzzed"]);
        let all = "match it { Operation::Send(..) | Operation::Move { .. } | Self::Close => x() }";
        assert_eq!(findings(&format!("{OPERATIONS}{all}")), [""; 0]);
        // What makes one is no branch for it.
        let made = format!("{branches} let it = [Operation::Move {{ to: f(1), by }}];");
        assert_eq!(findings(&format!("{OPERATIONS}{made}")).len(), 1);
        let asked = format!("{branches} if let Operation::Move {{ to, .. }} = it {{}}");
        assert_eq!(findings(&format!("{OPERATIONS}{asked}")), [""; 0]);
    }

    #[test]
    fn other_enums_are_nobodys_choice() {
        let text =
            "use arbitrary::Arbitrary;\nstruct S {}\n#[derive(Debug)]\nenum Other { A, B }\n";
        assert_eq!(findings(text), [""; 0]);
    }
}
