//! Which tests are asked for.

use std::pin::Pin;

/// The tests of a peer, under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// Whether a test is asked for: nobody asks for one by name, or a part of its own is among them.
pub(crate) fn matches(only: &[String], name: &str) -> bool {
    only.is_empty() || only.iter().any(|part| name.contains(part.as_str()))
}
