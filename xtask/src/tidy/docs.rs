//! What documentation says: of each wait what ends it, and of each thing more than its name.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ROOMS.iter().any(|room| source.path.starts_with(room)) && !source.is_test() {
        findings.extend(names(source));
    }
    if source.path.starts_with(FACADE) {
        findings.extend(waits(source));
    }
    findings
}

/// Documentation that is one code word: who does not know the name learns nothing from it.
fn names(source: &Source) -> Vec<Finding> {
    let is_name = |text: &str| {
        let text = text.trim_end_matches(['.', ';', ':']);
        let inner = text.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
        inner.is_some_and(|it| !it.contains('`'))
    };
    let mut findings = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for (number, line) in source.code() {
        if let Some(text) = line.trim_start().strip_prefix("///") {
            paragraph.push(text.trim());
            continue;
        }
        if let [one] = paragraph.as_slice()
            && is_name(one)
        {
            let what = "this documentation is a name alone";
            findings.push(Finding::at("docs", source, number - 1, what));
        }
        paragraph.clear();
    }
    findings
}

/// Futures and streams of the facade whose documentation does not say what ends them.
fn waits(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut doc = String::new();
    let mut lines = source.code();
    while let Some((number, line)) = lines.next() {
        let text = line.trim_start();
        if let Some(said) = text.strip_prefix("///") {
            doc.push_str(said);
            continue;
        }
        if text.starts_with("#[") {
            continue;
        }
        let mut item = line.to_owned();
        let words: &[&str] = if text.starts_with("pub async fn ") {
            for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "    }") {
                item.push_str(line);
            }
            if item.contains(".await") { &WAIT } else { &[] }
        } else if text.starts_with("pub fn ") && text.contains("-> Events<") {
            &STREAM
        } else {
            &[]
        };
        let missing = words.iter().filter(|word| !doc.contains(**word));
        findings.extend(missing.map(|word| {
            let what = format!("what waits says nothing of «{word}»");
            Finding::at("docs", source, number, what)
        }));
        doc.clear();
    }
    findings
}

/// What each wait says of a dropped future, of `failed`, of `close()`, and of the end of the runtime.
const WAIT: [&str; 4] = ["Cancel safe", "`failed`", "clos", "runtime"];
const STREAM: [&str; 1] = [" end"];
const FACADE: &str = "crates/peerconnection/src/";
const ROOMS: [&str; 6] = [
    FACADE,
    "crates/datachannel/src/",
    "crates/jsep/src/",
    "crates/netsim/src/",
    "crates/sdp/src/",
    "crates/stats/src/",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let (path, text) = (path.to_owned(), text.to_owned());
        let found = check(&Source { path, text });
        found.into_iter().filter_map(|it| it.line).collect()
    }

    #[test]
    fn a_name_alone_is_no_documentation() {
        let text = "/// `label`.\npub fn label() {}\n/// `id`: a number.\npub fn id() {}\n/// `a` or `b`.\n#[x]\npub fn c() {}\n    /// `d`\n    #[x]\n    D,\n/// `e`.\n/// It is.\nfn e() {}\n";
        assert_eq!(lines("crates/sdp/src/a.rs", text), [1, 8]);
        assert!(lines("crates/sdp/tests/a.rs", text).is_empty());
    }

    #[test]
    fn a_wait_says_what_ends_it() {
        let full = "Cancel safe. Neither `failed` nor `close()` nor the end of the runtime.";
        let wait = |doc: &str, body: &str| {
            let text = format!(
                "    /// {doc}\n    #[x]\n    pub async fn next(\n        &self,\n    ) {{\n        {body}\n    }}\n"
            );
            lines("crates/peerconnection/src/api/a.rs", &text).len()
        };
        assert_eq!(wait(full, "wait().await"), 0);
        assert_eq!(wait("A verb.", "self.verb()"), 0);
        assert_eq!(wait("It waits.", "wait().await"), 4);
        for word in WAIT {
            assert_eq!(wait(&full.replace(word, ""), "wait().await"), 1, "{word}");
        }
        let stream = "    /// The events.\n    pub fn events(&self) -> Events<Event> {\n    }\n";
        assert_eq!(lines("crates/peerconnection/src/api/a.rs", stream), [2]);
        let stream = stream.replace("events.", "events, up to the end.");
        assert!(lines("crates/peerconnection/src/api/a.rs", &stream).is_empty());
    }
}
