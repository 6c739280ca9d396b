//! Whether tests fail when what they show is broken: patches that break it, each with its row and its test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{
    evidence::{Evidence, Test},
    marks::Mark,
    switched::{Switched, VARIABLE},
};
use crate::run;

/// A patch that breaks one behaviour, and the test that must fail with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    name: String,
    row: Mark,
    /// Arguments of `cargo test`; the last is the test.
    test: Vec<String>,
    path: PathBuf,
}

/// Which of the patches are applied.
#[derive(Debug)]
pub(super) enum Choice<'a> {
    /// So many, drawn by a seed.
    Drawn { seed: u64, count: usize },
    /// Those of these names.
    Named(&'a [String]),
    /// All.
    All,
}

/// Applies patches in a copy of the tree, and sees the test of each fail. Those that change the bodies of functions only are built together,
/// and are in force one at a time; the others are applied and built one after the other. One that fits no longer, or does not build, is told
/// at the end as well, and does not hold up the others.
pub(super) fn run(choice: &Choice<'_>) -> Result<()> {
    let known = all()?;
    let count = known.len();
    let patches = choice.of(known)?;
    println!("{} of the {count} patches in {ROOM}", patches.len());
    let copy = copy()?;
    let mut unseen = Vec::new();
    let mut see = |broken: &Broken, how: &str, seen: Result<()>| {
        println!("{} breaks {:?} ({how})", broken.name, broken.row);
        if let Err(error) = seen {
            println!("{error:#}");
            unseen.push(broken.name.clone());
        }
    };
    let together = Together::of(&copy, &patches)?;
    together.write(&copy)?;
    for (program, among) in together.programs(&patches) {
        println!("\n{}: {} together", program.join(" "), among.len());
        let passes = passes(&copy, program, &among);
        for broken in among {
            let seen = passes.as_ref().map_err(|error| anyhow!("{error:#}"));
            let seen = seen.and_then(|()| broken.is_failing(&copy, &broken.name));
            see(broken, "together", seen);
        }
    }
    together.restore(&copy)?;
    println!();
    for broken in patches.iter().filter(|it| !together.has(it)) {
        see(broken, "alone", broken.is_seen(&copy));
    }
    ensure!(unseen.is_empty(), "not seen: {}", unseen.join(", "));
    println!("\n{} patches, each seen by its test", patches.len());
    Ok(())
}

impl Choice<'_> {
    fn of(&self, mut patches: Vec<Broken>) -> Result<Vec<Broken>> {
        let absent = |name: &str| !patches.iter().any(|it| it.name == name);
        match *self {
            Self::Drawn { seed, count } => {
                println!("seed {seed}");
                shuffle(&mut patches, seed);
                patches.truncate(count);
            }
            Self::Named(names) => {
                let unknown: Vec<_> = names.iter().filter(|name| absent(name)).collect();
                ensure!(unknown.is_empty(), "no such patch: {unknown:?}");
                patches.retain(|it| names.contains(&it.name));
            }
            Self::All => {}
        }
        // Neighbours share a program, and what it is built of.
        patches.sort_by(|a, b| a.program().cmp(b.program()));
        Ok(patches)
    }
}

/// Files of the copy that are broken by word, and by which patches.
#[derive(Debug, Default)]
struct Together {
    names: BTreeSet<String>,
    /// By their paths: as they are, and with what patches make of them.
    files: BTreeMap<String, (String, Switched)>,
}

impl Together {
    fn of(copy: &Path, patches: &[Broken]) -> Result<Self> {
        let mut together = Self::default();
        for broken in patches {
            // What does not apply is told when it is tried alone.
            if broken.apply(copy, false).is_err() {
                continue;
            }
            let changed = broken.files()?;
            let texts: std::io::Result<Vec<_>> = changed
                .iter()
                .map(|file| fs::read_to_string(copy.join(file)))
                .collect();
            broken.apply(copy, true)?;
            let texts: Vec<_> = changed.into_iter().zip(texts?).collect();
            for (file, _) in &texts {
                if !together.files.contains_key(file) {
                    let text = fs::read_to_string(copy.join(file))?;
                    let switched = Switched::new(&text);
                    together.files.insert(file.clone(), (text, switched));
                }
            }
            let files = &mut together.files;
            if texts
                .iter()
                .all(|(file, text)| files[file].1.can_take(text))
            {
                for (file, text) in &texts {
                    if let Some((_, switched)) = files.get_mut(file) {
                        switched.take(&broken.name, text);
                    }
                }
                together.names.insert(broken.name.clone());
            }
        }
        Ok(together)
    }

    fn has(&self, broken: &Broken) -> bool {
        self.names.contains(&broken.name)
    }

    /// The patches by the program of their tests.
    fn programs<'a>(&self, patches: &'a [Broken]) -> BTreeMap<&'a [String], Vec<&'a Broken>> {
        let mut programs = BTreeMap::<_, Vec<_>>::new();
        for broken in patches.iter().filter(|it| self.has(it)) {
            programs.entry(broken.program()).or_default().push(broken);
        }
        programs
    }

    fn write(&self, copy: &Path) -> Result<()> {
        for (file, (text, switched)) in &self.files {
            let switched = switched.text();
            // What nothing breaks is not to be built anew.
            if switched != *text {
                fs::write(copy.join(file), switched)?;
            }
        }
        Ok(())
    }

    fn restore(&self, copy: &Path) -> Result<()> {
        for (file, (text, _)) in &self.files {
            if fs::read_to_string(copy.join(file))? != *text {
                fs::write(copy.join(file), text)?;
            }
        }
        Ok(())
    }
}

/// An error unless the tests of the patches pass while none is in force.
fn passes(copy: &Path, program: &[String], among: &[&Broken]) -> Result<()> {
    let tests: BTreeSet<_> = among.iter().filter_map(|it| it.test.last()).collect();
    let mut cargo = run::cargo();
    cargo.current_dir(copy).arg("test").args(program);
    cargo.arg("--target-dir").arg(built()?);
    let output = cargo.args(["--", "--exact"]).args(&tests).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("test result: ok. ")?;
        rest.split_once(" passed")?.0.parse::<usize>().ok()
    });
    let passed: usize = passed.sum();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "without a patch: {text}{errors}");
    ensure!(passed == tests.len(), "{passed} passed of {tests:?}");
    Ok(())
}

/// Prints rows drawn by `seed` of those that tests of a crate show, and what breaks them.
pub(super) fn rows(evidence: &Evidence, seed: u64, count: usize) -> Result<()> {
    let shown = evidence.iter().filter_map(|(mark, tests)| match mark {
        Mark::Row(row) => Some((row, tests.iter().find_map(Test::of_crate)?)),
        Mark::Failure(_) => None,
    });
    let mut drawn: Vec<_> = shown.collect();
    let known = drawn.len();
    // A row that comes or goes changes what is drawn by one row at most.
    drawn.sort_by_key(|(row, _)| rank(seed, row));
    drawn.truncate(count);
    drawn.sort_by_key(|(row, of)| (*of, *row));
    let patches = all()?;
    println!("seed {seed}: {} of {known} rows", drawn.len());
    for (row, of) in drawn {
        let breaks = |it: &&Broken| matches!(&it.row, Mark::Row(own) if own == row);
        let names = patches.iter().filter(breaks).map(|it| it.name.as_str());
        let names: Vec<_> = names.collect();
        println!("{of} {row}: {}", names.join(", "));
    }
    Ok(())
}

/// All patches, by name.
pub(super) fn all() -> Result<Vec<Broken>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(run::root().join(ROOM))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "patch") {
            let text = fs::read_to_string(&path)?;
            let broken = Broken::parse(&path, &text);
            all.push(broken.with_context(|| format!("{} has no row or no test", path.display()))?);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

impl Broken {
    /// The lines before the patch say what it breaks.
    fn parse(path: &Path, text: &str) -> Option<Self> {
        let (head, _patch) = text.split_once("\ndiff --git ")?;
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        Some(Self {
            name: path.file_stem()?.to_str()?.to_owned(),
            row: Mark::Row(value("row: ")?.to_owned()),
            test: value("test: ")?.split(' ').map(str::to_owned).collect(),
            path: path.to_owned(),
        })
    }

    /// What cargo is told to build for the test.
    fn program(&self) -> &[String] {
        self.test.split_last().map_or(&[], |(_, program)| program)
    }

    /// An error if the test passes with the behaviour broken, or says nothing of it.
    fn is_seen(&self, copy: &Path) -> Result<()> {
        self.apply(copy, false)?;
        let seen = self.is_failing(copy, "");
        self.apply(copy, true)?;
        seen
    }

    /// The files that the patch changes.
    fn files(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.path)?;
        let files = text.lines().filter_map(|line| line.strip_prefix("--- a/"));
        Ok(files.map(str::to_owned).collect())
    }

    fn apply(&self, copy: &Path, back: bool) -> Result<()> {
        let mut apply = Command::new("git");
        apply.arg("-C").arg(copy).arg("apply");
        if back {
            apply.arg("--reverse");
        }
        let applied = run::check(apply.arg(&self.path));
        applied.with_context(|| format!("{} is of an older tree", self.name))
    }

    /// An error unless the test fails with that patch in force: if it passes, or the tree does not build.
    fn is_failing(&self, copy: &Path, in_force: &str) -> Result<()> {
        let test = self.test.last().context("no test")?;
        let mut cargo = run::cargo();
        cargo.current_dir(copy).arg("test").args(self.program());
        cargo.arg("--target-dir").arg(built()?);
        cargo.env(VARIABLE, in_force);
        let output = cargo.args(["--", "--exact", test]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            ensure!(text.contains("1 passed"), "{test} is no test");
            bail!("{test} passes with {}", self.name);
        }
        if !text.contains("test result: FAILED") {
            bail!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        }
        println!("{test} fails");
        Ok(())
    }
}

/// Where the copy is built: beside what the tree itself is built to, which would be taken for fresh while the copy does not change.
fn built() -> Result<PathBuf> {
    Ok(run::target()?.join("broken-built"))
}

/// A copy of the files that git tracks, or would, as a repository of its own. What a run before has left there stays where it is the same,
/// so that it is not built anew.
fn copy() -> Result<PathBuf> {
    let copy = run::target()?.join("broken");
    let mut list = Command::new("git");
    list.current_dir(run::root()).args(["ls-files", "-z"]);
    let files = run::output(list.args(["--cached", "--others", "--exclude-standard"]))?;
    let files = files.split('\0').filter(|file| !file.is_empty());
    // One that was deleted is listed still.
    let files: BTreeSet<_> = files.filter(|it| run::root().join(it).exists()).collect();
    fs::create_dir_all(&copy)?;
    run::check(Command::new("git").arg("init").arg("--quiet").arg(&copy))?;
    let mut left = Command::new("git");
    left.arg("-C").arg(&copy);
    let left = run::output(left.args(["ls-files", "-z", "--others"]))?;
    for file in left
        .split('\0')
        .filter(|it| !it.is_empty() && !files.contains(it))
    {
        fs::remove_file(copy.join(file))?;
    }
    for file in files {
        let (from, to) = (run::root().join(file), copy.join(file));
        if fs::read(&to).ok() != Some(fs::read(&from)?) {
            fs::create_dir_all(to.parent().context("a file is in a directory")?)?;
            fs::copy(from, to)?;
        }
    }
    Ok(copy)
}

/// Where a row stands among those of a seed: FNV-1a of its id, mixed as SplitMix64 does.
fn rank(seed: u64, row: &str) -> u64 {
    let begin = seed ^ 0xcbf2_9ce4_8422_2325;
    let hash = row.bytes().fold(begin, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Fisher and Yates, with SplitMix64.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let chosen = mix(state) % (last as u64 + 1);
        items.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}

const ROOM: &str = "xtask/broken";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conformance, sources};

    #[test]
    fn a_patch_says_its_row_and_its_test() {
        let text = "Why.\n\nrow: 6.2-07\ntest: -p x --test y z\n\ndiff --git a/f b/f\n";
        let broken = Broken::parse(Path::new("xtask/broken/name.patch"), text).unwrap();
        assert_eq!((broken.name.as_str(), broken.test.len()), ("name", 5));
        assert_eq!(broken.row, Mark::Row("6.2-07".into()));
        assert_eq!(
            Broken::parse(Path::new("a.patch"), "row: 1\n\ndiff --git "),
            None
        );
    }

    /// What the patches name is there: the row, and a test that shows it.
    #[test]
    fn each_patch_breaks_a_row_that_its_test_shows() {
        let known = conformance::known().unwrap();
        let evidence = conformance::evidence::of(&sources::rust().unwrap());
        for broken in all().unwrap() {
            assert!(known.contains(&broken.row), "{broken:?}");
            let tests = &evidence[&broken.row];
            let name = broken.test.last().and_then(|it| it.rsplit("::").next());
            let named = |test: &Test| Some(test.name.as_str()) == name;
            assert!(tests.iter().any(named), "{broken:?}: {tests:?}");
        }
    }

    /// What a patch changes is there still.
    #[test]
    fn each_patch_applies() {
        for broken in all().unwrap() {
            let mut apply = Command::new("git");
            let apply = apply.current_dir(run::root()).args(["apply", "--check"]);
            run::check(apply.arg(&broken.path)).unwrap();
        }
    }

    #[test]
    fn patches_are_named_or_drawn() {
        let named = |choice: Choice<'_>| -> Result<Vec<String>> {
            let broken = |name: &str, program: &str| Broken {
                name: name.to_owned(),
                row: Mark::Row("1-01".into()),
                test: vec!["-p".into(), program.into(), "test".into()],
                path: PathBuf::new(),
            };
            let patches = vec![broken("a", "x"), broken("b", "w"), broken("c", "x")];
            Ok(choice.of(patches)?.into_iter().map(|it| it.name).collect())
        };
        assert_eq!(named(Choice::All).unwrap(), ["b", "a", "c"]);
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
            named(Choice::Named(&names))
        };
        assert_eq!(names(&["c", "b"]).unwrap(), ["b", "c"]);
        assert!(names(&["c", "d"]).is_err());
        let drawn = named(Choice::Drawn { seed: 1, count: 2 });
        assert_eq!(drawn.unwrap().len(), 2);
    }

    /// What the documentation says of the rows of seed 1.
    #[test]
    fn each_of_the_rows_that_are_drawn_has_a_patch() {
        let evidence = conformance::evidence::of(&sources::rust().unwrap());
        let shown = evidence.keys().filter_map(|mark| match mark {
            Mark::Row(row) => Some(row),
            Mark::Failure(_) => None,
        });
        let mut rows: Vec<_> = shown.collect();
        rows.sort_by_key(|row| rank(1, row));
        let patches = all().unwrap();
        for row in &rows[..40] {
            let breaks = |it: &Broken| matches!(&it.row, Mark::Row(own) if own == *row);
            assert!(patches.iter().any(breaks), "{row}");
        }
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed| {
            let mut items: Vec<_> = (0..20).collect();
            shuffle(&mut items, seed);
            items
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
