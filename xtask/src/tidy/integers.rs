//! Integers on the wire are read and written by `byteorder`, behind a reader that checks the length.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let protocol = source.path.starts_with("crates/") && source.path.contains("/src/");
    if !protocol || source.is_test() {
        return Vec::new();
    }
    let code = source.bare();
    let mut findings = Vec::new();
    for (line, text) in code.lines().zip(1..).map(|(text, line)| (line, text)) {
        let found = BY_HAND.iter().find(|name| text.contains(**name));
        findings.extend(found.map(|name| {
            let what = format!("{name}: integers on the wire are byteorder's");
            Finding::at("integers", source, line, what)
        }));
    }
    findings
}

const BY_HAND: &[&str] = &[
    "from_be_bytes",
    "from_le_bytes",
    "from_ne_bytes",
    "to_be_bytes",
    "to_le_bytes",
    "to_ne_bytes",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<Option<usize>> {
        let (path, text) = (path.to_owned(), text.to_owned());
        let findings = check(&Source { path, text });
        findings.into_iter().map(|it| it.line).collect()
    }

    #[test]
    fn integers_made_by_hand_are_found_outside_of_tests() {
        let text = "// to_be_bytes\nfn f() { u16::from_be_bytes(x); }\n#[cfg(test)]\nfn g() { 1u8.to_be_bytes(); }\n";
        assert_eq!(lines("crates/x/src/a.rs", text), [Some(2)]);
        assert_eq!(lines("crates/x/src/a/tests.rs", text), []);
        assert_eq!(lines("crates/x/tests/a.rs", text), []);
        assert_eq!(lines("fuzz/src/a.rs", text), []);
    }
}
