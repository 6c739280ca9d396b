//! A datagram of RTCP: each packet is asked for everything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::rtcp_compound(bytes));
