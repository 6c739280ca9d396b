//! No circle between the files of a crate: what a file uses does not use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::finding::Finding;
use super::uses::{self, Use};
use crate::sources::Source;

/// The path of a module inside its crate: `["engine", "data"]`.
type Path = Vec<String>;

/// The modules of a crate that are files of their own.
struct Crate<'s> {
    modules: BTreeMap<Path, Module<'s>>,
}

struct Module<'s> {
    file: &'s str,
    uses: Vec<Use>,
    mentions: Vec<Path>,
}

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        if let Some((name, _)) = source.path.split_once("/src/") {
            crates.entry(name).or_default().push(source);
        }
    }
    let circles = crates
        .values()
        .flat_map(|files| Crate::read(files).circles());
    circles
        .map(|circle| {
            let [first, ..] = circle.as_slice() else {
                return Finding::of("circles", "", "a circle of nothing");
            };
            let what = format!("a circle between files: {}", circle.join(" → "));
            Finding::of("circles", first, what)
        })
        .collect()
}

impl<'s> Crate<'s> {
    fn read(files: &[&'s Source]) -> Self {
        let has_library = files.iter().any(|file| file.path.ends_with("/src/lib.rs"));
        let mut modules = BTreeMap::new();
        for source in files {
            if has_library && source.path.ends_with("/src/main.rs") {
                continue; // a crate of its own
            }
            let code = source.bare();
            let module = Module {
                file: &source.path,
                uses: uses::uses(&code),
                mentions: uses::mentions(&code),
            };
            modules.insert(path(&source.path), module);
        }
        Self { modules }
    }

    /// The shortest circle through each file that stands in one; each circle once, its files in order, the first one again at
    /// the end.
    fn circles(&self) -> Vec<Vec<&'s str>> {
        let edges = self.edges();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for start in self.modules.keys() {
            let Some(circle) = shortest(&edges, start) else {
                continue;
            };
            let members: BTreeSet<_> = circle.iter().copied().collect();
            if seen.insert(members) {
                let file = |path: &&Path| self.modules.get(*path).map(|module| module.file);
                circles.push(circle.iter().filter_map(file).collect());
            }
        }
        circles
    }

    fn edges(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut edges: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (from, module) in &self.modules {
            // What is handed on is used by those who take it, not here.
            let used = module.uses.iter().filter(|used| !used.exported);
            let named = used.map(|used| &used.path).chain(&module.mentions);
            for path in named {
                let target = self
                    .absolute(from, path)
                    .and_then(|path| self.home(&path, 0));
                if let Some(target) = target.filter(|target| *target != from) {
                    edges.entry(from).or_default().insert(target);
                }
            }
        }
        edges
    }

    /// A path as the crate's root sees it; none for what is of another crate.
    fn absolute(&self, from: &Path, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([from.as_slice(), rest].concat()),
            "super" => {
                let up = rest
                    .iter()
                    .take_while(|segment| *segment == "super")
                    .count();
                let parent = from.get(..from.len().checked_sub(1 + up)?)?;
                Some([parent, rest.get(up..)?].concat())
            }
            _ => {
                let child = [from.as_slice(), std::slice::from_ref(first)].concat();
                let is_module = self.modules.contains_key(&child);
                is_module.then(|| [child.as_slice(), rest].concat())
            }
        }
    }

    /// The file in which something stands, through the imports of those that hand it on.
    fn home(&self, path: &[String], depth: usize) -> Option<&Path> {
        let known = |length: &usize| self.modules.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(known)?;
        let (module, rest) = path.split_at(length);
        let (home, content) = self.modules.get_key_value(module)?;
        let Some((name, below)) = rest.split_first() else {
            return Some(home);
        };
        let handed = content.uses.iter().find(|it| it.name == *name);
        let Some(handed) = handed.filter(|_| depth < MAX_DEPTH) else {
            return Some(home);
        };
        let mut onward = self.absolute(home, &handed.path)?;
        onward.extend_from_slice(below);
        self.home(&onward, depth + 1)
    }
}

fn path(file: &str) -> Path {
    let (_, inside) = file.split_once("/src/").unwrap_or(("", file));
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut path: Path = inside.split('/').map(str::to_owned).collect();
    if path
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
    {
        path.pop();
    }
    path
}

/// The shortest way from a module back to itself.
fn shortest<'p>(
    edges: &BTreeMap<&'p Path, BTreeSet<&'p Path>>,
    start: &'p Path,
) -> Option<Vec<&'p Path>> {
    let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for next in edges.get(here).into_iter().flatten() {
            if *next == start {
                return back(&came_from, start, here);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, here);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The circle from `start` to `last`, of which each was reached from another, and to `start` again.
fn back<'p>(
    came_from: &BTreeMap<&'p Path, &'p Path>,
    start: &'p Path,
    last: &'p Path,
) -> Option<Vec<&'p Path>> {
    let mut circle = vec![start];
    let mut at = last;
    while at != start {
        circle.push(at);
        at = came_from.get(at)?;
    }
    circle.push(start);
    circle.reverse();
    Some(circle)
}

const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source {
            path: format!("crates/x/src/{path}"),
            text: (*text).to_owned(),
        };
        let sources: Vec<_> = files.iter().map(source).collect();
        let findings = check(&sources).into_iter();
        findings
            .map(|it| it.what.replace("crates/x/src/", ""))
            .collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let files = [
            ("lib.rs", "mod nat;\nmod network;\npub use nat::Nat;\n"),
            ("nat.rs", "use crate::network::NatId;\npub struct Nat;\n"),
            ("network.rs", "use crate::nat::Nat;\npub struct NatId;\n"),
        ];
        assert_eq!(
            circles(&files),
            ["a circle between files: nat.rs → network.rs → nat.rs"]
        );
    }

    #[test]
    fn in_whose_sight_an_item_stands_is_no_use() {
        let child = "pub(in crate::a) fn g() {}\n";
        let files = [
            ("lib.rs", "mod a;\n"),
            ("a/mod.rs", "mod b;\nfn f() { b::g() }\n"),
            ("a/b.rs", child),
        ];
        assert_eq!(circles(&files), [""; 0]);
    }

    /// A file is read behind an item that is there for tests.
    #[test]
    fn a_circle_behind_an_import_of_tests_is_found() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\n"),
            (
                "a.rs",
                "#[cfg(test)]\nuse std::fmt;\nuse crate::b::B;\npub struct A;\n",
            ),
            ("b.rs", "use crate::a::A;\npub struct B;\n"),
        ];
        assert_eq!(
            circles(&files),
            ["a circle between files: a.rs → b.rs → a.rs"]
        );
    }

    #[test]
    fn a_path_in_code_and_a_name_that_is_handed_on_lead_to_where_it_stands() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
            ("a.rs", "fn f() { crate::b::g() }\npub struct A;\n"),
            ("b.rs", "use crate::A;\n"),
        ];
        assert_eq!(
            circles(&files),
            ["a circle between files: a.rs → b.rs → a.rs"]
        );
    }

    #[test]
    fn a_parent_that_uses_its_child_and_is_used_by_it_is_a_circle() {
        let parent = "mod b;\nuse std::fmt;\npub struct A;\nfn f() { b::g(A) }\n";
        let child = "use super::A;\npub(super) fn g(_: A) {}\n";
        let found = circles(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", parent),
            ("a/b.rs", child),
        ]);
        assert_eq!(
            found,
            ["a circle between files: a/mod.rs → a/b.rs → a/mod.rs"]
        );
        // What the child takes through its parent stands elsewhere.
        let through = "mod b;\nmod c;\nuse c::A;\nfn f() { b::g(A) }\n";
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", through),
            ("a/b.rs", child),
            ("a/c.rs", "pub(super) struct A;\n"),
        ];
        assert_eq!(circles(&files), [""; 0]);
    }

    #[test]
    fn comments_strings_tests_and_other_crates_are_no_use() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::B;\n"),
            (
                "b.rs",
                "// crate::a::A\nfn f() { \"crate::a\"; a::A; }\n#[cfg(test)]\nuse crate::a::A;\n",
            ),
        ];
        assert_eq!(circles(&files), [""; 0]);
    }
}
