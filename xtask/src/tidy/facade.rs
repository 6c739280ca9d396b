//! The facade shows no type of a layer crate, and stays light.

use std::collections::BTreeSet;

use anyhow::Result;

use super::finding::Finding;
use super::uses::{self, Use};
use crate::run;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(room) = source.path.strip_prefix("crates/peerconnection/src/") else {
        return Vec::new();
    };
    if room.starts_with("api/") {
        let code = source.bare();
        let lines = code.lines().zip(1..);
        let named = lines.filter(|(line, _)| line.contains(LAYER));
        let what = "api/ names a layer crate";
        let finding = |(_, number)| Finding::at("facade", source, number, what);
        return named.map(finding).collect();
    }
    if room.starts_with("engine/") && !room.starts_with("engine/convert/") {
        return signatures(source);
    }
    Vec::new()
}

/// At most this many crates stand below the facade, so that it stays quick to build and to audit.
pub(super) fn budget() -> Result<Option<Finding>> {
    let tree = [
        "tree",
        "-p",
        "oxirtc-peerconnection",
        "-e",
        "normal",
        "--prefix",
        "none",
    ];
    let tree = run::output(run::cargo().args(tree))?;
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let over = names.len() > CRATES;
    Ok(over.then(|| {
        let count = names.len();
        let what = format!("the facade has {count} crates below it, more than {CRATES}");
        Finding::of("facade", "crates/peerconnection/Cargo.toml", what)
    }))
}

/// Public signatures that name a layer crate, or something imported from one.
fn signatures(source: &Source) -> Vec<Finding> {
    let code = source.bare();
    let layers = Layers::of(uses::uses(&code));
    let mut findings = Vec::new();
    let mut lines = code.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if !is_public(line) {
            continue;
        }
        let mut signature = line.to_owned();
        while !signature.contains(['{', ';']) {
            let Some((line, _)) = lines.next() else { break };
            signature.push_str(line);
        }
        if layers.are_named_in(&shown(&signature)) {
            let what = "a public signature of engine/ names a layer crate";
            findings.push(Finding::at("facade", source, number, what));
        }
    }
    findings
}

/// A signature without the fields of a tuple that are not public.
fn shown(signature: &str) -> String {
    let tuple = signature.trim_start().starts_with("pub struct ");
    let fields = signature.split_once('(').and_then(|(head, rest)| {
        let (fields, _) = rest.rsplit_once(')')?;
        Some((head, fields))
    });
    match fields.filter(|(head, _)| tuple && !head.contains('{')) {
        Some((head, fields)) => {
            let public = fields
                .split(',')
                .filter(|field| field.trim_start().starts_with("pub "));
            format!("{head}({})", public.collect::<String>())
        }
        None => signature.to_owned(),
    }
}

/// What a file imports from the layer crates.
struct Layers {
    /// `Agent`: counts as a word.
    types: BTreeSet<String>,
    /// `ice`, also under another name: counts at the head of a path.
    modules: BTreeSet<String>,
}

impl Layers {
    fn of(uses: Vec<Use>) -> Self {
        let is_layer = |it: &Use| {
            it.path
                .first()
                .is_some_and(|first| first.starts_with(LAYER))
        };
        let names = uses.into_iter().filter(is_layer).map(|it| it.name);
        let is_type = |name: &String| name.starts_with(|c: char| c.is_uppercase());
        let (types, modules) = names.partition(is_type);
        Self { types, modules }
    }

    fn are_named_in(&self, signature: &str) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut words = signature.split(|c: char| !is_word(c));
        words.any(|word| word.starts_with(LAYER) || self.types.contains(word))
            || self.modules.iter().any(|module| {
                let head = format!("{module}::");
                let mut heads = signature.match_indices(&head);
                heads.any(|(at, _)| !signature[..at].ends_with(|c| is_word(c) || c == ':'))
            })
    }
}

fn is_public(line: &str) -> bool {
    let line = line.trim_start();
    let items = [
        "pub fn ",
        "pub struct ",
        "pub enum ",
        "pub type ",
        "pub const ",
        "pub use ",
        "pub trait ",
    ];
    items.iter().any(|item| line.starts_with(item))
}

const LAYER: &str = "oxirtc_";
const CRATES: usize = 125;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(room: &str, text: &str) -> Vec<Option<usize>> {
        let source = Source {
            path: format!("crates/peerconnection/src/{room}"),
            text: text.to_owned(),
        };
        check(&source).into_iter().map(|it| it.line).collect()
    }

    #[test]
    fn a_public_signature_names_no_layer_under_any_name() {
        for (import, signature) in [
            ("use oxirtc_ice::Agent;", "pub fn agent(&self) -> &Agent {"),
            ("use oxirtc_ice::Agent as A;", "pub fn agent(&self) -> &A {"),
            (
                "use oxirtc_ice as ice;",
                "pub fn agent(&self) -> &ice::Agent {",
            ),
            (
                "use oxirtc_ice::{self as ice};",
                "pub type Agent = ice::Agent;",
            ),
            (
                "use oxirtc_sctp::packet;",
                "pub struct X(pub packet::Chunk);",
            ),
            ("", "pub fn agent(&self) -> oxirtc_ice::Agent {"),
            ("", "pub use oxirtc_ice::Agent;"),
            ("use oxirtc_ice::Agent;", "pub fn f(\n    a: Agent,\n) {"),
        ] {
            let text = format!("{import}\n{signature}\n");
            assert_eq!(lines("engine/x.rs", &text), [Some(2)], "{text}");
            assert_eq!(lines("engine/convert/x.rs", &text), [], "{text}");
        }
    }

    #[test]
    fn what_is_private_or_ours_may_be_named() {
        let text = "\
use oxirtc_ice as ice;
use crate::candidate::Candidate;
fn agent() -> ice::Agent {}
pub(crate) fn other() -> ice::Agent {}
pub struct Id(pub(super) ice::Id, ice::Other);
pub fn device(candidate: Candidate) -> device::Kind {} // ice::Agent
";
        assert_eq!(lines("engine/x.rs", text), []);
    }

    #[test]
    fn the_rooms_of_api_name_no_layer_at_all() {
        assert_eq!(lines("api/x.rs", "use oxirtc_ice as ice;\n"), [Some(1)]);
        assert_eq!(lines("api/x.rs", "//! use oxirtc_peerconnection::…;\n"), []);
        assert_eq!(lines("driver/x.rs", "use oxirtc_ice as ice;\n"), []);
    }
}
