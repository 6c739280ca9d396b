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

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(pair).collect()
}
