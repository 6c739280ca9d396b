//! W3C's rows about media, and statistics of it, over two engines and a simulated network.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod additions;
mod api;
#[path = "../call/mod.rs"]
mod call;
mod ended;
mod marks;
#[path = "../pair/mod.rs"]
mod pair;
mod statistics;
mod transceivers;
mod values;
