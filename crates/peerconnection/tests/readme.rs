//! The first program that a visitor sees is the one that is compiled and run.

#[test]
fn the_readmes_show_the_example_byte_for_byte() {
    let program = include_str!("../examples/hello.rs");
    let shown = format!("```rust\n{program}```\n");
    for (name, text) in [
        ("README.md", include_str!("../../../README.md")),
        (
            "crates/peerconnection/README.md",
            include_str!("../README.md"),
        ),
    ] {
        assert!(text.contains(&shown), "{name} shows another program");
    }
}

/// The Rust version is the one that is tested. That the dependency lines work is seen by `cargo xtask ci examples`.
#[test]
fn the_readme_says_what_the_manifest_says() {
    let (readme, manifest) = (
        include_str!("../../../README.md"),
        include_str!("../../../Cargo.toml"),
    );
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .map(|version| version.trim_matches('"'));
    let version = version.expect("the manifest names a Rust version");
    assert!(readme.contains(&format!("Rust {version}")), "{version}");
}
