//! A session description: the same lines come back, and each attribute is read again as it was printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|text: &str| parse::sdp(text));
