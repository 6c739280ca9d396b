//! A STUN message: every attribute read, and the message written again is equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::stun_message(bytes));
