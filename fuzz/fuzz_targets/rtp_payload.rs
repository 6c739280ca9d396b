//! Payload formats: bytes as payloads, and as a frame to be cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::rtp_payload(bytes));
