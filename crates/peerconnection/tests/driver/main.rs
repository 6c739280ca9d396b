//! The tokio driver on real sockets and on a virtual network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authority;
#[path = "../../examples/call_flow.rs"]
#[expect(dead_code, reason = "it is a program, which has a main")]
mod call_flow;
mod claim;
mod endpoint;
mod errors;
mod exchange;
mod flood;
mod incoming;
mod lifetime;
mod marks;
mod narrow;
mod networks;
mod pair;
mod private;
mod relay;
mod ruled;
#[path = "../../../turn/tests/server/mod.rs"]
mod server;
mod streams;
mod unreachable;
mod virtual_network;
mod w3c;
