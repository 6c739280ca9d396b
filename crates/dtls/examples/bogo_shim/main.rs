//! A shim for BoringSSL's protocol test runner. With a checkout of BoringSSL:
//!
//! ```text
//! cargo build -p oxirtc-dtls --example bogo_shim
//! cd boringssl/ssl/test/runner
//! go test -shim-path …/target/debug/examples/bogo_shim -test 'DTLS*' -loose-errors -allow-unimplemented
//! ```
//!
//! It ends with 89 where something is asked for that `docs/dtls.md` lists as not implemented.

mod shim;

use std::process::ExitCode;

fn main() -> ExitCode {
    shim::run(std::env::args().skip(1)).into()
}
