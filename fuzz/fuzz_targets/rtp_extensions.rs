//! Header extensions of every kind: read, written, read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::rtp_extensions(bytes));
