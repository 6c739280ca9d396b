//! `#[must_use]` stands on methods that take `self` and give a `Self`, where a forgotten result is a forgotten setting, and on
//! types. A method that only looks at `self` and gives another one may have it; nothing else has it.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = source.bare();
    let mut marked = false;
    let mut lines = code.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let text = line.trim_start();
        if text.starts_with("#[") {
            marked |= text.starts_with("#[must_use");
            continue;
        }
        if text.is_empty() {
            continue; // a comment stood there
        }
        if let Some(head) = text.find("fn ").map(|at| &text[..at])
            && head
                .chars()
                .all(|c| c.is_alphanumeric() || " ()".contains(c))
        {
            let mut signature = text.to_owned();
            while !signature.contains(['{', ';']) {
                let Some((line, _)) = lines.next() else { break };
                signature.push_str(line.trim());
            }
            let what = match (marked, receiver(&signature)) {
                (false, Some(Receiver::Taken)) if head.starts_with("pub") => {
                    Some("#[must_use] is missing")
                }
                (true, None) => Some("#[must_use] is for methods that give a Self"),
                _ => None,
            };
            findings.extend(what.map(|what| Finding::at("must_use", source, number, what)));
        }
        marked = false;
    }
    findings
}

/// How a method has the `self` from which it makes a `Self`.
enum Receiver {
    /// `fn delay(mut self, …) -> Self`.
    Taken,
    /// `fn reseeded(&self, …) -> Self`.
    Seen,
}

/// None for what does not make one of another.
fn receiver(signature: &str) -> Option<Receiver> {
    let (_, rest) = signature.split_once('(')?;
    let taken = rest.trim_start();
    let seen = taken.strip_prefix('&');
    let name = seen.unwrap_or(taken).trim_start_matches("mut ");
    let has_self = name.starts_with("self,") || name.starts_with("self)");
    let (_, given) = signature.rsplit_once("->")?;
    let gives = given.split(['{', ';']).next()?.trim() == "Self";
    (has_self && gives).then_some(match seen {
        Some(_) => Receiver::Seen,
        None => Receiver::Taken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Option<usize>> {
        let (path, text) = ("crates/x/src/a.rs".to_owned(), text.to_owned());
        check(&Source { path, text })
            .into_iter()
            .map(|it| it.line)
            .collect()
    }

    #[test]
    fn builders_have_it_and_nothing_else_does() {
        let builder = "pub fn delay(mut self, delay: Duration) -> Self {";
        assert_eq!(findings(builder), [Some(1)]);
        assert_eq!(findings(&format!("#[must_use]\n/// Doc.\n{builder}")), []);
        assert_eq!(
            findings("#[must_use]\npub fn delay(&self) -> Duration {"),
            [Some(2)]
        );
        assert_eq!(
            findings("#[must_use]\npub fn new(\n    a: u8,\n) -> Self {"),
            [Some(2)]
        );
        let other = "pub fn reseeded(&self, seed: u64) -> Self {";
        assert_eq!(findings(other), []);
        assert_eq!(findings(&format!("#[must_use]\n{other}")), []);
        assert_eq!(findings("#[must_use = \"why\"]\npub struct Guard;"), []);
    }

    #[test]
    fn other_methods_need_none() {
        let text = "pub fn into_inner(self) -> Vec<u8> {}\nfn private(self) -> Self {}\npub const fn of(x: u8) -> Self {}\n";
        assert_eq!(findings(text), []);
    }
}
