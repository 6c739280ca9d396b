//! Every example of the facade is run: it ends by itself, in time, and well. (Those of the layers are peers for programs of
//! others, and want an address.) The first of them is built as the README says it, too, in a package of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::run;

/// [9.3.1-03] The call flows of W3C's chapter 10 are among them.
pub(crate) fn run() -> Result<()> {
    let readme = fs::read_to_string(run::root().join("README.md"))?;
    let build = ["build", "-p", "oxirtc-peerconnection", "--examples"];
    run::check(run::cargo().args(build))?;
    let built = run::output(run::cargo().args(build).arg("--message-format=json"))?;
    let examples = executables(&built);
    let absent = absent(&examples);
    ensure!(absent.is_empty(), "no example shows {}", absent.join(", "));
    let (told, built) = (shown(&readme), names(&examples));
    let differ: Vec<_> = told.symmetric_difference(&built).collect();
    ensure!(
        differ.is_empty(),
        "the table of the README and the examples differ: {differ:?}"
    );
    stranger(&readme)?;
    for example in &examples {
        run::check_within(LIMIT, Command::new(example).current_dir(run::root()))?;
    }
    println!("{} examples passed, 0 failed", examples.len());
    Ok(())
}

/// The examples among what cargo says that it built.
fn executables(messages: &str) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let executable = |message: Value| {
        let kinds = message["target"]["kind"].as_array()?;
        let is_example = kinds.iter().any(|kind| kind == "example");
        is_example.then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    messages.filter_map(executable).collect()
}

/// The programs that are to be there and are not.
fn absent(examples: &[PathBuf]) -> Vec<&'static str> {
    let there = names(examples);
    let wanted = FIRST.into_iter().chain(FLOWS);
    wanted.filter(|name| !there.contains(*name)).collect()
}

fn names(examples: &[PathBuf]) -> BTreeSet<String> {
    let stems = examples.iter().filter_map(|it| it.file_stem());
    stems.map(|it| it.to_string_lossy().into_owned()).collect()
}

/// The examples that a page links to.
fn shown(page: &str) -> BTreeSet<String> {
    let links = page.split("](crates/peerconnection/examples/").skip(1);
    let names = links.filter_map(|it| it.split_once(".rs)"));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// Does what the README asks of a stranger: its dependencies and its program, in a package beside the tree.
fn stranger(readme: &str) -> Result<()> {
    let package = run::target()?.join("stranger");
    fs::create_dir_all(package.join("src"))?;
    let dependencies = block(readme, "toml").context("the README names no dependencies")?;
    let program = block(readme, "rust").context("the README shows no program")?;
    fs::write(
        package.join("Cargo.toml"),
        manifest(dependencies, &run::root())?,
    )?;
    fs::write(package.join("src/main.rs"), program)?;
    // The versions that everything else here is built with.
    fs::copy(run::root().join("Cargo.lock"), package.join("Cargo.lock"))?;
    let mut cargo = run::cargo();
    cargo.current_dir(&package).arg("build");
    run::check(cargo.arg("--target-dir").arg(run::target()?))?;
    let program = run::target()?.join("debug/stranger");
    run::check_within(LIMIT, &mut Command::new(program))
}

/// The first block of code of a language.
fn block<'t>(page: &'t str, language: &str) -> Option<&'t str> {
    let (_, rest) = page.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}

/// The manifest of a package that lies where the README does not know.
fn manifest(dependencies: &str, tree: &Path) -> Result<String> {
    ensure!(
        dependencies.contains("\"../oxirtc/"),
        "the dependency is not beside the program"
    );
    let dependencies = dependencies.replace("\"../oxirtc/", &format!("\"{}/", tree.display()));
    let package = "name = \"stranger\"\nversion = \"0.0.0\"\nedition = \"2024\"";
    Ok(format!(
        "[workspace]\n\n[package]\n{package}\n\n{dependencies}"
    ))
}

/// What the README promises first.
const FIRST: [&str; 7] = [
    "hello",
    "trickle_websocket",
    "one_port",
    "file_transfer",
    "sans_io",
    "ice_restart",
    "certificate",
];
const FLOWS: [&str; 9] = [
    "call",
    "warm_up",
    "simulcast",
    "data",
    "call_flow",
    "dtmf",
    "perfect_negotiation",
    "statistics",
    "hold",
];
const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let all = FIRST.into_iter().chain(FLOWS);
        let all: Vec<_> = all
            .map(|name| Path::new("/t/examples").join(name))
            .collect();
        assert!(absent(&all).is_empty());
        assert_eq!(absent(&all[1..]), ["hello"]);
        assert_eq!(absent(&all[..15]), ["hold"]);
    }

    #[test]
    fn a_stranger_gets_what_the_readme_says() {
        let page = "```toml\n[dependencies]\na = { path = \"../oxirtc/crates/a\" }\n```\n```rust\nfn main() {}\n```\n";
        let dependencies = block(page, "toml").unwrap();
        let manifest = manifest(dependencies, Path::new("/t/x")).unwrap();
        assert!(manifest.ends_with("\n\n[dependencies]\na = { path = \"/t/x/crates/a\" }\n"));
        assert_eq!(block(page, "rust"), Some("fn main() {}\n"));
        assert!(super::manifest("[dependencies]\na = \"1\"\n", Path::new("/t/x")).is_err());
        let table = "| [`a`](crates/peerconnection/examples/a.rs) | x [b](crates/b)";
        assert_eq!(shown(table), BTreeSet::from(["a".to_owned()]));
    }

    #[test]
    fn examples_are_found_among_what_was_built() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["example"]},"executable":"/t/debug/examples/hello"}
{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"/t/debug/oxirtc"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(
            executables(messages),
            [PathBuf::from("/t/debug/examples/hello")]
        );
    }
}
