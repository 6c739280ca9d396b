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

    /// The lines before the tests at the bottom of the file, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let before_tests = |(_, line): &(usize, &str)| !line.starts_with("#[cfg(test)]");
        self.lines().take_while(before_tests)
    }

    /// The code before the tests, with nothing but spaces where comments and the contents of strings were.
    pub(crate) fn bare(&self) -> String {
        let lines: Vec<&str> = self.code().map(|(_, line)| line).collect();
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
    fn tests_at_the_bottom_are_no_code() {
        let source = Source {
            path: "crates/x/src/a.rs".into(),
            text: "fn f() {}\n#[cfg(test)]\nmod tests {}\n".into(),
        };
        assert_eq!(source.bare(), "fn f() {}");
    }
}
