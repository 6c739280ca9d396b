//! What stands first on the pages that a stranger opens first: rustdoc goes by the order of modules, which nobody sees.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::run;

/// Looks at what `cargo doc` has built.
pub(crate) fn check() -> Result<()> {
    let room = run::target()?.join("doc/oxirtc_peerconnection");
    for (page, first) in PAGES {
        let path = room.join(page);
        let html = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let methods = methods(&html);
        let begins = methods.iter().take(first.len()).eq(*first);
        ensure!(begins, "{page} does not begin with {first:?}");
    }
    println!("pages: {} begin as they should", PAGES.len());
    Ok(())
}

fn methods(html: &str) -> Vec<&str> {
    let sections = html.split("<section id=\"method.").skip(1);
    sections.filter_map(|it| it.split('"').next()).collect()
}

const PAGES: &[(&str, &[&str])] = &[
    (
        "struct.PeerConnection.html",
        &["new", "with_settings", "create_offer"],
    ),
    ("engine/struct.Engine.html", &["new"]),
    ("engine/struct.Settings.html", &["loopback"]),
    ("api/struct.EngineLock.html", &["drive"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_in_the_order_of_the_page() {
        let html = r#"<section id="method.new" class="method"><h4>x</h4></section><section id="method.close" class="method">"#;
        assert_eq!(methods(html), ["new", "close"]);
    }
}
