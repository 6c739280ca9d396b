//! A certificate, as DER behind a key that fits it and as text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::certificate(bytes));
