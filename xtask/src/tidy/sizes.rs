//! How long a file may be before it wants another room.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Option<Finding> {
    let lines = source.code().count();
    let too_long = !source.is_test() && lines > FILE;
    too_long.then(|| {
        let what = format!("{lines} lines without tests, more than {FILE}");
        Finding::of("sizes", &source.path, what)
    })
}

const FILE: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, lines: usize, tests: usize) -> bool {
        let code = "fn f() {}\n".repeat(lines);
        let tests = "    fn t() {}\n".repeat(tests);
        let text = format!("{code}#[cfg(test)]\nmod tests {{\n{tests}}}\n");
        let path = path.to_owned();
        check(&Source { path, text }).is_some()
    }

    #[test]
    fn a_file_has_600_lines_outside_of_its_tests() {
        assert!(!found("crates/x/src/a.rs", 600, 700));
        assert!(found("crates/x/src/a.rs", 601, 0));
        assert!(!found("crates/x/tests/a.rs", 900, 0));
    }
}
