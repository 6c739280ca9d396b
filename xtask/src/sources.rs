//! The files that git tracks, or would.

use std::process::Command;

use anyhow::Result;

use crate::run;

/// One file: its path from the root, with `/`, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// A file that holds tests, benchmarks, examples or fuzz targets only.
    pub(crate) fn is_test(&self) -> bool {
        let in_room = |room: &str| self.path.contains(room);
        in_room("/tests/")
            || self.path.ends_with("/tests.rs")
            || in_room("/benches/")
            || in_room("/examples/")
            || in_room("/fuzz_targets/")
    }

    /// The lines that are not of tests, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut place = Place::Code;
        self.lines().filter(move |(_, line)| {
            place = place.next(line);
            place == Place::Code
        })
    }

    /// The code without its tests, with nothing but spaces where those, comments and the contents of strings were.
    pub(crate) fn bare(&self) -> String {
        let mut place = Place::Code;
        let kept = |line| {
            place = place.next(line);
            if place == Place::Code { line } else { "" }
        };
        let lines: Vec<&str> = self.text.lines().map(kept).collect();
        bare(&lines.join("\n"))
    }

    /// All lines, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Where a line stands, in a file that rustfmt has been over: an item at its margin ends there as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    /// In what stands before an item for tests: attributes.
    BeforeTest,
    InTest,
    /// In its last line.
    EndOfTest,
}

impl Place {
    fn next(self, line: &str) -> Self {
        match self {
            Self::Code | Self::EndOfTest if line.starts_with("#[cfg(test)]") => Self::BeforeTest,
            Self::Code | Self::EndOfTest => Self::Code,
            Self::BeforeTest if line.starts_with(['#', ' ', '/', ')', ']']) => Self::BeforeTest,
            Self::BeforeTest if line.ends_with([';', '}']) => Self::EndOfTest,
            Self::InTest if line.starts_with('}') => Self::EndOfTest,
            Self::BeforeTest | Self::InTest => Self::InTest,
        }
    }
}

/// Rust code with spaces in the place of comments and of what stands in strings and characters.
fn bare(code: &str) -> String {
    let mut bare = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let blank = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => 1 + end_of_string(&rest[1..]),
            'r' if !bare.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if blank == 0 {
            bare.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (gone, after) = rest.split_at(blank.min(rest.len()));
        bare.extend(gone.chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = after;
    }
    bare
}

/// Where a string ends, counted from behind the quote that begins it, its last quote included.
fn end_of_string(rest: &str) -> usize {
    let mut escaped = false;
    for (position, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return position + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the raw string that begins here, or 0.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let Some(inside) = rest[1 + hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    2 + hashes + length
}

/// The length of the character that begins here, or 0: a lifetime has no second quote.
fn character(rest: &str) -> usize {
    if let Some(escape) = rest.strip_prefix("'\\") {
        let after = escape.chars().next().map_or(0, char::len_utf8);
        return escape[after..].find('\'').map_or(0, |at| 3 + after + at);
    }
    let mut characters = rest[1..].chars();
    match (characters.next(), characters.next()) {
        (Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 0,
    }
}

/// The Rust files.
pub(crate) fn rust() -> Result<Vec<Source>> {
    read(&["*.rs"])
}

/// All files in which people write sentences.
pub(crate) fn written() -> Result<Vec<Source>> {
    read(&["*.rs", "*.md", "*.toml", "*.js", "*.html", ".ci/*"])
}

fn read(patterns: &[&str]) -> Result<Vec<Source>> {
    let mut list = Command::new("git");
    list.current_dir(run::root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .args(patterns);
    let mut sources = Vec::new();
    for path in run::output(&mut list)?.lines() {
        // A file that is deleted but still tracked has no text.
        if let Ok(text) = std::fs::read_to_string(run::root().join(path)) {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left_of_code() {
        let code = "let a = \"crate::x // no\"; // crate::y\nfn f<'a>(b: &'a str, c: char) { c == '\"' || c == '\\'' }\n";
        let left = bare(code);
        assert_eq!(left.len(), code.len());
        assert!(!left.contains("crate") && !left.contains('"'), "{left}");
        assert!(left.contains("fn f<'a>(b: &'a str, c: char)"), "{left}");
        let raw = bare("let r = r#\"one \" // two\"#; for x in y {}");
        assert!(
            raw.ends_with("; for x in y {}") && !raw.contains("one"),
            "{raw}"
        );
    }

    #[test]
    fn tests_are_no_code_and_what_is_behind_them_is() {
        let left = |text: &str| {
            let path = "crates/x/src/a.rs".to_owned();
            let text = text.to_owned();
            let source = Source { path, text };
            let lines: Vec<_> = source.code().map(|(number, _)| number).collect();
            (source.bare(), lines)
        };
        let bottom = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use a;\n}\n";
        assert_eq!(left(bottom), ("fn f() {}\n\n\n\n".to_owned(), vec![1]));
        for item in [
            "use a::B;\n\n",
            "use a::{\n    B,\n};\n",
            "#[path = \"b.rs\"]\nmod b;\n",
            "#[allow(\n    dead_code\n)]\nmod b {}\n",
            "fn g() {\n    if a {\n    }\n}\n",
        ] {
            let text = format!("#[cfg(test)]\n{item}fn f() {{}}\n");
            let (bare, lines) = left(&text);
            assert_eq!(bare.trim_start(), "fn f() {}", "{item}");
            assert_eq!(lines.last(), Some(&text.lines().count()), "{item}");
        }
        // Two in a row, and one inside of an item, which is that item's.
        let text = "#[cfg(test)]\nuse a;\n#[cfg(test)]\nuse b;\nimpl C {\n    #[cfg(test)]\n    fn d() {}\n}\n";
        assert_eq!(left(text).1, [5, 6, 7, 8]);
    }
}
