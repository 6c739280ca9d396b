//! A page of `docs/` with rows, whose last column says which tests show them.

use std::fmt::{self, Display, Formatter};

use super::evidence::{Evidence, Test};
use super::marks::{Mark, is_row};

/// A page, line by line.
pub(super) struct Page<'t> {
    lines: Vec<Line<'t>>,
}

enum Line<'t> {
    /// A row: the mark, and the line without its last cell.
    Row(Mark, &'t str),
    /// Where the counts stand, and those of before.
    Counts,
    Other(&'t str),
}

/// How many rows stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    shown: usize,
    open: usize,
    not_applicable: usize,
}

impl<'t> Page<'t> {
    pub(super) fn parse(text: &'t str) -> Self {
        let mut lines = Vec::new();
        let mut counted = false;
        for line in text.lines() {
            if counted && !line.is_empty() {
                // The counts of before; they are written anew.
                counted = false;
                continue;
            }
            counted = line == COUNTS;
            lines.push(match row(line) {
                Some((mark, cells)) => Line::Row(mark, cells),
                None if counted => Line::Counts,
                None => Line::Other(line),
            });
        }
        Self { lines }
    }

    /// The rows that it has.
    pub(super) fn marks(self) -> impl Iterator<Item = Mark> {
        self.lines.into_iter().filter_map(|line| match line {
            Line::Row(mark, _) => Some(mark),
            _ => None,
        })
    }

    /// The text with the last column written anew, and how many rows stand how.
    pub(super) fn refreshed(&self, evidence: &Evidence) -> (String, Counts) {
        let mut counts = Counts::default();
        let rows: Vec<String> = self
            .lines
            .iter()
            .map(|line| match line {
                Line::Row(mark, cells) => {
                    let state = counts.count(cells, evidence.get(mark).into_iter().flatten());
                    format!("{cells}| {state} |")
                }
                Line::Counts => COUNTS.to_owned(),
                Line::Other(text) => (*text).to_owned(),
            })
            .collect();
        let mut text = String::new();
        for line in rows {
            text += &line;
            text.push('\n');
            if line == COUNTS {
                text += &format!("{counts}.\n");
            }
        }
        (text, counts)
    }
}

impl Counts {
    /// Rows that are neither shown nor marked as not applicable.
    pub(super) fn open(self) -> usize {
        self.open
    }

    fn count<'e>(&mut self, cells: &str, tests: impl Iterator<Item = &'e Test>) -> String {
        let tests: Vec<&Test> = tests.collect();
        if !tests.is_empty() {
            self.shown += 1;
            return shown(&tests);
        }
        if cells.contains("*Not applicable:*") {
            self.not_applicable += 1;
            return "not applicable".to_owned();
        }
        self.open += 1;
        "open".to_owned()
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = self.shown + self.open + self.not_applicable;
        write!(f, "{all} rows: {} shown, {} open", self.shown, self.open)?;
        if self.not_applicable > 0 {
            write!(f, ", {} not applicable", self.not_applicable)?;
        }
        Ok(())
    }
}

/// The first tests with a link to their file, and how many more there are.
fn shown(tests: &[&Test]) -> String {
    let link = |test: &&Test| format!("[`{}`](../{})", test.name, test.path);
    let mut text = tests
        .iter()
        .take(NAMED)
        .map(link)
        .collect::<Vec<_>>()
        .join(", ");
    if tests.len() > NAMED {
        text += &format!(" and {} more", tests.len() - NAMED);
    }
    text
}

/// A line of a table whose first cell is a row id or a number: the mark, and all but the last cell.
fn row(line: &str) -> Option<(Mark, &str)> {
    let (id, _) = line.strip_prefix("| ")?.split_once(" | ")?;
    let mark = match id.parse() {
        Ok(number) => Mark::Failure(number),
        Err(_) if is_row(id) => Mark::Row(id.to_owned()),
        Err(_) => return None,
    };
    let (cells, _state) = line.strip_suffix(" |")?.rsplit_once("| ")?;
    Some((mark, cells))
}

const COUNTS: &str = "<!-- counts -->";
const NAMED: usize = 3;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_last_column_and_the_counts_follow_the_tests() {
        let page = "\
# Title

<!-- counts -->

| row | what | state |
|---|---|---|
| 6.2-07 | Too large is an error | shown long ago |
| 6.2-15 | Blobs *Not applicable:* bytes. | open |
| 6.2-16 | Empty | open |
";
        let test = |name: &str| Test {
            path: "crates/x/tests/a.rs".into(),
            name: name.into(),
        };
        let tests: BTreeSet<_> = ["a", "b", "c", "d"].map(test).into();
        let evidence = BTreeMap::from([(Mark::Row("6.2-07".into()), tests)]);
        let (text, counts) = Page::parse(page).refreshed(&evidence);
        assert_eq!(
            text,
            "\
# Title

<!-- counts -->
3 rows: 1 shown, 1 open, 1 not applicable.

| row | what | state |
|---|---|---|
| 6.2-07 | Too large is an error | [`a`](../crates/x/tests/a.rs), [`b`](../crates/x/tests/a.rs), \
[`c`](../crates/x/tests/a.rs) and 1 more |
| 6.2-15 | Blobs *Not applicable:* bytes. | not applicable |
| 6.2-16 | Empty | open |
"
        );
        assert_eq!(
            counts.to_string(),
            "3 rows: 1 shown, 1 open, 1 not applicable"
        );
        let again = Page::parse(&text);
        assert_eq!(again.refreshed(&evidence).0, text, "it is stable");
        assert_eq!(again.marks().count(), 3);
    }

    #[test]
    fn rows_of_failures_are_numbers() {
        let page = "| 9 | what | who | open |\n| n | what | who | open |\n";
        let marks: Vec<_> = Page::parse(page).marks().collect();
        assert_eq!(marks, [Mark::Failure(9)]);
    }
}
