//! An SCTP packet: its chunks, each read by its kind, and written again, equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::sctp_packet(bytes));
