//! The record numbers that a peer of DTLS 1.3 acknowledges.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|payload: &[u8]| parse::ack(payload));
