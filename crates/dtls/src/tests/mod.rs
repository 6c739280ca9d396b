//! Tests that need a peer which errs or lies: they see what only this crate sees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod guards;
mod guards13;
mod late;
mod matrix;
mod nonces;
pub(crate) mod peer;
mod proofs;
mod recorded;
mod schedule;
mod signers;
#[path = "../../tests/support/mod.rs"]
pub(crate) mod support;
mod wycheproof;

pub(crate) use support::unhex;
