//! What SRTP opens and protects, under every profile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::srtp_packet(bytes));
