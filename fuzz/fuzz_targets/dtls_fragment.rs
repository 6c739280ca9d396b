//! The payload of a handshake record: its fragments, and the messages that stand in it whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|payload: &[u8]| parse::fragments(payload));
