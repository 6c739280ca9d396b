//! Tests that need a peer which errs or lies: they see what only this crate sees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod guards;
pub(crate) mod peer;
mod proofs;
#[path = "../../tests/support/mod.rs"]
mod support;
