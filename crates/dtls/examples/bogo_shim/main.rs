//! A shim for BoringSSL's protocol test runner. With a checkout of BoringSSL:
//!
//! ```text
//! cargo build -p oxirtc-dtls --example bogo_shim
//! cd boringssl/ssl/test/runner
//! go test -shim-path …/target/debug/examples/bogo_shim -shim-config …/crates/dtls/examples/bogo_shim/config.json \
//!     -test '*DTLS*' -loose-errors -allow-unimplemented
//! ```
//!
//! `config.json` lists what it does otherwise than BoringSSL, each with the reason. It ends with 89 where something is asked for that `docs/dtls.md` lists as not implemented,
//! and with 1 for a flag that nobody knows.

mod shim;

use std::process::ExitCode;

fn main() -> ExitCode {
    shim::run(std::env::args().skip(1)).into()
}
