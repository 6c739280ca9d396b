//! Every fuzz target has its line in `fuzz/Cargo.toml`, or nobody runs it.

use std::fs;

use anyhow::Result;

use super::finding::Finding;
use crate::run;

pub(super) fn check() -> Result<Vec<Finding>> {
    let fuzz = run::root().join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml"))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets"))? {
        files.push(entry?.file_name().to_string_lossy().into_owned());
    }
    files.sort();
    Ok(findings(&manifest, &files))
}

/// Cargo itself tells of a line without a file.
fn findings(manifest: &str, files: &[String]) -> Vec<Finding> {
    let listed = |file: &&String| !manifest.contains(&format!("\"fuzz_targets/{file}\""));
    let missing = files.iter().filter(listed);
    let finding = |file| {
        let path = format!("fuzz/fuzz_targets/{file}");
        Finding::of("targets", &path, "it has no line in fuzz/Cargo.toml")
    };
    missing.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_target_without_a_line() {
        let manifest = "bin = [\n    { name = \"sdp\", path = \"fuzz_targets/sdp.rs\" },\n]\n";
        let files = ["sdp.rs".to_owned(), "dcep.rs".to_owned()];
        let found = findings(manifest, &files);
        let found: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(found, ["fuzz/fuzz_targets/dcep.rs"]);
    }
}
