//! Which test shows which row: what stands in its documentation and in the comments of its body.

use std::collections::{BTreeMap, BTreeSet};

use super::marks::{Mark, marks};
use crate::sources::Source;

/// A test, by the file and the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    pub(super) path: String,
    pub(super) name: String,
}

impl Test {
    /// The crate that it is a test of.
    pub(super) fn of_crate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

pub(super) type Evidence = BTreeMap<Mark, BTreeSet<Test>>;

pub(super) fn of(sources: &[Source]) -> Evidence {
    let mut evidence = Evidence::new();
    for source in sources.iter().filter(|source| may_show(source)) {
        let mut reader = Reader::new(source);
        for line in source.text.lines() {
            reader.read(line);
        }
        for (mark, name) in reader.found {
            let path = source.path.clone();
            evidence
                .entry(mark)
                .or_default()
                .insert(Test { path, name });
        }
    }
    evidence
}

/// This program's own tests are about marks, and show nothing.
fn may_show(source: &Source) -> bool {
    !source.path.starts_with("xtask/src/") || has_cases(source)
}

/// What it runs of its own: `interop`, and the examples.
fn has_cases(source: &Source) -> bool {
    source.path.starts_with("xtask/src/interop/") || source.path == "xtask/src/examples.rs"
}

/// Goes through a file line by line.
struct Reader<'s> {
    source: &'s Source,
    /// Marks in the documentation of the item that comes next.
    pending: Vec<Mark>,
    /// An attribute has said that it is a test.
    is_test: bool,
    /// Lines of an attribute that has not ended.
    in_attribute: bool,
    /// The test whose body this is, and the line that ends it.
    current: Option<(String, String)>,
    found: Vec<(Mark, String)>,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Source) -> Self {
        Self {
            source,
            pending: Vec::new(),
            is_test: false,
            in_attribute: false,
            current: None,
            found: Vec::new(),
        }
    }

    fn read(&mut self, line: &str) {
        let text = line.trim_start();
        if let Some((name, end)) = &self.current {
            if line == end {
                self.current = None;
            } else if let Some((_, comment)) = line.split_once("//") {
                let name = name.clone();
                self.found
                    .extend(marks(comment).into_iter().map(|mark| (mark, name.clone())));
            }
        } else if text.starts_with("//!") {
            self.read_head(text);
        } else if text.starts_with("///") {
            self.pending.extend(marks(text));
        } else if self.in_attribute || text.starts_with("#[") {
            self.is_test |= is_test(text);
            self.in_attribute = !text.ends_with(']');
        } else if let Some(name) = function(text) {
            self.begin(line, name.to_owned());
        } else if !text.starts_with("//") {
            self.forget();
        }
    }

    /// The head of a file of tests is about all of them.
    fn read_head(&mut self, text: &str) {
        if self.source.is_test() {
            let file = self.source.path.rsplit('/').next().unwrap_or_default();
            let name = file.strip_suffix(".rs").unwrap_or(file).to_owned();
            self.found
                .extend(marks(text).into_iter().map(|mark| (mark, name.clone())));
        }
    }

    fn begin(&mut self, line: &str, name: String) {
        // Such cases stand in a table instead of having an attribute.
        if self.is_test || has_cases(self.source) {
            let pending = self.pending.drain(..);
            self.found.extend(pending.map(|mark| (mark, name.clone())));
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            self.current = (!line.ends_with('}')).then_some((name, end));
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.pending.clear();
        self.is_test = false;
    }
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(…)]`.
fn is_test(attribute: &str) -> bool {
    let path = attribute.trim_start_matches("#[");
    let end = path.find(|c: char| !c.is_alphanumeric() && c != ':' && c != '_');
    let path = &path[..end.unwrap_or(path.len())];
    path == "test" || path.ends_with("::test")
}

/// The name of the function that a line begins.
fn function(text: &str) -> Option<&str> {
    let mut rest = text;
    for word in ["pub ", "pub(crate) ", "pub(super) ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, String)> {
        let (path, text) = (path.to_owned(), text.to_owned());
        let evidence = of(&[Source { path, text }]);
        let mut found = Vec::new();
        for (mark, tests) in evidence {
            let Mark::Row(id) = mark else { continue };
            found.extend(tests.into_iter().map(|test| (id.clone(), test.name)));
        }
        found
    }

    fn pair(id: &str, name: &str) -> (String, String) {
        (id.to_owned(), name.to_owned())
    }

    #[test]
    fn tests_show_what_their_documentation_and_their_body_say() {
        let text = "\
/// [6.2-07] and more.
#[test]
fn shows() {
    // [6.2-08]: here too.
    let x = 1; // [6.2-09]
}

/// [6.2-10] of a function that is no test.
fn helps() {
    // [6.2-11]
}

/// [6.2-12]
#[expect(
    clippy::unwrap_used,
    reason = \"a test\"
)]
#[tokio::test(flavor = \"current_thread\")]
async fn waits() {}

/// [6.2-13]
const TABLE: &[u8] = &[];
";
        let expected = [
            pair("6.2-07", "shows"),
            pair("6.2-08", "shows"),
            pair("6.2-09", "shows"),
            pair("6.2-12", "waits"),
        ];
        assert_eq!(found("crates/x/src/a.rs", text), expected);
    }

    #[test]
    fn tests_inside_a_module_or_a_macro_are_tests() {
        let text = "\
mod tests {
    /// [6.2-07]
    #[test]
    fn inner() {
        if true {
            // [6.2-08]
        }
    }
    // [6.2-09]
}
";
        let expected = [pair("6.2-07", "inner"), pair("6.2-08", "inner")];
        assert_eq!(found("crates/x/src/a.rs", text), expected);
    }

    #[test]
    fn the_head_of_a_file_of_tests_counts_and_so_do_cases_of_interop() {
        assert_eq!(
            found("crates/x/tests/a.rs", "//! [6.2-07]\n"),
            [pair("6.2-07", "a")]
        );
        assert_eq!(found("crates/x/src/a.rs", "//! [6.2-07]\n"), []);
        let case = "/// [6.2-07]\npub(crate) async fn ordered(suite: &Suite) -> Result<()> {\n}\n";
        assert_eq!(
            found("xtask/src/interop/channels.rs", case),
            [pair("6.2-07", "ordered")]
        );
        let run = "/// [9.3.1-03]\npub(crate) fn run() -> Result<()> {\n}\n";
        assert_eq!(
            found("xtask/src/examples.rs", run),
            [pair("9.3.1-03", "run")]
        );
        assert_eq!(found("xtask/src/fuzz.rs", run), []);
    }
}
